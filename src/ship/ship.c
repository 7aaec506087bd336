#include "ship/ship.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "container/port.h"
#include "crypto/hash.h"
#include "delivery/decide.h"
#include "delivery/policy_store.h"
#include "format/json.h"
#include "model/policy.h"
#include "sandbox/sandbox.h"
#include "ship/image_stages.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- a sink that several threads may use, and that keeps the run's own copy ---- */

typedef struct {
    EventSink sink;
    GMutex lock;
    EventSink *next; /* may be NULL */
    int log_fd;
    char *run;
} RunSink;

static void run_sink_emit(EventSink *self, json_t *event)
{
    RunSink *sink = (RunSink *) self;
    g_mutex_lock(&sink->lock);
    if (json_object_get(event, "run") == NULL && sink->run != NULL)
        json_object_set_new(event, "run", json_string(sink->run));
    g_autofree char *line = json_compact(event);
    g_autofree char *whole = g_strconcat(line, "\n", NULL);
    if (sink->log_fd >= 0)
        file_write_all(sink->log_fd, whole, strlen(whole), NULL);
    if (sink->next != NULL)
        sink->next->emit(sink->next, event);
    g_mutex_unlock(&sink->lock);
}

/* ---- one ship at a time per project ---- */

static int lock_project(State *state, const char *project, GError **error)
{
    g_autofree char *folder = state_folder(state, error, "runs", NULL);
    if (folder == NULL)
        return -1;
    g_autofree char *path = g_strdup_printf("%s/%s.lock", folder, project);
    autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set_errno(error, errno, "open", path);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        if (ftruncate(fd, 0) == 0)
            dprintf(fd, "%d\n", (int) getpid());
        return steal_fd(&fd);
    }
    char holder[16] = "";
    if (pread(fd, holder, sizeof holder - 1, 0) < 0)
        holder[0] = '\0';
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                "another ship of '%s' is under way (process %s); wait for it", project,
                g_strchomp(holder));
    return -1;
}

/* ---- the run ---- */

static GPtrArray *order_environments(const Project *settings);

typedef struct {
    const ShipSpec *spec;
    Source *source;
    Delivery *delivery;
    Release *release; /* before the build without digest */
    RunSink sink;
    char *run, *run_folder, *checkout, *project_folder;
    int lock;
} Ship;

static void ship_clear(Ship *s)
{
    source_free(s->source);
    release_free(s->release);
    delivery_close(s->delivery);
    g_free(s->run);
    g_free(s->run_folder);
    g_free(s->checkout);
    g_free(s->project_folder);
    g_free(s->sink.run);
    if (s->sink.log_fd >= 0)
        close(s->sink.log_fd);
    if (s->lock >= 0)
        close(s->lock);
    g_mutex_clear(&s->sink.lock);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Ship, ship_clear)

/* Checkouts of processes that were killed before they had a run to put them in. */
static void remove_stale_checkouts(const char *runs)
{
    g_autoptr(GDir) dir = g_dir_open(runs, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        int pid = 0;
        if (sscanf(name, "checkout-%d-", &pid) != 1 || pid <= 0 || kill(pid, 0) == 0 ||
            errno != ESRCH)
            continue;
        g_autofree char *path = g_build_filename(runs, name, NULL);
        file_remove_tree(AT_FDCWD, path, NULL);
    }
}

/* Settings are needed to know the project, and a checkout to know the settings: it is made under a
 * name of its own first. */
static bool check_out(Ship *s, GError **error)
{
    g_autofree char *runs = state_folder(s->delivery->state, error, "runs", NULL);
    if (runs == NULL)
        return false;
    remove_stale_checkouts(runs);
    s->source->repository->scratch = g_strdup(runs);
    g_autofree char *name = g_strdup_printf("checkout-%d", (int) getpid());
    g_autofree char *folder = file_make_temporary_folder(runs, name, error);
    if (folder == NULL)
        return false;
    s->checkout = g_build_filename(folder, "source", NULL);
    if (!source_checkout(s->source, s->checkout, error)) {
        file_remove_tree(AT_FDCWD, folder, NULL);
        return false;
    }
    const char *prefix = s->source->repository->prefix;
    s->project_folder =
        prefix[0] != '\0' ? g_build_filename(s->checkout, prefix, NULL) : g_strdup(s->checkout);
    if (g_file_test(s->project_folder, G_FILE_TEST_IS_DIR))
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                "the commit has no folder '%s'; commit it first", prefix);
    return false;
}

