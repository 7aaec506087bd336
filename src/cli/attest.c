#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/image_target.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/trust_key.h"
#include "format/json.h"
#include "sign/predicate.h"
#include "sign/signer.h"
#include "sign/verification.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PREDICATE_LIMIT (128 * 1024 * 1024)

/* The predicate in FILE ("-": stdin). What is "custom" may be any text, wrapped as cosign does. */
static json_t *read_predicate(const char *path, const char *type, GError **error)
{
    size_t length;
    g_autofree char *text = g_str_equal(path, "-")
                                ? file_read_fd(STDIN_FILENO, PREDICATE_LIMIT, &length, error)
                                : file_read(AT_FDCWD, path, PREDICATE_LIMIT, &length, error);
    if (text == NULL)
        return NULL;
    if (!g_str_equal(type, PREDICATE_CUSTOM)) {
        json_t *predicate = json_parse(path, text, length, error);
        if (predicate == NULL || json_is_object(predicate))
            return predicate;
        json_decref(predicate);
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s': a predicate is an object",
                    path);
        return NULL;
    }
    g_autofree char *now = clock_format_seconds(clock_now_ns() / INT64_C(1000000000));
    json_t *predicate = json_pack("{s:s%, s:s}", "Data", text, length, "Timestamp", now);
    if (predicate == NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s' is not UTF-8 text", path);
    return predicate;
}

static int run_attest(int argc, char **argv, GError **error)
{
    g_autofree char *key = NULL, *type_name = NULL, *predicate_path = NULL;
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &key, "private key (default: the engine's)", "FILE"},
        {"type", 0, 0, G_OPTION_ARG_STRING, &type_name, "what it says: a short name or a URI",
         "TYPE"},
        {"predicate", 0, 0, G_OPTION_ARG_FILENAME, &predicate_path, "JSON file, or -", "FILE"},
        {0},
    };
    if (!command_parse(&command_attest, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2 || predicate_path == NULL)
        return command_usage_error(error, "expected --predicate FILE and one image reference");
    const char *type = predicate_type_of(type_name != NULL ? type_name : "custom");
    if (type == NULL) {
        g_autofree char *names = predicate_type_names();
        return command_usage_error(error, "--type '%s': a URI or one of %s", type_name, names);
    }
    g_autoptr(json_t) predicate = read_predicate(predicate_path, type, error);
    g_autoptr(State) state = predicate != NULL ? state_open(NULL, error) : NULL;
    g_autoptr(ContentStore) store = state != NULL ? content_store_open(state, error) : NULL;
    g_autoptr(ImageTarget) target = store != NULL ? image_target_find(store, argv[1], error) : NULL;
    g_autofree char *manifest =
        target != NULL ? signer_attest(store, state, target->repository, target->digest, type,
                                       json_incref(predicate), key, error)
                       : NULL;
    if (manifest == NULL ||
        !record_append(state, "image.attested", target->digest, "done",
                       json_pack("{s:s, s:s, s:s, s:s}", "repository", target->repository,
                                 "predicate", type, "key", key != NULL ? "given" : "engine",
                                 "manifest", manifest),
                       error))
        return EXIT_STATUS_NO;
    printf("%s@%s\n", target->repository, manifest);
    return EXIT_STATUS_DONE;
}

static int run_provenance(int argc, char **argv, GError **error)
{
    g_autofree char *key_path = NULL;
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &key_path,
         "public key that must have signed it (default: the engine's)", "FILE.pub"},
        {0},
    };
    if (!command_parse(&command_provenance, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one image reference");
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(ContentStore) store = state != NULL ? content_store_open(state, error) : NULL;
    g_autoptr(PublicKey) key = store != NULL ? trust_key_read(state, key_path, error) : NULL;
    g_autoptr(ImageTarget) target = key != NULL ? image_target_find(store, argv[1], error) : NULL;
    g_autoptr(GPtrArray) candidates =
        target != NULL ? verification_run(store, target->repository, target->digest, key, error)
                       : NULL;
    if (candidates == NULL)
        return EXIT_STATUS_NO;
    const Candidate *found = verification_find_attestation(candidates, PREDICATE_SLSA_V1);
    if (found == NULL)
        found = verification_find_attestation(candidates, PREDICATE_SLSA_V02);
    if (found == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                    "'%s@%s' carries no provenance by this key", target->repository,
                    target->digest);
        return EXIT_STATUS_NO;
    }
    output_json_line(found->document);
    return EXIT_STATUS_DONE;
}

const Command command_attest = {
    .name = "attest",
    .group = "trust",
    .operands = "IMAGE",
    .summary = "attach a signed statement about an image",
    .run = run_attest,
};

const Command command_provenance = {
    .name = "provenance",
    .group = "trust",
    .operands = "IMAGE",
    .summary = "show the verified statement of where an image comes from",
    .run = run_provenance,
};
