#include "container/unit_spec.h"

#include "base/error.h"
#include "format/json.h"

#include <signal.h>
#include <string.h>

#define ID_LIMIT 128
#define STOP_GRACE_MS 10000
#define RESTART_LIMIT 5
#define LOG_SIZE (INT64_C(10) * 1024 * 1024)
#define LOG_FILES 3

bool unit_id_check(const char *id, GError **error)
{
    size_t length = id != NULL ? strlen(id) : 0;
    if (length > 0 && length <= ID_LIMIT && id[0] != '-' &&
        id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0')
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "unit '%s': a name is 1 to %d of a-z, 0-9 and '-'", id != NULL ? id : "", ID_LIMIT);
    return false;
}

/* Arguments and environments may hold any bytes; JSON text may not. */
static json_t *format_bytes(const char *bytes, size_t length)
{
    g_autofree char *text = g_base64_encode((const guchar *) bytes, length);
    return json_string(text);
}

static json_t *format_strings(const char *const *strings)
{
    json_t *array = json_array();
    for (size_t i = 0; strings != NULL && strings[i] != NULL; i++)
        json_array_append_new(array, format_bytes(strings[i], strlen(strings[i])));
    return array;
}

static json_t *format_mounts(const UnitSpec *spec)
{
    json_t *array = json_array();
    for (size_t i = 0; i < spec->mount_count; i++) {
        const SandboxMount *m = &spec->mounts[i];
        json_array_append_new(
            array,
            json_pack("{s:i, s:o, s:o, s:b, s:b, s:I, s:i, s:I, s:I}", "kind", (int) m->kind,
                      "source",
                      m->source != NULL ? format_bytes(m->source, strlen(m->source)) : json_null(),
                      "target", format_bytes(m->target, strlen(m->target)), "read_only",
                      m->read_only, "no_exec", m->no_exec, "size", (json_int_t) m->size, "mode",
                      (int) m->mode, "uid", (json_int_t) m->uid, "gid", (json_int_t) m->gid));
    }
    return array;
}

static json_t *format_secrets(json_t *secrets)
{
    json_t *object = json_object();
    const char *name;
    json_t *value;
    json_object_foreach(secrets, name, value) json_object_set_new(
        object, name, format_bytes(json_string_value(value), json_string_length(value)));
    return object;
}

json_t *unit_spec_format(const UnitSpec *spec)
{
    json_t *json = json_object();
    json_object_set_new(json, "id", json_string(spec->id));
    json_object_set(json, "labels", spec->labels);
    if (spec->labels == NULL)
        json_object_set_new(json, "labels", json_object());
    json_object_set_new(json, "image", json_string(spec->image != NULL ? spec->image : ""));
    json_object_set_new(json, "layers", format_strings(spec->layers));
    json_object_set_new(json, "argv", format_strings(spec->argv));
    json_object_set_new(json, "environment", format_strings(spec->environment));
    const char *folder = spec->folder != NULL ? spec->folder : "/";
    json_object_set_new(json, "folder", format_bytes(folder, strlen(folder)));
    json_object_set_new(json, "uid", json_integer(spec->uid));
    json_object_set_new(json, "gid", json_integer(spec->gid));
    json_object_set_new(json, "mounts", format_mounts(spec));
    json_object_set_new(json, "secrets", format_secrets(spec->secrets));
    json_object_set_new(json, "milli_cpus", json_integer((json_int_t) (spec->limits.cpus * 1000)));
    json_object_set_new(json, "memory", json_integer((json_int_t) spec->limits.memory));
    json_object_set_new(json, "pids", json_integer((json_int_t) spec->limits.pids));
    json_object_set_new(json, "network", json_integer(spec->network));
    json_object_set_new(json, "writable_root", json_boolean(spec->writable_root));
    json_object_set_new(json, "stop_signal",
                        json_integer(spec->stop_signal > 0 ? spec->stop_signal : SIGTERM));
    json_object_set_new(
        json, "stop_grace_ms",
        json_integer(spec->stop_grace_ms > 0 ? spec->stop_grace_ms : STOP_GRACE_MS));
    json_object_set_new(
        json, "restart_limit",
        json_integer(spec->restart_limit != 0 ? spec->restart_limit : RESTART_LIMIT));
    json_object_set_new(json, "log_size",
                        json_integer(spec->log_size > 0 ? spec->log_size : LOG_SIZE));
    json_object_set_new(json, "log_files",
                        json_integer(spec->log_files > 0 ? spec->log_files : LOG_FILES));
    return json;
}

json_t *unit_spec_without_secrets(const json_t *json)
{
    json_t *copy = json_copy((json_t *) json);
    json_object_del(copy, "environment");
    json_object_del(copy, "argv"); /* a password may stand there as well */
    json_t *names = json_array();
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(json, "secrets"), name, value)
        json_array_append_new(names, json_string(name));
    json_object_set_new(copy, "secrets", names);
    return copy;
}

