#include "git/repository.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#define OUTPUT_LIMIT (1024 * 1024)

/* What a repository's own configuration could make git run is switched off on every call. */
static const char *const safe_settings[] = {
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.pager=cat",
    "-c", "protocol.ext.allow=never", "-c", "core.quotePath=false",
};

static void describe_failure(const char *folder, const ProcessResult *result, GError **error)
{
    g_autofree char *words = g_strstrip(g_strdup(result->errors));
    if (strstr(words, "dubious ownership") != NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                    "'%s' belongs to another user and git refuses to read it; if you trust it: "
                    "git config --global --add safe.directory '%s'",
                    folder, folder);
    else if (strstr(words, "not a git repository") != NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "'%s': not a git repository; `git init` and commit, then ship the commit",
                    folder);
    else
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "git in '%s': %s", folder,
                    words[0] != '\0' ? words : "failed without a word");
}

/* Runs git with ARGUMENTS in FOLDER. *STATUS NULL: a failure is an error. */
static char *run_git(const char *folder, int *status, GError **error, const char *const *arguments)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, (gpointer) "git");
    for (size_t i = 0; i < G_N_ELEMENTS(safe_settings); i++)
        g_ptr_array_add(argv, (gpointer) safe_settings[i]);
    for (; *arguments != NULL; arguments++)
        g_ptr_array_add(argv, (gpointer) *arguments);
    g_ptr_array_add(argv, NULL);

    g_auto(ProcessResult) result = {0};
    ProcessSpec spec = {.argv = (const char *const *) argv->pdata, .folder = folder};
    if (!process_run(&spec, &result, error)) {
        g_prefix_error(error, "git is needed (apt-get install git): ");
        return NULL;
    }
    if (status != NULL)
        *status = result.status;
    else if (result.status != 0) {
        describe_failure(folder, &result, error);
        return NULL;
    }
    return g_steal_pointer(&result.output);
}

#define git(folder, status, error, ...)                                                            \
    run_git(folder, status, error, (const char *const[]){__VA_ARGS__, NULL})

/* The first line of an optional answer; NULL when git had none. */
static char *ask(const char *folder, const char *const *arguments)
{
    int status = 0;
    g_autofree char *output = run_git(folder, &status, NULL, arguments);
    if (output == NULL || status != 0)
        return NULL;
    g_strchomp(output);
    return output[0] != '\0' ? g_steal_pointer(&output) : NULL;
}

#define git_ask(folder, ...) ask(folder, (const char *const[]){__VA_ARGS__, NULL})

static char *without_credentials(char *url /* taken */)
{
    g_autofree char *owned = url;
    char *scheme = url != NULL ? strstr(url, "://") : NULL;
    char *at = scheme != NULL ? strchr(scheme + 3, '@') : NULL;
    char *slash = scheme != NULL ? strchr(scheme + 3, '/') : NULL;
    if (at == NULL || (slash != NULL && slash < at))
        return g_steal_pointer(&owned);
    *scheme = '\0';
    return g_strdup_printf("%s://%s", url, at + 1);
}

static char *find_default_branch(const char *root, const char *branch)
{
    g_autofree char *remote =
        git_ask(root, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD");
    if (remote != NULL && g_str_has_prefix(remote, "origin/"))
        return g_strdup(remote + strlen("origin/"));

    g_autofree char *configured = git_ask(root, "config", "init.defaultBranch");
    const char *candidates[] = {configured, "main", "master"};
    for (size_t i = 0; i < G_N_ELEMENTS(candidates); i++) {
        if (candidates[i] == NULL)
            continue;
        g_autofree char *ref = g_strconcat("refs/heads/", candidates[i], NULL);
        g_autofree char *found = git_ask(root, "rev-parse", "--verify", "--quiet", ref);
        if (found != NULL)
            return g_strdup(candidates[i]);
    }
    return g_strdup(branch);
}

GitRepository *git_repository_open(const char *folder, GError **error)
{
    if (!g_file_test(folder, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "'%s': no such folder", folder);
        return NULL;
    }
    g_autofree char *answer =
        git(folder, NULL, error, "rev-parse", "--show-toplevel", "--show-prefix");
    if (answer == NULL)
        return NULL;
    g_auto(GStrv) lines = g_strsplit(answer, "\n", 3);
    if (g_strv_length(lines) < 2) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s': a bare repository has no work tree to ship", folder);
        return NULL;
    }
    g_autoptr(GitRepository) repository = g_new0(GitRepository, 1);
    repository->root = g_strdup(lines[0]);
    repository->prefix = g_strdup(lines[1]);
    size_t length = strlen(repository->prefix);
    if (length > 0 && repository->prefix[length - 1] == '/')
        repository->prefix[length - 1] = '\0';
    repository->branch = git_ask(repository->root, "symbolic-ref", "--quiet", "--short", "HEAD");
    repository->default_branch = find_default_branch(repository->root, repository->branch);
    repository->origin =
        without_credentials(git_ask(repository->root, "config", "remote.origin.url"));
    repository->user_email = git_ask(repository->root, "config", "user.email");
    repository->user_name = git_ask(repository->root, "config", "user.name");
    return g_steal_pointer(&repository);
}

