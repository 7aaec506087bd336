#include "sign/predicate.h"

#include <glib.h>
#include <string.h>

static const struct {
    const char *name, *type;
} types[] = {
    {"slsaprovenance", PREDICATE_SLSA_V02},
    {"slsaprovenance02", PREDICATE_SLSA_V02},
    {"slsaprovenance1", PREDICATE_SLSA_V1},
    {"link", "https://in-toto.io/Link/v1"},
    {"spdx", "https://spdx.dev/Document"},
    {"spdxjson", "https://spdx.dev/Document"},
    {"cyclonedx", "https://cyclonedx.org/bom"},
    {"vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"},
    {"openvex", "https://openvex.dev/ns"},
    {"custom", PREDICATE_CUSTOM},
};

const char *predicate_type_of(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        if (g_str_equal(types[i].name, name))
            return types[i].type;
    return strstr(name, "://") != NULL ? name : NULL;
}

char *predicate_type_names(void)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", types[i].name);
    return g_string_free(g_steal_pointer(&names), FALSE);
}
