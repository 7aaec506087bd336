#include "ship/image_stages.h"

#include "base/clock.h"
#include "base/error.h"
#include "build/build.h"
#include "delivery/evidence.h"
#include "delivery/migrate.h"
#include "format/json.h"
#include "report/report.h"
#include "scan/advisory.h"
#include "scan/sbom.h"
#include "ship/provenance.h"
#include "sign/signer.h"

#include <string.h>

#define SHOWN_FINDINGS 20

/* DETAIL is taken. */
static bool conclude(ImageStages *stages, const char *stage, const char *kind, bool passed,
                     json_t *detail, GError **error)
{
    StageOutcome outcome = {
        .stage = stage, .kind = kind, .object = stages->digest, .passed = passed, .detail = detail};
    bool ok = stage_conclude(&stages->stage, &outcome, error);
    json_decref(detail);
    return ok;
}

/* ---- build ---- */

static BuildArgument *build_arguments(const Project *settings, size_t *count)
{
    BuildArgument *arguments = g_new0(BuildArgument, json_object_size(settings->build_args) + 1);
    const char *name;
    json_t *value;
    *count = 0;
    json_object_foreach(settings->build_args, name, value) arguments[(*count)++] =
        (BuildArgument){name, json_string_value(value)};
    return arguments;
}

static bool build_image(ImageStages *stages, GError **error)
{
    const CheckSpec *check = stages->check;
    const Project *settings = check->release->settings;
    const GitCommit *commit = stages->source->commit;
    g_autofree char *context = g_build_filename(check->project, settings->build_context, NULL);
    g_autofree char *dockerfile = g_build_filename(check->project, settings->build_file, NULL);
    if (!g_file_test(dockerfile, G_FILE_TEST_EXISTS)) {
        g_set_error(
            error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
            "no '%s' in the commit; write one, or name it in slipway.yml: `build: {file: …}`",
            settings->build_file);
        return false;
    }
    BuildArgument labels[4] = {{"org.opencontainers.image.revision", commit->id}};
    size_t label_count = 1;
    if (stages->source->repository->origin != NULL)
        labels[label_count++] =
            (BuildArgument){"org.opencontainers.image.source", stages->source->repository->origin};
    if (commit->version != NULL)
        labels[label_count++] =
            (BuildArgument){"org.opencontainers.image.version", commit->version + 1};

    size_t argument_count;
    g_autofree BuildArgument *arguments = build_arguments(settings, &argument_count);
    BuildSpec spec = {
        .context = context,
        .dockerfile = dockerfile,
        .target = settings->build_target,
        .args = arguments,
        .arg_count = argument_count,
        .labels = labels,
        .label_count = label_count,
        .source_date_epoch = commit->time,
        .events = check->sink,
    };
    g_autoptr(Image) image = build_run(stages->delivery->store, &spec, error);
    if (image == NULL)
        return false;
    stages->digest = g_strdup(image->manifest_digest);
    return true;
}

typedef struct {
    ImageStages *stages;
    const char *migrations;
} ReleaseRow;

static bool write_release(void *self, GError **error)
{
    const ReleaseRow *row = self;
    ImageStages *stages = row->stages;
    const Project *settings = stages->check->release->settings;
    return release_record(stages->delivery, settings->name, stages->digest, stages->source->id,
                          stages->source->commit->version, settings->json, row->migrations,
                          stages->source->people, stages->check->run, error);
}

/* Release, evidence and stage end together: a digest that is on record has its release. */
static bool record_build(ImageStages *stages, GError **error)
{
    const CheckSpec *check = stages->check;
    const Project *settings = check->release->settings;
    const Source *source = stages->source;
    g_autofree char *migrations =
        migrate_digest(stages->delivery->store, stages->digest, settings, error);
    if (migrations == NULL)
        return false;
    g_autoptr(json_t) detail = json_pack(
        "{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:O, s:s, s:s}", "project", settings->name, "commit",
        source->id, "tree", source->commit->tree, "subject", source->commit->subject, "dirty",
        source->dirty, "settings", check->release->settings_digest, "migrations", migrations,
        "people", source->people, "author", source->commit->author.email, "digest", stages->digest);
    ReleaseRow row = {stages, migrations};
    StageOutcome outcome = {.stage = "build",
                            .kind = "build",
                            .object = stages->digest,
                            .passed = true,
                            .detail = detail,
                            .also = write_release,
                            .self = &row};
    if (!stage_conclude(&stages->stage, &outcome, error))
        return false;
    event_emit(check->sink, "image.built",
               json_pack("{s:s, s:s, s:s, s:s}", "run", check->run, "digest", stages->digest,
                         "image", settings->image, "commit", source->id));
    return true;
}

