#include "dialect/github/events.h"

#include "dialect/github/rules.h"
#include "dialect/github/trigger.h"

#include <string.h>

#define INPUTS_LIMIT 25

enum {
    FILTER_TYPES = 1,
    FILTER_BRANCHES = 2,
    FILTER_TAGS = 4,
    FILTER_PATHS = 8,
    FILTER_WORKFLOWS = 16,
};

static const struct {
    const char *name;
    unsigned filters;
    const char *types; /* blank-separated; NULL: any */
} events[] = {
    {"branch_protection_rule", FILTER_TYPES, "created edited deleted"},
    {"check_run", FILTER_TYPES, "created rerequested completed requested_action"},
    {"check_suite", FILTER_TYPES, "completed requested rerequested"},
    {"create", 0, NULL},
    {"delete", 0, NULL},
    {"deployment", FILTER_TYPES, "created"},
    {"deployment_status", FILTER_TYPES, "created"},
    {"discussion", FILTER_TYPES,
     "created edited deleted transferred pinned unpinned labeled unlabeled locked unlocked "
     "category_changed answered unanswered"},
    {"discussion_comment", FILTER_TYPES, "created edited deleted"},
    {"fork", 0, NULL},
    {"gollum", 0, NULL},
    {"image_version", FILTER_TYPES, NULL},
    {"issue_comment", FILTER_TYPES, "created edited deleted"},
    {"issues", FILTER_TYPES,
     "opened edited deleted transferred pinned unpinned closed reopened assigned unassigned "
     "labeled unlabeled locked unlocked milestoned demilestoned typed untyped"},
    {"label", FILTER_TYPES, "created edited deleted"},
    {"merge_group", FILTER_TYPES | FILTER_BRANCHES, "checks_requested"},
    {"milestone", FILTER_TYPES, "created closed opened edited deleted"},
    {"page_build", 0, NULL},
    {"project", FILTER_TYPES, "created closed reopened edited deleted"},
    {"project_card", FILTER_TYPES, "created moved converted edited deleted"},
    {"project_column", FILTER_TYPES, "created updated moved deleted"},
    {"public", 0, NULL},
    {"pull_request", FILTER_TYPES | FILTER_BRANCHES | FILTER_PATHS,
     "assigned unassigned labeled unlabeled opened edited closed reopened synchronize "
     "converted_to_draft locked unlocked enqueued dequeued milestoned demilestoned "
     "ready_for_review review_requested review_request_removed auto_merge_enabled "
     "auto_merge_disabled"},
    {"pull_request_comment", FILTER_TYPES, "created edited deleted"},
    {"pull_request_review", FILTER_TYPES, "submitted edited dismissed"},
    {"pull_request_review_comment", FILTER_TYPES, "created edited deleted"},
    {"pull_request_target", FILTER_TYPES | FILTER_BRANCHES | FILTER_PATHS,
     "assigned unassigned labeled unlabeled opened edited closed reopened synchronize "
     "converted_to_draft locked unlocked enqueued dequeued milestoned demilestoned "
     "ready_for_review review_requested review_request_removed auto_merge_enabled "
     "auto_merge_disabled"},
    {"push", FILTER_BRANCHES | FILTER_TAGS | FILTER_PATHS, NULL},
    {"registry_package", FILTER_TYPES, "published updated"},
    {"release", FILTER_TYPES, "published unpublished created edited deleted prereleased released"},
    {"repository_dispatch", FILTER_TYPES, NULL},
    {"schedule", 0, NULL},
    {"status", 0, NULL},
    {"watch", FILTER_TYPES, "started"},
    {"workflow_call", 0, NULL},
    {"workflow_dispatch", 0, NULL},
    {"workflow_run", FILTER_TYPES | FILTER_BRANCHES | FILTER_WORKFLOWS,
     "completed requested in_progress"},
};

static int find_event(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
        if (g_str_equal(events[i].name, name))
            return (int) i;
    return -1;
}

static bool has_word(const char *words, const char *word)
{
    g_auto(GStrv) list = g_strsplit(words, " ", -1);
    return g_strv_contains((const char *const *) list, word);
}