static bool read_settings(Ship *s, GError **error)
{
    json_t *settings = source_settings(s->source, s->project_folder, error);
    if (settings == NULL)
        return false;
    g_autofree char *text = json_canonical(settings, error);
    s->release = g_new0(Release, 1);
    s->release->settings = text != NULL ? project_from_json(settings, error) : NULL;
    json_decref(settings);
    if (s->release->settings == NULL)
        return false;
    s->release->project = g_strdup(s->release->settings->name);
    s->release->commit = g_strdup(s->source->id);
    s->release->settings_digest = hash_digest(HASH_SHA256, text, strlen(text));
    return true;
}

static bool register_project(Ship *s, GError **error)
{
    return database_run(s->delivery->state->database, error,
                        "INSERT OR IGNORE INTO project VALUES(?, ?, ?, ?)", "sssi",
                        s->release->project, s->source->repository->root,
                        s->source->repository->default_branch, clock_now_ns());
}

/* The authors of every commit that an environment with a gate of people has not had yet: the last
 * commit alone would hide who wrote those below it. */
static bool add_authors(Ship *s, GError **error)
{
    const GPtrArray *environments = s->release->settings->environments;
    for (guint i = 0; i < environments->len; i++) {
        const EnvironmentSettings *e = g_ptr_array_index(environments, i);
        g_autoptr(Statement) row = database_prepare(
            s->delivery->state->database, error,
            "SELECT r.commit_id FROM environment e JOIN deployment d ON d.id = e.last_good JOIN "
            "release r ON r.project = d.project AND r.digest = d.digest WHERE e.project = ? AND "
            "e.name = ?",
            "ss", s->release->project, e->name);
        if (row == NULL)
            return false;
        if (e->approvals == 0 || !statement_step(row, error))
            continue;
        /* "COMMIT-dirty-TREE" came from COMMIT. */
        g_auto(GStrv) parts = g_strsplit(statement_text(row, 0), "-", 2);
        if (!source_add_authors_since(s->source, parts[0], error))
            return false;
    }
    return true;
}

/* Adopts the first policy, proposes a newer one of the default branch, and says what of HEAD's own
 * file does not hold. */
static bool settle_policy(Ship *s, GError **error)
{
    g_autofree char *commit = NULL;
    g_autoptr(GError) failure = NULL;
    g_autoptr(json_t) trunk =
        source_default_settings(s->source, s->project_folder, &commit, &failure);
    if (trunk == NULL && failure != NULL) {
        g_propagate_prefixed_error(error, g_steal_pointer(&failure), "on the default branch: ");
        return false;
    }
    /* A default branch without the file: the change itself is the first to have one. */
    g_autoptr(json_t) document = policy_extract(trunk != NULL ? trunk : s->release->settings->json);
    const char *project = s->release->project;
    if (!policy_bootstrap(s->delivery, project, document, commit != NULL ? commit : s->source->id,
                          error))
        return false;
    int64_t proposed =
        trunk != NULL ? policy_propose(s->delivery, project, document, commit, error) : 0;
    g_autoptr(Policy) force = proposed >= 0 ? policy_in_force(s->delivery, project, error) : NULL;
    if (force == NULL)
        return false;
    g_autoptr(json_t) own = policy_extract(s->release->settings->json);
    g_autofree char *loosened = policy_loosened(force->document, own);
    if (loosened != NULL || proposed > 0)
        event_emit(&s->sink.sink, "policy",
                   json_pack("{s:I, s:I, s:s?}", "in_force", (json_int_t) force->version,
                             "proposed", (json_int_t) proposed, "loosened", loosened));
    return true;
}

/* In the order in which they follow one another, for those who draw the path. */
static json_t *environment_names(const Project *settings)
{
    g_autoptr(GPtrArray) order = order_environments(settings);
    json_t *names = json_array();
    for (guint i = 0; i < order->len; i++)
        json_array_append_new(names, json_string(((EnvironmentSettings *) order->pdata[i])->name));
    return names;
}

