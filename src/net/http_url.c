#include "net/http_url.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <string.h>

char *http_url_decode(const char *text, size_t length, bool form)
{
    g_autofree char *decoded = g_malloc(length + 1);
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '%') {
            if (length - i < 3 || !g_ascii_isxdigit(text[i + 1]) || !g_ascii_isxdigit(text[i + 2]))
                return NULL;
            int byte = g_ascii_xdigit_value(text[i + 1]) * 16 + g_ascii_xdigit_value(text[i + 2]);
            if (byte == 0)
                return NULL;
            decoded[n++] = (char) byte;
            i += 2;
        } else {
            decoded[n++] = form && text[i] == '+' ? ' ' : text[i];
        }
    }
    decoded[n] = '\0';
    return g_steal_pointer(&decoded);
}

char *http_url_encode(const char *text, const char *keep)
{
    GString *encoded = g_string_new(NULL);
    for (const char *c = text; *c != '\0'; c++) {
        if (g_ascii_isalnum(*c) || strchr("-._~", *c) != NULL || strchr(keep, *c) != NULL)
            g_string_append_c(encoded, *c);
        else
            g_string_append_printf(encoded, "%%%02X", (unsigned char) *c);
    }
    return g_string_free(encoded, FALSE);
}

static void parameter_free(gpointer data)
{
    HttpParameter *parameter = data;
    g_free(parameter->name);
    g_free(parameter->value);
    g_free(parameter);
}

GPtrArray *http_query_parse(const char *query)
{
    g_autoptr(GPtrArray) parameters = g_ptr_array_new_with_free_func(parameter_free);
    for (const char *at = query; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, "&");
        const char *equals = memchr(at, '=', length);
        size_t name_length = equals != NULL ? (size_t) (equals - at) : length;
        const char *value = equals != NULL ? equals + 1 : at + length;

        HttpParameter *parameter = g_new0(HttpParameter, 1);
        g_ptr_array_add(parameters, parameter);
        parameter->name = http_url_decode(at, name_length, true);
        parameter->value = http_url_decode(value, (size_t) (at + length - value), true);
        if (parameter->name == NULL || parameter->value == NULL)
            return NULL;
        at += length;
        if (*at == '&')
            at++;
    }
    return g_steal_pointer(&parameters);
}

const char *http_query_find(const GPtrArray *query, const char *name)
{
    for (guint i = 0; i < query->len; i++) {
        const HttpParameter *parameter = g_ptr_array_index(query, i);
        if (g_str_equal(parameter->name, name))
            return parameter->value;
    }
    return NULL;
}

/* Splits URL into "scheme://authority" (*ORIGIN_LENGTH bytes) and the rest; false where it is no
 * http or https URL or its authority is empty or holds a user name. */
static bool split(const char *url, size_t *origin_length)
{
    size_t scheme = g_str_has_prefix(url, "http://")    ? strlen("http://")
                    : g_str_has_prefix(url, "https://") ? strlen("https://")
                                                        : 0;
    size_t authority = strcspn(url + scheme, "/?#");
    *origin_length = scheme + authority;
    return scheme > 0 && authority > 0 && memchr(url + scheme, '@', authority) == NULL;
}

static gboolean refuse(const char *url, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "'%s': expected an http:// or https:// address", url);
    return FALSE;
}

char *http_url_resolve(const char *base, const char *reference, GError **error)
{
    size_t origin = 0;
    if (!split(base, &origin)) {
        refuse(base, error);
        return NULL;
    }
    for (const char *c = reference; *c != '\0'; c++)
        if (*c <= 0x20 || *c == 0x7f) {
            refuse(reference, error);
            return NULL;
        }

    size_t colon = strcspn(reference, ":/?#");
    if (reference[colon] == ':') {
        size_t ignored = 0;
        if (split(reference, &ignored))
            return g_strdup(reference);
        refuse(reference, error);
        return NULL;
    }
    if (g_str_has_prefix(reference, "//")) {
        size_t scheme = strcspn(base, ":");
        g_autofree char *whole = g_strdup_printf("%.*s:%s", (int) scheme, base, reference);
        return http_url_resolve(base, whole, error);
    }
    if (reference[0] == '/')
        return g_strdup_printf("%.*s%s", (int) origin, base, reference);

    size_t path = strcspn(base, "?#");
    if (reference[0] == '?')
        return g_strdup_printf("%.*s%s", (int) path, base, reference);
    while (path > origin && base[path - 1] != '/')
        path--;
    return g_strdup_printf("%.*s%s%s", (int) path, base, path == origin ? "/" : "", reference);
}

char *http_url_origin(const char *url, GError **error)
{
    size_t length = 0;
    if (!split(url, &length)) {
        refuse(url, error);
        return NULL;
    }
    g_autofree char *origin = g_ascii_strdown(url, (gssize) length);
    const char *authority = strstr(origin, "://") + 3;
    const char *bracket = strchr(authority, ']');
    if (strchr(bracket != NULL ? bracket : authority, ':') != NULL)
        return g_steal_pointer(&origin);
    return g_strdup_printf("%s:%d", origin, g_str_has_prefix(origin, "https:") ? 443 : 80);
}

/* The host of "host", "host:port", "[v6]:port", whatever follows it in a URL. */
static char *host_name(const char *host)
{
    if (host[0] == '[')
        return g_strndup(host + 1, strcspn(host + 1, "]"));
    return g_strndup(host, strcspn(host, ":/?#"));
}

bool http_host_is_loopback(const char *host)
{
    g_autofree char *name = host_name(host);
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, name, &four) == 1)
        return (ntohl(four.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, name, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return g_ascii_strcasecmp(name, "localhost") == 0;
}

bool http_host_is_private_literal(const char *host)
{
    if (http_host_is_loopback(host))
        return true;
    g_autofree char *name = host_name(host);
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET6, name, &six) == 1) {
        if (!IN6_IS_ADDR_V4MAPPED(&six))
            return IN6_IS_ADDR_LINKLOCAL(&six) || (six.s6_addr[0] & 0xfe) == 0xfc ||
                   IN6_IS_ADDR_UNSPECIFIED(&six);
        memcpy(&four, six.s6_addr + 12, sizeof four);
    } else if (inet_pton(AF_INET, name, &four) != 1) {
        return false;
    }
    uint32_t address = ntohl(four.s_addr);
    return address >> 24 == 0 || address >> 24 == 10 || address >> 24 == 127 ||
           address >> 20 == 0xac1 || address >> 16 == 0xc0a8 || address >> 16 == 0xa9fe;
}

bool http_url_same_host(const char *a, const char *b)
{
    const char *at_a = strstr(a, "://");
    const char *at_b = strstr(b, "://");
    if (at_a == NULL || at_b == NULL)
        return false;
    g_autofree char *host_a = host_name(at_a + 3);
    g_autofree char *host_b = host_name(at_b + 3);
    return g_ascii_strcasecmp(host_a, host_b) == 0;
}