static bool fail_stage(ImageStages *stages, const char *stage, const GError *why)
{
    g_autoptr(json_t) detail = json_pack("{s:s}", "why", why->message);
    stage_end(&stages->stage, stage, "failed", detail, NULL);
    return false;
}

bool image_stage_build(ImageStages *stages, GError **error)
{
    g_autoptr(json_t) before = NULL;
    if (!stage_begin(&stages->stage, "build", &before, error))
        return false;
    if (before != NULL) {
        stages->digest = g_strdup(json_get_string(before, "digest"));
        return true;
    }
    g_autoptr(GError) failure = NULL;
    if (build_image(stages, &failure) && record_build(stages, &failure))
        return true;
    fail_stage(stages, "build", failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* ---- inventory and vulnerabilities ---- */

static bool attach(ImageStages *stages, const Release *release, const char *type,
                   json_t *predicate /* taken */, GError **error)
{
    ContentStore *store = stages->delivery->store;
    g_autofree char *key = signer_public_key(stages->delivery->state, error);
    if (key == NULL) {
        json_decref(predicate);
        return false;
    }
    g_autoptr(json_t) there =
        signer_find_attestation(store, release->settings->image, release->digest, type, key, NULL);
    if (there != NULL) {
        json_decref(predicate);
        return true;
    }
    g_autofree char *manifest =
        signer_attest(store, stages->delivery->state, release->settings->image, release->digest,
                      type, predicate, NULL, error);
    return manifest != NULL;
}

static bool attach_sbom(ImageStages *stages, const Release *release, const Inventory *inventory,
                        GError **error)
{
    g_autofree char *text = sbom_write(inventory, SBOM_SPDX_JSON, stages->source->commit->time);
    json_t *document = json_parse("sbom", text, strlen(text), error);
    if (document == NULL || !attach(stages, release, PREDICATE_SPDX, document, error))
        return false;
    g_autofree char *key = g_strdup_printf("run.%s.sbom", stages->check->run);
    return evidence_record(stages->delivery, "sbom", release->digest, "passed",
                           json_pack("{s:I, s:s}", "packages",
                                     (json_int_t) inventory->packages->len, "format", "SPDX-2.3"),
                           key, error) >= 0;
}

/* "Debian:12 (124 packages: no advisories imported)" */
static char *describe_gaps(const AdvisoryMatch *match)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < match->gaps->len; i++) {
        const AdvisoryGap *gap = g_ptr_array_index(match->gaps, i);
        g_string_append_printf(text, "%s%s (%zu packages: %s)", text->len > 0 ? "; " : "",
                               gap->ecosystem, gap->packages, gap->reason);
    }
    return g_string_free(text, FALSE);
}

/* Counts by severity of what is not accepted, and the worst of them in words. */
static json_t *count_findings(const ImageStages *stages, GPtrArray *findings, char **worst)
{
    json_t *counts = json_object();
    const Finding *top = NULL;
    guint shown = 0;
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = g_ptr_array_index(findings, i);
        if (finding->suppressed != NULL)
            continue;
        const char *name = severity_name(finding->severity);
        json_object_set_new(counts, name, json_integer(json_get_integer(counts, name, 0) + 1));
        if (top == NULL || finding->severity > top->severity)
            top = finding;
        if (finding->severity >= SEVERITY_ERROR && shown++ < SHOWN_FINDINGS)
            event_emit(stages->check->sink, "finding",
                       json_pack("{s:s, s:s, s:s, s:s?, s:i, s:s, s:s?}", "job", "scan", "rule",
                                 finding->rule, "severity", name, "path", finding->path, "line",
                                 finding->line, "message", finding->message, "mend",
                                 finding->mend));
    }
    *worst = top != NULL ? g_strdup_printf("%s: %s", top->rule, top->message) : g_strdup("");
    return counts;
}