/* The text of a base64 member, kept by COPY; NULL for null. */
static const char *read_bytes(UnitSpecCopy *copy, const json_t *value)
{
    const char *text = json_string_value(value);
    if (text == NULL)
        return NULL;
    gsize length = 0;
    guchar *bytes = g_base64_decode(text, &length);
    bytes = g_realloc(bytes, length + 1);
    bytes[length] = '\0';
    g_ptr_array_add(copy->owned, bytes);
    return (const char *) bytes;
}

static const char *const *read_strings(UnitSpecCopy *copy, const char *key)
{
    const json_t *array = json_object_get(copy->json, key);
    size_t count = json_array_size(array);
    const char **strings = g_new0(const char *, count + 1);
    g_ptr_array_add(copy->owned, strings);
    for (size_t i = 0; i < count; i++)
        strings[i] = read_bytes(copy, json_array_get(array, i));
    return strings;
}

static void read_mounts(UnitSpecCopy *copy)
{
    const json_t *array = json_object_get(copy->json, "mounts");
    copy->spec.mount_count = json_array_size(array);
    SandboxMount *mounts = g_new0(SandboxMount, copy->spec.mount_count + 1);
    g_ptr_array_add(copy->owned, mounts);
    for (size_t i = 0; i < copy->spec.mount_count; i++) {
        const json_t *m = json_array_get(array, i);
        mounts[i] = (SandboxMount){
            .kind = (SandboxMountKind) json_get_integer(m, "kind", 0),
            .source = read_bytes(copy, json_object_get(m, "source")),
            .target = read_bytes(copy, json_object_get(m, "target")),
            .read_only = json_get_boolean(m, "read_only", false),
            .no_exec = json_get_boolean(m, "no_exec", false),
            .size = (uint64_t) json_get_integer(m, "size", 0),
            .mode = (mode_t) json_get_integer(m, "mode", 0),
            .uid = (uid_t) json_get_integer(m, "uid", 0),
            .gid = (gid_t) json_get_integer(m, "gid", 0),
        };
    }
    copy->spec.mounts = mounts;
}

UnitSpecCopy *unit_spec_parse(json_t *json, GError **error)
{
    g_autoptr(UnitSpecCopy) copy = g_new0(UnitSpecCopy, 1);
    copy->json = json;
    copy->owned = g_ptr_array_new_with_free_func(g_free);
    if (!unit_id_check(json_get_string(json, "id"), error))
        return NULL;
    copy->spec = (UnitSpec){
        .id = json_get_string(json, "id"),
        .labels = json_object_get(json, "labels"),
        .image = json_get_string(json, "image"),
        .layers = read_strings(copy, "layers"),
        .argv = read_strings(copy, "argv"),
        .environment = read_strings(copy, "environment"),
        .folder = read_bytes(copy, json_object_get(json, "folder")),
        .uid = (uid_t) json_get_integer(json, "uid", 0),
        .gid = (gid_t) json_get_integer(json, "gid", 0),
        .secrets = json_object_get(json, "secrets"),
        .limits = {.cpus = (double) json_get_integer(json, "milli_cpus", 0) / 1000,
                   .memory = (uint64_t) json_get_integer(json, "memory", 0),
                   .pids = (uint64_t) json_get_integer(json, "pids", 0)},
        .network = (SandboxNetwork) json_get_integer(json, "network", 0),
        .writable_root = json_get_boolean(json, "writable_root", false),
        .stop_signal = (int) json_get_integer(json, "stop_signal", SIGTERM),
        .stop_grace_ms = (int) json_get_integer(json, "stop_grace_ms", STOP_GRACE_MS),
        .restart_limit = (int) json_get_integer(json, "restart_limit", RESTART_LIMIT),
        .log_size = json_get_integer(json, "log_size", LOG_SIZE),
        .log_files = (int) json_get_integer(json, "log_files", LOG_FILES),
    };
    read_mounts(copy);
    if (copy->spec.argv[0] == NULL || copy->spec.layers[0] == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "unit '%s': no command or no layers", copy->spec.id);
        return NULL;
    }
    return g_steal_pointer(&copy);
}

char *unit_spec_secret(const UnitSpecCopy *copy, const char *name, size_t *length)
{
    gsize size = 0;
    guchar *bytes = g_base64_decode(json_get_string(copy->spec.secrets, name), &size);
    *length = size;
    return (char *) bytes;
}

void unit_spec_copy_free(UnitSpecCopy *copy)
{
    if (copy == NULL)
        return;
    json_decref(copy->json);
    g_ptr_array_unref(copy->owned);
    g_free(copy);
}
