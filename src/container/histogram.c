#include "container/histogram.h"

#include <math.h>

/* Values below 16 have a bucket each; from there on the octave and the four bits behind its
 * highest one are the index. */
static size_t bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (size_t) value;
    int octave = 63 - __builtin_clzll(value); /* 4 and up */
    size_t step = (size_t) (value >> (octave - 4)) & (HISTOGRAM_STEPS - 1);
    size_t index = (size_t) (octave - 3) * HISTOGRAM_STEPS + step;
    return MIN(index, (size_t) HISTOGRAM_OCTAVES * HISTOGRAM_STEPS - 1);
}

/* The largest value of bucket INDEX. */
static int64_t upper_end(size_t index)
{
    if (index < HISTOGRAM_STEPS)
        return (int64_t) index;
    size_t octave = index / HISTOGRAM_STEPS + 3;
    uint64_t step = index % HISTOGRAM_STEPS;
    return (int64_t) (((HISTOGRAM_STEPS + step + 1) << (octave - 4)) - 1);
}

void histogram_add(Histogram *histogram, int64_t microseconds)
{
    histogram->count++;
    histogram->buckets[bucket_of((uint64_t) MAX(microseconds, 0))]++;
}

int64_t histogram_quantile(const Histogram *histogram, double part)
{
    if (histogram->count == 0)
        return 0;
    int64_t rank = (int64_t) ceil(part * (double) histogram->count);
    rank = CLAMP(rank, 1, histogram->count);
    int64_t seen = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(histogram->buckets); i++) {
        seen += histogram->buckets[i];
        if (seen >= rank)
            return upper_end(i);
    }
    return upper_end(G_N_ELEMENTS(histogram->buckets) - 1);
}
