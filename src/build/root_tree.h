/* root_tree.h - folders laid over one another, read as one: an image's layers as overlayfs would
 * show them, or a build context without what its ignore file leaves out. Read only; mounts nothing.
 *
 * Links are resolved inside the tree and never lead out of it. */
#pragma once

#include "dockerfile/ignore_file.h"

#include <sys/stat.h>

typedef struct RootTree RootTree;

/* FOLDERS topmost first, NULL-terminated, in overlayfs form. Copied. */
RootTree *root_tree_of_layers(const char *const *folders);
/* One plain folder; IGNORE (borrowed, may be NULL) hides what it excludes. */
RootTree *root_tree_of_folder(const char *folder, const IgnoreFile *ignore);

typedef struct {
    char *path; /* inside the tree, no links, no slash at either end; "" is the root */
    char *file; /* where it lies on this machine */
    struct stat st;
} RootEntry;

void root_tree_entry_clear(RootEntry *entry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RootEntry, root_tree_entry_clear)

/* Finds PATH. FOLLOW: a link at its end is resolved too. false without error: not there. INVALID
 * for a loop of links. */
bool root_tree_lookup(RootTree *tree, const char *path, bool follow, RootEntry *entry,
                      GError **error);

/* Finds NAME in folder FOLDER, which is an entry's path: no links are followed. */
bool root_tree_child(RootTree *tree, const char *folder, const char *name, RootEntry *entry);

/* Where PATH leads when missing components are allowed: links of those that exist are resolved. */
char *root_tree_resolve(RootTree *tree, const char *path, GError **error);

/* The names in folder PATH (an entry's path), sorted by bytes. */
char **root_tree_list(RootTree *tree, const char *path, GError **error);

/* The text of file PATH; NULL without error when it is not there. */
char *root_tree_read(RootTree *tree, const char *path, GError **error);

void root_tree_free(RootTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RootTree, root_tree_free)
