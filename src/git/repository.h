/* repository.h - what slipway asks of a git repository, through the git program.
 *
 * Repositories are untrusted: no hook, filter, pager or config of theirs runs anything (git is
 * called with safe settings), and a clone owned by another user is an error that tells the mend. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char *name, *email;
} GitPerson;

typedef struct {
    char *id;   /* 40 or 64 hex digits */
    char *tree; /* of the commit */
    char *subject;
    GitPerson author, committer;
    GPtrArray *co_authors; /* GitPerson *, from Co-authored-by lines anywhere in the message */
    int64_t time;          /* of the committer, seconds since 1970 */
    char *version;         /* highest "vX.Y.Z" tag on it; NULL: none */
} GitCommit;

typedef struct {
    char *root;           /* absolute, top of the work tree */
    char *prefix;         /* of the asked folder below it: "" or "examples/orders" */
    char *branch;         /* checked-out branch; NULL: detached */
    char *default_branch; /* origin's HEAD, else init.defaultBranch if it exists, main, master, or
                             BRANCH */
    char *origin;         /* URL of remote origin without credentials; NULL: none */
    char *user_email;     /* user.email as configured; NULL: none */
    char *user_name;
    char *scratch; /* folder for what a checkout needs meanwhile; NULL: the machine's for such */
} GitRepository;

/* Finds the repository around FOLDER. NOT_FOUND "…: not a git repository"; DENIED for one owned by
 * another user, with the mend. */
GitRepository *git_repository_open(const char *folder, GError **error);
void git_repository_free(GitRepository *repository);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GitRepository, git_repository_free)

/* REVISION resolved ("HEAD"). NOT_FOUND when there is none (an empty repository says so). */
GitCommit *git_commit_read(const GitRepository *repository, const char *revision, GError **error);
void git_commit_free(GitCommit *commit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GitCommit, git_commit_free)

/* E-mails of all who wrote, committed or co-authored what HEAD has and BASE has not, below the
 * prefix; NULL-terminated. Empty when BASE is unknown here. */
char **git_emails_between(const GitRepository *repository, const char *base, const char *head,
                          GError **error);

/* Changed or untracked paths below the prefix, one a line, at most LIMIT; "" when clean. */
char *git_dirty_paths(const GitRepository *repository, size_t limit, GError **error);

/* Writes the tree of COMMIT into the new folder TARGET (without .git): the whole repository. */
bool git_checkout(const GitRepository *repository, const char *commit, const char *target,
                  GError **error);

/* The id of the tree that committing all of the work tree would make (untracked files too, ignored
 * ones not), and its content written into the new folder TARGET. Neither changes the repository:
 * new objects go to a folder of their own. */
char *git_work_tree_id(const GitRepository *repository, GError **error);
bool git_checkout_work_tree(const GitRepository *repository, const char *target, GError **error);

/* The text of PATH (from the top) at REVISION, at most LIMIT bytes; NOT_FOUND when it has none. */
char *git_read_file(const GitRepository *repository, const char *revision, const char *path,
                    size_t limit, GError **error);

/* true: ANCESTOR is DESCENDANT or reachable from it. */
bool git_is_ancestor(const GitRepository *repository, const char *ancestor, const char *descendant);
