#include "base/clock.h"

#include "base/error.h"

#include <string.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)

int64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

char *clock_format_seconds(int64_t seconds)
{
    struct tm tm;
    char text[40];
    time_t t = (time_t) seconds;
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return g_strdup(text);
}

char *clock_format_ns(int64_t ns)
{
    g_autofree char *whole = clock_format_seconds(ns / NS_PER_SECOND);
    whole[strlen(whole) - 1] = '\0';
    return g_strdup_printf("%s.%09dZ", whole, (int) (ns % NS_PER_SECOND));
}

bool clock_parse(const char *text, int64_t *seconds, GError **error)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autofree char *full = strlen(text) == strlen("2026-11-21")
                                ? g_strconcat(text, "T00:00:00Z", NULL)
                                : g_strdup(text);
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(full, utc);
    if (time == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "time '%s': expected RFC 3339, as 2026-11-21T08:54:00Z", text);
        return false;
    }
    *seconds = g_date_time_to_unix(time);
    return true;
}

bool clock_parse_duration(const char *text, int64_t *milliseconds, GError **error)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}, {"", 1e3}};
    char *end;
    double number = g_ascii_strtod(text, &end);

    for (size_t i = 0; end != text && number >= 0 && number < 1e12 && i < G_N_ELEMENTS(units);
         i++) {
        if (strcmp(end, units[i].unit) != 0)
            continue;
        *milliseconds = (int64_t) (number * units[i].factor + 0.5);
        return true;
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "duration '%s': expected a number and ms, s, m, h or d, as 10s", text);
    return false;
}
