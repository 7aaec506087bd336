#include "base/error.h"
#include "cli/commands.h"
#include "scan/cvss.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One line an answer, so that line numbers agree; what is no vector answers "invalid". */
static bool answer(char *line, size_t number)
{
    g_autoptr(GError) error = NULL;
    double score = 0;
    if (cvss_score(g_strstrip(line), &score, &error)) {
        printf("%.1f\n", score);
        return true;
    }
    puts("invalid");
    fprintf(stderr, "slipway cvss: stdin:%zu: %s\n", number, error->message);
    return false;
}

static int run(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_cvss, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "vectors are read from stdin, not '%s'", argv[1]);

    char *line = NULL;
    size_t size = 0, number = 0;
    bool all = true, read = true;
    while (getline(&line, &size, stdin) >= 0)
        all = answer(line, ++number) && all;
    if (ferror(stdin))
        read = error_set_errno(error, errno, "read", "stdin");
    free(line);
    return read && all ? EXIT_STATUS_DONE : EXIT_STATUS_NO;
}

const Command command_cvss = {
    .name = "cvss",
    .group = "plumbing",
    .summary = "score CVSS vectors (2.0 to 4.0), one a line",
    .run = run,
};