/* The unfinished run of the same content, or a new one. */
static bool open_run(Ship *s, GError **error)
{
    Database *database = s->delivery->state->database;
    g_autoptr(Statement) row = database_prepare(database, error,
                                                "SELECT id FROM run WHERE project = ? AND kind = "
                                                "'ship' AND commit_id = ? AND ended_at IS NULL "
                                                "ORDER BY started_at DESC LIMIT 1",
                                                "ss", s->release->project, s->source->id);
    if (row == NULL)
        return false;
    if (!s->spec->new_run && statement_step(row, NULL))
        s->run = g_strdup(statement_text(row, 0));
    if (!statement_end(row, error))
        return false;
    g_clear_pointer(&row, statement_free);
    bool resumed = s->run != NULL;
    if (!resumed) {
        g_autofree char *stamp = clock_format_seconds(clock_now_ns() / 1000000000);
        g_auto(GStrv) parts = g_strsplit_set(stamp, ":-TZ", -1);
        g_autofree char *digits = g_strjoinv("", parts);
        s->run =
            g_strdup_printf("%s-%s-%04x", s->release->project, digits, g_random_int() & 0xffff);
        if (!database_run(database, error,
                          "INSERT INTO run VALUES(?, ?, 'ship', ?, ?, ?, NULL, NULL)", "ssssi",
                          s->run, s->release->project, s->source->id, s->source->requester,
                          clock_now_ns()))
            return false;
    }
    s->run_folder = state_folder(s->delivery->state, error, "runs", s->run, NULL);
    if (s->run_folder == NULL)
        return false;
    g_autofree char *log = g_build_filename(s->run_folder, "events.jsonl", NULL);
    s->sink.log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    s->sink.run = g_strdup(s->run);
    event_emit(&s->sink.sink, "run.started",
               json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:[s,s,s,s,s,s,s,s], s:o}", "run",
                         s->run, "project", s->release->project, "commit", s->source->id, "subject",
                         s->source->commit->subject, "author", s->source->commit->author.email,
                         "resumed", resumed, "folder", s->run_folder, "stages", "lint", "tests",
                         "secrets", "workflow", "build", "scan", "sign", "push", "environments",
                         environment_names(s->release->settings)));
    crash_boundary("ship.run");
    return true;
}

/* The checkout becomes the run's; one of an earlier try is in the way. */
static bool move_checkout(Ship *s, GError **error)
{
    g_autofree char *wanted = g_build_filename(s->run_folder, "source", NULL);
    g_autofree char *temporary = g_path_get_dirname(s->checkout);
    if (!file_remove_tree(AT_FDCWD, wanted, error))
        return false;
    if (rename(s->checkout, wanted) < 0)
        return error_set_errno(error, errno, "move checkout to", wanted);
    file_remove_tree(AT_FDCWD, temporary, NULL);
    const char *prefix = s->source->repository->prefix;
    g_free(s->checkout);
    g_free(s->project_folder);
    s->checkout = g_steal_pointer(&wanted);
    s->project_folder =
        prefix[0] != '\0' ? g_build_filename(s->checkout, prefix, NULL) : g_strdup(s->checkout);
    return true;
}

/* true: nothing of GROUP is missing or failed; else the event "gate" says what. */
static bool pass_gates(Ship *s, const Release *release, GateGroup group, GError **error)
{
    g_autoptr(GPtrArray) gates = gate_evaluate_group(s->delivery, release, group, error);
    if (gates == NULL)
        return false;
    bool blocked, waiting;
    gate_summary(gates, &blocked, &waiting);
    decide_emit_gates(gates, NULL, &s->sink.sink);
    return !blocked;
}

/* What a workspace leaves is of no use once its check has ended. */
static void clear_workspaces(const Ship *s)
{
    static const char *const names[] = {"source", "work-lint", "work-tests", "work-secrets",
                                        "work-workflow"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(s->run_folder, names[i], NULL);
        file_remove_tree(AT_FDCWD, path, NULL);
    }
}

/* A port that somebody else holds is told before anything is built. One that our own proxy serves
 * has its folder. */
