#include "base/error.h"
#include "cli/commands.h"
#include "cli/image_target.h"
#include "cli/record.h"
#include "cli/trust_key.h"
#include "format/json.h"
#include "sign/signer.h"
#include "sign/verification.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    SignatureForms forms;
} form_names[] = {
    {"both", SIGNATURE_BUNDLE | SIGNATURE_TAG},
    {"bundle", SIGNATURE_BUNDLE},
    {"tag", SIGNATURE_TAG},
};

static bool parse_forms(const char *name, SignatureForms *forms)
{
    for (size_t i = 0; i < G_N_ELEMENTS(form_names); i++) {
        if (!g_str_equal(form_names[i].name, name))
            continue;
        *forms = form_names[i].forms;
        return true;
    }
    return false;
}

static int run_sign(int argc, char **argv, GError **error)
{
    g_autofree char *key = NULL, *format = NULL;
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &key,
         "private key, cosign's format or PEM (default: the engine's)", "FILE"},
        {"format", 0, 0, G_OPTION_ARG_STRING, &format,
         "both, bundle (cosign 3) or tag (cosign 2); default both", "FORMAT"},
        G_OPTION_ENTRY_NULL,
    };
    if (!command_parse(&command_sign, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one image reference");
    SignatureForms forms;
    if (!parse_forms(format != NULL ? format : "both", &forms))
        return command_usage_error(error, "--format '%s': both, bundle or tag", format);

    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(ContentStore) store = state != NULL ? content_store_open(state, error) : NULL;
    g_autoptr(ImageTarget) target = store != NULL ? image_target_find(store, argv[1], error) : NULL;
    if (target == NULL ||
        !signer_sign_image_as(store, state, target->repository, target->digest, key, forms,
                              error) ||
        !record_append(state, "image.signed", target->digest, "done",
                       json_pack("{s:s, s:s, s:s}", "repository", target->repository, "key",
                                 key != NULL ? "given" : "engine", "format",
                                 format != NULL ? format : "both"),
                       error))
        return EXIT_STATUS_NO;
    printf("%s@%s\n", target->repository, target->digest);
    return EXIT_STATUS_DONE;
}

/* What was asked for with -a must be in what the candidate says. */
static bool has_annotations(const json_t *said, char **wanted)
{
    for (char **pair = wanted; pair != NULL && *pair != NULL; pair++) {
        const char *equals = strchr(*pair, '=');
        g_autofree char *name = g_strndup(*pair, (gsize) (equals - *pair));
        const char *value = json_get_string(said, name);
        if (value == NULL || !g_str_equal(value, equals + 1))
            return false;
    }
    return true;
}

static json_t *annotations_of(const Candidate *candidate)
{
    if (g_str_equal(candidate->form, "tag"))
        return json_object_get(candidate->document, "optional");
    json_t *subject = json_array_get(json_object_get(candidate->document, "subject"), 0);
    return json_object_get(subject, "annotations");
}

/* One verified signature in the form of `cosign verify`. */
static json_t *present(const Candidate *candidate, const ImageTarget *target)
{
    if (g_str_equal(candidate->form, "tag"))
        return json_incref(candidate->document);
    json_t *annotations = annotations_of(candidate);
    json_t *optional = annotations != NULL ? json_incref(annotations) : json_null();
    return json_pack("{s:{s:{s:s}, s:{s:s}, s:s}, s:o}", "critical", "identity", "docker-reference",
                     target->repository, "image", "docker-manifest-digest", target->digest, "type",
                     candidate->predicate_type, "optional", optional);
}

static json_t *collect(const GPtrArray *candidates, const ImageTarget *target, char **annotations,
                       guint *attestations)
{
    json_t *signatures = json_array();
    for (guint i = 0; i < candidates->len; i++) {
        const Candidate *candidate = candidates->pdata[i];
        if (candidate->reason != NULL) {
            fprintf(stderr, "rejected %s (%s): %s\n", candidate->manifest, candidate->form,
                    candidate->reason);
            continue;
        }
        if (candidate->role == CANDIDATE_ATTESTATION)
            (*attestations)++;
        else if (!has_annotations(annotations_of(candidate), annotations))
            fprintf(stderr, "rejected %s (%s): it does not carry the annotations asked for\n",
                    candidate->manifest, candidate->form);
        else
            json_array_append_new(signatures, present(candidate, target));
    }
    return signatures;
}

static int run_verify(int argc, char **argv, GError **error)
{
    g_autofree char *key_path = NULL;
    g_auto(GStrv) annotations = NULL;
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &key_path,
         "public key, PEM or OpenSSH (default: the engine's)", "FILE.pub"},
        {"annotation", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &annotations,
         "the signature must say this (repeatable)", "KEY=VALUE"},
        G_OPTION_ENTRY_NULL,
    };
    if (!command_parse(&command_verify, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one image reference");
    for (char **pair = annotations; pair != NULL && *pair != NULL; pair++)
        if (strchr(*pair, '=') == NULL)
            return command_usage_error(error, "--annotation '%s': expected KEY=VALUE", *pair);

    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(ContentStore) store = state != NULL ? content_store_open(state, error) : NULL;
    g_autoptr(PublicKey) key = store != NULL ? trust_key_read(state, key_path, error) : NULL;
    g_autoptr(ImageTarget) target = key != NULL ? image_target_find(store, argv[1], error) : NULL;
    g_autoptr(GPtrArray) candidates =
        target != NULL ? verification_run(store, target->repository, target->digest, key, error)
                       : NULL;
    if (candidates == NULL)
        return EXIT_STATUS_NO;
    guint attestations = 0;
    g_autoptr(json_t) signatures = collect(candidates, target, annotations, &attestations);
    if (json_array_size(signatures) == 0) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                    "'%s@%s' carries no signature by this key%s", target->repository,
                    target->digest,
                    attestations > 0 ? "; its attestations by this key do not make it signed" : "");
        return EXIT_STATUS_NO;
    }
    g_autofree char *text = json_compact(signatures);
    puts(text);
    fprintf(stderr, "checked: the signature by this key, and that it names this digest; no "
                    "certificate, no transparency log\n");
    return EXIT_STATUS_DONE;
}

const Command command_sign = {
    .name = "sign",
    .group = "trust",
    .operands = "IMAGE",
    .summary = "sign an image, as cosign 2 and cosign 3 do",
    .run = run_sign,
};

const Command command_verify = {
    .name = "verify",
    .group = "trust",
    .operands = "IMAGE",
    .summary = "check an image's signatures in either form",
    .run = run_verify,
};
