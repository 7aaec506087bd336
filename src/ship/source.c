#include "ship/source.h"

#include "base/error.h"
#include "base/file.h"
#include "dialect/slipway/settings.h"
#include "ship/kind.h"

#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define SETTINGS_LIMIT (256 * 1024)
#define DIRTY_SHOWN 5

static void append_email(json_t *list, const char *email)
{
    size_t i;
    json_t *known;
    if (email == NULL || email[0] == '\0')
        return;
    g_autofree char *lower = g_ascii_strdown(email, -1);
    json_array_foreach(list, i, known) if (g_str_equal(json_string_value(known), lower)) return;
    json_array_append_new(list, json_string(lower));
}

static json_t *collect_people(const Source *source)
{
    json_t *author = json_array(), *requester = json_array();
    append_email(author, source->commit->author.email);
    append_email(author, source->commit->committer.email);
    for (guint i = 0; i < source->commit->co_authors->len; i++)
        append_email(author,
                     ((GitPerson *) g_ptr_array_index(source->commit->co_authors, i))->email);
    append_email(requester, source->requester);
    return json_pack("{s:o, s:o}", "author", author, "requester", requester);
}

/* Who runs this: the repository's git identity, else the account. */
static char *find_requester(const GitRepository *repository)
{
    const char *email = g_getenv("GIT_COMMITTER_EMAIL");
    if (email == NULL)
        email = repository->user_email;
    if (email != NULL)
        return g_ascii_strdown(email, -1);
    struct passwd *entry = getpwuid(getuid());
    return g_strdup_printf("local:%s", entry != NULL ? entry->pw_name : "unknown");
}

static bool check_clean(Source *source, bool allow_dirty, GError **error)
{
    g_autofree char *paths = git_dirty_paths(source->repository, DIRTY_SHOWN + 1, error);
    if (paths == NULL)
        return false;
    source->dirty = paths[0] != '\0';
    if (!source->dirty || allow_dirty)
        return true;
    g_auto(GStrv) list = g_strsplit(g_strchomp(paths), "\n", -1);
    bool more = g_strv_length(list) > DIRTY_SHOWN;
    if (more)
        g_clear_pointer(&list[DIRTY_SHOWN], g_free);
    g_autofree char *shown = g_strjoinv(", ", list);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                "uncommitted changes: %s%s; commit them, or say --allow-dirty (the provenance will "
                "say so too, and production refuses it)",
                shown, more ? " …" : "");
    return false;
}

Source *source_open(const char *folder, bool allow_dirty, GError **error)
{
    g_autoptr(Source) source = g_new0(Source, 1);
    source->repository = git_repository_open(folder, error);
    if (source->repository == NULL)
        return NULL;
    source->commit = git_commit_read(source->repository, "HEAD", error);
    if (source->commit == NULL || !check_clean(source, allow_dirty, error))
        return NULL;
    source->id = g_strdup(source->commit->id);
    if (source->dirty) {
        g_autofree char *tree = git_work_tree_id(source->repository, error);
        if (tree == NULL)
            return NULL;
        g_free(source->id);
        source->id = g_strdup_printf("%s-dirty-%.12s", source->commit->id, tree);
    }
    if (source->repository->branch != NULL)
        source->ref = g_strdup_printf("refs/heads/%s", source->repository->branch);
    source->requester = find_requester(source->repository);
    source->on_default =
        !source->dirty && source->repository->default_branch != NULL &&
        git_is_ancestor(source->repository, source->commit->id, source->repository->default_branch);
    source->people = collect_people(source);
    return g_steal_pointer(&source);
}

void source_free(Source *source)
{
    if (source == NULL)
        return;
    git_repository_free(source->repository);
    git_commit_free(source->commit);
    g_free(source->id);
    g_free(source->ref);
    g_free(source->requester);
    json_decref(source->people);
    g_free(source);
}

bool source_add_authors_since(Source *source, const char *base, GError **error)
{
    g_auto(GStrv) emails = git_emails_between(source->repository, base, source->commit->id, error);
    for (size_t i = 0; emails != NULL && emails[i] != NULL; i++)
        append_email(json_object_get(source->people, "author"), emails[i]);
    return emails != NULL;
}

bool source_checkout(const Source *source, const char *target, GError **error)
{
    return source->dirty ? git_checkout_work_tree(source->repository, target, error)
                         : git_checkout(source->repository, source->commit->id, target, error);
}

static char *project_name(const Source *source)
{
    const char *path = source->repository->prefix[0] != '\0' ? source->repository->prefix
                                                             : source->repository->root;
    return g_path_get_basename(path);
}

static json_t *parse_settings(const Source *source, const char *folder, const char *text,
                              GError **error)
{
    g_auto(GStrv) test = kind_test_commands(folder);
    g_autofree char *name = project_name(source);
    SettingsDefaults defaults = {
        .file = "slipway.yml", .default_name = name, .test = (const char *const *) test};
    return settings_parse(text, text != NULL ? strlen(text) : 0, &defaults, error);
}

json_t *source_settings(const Source *source, const char *folder, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree char *path = g_build_filename(folder, "slipway.yml", NULL);
    g_autofree char *text = file_read(AT_FDCWD, path, SETTINGS_LIMIT, NULL, &failure);
    if (text == NULL && !g_error_matches(failure, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    return parse_settings(source, folder, text, error);
}

json_t *source_default_settings(const Source *source, const char *folder, char **commit,
                                GError **error)
{
    g_autofree char *path = source->repository->prefix[0] != '\0'
                                ? g_strconcat(source->repository->prefix, "/slipway.yml", NULL)
                                : g_strdup("slipway.yml");
    g_autoptr(GitCommit) head =
        git_commit_read(source->repository, source->repository->default_branch, NULL);
    if (head == NULL)
        return NULL;
    g_autofree char *text = git_read_file(source->repository, head->id, path, SETTINGS_LIMIT, NULL);
    if (text == NULL)
        return NULL;
    *commit = g_strdup(head->id);
    return parse_settings(source, folder, text, error);
}
