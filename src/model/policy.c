#include "model/policy.h"

#include "base/clock.h"

#include <string.h>

json_t *policy_extract(const json_t *settings)
{
    static const char *const kept[] = {"production", "after",   "approve", "smoke",
                                       "watch",      "rollout", "rollback"};
    json_t *environments = json_object();
    const char *name;
    json_t *e;
    json_object_foreach(json_object_get(settings, "environments"), name, e)
    {
        json_t *part = json_object();
        for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
            json_object_set_new(part, kept[i], json_deep_copy(json_object_get(e, kept[i])));
        json_object_set_new(environments, name, part);
    }
    return json_pack(
        "{s:o, s:o, s:o, s:o}", "gates", json_deep_copy(json_object_get(settings, "gates")),
        "checks", json_deep_copy(json_object_get(settings, "checks")), "advisories",
        json_deep_copy(json_object_get(settings, "advisories")), "environments", environments);
}

/* ---- how two values of one point compare; > 0: B is stricter than A ---- */

typedef enum {
    RANK_WORDS,    /* the later word of the list is the stricter */
    RANK_HIGHER,   /* integers: higher is stricter */
    RANK_LOWER,    /* integers: lower is stricter */
    RANK_SHORTER,  /* durations: shorter is stricter */
    RANK_LONGER,   /* durations */
    RANK_TRUE,     /* booleans: true is stricter */
    RANK_SUPERSET, /* lists: more is stricter */
    RANK_FIXED,    /* any difference is looser: only the policy in force counts */
} Rank;

typedef struct {
    const char *path; /* dots between keys */
    Rank rank;
    const char *words; /* RANK_WORDS, loosest first */
} Point;

static const Point points[] = {
    {"gates.vulnerabilities.fail-on", RANK_WORDS, "critical high medium low"},
    {"gates.vulnerabilities.mode", RANK_WORDS, "warn stop"},
    {"gates.secrets", RANK_WORDS, "off any"},
    {"gates.lint", RANK_WORDS, "off error warning info"},
    {"gates.signed-by", RANK_SUPERSET, NULL},
    {"gates.sbom", RANK_WORDS, "optional required"},
    {"gates.provenance", RANK_WORDS, "optional required"},
    {"checks.tests.command", RANK_FIXED, NULL},
    {"checks.tests.min", RANK_HIGHER, NULL},
    {"checks.coverage.report", RANK_FIXED, NULL},
    {"checks.coverage.min", RANK_HIGHER, NULL},
    {"advisories.uncovered", RANK_WORDS, "allow deny"},
    {"advisories.max-age", RANK_SHORTER, NULL},
};

static const Point environment_points[] = {
    {"production", RANK_TRUE, NULL},      {"after", RANK_FIXED, NULL},
    {"approve.by", RANK_FIXED, NULL},     {"approve.count", RANK_HIGHER, NULL},
    {"approve.not", RANK_SUPERSET, NULL}, {"smoke", RANK_SUPERSET, NULL},
    {"watch.for", RANK_LONGER, NULL},     {"watch.errors", RANK_LOWER, NULL},
    {"rollout.steps", RANK_FIXED, NULL},  {"rollback.approve", RANK_FIXED, NULL},
};

static json_t *get_path(const json_t *root, const char *path)
{
    g_auto(GStrv) keys = g_strsplit(path, ".", -1);
    json_t *at = (json_t *) root;
    for (size_t i = 0; keys[i] != NULL && at != NULL; i++)
        at = json_object_get(at, keys[i]);
    return at;
}

/* Sets VALUE (borrowed; copied) at PATH, making the objects on the way. */
static void set_path(json_t *root, const char *path, const json_t *value)
{
    g_auto(GStrv) keys = g_strsplit(path, ".", -1);
    json_t *at = root;
    for (size_t i = 0; keys[i + 1] != NULL; i++) {
        json_t *next = json_object_get(at, keys[i]);
        if (!json_is_object(next)) {
            next = json_object();
            json_object_set_new(at, keys[i], next);
        }
        at = next;
    }
    json_object_set_new(at, keys[g_strv_length(keys) - 1], json_deep_copy(value));
}

static int word_rank(const char *words, const json_t *value)
{
    g_auto(GStrv) list = g_strsplit(words, " ", -1);
    for (int i = 0; list[i] != NULL; i++)
        if (g_strcmp0(list[i], json_string_value(value)) == 0)
            return i;
    return -1;
}

static int64_t duration_of(const json_t *value)
{
    int64_t milliseconds = 0;
    if (json_is_string(value))
        clock_parse_duration(json_string_value(value), &milliseconds, NULL);
    return milliseconds;
}

