#include "registry/client.h"

#include "base/error.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "net/http_client.h"
#include "net/http_url.h"
#include "oci/image.h"
#include "registry/pushed_manifest.h"
#include "registry/range.h"
#include "registry/token.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL_BLOB (1024 * 1024) /* up to here the closing PUT carries the bytes itself */
#define RETRY_PAUSE_MS 500

#define ACCEPT_MANIFESTS                                                                           \
    "Accept: " OCI_MANIFEST ", " OCI_INDEX ", " DOCKER_MANIFEST ", " DOCKER_MANIFEST_LIST          \
    ", application/vnd.oci.artifact.manifest.v1+json"

struct RegistryClient {
    HttpClient *http;
    TokenKeeper *tokens;
    char *domain, *path;
    char *origin; /* "https://registry-1.docker.io" */
};

/* Docker Hub's name is not where it answers. */
static const char *host_of(const char *domain)
{
    return g_str_equal(domain, "docker.io") ? "registry-1.docker.io" : domain;
}

static char *find_ca_file(const char *domain)
{
    static const char *const folders[] = {"/etc/docker/certs.d", "/etc/containers/certs.d"};
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
        char *file = g_build_filename(folders[i], domain, "ca.crt", NULL);
        if (access(file, R_OK) == 0)
            return file;
        g_free(file);
    }
    return NULL;
}

/* The credential of OPTIONS, else of the files; false on error. */
static bool choose_credential(const RegistryClientOptions *options, const char *domain,
                              const char *path, Credential **credential, GError **error)
{
    g_autoptr(GError) trouble = NULL;
    if (options->user == NULL) {
        *credential = credential_find(domain, path, &trouble);
        if (trouble != NULL)
            g_propagate_error(error, g_steal_pointer(&trouble));
        return *credential != NULL || trouble == NULL;
    }
    *credential = g_new0(Credential, 1);
    (*credential)->user = g_strdup(options->user);
    (*credential)->password = g_strdup(options->password != NULL ? options->password : "");
    return true;
}

RegistryClient *registry_client_new(const char *domain, const char *path,
                                    const RegistryClientOptions *options, GError **error)
{
    static const RegistryClientOptions defaults = {0};
    if (options == NULL)
        options = &defaults;
    g_autoptr(GError) trouble = NULL;
    Credential *credential = NULL;
    if (!choose_credential(options, domain, path, &credential, &trouble)) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return NULL;
    }
    g_autofree char *found = options->ca_file == NULL ? find_ca_file(domain) : NULL;
    HttpClient *http = http_client_new(
        &(HttpClientOptions){
            .ca_file = options->ca_file != NULL ? options->ca_file : found,
            .insecure = options->insecure,
        },
        error);
    if (http == NULL) {
        credential_free(credential);
        return NULL;
    }
    bool plain = options->plain_http || http_host_is_loopback(domain);
    RegistryClient *client = g_new0(RegistryClient, 1);
    client->http = http;
    client->domain = g_strdup(domain);
    client->path = g_strdup(path);
    client->origin = g_strdup_printf("http%s://%s", plain ? "" : "s", host_of(domain));
    client->tokens = token_keeper_new(client->origin, credential);
    return client;
}

void registry_client_free(RegistryClient *client)
{
    if (client == NULL)
        return;
    http_client_free(client->http);
    token_keeper_free(client->tokens);
    g_free(client->domain);
    g_free(client->path);
    g_free(client->origin);
    g_free(client);
}

/* --- requests ---------------------------------------------------------------------------- */

static char *pull_scope(const RegistryClient *client)
{
    return g_strdup_printf("repository:%s:pull", client->path);
}

static char *push_scope(const RegistryClient *client)
{
    return g_strdup_printf("repository:%s:pull,push", client->path);
}

G_GNUC_PRINTF(2, 3)
static char *make_url(const RegistryClient *client, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *rest = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return g_strdup_printf("%s/v2/%s/%s", client->origin, client->path, rest);
}

/* Sends EXCHANGE (whose headers are HEADERS, NULL at the end, with room for one more) with what
 * SCOPES need; once more where the registry asks who we are. */
