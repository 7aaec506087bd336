#include "pipeline/context.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

static void set(ExprValue *object, const char *key, const char *text)
{
    expr_object_set(object, key, expr_string(text != NULL ? text : ""));
}

/* "refs/heads/a/b" → "a/b" */
static const char *short_ref(const char *ref)
{
    static const char *const prefixes[] = {"refs/heads/", "refs/tags/", "refs/pull/"};
    for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
        if (g_str_has_prefix(ref, prefixes[i]))
            return ref + strlen(prefixes[i]);
    return ref;
}

static char *repository_name(const PipelineRunSpec *spec)
{
    if (spec->repository != NULL)
        return g_strdup(spec->repository);
    g_autofree char *folder =
        g_path_get_basename(spec->repository_folder != NULL ? spec->repository_folder : "project");
    return g_strdup_printf("local/%s", folder);
}

ExprValue *context_github(const PipelineRunSpec *spec, const char *run_id, const char *workflow)
{
    const char *ref = spec->ref != NULL ? spec->ref : "refs/heads/main";
    const char *sha =
        spec->commit != NULL ? spec->commit : "0000000000000000000000000000000000000000";
    const char *actor = spec->actor != NULL ? spec->actor : "slipway";
    g_autofree char *repository = repository_name(spec);
    g_autofree char *owner = g_strndup(repository, strcspn(repository, "/"));
    g_autofree char *number = g_strdup_printf("%u", g_str_hash(run_id) & 0x7fffffffU);
    g_autofree char *workflow_ref =
        g_strdup_printf("%s/%s@%s", repository, spec->file != NULL ? spec->file : "", ref);
    const char *secret = json_string_value(json_object_get(spec->secrets, "GITHUB_TOKEN"));
    const struct {
        const char *key, *value;
    } texts[] = {
        {"actor", actor},
        {"actor_id", "1"},
        {"api_url", "https://api.github.com"},
        {"base_ref", spec->base_ref},
        {"event_name", spec->event_name != NULL ? spec->event_name : "push"},
        {"graphql_url", "https://api.github.com/graphql"},
        {"head_ref", spec->head_ref},
        {"ref", ref},
        {"ref_name", short_ref(ref)},
        {"ref_type", g_str_has_prefix(ref, "refs/tags/") ? "tag" : "branch"},
        {"repository", repository},
        {"repository_id", "1"},
        {"repository_owner", owner},
        {"repository_owner_id", "1"},
        {"repositoryUrl", ""},
        {"retention_days", "90"},
        {"run_attempt", "1"},
        {"run_id", number},
        {"run_number", "1"},
        {"secret_source", "Actions"},
        {"server_url", "https://github.com"},
        {"sha", sha},
        {"token", secret},
        {"triggering_actor", actor},
        {"workflow", workflow},
        {"workflow_ref", workflow_ref},
        {"workflow_sha", sha},
    };
    ExprValue *github = expr_object();
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        set(github, texts[i].key, texts[i].value);
    expr_object_set(github, "ref_protected", expr_boolean(false));
    expr_object_set(github, "event",
                    spec->event != NULL ? expr_from_json(spec->event) : expr_object());
    return github;
}

static ExprValue *typed_input(const PipelineValue *declared, const char *name,
                              const ExprValue *value, GError **error)
{
    const char *type = pipeline_value_text(pipeline_value_get(declared, "type"));
    g_autofree char *text = expr_to_text(value);
    if (type != NULL && g_str_equal(type, "boolean")) {
        if (g_str_equal(text, "true") || g_str_equal(text, "false") || text[0] == '\0')
            return expr_boolean(g_str_equal(text, "true"));
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "input '%s': '%s' is neither true nor false", name, text);
        return NULL;
    }
    if (type != NULL && g_str_equal(type, "number")) {
        double number = expr_to_number(value);
        if (!isnan(number))
            return expr_number(number);
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "input '%s': '%s' is no number",
                    name, text);
        return NULL;
    }
    const PipelineValue *options = pipeline_value_get(declared, "options");
    for (size_t i = 0; i < pipeline_value_length(options) && text[0] != '\0'; i++) {
        const char *option = pipeline_value_text(options->items->pdata[i]);
        if (option != NULL && g_str_equal(option, text))
            break;
        if (i + 1 == pipeline_value_length(options)) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                        "input '%s': '%s' is none of its options", name, text);
            return NULL;
        }
    }
    return expr_string(text);
}

static ExprValue *default_input(const PipelineValue *declared, const char *name, GError **error)
{
    const PipelineValue *required = pipeline_value_get(declared, "required");
    const PipelineValue *otherwise = pipeline_value_get(declared, "default");
    if (otherwise == NULL && required != NULL && required->boolean) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "input '%s' is required; give it with --input %s=VALUE", name, name);
        return NULL;
    }
    const char *text = pipeline_value_text(otherwise);
    g_autoptr(ExprValue) value = expr_string(text != NULL ? text : "");
    return typed_input(declared, name, value, error);
}

ExprValue *context_inputs(const PipelineValue *declared, const ExprValue *given, GError **error)
{
    g_autoptr(ExprValue) inputs = expr_object();
    for (guint i = 0; declared != NULL && declared->keys != NULL && i < declared->keys->len; i++) {
        const char *name = pipeline_value_text(declared->keys->pdata[i]);
        const PipelineValue *declaration = declared->items->pdata[i];
        const ExprValue *value = expr_object_get(given, name);
        ExprValue *typed = value != NULL ? typed_input(declaration, name, value, error)
                                         : default_input(declaration, name, error);
        if (typed == NULL)
            return NULL;
        expr_object_set(inputs, name, typed);
    }
    for (guint i = 0; given != NULL && i < given->items->len; i++)
        if (expr_object_get(inputs, given->keys->pdata[i]) == NULL)
            expr_object_set(inputs, given->keys->pdata[i], expr_ref(given->items->pdata[i]));
    return g_steal_pointer(&inputs);
}

void context_github_environment(const ExprValue *github, GHashTable *environment)
{
    static const char *const keys[] = {
        "action",
        "action_path",
        "action_ref",
        "action_repository",
        "actor",
        "actor_id",
        "api_url",
        "base_ref",
        "env",
        "event_name",
        "event_path",
        "graphql_url",
        "head_ref",
        "job",
        "output",
        "path",
        "ref",
        "ref_name",
        "ref_protected",
        "ref_type",
        "repository",
        "repository_id",
        "repository_owner",
        "repository_owner_id",
        "retention_days",
        "run_attempt",
        "run_id",
        "run_number",
        "server_url",
        "sha",
        "state",
        "step_summary",
        "triggering_actor",
        "workflow",
        "workflow_ref",
        "workflow_sha",
        "workspace",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        const ExprValue *value = expr_object_get(github, keys[i]);
        if (value == NULL)
            continue;
        g_autofree char *upper = g_ascii_strup(keys[i], -1);
        g_hash_table_replace(environment, g_strconcat("GITHUB_", upper, NULL), expr_to_text(value));
    }
}

ExprValue *context_texts(const json_t *json, bool case_matters)
{
    ExprValue *object = expr_object();
    object->case_matters = case_matters;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *) json, key, value) if (json_is_string(value))
        set(object, key, json_string_value(value));
    return object;
}
