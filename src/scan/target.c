#include "scan/target.h"

#include "base/error.h"

#include <string.h>
#include <sys/stat.h>

bool scan_target_parse(const char *text, ScanTarget *target, GError **error)
{
    *target = (ScanTarget){.text = g_strdup(text)};
    if (g_str_has_prefix(text, "dir:")) {
        target->folder = g_strdup(text + strlen("dir:"));
        struct stat st;
        if (stat(target->folder, &st) == 0 && S_ISDIR(st.st_mode))
            return true;
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND, "'%s' is no folder",
                    target->folder);
        return false;
    }
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "target '%s': expected dir:PATH",
                text);
    return false;
}

void scan_target_clear(ScanTarget *target)
{
    g_free(target->text);
    g_free(target->folder);
}

Inventory *scan_target_inventory(const ScanTarget *target, GError **error)
{
    return inventory_of_folder(target->folder, INVENTORY_AUTO, error);
}
