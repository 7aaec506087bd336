#include "model/reference.h"

#include "base/error.h"
#include "model/digest.h"

#include <string.h>

#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN "index.docker.io"
#define OFFICIAL_PREFIX "library/"
#define NAME_LIMIT 255
#define TAG_LIMIT 128

static Reference *fail(const char *text, const char *why, GError **error)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "image '%s': %s", text, why);
    return NULL;
}

static bool is_lower_alnum(char c)
{
    return g_ascii_islower(c) || g_ascii_isdigit(c);
}

/* The separator at TEXT that may stand between letters: "." "_" "__" or any run of "-". 0: none. */
static size_t separator_length(const char *text)
{
    if (*text == '.')
        return 1;
    if (*text == '_')
        return text[1] == '_' ? 2 : 1;
    return strspn(text, "-");
}

bool reference_is_path(const char *text)
{
    if (strlen(text) > NAME_LIMIT)
        return false;
    for (const char *at = text;;) {
        if (!is_lower_alnum(*at))
            return false;
        while (is_lower_alnum(*at))
            at++;
        if (*at == '\0')
            return true;
        size_t separator = *at == '/' ? 1 : separator_length(at);
        if (separator == 0)
            return false;
        at += separator;
    }
}

bool reference_is_tag(const char *text)
{
    if (!g_ascii_isalnum(*text) && *text != '_')
        return false;
    size_t length = 0;
    for (const char *at = text; *at != '\0'; at++, length++)
        if (!g_ascii_isalnum(*at) && strchr("._-", *at) == NULL)
            return false;
    return length <= TAG_LIMIT;
}

/* host[:port]: components of letters, digits and inner dashes, or an IPv6 address in brackets. */
static bool is_domain(const char *text)
{
    const char *at = text;
    if (*at == '[') {
        size_t address = strspn(at + 1, "0123456789abcdefABCDEF:");
        at += 1 + address;
        if (address == 0 || *at++ != ']')
            return false;
    } else {
        for (;;) {
            if (!g_ascii_isalnum(*at))
                return false;
            while (g_ascii_isalnum(*at) || *at == '-')
                at++;
            if (at[-1] == '-')
                return false;
            if (*at != '.')
                break;
            at++;
        }
    }
    if (*at != ':')
        return *at == '\0';
    size_t port = strspn(at + 1, "0123456789");
    return port > 0 && at[1 + port] == '\0';
}

static bool looks_like_domain(const char *text)
{
    if (g_str_equal(text, "localhost") || strpbrk(text, ".:[") != NULL)
        return true;
    for (const char *at = text; *at != '\0'; at++)
        if (g_ascii_isupper(*at))
            return true;
    return false;
}

/* Splits NAME into domain and path, filling in the defaults. */
static void split_domain(Reference *reference, const char *name)
{
    const char *slash = strchr(name, '/');
    g_autofree char *first = slash != NULL ? g_strndup(name, (gsize) (slash - name)) : NULL;
    if (first != NULL && looks_like_domain(first)) {
        bool legacy = g_str_equal(first, LEGACY_DOMAIN);
        reference->domain = g_strdup(legacy ? DEFAULT_DOMAIN : first);
        reference->path = g_strdup(slash + 1);
    } else {
        reference->domain = g_strdup(DEFAULT_DOMAIN);
        reference->path = g_strdup(name);
    }
    if (g_str_equal(reference->domain, DEFAULT_DOMAIN) && strchr(reference->path, '/') == NULL) {
        char *official = g_strconcat(OFFICIAL_PREFIX, reference->path, NULL);
        g_free(reference->path);
        reference->path = official;
    }
}

static bool is_bare_hex(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static Reference *check(Reference *reference, const char *text, GError **error)
{
    if (!is_domain(reference->domain))
        return fail(text, "the part before the first '/' is no host name", error);
    if (strlen(reference->domain) + 1 + strlen(reference->path) > NAME_LIMIT)
        return fail(text, "name longer than 255 characters", error);
    if (!reference_is_path(reference->path))
        return fail(
            text,
            "repository names are lower-case letters and digits, with '.', '_', '__' or '-' "
            "between them and '/' between parts",
            error);
    if (reference->tag != NULL && !reference_is_tag(reference->tag))
        return fail(text,
                    "a tag is 1 to 128 letters, digits, '_', '.' and '-', and begins with neither "
                    "'.' nor '-'",
                    error);
    return reference;
}

Reference *reference_parse(const char *text, GError **error)
{
    if (*text == '\0')
        return fail(text, "empty name", error);
    if (is_bare_hex(text))
        return fail(text, "64 hex digits are a digest without 'sha256:', not a name", error);

    g_autoptr(Reference) reference = g_new0(Reference, 1);
    g_autofree char *name = g_strdup(text);
    char *at = strchr(name, '@');
    if (at != NULL) {
        *at = '\0';
        g_autoptr(Digest) digest = digest_parse(at + 1, error);
        if (digest == NULL) {
            g_prefix_error(error, "image '%s': ", text);
            return NULL;
        }
        reference->digest = digest_format(digest);
    }
    char *last = strrchr(name, '/');
    char *colon = strchr(last != NULL ? last : name, ':');
    if (colon != NULL) {
        *colon = '\0';
        reference->tag = g_strdup(colon + 1);
    }
    split_domain(reference, name);
    if (check(reference, text, error) == NULL)
        return NULL;
    return g_steal_pointer(&reference);
}

char *reference_repository(const Reference *reference)
{
    return g_strdup_printf("%s/%s", reference->domain, reference->path);
}

char *reference_name(const Reference *reference)
{
    return g_strdup_printf("%s/%s:%s", reference->domain, reference->path,
                           reference->tag != NULL ? reference->tag : "latest");
}

static char *with_suffix(const Reference *reference, const char *domain, const char *path)
{
    GString *text = g_string_new(NULL);
    if (domain != NULL)
        g_string_append_printf(text, "%s/", domain);
    g_string_append(text, path);
    if (reference->tag != NULL)
        g_string_append_printf(text, ":%s", reference->tag);
    if (reference->digest != NULL)
        g_string_append_printf(text, "@%s", reference->digest);
    return g_string_free(text, FALSE);
}

char *reference_format(const Reference *reference)
{
    return with_suffix(reference, reference->domain, reference->path);
}

char *reference_familiar(const Reference *reference)
{
    if (!g_str_equal(reference->domain, DEFAULT_DOMAIN))
        return reference_format(reference);
    const char *path = reference->path;
    if (g_str_has_prefix(path, OFFICIAL_PREFIX)) {
        const char *rest = path + strlen(OFFICIAL_PREFIX);
        if (strchr(rest, '/') == NULL && !is_bare_hex(rest))
            return with_suffix(reference, NULL, rest);
    }
    g_autofree char *first = g_strndup(path, strcspn(path, "/"));
    return with_suffix(reference, looks_like_domain(first) ? DEFAULT_DOMAIN : NULL, path);
}

bool reference_is_local(const Reference *reference)
{
    return g_str_equal(reference->domain, REFERENCE_LOCAL_DOMAIN);
}

void reference_free(Reference *reference)
{
    if (reference == NULL)
        return;
    g_free(reference->domain);
    g_free(reference->path);
    g_free(reference->tag);
    g_free(reference->digest);
    g_free(reference);
}
