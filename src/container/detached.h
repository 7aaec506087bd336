/* detached.h - processes that outlive the one that started them, and how to know them again. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    const char *program;            /* NULL: this program itself */
    const char *const *argv;        /* argv[0] is only a name */
    int stdin_fd;                   /* -1: /dev/null */
    int stderr_fd;                  /* stdout goes there too; -1: /dev/null */
    int extra_fd[2];                /* become descriptors 3 and 4; -1: closed */
    const char *const *environment; /* NULL: ours */
} DetachedSpec;

/* Starts SPEC in a session of its own, as nobody's child (it is never our zombie). Everything
 * else that is open is closed in it by close-on-exec. */
bool detached_start(const DetachedSpec *spec, GError **error);

/* Which process PID is: number, start time and boot, so that a reused number is not mistaken. */
json_t *detached_identity(pid_t pid);

/* The process that IDENTITY names, or 0 when it has ended (a zombie has). */
pid_t detached_find(const json_t *identity);