static bool send_authorized(RegistryClient *client, HttpExchange *exchange, const char **headers,
                            const char *scopes, HttpAnswer *answer, GError **error)
{
    size_t count = 0;
    while (headers[count] != NULL)
        count++;
    exchange->headers = headers;
    for (int attempt = 0;; attempt++) {
        g_autofree char *authorization = token_keeper_header(client->tokens, scopes);
        headers[count] = authorization;
        bool sent = http_client_send(client->http, exchange, answer, error);
        headers[count] = NULL;
        if (!sent)
            return false;
        if (answer->status != 401 || attempt == 1)
            return true;
        g_autoptr(GError) trouble = NULL;
        if (token_keeper_answer(client->tokens, client->http, answer, scopes, &trouble)) {
            http_answer_clear(answer);
            continue;
        }
        if (trouble == NULL)
            return true;
        http_answer_clear(answer);
        g_propagate_error(error, g_steal_pointer(&trouble));
        return false;
    }
}

/* The registry's own words about what went wrong; NULL where it has none. */
static char *words_of(const HttpAnswer *answer)
{
    if (answer->body == NULL || answer->body->len == 0)
        return NULL;
    g_autoptr(json_t) document =
        json_parse("answer", (const char *) answer->body->data, answer->body->len, NULL);
    const json_t *first = json_array_get(json_object_get(document, "errors"), 0);
    const char *code = json_get_string(first, "code");
    const char *message = json_get_string(first, "message");
    if (code == NULL)
        return NULL;
    return g_strdup_printf("%s%s%s", code, message != NULL ? ": " : "",
                           message != NULL ? message : "");
}

/* Sets ERROR from an answer that is not what was hoped for; returns false. */
static bool fail(const RegistryClient *client, const char *what, const HttpAnswer *answer,
                 GError **error)
{
    int status = answer->status;
    int code = status == 401 || status == 403   ? SLIPWAY_ERROR_DENIED
               : status == 404                  ? SLIPWAY_ERROR_NOT_FOUND
               : status == 429 || status >= 500 ? SLIPWAY_ERROR_UNAVAILABLE
                                                : SLIPWAY_ERROR_INVALID;
    g_autofree char *words = words_of(answer);
    g_set_error(error, SLIPWAY_ERROR, code, "%s/%s: %s: the registry answered %d%s%s%s",
                client->domain, client->path, what, status, words != NULL ? " " : "",
                words != NULL ? words : "",
                status == 401 ? "; log in first (docker login), or check the password" : "");
    return false;
}

/* --- manifests --------------------------------------------------------------------------- */

void remote_manifest_clear(RemoteManifest *manifest)
{
    g_clear_pointer(&manifest->digest, g_free);
    g_clear_pointer(&manifest->media_type, g_free);
    g_clear_pointer(&manifest->bytes, g_free);
}

/* Takes the body of ANSWER as the manifest REFERENCE, having checked it. */
static bool take_manifest(const char *reference, HttpAnswer *answer, RemoteManifest *manifest,
                          GError **error)
{
    HashAlgorithm algorithm = HASH_SHA256;
    bool by_digest = strchr(reference, ':') != NULL;
    if (by_digest)
        hash_parse_name(reference, strcspn(reference, ":"), &algorithm);
    manifest->digest = hash_digest(algorithm, answer->body->data, answer->body->len);
    if (by_digest && !g_str_equal(manifest->digest, reference)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "manifest '%s': the registry sent other bytes ('%s')", reference,
                    manifest->digest);
        return false;
    }
    const char *type = http_answer_find(answer, "Content-Type");
    manifest->media_type =
        g_strstrip(g_strndup(type != NULL ? type : "", strcspn(type != NULL ? type : "", ";")));
    manifest->length = answer->body->len;
    manifest->bytes = (char *) g_byte_array_free(g_steal_pointer(&answer->body), FALSE);
    return true;
}

