/* statement.h - what a person signs to approve or reject: built, signed, read again.
 *
 * A statement is canonical JSON; the signature is an armoured SSHSIG over exactly these bytes in
 * the namespace STATEMENT_NAMESPACE, whatever the key's form, so that
 * `ssh-keygen -Y verify -n slipway-statement` checks it too. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#define STATEMENT_NAMESPACE "slipway-statement"
#define APPROVAL_TYPE "slipway/approval/v1"

typedef struct {
    char *deployment;  /* id of the deployment asked about */
    char *environment; /* "production" */
    char *image;       /* digest of the manifest */
    char *config;      /* digest of what decides the run beside the image */
    char *migrations;  /* digest of the migrations that come with it; "" when there are none */
    char *decision;    /* "approved" or "rejected" */
    char *by;          /* "person:ana" */
    char *time;        /* RFC 3339 */
    char *comment;     /* "" when there is none */
    char *checkpoint;  /* signed checkpoint of the ledger that the person has seen */
} ApprovalStatement;

/* The bytes to sign. INVALID when a field is missing or the decision is neither word. */
char *approval_statement_format(const ApprovalStatement *statement, GError **error);
/* Reads TEXT: INVALID unless it is canonical and has exactly the fields of an approval. */
ApprovalStatement *approval_statement_parse(const char *text, size_t length, GError **error);
void approval_statement_free(ApprovalStatement *statement);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ApprovalStatement, approval_statement_free)

/* Signs STATEMENT with the private key in KEY_PATH: PEM (Ed25519, ECDSA, RSA), cosign's file format
 * (COSIGN_PASSWORD or asked on the terminal), an OpenSSH private key, or a .pub whose private half
 * ssh-agent holds. Gives the armoured signature. Verify it with identity_verify_statement. */
char *statement_sign(const char *key_path, const char *statement, GError **error);
