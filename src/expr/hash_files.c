#include "expr/hash_files.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>

#define TIME_LIMIT_US (120 * G_USEC_PER_SEC)
#define DEPTH_LIMIT 128

typedef struct {
    char **parts; /* of the pattern, split at '/'; "**" spans folders */
    bool exclude;
} Pattern;

typedef struct {
    const char *workspace;
    GPtrArray *patterns; /* Pattern * */
    bool follow_links;
    gint64 deadline;
    EVP_MD_CTX *total;
    bool any;
} Walk;

static void pattern_free(gpointer data)
{
    Pattern *pattern = data;
    g_strfreev(pattern->parts);
    g_free(pattern);
}

/* Does the path PARTS[0..] match the pattern PATTERN[0..] as a whole? */
static bool match_parts(char **pattern, char **parts)
{
    for (; *pattern != NULL; pattern++, parts++) {
        if (g_str_equal(*pattern, "**")) {
            for (char **rest = parts;; rest++) {
                if (match_parts(pattern + 1, rest))
                    return true;
                if (*rest == NULL)
                    return false;
            }
        }
        if (*parts == NULL || fnmatch(*pattern, *parts, FNM_NOESCAPE) != 0)
            return false;
    }
    return *parts == NULL;
}

/* A pattern that names a folder takes all below it (implicit descendants). */
static bool match_below(const Pattern *pattern, char **parts)
{
    if (match_parts(pattern->parts, parts))
        return true;
    guint n = g_strv_length(parts);
    for (guint i = n; i > 0; i--) {
        char *cut = parts[i];
        parts[i] = NULL;
        bool matched = match_parts(pattern->parts, parts);
        parts[i] = cut;
        if (matched)
            return true;
    }
    return false;
}

/* The last pattern that says something about PATH decides. */
static bool selected(const Walk *walk, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    bool chosen = false;
    for (guint i = 0; i < walk->patterns->len; i++) {
        const Pattern *pattern = walk->patterns->pdata[i];
        if (chosen == pattern->exclude && match_below(pattern, parts))
            chosen = !pattern->exclude;
    }
    return chosen;
}

static bool hash_file(Walk *walk, int fd, const char *path, GError **error)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    g_autofree char *buffer = g_malloc(256 * 1024);
    ssize_t n;
    while ((n = read(fd, buffer, 256 * 1024)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || g_get_monotonic_time() > walk->deadline) {
            EVP_MD_CTX_free(hash);
            if (n < 0)
                return error_set_errno(error, errno, "read", path);
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                        "hashFiles took longer than 120 seconds");
            return false;
        }
        EVP_DigestUpdate(hash, buffer, (size_t) n);
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(hash, digest, &length);
    EVP_MD_CTX_free(hash);
    EVP_DigestUpdate(walk->total, digest, length);
    walk->any = true;
    return true;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static bool walk_folder(Walk *walk, int folder, const char *prefix, int depth, GError **error);

static bool walk_entry(Walk *walk, int folder, const char *name, const char *path, int depth,
                       GError **error)
{
    struct stat info;
    if (fstatat(folder, name, &info, walk->follow_links ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || error_set_errno(error, errno, "stat", path);
    bool link = S_ISLNK(info.st_mode);
    if (link && (fstatat(folder, name, &info, 0) < 0 || !S_ISREG(info.st_mode)))
        return true; /* a link to a folder is not entered; to a file it counts as that file */
    if (!S_ISDIR(info.st_mode) && !(S_ISREG(info.st_mode) && selected(walk, path)))
        return true;
    autofd int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(error, errno, "open", path);
    if (S_ISDIR(info.st_mode))
        return depth >= DEPTH_LIMIT || walk_folder(walk, fd, path, depth + 1, error);
    return hash_file(walk, fd, path, error);
}

static bool walk_folder(Walk *walk, int folder, const char *prefix, int depth, GError **error)
{
    g_autofree char *here = g_strdup_printf("/proc/self/fd/%d", folder);
    GDir *listing = g_dir_open(here, 0, error);
    if (listing == NULL)
        return false;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; (name = g_dir_read_name(listing)) != NULL;)
        g_ptr_array_add(names, g_strdup(name));
    g_dir_close(listing);
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *path =
            prefix[0] == '\0' ? g_strdup(name) : g_strdup_printf("%s/%s", prefix, name);
        if (!walk_entry(walk, folder, name, path, depth, error))
            return false;
    }
    return true;
}