bool registry_client_get_manifest(RegistryClient *client, const char *reference,
                                  RemoteManifest *manifest, GError **error)
{
    *manifest = (RemoteManifest){0};
    g_autofree char *url = make_url(client, "manifests/%s", reference);
    g_autofree char *scope = pull_scope(client);
    g_autofree char *what = g_strdup_printf("manifest '%s'", reference);
    const char *headers[] = {ACCEPT_MANIFESTS, NULL, NULL};
    g_auto(HttpAnswer) answer = {0};
    if (!send_authorized(client, &(HttpExchange){.url = url, .body_limit = MANIFEST_LIMIT}, headers,
                         scope, &answer, error))
        return false;
    if (answer.status != 200)
        return fail(client, what, &answer, error);
    bool taken = take_manifest(reference, &answer, manifest, error);
    if (!taken)
        remote_manifest_clear(manifest);
    return taken;
}

bool registry_client_put_manifest(RegistryClient *client, const char *reference,
                                  const char *media_type, const void *bytes, size_t length,
                                  bool *subject_ignored, GError **error)
{
    g_autofree char *url = make_url(client, "manifests/%s", reference);
    g_autofree char *scope = push_scope(client);
    g_autofree char *type = g_strconcat("Content-Type: ", media_type, NULL);
    g_autofree char *what = g_strdup_printf("manifest '%s'", reference);
    const char *headers[] = {type, NULL, NULL};
    HttpExchange exchange = {
        .method = "PUT", .url = url, .body = bytes, .body_length = (int64_t) length};
    g_auto(HttpAnswer) answer = {0};
    if (!send_authorized(client, &exchange, headers, scope, &answer, error))
        return false;
    if (subject_ignored != NULL)
        *subject_ignored = http_answer_find(&answer, "OCI-Subject") == NULL;
    return answer.status == 201 || answer.status == 202 || fail(client, what, &answer, error);
}

/* --- fetching blobs ---------------------------------------------------------------------- */

typedef struct {
    ContentWriter *writer;
    int64_t size; /* as the manifest says */
    int64_t skip; /* bytes of this answer that are there already */
    bool started;
} Fetch;

/* A server may answer a wish for the rest with the whole, or with another part. */
static bool place_answer(Fetch *fetch, const HttpAnswer *answer, GError **error)
{
    int64_t have = content_writer_size(fetch->writer), first = 0, last = 0;
    const char *range = http_answer_find(answer, "Content-Range");
    fetch->started = true;
    if (answer->status == 206 &&
        (range == NULL || !range_parse_chunk(range, &first, &last) || first > have)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "the registry sent another part than was asked for");
        return false;
    }
    fetch->skip = have - first;
    return true;
}

static bool take_bytes(const HttpAnswer *answer, const void *bytes, size_t length, void *state,
                       GError **error)
{
    Fetch *fetch = state;
    if (!fetch->started && !place_answer(fetch, answer, error))
        return false;
    size_t skipped = (size_t) MIN((int64_t) length, fetch->skip);
    fetch->skip -= (int64_t) skipped;
    length -= skipped;
    if (content_writer_size(fetch->writer) + (int64_t) length > fetch->size) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "it is larger than the %" G_GINT64_FORMAT " bytes its manifest says",
                    fetch->size);
        return false;
    }
    return content_writer_append(fetch->writer, (const char *) bytes + skipped, length, error);
}

/* One request for what is still missing. */
static bool fetch_rest(RegistryClient *client, const char *digest, Fetch *fetch, GError **error)
{
    int64_t have = content_writer_size(fetch->writer);
    g_autofree char *url = make_url(client, "blobs/%s", digest);
    g_autofree char *scope = pull_scope(client);
    g_autofree char *what = g_strdup_printf("blob '%s'", digest);
    g_autofree char *range =
        have > 0 ? g_strdup_printf("Range: bytes=%" G_GINT64_FORMAT "-", have) : NULL;
    const char *headers[] = {range, NULL, NULL};
    fetch->started = false;
    fetch->skip = 0;
    g_auto(HttpAnswer) answer = {0};
    if (!send_authorized(client,
                         &(HttpExchange){.url = url, .sink = take_bytes, .sink_state = fetch},
                         headers, scope, &answer, error))
        return false;
    return answer.status == 200 || answer.status == 206 || fail(client, what, &answer, error);
}

