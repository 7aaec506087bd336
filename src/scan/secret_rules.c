#include "scan/secret_rules.h"

#include <string.h>

#define TOKEN(rule, level, words, pattern, bits)                                                   \
    {rule, SECRET_TOKEN, SEVERITY_##level, words, NULL, pattern, bits, NULL},
#define ASSIGNED(rule, level, words, name, pattern, bits)                                          \
    {rule, SECRET_ASSIGNED, SEVERITY_##level, words, name, pattern, bits, NULL},
#define WHOLE(rule, level, words, pattern, bits, file)                                             \
    {rule, SECRET_WHOLE, SEVERITY_##level, words, NULL, pattern, bits, file},
const SecretRule secret_rules[] = {
#include "scan/secret_rules.def"
};
#undef TOKEN
#undef ASSIGNED
#undef WHOLE

const size_t secret_rule_count = G_N_ELEMENTS(secret_rules);

/* What ends a token: quotes, blanks, a semicolon, an escaped line break, the end. */
#define TOKEN_END "(?:[`'\"\\s;<]|\\\\[nrt]|\\z)"
/* Between a name and its value: `=`, `:`, `=>`, `:=`, `||`, `?=`, `>` of a tag, a comma. */
#define OPERATOR                                                                                   \
    "(?:[ \\t\\w.-]{0,20})[\\s'\"]{0,3}(?:=>?|>|:{1,3}=|\\|\\||:|\\?=|,)[`'\"\\s=]{0,5}"

static pcre2_code **patterns, **paths;

pcre2_code *secret_pattern_compile(const char *text)
{
    /* A match may begin in a few places only: looking far ahead for a character that the pattern
     * needs, as the start optimisations do, would cost more than it saves. */
    int code = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code *pattern =
        pcre2_compile((PCRE2_SPTR) text, PCRE2_ZERO_TERMINATED,
                      PCRE2_DOLLAR_ENDONLY | PCRE2_USE_OFFSET_LIMIT | PCRE2_NO_START_OPTIMIZE,
                      &code, &offset, NULL);
    if (pattern == NULL)
        g_error("pattern '%s': error %d at %zu", text, code, offset);
    pcre2_jit_compile(pattern, PCRE2_JIT_COMPLETE); /* without it matching is only slower */
    return pattern;
}

static char *pattern_text(const SecretRule *rule)
{
    switch (rule->shape) {
    case SECRET_TOKEN:
        return g_strdup_printf("\\b(%s)(?:[&,)}\\]]|" TOKEN_END ")", rule->token);
    case SECRET_ASSIGNED:
        return g_strdup_printf("(?i)(?:%s)" OPERATOR "(%s)" TOKEN_END, rule->names, rule->token);
    default:
        return g_strdup(rule->token);
    }
}

pcre2_code *secret_rule_pattern(size_t index)
{
    if (patterns == NULL)
        patterns = g_new0(pcre2_code *, secret_rule_count);
    if (patterns[index] == NULL) {
        g_autofree char *text = pattern_text(&secret_rules[index]);
        patterns[index] = secret_pattern_compile(text);
    }
    return patterns[index];
}

bool secret_rule_wants(size_t index, const char *path)
{
    if (secret_rules[index].path == NULL)
        return true;
    if (paths == NULL)
        paths = g_new0(pcre2_code *, secret_rule_count);
    if (paths[index] == NULL)
        paths[index] = secret_pattern_compile(secret_rules[index].path);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    int found = pcre2_match(paths[index], (PCRE2_SPTR) path, strlen(path), 0, 0, match, NULL);
    pcre2_match_data_free(match);
    return found >= 0;
}

size_t secret_rule_lookback(size_t index)
{
    switch (secret_rules[index].shape) {
    case SECRET_ASSIGNED:
        return 40;
    case SECRET_TOKEN:
        return 128;
    default:
        return 400;
    }
}
