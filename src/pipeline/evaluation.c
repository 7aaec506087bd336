#include "pipeline/evaluation.h"

#include "base/error.h"
#include "dialect/github/names.h"
#include "expr/hash_files.h"
#include "expr/template.h"

#include <math.h>
#include <string.h>

static ExprValue *call_always(void *user, ExprValue *const *a, size_t count, GError **error)
{
    return expr_boolean(true);
}

static ExprValue *call_cancelled(void *user, ExprValue *const *a, size_t count, GError **error)
{
    return expr_boolean(((EvaluationState *) user)->cancelled);
}

/* Has each (ALL) or any of the named jobs the result WANTED? */
static ExprValue *named_results(const EvaluationState *state, ExprValue *const *a, size_t count,
                                const char *wanted, bool all, GError **error)
{
    bool answer = all;
    for (size_t i = 0; i < count; i++) {
        g_autofree char *name = expr_to_text(a[i]);
        const ExprValue *result =
            state->results != NULL ? expr_object_get(state->results, name) : NULL;
        if (result == NULL || result->kind != EXPR_STRING) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                        "'%s' is no job that this one needs", name);
            return NULL;
        }
        bool has = g_str_equal(result->string, wanted);
        answer = all ? answer && has : answer || has;
    }
    return expr_boolean(answer);
}

static ExprValue *call_success(void *user, ExprValue *const *a, size_t count, GError **error)
{
    const EvaluationState *state = user;
    return count > 0 ? named_results(state, a, count, "success", true, error)
                     : expr_boolean(state->success);
}

static ExprValue *call_failure(void *user, ExprValue *const *a, size_t count, GError **error)
{
    const EvaluationState *state = user;
    return count > 0 ? named_results(state, a, count, "failure", false, error)
                     : expr_boolean(state->failure);
}

static ExprValue *call_hash_files(void *user, ExprValue *const *a, size_t count, GError **error)
{
    const EvaluationState *state = user;
    if (state->workspace == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "hashFiles: there is no workspace here");
        return NULL;
    }
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < count; i++)
        g_ptr_array_add(texts, expr_to_text(a[i]));
    char *hash =
        hash_files_call(state->workspace, (const char *const *) texts->pdata, count, error);
    return hash != NULL ? expr_string_take(hash) : NULL;
}

const ExprFunction evaluation_functions[] = {
    {"always", 0, 0, call_always},          {"cancelled", 0, 0, call_cancelled},
    {"failure", 0, 255, call_failure},      {"success", 0, 255, call_success},
    {"hashFiles", 1, 255, call_hash_files}, {0},
};

static const ExprNames any_names = {.functions = evaluation_functions};

static ExprValue *evaluate_scalar(const PipelineValue *value, const ExprScope *scope,
                                  GError **error)
{
    if (value->expression) {
        g_autoptr(Template) template = template_parse(value->text, &any_names, error);
        return template != NULL ? template_evaluate(template, scope, error) : NULL;
    }
    switch (value->kind) {
    case PIPELINE_NULL:
        return expr_null();
    case PIPELINE_BOOLEAN:
        return expr_boolean(value->boolean);
    case PIPELINE_NUMBER:
        return expr_number(value->number);
    default:
        return expr_string(value->text);
    }
}

static ExprValue *evaluate_any(const PipelineValue *value, const ExprScope *scope, GError **error)
{
    if (value->items == NULL) {
        ExprValue *result = evaluate_scalar(value, scope, error);
        if (result == NULL)
            g_prefix_error(error, "line %d, column %d: ", value->line, value->column);
        return result;
    }
    bool object = value->kind == PIPELINE_MAPPING;
    g_autoptr(ExprValue) result = object ? expr_object() : expr_array();
    for (guint i = 0; i < value->items->len; i++) {
        g_autoptr(ExprValue) item = evaluate_any(value->items->pdata[i], scope, error);
        if (item == NULL)
            return NULL;
        if (!object) {
            expr_array_add(result, g_steal_pointer(&item));
            continue;
        }
        g_autofree char *key = evaluate_text(value->keys->pdata[i], scope, error);
        if (key == NULL)
            return NULL;
        expr_object_set(result, key, g_steal_pointer(&item));
    }
    return g_steal_pointer(&result);
}

