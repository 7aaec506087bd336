#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "crypto/cosign_key.h"
#include "crypto/password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool refuse_existing(const char *path, GError **error)
{
    if (access(path, F_OK) != 0)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "'%s' is there already; name another with --output-key-prefix, or move it away",
                path);
    return false;
}

/* Writes PREFIX.key, sealed with a password that is asked for, and PREFIX.pub. */
static bool write_pair(const PrivateKey *key, const char *prefix, GError **error)
{
    g_autofree char *private_path = g_strconcat(prefix, ".key", NULL);
    g_autofree char *public_path = g_strconcat(prefix, ".pub", NULL);
    if (!refuse_existing(private_path, error) || !refuse_existing(public_path, error))
        return false;
    g_autoptr(SecretText) password = password_ask(private_path, true, error);
    g_autofree char *sealed =
        password != NULL ? cosign_key_seal(key, password, COSIGN_COST_DEFAULT, error) : NULL;
    if (sealed == NULL)
        return false;
    g_autoptr(PublicKey) public_key = private_key_public(key);
    g_autofree char *pem = public_key_format_pem(public_key);
    if (!file_write_atomic(AT_FDCWD, private_path, sealed, -1, 0600, error) ||
        !file_write_atomic(AT_FDCWD, public_path, pem, -1, 0644, error))
        return false;
    g_autofree char *fingerprint = public_key_fingerprint(public_key);
    printf("%s\n%s\n", private_path, public_path);
    fprintf(stderr, "key %s written; keep %s and its password to yourself\n", fingerprint,
            private_path);
    return true;
}

static int run_generate(int argc, char **argv, GError **error)
{
    g_autofree char *prefix = NULL;
    const GOptionEntry entries[] = {
        {"output-key-prefix", 0, 0, G_OPTION_ARG_FILENAME, &prefix,
         "file name before .key and .pub (default: cosign)", "PREFIX"},
        {0},
    };
    if (!command_parse(&command_key_generate, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "unexpected '%s'", argv[1]);
    g_autoptr(PrivateKey) key = private_key_generate(KEY_ECDSA_P256, error);
    if (key == NULL || !write_pair(key, prefix != NULL ? prefix : "cosign", error))
        return EXIT_STATUS_NO;
    return EXIT_STATUS_DONE;
}

static int run_import(int argc, char **argv, GError **error)
{
    g_autofree char *prefix = NULL, *path = NULL;
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &path, "PEM private key to seal", "FILE"},
        {"output-key-prefix", 0, 0, G_OPTION_ARG_FILENAME, &prefix,
         "file name before .key and .pub (default: import-cosign)", "PREFIX"},
        {0},
    };
    if (!command_parse(&command_key_import, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (path == NULL && argc == 2)
        path = g_strdup(argv[1]);
    else if (argc > 1 || path == NULL)
        return command_usage_error(error, "expected one PEM private key: --key FILE");
    g_autoptr(PrivateKey) key = private_key_read_file(path, NULL, error);
    if (key == NULL || !write_pair(key, prefix != NULL ? prefix : "import-cosign", error))
        return EXIT_STATUS_NO;
    return EXIT_STATUS_DONE;
}

const Command command_key_generate = {
    .name = "key generate",
    .group = "trust",
    .summary = "make a signing key in cosign's format (COSIGN_PASSWORD, or asked)",
    .run = run_generate,
};

const Command command_key_import = {
    .name = "key import",
    .group = "trust",
    .summary = "seal a PEM private key in cosign's format",
    .run = run_import,
};
