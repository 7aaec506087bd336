/* layout.h - OCI image layouts: folders with oci-layout, index.json and blobs/, as skopeo, umoci
 * and others exchange them. */
#pragma once

#include "oci/content.h"

/* Takes the image called TAG (NULL: the only one) of layout FOLDER into STORE, every blob checked,
 * and gives its digest; no name is set. */
char *layout_read(const char *folder, const char *tag, ContentStore *store, GError **error);

/* Writes DIGEST of STORE and all it needs into layout FOLDER (made where it is not there), called
 * TAG (NULL: without a name); what the layout holds besides stays. */
bool layout_write(const char *folder, const char *tag, ContentStore *store, const char *digest,
                  GError **error);
