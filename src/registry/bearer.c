#include "registry/bearer.h"

#include "base/clock.h"
#include "crypto/base64.h"
#include "format/json.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#define SERVICE "slipway"
#define LIFE_SECONDS 300
#define CLOCK_SKEW 5
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define TOKEN_LIMIT (16 * 1024)
#define SCOPES_LIMIT 64

struct Bearer {
    Htpasswd *users;
    uint8_t key[32];
};

Bearer *bearer_new(Htpasswd *users)
{
    Bearer *bearer = g_new0(Bearer, 1);
    bearer->users = users;
    g_assert(RAND_bytes(bearer->key, sizeof bearer->key) == 1);
    return bearer;
}

void bearer_free(Bearer *bearer)
{
    if (bearer == NULL)
        return;
    explicit_bzero(bearer->key, sizeof bearer->key);
    g_free(bearer);
}

static int64_t now(void)
{
    return clock_now_ns() / 1000000000;
}

/* --- the form of tokens ------------------------------------------------------------------ */

/* base64url without padding. */
static char *encode(const void *bytes, size_t length)
{
    char *text = base64_encode(bytes, length);
    g_strdelimit(text, "+", '-');
    g_strdelimit(text, "/", '_');
    text[strcspn(text, "=")] = '\0';
    return text;
}

static char *decode(const char *text, size_t length, size_t *out_length)
{
    g_autoptr(GString) padded = g_string_new_len(text, (gssize) length);
    g_strdelimit(padded->str, "-", '+');
    g_strdelimit(padded->str, "_", '/');
    while (padded->len % 4 != 0)
        g_string_append_c(padded, '=');
    return (char *) base64_decode(padded->str, -1, out_length, NULL);
}

static char *sign(const Bearer *bearer, const char *text, size_t length)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_length = 0;
    HMAC(EVP_sha256(), bearer->key, sizeof bearer->key, (const uint8_t *) text, length, mac,
         &mac_length);
    return encode(mac, mac_length);
}

static char *make_token(const Bearer *bearer, json_t *claims)
{
    g_autofree char *body = json_compact(claims);
    g_autofree char *first = encode(HEADER, strlen(HEADER));
    g_autofree char *second = encode(body, strlen(body));
    g_autofree char *both = g_strconcat(first, ".", second, NULL);
    g_autofree char *mac = sign(bearer, both, strlen(both));
    return g_strconcat(both, ".", mac, NULL);
}

/* The claims of TOKEN where it is ours and in force; else NULL. */
static json_t *read_token(const Bearer *bearer, const char *token)
{
    const char *first = strchr(token, '.');
    const char *last = strrchr(token, '.');
    if (strlen(token) > TOKEN_LIMIT || first == NULL || first == last)
        return NULL;
    /* The signature first: nothing else of a token that we did not make is looked at. */
    g_autofree char *mac = sign(bearer, token, (size_t) (last - token));
    if (strlen(last + 1) != strlen(mac) || CRYPTO_memcmp(last + 1, mac, strlen(mac)) != 0)
        return NULL;
    size_t length = 0;
    g_autofree char *body = decode(first + 1, (size_t) (last - first - 1), &length);
    g_autoptr(json_t) claims = body != NULL ? json_parse("token", body, length, NULL) : NULL;
    if (claims == NULL || json_get_integer(claims, "exp", 0) + CLOCK_SKEW < now() ||
        json_get_integer(claims, "nbf", 0) > now() + CLOCK_SKEW)
        return NULL;
    return g_steal_pointer(&claims);
}

/* --- scopes ------------------------------------------------------------------------------ */

/* "repository:NAME:pull,push" as {"type","name","actions"}; NULL where it is malformed. A user of
 * the file may do everything, so what is asked is what is granted. */
static json_t *parse_scope(const char *scope)
{
    static const char *const known[] = {"pull", "push", "delete", "*", NULL};
    const char *first = strchr(scope, ':');
    const char *last = strrchr(scope, ':');
    if (first == NULL || first == last)
        return NULL;
    json_t *actions = json_array();
    g_auto(GStrv) list = g_strsplit(last + 1, ",", -1);
    for (size_t i = 0; list[i] != NULL; i++)
        if (g_strv_contains(known, list[i]))
            json_array_append_new(actions, json_string(list[i]));
    return json_pack("{s:s%, s:s%, s:o}", "type", scope, (size_t) (first - scope), "name",
                     first + 1, (size_t) (last - first - 1), "actions", actions);
}