static bool scan_image(ImageStages *stages, const Release *release, GError **error)
{
    Delivery *delivery = stages->delivery;
    g_autoptr(Inventory) inventory = inventory_of_image(delivery->store, release->digest, error);
    if (inventory == NULL || !attach_sbom(stages, release, inventory, error))
        return false;
    g_autoptr(GError) failure = NULL;
    g_autoptr(AdvisoryDatabase) database = advisory_database_open(delivery->state->home, &failure);
    if (database == NULL && !g_error_matches(failure, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    g_autoptr(AdvisoryMatch) match = advisory_match(database, inventory);
    if (!report_apply_ignores(match->findings, stages->check->project, true, error))
        return false;
    g_autofree char *gaps = describe_gaps(match);
    g_autofree char *worst = NULL;
    json_t *counts = count_findings(stages, match->findings, &worst);
    bool covered = match->gaps->len == 0;
    return conclude(stages, "scan", "vulnerabilities", json_object_size(counts) == 0,
                    json_pack("{s:o, s:b, s:s, s:s, s:I, s:I}", "counts", counts, "covered",
                              covered, "uncovered", gaps, "worst", worst, "packages",
                              (json_int_t) inventory->packages->len, "database_time",
                              (json_int_t) match->database_built),
                    error);
}

/* Runs BODY as stage NAME unless it is done already. */
static bool run_stage(ImageStages *stages, const char *name, const Release *release,
                      bool (*body)(ImageStages *, const Release *, GError **), GError **error)
{
    g_autoptr(json_t) before = NULL;
    if (!stage_begin(&stages->stage, name, &before, error))
        return false;
    if (before != NULL)
        return true;
    g_autoptr(GError) failure = NULL;
    if (body(stages, release, &failure))
        return true;
    fail_stage(stages, name, failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool image_stage_scan(ImageStages *stages, const Release *release, GError **error)
{
    return run_stage(stages, "scan", release, scan_image, error);
}

/* ---- provenance and signature ---- */

static bool stage_times(const ImageStages *stages, int64_t *started, int64_t *ended, GError **error)
{
    g_autoptr(Statement) row = database_prepare(
        stages->delivery->state->database, error,
        "SELECT r.started_at, s.ended_at FROM run r JOIN run_stage s ON s.run = r.id "
        "WHERE r.id = ? AND s.name = 'build'",
        "s", stages->check->run);
    if (row == NULL || !statement_step(row, error))
        return false;
    *started = statement_integer(row, 0);
    *ended = statement_integer(row, 1);
    return true;
}

static bool sign_image(ImageStages *stages, const Release *release, GError **error)
{
    Delivery *delivery = stages->delivery;
    const char *image = release->settings->image;
    int64_t started = 0, ended = 0;
    if (!stage_times(stages, &started, &ended, error))
        return false;
    json_t *predicate =
        provenance_predicate(stages->source, release, stages->check->run, started, ended);
    if (!attach(stages, release, PREDICATE_PROVENANCE, predicate, error))
        return false;
    g_autofree char *key = signer_public_key(delivery->state, error);
    if (key == NULL)
        return false;
    if (!signer_verify_image(delivery->store, image, release->digest, key, NULL) &&
        !signer_sign_image(delivery->store, delivery->state, image, release->digest, NULL, error))
        return false;
    return conclude(stages, "sign", "signature", true,
                    json_pack("{s:s, s:s}", "by", "ci", "image", image), error);
}

bool image_stage_sign(ImageStages *stages, const Release *release, GError **error)
{
    return run_stage(stages, "sign", release, sign_image, error);
}

/* ---- push ---- */

static bool push_image(ImageStages *stages, const Release *release, GError **error)
{
    const GitCommit *commit = stages->source->commit;
    g_autofree char *by_commit =
        g_strdup_printf("%s:%s", release->settings->image, stages->source->id);
    g_autoptr(json_t) names = json_array();
    json_array_append_new(names, json_string(by_commit));
    if (!image_tag(stages->delivery->store, by_commit, release->digest, error))
        return false;
    if (commit->version != NULL && !stages->source->dirty) {
        g_autofree char *by_version =
            g_strdup_printf("%s:%s", release->settings->image, commit->version);
        if (!image_tag(stages->delivery->store, by_version, release->digest, error))
            return false;
        json_array_append_new(names, json_string(by_version));
    }
    return conclude(stages, "push", "pushed", true, json_pack("{s:O}", "names", names), error);
}

bool image_stage_push(ImageStages *stages, const Release *release, GError **error)
{
    return run_stage(stages, "push", release, push_image, error);
}
