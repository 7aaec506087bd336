#include "ship/kind.h"

#include "base/file.h"

#include <fcntl.h>
#include <string.h>

#define FILE_LIMIT (1024 * 1024)

static gboolean has(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static gboolean contains(const char *folder, const char *name, const char *expression)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *text = file_read(AT_FDCWD, path, FILE_LIMIT, NULL, NULL);
    return text != NULL && g_regex_match_simple(expression, text, G_REGEX_MULTILINE, 0);
}

char **kind_test_commands(const char *folder)
{
    static const char *const none[] = {NULL}, *const make[] = {"make test", NULL};
    static const char *const npm[] = {"npm ci", "npm test", NULL};
    static const char *const go[] = {"go test -v ./...", NULL}, *const cargo[] = {"cargo test",
                                                                                  NULL};
    static const char *const maven[] = {"mvn -B test", NULL}, *const pytest[] = {
                                                                  "python3 -m pytest", NULL};
    static const char *const unittest[] = {"python3 -m unittest discover -v", NULL};
    const char *const *commands = none;

    if (contains(folder, "Makefile", "^test:"))
        commands = make;
    else if (contains(folder, "package.json", "\"test\"\\s*:"))
        commands = npm;
    else if (has(folder, "go.mod"))
        commands = go;
    else if (has(folder, "Cargo.toml"))
        commands = cargo;
    else if (has(folder, "pom.xml"))
        commands = maven;
    else if (has(folder, "pytest.ini") || contains(folder, "pyproject.toml", "pytest"))
        commands = pytest;
    else if (has(folder, "tests") &&
             (has(folder, "pyproject.toml") || has(folder, "requirements.txt")))
        commands = unittest;
    return g_strdupv((char **) commands);
}
