/* One pass of keywords over a file's bytes; where one stands, its rules' patterns are tried at the
 * places they may begin. What is found is decoded no further than DEPTH_MAX. */
#include "scan/secret_scan.h"

#include "format/json.h"
#include "scan/keyword_index.h"
#include "scan/secret_decode.h"
#include "scan/secret_filter.h"
#include "scan/tree.h"

#include <string.h>

#define FILE_LIMIT ((size_t) 64 << 20)
#define SNIFF 8192 /* bytes in which a NUL means binary */
#define NAME_MAX_LENGTH 50
#define MATCH_LIMIT 200000
#define SHOWN_FROM 16 /* length from which the first characters may be shown */
#define SHOWN 4
#define FINDINGS_MAX 1000 /* of one file: whatever it is, the first ones tell */
#define LINE_WINDOW 4096  /* of a line, on either side of a match */
#define JIT_STACK_MAX ((size_t) 1 << 20)

typedef struct {
    const char *path, *bytes;
    size_t length;
    size_t *tried; /* per rule: starts below are done */
    bool *wanted;  /* per rule: it applies to this path */
    GPtrArray *findings;
    guint first;       /* of this file in FINDINGS */
    const char *outer; /* the file, when BYTES was decoded from a part of it; NULL: BYTES is it */
    size_t outer_start, outer_end;
} Fragment;

static KeywordIndex *keyword_index(void)
{
    static KeywordIndex *index;
    if (index != NULL)
        return index;
    index = keyword_index_new();
    for (size_t i = 0; i < secret_rule_count; i++) {
        g_auto(GStrv) words = g_strsplit(secret_rules[i].keywords, " ", -1);
        for (char **word = words; *word != NULL; word++)
            if (**word != '\0')
                keyword_index_add(index, *word, (guint) i);
    }
    return index;
}

static void locate(const char *bytes, size_t offset, int *line, int *column)
{
    int lines = 1;
    size_t start = 0;
    for (const char *p = bytes; (p = memchr(p, '\n', (size_t) (bytes + offset - p))) != NULL;) {
        p++;
        lines++;
        start = (size_t) (p - bytes);
    }
    *line = lines;
    *column = (int) (offset - start) + 1;
}

/* "ghp_… (40 characters)": nothing of short ones. */
static char *redact(const char *secret, size_t length)
{
    int shown = length >= SHOWN_FROM ? SHOWN : 0;
    for (int i = 0; i < shown; i++)
        if (!g_ascii_isgraph(secret[i]))
            shown = i;
    return g_strdup_printf("%.*s… (%zu characters)", shown, secret, length);
}

/* Of a strong secret: it, wherever it moves. A weak one could be guessed from that, so there it is
 * the place: rule, path, and the line without the secret. */
static char *fingerprint(const Fragment *fragment, const SecretRule *rule, size_t start, size_t end)
{
    const char *secret = fragment->bytes + start;
    GChecksum *checksum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(checksum, (const guchar *) rule->id, (gssize) strlen(rule->id) + 1);
    if (end - start >= 20 && secret_entropy(secret, end - start) > 3) {
        g_checksum_update(checksum, (const guchar *) secret, (gssize) (end - start));
    } else {
        size_t from = start, to = end;
        while (from > 0 && start - from < 200 && fragment->bytes[from - 1] != '\n')
            from--;
        while (to < fragment->length && to - end < 200 && fragment->bytes[to] != '\n')
            to++;
        g_checksum_update(checksum, (const guchar *) fragment->path,
                          (gssize) strlen(fragment->path) + 1);
        g_checksum_update(checksum, (const guchar *) fragment->bytes + from,
                          (gssize) (start - from));
        g_checksum_update(checksum, (const guchar *) "", 1);
        g_checksum_update(checksum, (const guchar *) fragment->bytes + end, (gssize) (to - end));
    }
    char *text = g_strndup(g_checksum_get_string(checksum), 32);
    g_checksum_free(checksum);
    return text;
}

static bool line_has(const char *bytes, size_t length, size_t start, size_t end,
                     const char *const *marks, size_t count)
{
    size_t from = start, to = end;
    while (from > 0 && start - from < LINE_WINDOW && bytes[from - 1] != '\n')
        from--;
    while (to < length && to - end < LINE_WINDOW && bytes[to] != '\n')
        to++;
    for (size_t i = 0; i < count; i++)
        if (memmem(bytes + from, to - from, marks[i], strlen(marks[i])) != NULL)
            return true;
    return false;
}

