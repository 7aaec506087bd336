/* A checkpoint that is read and written anew is the same text; no made-up note is signed. */
#include "crypto/note.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* RFC 8032 section 7.1, test 1. */

static char *verifier_key(void)
{
    static const uint8_t raw[32] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
                                    0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
                                    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
                                    0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
    g_autoptr(PublicKey) key = public_key_from_ed25519(raw);
    return note_verifier_key("example.com/log", key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    g_autofree char *verifier = verifier_key();
    g_autofree char *verified = note_verify(text, verifier, NULL);
    g_assert_null(verified);
    g_autofree char *other = note_verify("a\n\n\xe2\x80\x94 a AAAAAAAA\n", text, NULL);
    g_assert_null(other);
    g_autofree char *inner = note_text(text, NULL);
    g_autoptr(Checkpoint) checkpoint = checkpoint_parse(inner != NULL ? inner : text, NULL);
    if (checkpoint == NULL)
        return 0;
    g_autofree char *extension =
        checkpoint->extensions[0] != NULL ? g_strjoinv("\n", checkpoint->extensions) : NULL;
    g_autofree char *again =
        checkpoint_format(checkpoint->origin, checkpoint->size, checkpoint->root, extension);
    g_assert_cmpstr(again, ==, inner != NULL ? inner : text);
    return 0;
}
