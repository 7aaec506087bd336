/* upper.h - writing into the folder that becomes a layer, as if it were mounted over the image. */
#pragma once

#include "build/selection.h"

typedef struct {
    RootTree *lower;     /* what is below; links in destinations are followed in it */
    const char *folder;  /* the upper folder */
    GHashTable *folders; /* paths of SelectionItem.to to where their folder really is; or NULL */
    GHashTable *links;   /* device:inode to path in the upper folder, for hard links; or NULL */
} Upper;

/* Makes folder PATH (links of it are followed) and its missing parents, 0755 and UID:GID.
 * *MADE (may be NULL): it was not there before. Returns where it really is. */
char *upper_make_folder(Upper *upper, const char *path, uid_t uid, gid_t gid, bool *made,
                        GError **error);

/* Copies SELECTION; new parents get the owner of RULES. REPLACE: what stands in the way of another
 * kind gives way (archives), else it is an error. */
bool upper_copy(Upper *upper, const Selection *selection, const SelectionRules *rules, bool replace,
                GError **error);

void upper_clear(Upper *upper);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Upper, upper_clear)