/* Comments on the lines of the match, or the one before it, that say it is accepted. */
static bool is_allowed(const char *bytes, size_t length, size_t start, size_t end)
{
    static const char *const here[] = {"slipway:allow", "gitleaks:allow", "betterleaks:allow",
                                       "trufflehog:ignore", "pragma: allowlist secret"};
    static const char *const before[] = {"pragma: allowlist nextline secret"};
    if (line_has(bytes, length, start, end, here, G_N_ELEMENTS(here)))
        return true;
    size_t line = start;
    while (line > 0 && start - line < LINE_WINDOW && bytes[line - 1] != '\n')
        line--;
    return line > 0 && bytes[line - 1] == '\n' &&
           line_has(bytes, length, line - 1, line - 1, before, G_N_ELEMENTS(before));
}

static void add_finding(Fragment *fragment, const SecretRule *rule, size_t match_start,
                        size_t match_end, size_t start, size_t end)
{
    g_autofree char *redacted = redact(fragment->bytes + start, end - start);
    g_autofree char *message = g_strdup_printf(
        "%s%s: %s", rule->id, fragment->outer != NULL ? " (encoded)" : "", redacted);
    const char *bytes = fragment->outer != NULL ? fragment->outer : fragment->bytes;
    size_t from = fragment->outer != NULL ? fragment->outer_start : match_start;
    size_t to = fragment->outer != NULL ? fragment->outer_end : match_end;
    while (to > from && g_ascii_isspace(bytes[to - 1]))
        to--;
    int line = 1, column = 1, end_line = 1, end_column = 1;
    locate(bytes, from, &line, &column);
    locate(bytes, to, &end_line, &end_column);

    Finding *finding = finding_new(rule->id, rule->severity, fragment->path, line, column, message);
    finding->end_line = end_line;
    finding->end_column = end_column;
    finding->fingerprint = fingerprint(fragment, rule, start, end);
    finding->mend = g_strdup("revoke it, then take it from the secret store at run time");
    json_t *detail = json_pack("{s:s}", "secret_redacted", redacted);
    finding->detail = json_compact(detail);
    json_decref(detail);
    size_t outer_length = fragment->outer != NULL ? to : fragment->length;
    if (is_allowed(bytes, outer_length, from, to))
        finding->suppressed = g_strdup("allowed by a comment on the line");
    g_ptr_array_add(fragment->findings, finding);
}

/* The first group that took part, else the whole match. */
static void captured(pcre2_match_data *match, int groups, size_t *start, size_t *end)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match);
    *start = at[0];
    *end = at[1];
    for (int i = 1; i < groups; i++) {
        if (at[2 * i] == PCRE2_UNSET)
            continue;
        *start = at[2 * i];
        *end = at[2 * i + 1];
        return;
    }
}

static void consider(Fragment *fragment, size_t index, size_t match_start, size_t match_end,
                     size_t start, size_t end)
{
    const SecretRule *rule = &secret_rules[index];
    size_t name = match_start;
    while (name > 0 && match_start - name < NAME_MAX_LENGTH &&
           (g_ascii_isalnum(fragment->bytes[name - 1]) ||
            strchr("_.-", fragment->bytes[name - 1]) != NULL))
        name--;
    if (secret_counts(rule, fragment->bytes + start, end - start, fragment->bytes + name,
                      start - name))
        add_finding(fragment, rule, match_start, match_end, start, end);
}

static void on_keyword(void *data, guint index, size_t at)
{
    Fragment *fragment = data;
    if (!fragment->wanted[index] || fragment->findings->len - fragment->first >= FINDINGS_MAX)
        return;
    size_t lookback = secret_rule_lookback(index);
    size_t from = at > lookback ? at - lookback : 0;
    from = MAX(from, fragment->tried[index]);

    static pcre2_match_data *match;
    static pcre2_match_context *context;
    if (match == NULL) {
        match = pcre2_match_data_create(16, NULL);
        context = pcre2_match_context_create(NULL);
        pcre2_set_match_limit(context, MATCH_LIMIT);
        pcre2_jit_stack_assign(context, NULL, pcre2_jit_stack_create(32768, JIT_STACK_MAX, NULL));
    }
    while (from <= at) {
        pcre2_set_offset_limit(context, at);
        int groups = pcre2_match(secret_rule_pattern(index), (PCRE2_SPTR) fragment->bytes,
                                 fragment->length, from, PCRE2_NO_UTF_CHECK, match, context);
        if (groups <= 0) {
            fragment->tried[index] = at + 1;
            return;
        }
        const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(match);
        size_t match_start = bounds[0], match_end = bounds[1], start = 0, end = 0;
        captured(match, groups, &start, &end);
        consider(fragment, index, match_start, match_end, start, end);
        from = MAX(end, match_start + 1);
        fragment->tried[index] = from;
    }
}

static void scan_fragment(Fragment *fragment, int depth);

