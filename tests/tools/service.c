/* service.c - a small web service that behaves as it is told: the workload of tests. Static, so
 * that the one file is a whole root.
 *
 * PORT (8000), GENERATION (in the field X-Generation), MODE: "" or "sick" (/health is 500), "bad"
 * (every tenth request 500), "slow" (100 ms), "crash" (ends at once with 3), "deaf" (ignores
 * SIGTERM). Paths: /health, /status/CODE, /sleep/MS, /echo (the request's body), /head (the
 * request's head), /file/PATH, /chunks/N, /events/N (one every 20 ms), /drop (closes without an
 * answer), /tunnel (101, then echoes). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *generation = "", *mode = "";
static volatile sig_atomic_t ending;
static int listener;
static unsigned served;
static _Thread_local int head_only;

static void on_term(int number)
{
    ending = 1;
    shutdown(listener, SHUT_RD);
}

static int send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n <= 0)
            return -1;
        bytes += n;
        length -= (size_t) n;
    }
    return 0;
}

static int answer(int fd, int status, const char *body, size_t length)
{
    char head[512];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\nX-Generation: %s\r\n"
                     "Content-Type: text/plain\r\n%s\r\n",
                     status, status < 400 ? "OK" : "Bad", length, generation,
                     ending ? "Connection: close\r\n" : "");
    if (send_all(fd, head, (size_t) n) < 0 || (!head_only && send_all(fd, body, length) < 0))
        return -1;
    return ending ? -1 : 0;
}

static int answer_file(int fd, const char *path)
{
    static _Thread_local char bytes[65536];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return answer(fd, 404, strerror(errno), strlen(strerror(errno)));
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return answer(fd, 200, bytes, length);
}

static int answer_pieces(int fd, int count, int pause_us)
{
    char text[256];
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Generation: %s\r\n\r\n",
                     generation);
    if (send_all(fd, text, (size_t) n) < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        char piece[64];
        int length = snprintf(piece, sizeof piece, "data: %d\n\n", i);
        n = snprintf(text, sizeof text, "%x\r\n%s\r\n", (unsigned) length, piece);
        if (send_all(fd, text, (size_t) n) < 0)
            return -1;
        usleep((useconds_t) pause_us);
    }
    return send_all(fd, "0\r\n\r\n", 5);
}

/* Ends the connection after it. */
static int answer_raw(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
    return -1;
}

static int tunnel(int fd)
{
    const char *head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                       "Upgrade: echo\r\n\r\n";
    char bytes[4096];
    if (send_all(fd, head, strlen(head)) < 0)
        return -1;
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0 || send_all(fd, bytes, (size_t) n) < 0)
            return -1;
    }
}

