#include "registry/token.h"

#include "base/error.h"
#include "format/json.h"
#include "net/http_url.h"
#include "registry/challenge.h"

#include <string.h>

#define TOKEN_ANSWER_LIMIT (64 * 1024)
#define TOKEN_LIFE_MINIMUM 60 /* seconds; what is shorter or not said counts as this */
#define RENEW_BEFORE 10       /* seconds */

typedef struct {
    char *text;
    int64_t until; /* monotonic, µs */
} Token;

struct TokenKeeper {
    char *origin;
    Credential *credential;
    bool basic;         /* the registry asks for Basic */
    GHashTable *tokens; /* scopes -> Token */
};

static void token_free(gpointer data)
{
    Token *token = data;
    g_free(token->text);
    g_free(token);
}

TokenKeeper *token_keeper_new(const char *origin, Credential *credential)
{
    TokenKeeper *keeper = g_new0(TokenKeeper, 1);
    keeper->origin = g_strdup(origin);
    keeper->credential = credential;
    keeper->tokens = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, token_free);
    return keeper;
}

void token_keeper_free(TokenKeeper *keeper)
{
    if (keeper == NULL)
        return;
    g_hash_table_unref(keeper->tokens);
    credential_free(keeper->credential);
    g_free(keeper->origin);
    g_free(keeper);
}

static char *basic_header(const Credential *credential)
{
    g_autofree char *both = g_strconcat(credential->user, ":", credential->password, NULL);
    g_autofree char *coded = g_base64_encode((const guchar *) both, strlen(both));
    return g_strconcat("Authorization: Basic ", coded, NULL);
}

char *token_keeper_header(TokenKeeper *keeper, const char *scopes)
{
    const Token *token = g_hash_table_lookup(keeper->tokens, scopes);
    if (token != NULL && g_get_monotonic_time() < token->until)
        return g_strconcat("Authorization: Bearer ", token->text, NULL);
    if (keeper->basic)
        return basic_header(keeper->credential);
    return NULL;
}

/* The token server gets our password: it must not be a place that only our network reaches, nor
 * be asked in plain text where the registry is not. */
static bool check_realm(const TokenKeeper *keeper, const char *realm, GError **error)
{
    g_autofree char *origin = http_url_origin(realm, error);
    if (origin == NULL) {
        g_prefix_error(error, "token server: ");
        return false;
    }
    bool plain = g_str_has_prefix(origin, "http:") && g_str_has_prefix(keeper->origin, "https:");
    bool inward = http_host_is_private_literal(strstr(origin, "://") + 3) &&
                  !http_url_same_host(origin, keeper->origin);
    if (!plain && !inward)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_DENIED, "token server '%s' refused: %s", realm,
                plain ? "it is not https" : "it is an address of a private network");
    return false;
}

static void append_parameter(GString *into, const char *name, const char *value)
{
    g_autofree char *encoded = http_url_encode(value, "");
    g_string_append_printf(into, "%s%s=%s", into->len > 0 ? "&" : "", name, encoded);
}

/* service, and each of SCOPES (or all of them as one value, as the POST form has it). */
static char *format_query(const Challenge *challenge, const char *scopes, const char *user,
                          const char *refresh_token)
{
    GString *query = g_string_new(NULL);
    const char *service = g_hash_table_lookup(challenge->values, "service");
    if (service != NULL)
        append_parameter(query, "service", service);
    g_auto(GStrv) list = g_strsplit(scopes, " ", -1);
    if (refresh_token != NULL) {
        append_parameter(query, "grant_type", "refresh_token");
        append_parameter(query, "client_id", "slipway");
        append_parameter(query, "refresh_token", refresh_token);
        append_parameter(query, "scope", scopes);
    }
    for (size_t i = 0; refresh_token == NULL && list[i] != NULL; i++)
        if (list[i][0] != '\0')
            append_parameter(query, "scope", list[i]);
    if (user != NULL)
        append_parameter(query, "account", user);
    return g_string_free(query, FALSE);
}

