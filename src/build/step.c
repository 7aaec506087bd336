/* step.c - a step that makes a layer: taken from the cache by its key, else made in an empty upper
 * folder and packed. */
#include "build/build_private.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/file.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "oci/layer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <errno.h>
#include "base/error.h"

void step_emit(Stage *stage, const char *text, const char *state, int64_t milliseconds)
{
    event_emit(stage->build->spec->events, "build.step",
               json_pack("{s:s?, s:i, s:i, s:s, s:s, s:I}", "stage", stage->name, "number",
                         (int) stage->step, "total", (int) stage->steps, "text", text, "state",
                         state, "milliseconds", (json_int_t) milliseconds));
}

json_t *input_digest(const char *text)
{
    g_autofree char *digest = hash_digest(HASH_SHA256, text, strlen(text));
    return json_string(digest);
}

/* What the layers so far are: the digest of their diff ids. */
static json_t *parent_result(const Image *image)
{
    g_autoptr(GString) ids = g_string_new(NULL);
    for (guint i = 0; i < image->layers->len; i++)
        g_string_append_printf(ids, "%s ", ((ImageLayer *) image->layers->pdata[i])->diff_id);
    return input_digest(ids->str);
}

static char *place_of(Stage *stage)
{
    const Build *build = stage->build;
    g_autofree char *text =
        g_strdup_printf("%s\n%s\n%s\n%u\n%u", build->context, build->file->name,
                        stage->name != NULL ? stage->name : "", stage->index, stage->step);
    return hash_digest(HASH_SHA256, text, strlen(text));
}

static bool say_why(Stage *stage, const char *place, const json_t *inputs, GError **error)
{
    if (!stage->build->spec->explain)
        return true;
    GError *problem = NULL;
    g_autofree char *why = stage->build->spec->no_cache
                               ? g_strdup("no cache was asked for")
                               : build_cache_explain(stage->build, place, inputs, &problem);
    if (problem != NULL) {
        g_propagate_error(error, problem);
        return false;
    }
    event_emit(stage->build->spec->events, "build.miss",
               json_pack("{s:i, s:s, s:s}", "number", (int) stage->step, "text",
                         stage->at->original, "because",
                         why != NULL ? why : "it was never built here"));
    return true;
}

/* Runs STEP's work in FOLDER/upper and packs what it wrote. */
static ImageLayer *make_layer(Stage *stage, const Step *step, const char *folder, GError **error)
{
    g_autofree char *upper = g_build_filename(folder, "upper", NULL);
    g_autofree char *scratch = g_build_filename(folder, "scratch", NULL);
    if (mkdir(upper, 0755) != 0 || mkdir(scratch, 0700) != 0) {
        error_set_errno(error, errno, "make folder", upper);
        return NULL;
    }
    static const char *const nothing[] = {NULL};
    if (!step->on_scratch && stage_tree(stage, error) == NULL)
        return NULL;
    if (!step->work(stage, upper, scratch, step->data, error))
        return NULL;
    crash_boundary("build.step.made");
    LayerOptions options = {.clamp_time = stage->build->spec->source_date_epoch};
    const char *const *lowers = step->on_scratch ? nothing : (const char *const *) stage->folders;
    return layer_from_upper(stage->build->store, upper, lowers, &options, true, error);
}

static ImageLayer *make_and_keep(Stage *stage, const Step *step, const char *key, GError **error)
{
    g_autofree char *parent = state_folder(stage->build->state, error, "cache", "build", NULL);
    g_autofree char *folder =
        parent != NULL ? file_make_temporary_folder(parent, "step", error) : NULL;
    if (folder == NULL)
        return NULL;
    g_autoptr(ImageLayer) layer = make_layer(stage, step, folder, error);
    file_remove_tree(AT_FDCWD, folder, NULL);
    if (layer == NULL)
        return NULL;
    g_autofree char *now = clock_format_seconds(stage->build->now);
    if (!build_cache_put(stage->build, key, layer, now, error))
        return NULL;
    g_free(stage->last_created);
    stage->last_created = g_steal_pointer(&now);
    return g_steal_pointer(&layer);
}

static void finish(Stage *stage, const Step *step, const ImageLayer *layer)
{
    image_add_layer(stage->image, layer);
    stage_forget_tree(stage);
    config_add_history(stage, step->created_by, false);
}

bool step_make_layer(Stage *stage, Step *step, GError **error)
{
    g_autoptr(json_t) inputs = g_steal_pointer(&step->inputs);
    if (!step->on_scratch)
        json_object_set_new(inputs, "the step before", parent_result(stage->image));
    g_autofree char *text = json_canonical(inputs, error);
    if (text == NULL)
        return false;
    g_autofree char *key = hash_digest(HASH_SHA256, text, strlen(text));
    g_autofree char *place = place_of(stage);
    GError *problem = NULL;
    g_autofree char *made_at = NULL;
    g_autoptr(ImageLayer) layer = stage->build->spec->no_cache
                                      ? NULL
                                      : build_cache_get(stage->build, key, &made_at, &problem);
    if (problem != NULL) {
        g_propagate_error(error, problem);
        return false;
    }
    if (layer != NULL) {
        g_free(stage->last_created);
        stage->last_created = g_steal_pointer(&made_at);
        step_emit(stage, stage->at->original, "cached", 0);
        finish(stage, step, layer);
        return build_cache_remember(stage->build, place, inputs, error);
    }
    if (!say_why(stage, place, inputs, error))
        return false;
    int64_t started = g_get_monotonic_time();
    step_emit(stage, stage->at->original, "started", 0);
    layer = make_and_keep(stage, step, key, error);
    int64_t took = (g_get_monotonic_time() - started) / 1000;
    step_emit(stage, stage->at->original, layer != NULL ? "done" : "failed", took);
    if (layer == NULL)
        return false;
    finish(stage, step, layer);
    return build_cache_remember(stage->build, place, inputs, error);
}
