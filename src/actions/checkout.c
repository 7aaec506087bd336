/* checkout.c - actions/checkout: the commit of the run, from the repository on this machine.
 *
 * The work tree is made in the hand-over folder by git programs that see only the repository
 * itself, and copied on inside the job: a step before may have left hooks or links in the job's
 * folders, and nothing of ours follows them. */
#include "actions/answers.h"
#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "pipeline/run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static const char *const inputs[] = {"repository",
                                     "ref",
                                     "token",
                                     "ssh-key",
                                     "ssh-known-hosts",
                                     "ssh-strict",
                                     "ssh-user",
                                     "persist-credentials",
                                     "path",
                                     "clean",
                                     "filter",
                                     "sparse-checkout",
                                     "sparse-checkout-cone-mode",
                                     "fetch-depth",
                                     "fetch-tags",
                                     "show-progress",
                                     "lfs",
                                     "submodules",
                                     "set-safe-directory",
                                     "github-server-url",
                                     NULL};

/* The settings git runs with: no hook, no watcher, any owner, any commit may be fetched. */
static const char config[] = "[safe]\n\tdirectory = *\n"
                             "[uploadpack]\n\tallowAnySHA1InWant = true\n"
                             "[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n"
                             "[advice]\n\tdetachedHead = false\n"
                             "[init]\n\tdefaultBranch = main\n";

typedef struct {
    ActionCall *call;
    char *target; /* the new work tree, of this machine */
    char *config_file;
    char **environment;
} Checkout;

static bool run_program(Checkout *checkout, const char *const *argv, const char *folder,
                        char **output, GError **error)
{
    const ProcessSpec spec = {
        .argv = argv, .environment = (const char *const *) checkout->environment, .folder = folder};
    g_auto(ProcessResult) result = {0};
    if (!process_run_checked(&spec, &result, error))
        return false;
    if (output != NULL)
        *output = g_strdup(g_strchomp(result.output));
    return true;
}

#define GIT(checkout, error, ...)                                                                  \
    run_program(checkout, (const char *const[]){"git", __VA_ARGS__, NULL}, (checkout)->target,     \
                NULL, error)

static bool refuse(GError **error, const char *name, const char *value, const char *why)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "input '%s: %s': %s", name, value,
                why);
    return false;
}

/* Inputs that ask for what is not to be had here. */
static bool check_inputs(const ActionCall *call, GError **error)
{
    const char *own = json_string_value(json_object_get(call->github, "repository"));
    const char *repository = action_input(call, "repository", own);
    const char *submodules = action_input(call, "submodules", "false");
    const char *sparse = action_input(call, "sparse-checkout", "");
    const char *filter = action_input(call, "filter", "");
    bool lfs;
    if (g_ascii_strcasecmp(repository, own) != 0)
        return refuse(error, "repository", repository,
                      "only the repository of the run itself is checked out");
    if (!g_str_equal(submodules, "false"))
        return refuse(error, "submodules", submodules, "submodules are not fetched");
    if (sparse[0] != '\0')
        return refuse(error, "sparse-checkout", sparse, "the whole tree is checked out");
    if (filter[0] != '\0')
        return refuse(error, "filter", filter, "partial clones are not made");
    if (!action_input_boolean(call, "lfs", false, &lfs, error))
        return false;
    return !lfs || refuse(error, "lfs", "true", "LFS files are not fetched");
}

/* The commit meant by the input `ref`, or the run's own. */
static char *find_commit(Checkout *checkout, const char **ref, GError **error)
{
    const PipelineRunSpec *run = checkout->call->run;
    const char *asked = action_input(checkout->call, "ref", NULL);
    *ref = asked != NULL ? asked : run->ref;
    if (asked == NULL || g_strcmp0(asked, run->ref) == 0 || g_strcmp0(asked, run->commit) == 0)
        return g_strdup(run->commit);
    const char *const forms[] = {"%s", "refs/heads/%s", "refs/tags/%s", "refs/remotes/origin/%s"};
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autoptr(GString) name = g_string_new(forms[i]);
        g_string_replace(name, "%s", asked, 1);
        g_string_append(name, "^{commit}");
        char *commit = NULL;
        const char *const argv[] = {
            "git", "rev-parse", "--verify", "--quiet", "--end-of-options", name->str, NULL};
        if (run_program(checkout, argv, run->repository_folder, &commit, NULL))
            return commit;
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                "A branch or tag with the name '%s' could not be found", asked);
    return NULL;
}

static bool fetch(Checkout *checkout, const char *commit, const char *ref, GError **error)
{
    const PipelineRunSpec *run = checkout->call->run;
    g_autofree char *source = g_strconcat("file://", run->repository_folder, NULL);
    const char *depth_text = action_input(checkout->call, "fetch-depth", "1");
    long depth = strtol(depth_text, NULL, 10);
    bool tags;
    if (depth < 0 || depth_text[strspn(depth_text, "0123456789")] != '\0')
        return refuse(error, "fetch-depth", depth_text, "a whole number was expected");
    if (!action_input_boolean(checkout->call, "fetch-tags", false, &tags, error))
        return false;
    g_autofree char *depth_option = g_strdup_printf("--depth=%ld", depth);
    const char *tag_option = tags || depth == 0 ? "--tags" : "--no-tags";
    if (!GIT(checkout, error, "init", "-q") ||
        !GIT(checkout, error, "remote", "add", "origin", source))
        return false;
    bool fetched = depth == 0 ? GIT(checkout, error, "fetch", "-q", tag_option, "origin", commit,
                                    "+refs/heads/*:refs/remotes/origin/*")
                              : GIT(checkout, error, "fetch", "-q", tag_option, depth_option,
                                    "origin", commit);
    if (!fetched)
        return false;
    if (ref != NULL && g_str_has_prefix(ref, "refs/heads/"))
        return GIT(checkout, error, "checkout", "-q", "-B", ref + strlen("refs/heads/"), commit);
    return GIT(checkout, error, "checkout", "-q", "--detach", commit);
}