void git_repository_free(GitRepository *repository)
{
    if (repository == NULL)
        return;
    g_free(repository->root);
    g_free(repository->prefix);
    g_free(repository->branch);
    g_free(repository->default_branch);
    g_free(repository->origin);
    g_free(repository->user_email);
    g_free(repository->user_name);
    g_free(repository->scratch);
    g_free(repository);
}

static void person_free(gpointer data)
{
    GitPerson *person = data;
    g_free(person->name);
    g_free(person->email);
    g_free(person);
}

/* Takes each address of LINE ("Name <mail>", "mail", several) into PEOPLE. */
static void add_people(GPtrArray *people, const char *line)
{
    static GRegex *address;
    if (g_once_init_enter(&address)) {
        GRegex *made =
            g_regex_new("[^\\s<>,;:\"'()]+@[^\\s<>,;:\"'()]+", G_REGEX_OPTIMIZE, 0, NULL);
        g_once_init_leave(&address, made);
    }
    g_autoptr(GMatchInfo) match = NULL;
    for (g_regex_match(address, line, 0, &match); g_match_info_matches(match);
         g_match_info_next(match, NULL)) {
        int start;
        g_match_info_fetch_pos(match, 0, &start, NULL);
        GitPerson *person = g_new0(GitPerson, 1);
        g_autofree char *before = g_strndup(line, (gsize) start);
        person->name = g_strdup(g_strstrip(g_strdelimit(before, "<,;", ' ')));
        person->email = g_match_info_fetch(match, 0);
        g_ptr_array_add(people, person);
    }
}

/* Who "Co-authored-by:" names, anywhere in BODY and however it is written: git sees trailers only
 * in the last paragraph, and whoever had a hand in a change should not slip out by a line below it.
 */
static GPtrArray *read_co_authors(char *const *body)
{
    GPtrArray *people = g_ptr_array_new_with_free_func(person_free);
    g_autoptr(GRegex) key =
        g_regex_new("^\\W*co-?\\s?(?:author|develop)(?:ed)?[- ]?(?:by)?\\s*:(.*)$",
                    G_REGEX_CASELESS | G_REGEX_RAW, 0, NULL);
    for (; *body != NULL; body++) {
        g_autoptr(GMatchInfo) match = NULL;
        if (!g_regex_match(key, *body, 0, &match))
            continue;
        g_autofree char *value = g_match_info_fetch(match, 1);
        g_autofree char *text = g_utf8_make_valid(value, -1);
        add_people(people, text);
    }
    return people;
}

/* One commit as "author\ncommitter\nmessage". */
static void add_emails(GPtrArray *emails, const char *commit)
{
    g_auto(GStrv) lines = g_strsplit(g_strchug((char *) commit), "\n", -1);
    if (g_strv_length(lines) < 2)
        return;
    g_ptr_array_add(emails, g_strdup(lines[0]));
    g_ptr_array_add(emails, g_strdup(lines[1]));
    g_autoptr(GPtrArray) others = read_co_authors(lines + 2);
    for (guint i = 0; i < others->len; i++)
        g_ptr_array_add(emails, g_strdup(((GitPerson *) g_ptr_array_index(others, i))->email));
}

char **git_emails_between(const GitRepository *repository, const char *base, const char *head,
                          GError **error)
{
    g_autoptr(GPtrArray) emails = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *commit = g_strdup_printf("%s^{commit}", base);
    g_autofree char *known =
        git_ask(repository->root, "rev-parse", "--verify", "--quiet", "--end-of-options", commit);
    if (known != NULL) {
        g_autofree char *range = g_strdup_printf("%s..%s", known, head);
        const char *below = repository->prefix[0] != '\0' ? repository->prefix : ".";
        /* A control character ends each commit: none can stand in an address. */
        g_autofree char *text = git(repository->root, NULL, error, "log", "--no-show-signature",
                                    "--format=%ae%n%ce%n%B%x1e", range, "--", below);
        if (text == NULL)
            return NULL;
        g_auto(GStrv) commits = g_strsplit(text, "\x1e", -1);
        for (size_t i = 0; commits[i] != NULL; i++)
            add_emails(emails, commits[i]);
    }
    g_ptr_array_add(emails, NULL);
    g_ptr_array_set_free_func(emails, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&emails), FALSE);
}

