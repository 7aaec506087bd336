#include "registry/server.h"

#include "model/reference.h"
#include "net/http_url.h"
#include "registry/exchange.h"

#include <string.h>

#define STOP_GRACE_MS 5000

struct Registry {
    HttpServer *server;
    UploadTable *uploads;
    RegistryHooks hooks;
    char *home;
};

/* A database belongs to one thread, so each thread of the server opens its own on first use. */
typedef struct {
    const Registry *registry;
    Catalog *catalog;
} ThreadCatalog;

static void thread_catalog_free(gpointer data)
{
    ThreadCatalog *mine = data;
    catalog_free(mine->catalog);
    g_free(mine);
}

static GPrivate thread_catalog = G_PRIVATE_INIT(thread_catalog_free);

/* This thread's catalog, opened where it is not yet; NULL on error. */
static Catalog *open_thread_catalog(const Registry *registry, GError **error)
{
    ThreadCatalog *mine = g_private_get(&thread_catalog);
    if (mine != NULL && mine->registry == registry)
        return mine->catalog;
    g_autoptr(Catalog) catalog = catalog_open(registry->home, error);
    if (catalog == NULL)
        return NULL;
    mine = g_new0(ThreadCatalog, 1);
    *mine = (ThreadCatalog){registry, g_steal_pointer(&catalog)};
    g_private_replace(&thread_catalog, mine);
    return mine->catalog;
}

Catalog *exchange_catalog(const Exchange *exchange)
{
    /* Opened before the exchange was dispatched, and a request stays in its thread. */
    ThreadCatalog *mine = g_private_get(&thread_catalog);
    g_assert(mine != NULL && mine->registry == exchange->registry);
    return mine->catalog;
}

UploadTable *exchange_uploads(const Exchange *exchange)
{
    return exchange->registry->uploads;
}

/* Who asks, with texts that live as long as the exchange but ORIGIN and PEER (for the caller to
 * free). A proxy before us says what the client sees. */
static RegistryCaller describe_caller(const Exchange *exchange, char **origin, char **peer)
{
    HttpRequest *request = exchange->request;
    const char *host = http_request_header(request, "Host");
    const char *scheme = http_request_header(request, "X-Forwarded-Proto");
    bool tls = g_str_has_prefix(http_server_url(exchange->registry->server), "https:") ||
               g_strcmp0(scheme, "https") == 0;
    *origin = g_strdup_printf("http%s://%s", tls ? "s" : "", host != NULL ? host : "localhost");
    *peer = http_request_peer(request);
    return (RegistryCaller){
        .authorization = http_request_header(request, "Authorization"),
        .peer = *peer,
        .origin = *origin,
    };
}

static RegistryVerdict judge(Exchange *exchange, const char *repository, RegistryAction action,
                             char **challenge, char **reason)
{
    const RegistryHooks *hooks = &exchange->registry->hooks;
    if (hooks->authorize == NULL)
        return REGISTRY_ALLOW;
    g_autofree char *origin = NULL, *peer = NULL;
    RegistryCaller caller = describe_caller(exchange, &origin, &peer);
    return hooks->authorize(hooks->context, &caller, repository, action, challenge, reason);
}

bool exchange_may(Exchange *exchange, const char *repository, RegistryAction action)
{
    g_autofree char *challenge = NULL, *reason = NULL;
    return judge(exchange, repository, action, &challenge, &reason) == REGISTRY_ALLOW;
}

bool exchange_authorize(Exchange *exchange, const char *repository, RegistryAction action)
{
    g_autofree char *challenge = NULL, *reason = NULL;
    RegistryVerdict verdict = judge(exchange, repository, action, &challenge, &reason);
    if (verdict == REGISTRY_ALLOW)
        return true;
    if (challenge != NULL)
        http_answer_header(exchange->request, "WWW-Authenticate", challenge);
    problem_answer(exchange->request,
                   verdict == REGISTRY_DENY ? PROBLEM_DENIED : PROBLEM_UNAUTHORIZED, reason, NULL);
    return false;
}

bool exchange_admit(Exchange *exchange, const char *digest)
{
    const RegistryHooks *hooks = &exchange->registry->hooks;
    g_autofree char *reason = NULL;
    if (hooks->admit == NULL ||
        hooks->admit(hooks->context, exchange->endpoint.repository, digest, &reason))
        return true;
    problem_answer(exchange->request, PROBLEM_DENIED, reason, digest);
    return false;
}

