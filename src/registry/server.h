/* server.h - the embedded registry: the OCI distribution API 1.1 over the content store and its
 * tables. Repository "orders" here is the local name "registry.local/orders".
 *
 * Who may do what is asked of hooks; without them everybody may do everything, so listen on
 * loopback then. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    REGISTRY_PULL,
    REGISTRY_PUSH,
    REGISTRY_DELETE,
    REGISTRY_CATALOG, /* of all repositories; the repository is NULL */
} RegistryAction;

typedef enum {
    REGISTRY_ALLOW,
    REGISTRY_DENY,         /* 403: this person may not */
    REGISTRY_AUTHENTICATE, /* 401 with *CHALLENGE: who is it? */
} RegistryVerdict;

/* Who asks. */
typedef struct {
    const char *authorization; /* the header; NULL: none */
    const char *peer;          /* address */
    const char *origin;        /* "https://registry.example", as the client calls us */
} RegistryCaller;

/* Asked by several threads at once. What is given back through pointers is the server's to free. */
typedef struct {
    void *context;
    /* Whether CALLER may do ACTION; else *CHALLENGE (WWW-Authenticate) and *REASON. NULL: everybody
     * may. */
    RegistryVerdict (*authorize)(void *context, const RegistryCaller *caller,
                                 const char *repository, RegistryAction action, char **challenge,
                                 char **reason);
    /* The answer (JSON) to GET /token with SCOPES, or NULL with *CHALLENGE and *REASON. NULL: there
     * is no such endpoint. */
    char *(*issue)(void *context, const RegistryCaller *caller, const char *const *scopes,
                   char **challenge, char **reason);
    /* Whether manifest DIGEST may be pulled (signature, policy); false with *REASON: 403. NULL:
     * every one may. */
    bool (*admit)(void *context, const char *repository, const char *digest, char **reason);
} RegistryHooks;

typedef struct {
    const char *home;                      /* of the state; NULL: the default one */
    const char *address;                   /* "127.0.0.1:5000"; port 0: any free one */
    unsigned threads;                      /* 0: the server's default */
    const char *tls_certificate, *tls_key; /* PEM text; both NULL: plain HTTP */
    RegistryHooks hooks;
} RegistryOptions;

typedef struct Registry Registry;

/* Serves until registry_stop. UNAVAILABLE where the address is taken. */
Registry *registry_start(const RegistryOptions *options, GError **error);

/* "http://127.0.0.1:5000" */
const char *registry_url(const Registry *registry);

/* Ends requests under way within a few seconds, then all. */
void registry_stop(Registry *registry);
