#include "scan/advisory_range.h"

#include <string.h>

#define EVENTS_MAX 4096 /* of one range; real ones have a few dozen */

typedef struct {
    VersionScheme scheme;
    const AdvisoryDatabase *database;
    uint32_t first;
} EventOrder;

/* "0" as introduction is the beginning of all versions, even of prereleases. */
static bool is_beginning(const EventRow *event, const char *text)
{
    return event->kind == EVENT_INTRODUCED && strcmp(text, "0") == 0;
}

/* Published events are not sorted; equal versions keep their order. */
static int by_version(gconstpointer a, gconstpointer b, gpointer data)
{
    const EventOrder *order = data;
    uint32_t i = *(const uint32_t *) a, j = *(const uint32_t *) b;
    const EventRow *x = advisory_event(order->database, i);
    const EventRow *y = advisory_event(order->database, j);
    const char *v = advisory_string(order->database, x->version);
    const char *w = advisory_string(order->database, y->version);
    bool first = is_beginning(x, v), first_b = is_beginning(y, w);
    int result = 0;
    if (first || first_b)
        result = first_b - first;
    else
        result = version_compare(order->scheme, v, w);
    return result != 0 ? result : (i > j) - (i < j);
}

static bool range_covers(const AdvisoryDatabase *database, const RangeRow *range,
                         VersionScheme scheme, const char *version, const char **fixed)
{
    uint32_t count = MIN(range->event_count, EVENTS_MAX);
    g_autofree uint32_t *order = g_new(uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++)
        order[i] = range->events + i;
    EventOrder context = {scheme, database, range->events};
    g_qsort_with_data(order, (int) count, sizeof *order, by_version, &context);

    bool affected = false;
    const char *fix = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const EventRow *event = advisory_event(database, order[i]);
        const char *text = advisory_string(database, event->version);
        int at = is_beginning(event, text) ? -1 : version_compare(scheme, text, version);
        if (event->kind == EVENT_INTRODUCED && at <= 0)
            affected = true;
        else if (event->kind == EVENT_FIXED && at <= 0)
            affected = false;
        else if (event->kind == EVENT_LAST_AFFECTED && at < 0)
            affected = false;
        else if (event->kind == EVENT_LIMIT && at <= 0 && strcmp(text, "*") != 0)
            affected = false;
        else if (event->kind == EVENT_FIXED && fix == NULL)
            fix = text; /* the first above */
    }
    if (affected && fix != NULL && (*fixed == NULL || version_compare(scheme, fix, *fixed) < 0))
        *fixed = fix;
    return affected;
}

static bool is_listed(const AdvisoryDatabase *database, const AffectedRow *row,
                      VersionScheme scheme, const char *version)
{
    for (uint32_t i = 0; i < row->version_count; i++) {
        const char *listed = advisory_list_string(database, row->versions + i);
        if (strcmp(listed, version) == 0 || version_compare(scheme, listed, version) == 0)
            return true;
    }
    return false;
}

bool advisory_covers(const AdvisoryDatabase *database, const AffectedRow *row, VersionScheme scheme,
                     const char *version, const char **fixed)
{
    *fixed = NULL;
    bool affected = false;
    for (uint32_t i = 0; i < row->range_count; i++) {
        const RangeRow *range = advisory_range(database, row->ranges + i);
        VersionScheme by =
            range->kind == RANGE_SEMVER && scheme != VERSION_GO ? VERSION_SEMVER : scheme;
        affected = range_covers(database, range, by, version, fixed) || affected;
    }
    return affected || is_listed(database, row, scheme, version);
}
