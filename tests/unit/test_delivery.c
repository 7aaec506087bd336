/* Gates, approvals and policies on a state of their own, with evidence as the engine writes it; no
 * unit runs here. */
#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "delivery/approval.h"
#include "delivery/decide.h"
#include "delivery/evidence.h"
#include "delivery/policy_store.h"
#include "dialect/slipway/settings.h"
#include "format/json.h"
#include "identity/identity.h"
#include "model/policy.h"
#include "oci/layer.h"
#include "sign/signer.h"

#include <fcntl.h>
#include <string.h>

#define SETTINGS                                                                                   \
    "project: shop\n"                                                                              \
    "test: [make test]\n"                                                                          \
    "checks: {tests: {min: 5}}\n"                                                                  \
    "advisories: {uncovered: allow}\n"                                                             \
    "environments:\n"                                                                              \
    "  production: {approve: {count: 2}, port: 8080}\n"

typedef struct {
    char *folder;
    Delivery *delivery;
    Release *release;
} Fixture;

static char *make_key(const Fixture *f, const char *name)
{
    g_autofree char *path = g_build_filename(f->folder, name, NULL);
    const char *argv[] = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                          "-C",         name, "-f", path,      NULL};
    ProcessSpec spec = {.argv = argv};
    g_auto(ProcessResult) result = {0};
    g_autoptr(GError) error = NULL;
    process_run_checked(&spec, &result, &error);
    g_assert_no_error(error);
    return g_steal_pointer(&path);
}

static void enrol(const Fixture *f, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = make_key(f, name), *public_path = g_strconcat(path, ".pub", NULL);
    g_autofree char *key = file_read(AT_FDCWD, public_path, 4096, NULL, &error);
    g_autofree char *email = g_strconcat(name, "@example.org", NULL);
    const char *keys[] = {key, NULL}, *emails[] = {email, NULL};
    PersonChange change = {.name = name, .emails = emails, .keys = keys};
    identity_add(f->delivery->state, &change, NULL, &error);
    g_assert_no_error(error);
}

static json_t *read_settings(const char *text)
{
    g_autoptr(GError) error = NULL;
    SettingsDefaults defaults = {.file = "slipway.yml", .default_name = "shop"};
    json_t *settings = settings_parse(text, strlen(text), &defaults, &error);
    g_assert_no_error(error);
    return settings;
}

static void record_release(Fixture *f, const char *settings_text, const char *marker)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Image) image = image_new();
    json_object_set_new(json_object_get(image->config, "config"), "Labels",
                        json_pack("{s:s}", "m", marker));
    json_object_set_new(image->config, "author", json_string(marker));
    image_store(f->delivery->store, image, &error);
    g_assert_no_error(error);
    g_autoptr(json_t) settings = read_settings(settings_text);
    g_autoptr(json_t) people =
        json_pack("{s:[s], s:[s]}", "author", "ana@example.org", "requester", "ana@example.org");
    release_record(f->delivery, "shop", image->manifest_digest, "c0ffee", NULL, settings, "",
                   people, "run-1", &error);
    g_assert_no_error(error);
    release_free(f->release);
    f->release = release_find(f->delivery, "shop", image->manifest_digest, &error);
    g_assert_no_error(error);
}

static void set_up(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    f->folder = file_make_temporary_folder(g_get_tmp_dir(), "test-delivery", &error);
    g_autofree char *home = g_build_filename(f->folder, "state", NULL);
    f->delivery = delivery_open(home, NULL, &error);
    g_assert_no_error(error);
    enrol(f, "ana");
    enrol(f, "bo");
    enrol(f, "cy");
    database_run(f->delivery->state->database, &error,
                 "INSERT INTO project VALUES('shop', '/', 'main', 0)", "");
    g_assert_no_error(error);
    g_autoptr(json_t) settings = read_settings(SETTINGS);
    g_autoptr(json_t) policy = policy_extract(settings);
    policy_bootstrap(f->delivery, "shop", policy, "c0ffee", &error);
    g_assert_no_error(error);
    record_release(f, SETTINGS, "one");
}

static void tear_down(Fixture *f, gconstpointer data)
{
    release_free(f->release);
    delivery_close(f->delivery);
    file_remove_tree(AT_FDCWD, f->folder, NULL);
    g_free(f->folder);
}

