#include "pipeline/action.h"

#include "base/error.h"

const char *action_input(const ActionCall *call, const char *name, const char *otherwise)
{
    const char *value = g_hash_table_lookup(call->inputs, name);
    return value != NULL && value[0] != '\0' ? value : otherwise;
}

bool action_input_boolean(const ActionCall *call, const char *name, bool otherwise, bool *value,
                          GError **error)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    const char *text = action_input(call, name, otherwise ? "true" : "false");
    *value = g_strv_contains(yes, text);
    if (*value || g_strv_contains(no, text))
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "input '%s' must be true or false, not '%s'", name, text);
    return false;
}
