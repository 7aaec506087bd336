/* build.c - one build: reads what it needs, finds the target, builds it, names the image. */
#include "build/build.h"
#include "build/build_private.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/file.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "oci/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SECRET_LIMIT ((size_t) 1024 * 1024)
#define IGNORE_LIMIT ((size_t) 4 * 1024 * 1024)

static void wipe(void *text)
{
    explicit_bzero(text, strlen(text));
    g_free(text);
}

static void build_clear(Build *build)
{
    if (build->scratch != NULL)
        file_remove_tree(AT_FDCWD, build->scratch, NULL);
    g_free(build->scratch);
    g_clear_pointer(&build->stages, g_ptr_array_unref);
    dockerfile_free(build->file);
    g_free(build->context);
    root_tree_free(build->context_tree);
    ignore_file_free(build->ignore);
    file_index_free(build->index);
    variables_free(build->given);
    variables_free(build->globals);
    g_clear_pointer(&build->used, g_hash_table_unref);
    g_clear_pointer(&build->secrets, g_ptr_array_unref);
    g_clear_pointer(&build->secret_values, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Build, build_clear)

static bool read_dockerfile(Build *build, GError **error)
{
    const BuildSpec *spec = build->spec;
    g_autofree char *path = spec->dockerfile != NULL
                                ? g_strdup(spec->dockerfile)
                                : g_build_filename(build->context, "Dockerfile", NULL);
    size_t length;
    g_autofree char *text = file_read(AT_FDCWD, path, DOCKERFILE_LIMIT, &length, error);
    if (text == NULL) {
        g_prefix_error(error, "no Dockerfile (name another with -f): ");
        return false;
    }
    g_autofree char *name = g_path_get_basename(path);
    build->file = dockerfile_parse(name, text, length, error);
    return build->file != NULL && dockerfile_check(build->file, error);
}

/* <Dockerfile>.dockerignore beside the Dockerfile, else .dockerignore of the context. */
static bool read_ignore_file(Build *build, GError **error)
{
    const char *file = build->spec->dockerfile;
    g_autofree char *beside =
        file != NULL ? g_strconcat(file, ".dockerignore", NULL)
                     : g_build_filename(build->context, "Dockerfile.dockerignore", NULL);
    g_autofree char *plain = g_build_filename(build->context, ".dockerignore", NULL);
    g_autofree char *container = g_build_filename(build->context, ".containerignore", NULL);
    const char *const paths[] = {beside, plain, container};
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        if (!g_file_test(paths[i], G_FILE_TEST_EXISTS))
            continue;
        g_autofree char *text = file_read(AT_FDCWD, paths[i], IGNORE_LIMIT, NULL, error);
        g_autofree char *name = g_path_get_basename(paths[i]);
        build->ignore = text != NULL ? ignore_file_parse(name, text, error) : NULL;
        return build->ignore != NULL;
    }
    return true;
}

static bool open_context(Build *build, GError **error)
{
    char *absolute = realpath(build->spec->context, NULL);
    if (absolute == NULL)
        return error_set_errno(error, errno, "open context", build->spec->context);
    build->context = g_strdup(absolute);
    free(absolute);
    if (!g_file_test(build->context, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "context '%s' is no folder, expected one", build->spec->context);
        return false;
    }
    return true;
}

/* What killed builds left in FOLDER under one of our names, older than a day, goes. */
static void sweep(const char *folder, int64_t now)
{
    static const char *const prefixes[] = {"step-", "build-", "slipway-secret-"};
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat st;
        bool ours = false;
        for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
            ours = ours || g_str_has_prefix(name, prefixes[i]);
        if (ours && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
            st.st_mtime < now - 24 * 3600)
            file_remove_tree(AT_FDCWD, path, NULL);
    }
    if (dir != NULL)
        g_dir_close(dir);
}

static bool open_folders(Build *build, GError **error)
{
    g_autofree char *parent = state_folder(build->state, error, "cache", "build", NULL);
    g_autofree char *indexes = state_folder(build->state, error, "cache", "build", "index", NULL);
    if (parent == NULL || indexes == NULL)
        return false;
    g_autofree char *name = hash_hex(HASH_SHA256, build->context, strlen(build->context));
    g_autofree char *path = g_build_filename(indexes, name, NULL);
    sweep(parent, build->now);
    sweep("/dev/shm", build->now);
    build->index = file_index_open(path);
    build->context_tree = root_tree_of_folder(build->context, build->ignore);
    build->scratch = file_make_temporary_folder(parent, "build", error);
    return build->scratch != NULL;
}

