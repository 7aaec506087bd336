#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/evidence_bundle.h"
#include "cli/output.h"
#include "format/json.h"
#include "sign/bundle.h"

#include <fcntl.h>
#include <stdio.h>

#define BUNDLE_LIMIT ((size_t) 512 * 1024 * 1024)
#define KEY_LIMIT (64 * 1024)

static int run_bundle(int argc, char **argv, GError **error)
{
    g_autofree char *output = NULL;
    const GOptionEntry entries[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "file to write (default: stdout)",
         "FILE"},
        {0},
    };
    if (!command_parse(&command_audit_bundle, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one image reference or digest");
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(ContentStore) store = state != NULL ? content_store_open(state, error) : NULL;
    g_autoptr(ImageTarget) target = store != NULL ? image_target_find(store, argv[1], error) : NULL;
    g_autoptr(json_t) bundle = target != NULL ? evidence_bundle_make(store, target, error) : NULL;
    if (bundle == NULL)
        return EXIT_STATUS_NO;
    g_autofree char *text = json_compact(bundle);
    if (output == NULL) {
        puts(text);
        return EXIT_STATUS_DONE;
    }
    if (!file_write_atomic(AT_FDCWD, output, text, -1, 0644, error))
        return EXIT_STATUS_NO;
    fprintf(stderr, "%s: check it anywhere with `slipway verify-bundle %s`\n", output, output);
    return EXIT_STATUS_DONE;
}

static void print_report(const json_t *report)
{
    size_t index;
    json_t *value;
    printf("image         %s@%s\n", json_get_string(report, "repository"),
           json_get_string(report, "digest"));
    printf("signatures    %" G_GINT64_FORMAT "\n", json_get_integer(report, "signatures", 0));
    json_array_foreach(json_object_get(report, "attestations"), index, value)
        printf("attestation   %s\n", json_string_value(value));
    json_array_foreach(json_object_get(report, "rejected"), index, value)
        printf("rejected      %s\n", json_string_value(value));
    json_array_foreach(json_object_get(report, "entries"), index, value)
    {
        g_autofree char *time = g_strndup(json_get_string(value, "time"), 19);
        const char *kind = json_get_string(json_object_get(value, "detail"), "kind");
        printf("entry %-7" G_GINT64_FORMAT " %sZ %s %s%s%s %s\n",
               json_get_integer(value, "seq", -1), time, json_get_string(value, "actor"),
               json_get_string(value, "action"), kind != NULL ? " " : "", kind != NULL ? kind : "",
               json_get_string(value, "result"));
    }
}

/* A Sigstore bundle on its own: one statement, one key. */
static json_t *verify_sigstore(const char *text, size_t length, const PublicKey *key,
                               GError **error)
{
    if (key == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "a Sigstore bundle is verified with --key FILE.pub");
        return NULL;
    }
    g_autoptr(VerifiedStatement) verified = bundle_verify(text, length, key, NULL, error);
    return verified != NULL ? json_incref(verified->statement) : NULL;
}

/* Reads --key and --ledger-key; what is not given stays NULL. */
static bool read_keys(const char *key_path, const char *ledger_key_path, PublicKey **key,
                      char **ledger_key, GError **error)
{
    if (key_path != NULL && (*key = public_key_read_file(key_path, error)) == NULL)
        return false;
    if (ledger_key_path == NULL)
        return true;
    *ledger_key = file_read(AT_FDCWD, ledger_key_path, KEY_LIMIT, NULL, error);
    if (*ledger_key != NULL)
        g_strstrip(*ledger_key);
    return *ledger_key != NULL;
}

static int run_verify(int argc, char **argv, GError **error)
{
    g_autofree char *key_path = NULL, *ledger_key_path = NULL, *format = NULL;
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &key_path,
         "public key of the signatures (default: the one in the bundle)", "FILE.pub"},
        {"ledger-key", 0, 0, G_OPTION_ARG_FILENAME, &ledger_key_path,
         "verifier key of the record (default: the one in the bundle)", "FILE"},
        OUTPUT_FORMAT_ROW(format),
        {0},
    };
    bool as_json;
    if (!command_parse(&command_verify_bundle, entries, &argc, &argv, error) ||
        !output_parse_format(format, &as_json, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one FILE");
    g_autoptr(PublicKey) key = NULL;
    g_autofree char *ledger_key = NULL;
    if (!read_keys(key_path, ledger_key_path, &key, &ledger_key, error))
        return EXIT_STATUS_NO;
    size_t length;
    g_autofree char *text = file_read(AT_FDCWD, argv[1], BUNDLE_LIMIT, &length, error);
    g_autoptr(json_t) root = text != NULL ? json_parse(argv[1], text, length, error) : NULL;
    if (root == NULL)
        return EXIT_STATUS_NO;

    const char *media_type = json_get_string(root, "mediaType");
    bool sigstore = media_type != NULL && g_str_has_prefix(media_type, BUNDLE_MEDIA_TYPE_PREFIX);
    g_autoptr(json_t) report = sigstore ? verify_sigstore(text, length, key, error)
                                        : evidence_bundle_verify(root, key, ledger_key, error);
    if (report == NULL)
        return EXIT_STATUS_NO;
    if (sigstore || as_json)
        output_json_line(report);
    else
        print_report(report);
    if (!sigstore && (key == NULL || ledger_key == NULL))
        fprintf(stderr, "checked with keys from the bundle itself: whole and consistent, but by "
                        "whom only --key and --ledger-key tell\n");
    return EXIT_STATUS_DONE;
}

const Command command_audit_bundle = {
    .name = "audit bundle",
    .group = "trust",
    .operands = "IMAGE",
    .summary = "write all that is known of an image into one file, with proofs",
    .run = run_bundle,
};

const Command command_verify_bundle = {
    .name = "verify-bundle",
    .group = "trust",
    .operands = "FILE",
    .summary = "check an evidence or Sigstore bundle, without state and network",
    .run = run_verify,
};
