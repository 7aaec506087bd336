#include "scan/target.h"

#include "base/error.h"
#include "oci/import.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool open_folder(ScanTarget *target, const char *folder, GError **error)
{
    struct stat st;
    target->folder = g_strdup(folder);
    if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode))
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "'%s' is no folder", folder);
    return false;
}

/* Reads a layout or an archive into the store, under a name of our own that goes with the scan. */
static bool open_file(ScanTarget *target, const char *path, GError **error)
{
    g_autofree char *name = g_strdup_printf("registry.local/scan-%d:latest", (int) getpid());
    g_autoptr(GPtrArray) images = image_import(target->store, path, name, error);
    if (images == NULL)
        return false;
    if (images->len == 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "'%s' holds no image", path);
        return false;
    }
    const ImportedImage *image = g_ptr_array_index(images, 0);
    target->digest = g_strdup(image->digest);
    target->borrowed_name = g_steal_pointer(&name);
    return true;
}

bool scan_target_open(const char *text, ScanTarget *target, GError **error)
{
    *target = (ScanTarget){.text = g_strdup(text)};
    if (g_str_has_prefix(text, "dir:"))
        return open_folder(target, text + strlen("dir:"), error);
    /* No image's name begins so. */
    if (text[0] == '/' || text[0] == '.')
        return open_folder(target, text, error);
    target->state = state_open(NULL, error);
    if (target->state == NULL)
        return false;
    target->store = content_store_open(target->state, error);
    if (target->store == NULL)
        return false;
    if (g_str_has_prefix(text, "oci:"))
        return open_file(target, text + strlen("oci:"), error);
    if (g_str_has_prefix(text, "docker-archive:"))
        return open_file(target, text + strlen("docker-archive:"), error);
    target->digest = image_resolve(target->store, text, error);
    return target->digest != NULL;
}

void scan_target_clear(ScanTarget *target)
{
    if (target->borrowed_name != NULL)
        image_untag(target->store, target->borrowed_name, NULL);
    content_store_free(target->store);
    state_close(target->state);
    g_free(target->borrowed_name);
    g_free(target->digest);
    g_free(target->text);
    g_free(target->folder);
    *target = (ScanTarget){0};
}

Inventory *scan_target_inventory(const ScanTarget *target, GError **error)
{
    if (target->folder != NULL)
        return inventory_of_folder(target->folder, INVENTORY_AUTO, error);
    Inventory *inventory = inventory_of_image(target->store, target->digest, error);
    if (inventory != NULL) {
        g_free(inventory->target);
        inventory->target = g_strdup(target->text);
    }
    return inventory;
}

GPtrArray *scan_target_secrets(const ScanTarget *target, SecretScanSummary *summary, GError **error)
{
    if (target->folder != NULL)
        return secret_scan_folder(target->folder, summary, error);
    return secret_scan_image(target->store, target->digest, summary, error);
}
