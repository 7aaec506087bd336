/* inventory.h - which packages are in a folder, a root filesystem or an image.
 *
 * A root filesystem is asked for what is installed (dpkg, apk, site-packages, node_modules,
 * binaries); a source tree for what its lock files will install. Reads only; runs nothing. */
#pragma once

#include "model/finding.h"
#include "oci/image.h"

#include <stdbool.h>

typedef struct {
    char *type;           /* of the package URL: "deb", "apk", "pypi", "npm", "golang", "cargo" */
    char *group;          /* its namespace: "debian", "@scope", "github.com/x"; NULL: none */
    char *name, *version; /* version NULL: not known */
    char *architecture;   /* OS packages; NULL elsewhere */
    char *source, *source_version; /* OS packages: the source they were built from */
    char *licence;                 /* SPDX expression; NULL: not known */
    char *path; /* of the file that says so, relative to the root of the target */
    char *purl;
    char *owner; /* purl of the OS package that installed it; NULL: none */
} Package;

/* What /etc/os-release says; each member may be NULL. */
typedef struct {
    char *id, *version_id, *codename, *pretty_name;
} Distribution;

typedef struct {
    char *target; /* as it is shown to people */
    char *digest; /* of the manifest; NULL for what is no image */
    Distribution distribution;
    GPtrArray *packages;   /* Package *, sorted by purl, then path; no doubles */
    GPtrArray *unreadable; /* Finding *: databases and lock files that could not be judged */
} Inventory;

/* SOURCE reads lock files, ROOT what is installed; AUTO takes ROOT where there is a package
 * database or os-release, else SOURCE. */
typedef enum { INVENTORY_AUTO, INVENTORY_SOURCE, INVENTORY_ROOT } InventoryKind;

Inventory *inventory_of_folder(const char *folder, InventoryKind kind, GError **error);

/* The image of manifest DIGEST, its layers stacked with their whiteouts; nothing is mounted. */
Inventory *inventory_of_image(ContentStore *store, const char *digest, GError **error);

void inventory_free(Inventory *inventory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Inventory, inventory_free)
