#include "report/ignore.h"

#include "base/clock.h"
#include "base/error.h"
#include "report/glob.h"

#include <string.h>

#define NOTICE_DAYS 14
#define SECONDS_A_DAY 86400

typedef struct {
    int line;
    char *rule, *place;               /* place: path glob, or NULL when bound to a fingerprint */
    char *fingerprint;                /* or NULL */
    char *reason, *owner, *review_by; /* each may be NULL */
    bool used;
} Entry;

struct IgnoreList {
    char *name;
    GPtrArray *entries;
};

static void entry_free(gpointer data)
{
    Entry *entry = data;
    g_free(entry->rule);
    g_free(entry->place);
    g_free(entry->fingerprint);
    g_free(entry->reason);
    g_free(entry->owner);
    g_free(entry->review_by);
    g_free(entry);
}

void ignore_list_free(IgnoreList *list)
{
    if (list == NULL)
        return;
    g_free(list->name);
    g_ptr_array_unref(list->entries);
    g_free(list);
}

static bool fail(const char *name, int line, GError **error, const char *what, const char *text)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "%s:%d: %s '%s'; a line is: RULE PATH|fingerprint:F [owner=NAME] "
                "[review-by=YYYY-MM-DD] [reason=TEXT TO THE END]",
                name, line, what, text);
    return false;
}

/* Takes the next word off *REST; NULL at the end. */
static char *next_word(char **rest)
{
    char *start = *rest + strspn(*rest, " \t");
    if (*start == '\0')
        return NULL;
    char *end = start + strcspn(start, " \t");
    *rest = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return start;
}

static bool is_date(const char *text)
{
    int64_t seconds = 0;
    return strlen(text) == 10 && clock_parse(text, &seconds, NULL);
}

static bool parse_fields(Entry *entry, char *rest, const char *name, GError **error)
{
    while (*(rest += strspn(rest, " \t")) != '\0') {
        if (g_str_has_prefix(rest, "reason=")) {
            g_autofree char *reason = g_strstrip(g_strdup(rest + strlen("reason=")));
            if (*reason != '\0')
                entry->reason = g_steal_pointer(&reason);
            return true;
        }
        char *word = next_word(&rest);
        if (g_str_has_prefix(word, "owner=") && word[strlen("owner=")] != '\0') {
            g_free(entry->owner);
            entry->owner = g_strdup(word + strlen("owner="));
        } else if (g_str_has_prefix(word, "review-by=")) {
            const char *date = word + strlen("review-by=");
            if (!is_date(date))
                return fail(name, entry->line, error, "no date of the form YYYY-MM-DD:", date);
            g_free(entry->review_by);
            entry->review_by = g_strdup(date);
        } else {
            return fail(name, entry->line, error, "unknown field", word);
        }
    }
    return true;
}

static bool parse_line(IgnoreList *list, char *line, int number, GError **error)
{
    char *rest = g_strstrip(line);
    if (*rest == '\0' || *rest == '#')
        return true;
    Entry *entry = g_new0(Entry, 1);
    g_ptr_array_add(list->entries, entry);
    entry->line = number;
    entry->rule = g_strdup(next_word(&rest));

    const char *place = next_word(&rest);
    if (place == NULL || strchr(place, '=') != NULL)
        return fail(list->name, number, error, "no path or fingerprint after rule", entry->rule);
    if (g_str_has_prefix(place, "fingerprint:"))
        entry->fingerprint = g_strdup(place + strlen("fingerprint:"));
    else
        entry->place = g_strdup(place);
    return parse_fields(entry, rest, list->name, error);
}

IgnoreList *ignore_list_parse(const char *name, const char *text, GError **error)
{
    g_autoptr(IgnoreList) list = g_new0(IgnoreList, 1);
    list->name = g_strdup(name);
    list->entries = g_ptr_array_new_with_free_func(entry_free);

    if (!g_utf8_validate(text, -1, NULL)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s: not UTF-8", name);
        return NULL;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (int i = 0; lines[i] != NULL; i++)
        if (!parse_line(list, lines[i], i + 1, error))
            return NULL;
    return g_steal_pointer(&list);
}

static bool covers(const Entry *entry, const Finding *finding)
{
    bool rule = glob_match_name(entry->rule, finding->rule);
    for (char **alias = finding->aliases; !rule && alias != NULL && *alias != NULL; alias++)
        rule = glob_match_name(entry->rule, *alias);
    if (!rule)
        return false;
    if (entry->fingerprint != NULL)
        return g_strcmp0(entry->fingerprint, finding->fingerprint) == 0;
    return finding->path != NULL && glob_match_path(entry->place, finding->path);
}

static void suppress(Entry *entry, GPtrArray *findings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Finding *finding = g_ptr_array_index(findings, i);
        if (!covers(entry, finding))
            continue;
        entry->used = true;
        if (finding->suppressed == NULL)
            finding->suppressed =
                g_strdup(entry->reason != NULL ? entry->reason : "accepted without a reason");
    }
}

static void complain(const IgnoreList *list, const Entry *entry, GPtrArray *findings,
                     const char *rule, const char *mend, char *message)
{
    g_autofree char *text = message;
    Finding *finding = finding_new(rule, SEVERITY_WARNING, list->name, entry->line, 1, text);
    finding->mend = g_strdup(mend);
    g_ptr_array_add(findings, finding);
}

/* Days from TODAY until DATE; both are dates. */
static int64_t days_until(const char *date, const char *today)
{
    int64_t then = 0, now = 0;
    if (!clock_parse(date, &then, NULL) || !clock_parse(today, &now, NULL))
        return 0;
    return (then - now) / SECONDS_A_DAY;
}

static void apply(const IgnoreList *list, Entry *entry, GPtrArray *findings, size_t count,
                  const char *today, bool strict)
{
    if (entry->review_by != NULL && strcmp(entry->review_by, today) < 0) {
        complain(list, entry, findings, "ignore-expired",
                 "look at it again: mend the cause, or set a new review-by",
                 g_strdup_printf("entry for '%s' expired on %s", entry->rule, entry->review_by));
        entry->used = true; /* said once is enough */
        return;
    }
    bool complete = entry->reason != NULL && entry->review_by != NULL;
    if (!complete)
        complain(list, entry, findings, "ignore-incomplete",
                 "add reason=TEXT and review-by=YYYY-MM-DD",
                 g_strdup_printf("entry for '%s' has no %s%s", entry->rule,
                                 entry->reason == NULL ? "reason" : "review-by",
                                 strict ? " and is disregarded" : ""));
    if (!complete && strict) {
        entry->used = true;
        return;
    }
    suppress(entry, findings, count);
    if (entry->used && entry->review_by != NULL) {
        int64_t days = days_until(entry->review_by, today);
        if (days <= NOTICE_DAYS)
            complain(
                list, entry, findings, "ignore-expiring", "plan its review",
                g_strdup_printf("entry for '%s' expires on %s", entry->rule, entry->review_by));
    }
}

void ignore_list_apply(IgnoreList *list, GPtrArray *findings, const char *today, bool strict,
                       bool (*ran)(const char *rule_glob))
{
    size_t count = findings->len; /* what is appended here is not suppressible */
    for (guint i = 0; i < list->entries->len; i++) {
        Entry *entry = g_ptr_array_index(list->entries, i);
        apply(list, entry, findings, count, today, strict);
        if (!entry->used && ran != NULL && ran(entry->rule))
            complain(list, entry, findings, "ignore-unused", "remove the line",
                     g_strdup_printf("entry for '%s' covers nothing", entry->rule));
    }
}
