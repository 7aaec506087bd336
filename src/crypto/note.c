#include "crypto/note.h"

#include "base/error.h"
#include "crypto/base64.h"

#include <string.h>

#define DASH "\xe2\x80\x94 " /* em dash, space */
#define ED25519_TYPE 0x01
#define KEY_ID_LENGTH 4
#define NOTE_LIMIT (1024 * 1024)
#define SIGNATURES_LIMIT 100

static void *invalid(const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "signed note: %s", why);
    return NULL;
}

static bool is_name(const char *name, size_t length)
{
    if (length == 0 || !g_utf8_validate(name, (gssize) length, NULL))
        return false;
    for (const char *at = name; at < name + length; at = g_utf8_next_char(at))
        if (*at == '+' || g_unichar_isspace(g_utf8_get_char(at)))
            return false;
    return true;
}

static bool is_text(const char *text, size_t length)
{
    if (length == 0 || text[length - 1] != '\n' || !g_utf8_validate(text, (gssize) length, NULL))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char) text[i] < 0x20 && text[i] != '\n')
            return false;
    return true;
}

/* First four bytes of SHA-256(NAME, LF, type byte, public key). */
static void key_id(const char *name, const uint8_t typed_key[33], uint8_t id[KEY_ID_LENGTH])
{
    g_autoptr(Hash) hash = hash_new(HASH_SHA256);
    hash_update(hash, name, strlen(name));
    hash_update(hash, "\n", 1);
    hash_update(hash, typed_key, 33);
    uint8_t raw[HASH_SHA256_LENGTH];
    hash_finish(hash, raw);
    memcpy(id, raw, KEY_ID_LENGTH);
}

static bool typed_key_of(const PublicKey *key, uint8_t typed_key[33])
{
    typed_key[0] = ED25519_TYPE;
    return public_key_raw_ed25519(key, typed_key + 1);
}

char *note_sign(const char *text, const char *name, const PrivateKey *key, GError **error)
{
    if (!is_text(text, strlen(text)))
        return invalid("the text must be lines of UTF-8 with a line feed at the end", error);
    if (!is_name(name, strlen(name)))
        return invalid("the signer's name may hold neither blanks nor '+'", error);
    g_autoptr(PublicKey) public_key = private_key_public(key);
    uint8_t typed_key[33], id[KEY_ID_LENGTH];
    if (!typed_key_of(public_key, typed_key))
        return invalid("the key must be Ed25519", error);
    key_id(name, typed_key, id);

    size_t length;
    g_autofree uint8_t *signature = private_key_sign(key, text, strlen(text), &length, error);
    if (signature == NULL)
        return NULL;
    g_autoptr(GByteArray) payload = g_byte_array_new();
    g_byte_array_append(payload, id, KEY_ID_LENGTH);
    g_byte_array_append(payload, signature, (guint) length);
    g_autofree char *encoded = base64_encode(payload->data, payload->len);
    return g_strdup_printf("%s\n" DASH "%s %s\n", text, name, encoded);
}

char *note_verifier_key(const char *name, const PublicKey *key)
{
    uint8_t typed_key[33], id[KEY_ID_LENGTH];
    if (!typed_key_of(key, typed_key))
        return NULL;
    key_id(name, typed_key, id);
    g_autofree char *hex = hash_format_hex(id, KEY_ID_LENGTH);
    g_autofree char *encoded = base64_encode(typed_key, sizeof typed_key);
    return g_strdup_printf("%s+%s+%s", name, hex, encoded);
}

typedef struct {
    char *name;
    uint8_t id[KEY_ID_LENGTH];
    PublicKey *key;
} Verifier;

