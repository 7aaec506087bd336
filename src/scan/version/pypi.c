/* PEP 440; what is not of its form is ordered as setuptools did before it, below all that is. */
#include "scan/version/scheme.h"

#include <string.h>

typedef enum { PRE_NONE, PRE_ALPHA, PRE_BETA, PRE_CANDIDATE } Pre;

typedef struct {
    Span epoch, release; /* release: "1.2.3", compared number by number */
    Pre pre;
    Span pre_number, post_number, dev_number, local;
    bool has_post, has_dev, has_local;
} Pep440;

static bool take_word(const char **text, const char *word)
{
    if (g_ascii_strncasecmp(*text, word, strlen(word)) != 0)
        return false;
    *text += strlen(word);
    return true;
}

static bool is_separator(char c)
{
    return c == '-' || c == '_' || c == '.';
}

/* An optional separator and digits; the digits may be missing when there is no separator. */
static Span take_serial(const char **text)
{
    const char *p = *text + (is_separator(**text) && g_ascii_isdigit((*text)[1]));
    Span digits = span_of_digits(p);
    if (digits.length > 0)
        *text = p + digits.length;
    else if (is_separator(**text) && strspn(*text + 1, "0123456789") == 0 && (*text)[1] == '\0')
        (*text)++; /* "1.0a." is read as 1.0a0 */
    return digits;
}

static void take_pre(const char **text, Pep440 *version)
{
    static const struct {
        const char *word;
        Pre pre;
    } words[] = {{"alpha", PRE_ALPHA},  {"a", PRE_ALPHA},           {"beta", PRE_BETA},
                 {"b", PRE_BETA},       {"preview", PRE_CANDIDATE}, {"pre", PRE_CANDIDATE},
                 {"rc", PRE_CANDIDATE}, {"c", PRE_CANDIDATE}};
    const char *p = *text + is_separator(**text);
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        if (!take_word(&p, words[i].word))
            continue;
        version->pre = words[i].pre;
        version->pre_number = take_serial(&p);
        *text = p;
        return;
    }
}

static void take_post(const char **text, Pep440 *version)
{
    if (**text == '-' && g_ascii_isdigit((*text)[1])) {
        version->has_post = true;
        version->post_number = span_of_digits(*text + 1);
        *text += 1 + version->post_number.length;
        return;
    }
    const char *p = *text + is_separator(**text);
    if (!take_word(&p, "post") && !take_word(&p, "rev") && !take_word(&p, "r"))
        return;
    version->has_post = true;
    version->post_number = take_serial(&p);
    *text = p;
}

static void take_dev(const char **text, Pep440 *version)
{
    const char *p = *text + is_separator(**text);
    if (!take_word(&p, "dev"))
        return;
    version->has_dev = true;
    version->dev_number = take_serial(&p);
    *text = p;
}

static bool take_local(const char **text, Pep440 *version)
{
    if (**text != '+')
        return true;
    const char *start = *text + 1, *p = start;
    while (g_ascii_isalnum(*p) || (is_separator(*p) && p > start && g_ascii_isalnum(p[1])))
        p++;
    version->has_local = true;
    version->local = (Span){start, (size_t) (p - start)};
    *text = p;
    return p > start;
}

static bool parse(const char *text, Pep440 *version)
{
    *version = (Pep440){0};
    while (g_ascii_isspace(*text))
        text++;
    text += *text == 'v' || *text == 'V';
    Span number = span_of_digits(text);
    if (number.length > 0 && text[number.length] == '!') {
        version->epoch = number;
        text += number.length + 1;
    }
    version->release.text = text;
    number = span_of_digits(text);
    if (number.length == 0)
        return false;
    text += number.length;
    while (*text == '.' && g_ascii_isdigit(text[1]))
        text += 1 + span_of_digits(text + 1).length;
    version->release.length = (size_t) (text - version->release.text);
    take_pre(&text, version);
    take_post(&text, version);
    take_dev(&text, version);
    if (!take_local(&text, version))
        return false;
    while (g_ascii_isspace(*text))
        text++;
    return *text == '\0';
}

/* Takes the part up to one of SEPARATORS off SPAN. */
static Span take_part(Span *span, const char *separators)
{
    Span part = {span->text, 0};
    while (part.length < span->length && strchr(separators, span->text[part.length]) == NULL)
        part.length++;
    size_t taken = part.length + (part.length < span->length);
    span->text += taken;
    span->length -= taken;
    return part;
}

static int compare_release(Span a, Span b)
{
    while (a.length > 0 || b.length > 0) {
        Span x = {NULL, 0}, y = {NULL, 0};
        if (a.length > 0)
            x = take_part(&a, ".");
        if (b.length > 0)
            y = take_part(&b, ".");
        int order = span_compare_number(x, y);
        if (order != 0)
            return order;
    }
    return 0;
}