static bool check_ports(const Ship *s, GError **error)
{
    const GPtrArray *environments = s->release->settings->environments;
    for (guint i = 0; i < environments->len; i++) {
        const EnvironmentSettings *e = g_ptr_array_index(environments, i);
        g_autofree char *name = g_strdup_printf("%s-%s", s->release->project, e->name);
        g_autofree char *ours = g_build_filename(s->delivery->state->home, "proxies", name, NULL);
        if (e->port == 0 || g_file_test(ours, G_FILE_TEST_EXISTS))
            continue;
        g_autofree char *address = g_strdup_printf("%s:%d", e->address, e->port);
        autofd int fd = port_bind(address, error);
        if (fd >= 0)
            continue;
        if (error != NULL && g_error_matches(*error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE)) {
            g_autofree char *why = g_strdup((*error)->message);
            g_clear_error(error);
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                        "environment '%s': %s; end that, or give the environment another `port:` "
                        "in slipway.yml",
                        e->name, why);
        }
        return false;
    }
    return true;
}

static ExitStatus run_stages(Ship *s, GError **error)
{
    CheckSpec check = {
        .source = s->source,
        .release = s->release,
        .checkout = s->checkout,
        .project = s->project_folder,
        .run_folder = s->run_folder,
        .run = s->run,
        .sink = &s->sink.sink,
        .home = s->delivery->state->home,
    };
    if (!checks_run(&check, error) || !pass_gates(s, s->release, GATE_OF_SOURCE, error))
        return EXIT_STATUS_NO;

    ImageStages stages = {
        .source = s->source,
        .check = &check,
        .delivery = s->delivery,
        .stage = {.delivery = s->delivery,
                  .run = s->run,
                  .project = s->release->project,
                  .sink = &s->sink.sink},
    };
    bool built = image_stage_build(&stages, error);
    g_autofree char *digest = stages.digest;
    if (!built)
        return EXIT_STATUS_NO;
    g_autoptr(Release) release = release_find(s->delivery, s->release->project, digest, error);
    if (release == NULL || !image_stage_scan(&stages, release, error) ||
        !image_stage_sign(&stages, release, error) || !image_stage_push(&stages, release, error))
        return EXIT_STATUS_NO;
    if (!pass_gates(s, release, GATE_OF_IMAGE, error))
        return EXIT_STATUS_NO;
    clear_workspaces(s);
    return ship_environments(s->delivery, release, s->run, s->source->requester, &s->sink.sink,
                             error);
}

ExitStatus ship(const ShipSpec *spec, GError **error)
{
    g_auto(Ship) s = {.spec = spec, .lock = -1};
    s.sink.sink.emit = run_sink_emit;
    s.sink.log_fd = -1;
    s.sink.next = spec->sink;
    g_mutex_init(&s.sink.lock);

    g_autofree char *obstacle = sandbox_obstacle();
    if (obstacle != NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "%s", obstacle);
        return EXIT_STATUS_UNAVAILABLE;
    }
    s.source = source_open(spec->folder, spec->allow_dirty, error);
    s.delivery = s.source != NULL ? delivery_open(NULL, NULL, error) : NULL;
    if (s.delivery == NULL)
        return EXIT_STATUS_NO;
    if (!check_out(&s, error))
        return EXIT_STATUS_NO;
    bool ready = read_settings(&s, error) &&
                 (s.lock = lock_project(s.delivery->state, s.release->project, error)) >= 0 &&
                 check_ports(&s, error) && register_project(&s, error) && open_run(&s, error);
    if (!ready) {
        g_autofree char *temporary = g_path_get_dirname(s.checkout);
        file_remove_tree(AT_FDCWD, temporary, NULL);
        return EXIT_STATUS_NO;
    }
    g_autoptr(GError) failure = NULL;
    ExitStatus status = EXIT_STATUS_NO;
    if (move_checkout(&s, &failure) && add_authors(&s, &failure) && settle_policy(&s, &failure))
        status = run_stages(&s, &failure);
    if (failure != NULL)
        status = status > EXIT_STATUS_NO ? status : exit_status_of_error(failure);
    if (!ship_end_run(s.delivery, s.run, status, &s.sink.sink, failure == NULL ? &failure : NULL))
        status = EXIT_STATUS_UNAVAILABLE;
    if (failure != NULL)
        g_propagate_error(error, g_steal_pointer(&failure));
    return status;
}

