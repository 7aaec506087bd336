/* account.h - names of users and groups as an image's own /etc/passwd and /etc/group know them. */
#pragma once

#include "build/root_tree.h"

typedef struct {
    uid_t uid;
    gid_t gid;
    char *home;    /* "/" where it is not known */
    gid_t *groups; /* supplementary, when no group was named */
    size_t group_count;
} Account;

void account_clear(Account *account);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Account, account_clear)

/* TEXT: "user[:group]", names or numbers; "" is root. NOT_FOUND names the one that ROOT does not
 * know. A number without entry gets group 0 for USER; CHOWN: the group of the same number. */
bool account_resolve(RootTree *root, const char *text, bool chown, Account *account,
                     GError **error);
