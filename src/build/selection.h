/* selection.h - which files a COPY, an ADD or a bind mount takes, and where each goes.
 *
 * The digest of a selection counts paths, types, modes, owners, links, xattrs and content; not
 * times, so that a touched file is no change. */
#pragma once

#include "build/file_index.h"
#include "build/root_tree.h"

typedef struct {
    char *to;       /* path in the image, no slashes at either end */
    char *file;     /* what to copy, on this machine; NULL: CONTENT */
    char *content;  /* of a here-document */
    struct stat st; /* owner and mode as they shall be */
    bool
        destination; /* the folder that a folder's contents go to: an existing one stays as it is */
} SelectionItem;

typedef struct {
    const char *chown_text; /* for messages */
    bool chown;             /* UID and GID are set */
    uid_t uid;
    gid_t gid;
    const char *chmod;           /* NULL: keep */
    bool keep_owner;             /* from a stage: owners are kept; a context's files are root's */
    bool parents;                /* --parents */
    const char *const *excludes; /* --exclude; may be NULL */
} SelectionRules;

typedef struct {
    GPtrArray *items; /* SelectionItem *, folders before what is in them */
    bool several;     /* more than one source, or a pattern */
} Selection;

Selection *selection_new(void);

/* Adds what SOURCE (a path or a pattern) takes from TREE. DESTINATION is the folder or file in the
 * image; INTO: it is a folder. NOT_FOUND: `"/x": not found`. */
bool selection_add(Selection *selection, RootTree *tree, const char *source,
                   const char *destination, bool into, const SelectionRules *rules, GError **error);

/* Adds a here-document. */
void selection_add_content(Selection *selection, const char *name, const char *content,
                           const char *destination, bool into, const SelectionRules *rules);

/* Adds all of FOLDER's contents below DESTINATION (an unpacked archive). */
bool selection_add_folder(Selection *selection, const char *folder, const char *destination,
                          const SelectionRules *rules, GError **error);

char *selection_digest(const Selection *selection, FileIndex *index, GError **error);

void selection_free(Selection *selection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Selection, selection_free)
