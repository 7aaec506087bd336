/* control.h - JSON lines over a unix socket in a folder: how the processes of one state folder
 * (supervisor, shims, proxies) talk. One object in, one object out; descriptors may ride along.
 *
 * An answer is {"ok":true,…} or {"ok":false,"error":TEXT,"code":NAME}. Only processes of our own
 * user and root are answered. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#define CONTROL_MESSAGE_LIMIT (16 * 1024 * 1024)
#define CONTROL_FD_LIMIT 32 /* descriptors of one answer */

typedef struct {
    int fds[CONTROL_FD_LIMIT];
    size_t fd_count;
} ControlFds;

/* Answers REQUEST (the answer is taken), or NULL with ERROR. Descriptors put into FDS are sent
 * with the answer and closed. Runs in a thread of the connection. */
typedef json_t *(*ControlHandler)(void *self, const json_t *request, ControlFds *fds,
                                  GError **error);

typedef struct ControlServer ControlServer;

/* Listens on FOLDER/NAME (0600, an old socket there is replaced) and answers with HANDLER, each
 * connection in a thread of its own. */
ControlServer *control_server_new(const char *folder, const char *name, ControlHandler handler,
                                  void *self, GError **error);

/* Requests that are being answered at this moment. */
int control_server_busy(ControlServer *server);

/* Seconds (monotonic) since the last request began or ended. */
int control_server_quiet_seconds(ControlServer *server);

/* Accepts nothing more, waits for the present requests and removes the socket. Connections that
 * wait for a request are shut. */
void control_server_free(ControlServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ControlServer, control_server_free)

/* A connected blocking socket to FOLDER/NAME; -1 with NOT_FOUND when there is no socket and
 * UNAVAILABLE when nobody listens. Paths may be longer than sun_path. */
int control_connect(const char *folder, const char *name, GError **error);

/* One line out, one line in, within TIMEOUT_MS (-1: for ever). An answer that is not ok becomes
 * ERROR. FDS may be NULL: then descriptors that come are closed. */
json_t *control_exchange(int fd, const json_t *request, int timeout_ms, ControlFds *fds,
                         GError **error);

/* control_connect, control_exchange, close. Takes REQUEST. */
json_t *control_call(const char *folder, const char *name, json_t *request, int timeout_ms,
                     ControlFds *fds, GError **error);

/* The answer that says ERROR. */
json_t *control_failure(const GError *error);

/* Sets ERROR as ANSWER says. True when ANSWER is ok. */
bool control_check(const json_t *answer, GError **error);
