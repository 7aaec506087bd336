#include "build/variables.h"

#include <string.h>

Variables *variables_new(void)
{
    Variables *variables = g_new0(Variables, 1);
    variables->names = g_ptr_array_new_with_free_func(g_free);
    variables->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return variables;
}

void variables_free(Variables *variables)
{
    if (variables == NULL)
        return;
    g_ptr_array_unref(variables->names);
    g_hash_table_unref(variables->values);
    g_free(variables);
}

Variables *variables_copy(const Variables *variables)
{
    Variables *copy = variables_new();
    for (guint i = 0; i < variables->names->len; i++)
        variables_set(copy, variables->names->pdata[i],
                      variables_get(variables, variables->names->pdata[i]));
    return copy;
}

void variables_set(Variables *variables, const char *name, const char *value)
{
    bool known = false;
    for (guint i = 0; i < variables->names->len && !known; i++)
        known = g_str_equal(variables->names->pdata[i], name);
    if (!known)
        g_ptr_array_add(variables->names, g_strdup(name));
    if (value != NULL)
        g_hash_table_replace(variables->values, g_strdup(name), g_strdup(value));
    else
        g_hash_table_remove(variables->values, name);
}

const char *variables_get(const Variables *variables, const char *name)
{
    return g_hash_table_lookup(variables->values, name);
}

static const char *value_of(const char *pair, const char *name)
{
    size_t length = strlen(name);
    return pair != NULL && strncmp(pair, name, length) == 0 && pair[length] == '='
               ? pair + length + 1
               : NULL;
}

const char *environment_get(const json_t *environment, const char *name)
{
    size_t index;
    json_t *pair;
    json_array_foreach(environment, index, pair)
    {
        const char *value = value_of(json_string_value(pair), name);
        if (value != NULL)
            return value;
    }
    return NULL;
}

void environment_set(json_t *environment, const char *name, const char *value)
{
    g_autofree char *text = g_strconcat(name, "=", value, NULL);
    size_t index;
    json_t *pair;
    json_array_foreach(environment, index, pair)
    {
        if (value_of(json_string_value(pair), name) != NULL) {
            json_array_set_new(environment, index, json_string_nocheck(text));
            return;
        }
    }
    json_array_append_new(environment, json_string_nocheck(text));
}

bool variable_is_predefined(const char *name)
{
    static const char *const names[] = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
                                        "FTP_PROXY",  "ftp_proxy",  "NO_PROXY",    "no_proxy",
                                        "ALL_PROXY",  "all_proxy",  NULL};
    return g_strv_contains(names, name);
}