bool registry_client_fetch_blob(RegistryClient *client, const char *digest, int64_t size,
                                ContentStore *store, GError **error)
{
    g_autoptr(ContentWriter) writer = content_writer_new(store, error);
    if (writer == NULL)
        return false;
    Fetch fetch = {.writer = writer, .size = size};
    for (int number = 1; content_writer_size(writer) < size || number == 1; number++) {
        g_autoptr(GError) trouble = NULL;
        bool done = fetch_rest(client, digest, &fetch, &trouble);
        if (done && content_writer_size(writer) < size) {
            done = false;
            g_set_error(&trouble, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE,
                        "only %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " bytes came",
                        content_writer_size(writer), size);
        }
        if (done)
            break;
        if (number == REGISTRY_TRIES ||
            !g_error_matches(trouble, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE)) {
            g_propagate_prefixed_error(error, g_steal_pointer(&trouble), "blob '%s': ", digest);
            return false;
        }
        g_usleep((gulong) number * RETRY_PAUSE_MS * 1000);
    }
    g_autofree char *stored = content_writer_commit(writer, digest, error);
    return stored != NULL;
}

/* --- sending blobs ----------------------------------------------------------------------- */

bool registry_client_has_blob(RegistryClient *client, const char *digest, GError **error)
{
    g_autofree char *url = make_url(client, "blobs/%s", digest);
    g_autofree char *scope = push_scope(client);
    g_autofree char *what = g_strdup_printf("blob '%s'", digest);
    const char *headers[] = {NULL, NULL};
    g_auto(HttpAnswer) answer = {0};
    if (!send_authorized(client, &(HttpExchange){.method = "HEAD", .url = url}, headers, scope,
                         &answer, error))
        return false;
    if (answer.status == 200)
        return true;
    if (answer.status != 404)
        fail(client, what, &answer, error);
    return false;
}

/* Where the session of ANSWER goes on; NULL with an error. */
static char *next_location(const HttpAnswer *answer, GError **error)
{
    const char *location = http_answer_find(answer, "Location");
    if (location == NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "upload: the registry did not say where it goes on");
        return NULL;
    }
    return http_url_resolve(answer->url, location, error);
}

/* Starts an upload, or mounts DIGEST from FROM. *LOCATION NULL: it was mounted. */
static bool start_upload(RegistryClient *client, const char *digest, const char *from,
                         char **location, GError **error)
{
    g_autofree char *own = push_scope(client);
    g_autofree char *scopes =
        from != NULL ? g_strdup_printf("%s repository:%s:pull", own, from) : g_strdup(own);
    g_autofree char *encoded = from != NULL ? http_url_encode(from, "/") : NULL;
    g_autofree char *url =
        from != NULL ? make_url(client, "blobs/uploads/?mount=%s&from=%s", digest, encoded)
                     : make_url(client, "blobs/uploads/");
    const char *headers[] = {NULL, NULL};
    g_auto(HttpAnswer) answer = {0};
    *location = NULL;
    if (!send_authorized(client, &(HttpExchange){.method = "POST", .url = url}, headers, scopes,
                         &answer, error))
        return false;
    if (answer.status == 201 && from != NULL)
        return true;
    if (answer.status != 202)
        return fail(client, "upload", &answer, error);
    *location = next_location(&answer, error);
    return *location != NULL;
}

typedef struct {
    RegistryClient *client;
    const char *digest;
    int fd;
    int64_t size;
    int64_t sent;   /* that the registry has */
    char *location; /* newest */
} Sending;

/* Asks how much has arrived. */
static bool ask_progress(Sending *sending, GError **error)
{
    g_autofree char *scope = push_scope(sending->client);
    const char *headers[] = {NULL, NULL};
    g_auto(HttpAnswer) answer = {0};
    if (!send_authorized(sending->client, &(HttpExchange){.url = sending->location}, headers, scope,
                         &answer, error))
        return false;
    const char *range = http_answer_find(&answer, "Range");
    int64_t first = 0, last = 0;
    if (answer.status != 204 || range == NULL || !range_parse_chunk(range, &first, &last))
        return fail(sending->client, "upload", &answer, error);
    /* "0-0" is nothing, or one byte: then that byte is sent again and refused, which is rare. */
    sending->sent = last > 0 ? last + 1 : 0;
    if (http_answer_find(&answer, "Location") == NULL)
        return true;
    g_free(sending->location);
    sending->location = next_location(&answer, error);
    return sending->location != NULL;
}