static bool list_has(const json_t *list, const json_t *item)
{
    size_t i;
    json_t *other;
    json_array_foreach(list, i, other) if (json_equal(other, (json_t *) item)) return true;
    return false;
}

static bool list_contains(const json_t *list, const json_t *part)
{
    size_t i;
    json_t *item;
    json_array_foreach(part, i, item) if (!list_has(list, item)) return false;
    return true;
}

static int compare_numbers(int64_t a, int64_t b)
{
    return (b > a) - (b < a);
}

/* < 0: CHANGE is looser than FORCE; > 0: stricter; 0: the same. */
static int compare(const Point *point, const json_t *force, const json_t *change)
{
    if (json_equal((json_t *) force, (json_t *) change) ||
        (force == NULL && json_is_null(change)) || (json_is_null(force) && change == NULL))
        return 0;
    switch (point->rank) {
    case RANK_WORDS:
        return compare_numbers(word_rank(point->words, force), word_rank(point->words, change));
    case RANK_HIGHER:
        return compare_numbers(json_integer_value(force), json_integer_value(change));
    case RANK_LOWER:
        return -compare_numbers(json_integer_value(force), json_integer_value(change));
    case RANK_SHORTER:
        return -compare_numbers(duration_of(force), duration_of(change));
    case RANK_LONGER:
        return compare_numbers(duration_of(force), duration_of(change));
    case RANK_TRUE:
        return compare_numbers(json_is_true(force), json_is_true(change));
    case RANK_SUPERSET:
        return list_contains(change, force) ? 1 : -1;
    case RANK_FIXED:
        /* What the force does not ask for at all, a change may add. */
        return force == NULL || json_is_null(force) ||
                       (json_is_array(force) && json_array_size(force) == 0)
                   ? 1
                   : -1;
    }
    return -1;
}

/* FORCE and CHANGE joined: for lists where each has what the other lacks. */
static json_t *list_union(const json_t *force, const json_t *change)
{
    json_t *all = json_copy((json_t *) force);
    size_t i;
    json_t *item;
    json_array_foreach(change, i, item) if (!list_has(all, item)) json_array_append(all, item);
    return all;
}

static void tighten(json_t *result, const json_t *change, const Point *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_t *ours = get_path(result, table[i].path);
        json_t *theirs = get_path(change, table[i].path);
        if (table[i].rank == RANK_SUPERSET && json_is_array(ours) && json_is_array(theirs)) {
            json_t *all = list_union(ours, theirs);
            set_path(result, table[i].path, all);
            json_decref(all);
        } else if (theirs != NULL && compare(&table[i], ours, theirs) > 0)
            set_path(result, table[i].path, theirs);
    }
}

json_t *policy_tighten(const json_t *force, const json_t *change)
{
    json_t *result = json_deep_copy(force);
    tighten(result, change, points, G_N_ELEMENTS(points));
    const char *name;
    json_t *e;
    json_object_foreach(json_object_get(result, "environments"), name, e)
    {
        const json_t *theirs = json_object_get(json_object_get(change, "environments"), name);
        if (theirs != NULL)
            tighten(e, theirs, environment_points, G_N_ELEMENTS(environment_points));
    }
    return result;
}

static void append_loosened(GString *text, const char *prefix, const json_t *force,
                            const json_t *change, const Point *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *ours = get_path(force, table[i].path),
                     *theirs = get_path(change, table[i].path);
        if (compare(&table[i], ours, theirs) >= 0)
            continue;
        char *from = json_dumps(ours, JSON_COMPACT | JSON_ENCODE_ANY);
        char *to = theirs != NULL ? json_dumps(theirs, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        g_string_append_printf(text, "%s%s%s: %s → %s", text->len > 0 ? "\n" : "", prefix,
                               table[i].path, from, to != NULL ? to : "nothing");
        free(from);
        free(to);
    }
}

char *policy_loosened(const json_t *force, const json_t *change)
{
    GString *text = g_string_new(NULL);
    append_loosened(text, "", force, change, points, G_N_ELEMENTS(points));
    const char *name;
    json_t *e;
    json_object_foreach(json_object_get(force, "environments"), name, e)
    {
        g_autofree char *prefix = g_strdup_printf("environments.%s.", name);
        const json_t *theirs = json_object_get(json_object_get(change, "environments"), name);
        if (theirs == NULL)
            g_string_append_printf(text, "%senvironments.%s: removed", text->len > 0 ? "\n" : "",
                                   name);
        else
            append_loosened(text, prefix, e, theirs, environment_points,
                            G_N_ELEMENTS(environment_points));
    }
    if (text->len > 0)
        return g_string_free(text, FALSE);
    g_string_free(text, TRUE);
    return NULL;
}
