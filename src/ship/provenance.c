#include "ship/provenance.h"

#include "base/clock.h"
#include "config.h"

#define BUILD_TYPE "https://slipway.dev/build/dockerfile/v1"
#define BUILDER_ID "https://slipway.dev/builder/local/v1"

static char *source_uri(const Source *source)
{
    const char *where = source->repository->origin;
    g_autofree char *local =
        where == NULL ? g_strconcat("file://", source->repository->root, NULL) : NULL;
    return g_strdup_printf("git+%s%s%s", where != NULL ? where : local,
                           source->ref != NULL ? "@" : "", source->ref != NULL ? source->ref : "");
}

json_t *provenance_predicate(const Source *source, const Release *release, const char *run,
                             int64_t started, int64_t ended)
{
    const Project *settings = release->settings;
    g_autofree char *uri = source_uri(source);
    g_autofree char *began = clock_format_seconds(started / 1000000000);
    g_autofree char *finished = clock_format_seconds(ended / 1000000000);
    json_t *parameters = json_pack("{s:s, s:s, s:s, s:s, s:s?, s:O}", "source", uri, "path",
                                   source->repository->prefix, "context", settings->build_context,
                                   "dockerfile", settings->build_file, "target",
                                   settings->build_target, "args", settings->build_args);
    json_t *definition = json_pack(
        "{s:s, s:o, s:{s:s, s:b}, s:[{s:s, s:{s:s}, s:s}]}", "buildType", BUILD_TYPE,
        "externalParameters", parameters, "internalParameters", "settings",
        release->settings_digest, "uncommittedChanges", source->dirty, "resolvedDependencies",
        "uri", uri, "digest", "gitCommit", source->commit->id, "name", "source");
    json_t *details = json_pack("{s:{s:s, s:{s:s}}, s:{s:s, s:s, s:s}}", "builder", "id",
                                BUILDER_ID, "version", "slipway", SLIPWAY_VERSION, "metadata",
                                "invocationId", run, "startedOn", began, "finishedOn", finished);
    return json_pack("{s:o, s:o}", "buildDefinition", definition, "runDetails", details);
}
