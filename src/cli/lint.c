/* lint.c - slipway lint: Dockerfiles, judged by rules that other linters' users know. */
#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "dockerfile/dockerfile.h"
#include "lint/dockerfile_lint.h"
#include "report/report.h"

#include <fcntl.h>
#include <string.h>

static bool is_dockerfile_name(const char *name)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);
    return g_str_equal(lower, "dockerfile") || g_str_equal(lower, "containerfile") ||
           g_str_has_prefix(lower, "dockerfile.") || g_str_has_prefix(lower, "containerfile.") ||
           g_str_has_suffix(lower, ".dockerfile");
}

static bool lint_file(const char *path, const DockerfileLintOptions *options, GPtrArray *findings,
                      GError **error)
{
    size_t length;
    g_autofree char *text = file_read(AT_FDCWD, path, DOCKERFILE_LIMIT, &length, error);
    if (text == NULL)
        return false;
    dockerfile_lint(path, text, length, options, findings);
    return true;
}

/* Every Dockerfile below FOLDER, hidden folders and dependencies apart. */
static bool lint_folder(const char *folder, int depth, const DockerfileLintOptions *options,
                        GPtrArray *findings, GError **error)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    if (dir == NULL || depth > 32) {
        if (dir != NULL)
            g_dir_close(dir);
        return true;
    }
    bool ok = true;
    for (const char *name = g_dir_read_name(dir); ok && name != NULL; name = g_dir_read_name(dir)) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_SYMLINK) || name[0] == '.' ||
            g_str_equal(name, "node_modules") || g_str_equal(name, "vendor"))
            continue;
        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            ok = lint_folder(path, depth + 1, options, findings, error);
        else if (is_dockerfile_name(name) && !g_str_has_suffix(name, ".dockerignore"))
            ok = lint_file(path, options, findings, error);
    }
    g_dir_close(dir);
    return ok;
}

static bool lint_paths(char **paths, const DockerfileLintOptions *options, GPtrArray *findings,
                       GError **error)
{
    for (; *paths != NULL; paths++) {
        bool ok = g_file_test(*paths, G_FILE_TEST_IS_DIR)
                      ? lint_folder(*paths, 0, options, findings, error)
                      : lint_file(*paths, options, findings, error);
        if (!ok)
            return false;
    }
    return true;
}

static bool check_rules(char **rules, GError **error)
{
    for (; rules != NULL && *rules != NULL; rules++)
        if (!dockerfile_lint_knows(*rules)) {
            command_usage_error(error, "unknown rule '%s'", *rules);
            return false;
        }
    return true;
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GStrv) rules = NULL;
    g_autofree char *fail_on = NULL;
    g_autofree char *format_text = NULL;
    const GOptionEntry entries[] = {
        {"rule", 0, 0, G_OPTION_ARG_STRING_ARRAY, &rules, "only this rule, even if off by default",
         "ID"},
        {"fail-on", 0, 0, G_OPTION_ARG_STRING, &fail_on,
         "lowest severity that fails: error, warning, info (default) or style", "SEVERITY"},
        {"format", 0, 0, G_OPTION_ARG_STRING, &format_text, "text, json or sarif", "FORMAT"},
        {0},
    };
    if (!command_parse(&command_lint, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    ReportFormat format = REPORT_TEXT;
    Severity threshold = SEVERITY_INFO;
    if (format_text != NULL && !report_format_parse(format_text, &format, error))
        return EXIT_STATUS_USAGE;
    if (fail_on != NULL && !severity_parse(fail_on, &threshold))
        return command_usage_error(error, "--fail-on: unknown severity '%s'", fail_on);
    if (!check_rules(rules, error))
        return EXIT_STATUS_USAGE;
    char *here[] = {(char *) ".", NULL};
    DockerfileLintOptions options = {.rules = (const char *const *) rules};
    g_autoptr(GPtrArray) findings = findings_new();
    if (!lint_paths(argc > 1 ? argv + 1 : here, &options, findings, error) ||
        !report_apply_ignores(findings, ".", false, error))
        return EXIT_STATUS_NO;
    report_write(stdout, format, "slipway lint", findings);
    return report_count(findings, threshold) > 0 ? EXIT_STATUS_NO : EXIT_STATUS_DONE;
}

const Command command_lint = {
    .name = "lint",
    .group = "check",
    .operands = "[PATH]…",
    .summary = "lint Dockerfiles",
    .run = run,
};
