#include "dialect/github/trigger.h"

#include <stdarg.h>
#include <string.h>

/* Patterns of one filter: a text or a list of texts. */
static size_t pattern_count(const PipelineValue *filter)
{
    return filter->kind == PIPELINE_SEQUENCE ? filter->items->len : 1;
}

static const char *pattern_at(const PipelineValue *filter, size_t i)
{
    const PipelineValue *value =
        filter->kind == PIPELINE_SEQUENCE ? filter->items->pdata[i] : filter;
    return value->text != NULL ? value->text : "";
}

/* The whole list is walked; the last pattern that matches decides, `!x` takes back. */
static bool list_matches(const PipelineValue *filter, const char *text)
{
    bool matched = false;
    for (size_t i = 0; i < pattern_count(filter); i++) {
        const char *pattern = pattern_at(filter, i);
        bool negative = pattern[0] == '!';
        if (glob_matches(pattern + (negative ? 1 : 0), text))
            matched = !negative;
    }
    return matched;
}

static bool say(char **reason, bool answer, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool say(char **reason, bool answer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_free(*reason);
    *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return answer;
}

/* Branch or tag filters KIND ("branches", "tags") against NAME. */
static bool name_passes(const PipelineValue *settings, const char *kind, const char *name,
                        char **reason)
{
    g_autofree char *ignore = g_strconcat(kind, "-ignore", NULL);
    const PipelineValue *wanted = pipeline_value_get(settings, kind);
    const PipelineValue *unwanted = pipeline_value_get(settings, ignore);
    if (wanted != NULL && !list_matches(wanted, name))
        return say(reason, false, "'%s' does not match the filter '%s'", name, kind);
    if (unwanted != NULL && list_matches(unwanted, name))
        return say(reason, false, "'%s' matches the filter '%s'", name, ignore);
    return true;
}

static bool has_filter(const PipelineValue *settings, const char *a, const char *b)
{
    return pipeline_value_get(settings, a) != NULL || pipeline_value_get(settings, b) != NULL;
}

static bool ref_passes(const PipelineValue *settings, const TriggerEvent *event, char **reason)
{
    bool branches = has_filter(settings, "branches", "branches-ignore");
    bool tags = has_filter(settings, "tags", "tags-ignore");
    const char *ref = event->ref != NULL ? event->ref : "";
    if (g_str_has_prefix(ref, "refs/tags/")) {
        if (!tags && branches)
            return say(reason, false, "a tag was pushed and only branches are asked for");
        return name_passes(settings, "tags", ref + strlen("refs/tags/"), reason);
    }
    if (tags && !branches)
        return say(reason, false, "a branch was pushed and only tags are asked for");
    const char *name = g_str_has_prefix(ref, "refs/heads/") ? ref + strlen("refs/heads/") : ref;
    return name_passes(settings, "branches", name, reason);
}

static bool paths_pass(const PipelineValue *settings, const TriggerEvent *event, char **reason)
{
    const PipelineValue *wanted = pipeline_value_get(settings, "paths");
    const PipelineValue *unwanted = pipeline_value_get(settings, "paths-ignore");
    bool tag = event->ref != NULL && g_str_has_prefix(event->ref, "refs/tags/");
    if (event->files == NULL || tag || (wanted == NULL && unwanted == NULL))
        return true;
    for (size_t i = 0; event->files[i] != NULL; i++) {
        if (wanted != NULL && list_matches(wanted, event->files[i]))
            return true;
        if (unwanted != NULL && !list_matches(unwanted, event->files[i]))
            return true;
    }
    return say(reason, false,
               wanted != NULL ? "no changed file matches the filter 'paths'"
                              : "all changed files match 'paths-ignore'");
}

static bool has_word(const PipelineValue *list, const char *word)
{
    for (size_t i = 0; i < pattern_count(list); i++)
        if (g_str_equal(pattern_at(list, i), word))
            return true;
    return false;
}

static bool type_passes(const PipelineValue *settings, const TriggerEvent *event, char **reason)
{
    static const char *const pull_request[] = {"opened", "synchronize", "reopened", NULL};
    if (event->action == NULL)
        return true;
    const PipelineValue *types = pipeline_value_get(settings, "types");
    bool pull = g_str_has_prefix(event->name, "pull_request") &&
                !g_str_has_prefix(event->name, "pull_request_review") &&
                !g_str_equal(event->name, "pull_request_comment");
    bool passes = types != NULL ? has_word(types, event->action)
                                : !pull || g_strv_contains(pull_request, event->action);
    return passes || say(reason, false, "its type '%s' is not asked for", event->action);
}

bool trigger_matches(const Pipeline *pipeline, const TriggerEvent *event, char **reason)
{
    *reason = NULL;
    const PipelineTrigger *trigger = pipeline_find_trigger(pipeline, event->name);
    if (trigger == NULL)
        return say(reason, false, "'on' does not name the event '%s'", event->name);
    const PipelineValue *settings = trigger->settings;
    if (!type_passes(settings, event, reason))
        return false;
    const PipelineValue *workflows = pipeline_value_get(settings, "workflows");
    if (workflows != NULL && event->workflow != NULL && !has_word(workflows, event->workflow))
        return say(reason, false, "the workflow '%s' is not asked for", event->workflow);
    if (!ref_passes(settings, event, reason) || !paths_pass(settings, event, reason))
        return false;
    return say(reason, true, "'on' names the event '%s'", event->name);
}
