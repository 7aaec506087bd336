/* setup_tool.c - actions/setup-node, -python, -go, -java: the tool that the job's root offers, when
 * it satisfies the version asked for; nothing is downloaded. */
#include "actions/answers.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *program;
    const char *script;  /* prints the version as "1.2.3" */
    const char *version; /* input: the version asked for */
    const char *file;    /* input: a file that names it */
    const char *output;
    const char *path_output; /* NULL: none */
} Tool;

static const Tool node = {"node",         "node --version | sed 's/^v//'",
                          "node-version", "node-version-file",
                          "node-version", NULL};
static const Tool python = {
    "python3",        "python3 -c 'import sys; print(\"%d.%d.%d\" % sys.version_info[:3])'",
    "python-version", "python-version-file",
    "python-version", "python-path"};
static const Tool go = {"go",         "go version | sed 's/.*go\\([0-9][0-9.]*\\).*/\\1/'",
                        "go-version", "go-version-file",
                        "go-version", NULL};
static const Tool java = {
    "java",         "java -version 2>&1 | sed -n '1s/.*\"\\([0-9][0-9.]*\\).*/\\1/p'",
    "java-version", "java-version-file",
    "version",      NULL};

/* Runs a shell line in the job; its last line of output, or NULL when it fails. */
static char *ask(ActionCall *call, const char *line, GError **error)
{
    const char *const argv[] = {"sh", "-c", line, NULL};
    g_autofree char *output = NULL;
    int status;
    if (!call->execute(call, argv, &output, &status, error))
        return NULL;
    if (status != 0)
        return g_strdup("");
    g_strchomp(output);
    const char *last = strrchr(output, '\n');
    return g_strdup(last != NULL ? last + 1 : output);
}

/* "20", "20.x", "^3.11", ">=18", "1.21": each given part of WANTED equals that of HAVE; with a
 * comparison the first differing part decides. */
static bool satisfies(const char *have, const char *wanted)
{
    bool at_least = g_str_has_prefix(wanted, ">=");
    wanted += strspn(wanted, "v^~>= ");
    g_auto(GStrv) a = g_strsplit(have, ".", -1);
    g_auto(GStrv) b = g_strsplit(wanted, ".", -1);
    for (size_t i = 0; b[i] != NULL; i++) {
        if (!g_ascii_isdigit(b[i][0]))
            return true; /* x, *, lts/…, latest */
        long x = a[i] != NULL ? strtol(a[i], NULL, 10) : 0, y = strtol(b[i], NULL, 10);
        if (x != y)
            return at_least && x > y;
        if (a[i] == NULL)
            return true;
    }
    return true;
}

static char *wanted_version(ActionCall *call, const Tool *tool, GError **error)
{
    const char *asked = action_input(call, tool->version, NULL);
    const char *file = action_input(call, tool->file, NULL);
    if (asked != NULL || file == NULL)
        return g_strdup(asked != NULL ? asked : "");
    g_autofree char *quoted = g_shell_quote(file);
    g_autofree char *line =
        g_strdup_printf("sed -n 's/^go \\([0-9]\\)/\\1/; /^v\\{0,1\\}[0-9]/{p;q}' %s", quoted);
    return ask(call, line, error);
}

static bool has_version(const char *have, const char *wanted)
{
    g_auto(GStrv) choices = g_strsplit_set(wanted, "\n|", -1);
    for (char **choice = choices; *choice != NULL; choice++)
        if (*g_strstrip(*choice) != '\0' && satisfies(have, *choice))
            return true;
    return wanted[0] == '\0';
}

static bool set_up(ActionCall *call, const Tool *tool, GError **error)
{
    g_autofree char *wanted = wanted_version(call, tool, error);
    if (wanted == NULL)
        return false;
    g_autofree char *have = ask(call, tool->script, error);
    if (have == NULL)
        return false;
    if (!g_ascii_isdigit(have[0]) || !has_version(have, wanted)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "%s %s is not in the job's root; it offers: %s", tool->program, wanted,
                    g_ascii_isdigit(have[0]) ? have : "none");
        return false;
    }
    call->set_output(call, tool->output, have);
    call->set_output(call, "cache-hit", "false");
    if (tool->path_output != NULL) {
        g_autofree char *line = g_strdup_printf("command -v %s", tool->program);
        g_autofree char *path = ask(call, line, error);
        if (path == NULL)
            return false;
        call->set_output(call, tool->path_output, path);
    }
    return true;
}

static bool run_node(ActionCall *call, GError **error)
{
    return set_up(call, &node, error);
}

static bool run_python(ActionCall *call, GError **error)
{
    return set_up(call, &python, error);
}

static bool run_go(ActionCall *call, GError **error)
{
    return set_up(call, &go, error);
}

static bool run_java(ActionCall *call, GError **error)
{
    return set_up(call, &java, error);
}

const Action action_setup_node = {"actions/setup-node", NULL, run_node};
const Action action_setup_python = {"actions/setup-python", NULL, run_python};
const Action action_setup_go = {"actions/setup-go", NULL, run_go};
const Action action_setup_java = {"actions/setup-java", NULL, run_java};
