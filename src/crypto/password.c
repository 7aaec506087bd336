#include "crypto/password.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

#define PASSWORD_LIMIT 1024

/* One line from FD without its end, at most PASSWORD_LIMIT bytes. Byte by byte, so that what
 * follows stays for the next reader. */
static char *read_line(int fd, GError **error)
{
    char line[PASSWORD_LIMIT + 1];
    size_t used = 0;
    while (used < PASSWORD_LIMIT) {
        ssize_t n = read(fd, line + used, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_set_errno(error, errno, "read", "password");
            OPENSSL_cleanse(line, sizeof line);
            return NULL;
        }
        if (n == 0 || line[used] == '\n')
            break;
        used++;
    }
    char *copy = g_strndup(line, used);
    OPENSSL_cleanse(line, sizeof line);
    return copy;
}

static char *ask_terminal(int terminal, const char *prompt, const char *name, GError **error)
{
    struct termios before, quiet;
    if (tcgetattr(terminal, &before) < 0) {
        error_set_errno(error, errno, "set up", "terminal");
        return NULL;
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t) ECHO;
    tcsetattr(terminal, TCSAFLUSH, &quiet);
    dprintf(terminal, "%s '%s': ", prompt, name);
    char *line = read_line(terminal, error);
    tcsetattr(terminal, TCSAFLUSH, &before);
    dprintf(terminal, "\n");
    return line;
}

char *password_ask(const char *name, bool confirm, GError **error)
{
    const char *given = g_getenv("COSIGN_PASSWORD");
    if (given != NULL)
        return g_strdup(given);
    if (!isatty(STDIN_FILENO))
        return read_line(STDIN_FILENO, error);

    autofd int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal < 0) {
        error_set_errno(error, errno, "open", "/dev/tty");
        return NULL;
    }
    g_autoptr(SecretText) first = ask_terminal(terminal, "Password for", name, error);
    if (first == NULL || !confirm)
        return g_steal_pointer(&first);
    g_autoptr(SecretText) second = ask_terminal(terminal, "The same again for", name, error);
    if (second == NULL)
        return NULL;
    if (!g_str_equal(first, second)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "the two passwords differ");
        return NULL;
    }
    return g_steal_pointer(&first);
}
