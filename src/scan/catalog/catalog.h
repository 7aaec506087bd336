/* catalog.h - what the readers of package databases share. A reader gets one file's text, which it
 * may take apart in place, and adds what it finds; text that is malformed becomes a finding of the
 * inventory, never an error and never silence. */
#pragma once

#include "model/finding.h"
#include "scan/inventory.h"
#include "scan/tree.h"

typedef struct {
    Inventory *inventory;
    GHashTable *owned; /* path → name of the OS package that installed it */
    GString *markers;  /* text of etc/debian_version; may be empty */
} Catalog;

/* A new package of the inventory, which owns it. GROUP and VERSION may be NULL. */
Package *catalog_add(Catalog *catalog, const char *type, const char *group, const char *name,
                     const char *version, const char *path);

/* Notes that PATH could not be judged. */
void catalog_add_unreadable(Catalog *catalog, const char *path, const char *why);

/* Notes that OS package NAME installed PATH, where PATH is of a kind that language packages are
 * found by. */
void catalog_own(Catalog *catalog, const char *path, const char *name);

/* dpkg.c */
void dpkg_read_status(Catalog *catalog, const char *path, char *text);
/* FILE is info/PKG[:ARCH].list, or status.d/PKG.md5sums. */
void dpkg_read_files(Catalog *catalog, const char *file, char *text);
/* apk.c */
void apk_read_installed(Catalog *catalog, const char *path, char *text);
/* python.c */
void python_read_metadata(Catalog *catalog, const char *path, char *text);
void python_read_requirements(Catalog *catalog, const char *path, char *text);
void python_read_pipfile_lock(Catalog *catalog, const char *path, char *text);
/* poetry.lock, uv.lock, pdm.lock, pylock.toml, Cargo.lock: `[[package]]` tables (toml_lock.c) */
void toml_lock_read(Catalog *catalog, const char *path, char *text, const char *type);
/* npm.c */
bool npm_is_installed(const char *path);
void npm_read_package(Catalog *catalog, const char *path, char *text);
void npm_read_lock(Catalog *catalog, const char *path, char *text);
void npm_read_yarn_lock(Catalog *catalog, const char *path, char *text);
void npm_read_pnpm_lock(Catalog *catalog, const char *path, char *text);
/* golang.c */
void golang_read_mod(Catalog *catalog, const char *path, char *text);
/* A program made by Go carries its modules; any other file gives nothing. */
void golang_read_binary(Catalog *catalog, const TreeFile *file);
