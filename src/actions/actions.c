#include "actions/actions.h"

#include "actions/answers.h"
#include "base/error.h"

const Action *const actions_table[] = {
    &action_cache,
    &action_cache_restore,
    &action_cache_save,
    &action_checkout,
    &action_download_artifact,
    &action_setup_go,
    &action_setup_java,
    &action_setup_node,
    &action_setup_python,
    &action_upload_artifact,
    NULL,
};

bool answers_run_script(ActionCall *call, const char *script, const char *const *words,
                        const char *what, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    const char *const start[] = {"bash", "-c", script, "bash"};
    for (size_t i = 0; i < G_N_ELEMENTS(start); i++)
        g_ptr_array_add(argv, (gpointer) start[i]);
    for (; *words != NULL; words++)
        g_ptr_array_add(argv, (gpointer) *words);
    g_ptr_array_add(argv, NULL);
    int status;
    if (!call->execute(call, (const char *const *) argv->pdata, NULL, &status, error))
        return false;
    if (status == 0)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE, "%s%s", what,
                status == 127 ? ": the job's root has no bash" : "");
    return false;
}