/* What is changed and not committed, over the commit: for runs of a work tree as it is. */
static bool add_uncommitted(Checkout *checkout, GError **error)
{
    static const char script[] = "git ls-files -z --cached --others --exclude-standard -- . |"
                                 " while IFS= read -r -d '' f; do [ -e \"$f\" -o -L \"$f\" ] && "
                                 "printf '%s\\0' \"$f\"; done |"
                                 " tar --null --no-recursion -T - -cf - | tar -xf - -C \"$1\" &&"
                                 " git ls-files -z --deleted | (cd \"$1\" && xargs -0 -r rm -f --)";
    const char *const argv[] = {"bash", "-o",   "pipefail",       "-c",
                                script, "bash", checkout->target, NULL};
    return run_program(checkout, argv, checkout->call->run->repository_folder, NULL, error);
}

/* Where in the workspace; the target is given over to the job's user as it sees it. */
static bool hand_over(Checkout *checkout, GError **error)
{
    ActionCall *call = checkout->call;
    g_autofree char *name = g_path_get_basename(checkout->target);
    g_autofree char *from = g_build_filename(call->hand_over_inside, name, NULL);
    const char *path = action_input(call, "path", ".");
    g_autofree char *to =
        path[0] == '/' ? g_strdup(path) : g_build_filename(call->workspace, path, NULL);
    bool clean;
    if (!action_input_boolean(call, "clean", true, &clean, error))
        return false;
    static const char script[] =
        "mkdir -p \"$2\" && if [ $3 = 1 ]; then find \"$2\" -mindepth 1 -maxdepth 1 "
        "-exec rm -rf -- {} +; fi && cp -a \"$1/.\" \"$2/\"";
    const char *const argv[] = {"sh", "-c", script, "sh", from, to, clean ? "1" : "0", NULL};
    int status;
    if (!call->execute(call, argv, NULL, &status, error))
        return false;
    if (status == 0)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                "the checkout could not be copied to '%s' (status %d)", path, status);
    return false;
}

/* true: the repository's folder is the top of a work tree, and not a bare tree of a commit or a
 * folder within another repository. */
static bool has_history(Checkout *checkout)
{
    const char *folder = checkout->call->run->repository_folder;
    const char *const argv[] = {"git", "rev-parse", "--show-toplevel", NULL};
    g_autofree char *top = NULL;
    g_autofree char *own = realpath(folder, NULL);
    return run_program(checkout, argv, folder, &top, NULL) && g_strcmp0(top, own) == 0;
}

static bool make_tree(Checkout *checkout, GError **error)
{
    ActionCall *call = checkout->call;
    const PipelineRunSpec *run = call->run;
    if (run->commit == NULL || run->content_only || !has_history(checkout)) {
        g_autofree char *line =
            g_strdup_printf("%s: the files as they are here, without history",
                            run->commit != NULL ? run->commit : "no git repository");
        call->log(call, line);
        if (run->commit != NULL)
            call->set_output(call, "commit", run->commit);
        const char *const argv[] = {"cp", "-a", "--", ".", checkout->target, NULL};
        return run_program(checkout, argv, run->repository_folder, NULL, error);
    }
    const char *ref;
    g_autofree char *commit = find_commit(checkout, &ref, error);
    if (commit == NULL || !fetch(checkout, commit, ref, error))
        return false;
    bool own = g_str_equal(commit, run->commit);
    g_autofree char *line =
        g_strdup_printf("%s at %s%s", ref != NULL ? ref : "HEAD", commit,
                        own && run->uncommitted ? ", with the changes that are not committed" : "");
    call->log(call, line);
    call->set_output(call, "commit", commit);
    call->set_output(call, "ref", ref != NULL ? ref : "");
    return !own || !run->uncommitted || add_uncommitted(checkout, error);
}

static bool run_checkout(ActionCall *call, GError **error)
{
    if (call->run->repository_folder == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "there is no repository to check out");
        return false;
    }
    if (!check_inputs(call, error))
        return false;
    Checkout checkout = {.call = call};
    checkout.target = file_make_temporary_folder(call->hand_over, "checkout", error);
    if (checkout.target == NULL)
        return false;
    checkout.config_file = g_strconcat(checkout.target, ".gitconfig", NULL);
    checkout.environment = g_get_environ();
    const char *const settings[][2] = {{"GIT_CONFIG_GLOBAL", checkout.config_file},
                                       {"GIT_CONFIG_NOSYSTEM", "1"},
                                       {"GIT_TERMINAL_PROMPT", "0"},
                                       {"LC_ALL", "C.UTF-8"}};
    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++)
        checkout.environment =
            g_environ_setenv(checkout.environment, settings[i][0], settings[i][1], TRUE);
    bool fine = file_write_atomic(AT_FDCWD, checkout.config_file, config, -1, 0600, error) &&
                make_tree(&checkout, error) && hand_over(&checkout, error);
    file_remove_tree(AT_FDCWD, checkout.target, NULL);
    file_remove_tree(AT_FDCWD, checkout.config_file, NULL);
    g_free(checkout.target);
    g_free(checkout.config_file);
    g_strfreev(checkout.environment);
    return fine;
}

const Action action_checkout = {"actions/checkout", inputs, run_checkout};
