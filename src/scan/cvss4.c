/* CVSS 4.0, first.org/cvss/v4.0/specification-document section 8: a vector falls into one of 270
 * macrovectors, and its score lies between that one's and the next lower ones', by the distance
 * from the severest vector of its macrovector. */
#include "scan/cvss_metric.h"

#include <math.h>
#include <string.h>

static const CvssMetric metrics[] = {
    {"AV", "N A L P", true},     {"AC", "L H", true},
    {"AT", "N P", true},         {"PR", "N L H", true},
    {"UI", "N P A", true},       {"VC", "H L N", true},
    {"VI", "H L N", true},       {"VA", "H L N", true},
    {"SC", "H L N", true},       {"SI", "H L N", true},
    {"SA", "H L N", true},       {"E", "X A P U", false},
    {"CR", "X H M L", false},    {"IR", "X H M L", false},
    {"AR", "X H M L", false},    {"MAV", "X N A L P", false},
    {"MAC", "X L H", false},     {"MAT", "X N P", false},
    {"MPR", "X N L H", false},   {"MUI", "X N P A", false},
    {"MVC", "X H L N", false},   {"MVI", "X H L N", false},
    {"MVA", "X H L N", false},   {"MSC", "X H L N", false},
    {"MSI", "X S H L N", false}, {"MSA", "X S H L N", false},
    {"S", "X N P", false},       {"AU", "X N Y", false},
    {"R", "X A U I", false},     {"V", "X D C", false},
    {"RE", "X L M H", false},    {"U", "X Clear Green Amber Red", false},
};

/* The metrics that count, modified ones and defaults resolved. */
enum { AV, PR, UI, AC, AT, VC, VI, VA, SC, SI, SA, CR, IR, AR, E, METRICS };

static const struct {
    const char *name;
    const char *levels; /* from the severest; '-' is a level nothing has */
} scale[METRICS] = {
    [AV] = {"AV", "NALP"}, [PR] = {"PR", "NLH"},  [UI] = {"UI", "NPA"},  [AC] = {"AC", "LH"},
    [AT] = {"AT", "NP"},   [VC] = {"VC", "HLN"},  [VI] = {"VI", "HLN"},  [VA] = {"VA", "HLN"},
    [SC] = {"SC", "-HLN"}, [SI] = {"SI", "SHLN"}, [SA] = {"SA", "SHLN"}, [CR] = {"CR", "HML"},
    [IR] = {"IR", "HML"},  [AR] = {"AR", "HML"},  [E] = {"E", "APU"},
};

static void resolve(const CvssValues *v, char out[METRICS])
{
    for (int i = 0; i < METRICS; i++) {
        char modified[4];
        g_snprintf(modified, sizeof modified, "M%s", scale[i].name);
        char value = i < CR ? cvss_value(v, modified) : 'X';
        if (value == 'X')
            value = cvss_value(v, scale[i].name);
        if (value == 'X') /* E and the requirements: the worst is assumed */
            value = i == E ? 'A' : 'H';
        out[i] = value;
    }
}

static void classify(const char m[METRICS], int eq[6])
{
    bool all = m[AV] == 'N' && m[PR] == 'N' && m[UI] == 'N';
    bool any = m[AV] == 'N' || m[PR] == 'N' || m[UI] == 'N';
    eq[0] = all ? 0 : any && m[AV] != 'P' ? 1 : 2;
    eq[1] = m[AC] == 'L' && m[AT] == 'N' ? 0 : 1;
    if (m[VC] == 'H' && m[VI] == 'H')
        eq[2] = 0;
    else
        eq[2] = m[VC] == 'H' || m[VI] == 'H' || m[VA] == 'H' ? 1 : 2;
    if (m[SI] == 'S' || m[SA] == 'S')
        eq[3] = 0;
    else
        eq[3] = m[SC] == 'H' || m[SI] == 'H' || m[SA] == 'H' ? 1 : 2;
    eq[4] = m[E] == 'A' ? 0 : m[E] == 'P' ? 1 : 2;
    bool required = (m[CR] == 'H' && m[VC] == 'H') || (m[IR] == 'H' && m[VI] == 'H') ||
                    (m[AR] == 'H' && m[VA] == 'H');
    eq[5] = required ? 0 : 1;
}