static bool ask(TokenKeeper *keeper, HttpClient *http, const char *realm,
                const Challenge *challenge, const char *scopes, HttpAnswer *answer, GError **error)
{
    const Credential *credential = keeper->credential;
    if (credential != NULL && credential->identity_token != NULL) {
        static const char *const form[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
        g_autofree char *body = format_query(challenge, scopes, NULL, credential->identity_token);
        return http_client_send(http,
                                &(HttpExchange){.method = "POST",
                                                .url = realm,
                                                .headers = form,
                                                .body = body,
                                                .body_length = (int64_t) strlen(body),
                                                .body_limit = TOKEN_ANSWER_LIMIT},
                                answer, error);
    }
    const char *user = credential != NULL ? credential->user : NULL;
    g_autofree char *query = format_query(challenge, scopes, user, NULL);
    g_autofree char *url = g_strconcat(realm, strchr(realm, '?') != NULL ? "&" : "?", query, NULL);
    g_autofree char *header = user != NULL ? basic_header(credential) : NULL;
    const char *const headers[] = {header, NULL};
    return http_client_send(
        http, &(HttpExchange){.url = url, .headers = headers, .body_limit = TOKEN_ANSWER_LIMIT},
        answer, error);
}

static bool fetch_token(TokenKeeper *keeper, HttpClient *http, const Challenge *challenge,
                        const char *scopes, GError **error)
{
    const char *realm = g_hash_table_lookup(challenge->values, "realm");
    g_auto(HttpAnswer) answer = {0};
    if (realm == NULL || !check_realm(keeper, realm, error) ||
        !ask(keeper, http, realm, challenge, scopes, &answer, error))
        return false;
    if (answer.status != 200) {
        bool refused = answer.status == 401 || answer.status == 403;
        g_set_error(error, SLIPWAY_ERROR,
                    refused ? SLIPWAY_ERROR_DENIED : SLIPWAY_ERROR_UNAVAILABLE,
                    "token server '%s' answered %d%s", realm, answer.status,
                    refused && keeper->credential == NULL ? "; log in first (docker login)" : "");
        return false;
    }
    g_autoptr(json_t) document =
        json_parse(realm, (const char *) answer.body->data, answer.body->len, error);
    if (document == NULL)
        return false;
    const char *text = json_get_string(document, "token");
    if (text == NULL)
        text = json_get_string(document, "access_token");
    if (text == NULL || text[0] == '\0') {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "token server '%s' answered without a token", realm);
        return false;
    }
    int64_t life = json_get_integer(document, "expires_in", TOKEN_LIFE_MINIMUM);
    life = CLAMP(life, TOKEN_LIFE_MINIMUM, 24 * 3600) - RENEW_BEFORE;
    Token *token = g_new0(Token, 1);
    *token = (Token){g_strdup(text), g_get_monotonic_time() + life * G_USEC_PER_SEC};
    g_hash_table_replace(keeper->tokens, g_strdup(scopes), token);
    return true;
}

bool token_keeper_answer(TokenKeeper *keeper, HttpClient *http, const HttpAnswer *answer,
                         const char *scopes, GError **error)
{
    g_autoptr(GPtrArray) challenges = g_ptr_array_new_with_free_func(challenge_free);
    for (guint i = 0; i + 1 < answer->headers->len; i += 2)
        if (g_ascii_strcasecmp(g_ptr_array_index(answer->headers, i), "WWW-Authenticate") == 0)
            challenge_parse(g_ptr_array_index(answer->headers, i + 1), challenges);

    for (guint i = 0; i < challenges->len; i++) {
        const Challenge *challenge = g_ptr_array_index(challenges, i);
        if (g_str_equal(challenge->scheme, "bearer"))
            return fetch_token(keeper, http, challenge, scopes, error);
    }
    for (guint i = 0; i < challenges->len; i++) {
        const Challenge *challenge = g_ptr_array_index(challenges, i);
        bool able = keeper->credential != NULL && keeper->credential->user != NULL;
        if (g_str_equal(challenge->scheme, "basic") && able && !keeper->basic)
            return keeper->basic = true;
    }
    return false;
}