static void verifier_clear(Verifier *verifier)
{
    g_free(verifier->name);
    public_key_free(verifier->key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Verifier, verifier_clear)

static bool parse_verifier(const char *text, Verifier *verifier, GError **error)
{
    g_autofree char *line = g_strstrip(g_strdup(text));
    g_auto(GStrv) parts = g_strsplit(line, "+", 3);
    size_t length = 0;
    g_autofree uint8_t *typed_key =
        g_strv_length(parts) == 3 ? base64_decode(parts[2], -1, &length, NULL) : NULL;
    if (typed_key == NULL || length != 33 || typed_key[0] != ED25519_TYPE ||
        !is_name(parts[0], strlen(parts[0])))
        return invalid("the verifier key must read NAME+KEYID+BASE64 (Ed25519)", error) != NULL;
    key_id(parts[0], typed_key, verifier->id);
    g_autofree char *hex = hash_format_hex(verifier->id, KEY_ID_LENGTH);
    if (!g_str_equal(hex, parts[1]))
        return invalid("the verifier key's id does not fit its key", error) != NULL;
    verifier->name = g_strdup(parts[0]);
    verifier->key = public_key_from_ed25519(typed_key + 1);
    if (verifier->key == NULL)
        return invalid("the verifier key is malformed", error) != NULL;
    return true;
}

/* The last blank line ends the text: only signature lines stand behind it. */
static const char *find_signatures(const char *note)
{
    if (strlen(note) > NOTE_LIMIT)
        return NULL;
    const char *blank = g_strrstr(note, "\n\n");
    if (blank == NULL || !is_text(note, (size_t) (blank + 1 - note)))
        return NULL;
    const char *signatures = blank + 2;
    return *signatures != '\0' && g_str_has_suffix(signatures, "\n") ? signatures : NULL;
}

char *note_text(const char *note, GError **error)
{
    const char *signatures = find_signatures(note);
    if (signatures == NULL)
        return invalid("expected text, a blank line and signature lines", error);
    return g_strndup(note, (gsize) (signatures - 1 - note));
}

/* 1: LINE is VERIFIER's and right; 0: somebody else's; -1: malformed or wrong. */
static int check_line(const char *line, const char *text, const Verifier *verifier)
{
    if (!g_str_has_prefix(line, DASH))
        return -1;
    const char *name = line + strlen(DASH);
    const char *space = strchr(name, ' ');
    if (space == NULL || !is_name(name, (size_t) (space - name)))
        return -1;
    size_t length;
    g_autofree uint8_t *payload = base64_decode(space + 1, -1, &length, NULL);
    if (payload == NULL || length <= KEY_ID_LENGTH)
        return -1;
    if (strlen(verifier->name) != (size_t) (space - name) ||
        strncmp(verifier->name, name, (size_t) (space - name)) != 0 ||
        memcmp(payload, verifier->id, KEY_ID_LENGTH) != 0)
        return 0;
    return public_key_verify(verifier->key, text, strlen(text), payload + KEY_ID_LENGTH,
                             length - KEY_ID_LENGTH)
               ? 1
               : -1;
}

char *note_verify(const char *note, const char *verifier_key, GError **error)
{
    g_auto(Verifier) verifier = {0};
    if (!parse_verifier(verifier_key, &verifier, error))
        return NULL;
    g_autofree char *text = note_text(note, error);
    if (text == NULL)
        return NULL;
    g_auto(GStrv) lines = g_strsplit(find_signatures(note), "\n", SIGNATURES_LIMIT + 2);
    bool found = false;
    for (char **line = lines; *line != NULL && **line != '\0'; line++) {
        int answer = check_line(*line, text, &verifier);
        if (answer < 0) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                        "signed note: a signature line is malformed or wrong");
            return NULL;
        }
        found = found || answer == 1;
    }
    if (!found) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED,
                    "signed note: no signature by '%s' with this key", verifier.name);
        return NULL;
    }
    return g_steal_pointer(&text);
}

char *checkpoint_format(const char *origin, uint64_t size, const uint8_t root[32],
                        const char *extension)
{
    g_autofree char *encoded = base64_encode(root, HASH_SHA256_LENGTH);
    return g_strdup_printf("%s\n%" G_GUINT64_FORMAT "\n%s\n%s%s", origin, size, encoded,
                           extension != NULL ? extension : "", extension != NULL ? "\n" : "");
}

static bool parse_size(const char *text, uint64_t *size)
{
    if (!g_ascii_isdigit(text[0]) || (text[0] == '0' && text[1] != '\0'))
        return false;
    return g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, size, NULL);
}

Checkpoint *checkpoint_parse(const char *text, GError **error)
{
    size_t length = strlen(text);
    if (!is_text(text, length))
        return invalid("a checkpoint is lines of text", error);
    g_autofree char *body = g_strndup(text, length - 1);
    g_auto(GStrv) lines = g_strsplit(body, "\n", -1);
    if (g_strv_length(lines) < 3 || lines[0][0] == '\0')
        return invalid("a checkpoint has origin, size and root", error);

    g_autoptr(Checkpoint) checkpoint = g_new0(Checkpoint, 1);
    if (!parse_size(lines[1], &checkpoint->size))
        return invalid("the checkpoint's size is no decimal number", error);
    size_t root_length;
    g_autofree uint8_t *root = base64_decode(lines[2], -1, &root_length, NULL);
    if (root == NULL || root_length != HASH_SHA256_LENGTH)
        return invalid("the checkpoint's root is not 32 bytes of base64", error);
    memcpy(checkpoint->root, root, HASH_SHA256_LENGTH);
    for (char **line = lines + 3; *line != NULL; line++)
        if (**line == '\0')
            return invalid("an empty extension line", error);
    checkpoint->origin = g_strdup(lines[0]);
    checkpoint->extensions = g_strdupv(lines + 3);
    return g_steal_pointer(&checkpoint);
}

void checkpoint_free(Checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    g_free(checkpoint->origin);
    g_strfreev(checkpoint->extensions);
    g_free(checkpoint);
}
