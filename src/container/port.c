#include "container/port.h"

#include "base/error.h"
#include "base/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TABLE_LIMIT (64 * 1024 * 1024)
#define ENDING_TRIES 50
#define ENDING_PAUSE_US 20000

static bool parse_port(const char *text, in_port_t *port)
{
    char *end = NULL;
    guint64 number = g_ascii_strtoull(text, &end, 10);
    *port = htons((uint16_t) number);
    return g_ascii_isdigit(text[0]) && *end == '\0' && number >= 1 && number <= 65535;
}

static bool parse_address(const char *text, struct sockaddr_storage *address, socklen_t *size)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return false;
    *address = (struct sockaddr_storage){0};
    if (text[0] == '[' && colon > text + 2 && colon[-1] == ']') {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *) address;
        g_autofree char *host = g_strndup(text + 1, (size_t) (colon - text) - 2);
        six->sin6_family = AF_INET6;
        *size = sizeof *six;
        return inet_pton(AF_INET6, host, &six->sin6_addr) == 1 &&
               parse_port(colon + 1, &six->sin6_port);
    }
    struct sockaddr_in *four = (struct sockaddr_in *) address;
    g_autofree char *host = g_strndup(text, (size_t) (colon - text));
    four->sin_family = AF_INET;
    *size = sizeof *four;
    return inet_pton(AF_INET, g_str_equal(host, "localhost") ? "127.0.0.1" : host,
                     &four->sin_addr) == 1 &&
           parse_port(colon + 1, &four->sin_port);
}

/* The inode of a listening socket at PORT in /proc/net/tcp or tcp6; 0: none. */
static guint64 find_inode(const char *table, unsigned port)
{
    g_autofree char *text = file_read(AT_FDCWD, table, TABLE_LIMIT, NULL, NULL);
    g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
    for (size_t i = 1; lines[0] != NULL && lines[i] != NULL; i++) {
        unsigned local = 0, state = 0;
        guint64 inode = 0;
        if (sscanf(lines[i],
                   " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s "
                   "%" G_GUINT64_FORMAT,
                   &local, &state, &inode) == 3 &&
            local == port && state == 0x0a)
            return inode;
    }
    return 0;
}

static bool has_descriptor(const char *pid, const char *wanted)
{
    g_autofree char *folder = g_strdup_printf("/proc/%s/fd", pid);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        char target[64] = "";
        if (readlink(path, target, sizeof target - 1) > 0 && g_str_equal(target, wanted))
            return true;
    }
    return false;
}

/* What PID serves when it is a proxy of slipway's ("orders-staging"); NULL: it is none. */
static char *proxy_name(const char *pid)
{
    static const char start[] = "slipway\0proxy\0";
    g_autofree char *path = g_strdup_printf("/proc/%s/cmdline", pid);
    size_t length = 0;
    g_autofree char *line = file_read(AT_FDCWD, path, 64 * 1024, &length, NULL);
    if (line == NULL || length < sizeof start || memcmp(line, start, sizeof start - 1) != 0)
        return NULL;
    return g_path_get_basename(line + sizeof start - 1);
}

/* "nginx, pid 812"; NULL where /proc does not tell. */
static char *find_holder(unsigned port)
{
    guint64 inode = find_inode("/proc/net/tcp", port);
    if (inode == 0)
        inode = find_inode("/proc/net/tcp6", port);
    if (inode == 0)
        return NULL;
    g_autofree char *wanted = g_strdup_printf("socket:[%" G_GUINT64_FORMAT "]", inode);
    g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
    const char *pid;
    while (dir != NULL && (pid = g_dir_read_name(dir)) != NULL) {
        if (!g_ascii_isdigit(pid[0]) || !has_descriptor(pid, wanted))
            continue;
        g_autofree char *proxy = proxy_name(pid);
        if (proxy != NULL)
            return g_strdup_printf("the proxy of %s, pid %s", proxy, pid);
        g_autofree char *path = g_strdup_printf("/proc/%s/comm", pid);
        g_autofree char *name = file_read(AT_FDCWD, path, 256, NULL, NULL);
        return g_strdup_printf("%s, pid %s", name != NULL ? g_strstrip(name) : "a process", pid);
    }
    return NULL;
}

/* -1 with errno. */
static int bind_to(const struct sockaddr_storage *address, socklen_t size)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *) address, size) == 0)
        return fd;
    int cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

int port_bind(const char *text, GError **error)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    if (!parse_address(text, &address, &size)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "address '%s': expected ADDRESS:PORT, as 127.0.0.1:8080", text);
        return -1;
    }
    unsigned port = ntohs(((struct sockaddr_in *) &address)->sin_port); /* same place in both */
    g_autofree char *holder = NULL;
    /* A port that nobody holds any more is of a process that is just ending. */
    for (int i = 0; i < ENDING_TRIES && holder == NULL; i++) {
        int fd = bind_to(&address, size);
        if (fd >= 0)
            return fd;
        if (errno != EADDRINUSE) {
            error_set_errno(error, errno, "listen on", text);
            return -1;
        }
        holder = find_holder(port);
        if (holder == NULL)
            g_usleep(ENDING_PAUSE_US);
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "port of '%s' is taken%s%s", text,
                holder != NULL ? " by " : "", holder != NULL ? holder : "");
    return -1;
}
