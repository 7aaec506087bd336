/* secret_mount.h - a unit's secrets as files in memory: never on disk, in arguments or in the
 * environment. */
#pragma once

#include "container/unit_spec.h"

typedef struct SecretMount SecretMount;

/* Writes the secrets of COPY as files 0400 of its user below a tmpfs, and forgets them in COPY. As
 * root the tmpfs is in a mount namespace of its own, which this process enters (call it while there
 * is one thread): no one else sees it. Otherwise it is a 0700 folder on /dev/shm. */
SecretMount *secret_mount_new(const char *folder, UnitSpecCopy *copy, GError **error);

const char *secret_mount_folder(const SecretMount *mount);

void secret_mount_free(SecretMount *mount);
