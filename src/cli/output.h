/* output.h - the results of commands that print text or JSON: --format, and the JSON on stdout. */
#pragma once

#include "format/json.h"

#include <glib.h>
#include <stdbool.h>

/* The row of --format in a command's options; TEXT is the `char *` it goes to. */
#define OUTPUT_FORMAT_ROW(text)                                                                    \
    {                                                                                              \
        "format", 0, 0, G_OPTION_ARG_STRING, &(text), "text (default) or json", "text|json"        \
    }

/* Whether TEXT asks for JSON (NULL is text); false with a usage error for any other word. */
bool output_parse_format(const char *text, bool *json, GError **error);

/* VALUE over several lines, for people and `jq` alike. */
void output_json(const json_t *value);

/* VALUE as one line, for those that read line by line. */
void output_json_line(const json_t *value);