/* The severest vectors of each level, by the metrics named; the last word of a list is NULL. */
static const char *const most_1[3][4] = {
    {"NNN"}, {"ANN", "NLN", "NNP"}, {"PNN", "ALP"}};                 /* AV PR UI */
static const char *const most_2[2][3] = {{"LN"}, {"HN", "LP"}};      /* AC AT */
static const char *const most_4[3][2] = {{"HSS"}, {"HHH"}, {"LLL"}}; /* SC SI SA */
static const char *const most_36[3][2][6] = {                        /* VC VI VA CR IR AR */
                                             {{"HHHHHH"}, {"HHLMMH", "HHHMMM"}},
                                             {{"LHHHHH", "HLHHHH"},
                                              {"LHLHMH", "LHHHMM", "HLHMHM", "HLLMHH", "LLHHHM"}},
                                             {{NULL}, {"LLLHHH"}}};

static int level(int metric, char value)
{
    const char *at = strchr(scale[metric].levels, value);
    g_assert(at != NULL);
    return (int) (at - scale[metric].levels);
}

/* Steps from the first of WORDS that is nowhere less severe than M, over its metrics. */
static int distance(const char m[METRICS], const int *order, const char *const *words)
{
    for (; *words != NULL; words++) {
        int sum = 0;
        bool above = true;
        for (size_t i = 0; (*words)[i] != '\0'; i++) {
            int steps = level(order[i], m[order[i]]) - level(order[i], (*words)[i]);
            above = above && steps >= 0;
            sum += steps;
        }
        if (above)
            return sum;
    }
    return 0;
}

static int lower_score(const int eq[6], int which)
{
    int next[6];
    memcpy(next, eq, sizeof next);
    next[which]++;
    return cvss4_macro_score(next);
}

/* The pair of EQ3 and EQ6 has its own neighbours. */
static int lower_score_36(const int eq[6])
{
    if (eq[2] == 0 && eq[5] == 0)
        return MAX(lower_score(eq, 2), lower_score(eq, 5));
    if (eq[2] == 1 && eq[5] == 0)
        return lower_score(eq, 5);
    return eq[2] == 2 ? -1 : lower_score(eq, 2);
}

static double interpolate(const char m[METRICS], const int eq[6])
{
    static const int order_1[] = {AV, PR, UI}, order_2[] = {AC, AT}, order_4[] = {SC, SI, SA};
    static const int order_36[] = {VC, VI, VA, CR, IR, AR};
    static const int depth_1[] = {1, 4, 5}, depth_2[] = {1, 2}, depth_4[] = {6, 5, 4};
    static const int depth_36[3][2] = {{7, 6}, {8, 8}, {0, 10}};

    double value = cvss4_macro_score(eq) / 10.0;
    const struct {
        int lower;    /* score of the neighbour, in tenths; -1: none */
        double share; /* of the way to it */
    } parts[] = {
        {lower_score(eq, 0), (double) distance(m, order_1, most_1[eq[0]]) / depth_1[eq[0]]},
        {lower_score(eq, 1), (double) distance(m, order_2, most_2[eq[1]]) / depth_2[eq[1]]},
        {lower_score_36(eq),
         (double) distance(m, order_36, most_36[eq[2]][eq[5]]) / depth_36[eq[2]][eq[5]]},
        {lower_score(eq, 3), (double) distance(m, order_4, most_4[eq[3]]) / depth_4[eq[3]]},
        {lower_score(eq, 4), 0}, /* E has no steps inside a level, but its neighbour counts */
    };
    double sum = 0;
    int neighbours = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (parts[i].lower < 0)
            continue;
        neighbours++;
        sum += (value - parts[i].lower / 10.0) * parts[i].share;
    }
    return value - (neighbours > 0 ? sum / neighbours : 0);
}

bool cvss4_score(const char *vector, const char *text, double *score, GError **error)
{
    CvssValues v;
    if (!cvss_values_parse(vector, text, metrics, G_N_ELEMENTS(metrics), &v, error))
        return false;
    char m[METRICS];
    resolve(&v, m);
    bool harmless = true;
    for (int i = VC; i <= SA; i++)
        harmless = harmless && m[i] == 'N';
    if (harmless) {
        *score = 0;
        return true;
    }
    int eq[6];
    classify(m, eq);
    double exact = CLAMP(interpolate(m, eq), 0.0, 10.0);
    *score = floor((exact + 1e-6) * 10 + 0.5) / 10;
    return true;
}
