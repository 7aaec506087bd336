/* note.h - signed notes and the checkpoints written in them (C2SP signed-note, tlog-checkpoint).
 *
 *   ORIGIN LF SIZE LF base64(ROOT) LF [EXTENSION LF]… LF
 *   EM-DASH SP NAME SP base64(4-byte key id, signature) LF …
 *
 * The signature covers the text up to and with the LF before the blank line. Ed25519 only. */
#pragma once

#include "crypto/key.h"

/* The whole note: TEXT (ends with LF), a blank line, one signature line. INVALID when TEXT or
 * NAME cannot stand in a note or KEY is not Ed25519. */
char *note_sign(const char *text, const char *name, const PrivateKey *key, GError **error);

/* The verifier key "NAME+KEYID+BASE64" of an Ed25519 KEY; NULL for other kinds. */
char *note_verifier_key(const char *name, const PublicKey *key);

/* The text of NOTE, signed by VERIFIER_KEY; lines of other signers are ignored. DENIED when there
 * is no such signature or it is wrong, INVALID when NOTE or key is malformed. */
char *note_verify(const char *note, const char *verifier_key, GError **error);
/* The text alone, nothing verified. */
char *note_text(const char *note, GError **error);

typedef struct {
    char *origin;
    uint64_t size;
    uint8_t root[HASH_SHA256_LENGTH];
    char **extensions; /* NULL-terminated, may be empty */
} Checkpoint;

/* Text for note_sign. EXTENSION, one line without LF, may be NULL. */
char *checkpoint_format(const char *origin, uint64_t size, const uint8_t root[32],
                        const char *extension);
Checkpoint *checkpoint_parse(const char *text, GError **error);
void checkpoint_free(Checkpoint *checkpoint);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Checkpoint, checkpoint_free)
