/* file.h - whole files and trees: bounded reads, atomic writes, opening below a root.
 *
 * Paths that come from a repository, an archive or an image are opened with file_open_beneath or
 * file_open_in_root only. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The bytes of the file PATH (relative to DIRFD, or AT_FDCWD), with a NUL after them. NULL with
 * INVALID when it is larger than LIMIT bytes. *LENGTH may be NULL. */
char *file_read(int dirfd, const char *path, size_t limit, size_t *length, GError **error);

/* Everything that can be read from FD, at most LIMIT bytes, with a NUL after it. */
char *file_read_fd(int fd, size_t limit, size_t *length, GError **error);

/* Writes all LENGTH bytes to FD, going on after short writes and EINTR. */
bool file_write_all(int fd, const void *bytes, size_t length, GError **error);

/* Makes PATH hold exactly BYTES or stay as it was: temporary name beside it, fsync, rename, fsync
 * of the folder. LENGTH -1: BYTES is text. */
bool file_write_atomic(int dirfd, const char *path, const void *bytes, gssize length, mode_t mode,
                       GError **error);

/* Opens PATH below DIRFD; neither `..` nor a link leads out of it (openat2 RESOLVE_BENEATH: an
 * absolute link is an error). Returns the descriptor or -1. FLAGS get O_CLOEXEC. */
int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode, GError **error);

/* Like file_open_beneath, but absolute links and `..` are resolved as if DIRFD were "/"
 * (RESOLVE_IN_ROOT): for paths inside an image's root. */
int file_open_in_root(int dirfd, const char *path, int flags, mode_t mode, GError **error);

/* Makes PATH and its missing parents. Existing folders are fine. */
bool file_make_folders(const char *path, mode_t mode, GError **error);

/* Removes PATH and all below it without following links or crossing into other mounts. A missing
 * PATH is fine. */
bool file_remove_tree(int dirfd, const char *path, GError **error);

/* A new empty folder "PREFIX-XXXXXX" below PARENT; free with g_free. */
char *file_make_temporary_folder(const char *parent, const char *prefix, GError **error);