/* "./a//b/" and absolute paths below WORKSPACE become parts relative to it; NULL: it lies
 * outside. */
static char **pattern_parts(const char *workspace, const char *text)
{
    size_t length = strlen(workspace);
    if (strncmp(text, workspace, length) == 0 && (text[length] == '/' || text[length] == '\0'))
        text += length;
    else if (text[0] == '/')
        return NULL;
    g_auto(GStrv) raw = g_strsplit(text, "/", -1);
    g_autoptr(GStrvBuilder) parts = g_strv_builder_new();
    for (char **part = raw; *part != NULL; part++) {
        if (g_str_equal(*part, ".."))
            return NULL;
        if (**part != '\0' && !g_str_equal(*part, "."))
            g_strv_builder_add(parts, *part);
    }
    return g_strv_builder_end(parts);
}

static void add_pattern(Walk *walk, char *line)
{
    g_strstrip(line);
    if (line[0] == '\0' || line[0] == '#')
        return;
    bool exclude = false;
    while (*line == '!') {
        exclude = !exclude;
        line = g_strchug(line + 1);
    }
    char **parts = pattern_parts(walk->workspace, line);
    if (parts == NULL)
        return;
    Pattern *pattern = g_new(Pattern, 1);
    *pattern = (Pattern){.parts = parts, .exclude = exclude};
    g_ptr_array_add(walk->patterns, pattern);
}

static char *hex(const unsigned char *bytes, unsigned length)
{
    GString *text = g_string_sized_new(2 * length);
    for (unsigned i = 0; i < length; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
    return g_string_free(text, FALSE);
}

char *hash_files(const char *workspace, const char *patterns, bool follow_links, GError **error)
{
    autofd int folder = open(workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        error_set_errno(error, errno, "open workspace", workspace);
        return NULL;
    }
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(pattern_free);
    Walk walk = {
        .workspace = workspace,
        .patterns = list,
        .follow_links = follow_links,
        .deadline = g_get_monotonic_time() + TIME_LIMIT_US,
        .total = EVP_MD_CTX_new(),
    };
    g_auto(GStrv) lines = g_strsplit(patterns, "\n", -1);
    for (char **line = lines; *line != NULL; line++)
        add_pattern(&walk, *line);
    EVP_DigestInit_ex(walk.total, EVP_sha256(), NULL);
    bool walked = walk_folder(&walk, folder, "", 0, error);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(walk.total, digest, &length);
    EVP_MD_CTX_free(walk.total);
    if (!walked)
        return NULL;
    return walk.any ? hex(digest, length) : g_strdup("");
}

char *hash_files_call(const char *workspace, const char *const *texts, size_t count, GError **error)
{
    bool follow = count > 0 && g_ascii_strcasecmp(texts[0], "--follow-symbolic-links") == 0;
    if (!follow && count > 0 && g_str_has_prefix(texts[0], "--")) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "Invalid glob option %s, available option: '--follow-symbolic-links'.",
                    texts[0]);
        return NULL;
    }
    GString *patterns = g_string_new(NULL);
    for (size_t i = follow ? 1 : 0; i < count; i++)
        g_string_append_printf(patterns, "%s\n", texts[i]);
    char *result = hash_files(workspace, patterns->str, follow, error);
    g_string_free(patterns, TRUE);
    return result;
}
