#include "scan/secret_filter.h"

#include <math.h>
#include <string.h>

double secret_entropy(const char *text, size_t length)
{
    size_t counts[256] = {0};
    for (size_t i = 0; i < length; i++)
        counts[(unsigned char) text[i]]++;
    double entropy = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        if (counts[i] == 0)
            continue;
        double share = (double) counts[i] / (double) length;
        entropy -= share * log2(share);
    }
    return entropy;
}

/* Values that stand for a secret: a constant, one character repeated, a variable, a template. */
static const char not_secret[] =
    "(?i)^(?:true|false|null|none|nil|undefined|todo)$"
    "|^(.)\\1*$"
    "|^['\"]?[$](?:[a-z_][a-z0-9_]*|\\{[a-z0-9_.:?=-]*\\}|\\(.*\\))['\"]?$"
    "|\\$\\{?\\{.*\\}\\}?|\\$\\{[^}]*\\}|\\{\\{.*\\}\\}|\\$\\([^)]*\\)"
    "|^%[a-z0-9_]+%$|^@[a-z0-9_]+@$|^\\{\\d*\\}$|^<[^>]*>$|^%[+-]?[\\d.]*[a-z]$"
    "|\\*{4}|x{8}|#{6}|\\.\\.\\.$|^/(?:bin|etc|home|opt|run|tmp|usr|var)/";

/* Words that are written where a secret would be. Only for rules without a form of their own. */
static const char *const stopwords[] = {
    "example",  "sample",     "dummy",      "placeholder", "changeme",    "change_me",
    "your_",    "your-",      "yourpass",   "mypass",      "foobar",      "xxxx",
    "00000",    "abcdef",     "12345678",   "redacted",    "secret_",     "_secret",
    "-secret",  "password",   "token_",     "_token",      "-token",      "api-key",
    "api_key",  "apikey",     "_key",       "-key",        "key_",        "version",
    "snapshot", "release",    "default",    "template",    "localhost",   ".com",
    ".org",     ".net",       ".json",      ".yaml",       ".yml",        ".html",
    ".java",    ".class",     "config",     "provider",    "service",     "package",
    "module",   "function",   "return",     "import",      "parameter",   "constant",
    "string",   "object",     "request",    "response",    "handler",     "controller",
    "manager",  "factory",    "builder",    "interface",   "component",   "document",
    "security", "encryption", "algorithm",  "certificate", "keystore",    "keytab",
    ".pem",     ".cer",       ".p12",       ".jks",        "priv",        "github",
    "gitlab",   "docker",     "kubernetes", "jenkins",     "application", "database",
    "username", "production", "staging",    "develop",
};

/* Names of which the value is public or no value at all. */
static const char harmless_name[] =
    "(?i)public[ _.-]?(?:key|token)|pub[_.-]?key|primary[_.-]?key|foreign[_.-]?key|sort[_.-]?key"
    "|partition[_.-]?key|cache[_.-]?key|hot[_.-]?key|monkey|keyboard|sequence[_.-]?key"
    "|key[_.-]?(?:down|up|name|size|pair|vault|board|code|file|store|tab|word|mesh|ring|press|less|"
    "id"
    "|path|type|length|event|chain|ref|map|set|val)"
    "|csrf|xsrf|nonce|credentials?[_.-]?id|access[_.-]?(?:id|token[_.-]?url|log|level|mode)"
    "|api[_.-]?(?:url|version|id|base|host|path|name|group)|author(?!iz|_?tok)|authentication-"
    "results"
    "|secrets?[_.-]?(?:id|name|size|ref|path|arn|manager)|token[_.-]?(?:file|url|type|name|count|"
    "limit|uri)"
    "|api:(?:jar|rc)|message-api|passw(?:or)?d[_.-]?(?:hash|file|length|policy|reset|field)|rapid|"
    "checksum"
    "|sha(?:1|256|512)|integrity|digest|srcrev|revision|commit[_.-]?(?:id|sha|hash)";

/* An identifier, a dotted path of words, a file, a version: all of them are names of something. */
static const char uuid[] = "(?i)^[a-z]+(?:[._-][a-z]+\\d*(?:_[a-z]+)*){2,}$|^[0-9a-f]{8}-[0-9a-f]{"
                           "4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

