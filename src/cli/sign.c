#include "base/error.h"
#include "cli/commands.h"
#include "cli/image_target.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/trust_key.h"
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

/* KEY=VALUE texts as an object; NULL with a usage error. */
static json_t *parse_annotations(char **pairs, GError **error)
{
    g_autoptr(json_t) annotations = json_object();
    for (char **pair = pairs; pair != NULL && *pair != NULL; pair++) {
        const char *equals = strchr(*pair, '=');
        g_autofree char *name = equals != NULL ? g_strndup(*pair, (gsize) (equals - *pair)) : NULL;
        if (equals == NULL || equals == *pair ||
            json_object_set_new(annotations, name, json_string(equals + 1)) != 0) {
            command_usage_error(error, "--annotation '%s': expected KEY=VALUE", *pair);
            return NULL;
        }
    }
    return g_steal_pointer(&annotations);
}

static bool sign(State *state, const char *name, const SignatureSpec *spec, const char *format,
                 GError **error)
{
    g_autoptr(ContentStore) store = content_store_open(state, error);
    g_autoptr(ImageTarget) target = store != NULL ? image_target_find(store, name, error) : NULL;
    if (target == NULL ||
        !signer_sign_image_as(store, state, target->repository, target->digest, spec, error) ||
        !record_append(state, "image.signed", target->digest, "done",
                       json_pack("{s:s, s:s, s:s}", "repository", target->repository, "key",
                                 spec->key_path != NULL ? "given" : "engine", "format", format),
                       error))
        return false;
    printf("%s@%s\n", target->repository, target->digest);
    return true;
}

static int run_sign(int argc, char **argv, GError **error)
{
    g_autofree char *key = NULL, *format = NULL;
    g_auto(GStrv) pairs = NULL;
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &key,
         "private key, cosign's format or PEM (default: the engine's)", "FILE"},
        {"annotation", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &pairs,
         "what the signature says as well (repeatable)", "KEY=VALUE"},
        {"format", 0, 0, G_OPTION_ARG_STRING, &format,
         "both, bundle (cosign 3) or tag (cosign 2); default both", "FORMAT"},
        {0},
    };
    if (!command_parse(&command_sign, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one image reference");
    const char *form = format != NULL ? format : "both";
    SignatureSpec spec = {.key_path = key};
    if (!parse_forms(form, &spec.forms))
        return command_usage_error(error, "--format '%s': both, bundle or tag", form);
    g_autoptr(json_t) annotations = parse_annotations(pairs, error);
    if (annotations == NULL)
        return EXIT_STATUS_USAGE;
    if (json_object_size(annotations) > 0)
        spec.annotations = annotations;
    g_autoptr(State) state = state_open(NULL, error);
    if (state == NULL || !sign(state, argv[1], &spec, form, error))
        return EXIT_STATUS_NO;
    return EXIT_STATUS_DONE;
}

/* What was asked for with -a must be in what the candidate says. */
static bool has_annotations(const json_t *said, json_t *wanted)
{
    const char *name;
    json_t *value;
    json_object_foreach(wanted, name, value)
    {
        const json_t *present = json_object_get(said, name);
        if (present == NULL || !json_equal(present, value))
            return false;
    }
    return true;
}

/* One verified signature in the form of `cosign verify`. */
static json_t *present(const Candidate *candidate, const ImageTarget *target)
{
    if (g_str_equal(candidate->form, "tag"))
        return json_incref(candidate->document);
    const json_t *annotations = candidate_annotations(candidate);
    json_t *optional = annotations != NULL ? json_deep_copy(annotations) : json_null();
    return json_pack("{s:{s:{s:s}, s:{s:s}, s:s}, s:o}", "critical", "identity", "docker-reference",
                     target->repository, "image", "docker-manifest-digest", target->digest, "type",
                     candidate->predicate_type, "optional", optional);
}

static json_t *collect(const GPtrArray *candidates, const ImageTarget *target, json_t *annotations,
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
        else if (!has_annotations(candidate_annotations(candidate), annotations))
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
    g_auto(GStrv) pairs = NULL;
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &key_path,
         "public key, PEM or OpenSSH (default: the engine's)", "FILE.pub"},
        {"annotation", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &pairs,
         "the signature must say this (repeatable)", "KEY=VALUE"},
        {0},
    };
    if (!command_parse(&command_verify, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one image reference");
    g_autoptr(json_t) annotations = parse_annotations(pairs, error);
    if (annotations == NULL)
        return EXIT_STATUS_USAGE;
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
    output_json_line(signatures);
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