/* All that the engine would have written; SKIP leaves one kind out. */
static void record_evidence(Fixture *f, const char *skip)
{
    g_autoptr(GError) error = NULL;
    const char *digest = f->release->digest;
    const struct {
        const char *kind, *object, *detail;
    } rows[] = {
        {"build", digest,
         "{\"project\":\"shop\",\"commit\":\"c0ffee\",\"migrations\":\"\","
         "\"people\":{\"author\":[\"ana@example.org\"]}}"},
        {"lint", "c0ffee", "{\"project\":\"shop\",\"counts\":{}}"},
        {"tests", "c0ffee", "{\"project\":\"shop\",\"commands\":[\"make test\"],\"passed\":9}"},
        {"secrets", "c0ffee", "{\"project\":\"shop\",\"found\":0}"},
        {"vulnerabilities", digest, "{\"counts\":{},\"covered\":false}"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (g_strcmp0(rows[i].kind, skip) == 0)
            continue;
        json_t *detail = json_loads(rows[i].detail, 0, NULL);
        evidence_record(f->delivery, rows[i].kind, rows[i].object, "passed", detail, NULL, &error);
        g_assert_no_error(error);
    }
    static const char *const types[][2] = {{"sbom", "https://spdx.dev/Document"},
                                           {"provenance", "https://slsa.dev/provenance/v1"}};
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        if (g_strcmp0(types[i][0], skip) == 0)
            continue;
        g_autofree char *manifest =
            signer_attest(f->delivery->store, f->delivery->state, "registry.local/shop", digest,
                          types[i][1], json_pack("{s:s}", "x", "y"), NULL, &error);
        g_assert_no_error(error);
    }
    if (g_strcmp0(skip, "signature") != 0)
        signer_sign_image(f->delivery->store, f->delivery->state, "registry.local/shop", digest,
                          NULL, &error);
    g_assert_no_error(error);
}

static Deployment *request(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    DeploymentRequest r = {
        .environment = "production", .requested_by = "ana@example.org", .reason = "deploy"};
    Deployment *deployment = deployment_request(f->delivery, f->release, &r, &error);
    g_assert_no_error(error);
    return deployment;
}

static bool approve(Fixture *f, const Deployment *deployment, const char *person, const char *key,
                    bool *enough, GError **error)
{
    g_autofree char *path = g_build_filename(f->folder, key, NULL);
    ApprovalRequest r = {.deployment = deployment->id, .person = person, .key_path = path};
    return approval_give(f->delivery, &r, enough, error);
}