static void ping_handle(Exchange *exchange)
{
    if (!exchange_reads(exchange))
        problem_answer_method(exchange->request, "GET, HEAD");
    else if (exchange_authorize(exchange, NULL, REGISTRY_PULL))
        http_answer(exchange->request, 200, "application/json", "{}", -1);
}

/* GET /token?scope=…: each scope may stand alone or several with blanks between them. */
static void token_handle(Exchange *exchange)
{
    const RegistryHooks *hooks = &exchange->registry->hooks;
    const GPtrArray *query = http_request_query(exchange->request);
    g_autoptr(GPtrArray) scopes = g_ptr_array_new();
    if (!exchange_is_method(exchange, "GET")) { /* clients that tried POST go on with GET */
        problem_answer_method(exchange->request, "GET");
        return;
    }
    for (guint i = 0; i < query->len; i++) {
        const HttpParameter *parameter = g_ptr_array_index(query, i);
        if (g_str_equal(parameter->name, "scope"))
            g_ptr_array_add(scopes, parameter->value);
    }
    g_ptr_array_add(scopes, NULL);
    g_autofree char *origin = NULL, *peer = NULL, *challenge = NULL, *reason = NULL;
    RegistryCaller caller = describe_caller(exchange, &origin, &peer);
    g_autofree char *token = hooks->issue(hooks->context, &caller,
                                          (const char *const *) scopes->pdata, &challenge, &reason);
    http_answer_header(exchange->request, "Cache-Control", "no-store");
    if (token != NULL) {
        http_answer(exchange->request, 200, "application/json", token, -1);
        return;
    }
    http_answer_header(exchange->request, "WWW-Authenticate", challenge);
    problem_answer(exchange->request, PROBLEM_UNAUTHORIZED, reason, NULL);
}

static void dispatch(Exchange *exchange)
{
    static void (*const handlers[])(Exchange *) = {
        [ENDPOINT_PING] = ping_handle,     [ENDPOINT_CATALOG] = catalog_handle,
        [ENDPOINT_BLOB] = blob_handle,     [ENDPOINT_UPLOADS] = uploads_handle,
        [ENDPOINT_UPLOAD] = upload_handle, [ENDPOINT_MANIFEST] = manifest_handle,
        [ENDPOINT_TAGS] = tags_handle,     [ENDPOINT_REFERRERS] = referrers_handle,
    };
    const Endpoint *endpoint = &exchange->endpoint;
    bool token = g_str_equal(http_request_path(exchange->request), "/token");
    if (token && exchange->registry->hooks.issue != NULL)
        token_handle(exchange);
    else if (endpoint->kind == ENDPOINT_UNKNOWN)
        problem_answer(exchange->request, PROBLEM_NOT_FOUND, NULL,
                       http_request_path(exchange->request));
    else if (endpoint->repository != NULL && !reference_is_path(endpoint->repository))
        problem_answer(exchange->request, PROBLEM_NAME_INVALID, NULL, endpoint->repository);
    else
        handlers[endpoint->kind](exchange);
}

static void handle(HttpRequest *request, void *context)
{
    Exchange exchange = {.request = request, .registry = context};
    http_answer_header(request, "Docker-Distribution-API-Version", "registry/2.0");
    g_autoptr(GError) error = NULL;
    if (open_thread_catalog(exchange.registry, &error) == NULL) {
        problem_answer_error(request, error);
        return;
    }
    endpoint_parse(http_request_path(request), &exchange.endpoint);
    dispatch(&exchange);
    endpoint_clear(&exchange.endpoint);
}

Registry *registry_start(const RegistryOptions *options, GError **error)
{
    /* The schema is made, and its errors are found, before anybody connects. */
    g_autoptr(Catalog) catalog = catalog_open(options->home, error);
    if (catalog == NULL)
        return NULL;
    Registry *registry = g_new0(Registry, 1);
    registry->home = g_strdup(catalog->state->home);
    registry->hooks = options->hooks;
    registry->uploads = upload_table_new();
    registry->server = http_server_start(
        &(HttpServerOptions){
            .address = options->address,
            .threads = options->threads,
            .tls_certificate = options->tls_certificate,
            .tls_key = options->tls_key,
            .handle = handle,
            .context = registry,
        },
        error);
    if (registry->server != NULL)
        return registry;
    upload_table_free(registry->uploads);
    g_free(registry->home);
    g_free(registry);
    return NULL;
}

const char *registry_url(const Registry *registry)
{
    return http_server_url(registry->server);
}

void registry_stop(Registry *registry)
{
    if (registry == NULL)
        return;
    http_server_stop(registry->server, STOP_GRACE_MS);
    upload_table_free(registry->uploads);
    g_free(registry->home);
    g_free(registry);
}
