/* histogram.h - how long things took, in constant space: 16 steps an octave, so that a quantile
 * is right within 6 %. */
#pragma once

#include <glib.h>
#include <stdint.h>

#define HISTOGRAM_STEPS 16   /* an octave */
#define HISTOGRAM_OCTAVES 36 /* up to 19 hours in microseconds */

typedef struct {
    int64_t count;
    uint32_t buckets[HISTOGRAM_OCTAVES * HISTOGRAM_STEPS];
} Histogram;

void histogram_add(Histogram *histogram, int64_t microseconds);

/* The value below which PART (0 … 1) of all lie, upper end of its step; 0 when there are none. */
int64_t histogram_quantile(const Histogram *histogram, double part);
