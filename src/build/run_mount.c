#include "build/run_mount.h"

#include "base/error.h"

#include <string.h>

void run_mount_free(RunMount *mount)
{
    if (mount == NULL)
        return;
    g_free(mount->id);
    g_free(mount->from);
    g_free(mount->source);
    g_free(mount->target);
    g_free(mount->variable);
    g_free(mount->sharing);
    g_free(mount);
}

static bool invalid(GError **error, const char *format, const char *what)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "--mount: %s '%s'", format, what);
    return false;
}

/* TEXT's comma-separated fields; a field in double quotes may hold commas. */
static GPtrArray *split_fields(const char *text)
{
    GPtrArray *fields = g_ptr_array_new_with_free_func(g_free);
    GString *field = g_string_new(NULL);
    bool quoted = false;
    for (;; text++) {
        if (*text == '"') {
            if (quoted && text[1] == '"')
                g_string_append_c(field, *text++);
            else
                quoted = !quoted;
        } else if (*text == '\0' || (*text == ',' && !quoted)) {
            g_ptr_array_add(fields, g_strdup(field->str));
            g_string_truncate(field, 0);
            if (*text == '\0')
                break;
        } else {
            g_string_append_c(field, *text);
        }
    }
    g_string_free(field, TRUE);
    return fields;
}

static bool set_boolean(bool *place, bool sense, const char *key, const char *value, GError **error)
{
    bool yes = value == NULL || g_ascii_strcasecmp(value, "true") == 0 || g_str_equal(value, "1");
    bool no = value != NULL && (g_ascii_strcasecmp(value, "false") == 0 || g_str_equal(value, "0"));
    if (!yes && !no)
        return invalid(error, "expected true or false for", key);
    *place = yes == sense;
    return true;
}

static bool set_number(guint64 *place, guint base, const char *key, const char *value,
                       GError **error)
{
    char *end;
    *place = g_ascii_strtoull(value, &end, base);
    if (!g_ascii_isdigit(*value) || *end != '\0' || *place > UINT32_MAX)
        return invalid(error, "expected a number for", key);
    return true;
}

static bool set_size(uint64_t *place, const char *value, GError **error)
{
    static const char units[] = "bkmgt";
    char *end;
    guint64 number = g_ascii_strtoull(value, &end, 10);
    const char *unit = *end != '\0' ? strchr(units, g_ascii_tolower(*end)) : units;
    if (!g_ascii_isdigit(*value) || unit == NULL || number > (UINT64_C(1) << 40))
        return invalid(error, "expected a size like 64m, not", value);
    *place = number << (10 * (unit - units));
    return true;
}

static bool set_kind(RunMount *mount, const char *value, GError **error)
{
    static const char *const kinds[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_equal(kinds[i], value)) {
            mount->kind = (RunMountKind) i;
            return true;
        }
    return invalid(error, "expected type bind, cache, tmpfs, secret or ssh, not", value);
}

static char **text_place(RunMount *mount, const char *key)
{
    static const struct {
        const char *key;
        size_t offset;
    } places[] = {
        {"id", offsetof(RunMount, id)},
        {"from", offsetof(RunMount, from)},
        {"source", offsetof(RunMount, source)},
        {"src", offsetof(RunMount, source)},
        {"target", offsetof(RunMount, target)},
        {"dst", offsetof(RunMount, target)},
        {"destination", offsetof(RunMount, target)},
        {"env", offsetof(RunMount, variable)},
        {"sharing", offsetof(RunMount, sharing)},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
        if (g_str_equal(places[i].key, key))
            return (char **) (void *) ((char *) mount + places[i].offset);
    return NULL;
}

static bool set_field(RunMount *mount, const char *key, const char *value, GError **error)
{
    guint64 number;
    if (g_str_equal(key, "type"))
        return true;
    if (g_str_equal(key, "ro") || g_str_equal(key, "readonly"))
        return set_boolean(&mount->read_only, true, key, value, error);
    if (g_str_equal(key, "rw") || g_str_equal(key, "readwrite"))
        return set_boolean(&mount->read_only, false, key, value, error);
    if (g_str_equal(key, "required"))
        return set_boolean(&mount->required, true, key, value, error);
    if (value == NULL)
        return invalid(error, "expected a value for", key);
    char **place = text_place(mount, key);
    if (place != NULL) {
        g_free(*place);
        *place = g_strdup(value);
        return true;
    }
    if (g_str_equal(key, "size"))
        return set_size(&mount->size, value, error);
    bool mode = g_str_equal(key, "mode");
    if (!mode && !g_str_equal(key, "uid") && !g_str_equal(key, "gid"))
        return invalid(error, "unknown key", key);
    if (!set_number(&number, mode ? 8 : 10, key, value, error))
        return false;
    mount->mode_set = mount->mode_set || mode;
    *(mode ? &mount->mode : g_str_equal(key, "uid") ? &mount->uid : &mount->gid) = (mode_t) number;
    return true;
}

static bool check(const RunMount *mount, GError **error)
{
    static const char *const sharings[] = {"shared", "private", "locked", NULL};
    bool secret = mount->kind == RUN_MOUNT_SECRET;
    if (mount->sharing != NULL &&
        (mount->kind != RUN_MOUNT_CACHE || !g_strv_contains(sharings, mount->sharing)))
        return invalid(error, "sharing is shared, private or locked, of a cache, not",
                       mount->sharing);
    if (secret && mount->from != NULL)
        return invalid(error, "a secret has no from:", mount->from);
    if (secret && mount->id == NULL && mount->source == NULL && mount->target == NULL)
        return invalid(error, "a secret needs", "id");
    bool needs_target = mount->kind <= RUN_MOUNT_TMPFS;
    if (needs_target && (mount->target == NULL || g_str_equal(mount->target, "/")))
        return invalid(error, "expected a target other than", mount->target ? "/" : "nothing");
    if (mount->from != NULL && strchr(mount->from, '$') != NULL)
        return invalid(error, "from is not expanded, define alias stage instead of", mount->from);
    return true;
}

RunMount *run_mount_parse(const char *text, const ExpandScope *scope, GError **error)
{
    g_autoptr(RunMount) mount = g_new0(RunMount, 1);
    g_autoptr(GPtrArray) fields = split_fields(text);
    for (guint i = 0; i < fields->len; i++)
        if (g_ascii_strncasecmp(fields->pdata[i], "type=", 5) == 0 &&
            !set_kind(mount, (char *) fields->pdata[i] + 5, error))
            return NULL;
    mount->read_only = mount->kind == RUN_MOUNT_BIND;
    for (guint i = 0; i < fields->len; i++) {
        const char *field = fields->pdata[i], *equals = strchr(field, '=');
        g_autofree char *key =
            g_ascii_strdown(field, equals != NULL ? equals - field : (gssize) strlen(field));
        g_autofree char *value = NULL;
        if (equals != NULL && g_str_equal(key, "from"))
            value = g_strdup(equals + 1);
        else if (equals != NULL && (value = expand_word(scope, equals + 1, error)) == NULL)
            return NULL;
        if (!set_field(mount, key, value, error))
            return NULL;
    }
    return check(mount, error) ? g_steal_pointer(&mount) : NULL;
}