static void check_types(Reader *reader, const PipelineValue *types, int event)
{
    checker_check(reader, types, &rule_text_list);
    size_t count = types->kind == PIPELINE_SEQUENCE ? types->items->len : 1;
    for (size_t i = 0; i < count && events[event].types != NULL; i++) {
        const PipelineValue *type =
            types->kind == PIPELINE_SEQUENCE ? types->items->pdata[i] : types;
        if (type->text != NULL && !has_word(events[event].types, type->text))
            reader_error(reader, "events", type->line, type->column, "Unexpected value '%s'",
                         type->text);
    }
}

static void check_patterns(Reader *reader, const PipelineValue *patterns)
{
    checker_check(reader, patterns, &rule_text_list);
    size_t count = patterns->kind == PIPELINE_SEQUENCE ? patterns->items->len : 1;
    for (size_t i = 0; i < count; i++) {
        const PipelineValue *pattern =
            patterns->kind == PIPELINE_SEQUENCE ? patterns->items->pdata[i] : patterns;
        if (pattern->text == NULL || pattern->text[0] == '\0')
            continue;
        const char *problem = glob_problem(pattern->text + (pattern->text[0] == '!' ? 1 : 0));
        if (problem != NULL)
            reader_error(reader, "glob", pattern->line, pattern->column,
                         "The pattern '%s' is invalid: %s", pattern->text, problem);
    }
}

/* A filter key against what EVENT takes. */
static void check_filter(Reader *reader, const PipelineValue *key, const PipelineValue *value,
                         int event)
{
    static const struct {
        const char *key;
        unsigned filter;
    } filters[] = {
        {"types", FILTER_TYPES},
        {"branches", FILTER_BRANCHES},
        {"branches-ignore", FILTER_BRANCHES},
        {"tags", FILTER_TAGS},
        {"tags-ignore", FILTER_TAGS},
        {"paths", FILTER_PATHS},
        {"paths-ignore", FILTER_PATHS},
        {"workflows", FILTER_WORKFLOWS},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(filters); i++) {
        if (g_ascii_strcasecmp(filters[i].key, key->text) != 0 ||
            !(events[event].filters & filters[i].filter))
            continue;
        if (filters[i].filter == FILTER_TYPES)
            check_types(reader, value, event);
        else if (filters[i].filter == FILTER_WORKFLOWS)
            checker_check(reader, value, &rule_text_list);
        else
            check_patterns(reader, value);
        return;
    }
    reader_error(reader, "events", key->line, key->column, "Unexpected value '%s'", key->text);
}

static void check_exclusive(Reader *reader, const PipelineValue *settings)
{
    static const char *const kinds[] = {"branches", "tags", "paths"};
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *ignore = g_strconcat(kinds[i], "-ignore", NULL);
        const PipelineValue *second = pipeline_value_get(settings, ignore);
        if (second != NULL && pipeline_value_get(settings, kinds[i]) != NULL)
            reader_error(reader, "events", second->line, second->column,
                         "you may only define one of `%s` and `%s` for a single event", kinds[i],
                         ignore);
    }
}

static void check_cron(Reader *reader, const PipelineValue *entry)
{
    const PipelineValue *cron = pipeline_value_get(entry, "cron");
    if (cron == NULL || cron->text == NULL)
        return;
    g_auto(GStrv) raw = g_strsplit_set(cron->text, " \t", -1);
    int fields = 0;
    for (char **field = raw; *field != NULL; field++)
        fields += **field != '\0';
    if (fields != 5)
        reader_error(reader, "events", cron->line, cron->column,
                     "Invalid cron string '%s': five fields were expected", cron->text);
}

static PipelineValue *read_map(Reader *reader, PipelineValue *settings, const char *key,
                               const Rule *rule)
{
    PipelineValue *map = reader_take(settings, key);
    if (map == NULL || map->kind == PIPELINE_NULL)
        return map;
    const Rule all = {.allow = ALLOW_MAPPING, .each = rule};
    checker_check(reader, map, &all);
    return map;
}