static char *read_secret(const BuildSecret *secret, GError **error)
{
    if (secret->value != NULL)
        return g_strdup(secret->value);
    if (secret->path != NULL)
        return file_read(AT_FDCWD, secret->path, SECRET_LIMIT, NULL, error);
    const char *value = g_getenv(secret->variable != NULL ? secret->variable : secret->id);
    if (value == NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "secret %s: the environment has no variable %s", secret->id,
                    secret->variable != NULL ? secret->variable : secret->id);
    return g_strdup(value);
}

static bool read_secrets(Build *build, GError **error)
{
    build->secrets = g_ptr_array_new_with_free_func(wipe);
    build->secret_values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, wipe);
    for (size_t i = 0; i < build->spec->secret_count; i++) {
        char *value = read_secret(&build->spec->secrets[i], error);
        if (value == NULL)
            return false;
        g_hash_table_replace(build->secret_values, g_strdup(build->spec->secrets[i].id), value);
    }
    GHashTableIter each;
    gpointer id, value;
    g_hash_table_iter_init(&each, build->secret_values);
    while (g_hash_table_iter_next(&each, &id, &value)) {
        /* Each line by itself: steps print lines. */
        g_auto(GStrv) lines = g_strsplit(value, "\n", -1);
        for (char **line = lines; *line != NULL; line++)
            if (**line != '\0')
                g_ptr_array_add(build->secrets, g_strdup(*line));
    }
    return true;
}

static void read_arguments(Build *build)
{
    build->given = variables_new();
    build->used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (size_t i = 0; i < build->spec->arg_count; i++) {
        const BuildArgument *arg = &build->spec->args[i];
        const char *value = arg->value != NULL ? arg->value : g_getenv(arg->name);
        if (value != NULL)
            variables_set(build->given, arg->name, value);
    }
}

/* The architecture as images name it. */
static const char *architecture(void)
{
    static const char *const names[][2] = {
        {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm"}, {"i686", "386"}};
    static struct utsname name;
    uname(&name);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_equal(names[i][0], name.machine))
            return names[i][1];
    return name.machine;
}

static bool set_automatic(Build *build, GError **error)
{
    const char *const prefixes[] = {"TARGET", "BUILD"};
    g_autofree char *native = g_strconcat("linux/", architecture(), NULL);
    const char *wanted = build->spec->platform;
    if (wanted != NULL && !g_str_equal(wanted, native)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "platform %s cannot be built on this machine, expected %s", wanted, native);
        return false;
    }
    build->globals = variables_new();
    for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        const char *const parts[][2] = {{"PLATFORM", native},
                                        {"OS", "linux"},
                                        {"ARCH", architecture()},
                                        {"VARIANT", ""},
                                        {"OSVERSION", ""}};
        for (size_t p = 0; p < G_N_ELEMENTS(parts); p++) {
            g_autofree char *name = g_strconcat(prefixes[i], parts[p][0], NULL);
            variables_set(build->globals, name, parts[p][1]);
        }
    }
    variables_set(build->globals, "TARGETSTAGE",
                  build->spec->target != NULL ? build->spec->target : "default");
    return true;
}

static const char *lookup_global(void *data, const char *name)
{
    return variables_get(data, name);
}

/* ARG before the first FROM. */
static bool add_global_arg(Build *build, const Instruction *in, GError **error)
{
    ExpandScope scope = {build->file->escape, lookup_global, build->globals};
    for (char **word = in->args; *word != NULL; word++) {
        const char *equals = strchr(*word, '=');
        g_autofree char *name = g_strndup(*word, equals ? (gsize) (equals - *word) : strlen(*word));
        const char *given = variables_get(build->given, name);
        g_autofree char *value = NULL;
        if (given == NULL && equals != NULL &&
            (value = expand_word(&scope, equals + 1, error)) == NULL) {
            g_prefix_error(error, "%s:%d: ", build->file->name, in->line);
            return false;
        }
        g_hash_table_add(build->used, g_strdup(name));
        if (given != NULL || value != NULL)
            variables_set(build->globals, name, given != NULL ? given : value);
    }
    return true;
}

static bool is_stage_name(const char *name)
{
    return g_ascii_islower(*name) &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0';
}

static bool add_stage(Build *build, const Instruction *in, GError **error)
{
    Stage *stage = g_new0(Stage, 1);
    stage->build = build;
    stage->index = build->stages->len;
    stage->from = in;
    stage->instructions = g_ptr_array_new();
    g_ptr_array_add(build->stages, stage);
    if (in->args[1] == NULL)
        return true;
    stage->name = g_ascii_strdown(in->args[2], -1);
    if (is_stage_name(stage->name))
        return true;
    const char *at = g_strrstr(in->original, in->args[2]);
    return instruction_error(build->file, in, (size_t) (at - in->original), error,
                             "invalid name for build stage: \"%s\", name can't start with a number "
                             "or contain symbols",
                             in->args[2]);
}

