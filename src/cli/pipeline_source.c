#include "cli/pipeline_source.h"

#include "base/error.h"
#include "base/file.h"
#include "dialect/github/workflow.h"
#include "git/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT (128 * 1024 * 1024) /* the reader says what is too much, with a position */

static bool is_workflow(const char *name)
{
    return g_str_has_suffix(name, ".yml") || g_str_has_suffix(name, ".yaml");
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The only workflow file of the repository ROOT. */
static char *only_workflow(const char *root, GError **error)
{
    g_autofree char *folder = g_build_filename(root, ".github", "workflows", NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    GDir *listing = g_dir_open(folder, 0, NULL);
    for (const char *name; listing != NULL && (name = g_dir_read_name(listing)) != NULL;)
        if (is_workflow(name))
            g_ptr_array_add(names, g_strdup(name));
    if (listing != NULL)
        g_dir_close(listing);
    if (names->len == 1)
        return g_build_filename(folder, names->pdata[0], NULL);
    g_ptr_array_sort(names, by_name);
    g_ptr_array_add(names, NULL);
    g_autofree char *list = g_strjoinv(", ", (char **) names->pdata);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "%s: %s%s; name the file", folder,
                names->len == 1 ? "no workflow file" : "several workflow files: ", list);
    return NULL;
}

/* "git@host:owner/name.git", "https://host/owner/name" → "owner/name" */
static char *name_of_origin(const char *origin)
{
    if (origin == NULL)
        return NULL;
    g_autofree char *text = g_strdup(origin);
    if (g_str_has_suffix(text, ".git"))
        text[strlen(text) - 4] = '\0';
    g_auto(GStrv) parts = g_strsplit_set(text, "/:", -1);
    guint n = g_strv_length(parts);
    if (n < 2 || parts[n - 1][0] == '\0' || parts[n - 2][0] == '\0')
        return NULL;
    return g_strdup_printf("%s/%s", parts[n - 2], parts[n - 1]);
}

static void read_repository(PipelineSource *source, const GitRepository *repository)
{
    source->root = g_strdup(repository->root);
    source->repository = name_of_origin(repository->origin);
    g_autoptr(GitCommit) commit = git_commit_read(repository, "HEAD", NULL);
    if (commit == NULL)
        return;
    source->commit = g_strdup(commit->id);
    source->message = g_strdup(commit->subject);
    source->actor = g_strdup(commit->author.name);
    source->ref =
        repository->branch != NULL ? g_strconcat("refs/heads/", repository->branch, NULL) : NULL;
}

bool pipeline_source_open(PipelineSource *source, const char *path, GError **error)
{
    *source = (PipelineSource){0};
    g_autofree char *folder = path != NULL ? g_path_get_dirname(path) : g_strdup(".");
    g_autoptr(GError) problem = NULL;
    g_autoptr(GitRepository) repository = git_repository_open(folder, &problem);
    bool outside = g_error_matches(problem, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND);
    if (repository != NULL)
        read_repository(source, repository);
    else if (path == NULL || !outside) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    source->path = path != NULL ? g_strdup(path) : only_workflow(source->root, error);
    if (source->path == NULL)
        return false;
    g_autofree char *absolute = realpath(source->path, NULL);
    if (absolute == NULL)
        return error_set_errno(error, errno, "open", source->path);
    if (source->root == NULL)
        source->root = g_path_get_dirname(absolute);
    size_t length = strlen(source->root);
    bool below = strncmp(absolute, source->root, length) == 0 && absolute[length] == '/';
    source->file = g_strdup(below ? absolute + length + 1 : source->path);
    source->text = file_read(AT_FDCWD, absolute, FILE_LIMIT, &source->length, error);
    return source->text != NULL;
}

void pipeline_source_clear(PipelineSource *source)
{
    char *texts[] = {source->path,   source->file,       source->text,  source->root,   source->ref,
                     source->commit, source->repository, source->actor, source->message};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    *source = (PipelineSource){0};
}

json_t *pipeline_pairs(const char *const *pairs, const char *option, GError **error)
{
    json_t *object = json_object();
    for (; pairs != NULL && *pairs != NULL; pairs++) {
        const char *equals = strchr(*pairs, '=');
        if (equals == NULL || equals == *pairs) {
            json_decref(object);
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s '%s': expected NAME=VALUE",
                        option, *pairs);
            return NULL;
        }
        g_autofree char *name = g_strndup(*pairs, (gsize) (equals - *pairs));
        json_object_set_new(object, name, json_string(equals + 1));
    }
    return object;
}

static json_t *read_event(const char *file, GError **error)
{
    size_t length;
    g_autofree char *text = file_read(AT_FDCWD, file, 32 * 1024 * 1024, &length, error);
    if (text == NULL)
        return NULL;
    json_error_t where;
    json_t *event = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    if (json_is_object(event))
        return event;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s:%d:%d: %s", file,
                event == NULL ? where.line : 1, event == NULL ? where.column : 1,
                event == NULL ? where.text : "an object was expected");
    json_decref(event);
    return NULL;
}

json_t *pipeline_event(const PipelineSource *source, const char *event, const char *file,
                       const json_t *inputs, GError **error)
{
    if (file != NULL)
        return read_event(file, error);
    json_t *payload = json_pack("{s:s*, s:s*}", "ref", source->ref, "after", source->commit);
    json_t *commit = json_pack("{s:s*, s:s*}", "id", source->commit, "message", source->message);
    json_object_set_new(payload, "head_commit", commit);
    if (g_str_equal(event, "workflow_dispatch"))
        json_object_set(payload, "inputs", (json_t *) inputs);
    return payload;
}
