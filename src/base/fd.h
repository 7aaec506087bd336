/* fd.h - file descriptors that close themselves. */
#pragma once

#include <glib.h>
#include <unistd.h>

/* Declares an int that is closed at the end of its scope: `autofd int fd = open(...)`. */
static inline void fd_cleanup(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define autofd __attribute__((cleanup(fd_cleanup)))

/* Hands over *FD: the caller owns the result, *FD becomes -1. */
static inline int steal_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}
