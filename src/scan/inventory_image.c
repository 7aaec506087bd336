#include "oci/layer.h"
#include "scan/inventory.h"
#include "scan/inventory_walk.h"

Inventory *inventory_of_image(ContentStore *store, const char *digest, GError **error)
{
    g_autoptr(Image) image = image_load(store, digest, error);
    if (image == NULL)
        return NULL;
    g_auto(GStrv) folders = layer_folders(store, image, error);
    if (folders == NULL)
        return NULL;
    Inventory *inventory = inventory_walk(digest, (const char *const *) folders, true, error);
    if (inventory != NULL)
        inventory->digest = g_strdup(image->manifest_digest);
    return inventory;
}
