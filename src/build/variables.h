/* variables.h - names with values in the order in which they came. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef struct {
    GPtrArray *names;   /* char * */
    GHashTable *values; /* a name without entry here is declared, but has no value */
} Variables;

Variables *variables_new(void);
Variables *variables_copy(const Variables *variables);
/* VALUE NULL: declared only. */
void variables_set(Variables *variables, const char *name, const char *value);
const char *variables_get(const Variables *variables, const char *name);
void variables_free(Variables *variables);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Variables, variables_free)

/* The value of NAME in ENVIRONMENT, an array of "NAME=value"; NULL when it is not there. */
const char *environment_get(const json_t *environment, const char *name);
void environment_set(json_t *environment, const char *name, const char *value);

/* The names a build knows without ARG: proxies. */
bool variable_is_predefined(const char *name);
