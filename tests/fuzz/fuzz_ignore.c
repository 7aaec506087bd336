/* The first line is a path, the rest an ignore file. Below an excluded folder that no `!` pattern
 * can reach all is excluded: the walk that leaves it out sees the same files. */
#include "dialect/github/trigger.h"
#include "dockerfile/ignore_file.h"
#include "report/glob.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "a/b/c" as a walk would spell it. */
static bool is_plain_path(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    for (char **part = parts; *part != NULL; part++)
        if (**part == '\0' || g_str_equal(*part, ".") || g_str_equal(*part, ".."))
            return false;
    return parts[0] != NULL;
}

static void check_walk(const IgnoreFile *file, const char *path)
{
    bool pruned = false;
    for (const char *slash = path; (slash = strchr(slash, '/')) != NULL; slash++) {
        g_autofree char *folder = g_strndup(path, (size_t) (slash - path));
        pruned = pruned || (ignore_file_excludes(file, folder) &&
                            !ignore_file_may_include_below(file, folder));
    }
    if (pruned)
        g_assert_true(ignore_file_excludes(file, path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *all = g_strndup((const char *) data, MIN(size, 512));
    char *text = strchr(all, '\n');
    if (text == NULL)
        return 0;
    *text++ = '\0';
    path_pattern_matches(text, all);
    glob_match_path(text, all);
    glob_match_name(text, all);
    if (glob_problem(text) == NULL)
        glob_matches(text, all);
    g_autoptr(IgnoreFile) file = ignore_file_parse(".dockerignore", text, NULL);
    if (file != NULL && is_plain_path(all))
        check_walk(file, all);
    return 0;
}
