/* stage.c - one stage: its base, its instructions in order, built when somebody needs it. */
#include "build/build_private.h"

#include "base/error.h"
#include "format/json.h"
#include "oci/layer.h"

#include <string.h>

void stage_free(Stage *stage)
{
    if (stage == NULL)
        return;
    g_free(stage->name);
    g_ptr_array_unref(stage->instructions);
    image_free(stage->image);
    variables_free(stage->args);
    g_free(stage->last_created);
    stage_forget_tree(stage);
    g_free(stage);
}

void stage_forget_tree(Stage *stage)
{
    g_clear_pointer(&stage->tree, root_tree_free);
    g_clear_pointer(&stage->folders, g_strfreev);
}

RootTree *stage_tree(Stage *stage, GError **error)
{
    if (stage->tree != NULL)
        return stage->tree;
    stage->folders = layer_folders(stage->build->store, stage->image, error);
    if (stage->folders == NULL)
        return NULL;
    stage->tree = root_tree_of_layers((const char *const *) stage->folders);
    return stage->tree;
}

/* Places what already has a place ("Dockerfile:3: …") only once. */
bool stage_fail(Stage *stage, GError **error)
{
    if (error == NULL || *error == NULL)
        return false;
    g_autofree char *file = g_strconcat(stage->build->file->name, ":", NULL);
    if (!g_str_has_prefix((*error)->message, file))
        g_prefix_error(error, "%s%d: ", file, stage->at->line);
    return false;
}

bool stage_error(Stage *stage, GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, text);
    return stage_fail(stage, error);
}

Stage *stage_find(Build *build, const char *name, guint before)
{
    char *end;
    guint64 number = g_ascii_strtoull(name, &end, 10);
    bool numeric = g_ascii_isdigit(*name) && *end == '\0';
    for (guint i = MIN(before, build->stages->len); i > 0; i--) {
        Stage *stage = build->stages->pdata[i - 1];
        if (stage->name != NULL && g_ascii_strcasecmp(stage->name, name) == 0)
            return stage;
    }
    return numeric && number < MIN(before, build->stages->len) ? build->stages->pdata[number]
                                                               : NULL;
}

static const char *lookup_global(void *data, const char *name)
{
    return variables_get(data, name);
}

static char *expand_global(Build *build, const char *word, GError **error)
{
    ExpandScope scope = {build->file->escape, lookup_global, build->globals};
    return expand_word(&scope, word, error);
}

static void start_scratch(Stage *stage)
{
    stage->image = image_new();
    json_object_set_new(config_section(stage), "WorkingDir", json_string("/"));
    environment_set(config_environment(stage), "PATH",
                    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

static bool start_from_image(Stage *stage, const char *base, GError **error)
{
    g_autofree char *digest = image_resolve(stage->build->store, base, error);
    if (digest == NULL)
        return false;
    g_autoptr(Image) image = image_load(stage->build->store, digest, error);
    if (image == NULL)
        return false;
    stage->image = image_copy(image);
    return true;
}

/* Stages that stand on another one go on with its image and its ARGs. */
static bool start(Stage *stage, const char *base, GError **error)
{
    Stage *other = stage_find(stage->build, base, stage->index);
    bool by_name =
        other != NULL && other->name != NULL && g_ascii_strcasecmp(other->name, base) == 0;
    stage->args = variables_new();
    if (by_name) {
        if (!stage_build(other, error))
            return false;
        stage->image = image_copy(other->image);
        variables_free(stage->args);
        stage->args = variables_copy(other->args);
        stage->last_created = g_strdup(other->last_created);
    } else if (g_str_equal(base, "scratch")) {
        start_scratch(stage);
    } else if (!start_from_image(stage, base, error)) {
        return false;
    }
    if (stage->last_created == NULL) {
        const char *created = json_get_string(stage->image->config, "created");
        stage->last_created = g_strdup(created != NULL ? created : "1970-01-01T00:00:00Z");
    }
    return true;
}

static bool makes_layer(const Instruction *in)
{
    static const char *const layered[] = {"RUN", "COPY", "ADD", "WORKDIR", NULL};
    return g_strv_contains(layered, in->keyword);
}

static bool apply(Stage *stage, const Instruction *in, GError **error)
{
    stage->at = in;
    stage->step += makes_layer(in);
    if (g_str_equal(in->keyword, "RUN"))
        return run_apply(stage, in, error);
    if (g_str_equal(in->keyword, "COPY") || g_str_equal(in->keyword, "ADD"))
        return copy_apply(stage, in, error);
    if (g_str_equal(in->keyword, "WORKDIR"))
        return workdir_apply(stage, in, error);
    return config_apply(stage, in, error);
}

/* ONBUILD instructions of the base run first and are gone then. */
static bool apply_triggers(Stage *stage, GError **error)
{
    g_autoptr(json_t) triggers = json_incref(json_object_get(config_section(stage), "OnBuild"));
    json_object_del(config_section(stage), "OnBuild");
    size_t index;
    json_t *trigger;
    json_array_foreach(triggers, index, trigger)
    {
        const char *text = json_string_value(trigger);
        if (text == NULL)
            continue;
        g_autoptr(Dockerfile) parsed = dockerfile_parse_trigger("ONBUILD", text, error);
        if (parsed == NULL ||
            !dockerfile_check_instruction(parsed, parsed->instructions->pdata[0], error))
            return stage_fail(stage, error);
        stage->steps += makes_layer(parsed->instructions->pdata[0]);
        bool ok = apply(stage, parsed->instructions->pdata[0], error);
        stage->at = stage->from;
        if (!ok)
            return false;
    }
    return true;
}

static guint count_steps(const Stage *stage)
{
    guint count = 1;
    for (guint i = 0; i < stage->instructions->len; i++)
        count += makes_layer(stage->instructions->pdata[i]);
    return count;
}

static bool check_platform(Stage *stage, GError **error)
{
    const char *flag = instruction_flag(stage->from, "platform");
    if (flag == NULL)
        return true;
    g_autofree char *platform = expand_global(stage->build, flag, error);
    if (platform == NULL)
        return stage_fail(stage, error);
    const char *native = variables_get(stage->build->globals, "BUILDPLATFORM");
    if (g_str_equal(platform, native) || *platform == '\0')
        return true;
    return stage_error(stage, error, "--platform=%s cannot be built here, expected %s", platform,
                       native);
}

static bool build_now(Stage *stage, GError **error)
{
    stage->at = stage->from;
    stage->step = 1;
    stage->steps = count_steps(stage);
    g_autofree char *base = expand_global(stage->build, stage->from->args[0], error);
    if (base == NULL)
        return stage_fail(stage, error);
    if (*base == '\0')
        return stage_error(stage, error, "base name (%s) should not be blank",
                           stage->from->args[0]);
    if (!check_platform(stage, error))
        return false;
    int64_t started = g_get_monotonic_time();
    if (!start(stage, base, error))
        return stage_fail(stage, error);
    step_emit(stage, stage->from->original, "done", (g_get_monotonic_time() - started) / 1000);
    if (!apply_triggers(stage, error))
        return false;
    for (guint i = 0; i < stage->instructions->len; i++)
        if (!apply(stage, stage->instructions->pdata[i], error))
            return false;
    return true;
}

bool stage_build(Stage *stage, GError **error)
{
    if (stage->built)
        return true;
    if (stage->building)
        return stage_error(stage, error, "circular dependency: the stage needs itself");
    stage->building = true;
    stage->built = build_now(stage, error);
    stage->building = false;
    return stage->built;
}
