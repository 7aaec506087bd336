/* clock.h - times as text: RFC 3339 in UTC. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds since 1970, from the real-time clock. */
int64_t clock_now_ns(void);

/* "2026-11-21T08:54:00Z" for whole seconds since 1970. */
char *clock_format_seconds(int64_t seconds);

/* "2026-11-21T08:54:00.123456789Z" for nanoseconds since 1970. */
char *clock_format_ns(int64_t ns);

/* Seconds since 1970 of an RFC 3339 time or date; false with INVALID for anything else. */
bool clock_parse(const char *text, int64_t *seconds, GError **error);

/* A length of time as people write it: "250ms", "10s", "5m", "2h", "7d"; bare numbers are
 * seconds. The result is in milliseconds; false with INVALID and a message that shows the form. */
bool clock_parse_duration(const char *text, int64_t *milliseconds, GError **error);
