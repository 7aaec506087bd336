/* cache.c - actions/cache: folders kept between runs of one repository, as a tar a key.
 *
 *   cache/actions/REPOSITORY/KEY.tar   names are URI-escaped; the newest prefix wins */
#include "actions/answers.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "pipeline/run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const inputs[] = {"path",
                                     "key",
                                     "restore-keys",
                                     "lookup-only",
                                     "fail-on-cache-miss",
                                     "save-always",
                                     "upload-chunk-size",
                                     "enablecrossosarchive",
                                     NULL};

/* Paths are kept as they are, from the root; "~" is the job's home. $1 tar, $2 paths. */
static const char pack[] =
    "IFS=\n"
    "list=(); while IFS= read -r p; do p=${p#\"${p%%[![:space:]]*}\"}; "
    "p=${p%\"${p##*[![:space:]]}\"}\n"
    "  case $p in ''|'#'*|'!'*) continue;; '~') p=$HOME;; '~'/*) p=$HOME/${p#'~/'};; esac\n"
    "  [ \"${p#/}\" = \"$p\" ] && p=$PWD/${p#./}\n"
    "  for m in $p; do [ -e \"$m\" ] && list+=(\"${m#/}\"); done\n"
    "done <<<\"$2\"\n"
    "[ ${#list[@]} -gt 0 ] || exit 0\n"
    "tar -C / -cf \"$1\" -- \"${list[@]}\"";
static const char unpack[] = "tar -C / -xf \"$1\"";

static char *cache_folder(ActionCall *call, GError **error)
{
    const char *repository = json_string_value(json_object_get(call->github, "repository"));
    g_autofree char *name = g_uri_escape_string(repository, NULL, FALSE);
    return state_folder(call->run->state, error, "cache", "actions", name, NULL);
}

static char *file_of(const char *folder, const char *key)
{
    g_autofree char *escaped = g_uri_escape_string(key, NULL, FALSE);
    g_autofree char *file = g_strconcat(escaped, ".tar", NULL);
    return g_build_filename(folder, file, NULL);
}

/* The key of the newest cache whose key begins with PREFIX. */
static char *newest(const char *folder, const char *prefix)
{
    g_autofree char *wanted = g_uri_escape_string(prefix, NULL, FALSE);
    char *found = NULL;
    struct timespec best = {0};
    GDir *listing = g_dir_open(folder, 0, NULL);
    for (const char *file; listing != NULL && (file = g_dir_read_name(listing)) != NULL;) {
        struct stat info;
        g_autofree char *path = g_build_filename(folder, file, NULL);
        if (!g_str_has_prefix(file, wanted) || !g_str_has_suffix(file, ".tar") ||
            stat(path, &info) < 0)
            continue;
        bool newer = info.st_mtim.tv_sec > best.tv_sec ||
                     (info.st_mtim.tv_sec == best.tv_sec && info.st_mtim.tv_nsec > best.tv_nsec);
        if (found != NULL && !newer)
            continue;
        best = info.st_mtim;
        g_free(found);
        g_autofree char *name = g_strndup(file, strlen(file) - strlen(".tar"));
        found = g_uri_unescape_string(name, NULL);
    }
    if (listing != NULL)
        g_dir_close(listing);
    return found;
}

static char *find_key(ActionCall *call, const char *folder, const char *key)
{
    g_autofree char *exact = file_of(folder, key);
    if (access(exact, R_OK) == 0)
        return g_strdup(key);
    g_auto(GStrv) prefixes = g_strsplit(action_input(call, "restore-keys", ""), "\n", -1);
    for (char **prefix = prefixes; *prefix != NULL; prefix++) {
        g_strstrip(*prefix);
        char *found = **prefix != '\0' ? newest(folder, *prefix) : NULL;
        if (found != NULL)
            return found;
    }
    return NULL;
}

static const char *required(ActionCall *call, const char *name, GError **error)
{
    const char *value = action_input(call, name, NULL);
    if (value == NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "Input required and not supplied: %s", name);
    return value;
}

static bool unpack_key(ActionCall *call, const char *folder, const char *key, GError **error)
{
    g_autofree char *archive = file_of(folder, key);
    g_autofree char *given = g_build_filename(call->hand_over, "cache.tar", NULL);
    g_autofree char *inside = g_build_filename(call->hand_over_inside, "cache.tar", NULL);
    unlink(given);
    if (link(archive, given) < 0)
        return error_set_errno(error, errno, "read cache", archive);
    const char *const words[] = {inside, NULL};
    bool fine = answers_run_script(call, unpack, words, "the cache could not be unpacked", error);
    unlink(given);
    return fine;
}

static bool restore(ActionCall *call, GError **error)
{
    const char *key = required(call, "key", error);
    const char *paths = key != NULL ? required(call, "path", error) : NULL;
    bool lookup, fail;
    g_autofree char *folder = paths != NULL ? cache_folder(call, error) : NULL;
    if (folder == NULL || !action_input_boolean(call, "lookup-only", false, &lookup, error) ||
        !action_input_boolean(call, "fail-on-cache-miss", false, &fail, error))
        return false;
    g_autofree char *found = find_key(call, folder, key);
    bool exact = found != NULL && g_str_equal(found, key);
    call->set_output(call, "cache-primary-key", key);
    call->set_output(call, "cache-hit", found == NULL ? "" : exact ? "true" : "false");
    if (found == NULL && fail) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "Failed to restore cache entry. Exiting as fail-on-cache-miss is set. Input "
                    "key: %s",
                    key);
        return false;
    }
    g_autofree char *line = g_strdup_printf(found != NULL ? "Cache restored from key: %s"
                                                          : "Cache not found for input keys: %s",
                                            found != NULL ? found : key);
    call->log(call, line);
    if (found == NULL)
        return true;
    call->set_output(call, "cache-matched-key", found);
    return lookup || unpack_key(call, folder, found, error);
}

static bool save(ActionCall *call, GError **error)
{
    const char *key = required(call, "key", error);
    const char *paths = key != NULL ? required(call, "path", error) : NULL;
    g_autofree char *folder = paths != NULL ? cache_folder(call, error) : NULL;
    if (folder == NULL)
        return false;
    g_autofree char *target = file_of(folder, key);
    if (access(target, F_OK) == 0) {
        call->log(call, "Cache hit occurred on the primary key, not saving cache.");
        return true;
    }
    g_autofree char *inside = g_build_filename(call->temp, "cache.tar", NULL);
    const char *const words[] = {inside, paths, NULL};
    if (!answers_run_script(call, pack, words, "the cache could not be packed", error))
        return false;
    g_autofree char *partial = g_strconcat(target, ".partial", NULL);
    g_autoptr(GError) missing = NULL;
    if (!call->collect(call, inside, partial, &missing)) {
        g_autofree char *line = g_strdup_printf("Warning: cache not saved: %s", missing->message);
        call->log(call, line);
        return true;
    }
    if (rename(partial, target) < 0)
        return error_set_errno(error, errno, "keep cache", target);
    g_autofree char *line = g_strdup_printf("Cache saved with key: %s", key);
    call->log(call, line);
    return true;
}

static bool run_cache(ActionCall *call, GError **error)
{
    if (call->post)
        return !call->job_succeeded || save(call, error);
    call->ask_post(call);
    return restore(call, error);
}

const Action action_cache = {"actions/cache", inputs, run_cache};
const Action action_cache_restore = {"actions/cache/restore", inputs, restore};
const Action action_cache_save = {"actions/cache/save", inputs, save};
