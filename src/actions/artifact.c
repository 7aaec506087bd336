/* artifact.c - actions/upload-artifact and download-artifact: files that outlive their job, as a
 * tar each below the run's folder.
 *
 *   runs/ID/artifacts/NAME.tar */
#include "actions/answers.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "crypto/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *artifact_folder(ActionCall *call, GError **error)
{
    g_autofree char *folder = g_build_filename(call->run_folder, "artifacts", NULL);
    return file_make_folders(folder, 0700, error) ? g_steal_pointer(&folder) : NULL;
}

static bool is_name(const char *name, GError **error)
{
    if (name[0] != '\0' && name[0] != '.' && strpbrk(name, "\"<>|*?\r\n\\/:") == NULL)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "The artifact name is not valid: '%s'; it must not begin with a dot or contain any "
                "of \" : < > | * ? \\ / and line ends",
                name);
    return false;
}

/* -- upload ----------------------------------------------------------------------------------- */

static const char *const upload_inputs[] = {"name",
                                            "path",
                                            "if-no-files-found",
                                            "retention-days",
                                            "compression-level",
                                            "overwrite",
                                            "include-hidden-files",
                                            "archive",
                                            NULL};

/* $1 target, $2 patterns, $3 hidden files too. What all patterns have in common is the artifact's
 * top. Writes no tar when nothing matches. */
static const char pack[] =
    "shopt -s globstar nullglob; [ $3 = 1 ] && shopt -s dotglob; IFS=\n"
    "files=() tops=() out=()\n"
    "add() { if [ -d \"$1\" ]; then while IFS= read -r -d '' f; do files+=(\"$f\"); done "
    "< <(find \"$1\" \\( -type f -o -type l \\) -print0); elif [ -e \"$1\" ]; then "
    "files+=(\"$1\"); fi; }\n"
    "while IFS= read -r p; do p=${p#\"${p%%[![:space:]]*}\"}; p=${p%\"${p##*[![:space:]]}\"}\n"
    "  case $p in ''|'#'*) continue;; '!'*) out+=(\"${p#!}\"); continue;; '~'/*) "
    "p=$HOME/${p#'~/'};; esac\n"
    "  [ \"${p#/}\" = \"$p\" ] && p=$PWD/${p#./}\n"
    "  top=${p%%[*?[]*}; if [ \"$top\" != \"$p\" ] || [ ! -d \"$p\" ]; then top=${top%/*}; fi\n"
    "  tops+=(\"${top%/}\"); for m in $p; do add \"${m%/}\"; done\n"
    "done <<<\"$2\"\n"
    "base=${tops[0]}; for t in \"${tops[@]}\"; do "
    "while [ \"$t\" != \"$base\" ] && [ \"${t#\"$base\"/}\" = \"$t\" ]; do base=${base%/*}; done; "
    "done\n"
    "for f in \"${files[@]}\"; do r=${f#\"$base\"/}\n"
    "  [ $3 = 1 ] || case /$r in */.*) continue;; esac\n"
    "  for x in \"${out[@]}\"; do [ \"${x#/}\" = \"$x\" ] && x=$PWD/${x#./}\n"
    "    case $f in $x|$x/*) continue 2;; esac; done\n"
    "  printf '%s\\0' \"$r\"\n"
    "done >\"$1.list\"\n"
    "[ -s \"$1.list\" ] || exit 0\n"
    "sort -zu \"$1.list\" | tar -C \"$base\" --null --no-recursion -T - -h -cf \"$1\" && "
    "echo \"$(sort -zu \"$1.list\" | tr -dc '\\0' | wc -c) files\"";

static bool nothing_found(ActionCall *call, const char *paths, GError **error)
{
    const char *policy = action_input(call, "if-no-files-found", "warn");
    g_autofree char *message = g_strdup_printf(
        "No files were found with the provided path: %s. No artifacts will be uploaded.", paths);
    if (g_str_equal(policy, "error")) {
        g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, message);
        return false;
    }
    if (!g_str_equal(policy, "ignore")) {
        g_autofree char *line = g_strconcat("Warning: ", message, NULL);
        call->log(call, line);
    }
    return true;
}

static bool finish_upload(ActionCall *call, const char *path, GError **error)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0)
        return error_set_errno(error, errno, "read", path);
    int64_t length;
    g_autofree char *digest = hash_fd(HASH_SHA256, fd, &length, error);
    if (digest == NULL)
        return false;
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, (guint64) info.st_ino);
    call->set_output(call, "artifact-id", id);
    call->set_output(call, "artifact-digest", strchr(digest, ':') + 1);
    call->set_output(call, "artifact-url", path);
    return true;
}

