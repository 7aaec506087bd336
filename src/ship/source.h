/* source.h - the commit that is shipped: where it comes from, who had a hand in it, its settings.
 */
#pragma once

#include "git/repository.h"
#include "model/project.h"

typedef struct {
    GitRepository *repository;
    GitCommit *commit;
    char *id; /* names the content on record: the commit, or COMMIT-dirty-TREE */
    bool dirty;
    char *ref;       /* "refs/heads/main"; NULL: detached */
    bool on_default; /* the commit is on the default branch */
    char *requester; /* e-mail of who runs this, or "local:USER" */
    json_t *people;  /* {"author":[emails…], "requester":[…]} */
} Source;

/* The HEAD commit around FOLDER. DENIED for uncommitted changes unless ALLOW_DIRTY, naming some. */
Source *source_open(const char *folder, bool allow_dirty, GError **error);
void source_free(Source *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Source, source_free)

/* Whoever had a hand in what has come since commit BASE is an author of what is shipped, too. */
bool source_add_authors_since(Source *source, const char *base, GError **error);

/* Writes the content into the new folder TARGET. */
bool source_checkout(const Source *source, const char *target, GError **error);

/* The settings of the project in FOLDER (a checkout), normal form; NAME for a project without one.
 */
json_t *source_settings(const Source *source, const char *folder, GError **error);
/* The settings as the default branch has them; NULL without error when it has no such file. */
json_t *source_default_settings(const Source *source, const char *folder, char **commit,
                                GError **error);