static bool matches(pcre2_code **pattern, const char *text, const char *subject, size_t length)
{
    if (*pattern == NULL)
        *pattern = secret_pattern_compile(text);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    int found = pcre2_match(*pattern, (PCRE2_SPTR) subject, length, 0, 0, match, NULL);
    pcre2_match_data_free(match);
    return found >= 0;
}

static bool has_stopword(const char *secret, size_t length)
{
    g_autofree char *lower = g_ascii_strdown(secret, (gssize) length);
    for (size_t i = 0; i < G_N_ELEMENTS(stopwords); i++)
        if (strstr(lower, stopwords[i]) != NULL)
            return true;
    return false;
}

static bool has_digit(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (g_ascii_isdigit(text[i]))
            return true;
    return false;
}

/* Words put together are a name of the program's: RandomAccessIterator2, column_name16. The letters
 * of a secret change case or meet a digit every two or three. */
#define NAME_DIGITS_MAX 4
#define NAME_WORD_LENGTH 5

static bool is_program_name(const char *text, size_t length)
{
    size_t letters = 0, words = 0, digits = 0;
    bool constant = true;
    for (size_t i = 0; i < length; i++) {
        bool letter = g_ascii_isalpha(text[i]);
        bool first = i == 0 || !g_ascii_isalpha(text[i - 1]) ||
                     (g_ascii_isupper(text[i]) && g_ascii_islower(text[i - 1]));
        letters += letter;
        words += letter && first;
        digits += g_ascii_isdigit(text[i]);
        constant =
            constant && (g_ascii_isupper(text[i]) || g_ascii_isdigit(text[i]) || text[i] == '_');
    }
    if (constant && memchr(text, '_', length) != NULL)
        return true; /* NL80211_KCK_EXT_LEN */
    return digits <= NAME_DIGITS_MAX && words > 0 && letters >= words * NAME_WORD_LENGTH;
}

/* After a comma or `||` only what stands in quotes is a literal. */
static bool is_bare_operand(const char *name, size_t length)
{
    bool operand = memchr(name, ',', length) != NULL || memmem(name, length, "||", 2) != NULL;
    return operand && memchr(name, '"', length) == NULL && memchr(name, '\'', length) == NULL &&
           memchr(name, '`', length) == NULL;
}

/* What a rule without a form of its own asks beyond entropy. */
static bool generic_counts(const char *secret, size_t length, const char *name, size_t name_length)
{
    static pcre2_code *name_pattern, *uuid_pattern;
    return has_digit(secret, length) && !has_stopword(secret, length) &&
           !is_program_name(secret, length) && !is_bare_operand(name, name_length) &&
           !matches(&name_pattern, harmless_name, name, name_length) &&
           !matches(&uuid_pattern, uuid, secret, length);
}

/* "user:password" on a command line: the words that tutorials use. */
static bool is_tutorial_login(const char *secret, size_t length)
{
    static pcre2_code *pattern;
    return matches(&pattern,
                   "(?i)^[\"']?(?:user(?:name)?|test|xxx|admin|login|foo|<[^>]*>|\\$[\\w{}.]+|.*\\$"
                   "\\{?\\w+\\}?)"
                   ":(?:pass(?:w(?:or)?d)?|test|yyy|xxx|secret|bar|<[^>]*>|\\$[\\w{}.]+)[\"']?$"
                   "|\\$\\(|\\$\\{|[\"']?\\$[A-Za-z_]\\w*:\\$",
                   secret, length);
}

bool secret_counts(const SecretRule *rule, const char *secret, size_t length, const char *name,
                   size_t name_length)
{
    static pcre2_code *value_pattern;
    if (length == 0)
        return rule->entropy == 0;
    if (rule->entropy > 0 && secret_entropy(secret, length) <= rule->entropy)
        return false;
    if (length < 200 && matches(&value_pattern, not_secret, secret, length))
        return false;
    if (strcmp(rule->id, "generic-api-key") == 0)
        return generic_counts(secret, length, name, name_length);
    if (strcmp(rule->id, "curl-auth-user") == 0)
        return !is_tutorial_login(secret, length);
    return true;
}
