/* json.h - strict JSON from outside, and canonical JSON for what is hashed or signed. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* Parses LENGTH bytes; NAME is for messages ("NAME:line:column: …"). Duplicate keys are refused. */
json_t *json_parse(const char *name, const char *text, size_t length, GError **error);

/* Sorted keys, no blanks, UTF-8 as it is; only integers (INTERNAL for reals). */
char *json_canonical(const json_t *value, GError **error);

/* Compact, keys in the order they were set. */
char *json_compact(const json_t *value);

/* The string at KEY; NULL when there is none or it is no string. Borrowed. */
const char *json_get_string(const json_t *object, const char *key);
gint64 json_get_integer(const json_t *object, const char *key, gint64 otherwise);
bool json_get_boolean(const json_t *object, const char *key, bool otherwise);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)
