#include "pipeline/workflow_command.h"

#include <string.h>

static const char *const known[] = {
    "add-mask", "add-matcher", "add-path",      "debug",      "echo",           "endgroup",
    "error",    "group",       "notice",        "save-state", "set-env",        "set-output",
    "warning",  "command",     "stop-commands", "section",    "remove-matcher", NULL,
};

/* Undoes %XX escapes; "%25" last, so that "%250A" stays "%0A". */
static char *unescape(const char *text, size_t length, const char *const (*pairs)[2])
{
    GString *out = g_string_new_len(text, (gssize) length);
    for (; (*pairs)[0] != NULL; pairs++)
        g_string_replace(out, (*pairs)[0], (*pairs)[1], 0);
    return g_string_free(out, FALSE);
}

static const char *const data_escapes[][2] = {
    {"%0D", "\r"}, {"%0A", "\n"}, {"%25", "%"}, {NULL, NULL}};
static const char *const property_escapes[][2] = {{"%0D", "\r"}, {"%0A", "\n"}, {"%3A", ":"},
                                                  {"%2C", ","},  {"%25", "%"},  {NULL, NULL}};
static const char *const old_escapes[][2] = {{"%0D", "\r"}, {"%0A", "\n"}, {"%3B", ";"},
                                             {"%5D", "]"},  {"%25", "%"},  {NULL, NULL}};

/* "name k=v,k=v" between FROM and TO. */
static bool parse_head(const char *from, const char *to, char separator, bool old,
                       WorkflowCommand *command)
{
    size_t length = strcspn(from, " ");
    if (from + length > to)
        length = (size_t) (to - from);
    g_autofree char *exact = g_strndup(from, length);
    command->name = g_ascii_strdown(exact, -1);
    if (!g_strv_contains(known, command->name)) {
        g_clear_pointer(&command->name, g_free);
        return false;
    }
    command->properties = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autofree char *rest = g_strndup(from + length, (gsize) (to - from) - length);
    const char between[] = {separator, '\0'};
    g_auto(GStrv) list = g_strsplit(g_strstrip(rest), between, -1);
    for (char **entry = list; *entry != NULL; entry++) {
        char *equals = strchr(*entry, '=');
        if (equals == NULL || equals[1] == '\0')
            continue;
        *equals = '\0';
        g_hash_table_insert(
            command->properties, g_ascii_strdown(g_strstrip(*entry), -1),
            unescape(equals + 1, strlen(equals + 1), old ? old_escapes : property_escapes));
    }
    return true;
}

bool workflow_command_parse(const char *line, WorkflowCommand *command)
{
    *command = (WorkflowCommand){0};
    const char *start = line + strspn(line, " \t");
    if (g_str_has_prefix(start, "::")) {
        const char *end = strstr(start + 2, "::");
        if (end == NULL || !parse_head(start + 2, end, ',', false, command))
            return false;
        command->data = unescape(end + 2, strlen(end + 2), data_escapes);
        return true;
    }
    const char *old = strstr(line, "##[");
    const char *end = old != NULL ? strchr(old, ']') : NULL;
    if (end == NULL || !parse_head(old + 3, end, ';', true, command))
        return false;
    command->data = unescape(end + 1, strlen(end + 1), old_escapes);
    return true;
}

const char *workflow_command_property(const WorkflowCommand *command, const char *name)
{
    return g_hash_table_lookup(command->properties, name);
}

void workflow_command_clear(WorkflowCommand *command)
{
    g_clear_pointer(&command->name, g_free);
    g_clear_pointer(&command->properties, g_hash_table_unref);
    g_clear_pointer(&command->data, g_free);
}
