/* sshsig.h - OpenSSH's detached signatures (PROTOCOL.sshsig), checked and made in this process;
 * only what holds an OpenSSH private key or talks to ssh-agent is left to ssh-keygen. */
#pragma once

#include "crypto/key.h"

/* ARMOR is a signature by KEY over MESSAGE in NAMESPACE. DENIED says what differs; INVALID when
 * ARMOR is no signature at all. */
bool sshsig_verify(const PublicKey *key, const char *name_space, const void *message, size_t length,
                   const char *armor, GError **error);

/* The key ARMOR says it was made by; nothing is verified. */
PublicKey *sshsig_key(const char *armor, GError **error);

char *sshsig_sign(const PrivateKey *key, const char *name_space, const void *message, size_t length,
                  GError **error);

/* Signs with the key in PATH: PEM or cosign's format here, an OpenSSH private key or a .pub whose
 * private half ssh-agent holds through `ssh-keygen -Y sign`, which asks for passphrases itself. */
char *sshsig_sign_with_file(const char *path, const char *name_space, const void *message,
                            size_t length, GError **error);