static bool is_version(const char *tag)
{
    return g_regex_match_simple("^v[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]+)?$", tag, 0, 0);
}

GitCommit *git_commit_read(const GitRepository *repository, const char *revision, GError **error)
{
    int status = 0;
    g_autofree char *spec = g_strdup_printf("%s^{commit}", revision);
    g_autofree char *id = git(repository->root, &status, error, "rev-parse", "--verify", "--quiet",
                              "--end-of-options", spec);
    if (id == NULL)
        return NULL;
    if (status != 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "'%s': no commit '%s'; commit something first", repository->root, revision);
        return NULL;
    }
    g_strchomp(id);
    g_autofree char *text =
        git(repository->root, NULL, error, "show", "--no-patch", "--no-show-signature",
            "--format=%H%n%T%n%an%n%ae%n%cn%n%ce%n%ct%n%s%n%B", id);
    if (text == NULL)
        return NULL;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    if (g_strv_length(lines) < 8) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INTERNAL, "git show gave no commit");
        return NULL;
    }
    g_autoptr(GitCommit) commit = g_new0(GitCommit, 1);
    commit->id = g_strdup(lines[0]);
    commit->tree = g_strdup(lines[1]);
    commit->author = (GitPerson){g_strdup(lines[2]), g_strdup(lines[3])};
    commit->committer = (GitPerson){g_strdup(lines[4]), g_strdup(lines[5])};
    commit->time = g_ascii_strtoll(lines[6], NULL, 10);
    commit->subject = g_strdup(lines[7]);
    commit->co_authors = read_co_authors(lines + 8);
    g_autofree char *tags =
        git(repository->root, NULL, error, "tag", "--points-at", id, "--sort=-version:refname");
    if (tags == NULL)
        return NULL;
    g_auto(GStrv) names = g_strsplit(tags, "\n", -1);
    for (size_t i = 0; names[i] != NULL && commit->version == NULL; i++)
        if (is_version(names[i]))
            commit->version = g_strdup(names[i]);
    return g_steal_pointer(&commit);
}

void git_commit_free(GitCommit *commit)
{
    if (commit == NULL)
        return;
    g_free(commit->id);
    g_free(commit->tree);
    g_free(commit->subject);
    g_free(commit->author.name);
    g_free(commit->author.email);
    g_free(commit->committer.name);
    g_free(commit->committer.email);
    g_clear_pointer(&commit->co_authors, g_ptr_array_unref);
    g_free(commit->version);
    g_free(commit);
}

char *git_dirty_paths(const GitRepository *repository, size_t limit, GError **error)
{
    const char *below = repository->prefix[0] != '\0' ? repository->prefix : ".";
    g_autofree char *output = git(repository->root, NULL, error, "status", "--porcelain=v1",
                                  "--untracked-files=normal", "--no-renames", "--", below);
    if (output == NULL)
        return NULL;
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
    GString *paths = g_string_new(NULL);
    for (size_t i = 0; lines[i] != NULL && i < limit; i++)
        if (strlen(lines[i]) > 3)
            g_string_append_printf(paths, "%s\n", lines[i] + 3);
    return g_string_free(paths, FALSE);
}

/* An index, and a place for new objects, beside the repository's own: what is read into them or
 * added leaves the repository as it was. */
typedef struct {
    char *folder;
    char **environment;
} Scratch;

static void scratch_clear(Scratch *scratch)
{
    if (scratch->folder != NULL)
        file_remove_tree(AT_FDCWD, scratch->folder, NULL);
    g_free(scratch->folder);
    g_strfreev(scratch->environment);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Scratch, scratch_clear)

static bool scratch_open(const GitRepository *repository, Scratch *scratch, GError **error)
{
    g_autofree char *name = g_strdup_printf("checkout-%d", (int) getpid());
    scratch->folder = file_make_temporary_folder(
        repository->scratch != NULL ? repository->scratch : g_get_tmp_dir(), name, error);
    if (scratch->folder == NULL)
        return false;
    g_autofree char *git_folder = git_ask(repository->root, "rev-parse", "--absolute-git-dir");
    g_autofree char *objects =
        git_ask(repository->root, "rev-parse", "--path-format=absolute", "--git-path", "objects");
    g_autofree char *index = g_build_filename(scratch->folder, "index", NULL);
    g_autofree char *fresh = g_build_filename(scratch->folder, "objects", NULL);
    if (git_folder == NULL || objects == NULL || !file_make_folders(fresh, 0700, error)) {
        if (error != NULL && *error == NULL)
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "'%s': no git folder",
                        repository->root);
        return false;
    }
    const char *variables[][2] = {
        {"GIT_DIR", git_folder},
        {"GIT_INDEX_FILE", index},
        {"GIT_OBJECT_DIRECTORY", fresh},
        {"GIT_ALTERNATE_OBJECT_DIRECTORIES", objects},
        {"GIT_WORK_TREE", repository->root},
    };
    scratch->environment = g_get_environ();
    for (size_t i = 0; i < G_N_ELEMENTS(variables); i++)
        scratch->environment =
            g_environ_setenv(scratch->environment, variables[i][0], variables[i][1], TRUE);
    return true;
}