ExprValue *evaluate_value(const PipelineValue *value, const ExprScope *scope, GError **error)
{
    return value != NULL ? evaluate_any(value, scope, error) : expr_null();
}

char *evaluate_text(const PipelineValue *value, const ExprScope *scope, GError **error)
{
    if (value == NULL)
        return NULL;
    if (!value->expression && value->text != NULL)
        return g_strdup(value->kind == PIPELINE_NULL ? "" : value->text);
    g_autoptr(ExprValue) result = evaluate_any(value, scope, error);
    return result != NULL ? expr_to_text(result) : NULL;
}

bool evaluate_boolean(const PipelineValue *value, const ExprScope *scope, bool otherwise,
                      bool *result, GError **error)
{
    *result = otherwise;
    if (value == NULL)
        return true;
    g_autoptr(ExprValue) evaluated = evaluate_any(value, scope, error);
    if (evaluated == NULL)
        return false;
    if (evaluated->kind == EXPR_BOOLEAN) {
        *result = evaluated->boolean;
        return true;
    }
    g_autofree char *text = expr_to_text(evaluated);
    *result = g_str_equal(text, "true");
    if (*result || g_str_equal(text, "false"))
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "line %d, column %d: Unexpected value '%s', a boolean was expected", value->line,
                value->column, text);
    return false;
}

bool evaluate_number(const PipelineValue *value, const ExprScope *scope, double otherwise,
                     double *result, GError **error)
{
    *result = otherwise;
    if (value == NULL)
        return true;
    g_autoptr(ExprValue) evaluated = evaluate_any(value, scope, error);
    if (evaluated == NULL)
        return false;
    *result = expr_to_number(evaluated);
    if (!isnan(*result))
        return true;
    g_autofree char *text = expr_to_text(evaluated);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "line %d, column %d: Unexpected value '%s', a number was expected", value->line,
                value->column, text);
    return false;
}

/* The condition's template: its text as one expression where it has no braces. */
static Template *condition_template(const PipelineValue *value, GError **error)
{
    const char *text = value != NULL && value->text != NULL ? value->text : "";
    while (g_ascii_isspace(*text))
        text++;
    if (text[0] == '\0')
        return template_parse("${{ success() }}", &any_names, error);
    g_autofree char *trimmed = g_strchomp(g_strdup(text));
    if (value->expression)
        return template_parse(trimmed, &any_names, error);
    g_autofree char *braced = g_strdup_printf("${{ %s }}", trimmed);
    return template_parse(braced, &any_names, error);
}

static bool asks_status(const Template *template)
{
    for (guint i = 0; i < template->pieces->len; i++) {
        const TemplatePiece *piece = template->pieces->pdata[i];
        if (piece->expression != NULL &&
            expression_calls(piece->expression, workflow_status_functions))
            return true;
    }
    return false;
}

bool evaluate_condition(const PipelineValue *value, const ExprScope *scope, bool *result,
                        GError **error)
{
    *result = false;
    g_autoptr(Template) template = condition_template(value, error);
    if (template == NULL)
        return false;
    const EvaluationState *state = scope->user;
    if (!asks_status(template) && !state->success)
        return true;
    g_autoptr(ExprValue) evaluated = template_evaluate(template, scope, error);
    if (evaluated == NULL) {
        if (value != NULL)
            g_prefix_error(error, "line %d, column %d: ", value->line, value->column);
        return false;
    }
    *result = expr_is_truthy(evaluated);
    return true;
}

char *evaluate_condition_text(const PipelineValue *value)
{
    g_autoptr(Template) template = condition_template(value, NULL);
    if (template == NULL)
        return g_strdup(value->text);
    const TemplatePiece *first = template->pieces->pdata[0];
    if (template->pieces->len > 1 || first->expression == NULL)
        return g_strdup(value->text);
    if (asks_status(template))
        return g_strdup(first->text);
    return g_strdup_printf("success() && (%s)", first->text);
}
