#include "registry/name.h"

#include "model/digest.h"

#include <string.h>

static bool is_word_byte(char c)
{
    return g_ascii_islower(c) || g_ascii_isdigit(c);
}

/* What may join two words: one '.', one or two '_', any number of '-'. The length, 0 for none. */
static size_t joint_length(const char *text)
{
    if (text[0] == '.')
        return 1;
    if (text[0] == '_')
        return text[1] == '_' ? 2 : 1;
    return strspn(text, "-");
}

bool registry_name_is_valid(const char *name)
{
    if (strnlen(name, REGISTRY_NAME_LIMIT + 1) > REGISTRY_NAME_LIMIT)
        return false;
    for (const char *at = name;;) {
        if (!is_word_byte(*at))
            return false;
        while (is_word_byte(*at))
            at++;
        if (*at == '\0')
            return true;
        size_t joint = *at == '/' ? 1 : joint_length(at);
        if (joint == 0)
            return false;
        at += joint;
    }
}

bool registry_tag_is_valid(const char *tag)
{
    size_t length = strnlen(tag, REGISTRY_TAG_LIMIT + 1);
    if (length == 0 || length > REGISTRY_TAG_LIMIT || tag[0] == '.' || tag[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!g_ascii_isalnum(tag[i]) && strchr("_.-", tag[i]) == NULL)
            return false;
    return true;
}

bool registry_digest_is_valid(const char *digest)
{
    g_autoptr(Digest) parsed = digest_parse(digest, NULL);
    return parsed != NULL;
}

char *registry_fallback_tag(const char *digest)
{
    size_t algorithm = strcspn(digest, ":");
    const char *encoded = digest[algorithm] == ':' ? digest + algorithm + 1 : "";
    char *tag = g_strdup_printf("%.*s-%.64s", (int) MIN(algorithm, 32), digest, encoded);
    for (char *c = tag; *c != '\0'; c++)
        if (!g_ascii_isalnum(*c) && strchr("_.-", *c) == NULL)
            *c = '-';
    return tag;
}