static json_t *parse_scopes(const char *const *scopes)
{
    json_t *access = json_array();
    for (size_t i = 0; scopes[i] != NULL; i++) {
        g_auto(GStrv) list = g_strsplit(scopes[i], " ", SCOPES_LIMIT);
        for (size_t k = 0; list[k] != NULL && json_array_size(access) < SCOPES_LIMIT; k++) {
            json_t *entry = parse_scope(list[k]);
            if (entry != NULL)
                json_array_append_new(access, entry);
        }
    }
    return access;
}

static bool lists(const json_t *actions, const char *action)
{
    for (size_t i = 0; i < json_array_size(actions); i++) {
        const char *one = json_string_value(json_array_get(actions, i));
        if (g_strcmp0(one, action) == 0 || g_strcmp0(one, "*") == 0)
            return true;
    }
    return false;
}

static const char *const action_names[] = {
    [REGISTRY_PULL] = "pull",
    [REGISTRY_PUSH] = "push",
    [REGISTRY_DELETE] = "delete",
    [REGISTRY_CATALOG] = "*",
};

/* Whether CLAIMS grant ACTION; the ping (no repository) asks for a token of any kind. */
static bool grants(const json_t *claims, const char *repository, RegistryAction action)
{
    bool catalog = action == REGISTRY_CATALOG;
    if (repository == NULL && !catalog)
        return true;
    const json_t *access = json_object_get(claims, "access");
    for (size_t i = 0; i < json_array_size(access); i++) {
        const json_t *entry = json_array_get(access, i);
        if (g_strcmp0(json_get_string(entry, "type"), catalog ? "registry" : "repository") == 0 &&
            g_strcmp0(json_get_string(entry, "name"), catalog ? "catalog" : repository) == 0 &&
            lists(json_object_get(entry, "actions"), action_names[action]))
            return true;
    }
    return false;
}

/* --- hooks ------------------------------------------------------------------------------- */

static char *format_challenge(const RegistryCaller *caller, const char *repository,
                              RegistryAction action, bool had_token)
{
    g_autofree char *scope = NULL;
    if (action == REGISTRY_CATALOG)
        scope = g_strdup(",scope=\"registry:catalog:*\"");
    else if (repository != NULL)
        scope = g_strdup_printf(",scope=\"repository:%s:%s\"", repository,
                                action == REGISTRY_PUSH ? "pull,push" : action_names[action]);
    return g_strdup_printf("Bearer realm=\"%s/token\",service=\"" SERVICE "\"%s%s", caller->origin,
                           scope != NULL ? scope : "",
                           had_token ? ",error=\"insufficient_scope\"" : "");
}

RegistryVerdict bearer_authorize(void *context, const RegistryCaller *caller,
                                 const char *repository, RegistryAction action, char **challenge,
                                 char **reason)
{
    const Bearer *bearer = context;
    const char *authorization = caller->authorization;
    g_autoptr(json_t) claims = NULL;
    if (authorization != NULL && g_ascii_strncasecmp(authorization, "Bearer ", 7) == 0)
        claims = read_token(bearer, authorization + strlen("Bearer "));
    if (claims != NULL && grants(claims, repository, action))
        return REGISTRY_ALLOW;
    *challenge = format_challenge(caller, repository, action, claims != NULL);
    *reason =
        g_strdup(claims != NULL ? "the token does not cover this" : "authentication required");
    return REGISTRY_AUTHENTICATE;
}

char *bearer_issue(void *context, const RegistryCaller *caller, const char *const *scopes,
                   char **challenge, char **reason)
{
    Bearer *bearer = context;
    g_autofree char *user = NULL;
    if (!htpasswd_check(bearer->users, caller, &user, reason)) {
        *challenge = g_strdup(HTPASSWD_CHALLENGE);
        return NULL;
    }
    g_autofree char *id = g_uuid_string_random();
    g_autofree char *issued = clock_format_seconds(now());
    g_autoptr(json_t) claims =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:o}", "iss", SERVICE, "sub", user, "aud",
                  SERVICE, "exp", (json_int_t) (now() + LIFE_SECONDS), "nbf", (json_int_t) now(),
                  "iat", (json_int_t) now(), "jti", id, "access", parse_scopes(scopes));
    if (claims == NULL) { /* a name or scope that is no UTF-8 */
        *challenge = g_strdup(HTPASSWD_CHALLENGE);
        *reason = g_strdup("malformed user or scope");
        return NULL;
    }
    g_autofree char *token = make_token(bearer, claims);
    g_autoptr(json_t) answer = json_pack("{s:s, s:s, s:i, s:s}", "token", token, "access_token",
                                         token, "expires_in", LIFE_SECONDS, "issued_at", issued);
    return json_compact(answer);
}
