/* build.c - slipway build: a Dockerfile and its context become an image in the local store. */
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "build/build.h"
#include "cli/build_output.h"
#include "cli/commands.h"
#include "cli/style.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    gboolean quiet, no_cache, explain, reproducible;
    char **tags, **args, **secrets, **labels, **outputs, **allow;
    char *file, *target, *platform, *id_file, *metadata_file, *epoch;
} Options;

static void options_clear(Options *o)
{
    g_strfreev(o->tags);
    g_strfreev(o->args);
    g_strfreev(o->secrets);
    g_strfreev(o->labels);
    g_strfreev(o->outputs);
    g_strfreev(o->allow);
    g_free(o->file);
    g_free(o->target);
    g_free(o->platform);
    g_free(o->id_file);
    g_free(o->metadata_file);
    g_free(o->epoch);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static bool parse(Options *o, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &o->quiet, "print only the digest", NULL},
        {"tag", 't', 0, G_OPTION_ARG_STRING_ARRAY, &o->tags, "name of the image", "REF"},
        {"file", 'f', 0, G_OPTION_ARG_FILENAME, &o->file, "the Dockerfile", "FILE"},
        {"target", 0, 0, G_OPTION_ARG_STRING, &o->target, "stage to build", "STAGE"},
        {"build-arg", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->args, "value of an ARG", "NAME[=VALUE]"},
        {"secret", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->secrets,
         "what RUN --mount=type=secret sees: id=ID,src=FILE or id=ID,env=NAME", "SPEC"},
        {"label", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->labels, "label of the image", "NAME=VALUE"},
        {"platform", 0, 0, G_OPTION_ARG_STRING, &o->platform, "platform to build for", "OS/ARCH"},
        {"output", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &o->outputs,
         "type=oci|docker|tar|local|image,dest=PATH", "SPEC"},
        {"no-cache", 0, 0, G_OPTION_ARG_NONE, &o->no_cache, "run every step", NULL},
        {"explain", 0, 0, G_OPTION_ARG_NONE, &o->explain, "say why a step was not cached", NULL},
        {"allow", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->allow,
         "grant network.host or security.insecure", "WHAT"},
        {"iidfile", 0, 0, G_OPTION_ARG_FILENAME, &o->id_file, "write the image's digest here",
         "FILE"},
        {"metadata-file", 0, 0, G_OPTION_ARG_FILENAME, &o->metadata_file,
         "write digests as JSON here", "FILE"},
        {"source-date-epoch", 0, 0, G_OPTION_ARG_STRING, &o->epoch,
         "no time in the image is later (else $SOURCE_DATE_EPOCH)", "SECONDS"},
        {0},
    };
    return command_parse(&command_build, entries, argc, argv, error);
}

/* "NAME=VALUE" texts as pairs; the array's texts are cut in place. */
static GArray *read_pairs(char **texts, bool need_value, const char *option, GError **error)
{
    GArray *pairs = g_array_new(FALSE, TRUE, sizeof(BuildArgument));
    for (; texts != NULL && *texts != NULL; texts++) {
        char *equals = strchr(*texts, '=');
        if (equals == *texts || (equals == NULL && need_value)) {
            command_usage_error(error, "%s %s: expected NAME=VALUE", option, *texts);
            g_array_unref(pairs);
            return NULL;
        }
        if (equals != NULL)
            *equals = '\0';
        BuildArgument pair = {*texts, equals != NULL ? equals + 1 : NULL};
        g_array_append_val(pairs, pair);
    }
    return pairs;
}

/* "id=ID,src=FILE"; TEXTS keeps what the secrets point at. */
static bool read_secret(const char *text, GPtrArray *texts, BuildSecret *secret, GError **error)
{
    *secret = (BuildSecret){0};
    char **fields = g_strsplit(text, ",", -1);
    for (char **field = fields; *field != NULL; field++) {
        char *equals = strchr(*field, '=');
        g_ptr_array_add(texts, *field);
        if (equals == NULL)
            break;
        *equals = '\0';
        const char *key = *field, *value = equals + 1;
        if (g_str_equal(key, "id"))
            secret->id = value;
        else if (g_str_equal(key, "src") || g_str_equal(key, "source"))
            secret->path = value;
        else if (g_str_equal(key, "env"))
            secret->variable = value;
        else if (!g_str_equal(key, "type"))
            secret->id = NULL;
    }
    g_free(fields);
    if (secret->id != NULL)
        return true;
    command_usage_error(error, "--secret: expected id=ID,src=FILE or id=ID,env=NAME");
    return false;
}

static GArray *read_secrets(char **specs, GPtrArray *texts, GError **error)
{
    g_autoptr(GArray) secrets = g_array_new(FALSE, TRUE, sizeof(BuildSecret));
    for (; specs != NULL && *specs != NULL; specs++) {
        BuildSecret secret;
        if (!read_secret(*specs, texts, &secret, error))
            return NULL;
        g_array_append_val(secrets, secret);
    }
    return g_steal_pointer(&secrets);
}

static bool read_epoch(const char *text, int64_t *epoch, GError **error)
{
    *epoch = -1;
    if (text == NULL)
        text = g_getenv("SOURCE_DATE_EPOCH");
    if (text == NULL || *text == '\0')
        return true;
    char *end;
    guint64 value = g_ascii_strtoull(text, &end, 10);
    if (!g_ascii_isdigit(*text) || *end != '\0' || value > G_MAXINT64 / 2) {
        command_usage_error(error, "SOURCE_DATE_EPOCH '%s': expected seconds since 1970", text);
        return false;
    }
    *epoch = (int64_t) value;
    return true;
}