static bool find_stages(Build *build, GError **error)
{
    build->stages = g_ptr_array_new_with_free_func((GDestroyNotify) stage_free);
    for (guint i = 0; i < build->file->instructions->len; i++) {
        const Instruction *in = build->file->instructions->pdata[i];
        if (g_str_equal(in->keyword, "FROM")) {
            if (!add_stage(build, in, error))
                return false;
        } else if (build->stages->len == 0) {
            if (!add_global_arg(build, in, error))
                return false;
        } else {
            Stage *stage = build->stages->pdata[build->stages->len - 1];
            g_ptr_array_add(stage->instructions, (gpointer) in);
        }
    }
    return true;
}

static Stage *find_target(Build *build, GError **error)
{
    const char *target = build->spec->target;
    if (target == NULL || *target == '\0')
        return build->stages->pdata[build->stages->len - 1];
    Stage *stage = stage_find(build, target, G_MAXUINT);
    if (stage == NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "%s: target stage \"%s\" could not be found", build->file->name, target);
    return stage;
}

static void warn_unused(Build *build)
{
    for (guint i = 0; i < build->given->names->len; i++) {
        const char *name = build->given->names->pdata[i];
        if (g_hash_table_contains(build->used, name) || variable_is_predefined(name) ||
            g_str_has_prefix(name, "BUILDKIT_") || g_str_equal(name, "SOURCE_DATE_EPOCH"))
            continue;
        g_autofree char *text =
            g_strdup_printf("build argument %s was not consumed: no ARG names it", name);
        event_emit(build->spec->events, "build.warning",
                   json_pack("{s:i, s:s}", "line", 0, "text", text));
    }
}

static bool finish_image(Build *build, Stage *stage, GError **error)
{
    json_t *section = config_section(stage);
    for (size_t i = 0; i < build->spec->label_count; i++) {
        if (!json_is_object(json_object_get(section, "Labels")))
            json_object_set_new(section, "Labels", json_object());
        json_object_set_new(json_object_get(section, "Labels"), build->spec->labels[i].name,
                            json_string_nocheck(build->spec->labels[i].value));
    }
    int64_t epoch = build->spec->source_date_epoch;
    g_autofree char *created =
        epoch >= 0 ? clock_format_seconds(epoch) : g_strdup(stage->last_created);
    json_object_set_new(stage->image->config, "created", json_string(created));
    if (json_array_size(json_object_get(section, "Env")) == 0)
        json_object_del(section, "Env");
    return image_store(build->store, stage->image, error);
}

static bool tag_image(Build *build, const Image *image, GError **error)
{
    for (const char *const *tag = build->spec->tags; tag != NULL && *tag != NULL; tag++)
        if (!image_tag(build->store, *tag, image->manifest_digest, error))
            return false;
    return true;
}

static Image *build_target(Build *build, GError **error)
{
    Stage *target = find_target(build, error);
    if (target == NULL)
        return NULL;
    bool ok = stage_build(target, error);
    /* What was hashed stays hashed, whatever became of the build. */
    bool saved = file_index_save(build->index, ok ? error : NULL);
    if (!ok || !saved)
        return NULL;
    warn_unused(build);
    if (!finish_image(build, target, error))
        return NULL;
    crash_boundary("build.image.stored");
    return tag_image(build, target->image, error) ? image_copy(target->image) : NULL;
}

Image *build_run(ContentStore *store, const BuildSpec *spec, GError **error)
{
    g_auto(Build) build = {
        .spec = spec,
        .store = store,
        .state = content_state(store),
        .now = clock_now_ns() / 1000000000,
    };
    read_arguments(&build);
    if (!open_context(&build, error) || !read_dockerfile(&build, error) ||
        !read_ignore_file(&build, error) || !read_secrets(&build, error) ||
        !set_automatic(&build, error) || !find_stages(&build, error) ||
        !open_folders(&build, error))
        return NULL;
    Image *image = build_target(&build, error);
    if (image == NULL && g_strrstr(error != NULL && *error != NULL ? (*error)->message : "",
                                   g_strerror(ENOSPC)) != NULL)
        g_prefix_error(error, "the disk is full (state: %s): ", build.state->home);
    return image;
}

bool build_write_tree(ContentStore *store, const Image *image, const char *folder, GError **error)
{
    static const char *const nothing[] = {NULL};
    g_auto(GStrv) folders = layer_folders(store, image, error);
    if (folders == NULL || !file_make_folders(folder, 0755, error))
        return false;
    g_autoptr(RootTree) tree = root_tree_of_layers((const char *const *) folders);
    g_autoptr(RootTree) empty = root_tree_of_layers(nothing);
    g_autoptr(Selection) selection = selection_new();
    SelectionRules rules = {.keep_owner = true};
    g_auto(Upper) upper = {.lower = empty, .folder = folder};
    return selection_add(selection, tree, "", "", true, &rules, error) &&
           upper_copy(&upper, selection, &rules, true, error);
}
