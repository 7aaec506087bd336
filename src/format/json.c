#include "format/json.h"

#include "base/error.h"

#include <string.h>

json_t *json_parse(const char *name, const char *text, size_t length, GError **error)
{
    json_error_t trouble;
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &trouble);
    if (value == NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s:%d:%d: %s", name,
                    MAX(trouble.line, 1), MAX(trouble.column, 1), trouble.text);
    return value;
}

/* A real has no single spelling, so nothing that is hashed may hold one. */
static bool has_real(const json_t *value)
{
    const char *key;
    json_t *item;
    size_t index;
    switch (json_typeof(value)) {
    case JSON_REAL:
        return true;
    case JSON_ARRAY:
        json_array_foreach(value, index, item) if (has_real(item)) return true;
        return false;
    case JSON_OBJECT:
        json_object_foreach((json_t *) value, key, item) if (has_real(item)) return true;
        return false;
    default:
        return false;
    }
}

static char *dump(const json_t *value, size_t flags)
{
    char *text = json_dumps(value, flags | JSON_COMPACT | JSON_ENCODE_ANY);
    g_assert(text != NULL); /* values come from jansson, so they are valid UTF-8 and no circles */
    return text;
}

char *json_canonical(const json_t *value, GError **error)
{
    if (has_real(value)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INTERNAL,
                    "canonical JSON holds integers only, not real numbers");
        return NULL;
    }
    return dump(value, JSON_SORT_KEYS);
}

char *json_compact(const json_t *value)
{
    return dump(value, JSON_REAL_PRECISION(17));
}

const char *json_get_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

gint64 json_get_integer(const json_t *object, const char *key, gint64 otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool json_get_boolean(const json_t *object, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}