static int respond(int fd, const char *head, const char *path, const char *body, size_t length)
{
    unsigned number = __atomic_add_fetch(&served, 1, __ATOMIC_RELAXED);
    if (strcmp(mode, "slow") == 0)
        usleep(100000);
    if (strcmp(path, "/health") == 0) {
        int status = strcmp(mode, "sick") == 0 ? 500 : 200;
        return answer(fd, status, "{\"status\":\"ok\"}\n", 16);
    }
    if (strcmp(mode, "bad") == 0 && number % 10 == 0)
        return answer(fd, 500, "bad\n", 4);
    if (strncmp(path, "/status/", 8) == 0)
        return answer(fd, atoi(path + 8), "as asked\n", 9);
    if (strncmp(path, "/sleep/", 7) == 0)
        usleep((useconds_t) atoi(path + 7) * 1000);
    if (strcmp(path, "/echo") == 0)
        return answer(fd, 200, body, length);
    if (strcmp(path, "/head") == 0)
        return answer(fd, 200, head, strlen(head));
    if (strncmp(path, "/file/", 6) == 0)
        return answer_file(fd, path + 5);
    if (strncmp(path, "/chunks/", 8) == 0)
        return answer_pieces(fd, atoi(path + 8), 0);
    if (strncmp(path, "/events/", 8) == 0)
        return answer_pieces(fd, atoi(path + 8), 20000);
    if (strcmp(path, "/close") == 0)
        return answer_raw(fd, "HTTP/1.0 200 OK\r\n\r\nto the end");
    if (strcmp(path, "/cut") == 0)
        return answer_raw(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly so much");
    if (strcmp(path, "/drop") == 0)
        return -1;
    if (strcmp(path, "/tunnel") == 0)
        return tunnel(fd);
    return answer(fd, 200, "hello\n", 6);
}

/* Decodes a chunked body in place; -1 while it is not whole. USED is what it took. */
static long decode_chunks(char *bytes, size_t length, size_t *used)
{
    size_t at = 0, out = 0;
    for (;;) {
        char *line = memmem(bytes + at, length - at, "\r\n", 2);
        if (line == NULL)
            return -1;
        size_t size = strtoul(bytes + at, NULL, 16);
        at = (size_t) (line - bytes) + 2;
        if (at + size + 2 > length)
            return -1;
        memmove(bytes + out, bytes + at, size);
        out += size;
        at += size + 2;
        if (size == 0) {
            *used = at;
            return (long) out;
        }
    }
}

static void *serve(void *data)
{
    int fd = (int) (long) data;
    size_t capacity = 8 * 1024 * 1024, length = 0;
    char *bytes = malloc(capacity + 1);
    while (length < capacity) {
        ssize_t n = recv(fd, bytes + length, capacity - length, 0);
        if (n <= 0)
            break;
        length += (size_t) n;
    again:
        bytes[length] = '\0';
        char *end = memmem(bytes, length, "\r\n\r\n", 4);
        if (end == NULL)
            continue;
        size_t head_length = (size_t) (end - bytes) + 4;
        char *head = strndup(bytes, head_length);
        char path[512] = "/";
        sscanf(head, "%*s %511s", path);
        const char *field = strcasestr(head, "\r\nContent-Length:");
        size_t used = field != NULL ? strtoul(field + 17, NULL, 10) : 0;
        long body_length = (long) used;
        if (strcasestr(head, "\r\nTransfer-Encoding: chunked") != NULL) {
            char *copy = malloc(length + 1);
            memcpy(copy, bytes + head_length, length - head_length);
            body_length = decode_chunks(copy, length - head_length, &used);
            if (body_length >= 0)
                memcpy(bytes + head_length, copy, (size_t) body_length);
            free(copy);
        }
        if (body_length < 0 || head_length + used > length) {
            free(head);
            continue;
        }
        head_only = strncmp(head, "HEAD ", 5) == 0;
        int result = respond(fd, head, path, bytes + head_length, (size_t) body_length);
        free(head);
        if (result < 0)
            break;
        length -= head_length + used;
        memmove(bytes, bytes + head_length + used, length);
        if (length > 0)
            goto again;
    }
    free(bytes);
    close(fd);
    return NULL;
}

int main(void)
{
    const char *port = getenv("PORT");
    if (getenv("GENERATION") != NULL)
        generation = getenv("GENERATION");
    if (getenv("MODE") != NULL)
        mode = getenv("MODE");
    if (strcmp(mode, "crash") == 0) {
        fprintf(stderr, "crashing as told\n");
        return 3;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, strcmp(mode, "deaf") == 0 ? SIG_IGN : on_term);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short) atoi(port ? port : "8000")),
                                  .sin_addr.s_addr = htonl(INADDR_ANY)};
    if (bind(listener, (struct sockaddr *) &address, sizeof address) < 0 ||
        listen(listener, 1024) < 0) {
        perror("listen");
        return 1;
    }
    printf("serving %s on port %s\n", generation, port ? port : "8000");
    fflush(stdout);
    while (!ending) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *) (long) fd) != 0)
            close(fd);
        else
            pthread_detach(thread);
    }
    usleep(60000); /* for the answers that are on their way */
    return 0;
}