/* Runs git on the scratch index; gives what it said. */
static char *scratch_git(const GitRepository *repository, const Scratch *scratch, GError **error,
                         const char *const *arguments)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, (gpointer) "git");
    for (size_t i = 0; i < G_N_ELEMENTS(safe_settings); i++)
        g_ptr_array_add(argv, (gpointer) safe_settings[i]);
    for (; *arguments != NULL; arguments++)
        g_ptr_array_add(argv, (gpointer) *arguments);
    g_ptr_array_add(argv, NULL);
    g_auto(ProcessResult) result = {0};
    ProcessSpec spec = {
        .argv = (const char *const *) argv->pdata,
        .environment = (const char *const *) scratch->environment,
        .folder = repository->root,
    };
    return process_run_checked(&spec, &result, error) ? g_steal_pointer(&result.output) : NULL;
}

#define git_scratch(repository, scratch, error, ...)                                               \
    scratch_git(repository, scratch, error, (const char *const[]){__VA_ARGS__, NULL})

/* read-tree and checkout-index rather than `git archive`: export attributes take nothing away. */
static bool write_tree_out(const GitRepository *repository, const Scratch *scratch,
                           const char *tree, const char *target, GError **error)
{
    if (!file_make_folders(target, 0755, error))
        return false;
    g_autofree char *prefix = g_strdup_printf("--prefix=%s/", target);
    g_autofree char *read = git_scratch(repository, scratch, error, "read-tree", tree);
    g_autofree char *written =
        read != NULL
            ? git_scratch(repository, scratch, error, "checkout-index", "--all", "--force", prefix)
            : NULL;
    if (written == NULL)
        g_prefix_error(error, "check out %.12s: ", tree);
    return written != NULL;
}

bool git_checkout(const GitRepository *repository, const char *commit, const char *target,
                  GError **error)
{
    g_auto(Scratch) scratch = {0};
    return scratch_open(repository, &scratch, error) &&
           write_tree_out(repository, &scratch, commit, target, error);
}

/* The tree of the whole work tree, made in SCRATCH. */
static char *write_work_tree(const GitRepository *repository, const Scratch *scratch,
                             GError **error)
{
    g_autofree char *read = git_scratch(repository, scratch, error, "read-tree", "HEAD");
    g_autofree char *added =
        read != NULL ? git_scratch(repository, scratch, error, "add", "--all") : NULL;
    char *tree = added != NULL ? git_scratch(repository, scratch, error, "write-tree") : NULL;
    return tree != NULL ? g_strchomp(tree) : NULL;
}

char *git_work_tree_id(const GitRepository *repository, GError **error)
{
    g_auto(Scratch) scratch = {0};
    return scratch_open(repository, &scratch, error) ? write_work_tree(repository, &scratch, error)
                                                     : NULL;
}

bool git_checkout_work_tree(const GitRepository *repository, const char *target, GError **error)
{
    g_auto(Scratch) scratch = {0};
    if (!scratch_open(repository, &scratch, error))
        return false;
    g_autofree char *tree = write_work_tree(repository, &scratch, error);
    return tree != NULL && write_tree_out(repository, &scratch, tree, target, error);
}

char *git_read_file(const GitRepository *repository, const char *revision, const char *path,
                    size_t limit, GError **error)
{
    int status = 0;
    g_autofree char *object = g_strdup_printf("%s:%s", revision, path);
    g_autofree char *text = git(repository->root, &status, error, "cat-file", "blob", object);
    if (text == NULL)
        return NULL;
    if (status != 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "no '%s' at %s", path, revision);
        return NULL;
    }
    if (strlen(text) > limit) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s': larger than %zu bytes",
                    path, limit);
        return NULL;
    }
    return g_steal_pointer(&text);
}

bool git_is_ancestor(const GitRepository *repository, const char *ancestor, const char *descendant)
{
    int status = 1;
    g_autofree char *output =
        git(repository->root, &status, NULL, "merge-base", "--is-ancestor", ancestor, descendant);
    return output != NULL && status == 0;
}
