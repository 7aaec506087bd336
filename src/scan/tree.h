/* tree.h - a walk over the files of a folder, or of several that are stacked as the layers of an
 * image. Nothing is mounted; links are not followed. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A regular file of the walk. */
typedef struct {
    const char *path; /* from the root, without a leading slash */
    const char *name; /* its last part */
    int dirfd;        /* of the folder it is in; NAME opens it */
} TreeFile;

typedef struct {
    /* Returns whether to go into folder PATH; may be NULL: into all. */
    bool (*enter)(void *data, const char *path, const char *name);
    void (*visit)(void *data, const TreeFile *file);
    void *data;
} TreeVisitor;

/* Walks FOLDERS, topmost first and NULL-terminated, in the order of the names' bytes. Lower entries
 * are hidden by upper ones, by whiteouts (0:0 devices) and by opaque folders. Folders that cannot
 * be opened are passed by; only a missing root is an error. */
bool tree_walk(const char *const *folders, const TreeVisitor *visitor, GError **error);

/* The bytes of FILE with a NUL after them, at most LIMIT; NULL with an error. */
char *tree_read(const TreeFile *file, size_t limit, size_t *length, GError **error);

/* Opens FILE for reading, without following a link and without waiting on a pipe; -1 with an
 * error. */
int tree_open(const TreeFile *file, off_t *size, GError **error);
