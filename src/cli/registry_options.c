#include "cli/registry_options.h"

#include <stdio.h>
#include <string.h>

static void report(const char *digest, int64_t size, bool moved, void *data)
{
    g_autofree char *amount = g_format_size((guint64) size);
    fprintf(stderr, "%.19s  %10s  %s\n", digest, amount, moved ? "moved" : "already there");
}

TransferOptions registry_option_values_read(RegistryOptionValues *values)
{
    if (values->credentials != NULL) {
        const char *colon = strchr(values->credentials, ':');
        const char *environment = g_getenv("SLIPWAY_REGISTRY_PASSWORD");
        values->user = g_strndup(values->credentials, strcspn(values->credentials, ":"));
        values->password = g_strdup(colon != NULL ? colon + 1 : environment);
    }
    return (TransferOptions){
        .client = {.plain_http = values->plain_http,
                   .insecure = values->insecure,
                   .ca_file = values->ca_file,
                   .user = values->user,
                   .password = values->password},
        .report = values->quiet ? NULL : report,
    };
}

void registry_option_values_clear(RegistryOptionValues *values)
{
    g_clear_pointer(&values->ca_file, g_free);
    g_clear_pointer(&values->credentials, g_free);
    g_clear_pointer(&values->user, g_free);
    g_clear_pointer(&values->password, g_free);
}
