#include "registry/challenge.h"

#include "net/http1.h"

#include <string.h>

void challenge_free(gpointer data)
{
    Challenge *challenge = data;
    g_free(challenge->scheme);
    g_hash_table_unref(challenge->values);
    g_free(challenge);
}

static void skip(const char **at, const char *bytes)
{
    *at += strspn(*at, bytes);
}

/* A token in lower case; "" where there is none. */
static char *take_token(const char **at)
{
    size_t length = 0;
    while ((*at)[length] != '\0' && http1_is_token(*at + length, 1))
        length++;
    char *token = g_ascii_strdown(*at, (gssize) length);
    *at += length;
    return token;
}

/* A quoted string or a bare value (base64 tokens have '/' and '=', too). */
static char *take_value(const char **at)
{
    if (**at != '"') {
        size_t length = strcspn(*at, ", \t");
        char *value = g_strndup(*at, length);
        *at += length;
        return value;
    }
    GString *value = g_string_new(NULL);
    for ((*at)++; **at != '\0' && **at != '"'; (*at)++) {
        if (**at == '\\' && (*at)[1] != '\0')
            (*at)++;
        g_string_append_c(value, **at);
    }
    if (**at == '"')
        (*at)++;
    return g_string_free(value, FALSE);
}

void challenge_parse(const char *header, GPtrArray *into)
{
    Challenge *current = NULL;
    for (const char *at = header;;) {
        skip(&at, ", \t");
        g_autofree char *word = take_token(&at);
        if (word[0] == '\0')
            return;
        skip(&at, " \t");
        if (*at == '=' && current != NULL) { /* a parameter of the present challenge */
            at++;
            skip(&at, " \t");
            g_hash_table_insert(current->values, g_steal_pointer(&word), take_value(&at));
            continue;
        }
        current = g_new0(Challenge, 1);
        current->scheme = g_steal_pointer(&word);
        current->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_ptr_array_add(into, current);
    }
}