static void check_keys(Reader *reader, const PipelineValue *settings, const char *allowed)
{
    for (guint i = 0; i < settings->keys->len; i++) {
        const PipelineValue *key = settings->keys->pdata[i];
        g_autofree char *name = g_ascii_strdown(key->text, -1);
        if (!has_word(allowed, name))
            reader_error(reader, "events", key->line, key->column, "Unexpected value '%s'",
                         key->text);
    }
}

static void read_dispatch(Reader *reader, Pipeline *pipeline, PipelineValue *settings)
{
    check_keys(reader, settings, "inputs");
    pipeline->dispatch_inputs = read_map(reader, settings, "inputs", &rule_dispatch_input);
    if (pipeline_value_length(pipeline->dispatch_inputs) > INPUTS_LIMIT)
        reader_error(reader, "events", pipeline->dispatch_inputs->line,
                     pipeline->dispatch_inputs->column, "At most %d inputs are allowed",
                     INPUTS_LIMIT);
}

static void read_call(Reader *reader, Pipeline *pipeline, PipelineValue *settings)
{
    check_keys(reader, settings, "inputs outputs secrets");
    pipeline->call_inputs = read_map(reader, settings, "inputs", &rule_call_input);
    pipeline->call_outputs = read_map(reader, settings, "outputs", &rule_call_output);
    pipeline->call_secrets = read_map(reader, settings, "secrets", &rule_call_secret);
}

static void read_settings(Reader *reader, Pipeline *pipeline, int event, PipelineValue *settings)
{
    const char *name = events[event].name;
    if (settings->kind == PIPELINE_NULL)
        return;
    if (g_str_equal(name, "schedule")) {
        checker_check(reader, settings, &rule_crons);
        for (guint i = 0; settings->kind == PIPELINE_SEQUENCE && i < settings->items->len; i++)
            check_cron(reader, settings->items->pdata[i]);
        return;
    }
    if (settings->kind != PIPELINE_MAPPING) {
        reader_error(reader, "events", settings->line, settings->column,
                     settings->kind == PIPELINE_SEQUENCE ? "A sequence was not expected"
                                                         : "Unexpected value '%s'",
                     settings->text);
        return;
    }
    if (g_str_equal(name, "workflow_dispatch"))
        read_dispatch(reader, pipeline, settings);
    else if (g_str_equal(name, "workflow_call"))
        read_call(reader, pipeline, settings);
    else {
        for (guint i = 0; i < settings->keys->len; i++)
            check_filter(reader, settings->keys->pdata[i], settings->items->pdata[i], event);
        check_exclusive(reader, settings);
    }
}

/* Takes SETTINGS (may be NULL). */
static void add_trigger(Reader *reader, Pipeline *pipeline, const PipelineValue *name,
                        PipelineValue *settings)
{
    int event = name->text != NULL ? find_event(name->text) : -1;
    if (event < 0) {
        reader_error(reader, "events", name->line, name->column, "Unexpected value '%s'",
                     name->text != NULL ? name->text : "");
        pipeline_value_free(settings);
        return;
    }
    PipelineTrigger *trigger = pipeline_trigger_new(events[event].name);
    trigger->line = name->line;
    trigger->column = name->column;
    trigger->settings = settings;
    g_ptr_array_add(pipeline->triggers, trigger);
    if (settings != NULL)
        read_settings(reader, pipeline, event, settings);
}

void events_read(Reader *reader, Pipeline *pipeline, PipelineValue *on)
{
    if (on->kind == PIPELINE_MAPPING)
        for (guint i = 0; i < on->keys->len; i++) {
            const PipelineValue *name = on->keys->pdata[i];
            add_trigger(reader, pipeline, name, reader_take(on, name->text));
        }
    else if (on->kind == PIPELINE_SEQUENCE)
        for (guint i = 0; i < on->items->len; i++)
            add_trigger(reader, pipeline, on->items->pdata[i], NULL);
    else
        add_trigger(reader, pipeline, on, NULL);
    if (pipeline->triggers->len == 0 && reader->errors == 0)
        reader_error(reader, "events", on->line, on->column, "No event triggers defined in `on`");
    pipeline_value_free(on);
}
