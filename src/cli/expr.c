/* expr.c - slipway expr: evaluates workflow expressions. */
#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "expr/expression.h"
#include "expr/hash_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_LIMIT (16 * 1024 * 1024)

/* The functions a workflow has beyond the well-known ones, answered from the contexts given:
 * job.status (success when there is none) and github.workspace. */
static const char *job_status(void *user)
{
    ExprValue *status = expr_object_get(expr_object_get(user, "job"), "status");
    return status != NULL && status->kind == EXPR_STRING ? status->string : "success";
}

static ExprValue *call_always(void *user, ExprValue *const *a, size_t n, GError **error)
{
    return expr_boolean(true);
}

static ExprValue *call_success(void *user, ExprValue *const *a, size_t n, GError **error)
{
    return expr_boolean(g_str_equal(job_status(user), "success"));
}

static ExprValue *call_failure(void *user, ExprValue *const *a, size_t n, GError **error)
{
    return expr_boolean(g_str_equal(job_status(user), "failure"));
}

static ExprValue *call_cancelled(void *user, ExprValue *const *a, size_t n, GError **error)
{
    return expr_boolean(g_str_equal(job_status(user), "cancelled"));
}

static ExprValue *call_hash_files(void *user, ExprValue *const *a, size_t n, GError **error)
{
    ExprValue *workspace = expr_object_get(expr_object_get(user, "github"), "workspace");
    const char *folder =
        workspace != NULL && workspace->kind == EXPR_STRING ? workspace->string : ".";
    g_autofree char *absolute = realpath(folder, NULL);
    if (absolute == NULL) {
        error_set_errno(error, errno, "open workspace", folder);
        return NULL;
    }
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < n; i++)
        g_ptr_array_add(texts, expr_to_text(a[i]));
    char *hash = hash_files_call(absolute, (const char *const *) texts->pdata, n, error);
    return hash != NULL ? expr_string_take(hash) : NULL;
}

static const ExprFunction functions[] = {
    {"always", 0, 0, call_always},           {"success", 0, G_MAXUINT, call_success},
    {"failure", 0, G_MAXUINT, call_failure}, {"cancelled", 0, 0, call_cancelled},
    {"hashFiles", 1, 255, call_hash_files},  {0},
};

/* The value of TEXT with CONTEXTS (an object; its keys are the known names). */
static ExprValue *run_expression(const char *text, const json_t *contexts, GError **error)
{
    g_autoptr(ExprValue) values =
        json_is_object(contexts) ? expr_from_json(contexts) : expr_object();
    g_autoptr(GPtrArray) known = g_ptr_array_new();
    for (guint i = 0; i < values->keys->len; i++)
        g_ptr_array_add(known, values->keys->pdata[i]);
    g_ptr_array_add(known, NULL);
    ExprNames names = {(const char *const *) known->pdata, functions};
    ExprScope scope = {values, functions, values};
    return expression_run(text, &names, &scope, error);
}

static json_t *answer_case(const char *line, size_t length)
{
    static const char *const kinds[] = {"null", "boolean", "number", "string", "array", "object"};
    g_autoptr(GError) error = NULL;
    json_error_t where;
    json_t *request = json_loadb(line, length, 0, &where);
    const char *text = json_string_value(json_object_get(request, "expr"));
    if (text == NULL) {
        json_t *answer = json_pack("{s:s}", "error",
                                   request == NULL ? where.text : "a string 'expr' is required");
        json_decref(request);
        return answer;
    }
    g_autoptr(ExprValue) value = run_expression(text, json_object_get(request, "contexts"), &error);
    json_decref(request);
    if (value == NULL)
        return json_pack("{s:s}", "error", error->message);
    return json_pack("{s:s, s:o}", "kind", kinds[value->kind], "value", expr_to_json(value));
}

static int run_batch(GError **error)
{
    char *buffer = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&buffer, &room, stdin)) >= 0) {
        if (length > LINE_LIMIT) {
            free(buffer);
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                        "a line is longer than %d bytes", LINE_LIMIT);
            return EXIT_STATUS_NO;
        }
        while (length > 0 && (buffer[length - 1] == '\n' || buffer[length - 1] == '\r'))
            length--;
        if (length == 0)
            continue;
        g_autoptr(json_t) answer = answer_case(buffer, (size_t) length);
        output_json_line(answer);
    }
    free(buffer);
    return EXIT_STATUS_DONE;
}

static json_t *read_contexts(const char *path, GError **error)
{
    size_t length;
    g_autofree char *text = file_read(AT_FDCWD, path, LINE_LIMIT, &length, error);
    if (text == NULL)
        return NULL;
    json_error_t where;
    json_t *contexts = json_loadb(text, length, 0, &where);
    if (json_is_object(contexts))
        return contexts;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s:%d:%d: %s", path,
                contexts == NULL ? where.line : 1, contexts == NULL ? where.column : 1,
                contexts == NULL ? where.text : "an object of contexts was expected");
    json_decref(contexts);
    return NULL;
}

static int run(int argc, char **argv, GError **error)
{
    g_autofree char *contexts_file = NULL;
    gboolean batch = FALSE;
    const GOptionEntry entries[] = {
        {"contexts", 0, 0, G_OPTION_ARG_FILENAME, &contexts_file,
         "a JSON object: context name to value", "FILE"},
        {"batch", 0, 0, G_OPTION_ARG_NONE, &batch,
         "read {\"expr\", \"contexts\"} a line, write {\"kind\", \"value\"} or {\"error\"} a line",
         NULL},
        {0},
    };
    if (!command_parse(&command_expr, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (batch && argc == 1)
        return run_batch(error);
    if (batch || argc != 2)
        return command_usage_error(error, "expected one expression, or --batch");
    json_t *contexts = NULL;
    if (contexts_file != NULL && (contexts = read_contexts(contexts_file, error)) == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(ExprValue) value = run_expression(argv[1], contexts, error);
    json_decref(contexts);
    if (value == NULL)
        return EXIT_STATUS_NO;
    g_autofree char *text = expr_to_json_text(value);
    puts(text);
    return EXIT_STATUS_DONE;
}

const Command command_expr = {
    .name = "expr",
    .group = "plumbing",
    .operands = "[EXPRESSION]",
    .summary = "evaluate a workflow expression",
    .run = run,
};
