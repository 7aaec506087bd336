/* identity.h - the people of this state: names, e-mail addresses, roles and public keys.
 *
 * A person is never deleted: removal is a date, and name, addresses and keys stay theirs, so that
 * an author cannot come back as somebody else. Private keys of people never enter the state. What
 * is changed here is recorded in the ledger by the caller. */
#pragma once

#include "store/state.h"

typedef struct {
    char *fingerprint; /* "SHA256:…", as `ssh-keygen -l` prints it, also for PEM keys */
    char *kind;        /* "ed25519", "ecdsa-p256", "ecdsa-p384", "rsa" */
    char *text;        /* one line in OpenSSH's form, "ssh-ed25519 AAAA…" */
    int64_t added_at, removed_at; /* seconds since 1970; removed_at 0: in force */
} PersonKey;

typedef struct {
    char *name;                      /* "ana": letters, digits, '.', '_', '-' */
    char *id;                        /* "person:ana", the ledger's actor */
    char **emails;                   /* lower case; NULL-terminated, may be empty */
    char **roles;                    /* NULL-terminated, may be empty */
    GPtrArray *keys;                 /* PersonKey *, oldest first, removed ones too */
    bool external;                   /* known as an author, can never approve */
    int64_t enrolled_at, removed_at; /* seconds since 1970; removed_at 0: in force */
} Person;

void person_free(Person *person);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Person, person_free)

bool person_is_active(const Person *person);
bool person_has_role(const Person *person, const char *role);
/* Active, not external, and at least one key is in force. */
bool person_can_approve(const Person *person);

/* The person called NAME; NOT_FOUND, with the command that mends it. */
Person *identity_person(State *state, const char *name, GError **error);
/* The person EMAIL belongs to, any case, removed people too; NOT_FOUND, with the mend. */
Person *identity_find_by_email(State *state, const char *email, GError **error);
/* The person who has the key of FINGERPRINT, removed keys too; NOT_FOUND. */
/* Person *, by name; only active ones unless REMOVED_TOO. The array owns them. */
GPtrArray *identity_people(State *state, bool removed_too, GError **error);

typedef struct {
    const char *name;
    const char *const *emails; /* NULL-terminated; may be NULL */
    const char *const *roles;
    const char *const *keys; /* texts of public keys: OpenSSH lines or PEM */
    bool external;
} PersonChange;

/* Enrols a person, or adds to an active one what CHANGE names (also brings a removed one back).
 * INVALID for a malformed name, address or key and for a private key; DENIED when a key or an
 * address already is somebody else's. *CREATED (may be NULL): the person is new. */
bool identity_add(State *state, const PersonChange *change, bool *created, GError **error);
/* Ends NAME's enrolment, or with FINGERPRINT only that key. NOT_FOUND when there is none. */
bool identity_remove(State *state, const char *name, const char *fingerprint, GError **error);

/* SIGNATURE (armoured SSHSIG, see statement.h) over exactly LENGTH bytes at STATEMENT was made by
 * a key of PERSON that is in force. *FINGERPRINT (may be NULL) gets the key's. DENIED says why
 * not: a foreign key, a removed key or person, an external one, altered bytes. */
bool identity_verify_statement(State *state, const Person *person, const void *statement,
                               size_t length, const char *signature, char **fingerprint,
                               GError **error);
