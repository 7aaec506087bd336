#include "base/error.h"
#include "cli/commands.h"
#include "scan/version/version.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Answers one line "ECOSYSTEM<tab>A<tab>B". */
static bool answer(char *line, size_t number, GError **error)
{
    char *a = strchr(line, '\t');
    char *b = a != NULL ? strchr(a + 1, '\t') : NULL;
    if (b == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "stdin:%zu: expected ECOSYSTEM<tab>A<tab>B", number);
        return false;
    }
    *a++ = '\0';
    *b++ = '\0';
    VersionScheme scheme = VERSION_SEMVER;
    if (!version_scheme_parse(line, &scheme)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "stdin:%zu: unknown ecosystem '%s'", number, line);
        return false;
    }
    int order = version_compare(scheme, a, b);
    puts(order < 0 ? "<" : order > 0 ? ">" : "=");
    return true;
}

static int run(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_version_compare, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "the versions are read from stdin, not '%s'", argv[1]);

    char *line = NULL;
    size_t size = 0, number = 0;
    ssize_t length = 0;
    bool ok = true;
    while (ok && (length = getline(&line, &size, stdin)) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        number++;
        ok = answer(line, number, error);
    }
    if (ok && ferror(stdin))
        ok = error_set_errno(error, errno, "read", "stdin");
    free(line);
    return ok ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
}

const Command command_version_compare = {
    .name = "version-compare",
    .group = "plumbing",
    .summary = "order pairs of versions: ECOSYSTEM<tab>A<tab>B lines give <, = or >",
    .run = run,
};
