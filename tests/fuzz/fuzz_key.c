/* A public key that is read has one normal form: in PEM and in OpenSSH's line it is the same key,
 * with the same fingerprint. The same bytes as signature, private key and DSSE envelope. */
#include "crypto/dsse.h"
#include "crypto/sshsig.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_public_key(const char *text)
{
    g_autoptr(PublicKey) key = public_key_parse("fuzz", text, NULL);
    if (key == NULL)
        return;
    g_autofree char *pem = public_key_format_pem(key);
    g_autofree char *line = public_key_format_ssh(key);
    g_autofree char *fingerprint = public_key_fingerprint(key);
    g_autoptr(PublicKey) from_pem = public_key_parse("pem", pem, NULL);
    g_autoptr(PublicKey) from_line = public_key_parse("line", line, NULL);
    g_assert_nonnull(from_pem);
    g_assert_nonnull(from_line);
    g_assert_true(public_key_equal(key, from_pem) && public_key_equal(key, from_line));
    g_autofree char *again = public_key_fingerprint(from_pem);
    g_assert_cmpstr(fingerprint, ==, again);
    g_autofree char *line_again = public_key_format_ssh(from_pem);
    g_assert_cmpstr(line, ==, line_again);
}

/* No signature that the fuzzer makes up fits the key it names. */
static void check_signature(const char *text)
{
    g_autoptr(PublicKey) key = sshsig_key(text, NULL);
    if (key != NULL)
        g_assert_false(sshsig_verify(key, "fuzz", "message", 7, text, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    check_public_key(text);
    check_signature(text);
    g_autoptr(PrivateKey) private_key = private_key_parse("fuzz", text, "", NULL);
    json_t *json = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES, NULL);
    g_autoptr(DsseEnvelope) envelope = json != NULL ? dsse_parse(json, NULL) : NULL;
    json_decref(json);
    return 0;
}