static bool run_upload(ActionCall *call, GError **error)
{
    const char *name = action_input(call, "name", "artifact");
    const char *paths = action_input(call, "path", NULL);
    bool hidden, overwrite;
    g_autofree char *folder = artifact_folder(call, error);
    if (folder == NULL || !is_name(name, error) ||
        !action_input_boolean(call, "include-hidden-files", false, &hidden, error) ||
        !action_input_boolean(call, "overwrite", false, &overwrite, error))
        return false;
    if (paths == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "Input required and not supplied: path");
        return false;
    }
    g_autofree char *file = g_strconcat(name, ".tar", NULL);
    g_autofree char *target = g_build_filename(folder, file, NULL);
    if (access(target, F_OK) == 0 && !overwrite) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "an artifact with the name '%s' already exists in this run", name);
        return false;
    }
    g_autofree char *inside = g_strdup_printf("%s/artifact-%s", call->temp, file);
    const char *const words[] = {inside, paths, hidden ? "1" : "0", NULL};
    if (!answers_run_script(call, pack, words, "the artifact could not be packed", error))
        return false;
    g_autoptr(GError) missing = NULL;
    if (!call->collect(call, inside, target, &missing)) {
        if (g_error_matches(missing, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
            return nothing_found(call, paths, error);
        g_propagate_error(error, g_steal_pointer(&missing));
        return false;
    }
    return finish_upload(call, target, error);
}

/* -- download --------------------------------------------------------------------------------- */

static const char *const download_inputs[] = {"name", "pattern", "path", "merge-multiple", NULL};

static bool hand_over(ActionCall *call, const char *archive, const char *to, GError **error)
{
    static const char unpack[] = "mkdir -p \"$2\" && tar -xf \"$1\" -C \"$2\" --no-same-owner";
    g_autofree char *given = g_build_filename(call->hand_over, "artifact.tar", NULL);
    g_autofree char *inside = g_build_filename(call->hand_over_inside, "artifact.tar", NULL);
    unlink(given);
    autofd int from = open(archive, O_RDONLY | O_CLOEXEC);
    autofd int copy = open(given, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (from < 0 || copy < 0)
        return error_set_errno(error, errno, "read artifact", archive);
    ssize_t n;
    while ((n = copy_file_range(from, NULL, copy, NULL, 1 << 30, 0)) > 0)
        continue;
    if (n < 0)
        return error_set_errno(error, errno, "copy artifact", archive);
    const char *const words[] = {inside, to, NULL};
    return answers_run_script(call, unpack, words, "the artifact could not be unpacked", error);
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Names of the run's artifacts that PATTERN takes, in order. */
static GPtrArray *list_artifacts(const char *folder, const char *pattern)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GDir *listing = g_dir_open(folder, 0, NULL);
    for (const char *file; listing != NULL && (file = g_dir_read_name(listing)) != NULL;) {
        g_autofree char *name = g_strdup(file);
        if (g_str_has_suffix(name, ".tar"))
            name[strlen(name) - strlen(".tar")] = '\0';
        if (fnmatch(pattern, name, 0) == 0)
            g_ptr_array_add(names, g_steal_pointer(&name));
    }
    if (listing != NULL)
        g_dir_close(listing);
    g_ptr_array_sort(names, by_name);
    return names;
}

static bool run_download(ActionCall *call, GError **error)
{
    const char *name = action_input(call, "name", NULL);
    const char *path = action_input(call, "path", ".");
    bool merge;
    g_autofree char *folder = artifact_folder(call, error);
    if (folder == NULL || (name != NULL && !is_name(name, error)) ||
        !action_input_boolean(call, "merge-multiple", false, &merge, error))
        return false;
    g_autofree char *top =
        path[0] == '/' ? g_strdup(path) : g_build_filename(call->workspace, path, NULL);
    g_autoptr(GPtrArray) names =
        list_artifacts(folder, name != NULL ? name : action_input(call, "pattern", "*"));
    if (name != NULL && names->len == 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "Unable to download artifact(s): Artifact not found for name: %s", name);
        return false;
    }
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *file = g_strconcat(names->pdata[i], ".tar", NULL);
        g_autofree char *archive = g_build_filename(folder, file, NULL);
        g_autofree char *to =
            name != NULL || merge ? g_strdup(top) : g_build_filename(top, names->pdata[i], NULL);
        if (!hand_over(call, archive, to, error))
            return false;
    }
    call->set_output(call, "download-path", top);
    return true;
}

const Action action_upload_artifact = {"actions/upload-artifact", upload_inputs, run_upload};
const Action action_download_artifact = {"actions/download-artifact", download_inputs,
                                         run_download};
