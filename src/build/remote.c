#include "build/remote.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/process.h"
#include "crypto/hash.h"
#include "net/http_client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

static bool is_http(const char *source)
{
    return g_str_has_prefix(source, "http://") || g_str_has_prefix(source, "https://");
}

static bool is_git(const char *source)
{
    g_autofree char *plain = g_strndup(source, strcspn(source, "#"));
    return g_str_has_prefix(source, "git@") || g_str_has_prefix(source, "git://") ||
           g_str_has_prefix(source, "ssh://") ||
           (is_http(source) && g_str_has_suffix(plain, ".git"));
}

bool remote_is_one(const char *source)
{
    return is_http(source) || is_git(source);
}

static bool keep_piece(const HttpAnswer *answer, const void *bytes, size_t length, void *state,
                       GError **error)
{
    return file_write_all(*(int *) state, bytes, length, error);
}

static bool check_digest(const char *file, const char *wanted, GError **error)
{
    autofd int fd = open(file, O_RDONLY | O_CLOEXEC);
    g_autofree char *digest = fd >= 0 ? hash_fd(HASH_SHA256, fd, NULL, error) : NULL;
    if (digest == NULL)
        return fd >= 0 ? false : error_set_errno(error, errno, "open", file);
    if (g_str_equal(digest, wanted))
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "digest mismatch %s: %s", digest,
                wanted);
    return false;
}

static bool download(const char *url, const char *file, struct timespec *modified, GError **error)
{
    g_autoptr(HttpClient) client = http_client_new(NULL, error);
    if (client == NULL)
        return false;
    autofd int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(error, errno, "make", file);
    HttpExchange exchange = {.url = url, .sink = keep_piece, .sink_state = &fd};
    g_auto(HttpAnswer) answer = {0};
    if (!http_client_send(client, &exchange, &answer, error))
        return false;
    if (answer.status != 200) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "%s: answered with status %d",
                    url, answer.status);
        return false;
    }
    const char *date = http_answer_find(&answer, "Last-Modified");
    struct tm parts = {0};
    *modified = (struct timespec){0};
    if (date != NULL && strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &parts) != NULL)
        modified->tv_sec = timegm(&parts);
    return true;
}

/* The name of URL's file; NULL when its path has none. */
static char *name_of(const char *url)
{
    g_autofree char *path = g_strndup(url, strcspn(url, "?#"));
    const char *authority = strstr(path, "://") + 3;
    const char *slash = strrchr(authority, '/');
    return slash != NULL && slash[1] != '\0' ? g_strdup(slash + 1) : NULL;
}

static bool add_file(Stage *stage, const Instruction *in, const char *url, const char *destination,
                     bool into, Selection *selection, const SelectionRules *rules, GError **error)
{
    g_autofree char *name = name_of(url);
    if (name == NULL && into) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "cannot determine filename for source %s, expected a destination without /",
                    url);
        return false;
    }
    g_autofree char *folder = file_make_temporary_folder(stage->build->scratch, "add", error);
    if (folder == NULL)
        return false;
    g_autofree char *file = g_build_filename(folder, name != NULL ? name : "file", NULL);
    struct timespec modified;
    const char *checksum = instruction_flag(in, "checksum");
    if (!download(url, file, &modified, error) ||
        (checksum != NULL && !check_digest(file, checksum, error)))
        return false;
    struct timespec times[2] = {modified, modified};
    utimensat(AT_FDCWD, file, times, 0);
    g_autoptr(RootTree) tree = root_tree_of_folder(folder, NULL);
    return selection_add(selection, tree, name != NULL ? name : "file", destination, into, rules,
                         error);
}

static bool git(const char *folder, const char *const *arguments, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, (char *) "git");
    if (folder != NULL) {
        g_ptr_array_add(argv, (char *) "-C");
        g_ptr_array_add(argv, (char *) folder);
    }
    for (; *arguments != NULL; arguments++)
        g_ptr_array_add(argv, (char *) *arguments);
    g_ptr_array_add(argv, NULL);
    ProcessSpec spec = {.argv = (const char *const *) argv->pdata, .input_length = -1};
    g_auto(ProcessResult) result = {0};
    return process_run_checked(&spec, &result, error);
}

/* SOURCE is URL#REF:SUBFOLDER. */
static bool add_git(Stage *stage, const Instruction *in, const char *source,
                    const char *destination, Selection *selection, const SelectionRules *rules,
                    GError **error)
{
    g_auto(GStrv) parts = g_strsplit(source, "#", 2);
    g_auto(GStrv) where = g_strsplit(parts[1] != NULL ? parts[1] : "", ":", 2);
    const char *reference = where[0] != NULL && *where[0] != '\0' ? where[0] : "HEAD";
    g_autofree char *parent = file_make_temporary_folder(stage->build->scratch, "git", error);
    if (parent == NULL)
        return false;
    g_autofree char *folder = g_build_filename(parent, "tree", NULL);
    const char *clone[] = {"clone", "--quiet", "--no-checkout", "--", parts[0], folder, NULL};
    const char *checkout[] = {"checkout", "--quiet", "--detach", reference, NULL};
    if (reference[0] == '-' || !git(NULL, clone, error) || !git(folder, checkout, error))
        return error != NULL && *error != NULL
                   ? false
                   : stage_error(stage, error, "'%s' is no git reference", reference);
    const char *keep = instruction_flag(in, "keep-git-dir");
    g_autofree char *meta = g_build_filename(folder, ".git", NULL);
    if ((keep == NULL || g_str_equal(keep, "false")) && !file_remove_tree(AT_FDCWD, meta, error))
        return false;
    g_autoptr(RootTree) tree = root_tree_of_folder(folder, NULL);
    return selection_add(selection, tree, g_strv_length(where) > 1 ? where[1] : "", destination,
                         true, rules, error);
}

bool remote_add(Stage *stage, const Instruction *in, const char *source, const char *destination,
                bool into, Selection *selection, const SelectionRules *rules, GError **error)
{
    if (is_git(source))
        return add_git(stage, in, source, destination, selection, rules, error);
    return add_file(stage, in, source, destination, into, selection, rules, error);
}