/* A .dev of the release itself is below its alphas; a final release above its candidates. */
static int pre_rank(const Pep440 *version)
{
    if (version->pre != PRE_NONE)
        return version->pre;
    return version->has_dev && !version->has_post ? 0 : PRE_CANDIDATE + 1;
}

static int compare_local(const Pep440 *a, const Pep440 *b)
{
    if (!a->has_local || !b->has_local)
        return a->has_local - b->has_local;
    Span p = a->local, q = b->local;
    while (p.length > 0 && q.length > 0) {
        Span x = take_part(&p, "-_."), y = take_part(&q, "-_.");
        bool number = span_is_number(x), number_b = span_is_number(y);
        int order = number - number_b;
        if (number && number_b)
            order = span_compare_number(x, y);
        else if (!number && !number_b) {
            order = g_ascii_strncasecmp(x.text, y.text, MIN(x.length, y.length));
            if (order == 0)
                order = (x.length > y.length) - (x.length < y.length);
        }
        if (order != 0)
            return order;
    }
    return (p.length > 0) - (q.length > 0);
}

static int compare(const Pep440 *a, const Pep440 *b)
{
    int order = span_compare_number(a->epoch, b->epoch);
    if (order == 0)
        order = compare_release(a->release, b->release);
    if (order == 0)
        order = pre_rank(a) - pre_rank(b);
    if (order == 0)
        order = span_compare_number(a->pre_number, b->pre_number);
    if (order == 0)
        order = a->has_post - b->has_post;
    if (order == 0)
        order = span_compare_number(a->post_number, b->post_number);
    if (order == 0)
        order = b->has_dev - a->has_dev;
    if (order == 0)
        order = span_compare_number(a->dev_number, b->dev_number);
    return order != 0 ? order : compare_local(a, b);
}

/* The key of the older form: numbers padded to eight digits and words marked by `*`, where the
 * words of prereleases are below "*final", which ends every key. */
static GPtrArray *legacy_key(const char *text)
{
    static const char *const replaced[][2] = {
        {"pre", "c"}, {"preview", "c"}, {"-", "final-"}, {"rc", "c"}, {"dev", "@"}};
    GPtrArray *key = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *lower = g_ascii_strdown(text, -1);
    for (const char *p = lower;;) {
        g_autofree char *part = NULL;
        if (*p == '\0') {
            part = g_strdup("*final");
        } else {
            size_t n = strspn(p, "0123456789");
            if (n == 0)
                n = strspn(p, "abcdefghijklmnopqrstuvwxyz");
            n = MAX(n, 1);
            g_autofree char *word = g_strndup(p, n);
            p += n;
            if (word[0] == '.' && n == 1)
                continue;
            const char *use = word;
            for (size_t i = 0; i < G_N_ELEMENTS(replaced); i++)
                if (strcmp(word, replaced[i][0]) == 0)
                    use = replaced[i][1];
            if (g_ascii_isdigit(*use) && strlen(use) < 8)
                part = g_strdup_printf("%0*d%s", 8 - (int) strlen(use), 0, use);
            else
                part = g_strdup_printf("%s%s", g_ascii_isdigit(*use) ? "" : "*", use);
        }
        bool end = strcmp(part, "*final") == 0 && *p == '\0';
        if (*part == '*') {
            while (strcmp(part, "*final") < 0 && key->len > 0 &&
                   strcmp(g_ptr_array_index(key, key->len - 1), "*final-") == 0)
                g_ptr_array_set_size(key, (int) key->len - 1);
            while (key->len > 0 && strcmp(g_ptr_array_index(key, key->len - 1), "00000000") == 0)
                g_ptr_array_set_size(key, (int) key->len - 1);
        }
        g_ptr_array_add(key, g_steal_pointer(&part));
        if (end)
            return key;
    }
}

static int compare_legacy(const char *a, const char *b)
{
    g_autoptr(GPtrArray) x = legacy_key(a), y = legacy_key(b);
    for (guint i = 0; i < x->len && i < y->len; i++) {
        int order = strcmp(g_ptr_array_index(x, i), g_ptr_array_index(y, i));
        if (order != 0)
            return order;
    }
    return (x->len > y->len) - (x->len < y->len);
}

int pypi_compare(const char *a, const char *b)
{
    Pep440 x, y;
    bool valid = parse(a, &x), valid_b = parse(b, &y);
    if (valid && valid_b)
        return compare(&x, &y);
    return valid != valid_b ? valid - valid_b : compare_legacy(a, b);
}

bool pypi_is_valid(const char *text)
{
    Pep440 version;
    return parse(text, &version);
}