static void on_decoded(void *data, const char *text, size_t length, size_t start, size_t end)
{
    const Fragment *outer = ((gpointer *) data)[0];
    int depth = GPOINTER_TO_INT(((gpointer *) data)[1]);
    Fragment inner = *outer;
    inner.bytes = text;
    inner.length = length;
    if (outer->outer == NULL) {
        inner.outer = outer->bytes;
        inner.outer_start = start;
        inner.outer_end = end;
    }
    g_autofree size_t *tried = g_new0(size_t, secret_rule_count);
    inner.tried = tried;
    scan_fragment(&inner, depth + 1);
}

static void scan_fragment(Fragment *fragment, int depth)
{
    keyword_index_search(keyword_index(), fragment->bytes, fragment->length, on_keyword, fragment);
    if (depth < SECRET_DECODE_DEPTH) {
        gpointer data[] = {fragment, GINT_TO_POINTER(depth)};
        secret_decode(fragment->bytes, fragment->length, on_decoded, data);
    }
}

static bool overlaps(const Finding *a, const Finding *b)
{
    return a->line <= b->end_line && b->line <= a->end_line &&
           (a->line != b->line || (a->column <= b->end_column && b->column <= a->end_column));
}

/* A generic rule has nothing to say where a specific one speaks. */
static void drop_generic(GPtrArray *findings, guint first)
{
    for (guint i = findings->len; i-- > first;) {
        const Finding *finding = g_ptr_array_index(findings, i);
        bool covered = false;
        if (!g_str_has_prefix(finding->rule, "generic"))
            continue;
        for (guint j = first; j < findings->len && !covered; j++) {
            const Finding *other = g_ptr_array_index(findings, j);
            covered = !g_str_has_prefix(other->rule, "generic") && overlaps(finding, other);
        }
        if (covered)
            g_ptr_array_remove_index(findings, i);
    }
}

/* Rules that ask for the name of a file only. */
static void scan_path(const char *path, const bool *wanted, GPtrArray *findings)
{
    for (size_t i = 0; i < secret_rule_count; i++) {
        if (*secret_rules[i].token != '\0' || !wanted[i])
            continue;
        Finding *finding = finding_new(secret_rules[i].id, secret_rules[i].severity, path, 1, 1,
                                       "a file that holds private keys");
        finding->mend = g_strdup("take it out of the source and keep it in the secret store");
        g_autofree char *key = g_strdup_printf("%s %s", secret_rules[i].id, path);
        g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, key, -1);
        finding->fingerprint = g_strndup(hash, 32);
        g_ptr_array_add(findings, finding);
    }
}

void secret_scan_bytes(const char *path, const char *bytes, size_t length, GPtrArray *findings)
{
    g_autofree size_t *tried = g_new0(size_t, secret_rule_count);
    g_autofree bool *wanted = g_new(bool, secret_rule_count);
    for (size_t i = 0; i < secret_rule_count; i++)
        wanted[i] = secret_rule_wants(i, path);
    guint first = findings->len;
    scan_path(path, wanted, findings);
    bool binary = memchr(bytes, '\0', MIN(length, SNIFF)) != NULL;
    if (binary)
        return;
    Fragment fragment = {.path = path,
                         .bytes = bytes,
                         .length = length,
                         .tried = tried,
                         .wanted = wanted,
                         .first = first,
                         .findings = findings};
    scan_fragment(&fragment, 0);
    drop_generic(findings, first);
}

typedef struct {
    GPtrArray *findings;
    SecretScanSummary *summary;
} FolderScan;

static bool enter(void *data, const char *path, const char *name)
{
    return strcmp(name, ".git") != 0;
}

static void visit(void *data, const TreeFile *file)
{
    FolderScan *scan = data;
    size_t length = 0;
    g_autofree char *bytes = tree_read(file, FILE_LIMIT, &length, NULL);
    if (bytes == NULL) {
        scan->summary->skipped++;
        return;
    }
    scan->summary->files++;
    scan->summary->bytes += length;
    secret_scan_bytes(file->path, bytes, length, scan->findings);
}

GPtrArray *secret_scan_folder(const char *folder, SecretScanSummary *summary, GError **error)
{
    SecretScanSummary unused = {0};
    g_autoptr(GPtrArray) findings = findings_new();
    FolderScan scan = {findings, summary != NULL ? summary : &unused};
    *scan.summary = (SecretScanSummary){0};
    const char *const folders[] = {folder, NULL};
    const TreeVisitor visitor = {enter, visit, &scan};
    if (!tree_walk(folders, &visitor, error))
        return NULL;
    findings_sort(findings);
    return g_steal_pointer(&findings);
}
