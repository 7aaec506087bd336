#include "delivery/release.h"

#include "base/clock.h"
#include "base/error.h"
#include "crypto/hash.h"
#include "format/json.h"

#include <string.h>

void release_free(Release *release)
{
    if (release == NULL)
        return;
    g_free(release->project);
    g_free(release->digest);
    g_free(release->commit);
    g_free(release->version);
    g_free(release->settings_digest);
    g_free(release->migrations_digest);
    g_free(release->run);
    json_decref(release->people);
    project_free(release->settings);
    g_free(release);
}

/* The e-mails of both, without doubles: who had a hand in any commit that gave this image. */
static json_t *join_people(const json_t *a, const json_t *b)
{
    json_t *joined = json_deep_copy(a);
    const char *role;
    json_t *emails;
    json_object_foreach((json_t *) b, role, emails)
    {
        json_t *ours = json_object_get(joined, role);
        if (ours == NULL) {
            json_object_set(joined, role, emails);
            continue;
        }
        size_t i, j;
        json_t *email, *known;
        json_array_foreach(emails, i, email)
        {
            bool there = false;
            json_array_foreach(ours, j, known) there = there || json_equal(known, email);
            if (!there)
                json_array_append(ours, email);
        }
    }
    return joined;
}

static json_t *present_people(Delivery *delivery, const char *project, const char *digest,
                              GError **error)
{
    g_autoptr(Statement) row = database_prepare(
        delivery->state->database, error,
        "SELECT people FROM release WHERE project = ? AND digest = ?", "ss", project, digest);
    if (row == NULL || !statement_step(row, error))
        return NULL;
    size_t length;
    const char *text = statement_blob(row, 0, &length);
    return json_parse("people", text, length, error);
}

bool release_record(Delivery *delivery, const char *project, const char *digest, const char *commit,
                    const char *version, const json_t *settings, const char *migrations_digest,
                    const json_t *people, const char *run, GError **error)
{
    Database *database = delivery->state->database;
    g_autofree char *settings_text = json_canonical(settings, error);
    if (settings_text == NULL)
        return false;
    g_autofree char *settings_digest =
        hash_digest(HASH_SHA256, settings_text, strlen(settings_text));
    g_autoptr(GError) failure = NULL;
    g_autoptr(json_t) before = present_people(delivery, project, digest, &failure);
    if (failure != NULL) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    g_autoptr(json_t) all = before != NULL ? join_people(before, people) : json_deep_copy(people);
    g_autofree char *people_text = json_canonical(all, error);
    if (people_text == NULL)
        return false;
    return database_run(database, error,
                        "INSERT INTO release VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                        "ON CONFLICT(project, digest) DO UPDATE SET people = excluded.people, "
                        "settings = excluded.settings, settings_digest = excluded.settings_digest, "
                        "version = coalesce(excluded.version, version)",
                        "sssssssssi", project, digest, commit, version, settings_text,
                        settings_digest, migrations_digest, people_text, run, clock_now_ns());
}

Release *release_find(Delivery *delivery, const char *project, const char *digest, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(Statement) row = database_prepare(
        delivery->state->database, &failure,
        "SELECT commit_id, version, settings, settings_digest, migrations_digest, people, run "
        "FROM release WHERE project = ? AND digest = ?",
        "ss", project, digest);
    if (row == NULL || !statement_step(row, &failure)) {
        if (failure != NULL)
            g_propagate_error(error, g_steal_pointer(&failure));
        else
            g_set_error(
                error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                "no record that '%s' built %s from a commit; only what `slipway ship` built "
                "can be deployed",
                project, digest);
        return NULL;
    }
    size_t settings_length, people_length;
    const char *settings_text = statement_blob(row, 2, &settings_length);
    g_autoptr(Release) release = g_new0(Release, 1);
    release->project = g_strdup(project);
    release->digest = g_strdup(digest);
    release->commit = g_strdup(statement_text(row, 0));
    release->version = g_strdup(statement_text(row, 1));
    release->settings_digest = g_strdup(statement_text(row, 3));
    release->migrations_digest = g_strdup(statement_text(row, 4));
    release->run = g_strdup(statement_text(row, 6));

    g_autofree char *actual = hash_digest(HASH_SHA256, settings_text, settings_length);
    if (!g_str_equal(actual, release->settings_digest)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                    "release %s: its recorded settings were changed", digest);
        return NULL;
    }
    g_autoptr(json_t) settings = json_parse("settings", settings_text, settings_length, error);
    release->settings = settings != NULL ? project_from_json(settings, error) : NULL;
    if (release->settings == NULL)
        return NULL;
    const char *people_text = statement_blob(row, 5, &people_length);
    release->people = json_parse("people", people_text, people_length, error);
    return release->people != NULL ? g_steal_pointer(&release) : NULL;
}

char *release_config_digest(const Release *release, const char *environment)
{
    g_autofree char *text = project_environment_text(release->settings, environment);
    return text != NULL ? hash_digest(HASH_SHA256, text, strlen(text)) : NULL;
}