bool ship_end_run(Delivery *delivery, const char *run, ExitStatus status, EventSink *sink,
                  GError **error)
{
    static const struct {
        ExitStatus status;
        const char *result;
        bool ends;
    } results[] = {
        {EXIT_STATUS_DONE, "done", true},
        {EXIT_STATUS_NO, "failed", true},
        {EXIT_STATUS_ROLLED_BACK, "rolled_back", true},
        {EXIT_STATUS_REJECTED, "rejected", true},
        {EXIT_STATUS_PERSON, "waiting", false},
    };
    const char *result = "interrupted";
    bool ends = false;
    for (size_t i = 0; i < G_N_ELEMENTS(results); i++)
        if (results[i].status == status) {
            result = results[i].result;
            ends = results[i].ends;
        }
    if (run != NULL && ends &&
        !database_run(delivery->state->database, error,
                      "UPDATE run SET ended_at = ?, result = ? WHERE id = ? AND ended_at IS NULL",
                      "iss", clock_now_ns(), result, run))
        return false;
    event_emit(sink, "run.ended",
               json_pack("{s:s?, s:s, s:i}", "run", run, "result", result, "status", (int) status));
    return true;
}

/* ---- environments ---- */

/* Names in the order in which they follow one another. */
static GPtrArray *order_environments(const Project *settings)
{
    GPtrArray *order = g_ptr_array_new();
    while (order->len < settings->environments->len)
        for (guint i = 0; i < settings->environments->len; i++) {
            EnvironmentSettings *e = g_ptr_array_index(settings->environments, i);
            bool placed = g_ptr_array_find(order, e, NULL), ready = e->after == NULL;
            for (guint j = 0; j < order->len && !ready; j++)
                ready = g_str_equal(((EnvironmentSettings *) g_ptr_array_index(order, j))->name,
                                    e->after);
            if (!placed && ready)
                g_ptr_array_add(order, e);
        }
    return order;
}

/* The newest deployment of this run there. */
static Deployment *find_of_run(Delivery *delivery, const Release *release, const char *environment,
                               const char *run, GError **error)
{
    g_autoptr(GPtrArray) list =
        deployment_list(delivery, release->project, environment, NULL, 100, error);
    for (guint i = 0; list != NULL && i < list->len; i++) {
        const Deployment *d = g_ptr_array_index(list, i);
        if (run != NULL && g_strcmp0(d->run, run) == 0 && g_str_equal(d->digest, release->digest))
            return g_ptr_array_steal_index(list, i);
    }
    return NULL;
}

/* One environment: 0 when it serves the digest, else why it does not. */
static ExitStatus deploy_to(Delivery *delivery, const Release *release, const char *environment,
                            const char *run, const char *requested_by, EventSink *sink,
                            GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(Deployment) deployment = find_of_run(delivery, release, environment, run, &failure);
    if (failure != NULL) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return EXIT_STATUS_INTERNAL;
    }
    if (deployment != NULL && g_str_equal(deployment->state, "succeeded")) {
        g_autofree char *url = decide_url(release, environment);
        event_emit(sink, "deploy",
                   json_pack("{s:s, s:s, s:s, s:s, s:s?, s:b}", "deployment", deployment->id,
                             "environment", environment, "state", deployment->state, "digest",
                             deployment->digest, "url", url, "again", true));
        return EXIT_STATUS_DONE;
    }
    if (deployment == NULL || deployment_is_final(deployment)) {
        DeploymentRequest request = {.environment = environment,
                                     .run = run,
                                     .requested_by = requested_by,
                                     .reason = "deploy"};
        deployment_free(deployment);
        deployment = deployment_request(delivery, release, &request, error);
        if (deployment == NULL)
            return EXIT_STATUS_NO;
        crash_boundary("ship.deploy.requested");
    }
    return decide_and_carry_out(delivery, deployment, sink, error);
}

ExitStatus ship_environments(Delivery *delivery, const Release *release, const char *run,
                             const char *requested_by, EventSink *sink, GError **error)
{
    g_autoptr(GPtrArray) order = order_environments(release->settings);
    for (guint i = 0; i < order->len; i++) {
        const EnvironmentSettings *e = g_ptr_array_index(order, i);
        ExitStatus status = deploy_to(delivery, release, e->name, run, requested_by, sink, error);
        if (status != EXIT_STATUS_DONE)
            return status;
    }
    return EXIT_STATUS_DONE;
}
