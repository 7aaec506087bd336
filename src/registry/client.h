/* client.h - one registry, spoken to by the distribution API: manifests and blobs, with its ways of
 * asking who we are. What to move where is transfer.h's.
 *
 * Bytes are verified against their digests as they come; nothing that a registry says of them is
 * believed. Plain http is spoken to loopback only, unless asked for. A client belongs to one
 * thread. */
#pragma once

#include "oci/content.h"

typedef struct RegistryClient RegistryClient;

typedef struct {
    bool plain_http;             /* no TLS, wherever the registry is */
    bool insecure;               /* certificates are not checked */
    const char *ca_file;         /* PEM; NULL: /etc/docker/certs.d/HOST/ca.crt, else the system's */
    const char *user, *password; /* NULL: from the credential files */
} RegistryClientOptions;

/* A client for repository PATH at DOMAIN ("docker.io", "127.0.0.1:5000"). OPTIONS may be NULL. */
RegistryClient *registry_client_new(const char *domain, const char *path,
                                    const RegistryClientOptions *options, GError **error);
void registry_client_free(RegistryClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RegistryClient, registry_client_free)

typedef struct {
    char *digest, *media_type;
    char *bytes; /* a NUL follows */
    size_t length;
} RemoteManifest;

/* The manifest that tag or digest REFERENCE means. NOT_FOUND where there is none, DENIED where we
 * may not, INVALID where the bytes are not those of the digest. */
bool registry_client_get_manifest(RegistryClient *client, const char *reference,
                                  RemoteManifest *manifest, GError **error);
void remote_manifest_clear(RemoteManifest *manifest);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RemoteManifest, remote_manifest_clear)

/* Puts BYTES under tag or digest REFERENCE. Where they have a subject that the registry does not
 * index, *SUBJECT_IGNORED is set (may be NULL). */
bool registry_client_put_manifest(RegistryClient *client, const char *reference,
                                  const char *media_type, const void *bytes, size_t length,
                                  bool *subject_ignored, GError **error);

/* Whether the repository has blob DIGEST; false with an error when it could not be asked. */
bool registry_client_has_blob(RegistryClient *client, const char *digest, GError **error);

/* Fetches blob DIGEST of SIZE bytes into STORE, going on after cut connections. */
bool registry_client_fetch_blob(RegistryClient *client, const char *digest, int64_t size,
                                ContentStore *store, GError **error);

/* Sends SIZE bytes of FD as blob DIGEST, going on after cut connections. Where FROM (another
 * repository at the same registry; may be NULL) has it, it is mounted instead. */
bool registry_client_send_blob(RegistryClient *client, const char *digest, int fd, int64_t size,
                               const char *from, GError **error);

/* The highest number of tries for one transfer. */
#define REGISTRY_TRIES 5
