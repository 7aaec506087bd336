/* settings.h - slipway.yml → the normal form of model/project.h, every default filled in.
 *
 * Reads no file itself. All mistakes are reported at once, one a line: "slipway.yml:3:7: text". */
#pragma once

#include <glib.h>
#include <jansson.h>

typedef struct {
    const char *file;         /* name for messages: "slipway.yml" */
    const char *default_name; /* project name where the file has none: the folder's */
    const char *const *test;  /* test commands found by the project's kind; may be empty */
} SettingsDefaults;

/* TEXT NULL: there is no file, all is default. NULL with INVALID and every mistake. */
json_t *settings_parse(const char *text, size_t length, const SettingsDefaults *defaults,
                       GError **error);
