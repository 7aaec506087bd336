#include "cli/output.h"

#include "cli/command.h"

#include <stdio.h>

bool output_parse_format(const char *text, bool *json, GError **error)
{
    *json = g_strcmp0(text, "json") == 0;
    if (*json || text == NULL || g_str_equal(text, "text"))
        return true;
    command_usage_error(error, "--format is text or json, not '%s'", text);
    return false;
}

void output_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
}

void output_json_line(const json_t *value)
{
    g_autofree char *text = json_compact(value);
    puts(text);
}
