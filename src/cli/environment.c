#include "cli/environment.h"

#include "base/error.h"
#include "ship/source.h"

static GPtrArray *known_projects(Delivery *delivery, GError **error)
{
    g_autoptr(Statement) rows = database_prepare(delivery->state->database, error,
                                                 "SELECT name FROM project ORDER BY name", "");
    if (rows == NULL)
        return NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    while (statement_step(rows, NULL))
        g_ptr_array_add(names, g_strdup(statement_text(rows, 0)));
    return statement_end(rows, error) ? g_steal_pointer(&names) : NULL;
}

static bool has(const GPtrArray *names, const char *name)
{
    for (guint i = 0; i < names->len; i++)
        if (g_strcmp0(g_ptr_array_index(names, i), name) == 0)
            return true;
    return false;
}

static char *project_of_folder(void)
{
    g_autofree char *here = g_get_current_dir();
    g_autoptr(Source) source = source_open(here, true, NULL);
    json_t *settings = source != NULL ? source_settings(source, here, NULL) : NULL;
    char *name = g_strdup(json_string_value(json_object_get(settings, "project")));
    json_decref(settings);
    return name;
}

char *environment_project(Delivery *delivery, const char *project, GError **error)
{
    g_autoptr(GPtrArray) names = known_projects(delivery, error);
    if (names == NULL)
        return NULL;
    if (project != NULL && has(names, project))
        return g_strdup(project);
    if (project != NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "no project '%s' here; `slipway ship` makes one known", project);
        return NULL;
    }
    if (names->len == 1)
        return g_strdup(g_ptr_array_index(names, 0));
    g_autofree char *here = project_of_folder();
    if (here != NULL && has(names, here))
        return g_steal_pointer(&here);
    if (names->len == 0)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "nothing was shipped here yet; `slipway ship DIR`");
    else {
        g_ptr_array_add(names, NULL);
        g_autofree char *list = g_strjoinv(", ", (char **) names->pdata);
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "which project? --project NAME: %s", list);
    }
    return NULL;
}