/* Plain progress on stderr. */
typedef struct {
    EventSink sink;
    bool quiet;
} Progress;

static void print_step(const json_t *event)
{
    const char *stage = json_string_value(json_object_get(event, "stage"));
    const char *state = json_string_value(json_object_get(event, "state"));
    const char *text = json_string_value(json_object_get(event, "text"));
    bool ended = !g_str_equal(state, "started");
    bool failed = g_str_equal(state, "failed"), cached = g_str_equal(state, "cached");
    fprintf(stderr, "%s[%s%s%lld/%lld]%s %s", style_on(stderr, STYLE_BOLD),
            stage != NULL ? stage : "", stage != NULL ? " " : "",
            json_integer_value(json_object_get(event, "number")),
            json_integer_value(json_object_get(event, "total")), style_off(stderr), text);
    if (ended && cached)
        fprintf(stderr, " %sCACHED%s", style_on(stderr, STYLE_DIM), style_off(stderr));
    else if (ended)
        fprintf(stderr, " %s%s %.1fs%s", style_on(stderr, failed ? STYLE_RED : STYLE_GREEN),
                failed ? "FAILED" : "done",
                (double) json_integer_value(json_object_get(event, "milliseconds")) / 1000,
                style_off(stderr));
    fputc('\n', stderr);
}

static void show(EventSink *sink, json_t *event)
{
    if (((Progress *) sink)->quiet)
        return;
    const char *type = json_string_value(json_object_get(event, "type"));
    const char *text = json_string_value(json_object_get(event, "text"));
    if (g_str_equal(type, "build.step"))
        print_step(event);
    else if (g_str_equal(type, "build.output"))
        fprintf(stderr, "  %s\n", text);
    else if (g_str_equal(type, "build.miss"))
        fprintf(stderr, "  not cached: %s\n", json_string_value(json_object_get(event, "because")));
    else if (g_str_equal(type, "build.warning"))
        fprintf(stderr, "warning: %s\n", text);
}

static bool write_records(const Options *o, const Image *image, GError **error)
{
    if (o->id_file != NULL &&
        !file_write_atomic(AT_FDCWD, o->id_file, image->manifest_digest, -1, 0644, error))
        return false;
    if (o->metadata_file == NULL)
        return true;
    g_autofree char *names = o->tags != NULL ? g_strjoinv(",", o->tags) : g_strdup("");
    json_t *metadata = json_pack(
        "{s:s, s:s, s:s, s:{s:s, s:s}}", "containerimage.digest", image->manifest_digest,
        "containerimage.config.digest", image->config_digest, "image.name", names,
        "containerimage.descriptor", "mediaType", OCI_MANIFEST, "digest", image->manifest_digest);
    char *text = json_dumps(metadata, JSON_INDENT(2));
    json_decref(metadata);
    bool ok = file_write_atomic(AT_FDCWD, o->metadata_file, text, -1, 0644, error);
    free(text);
    return ok;
}

static bool is_allowed(char **allow, const char *what)
{
    return allow != NULL && g_strv_contains((const char *const *) allow, what);
}

static int build_and_deliver(const Options *o, BuildSpec *spec, GError **error)
{
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(ContentStore) store = state != NULL ? content_store_open(state, error) : NULL;
    g_autoptr(Image) image = store != NULL ? build_run(store, spec, error) : NULL;
    if (image == NULL || !write_records(o, image, error))
        return EXIT_STATUS_NO;
    for (char **output = o->outputs; output != NULL && *output != NULL; output++)
        if (!build_output_write(store, image, *output, (const char *const *) o->tags, error))
            return EXIT_STATUS_NO;
    for (char **tag = o->tags; !o->quiet && tag != NULL && *tag != NULL; tag++)
        fprintf(stderr, "tagged %s\n", *tag);
    printf("%s\n", image->manifest_digest);
    return EXIT_STATUS_DONE;
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    if (!parse(&o, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one CONTEXT folder");
    for (char **output = o.outputs; output != NULL && *output != NULL; output++)
        if (!build_output_check(*output, error))
            return EXIT_STATUS_USAGE;
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) args = read_pairs(o.args, false, "--build-arg", error);
    g_autoptr(GArray) labels = args != NULL ? read_pairs(o.labels, true, "--label", error) : NULL;
    g_autoptr(GArray) secrets = labels != NULL ? read_secrets(o.secrets, texts, error) : NULL;
    int64_t epoch;
    if (secrets == NULL || !read_epoch(o.epoch, &epoch, error))
        return EXIT_STATUS_USAGE;
    Progress progress = {{show}, o.quiet};
    BuildSpec spec = {
        .context = argv[1],
        .dockerfile = o.file,
        .target = o.target,
        .platform = o.platform,
        .args = (const BuildArgument *) (void *) args->data,
        .arg_count = args->len,
        .labels = (const BuildArgument *) (void *) labels->data,
        .label_count = labels->len,
        .secrets = (const BuildSecret *) (void *) secrets->data,
        .secret_count = secrets->len,
        .tags = (const char *const *) o.tags,
        .source_date_epoch = epoch,
        .no_cache = o.no_cache,
        .explain = o.explain,
        .host_network = is_allowed(o.allow, "network.host"),
        .insecure = is_allowed(o.allow, "security.insecure"),
        .events = &progress.sink,
    };
    return build_and_deliver(&o, &spec, error);
}

const Command command_build = {
    .name = "build",
    .group = "image",
    .operands = "CONTEXT",
    .summary = "build an image from a Dockerfile",
    .run = run,
};
