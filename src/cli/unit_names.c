#include "cli/unit_names.h"

#include "base/error.h"
#include "format/json.h"

UnitManager *unit_names_open(GError **error)
{
    g_autofree char *home = state_default_home();
    return unit_manager_open_folder(home, error);
}

GPtrArray *unit_names_find(UnitManager *manager, const char *name, GError **error)
{
    g_autoptr(GPtrArray) found = unit_list(manager, "environment", name, error);
    if (found == NULL)
        return NULL;
    Unit *exact = unit_get(manager, name, NULL);
    if (exact != NULL) {
        g_ptr_array_set_size(found, 0);
        g_ptr_array_add(found, exact);
    }
    if (found->len > 0)
        return g_steal_pointer(&found);
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                "no unit and no environment is called '%s'; `slipway ps` lists them", name);
    return NULL;
}

const char *unit_names_status(UnitStatus status)
{
    static const char *const names[] = {"starting", "running", "exited", "lost"};
    return names[status];
}

const char *unit_names_label(const Unit *unit, const char *key)
{
    const char *value = json_get_string(unit->labels, key);
    return value != NULL ? value : "-";
}

char *unit_names_duration(int64_t seconds)
{
    if (seconds < 60)
        return g_strdup_printf("%ds", (int) MAX(seconds, 0));
    if (seconds < 3600)
        return g_strdup_printf("%dm%02ds", (int) (seconds / 60), (int) (seconds % 60));
    if (seconds < 86400)
        return g_strdup_printf("%dh%02dm", (int) (seconds / 3600), (int) (seconds % 3600 / 60));
    return g_strdup_printf("%dd%02dh", (int) (seconds / 86400), (int) (seconds % 86400 / 3600));
}