/* One PATCH with all that is missing. */
static bool send_rest(Sending *sending, GError **error)
{
    g_autofree char *scope = push_scope(sending->client);
    g_autofree char *range = g_strdup_printf(
        "Content-Range: %" G_GINT64_FORMAT "-%" G_GINT64_FORMAT, sending->sent, sending->size - 1);
    const char *headers[] = {"Content-Type: application/octet-stream",
                             sending->sent > 0 ? range : NULL, NULL, NULL};
    HttpExchange exchange = {
        .method = "PATCH",
        .url = sending->location,
        .body_from_fd = true,
        .body_fd = sending->fd,
        .body_offset = sending->sent,
        .body_length = sending->size - sending->sent,
        .once = true,
    };
    g_auto(HttpAnswer) answer = {0};
    if (!send_authorized(sending->client, &exchange, headers, scope, &answer, error))
        return false;
    if (answer.status != 202)
        return fail(sending->client, "upload", &answer, error);
    g_free(sending->location);
    sending->location = next_location(&answer, error);
    sending->sent = sending->size;
    return sending->location != NULL;
}

/* Sends in PATCHes, going on where a cut connection left off. */
static bool send_pieces(Sending *sending, GError **error)
{
    for (int number = 1; sending->sent < sending->size; number++) {
        g_autoptr(GError) trouble = NULL;
        if (send_rest(sending, &trouble))
            break;
        if (number == REGISTRY_TRIES || sending->location == NULL ||
            !g_error_matches(trouble, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE)) {
            g_propagate_error(error, g_steal_pointer(&trouble));
            return false;
        }
        g_usleep((gulong) number * RETRY_PAUSE_MS * 1000);
        if (!ask_progress(sending, error))
            return false;
    }
    return true;
}

/* The closing PUT, with what has not been sent. */
static bool close_upload(Sending *sending, GError **error)
{
    g_autofree char *scope = push_scope(sending->client);
    g_autofree char *encoded = http_url_encode(sending->digest, ":");
    g_autofree char *url =
        g_strdup_printf("%s%cdigest=%s", sending->location,
                        strchr(sending->location, '?') != NULL ? '&' : '?', encoded);
    g_autofree char *what = g_strdup_printf("blob '%s'", sending->digest);
    const char *headers[] = {"Content-Type: application/octet-stream", NULL, NULL};
    HttpExchange exchange = {
        .method = "PUT",
        .url = url,
        .body_from_fd = sending->sent < sending->size,
        .body_fd = sending->fd,
        .body_offset = sending->sent,
        .body_length = sending->size - sending->sent,
        .once = true,
    };
    g_auto(HttpAnswer) answer = {0};
    if (!send_authorized(sending->client, &exchange, headers, scope, &answer, error))
        return false;
    return answer.status == 201 || answer.status == 204 ||
           fail(sending->client, what, &answer, error);
}

bool registry_client_send_blob(RegistryClient *client, const char *digest, int fd, int64_t size,
                               const char *from, GError **error)
{
    for (int number = 1;; number++) {
        g_autoptr(GError) trouble = NULL;
        Sending sending = {.client = client, .digest = digest, .fd = fd, .size = size};
        bool done = start_upload(client, digest, from, &sending.location, &trouble);
        if (done && sending.location != NULL)
            done = (size <= SMALL_BLOB || send_pieces(&sending, &trouble)) &&
                   close_upload(&sending, &trouble);
        g_free(sending.location);
        if (done)
            return true;
        if (number == REGISTRY_TRIES ||
            !g_error_matches(trouble, SLIPWAY_ERROR, SLIPWAY_ERROR_UNAVAILABLE)) {
            g_propagate_error(error, g_steal_pointer(&trouble));
            return false;
        }
        g_usleep((gulong) number * RETRY_PAUSE_MS * 1000);
    }
}
