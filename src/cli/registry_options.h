/* registry_options.h - the options that push, pull and copy share. */
#pragma once

#include "cli/command.h"
#include "registry/transfer.h"

typedef struct {
    gboolean plain_http, insecure, quiet;
    char *ca_file, *credentials; /* USER:PASSWORD, or USER with the password in the environment */
    char *user, *password;       /* the parts of CREDENTIALS */
} RegistryOptionValues;

/* The shared rows, to be put into a command's own list; VALUES is filled by command_parse. */
#define REGISTRY_OPTION_ROWS(values)                                                               \
    {"plain-http",                                                                                 \
     0,                                                                                            \
     0,                                                                                            \
     G_OPTION_ARG_NONE,                                                                            \
     &(values).plain_http,                                                                         \
     "speak http to registries beyond loopback, too",                                              \
     NULL},                                                                                        \
        {"insecure", 0, 0, G_OPTION_ARG_NONE, &(values).insecure, "do not check certificates",     \
         NULL},                                                                                    \
        {"ca-file", 0, 0, G_OPTION_ARG_FILENAME, &(values).ca_file, "certificates to trust (PEM)", \
         "FILE"},                                                                                  \
        {"creds",                                                                                  \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_STRING,                                                                      \
         &(values).credentials,                                                                    \
         "instead of docker's config.json; the password may be in $SLIPWAY_REGISTRY_PASSWORD",     \
         "USER[:PASSWORD]"},                                                                       \
    {                                                                                              \
        "quiet", 'q', 0, G_OPTION_ARG_NONE, &(values).quiet, "print the digest only", NULL         \
    }

/* What VALUES mean; the result points into VALUES. */
TransferOptions registry_option_values_read(RegistryOptionValues *values);

void registry_option_values_clear(RegistryOptionValues *values);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RegistryOptionValues, registry_option_values_clear)