/* Leaving out any one piece of evidence blocks, and the text names it. */
static void test_missing(Fixture *f, gconstpointer kind)
{
    g_autoptr(GError) error = NULL;
    record_evidence(f, kind);
    g_autoptr(Deployment) deployment = request(f);
    decide(f->delivery, deployment, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(deployment->state, ==, "blocked");
    g_assert_nonnull(strstr(deployment->message, kind));
    g_assert_cmpint(decide_status(deployment), ==, EXIT_STATUS_NO);
}

static void test_people(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    bool enough = false;
    record_evidence(f, NULL);
    g_autoptr(Deployment) deployment = request(f);
    decide(f->delivery, deployment, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(deployment->message, ==, "waits for a person");
    g_assert_cmpstr(deployment->state, ==, "waiting");

    g_assert_false(approve(f, deployment, "ana", "ana", &enough, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_false(approve(f, deployment, "bo", "cy", &enough, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);

    g_assert_true(approve(f, deployment, "bo", "bo", &enough, &error));
    g_assert_no_error(error);
    g_assert_false(enough);
    g_assert_false(approve(f, deployment, "bo", "bo", &enough, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
    g_clear_error(&error);

    g_assert_true(approve(f, deployment, "cy", "cy", &enough, &error));
    g_assert_no_error(error);
    g_assert_true(enough);
    /* What was killed before it was carried out is asked for again and goes on. */
    enough = false;
    g_assert_true(approve(f, deployment, "cy", "cy", &enough, &error));
    g_assert_true(enough);
    decide(f->delivery, deployment, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(deployment->state, ==, "approved");
}

/* What was found for another project of the same commit says nothing of this one. */
static void test_other_project(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    record_evidence(f, "tests");
    evidence_record(
        f->delivery, "tests", "c0ffee", "passed",
        json_pack("{s:s, s:[s], s:i}", "project", "other", "commands", "make test", "passed", 9),
        NULL, &error);
    g_autoptr(Deployment) deployment = request(f);
    decide(f->delivery, deployment, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(deployment->state, ==, "blocked");
    g_assert_nonnull(strstr(deployment->message, "tests"));
}

/* The same digest asks for the same deployment; another one supersedes what waits. */
static void test_supersede(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    record_evidence(f, NULL);
    g_autoptr(Deployment) first = request(f);
    decide(f->delivery, first, NULL, &error);
    g_autoptr(Deployment) again = request(f);
    g_assert_cmpstr(first->id, ==, again->id);

    record_release(f, SETTINGS, "two");
    g_autoptr(Deployment) second = request(f);
    g_assert_cmpstr(first->id, !=, second->id);
    deployment_reload(f->delivery, first, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(first->state, ==, "superseded");
    bool enough;
    g_assert_false(approve(f, first, "bo", "bo", &enough, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
}

/* Settings that were altered in the database are found. */
static void test_altered_release(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    database_run(f->delivery->state->database, &error,
                 "UPDATE release SET settings = replace(settings, '8080', '8081')", "");
    g_autoptr(Release) release = release_find(f->delivery, "shop", f->release->digest, &error);
    g_assert_null(release);
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED);
}

static void test_policy_versions(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) settings = read_settings("project: shop\ngates: {lint: off}\n");
    g_autoptr(json_t) looser = policy_extract(settings);
    int64_t version = policy_propose(f->delivery, "shop", looser, "beef", &error);
    g_assert_no_error(error);
    g_assert_cmpint(version, ==, 2);
    g_assert_cmpint(policy_propose(f->delivery, "shop", looser, "beef", &error), ==, 2);

    bool in_force = false;
    g_autofree char *bo = g_build_filename(f->folder, "bo", NULL),
                    *cy = g_build_filename(f->folder, "cy", NULL);
    g_assert_true(policy_accept(f->delivery, "shop", 2, "bo", bo, &in_force, &error));
    g_assert_no_error(error);
    g_assert_false(in_force);
    g_assert_false(policy_accept(f->delivery, "shop", 2, "bo", bo, &in_force, &error));
    g_clear_error(&error);
    g_assert_false(policy_accept(f->delivery, "shop", 2, "cy", bo, &in_force, &error));
    g_clear_error(&error);
    g_assert_true(policy_accept(f->delivery, "shop", 2, "cy", cy, &in_force, &error));
    g_assert_no_error(error);
    g_assert_true(in_force);
    g_autoptr(Policy) force = policy_in_force(f->delivery, "shop", &error);
    g_assert_cmpint(force->version, ==, 2);
    g_assert_cmpint(policy_propose(f->delivery, "shop", looser, "beef", &error), ==, 0);
}

/* Rows of the state that were edited by hand do not count against the record. */
static const struct EditedRow {
    const char *name, *sql;
} edited_rows[] = {
    {"author", "UPDATE release SET people = '{\"author\":[\"cy@example.org\"]}'"},
    {"commit", "UPDATE release SET commit_id = 'beef'"},
    {"migrations", "UPDATE release SET migrations_digest = 'sha256:00'"},
    {"policy", "UPDATE policy SET document = '{\"environments\": {\"production\": {}}}'"},
    {"state", "UPDATE deployment SET state = 'approved'"},
};

static void test_edited_row(Fixture *f, gconstpointer data)
{
    const struct EditedRow *row = data;
    g_autoptr(GError) error = NULL;
    record_evidence(f, NULL);
    g_autoptr(Deployment) deployment = request(f);
    database_run(f->delivery->state->database, &error, row->sql, "");
    g_assert_no_error(error);
    g_autoptr(GError) refusal = NULL;
    g_autoptr(Release) release =
        release_find(f->delivery, deployment->project, deployment->digest, &refusal);
    g_autoptr(GPtrArray) gates =
        release != NULL ? gate_evaluate(f->delivery, release, deployment, &refusal) : NULL;
    bool blocked = true, waiting = false;
    if (gates != NULL)
        gate_summary(gates, &blocked, &waiting);
    g_assert_true(gates == NULL || blocked || waiting);
    if (!g_str_equal(row->name, "state"))
        g_assert_true(gates == NULL || blocked);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"build",           "lint", "tests",      "secrets",
                                        "vulnerabilities", "sbom", "provenance", "signature"};
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *path = g_strdup_printf("/delivery/missing/%s", kinds[i]);
        g_test_add(path, Fixture, kinds[i], set_up, test_missing, tear_down);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(edited_rows); i++) {
        g_autofree char *path = g_strdup_printf("/delivery/edited/%s", edited_rows[i].name);
        g_test_add(path, Fixture, &edited_rows[i], set_up, test_edited_row, tear_down);
    }
    g_test_add("/delivery/people", Fixture, NULL, set_up, test_people, tear_down);
    g_test_add("/delivery/other-project", Fixture, NULL, set_up, test_other_project, tear_down);
    g_test_add("/delivery/supersede", Fixture, NULL, set_up, test_supersede, tear_down);
    g_test_add("/delivery/altered-release", Fixture, NULL, set_up, test_altered_release, tear_down);
    g_test_add("/delivery/policy-versions", Fixture, NULL, set_up, test_policy_versions, tear_down);
    return g_test_run();
}
