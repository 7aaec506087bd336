#include "format/yaml.h"

#include "base/error.h"
#include "format/arena.h"

#include <libfyaml.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#define DEPTH_LIMIT 100
#define EVENT_LIMIT (1000 * 1000)

struct YamlDocument {
    Arena *arena;
    GPtrArray *roots; /* YamlNode *, in the arena */
};

typedef struct {
    int line, column; /* from 1 */
} Position;

/* A collection that is still being read. */
typedef struct {
    YamlNode *node;
    size_t offset;   /* of its beginning in the input */
    GPtrArray *keys; /* mapping */
    GPtrArray *items;
    GHashTable *seen; /* mapping: texts of its scalar keys */
} Frame;

typedef struct {
    const char *name;
    const char *text; /* the input, NUL behind it */
    size_t length;
    YamlDocument *document;
    GArray *frames;      /* Frame; the innermost is last */
    GHashTable *anchors; /* name → YamlNode *, of this document; keys in the arena */
    YamlNode *root;
    size_t events;
    Position before; /* end of the last token */
    GError **error;
} Builder;

static bool fail(Builder *builder, Position at, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool fail(Builder *builder, Position at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(builder->error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s:%d:%d: %s", builder->name,
                at.line, at.column, message);
    return false;
}

static bool is_quoted(struct fy_token *token)
{
    enum fy_scalar_style style = token != NULL ? fy_token_scalar_style(token) : FYSS_PLAIN;
    return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

/* Where EVENT begins. libfyaml marks quoted scalars and aliases behind their first character, and
 * an empty value not at all: that one is where the token before it ended. */
static Position position_of(struct fy_event *event, Position before)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (mark == NULL)
        return before;
    Position at = {mark->line + 1, mark->column + 1};
    bool behind =
        event->type == FYET_ALIAS || (event->type == FYET_SCALAR && is_quoted(event->scalar.value));
    if (behind && at.column > 1)
        at.column--;
    return at;
}

static bool is_block(struct fy_token *token)
{
    enum fy_scalar_style style = fy_token_scalar_style(token);
    return style == FYSS_LITERAL || style == FYSS_FOLDED;
}

/* Blanks at the beginning of the line that holds TEXT[AT]. */
static size_t indentation_at(const char *text, size_t at)
{
    while (at > 0 && text[at - 1] != '\n')
        at--;
    return strspn(text + at, " ");
}

/* Content of a block scalar that is not deeper than what holds it is no content, but libfyaml lets
 * some of it through, and then states more text than it has written. */
static bool check_block(Builder *builder, struct fy_token *token, Position at)
{
    if (builder->frames->len == 0)
        return true;
    size_t parent = g_array_index(builder->frames, Frame, builder->frames->len - 1).offset;
    const char *text = builder->text;
    size_t start = fy_token_start_mark(token)->input_pos;
    while (start < builder->length && (text[start] == '\n' || text[start] == '\r'))
        start++;
    size_t own = indentation_at(text, MIN(start, builder->length));
    size_t outer = indentation_at(text, parent);
    if (own > outer)
        return true;
    return fail(builder, at, "the text of a block scalar must be indented deeper than its key");
}

static const char *copy_token(Builder *builder, struct fy_token *token, size_t *length)
{
    size_t size = 0;
    const char *text = token != NULL ? fy_token_get_text(token, &size) : NULL;
    if (length != NULL)
        *length = size;
    return arena_copy_text(builder->document->arena, text, size);
}

static void frame_clear(void *data)
{
    Frame *frame = data;
    g_clear_pointer(&frame->keys, g_ptr_array_unref);
    g_clear_pointer(&frame->items, g_ptr_array_unref);
    g_clear_pointer(&frame->seen, g_hash_table_unref);
}

static Frame *innermost(Builder *builder)
{
    if (builder->frames->len == 0)
        return NULL;
    return &g_array_index(builder->frames, Frame, builder->frames->len - 1);
}

static bool is_open(Builder *builder, const YamlNode *node)
{
    for (guint i = 0; i < builder->frames->len; i++)
        if (g_array_index(builder->frames, Frame, i).node == node)
            return true;
    return false;
}

static bool add_key(Builder *builder, Frame *frame, YamlNode *key, Position at)
{
    /* Scalars with a NUL inside compare by what is before it: keys like that are no one's. */
    if (key->kind == YAML_SCALAR && !g_hash_table_add(frame->seen, (gpointer) key->text))
        return fail(builder, at, "duplicate key '%s'", key->text);
    g_ptr_array_add(frame->keys, key);
    return true;
}

/* Puts NODE where the document stands: as root, item, key or value. */
static bool place(Builder *builder, YamlNode *node, Position at)
{
    Frame *frame = innermost(builder);
    if (frame == NULL) {
        builder->root = node;
        return true;
    }
    if (frame->node->kind == YAML_MAPPING && frame->keys->len == frame->items->len)
        return add_key(builder, frame, node, at);
    g_ptr_array_add(frame->items, node);
    return true;
}

static YamlNode *new_node(Builder *builder, YamlKind kind, Position at, struct fy_token *anchor,
                          struct fy_token *tag)
{
    YamlNode *node = arena_alloc(builder->document->arena, sizeof *node);
    *node = (YamlNode){.kind = kind, .line = at.line, .column = at.column};
    if (tag != NULL)
        node->tag = copy_token(builder, tag, NULL);
    if (anchor != NULL) {
        node->alias_target = true;
        g_hash_table_replace(builder->anchors, (gpointer) copy_token(builder, anchor, NULL), node);
    }
    return node;
}

static bool on_scalar(Builder *builder, struct fy_event *event, Position at)
{
    struct fy_token *value = event->scalar.value;
    YamlNode *node = new_node(builder, YAML_SCALAR, at, event->scalar.anchor, event->scalar.tag);
    node->text = copy_token(builder, value, &node->length);
    bool has_lines = strspn(node->text, "\n") < node->length;
    if (value != NULL && is_block(value) && has_lines && !check_block(builder, value, at))
        return false;
    node->plain = value == NULL || fy_token_scalar_style(value) == FYSS_PLAIN;
    return place(builder, node, at);
}

static bool on_alias(Builder *builder, struct fy_event *event, Position at)
{
    const char *name = copy_token(builder, event->alias.anchor, NULL);
    YamlNode *target = g_hash_table_lookup(builder->anchors, name);
    if (target == NULL)
        return fail(builder, at, "alias '*%s' has no anchor before it", name);
    if (is_open(builder, target))
        return fail(builder, at, "alias '*%s' lies inside its own anchor", name);
    return place(builder, target, at);
}

static bool on_start(Builder *builder, YamlKind kind, Position at, struct fy_event *event,
                     struct fy_token *anchor, struct fy_token *tag)
{
    if (builder->frames->len == DEPTH_LIMIT)
        return fail(builder, at, "nested deeper than %d levels", DEPTH_LIMIT);
    YamlNode *node = new_node(builder, kind, at, anchor, tag);
    if (!place(builder, node, at))
        return false;
    const struct fy_mark *mark = fy_event_start_mark(event);
    Frame frame = {
        .node = node, .offset = mark != NULL ? mark->input_pos : 0, .items = g_ptr_array_new()};
    if (kind == YAML_MAPPING) {
        frame.keys = g_ptr_array_new();
        frame.seen = g_hash_table_new(g_str_hash, g_str_equal);
    }
    g_array_append_val(builder->frames, frame);
    return true;
}

static YamlNode **keep(Builder *builder, const GPtrArray *nodes)
{
    size_t size = nodes->len * sizeof(YamlNode *);
    YamlNode **kept = arena_alloc(builder->document->arena, size);
    if (size > 0)
        memcpy(kept, nodes->pdata, size);
    return kept;
}

static bool on_end(Builder *builder)
{
    Frame *frame = innermost(builder);
    frame->node->length = frame->items->len;
    frame->node->items = keep(builder, frame->items);
    if (frame->keys != NULL)
        frame->node->keys = keep(builder, frame->keys);
    g_array_set_size(builder->frames, builder->frames->len - 1);
    return true;
}

static bool on_event(Builder *builder, struct fy_event *event)
{
    Position at = position_of(event, builder->before);
    const struct fy_mark *end = fy_event_end_mark(event);
    if (end != NULL)
        builder->before = (Position){end->line + 1, end->column + 1};
    if (++builder->events > EVENT_LIMIT)
        return fail(builder, at, "more than %d nodes and marks", EVENT_LIMIT);

    switch (event->type) {
    case FYET_DOCUMENT_START:
        g_hash_table_remove_all(builder->anchors);
        builder->root = NULL;
        return true;
    case FYET_DOCUMENT_END:
        g_ptr_array_add(builder->document->roots, builder->root);
        return true;
    case FYET_SCALAR:
        return on_scalar(builder, event, at);
    case FYET_ALIAS:
        return on_alias(builder, event, at);
    case FYET_SEQUENCE_START:
        return on_start(builder, YAML_SEQUENCE, at, event, event->sequence_start.anchor,
                        event->sequence_start.tag);
    case FYET_MAPPING_START:
        return on_start(builder, YAML_MAPPING, at, event, event->mapping_start.anchor,
                        event->mapping_start.tag);
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        return on_end(builder);
    default:
        return true;
    }
}

/* The column (from 1) of a tab in the indentation of line NUMBER; 0: there is none. */
static int tab_in_indentation(const char *text, size_t length, int number)
{
    const char *end = text + length;
    for (int line = 1; line < number && text != NULL; line++) {
        text = memchr(text, '\n', (size_t) (end - text));
        if (text != NULL)
            text++;
    }
    int tab = 0;
    for (const char *at = text; at != NULL && at < end; at++) {
        if (*at == '\t' && tab == 0)
            tab = (int) (at - text) + 1;
        else if (*at != ' ' && *at != '\t')
            return *at == '\n' || *at == '\r' ? 0 : tab;
    }
    return 0;
}

/* Turns libfyaml's first complaint into ours. It meets a tab in the indentation as "invalid
 * multiline plain key", a line early, so a tab there is looked for first. */
static void report_grammar(Builder *builder, struct fy_diag *diag, const char *text, size_t length)
{
    void *iterator = NULL;
    const struct fy_diag_error *first = fy_diag_errors_iterate(diag, &iterator);
    if (first == NULL) {
        fail(builder, (Position){1, 1}, "malformed YAML");
        return;
    }
    Position at = {MAX(first->line, 1), MAX(first->column, 1)};
    for (int line = at.line; line <= at.line + 1; line++) {
        int column = tab_in_indentation(text, length, line);
        if (column > 0) {
            fail(builder, (Position){line, column},
                 "tab in the indentation: YAML indents with spaces only");
            return;
        }
    }
    fail(builder, at, "%s", first->msg);
}

/* libfyaml ends its input at a NUL, silently, and lets some malformed UTF-8 through. */
static bool check_encoding(Builder *builder, const char *text, size_t length)
{
    const char *bad;
    if (g_utf8_validate_len(text, length, &bad))
        return true;
    Position at = {1, 1};
    for (const char *c = text; c < bad; c++) {
        at.column = *c == '\n' ? 1 : at.column + 1;
        at.line += *c == '\n';
    }
    return fail(builder, at, *bad == '\0' ? "a NUL byte in the text" : "not UTF-8");
}

/* Some line begins with the mark of an explicit key: "? a". */
static bool has_explicit_key(const char *text, size_t length)
{
    const char *end = text + length;
    for (const char *line = text; line < end; line++) {
        const char *at = line;
        while (at < end && strchr(" \t-:", *at) != NULL)
            at++;
        if (at < end && *at == '?' && (at + 1 == end || strchr(" \t\r\n", at[1]) != NULL))
            return true;
        line = memchr(at, '\n', (size_t) (end - at));
        if (line == NULL)
            return false;
    }
    return false;
}

/* A tab between "key:" and its value makes libfyaml 0.7.12 free twice where the key is inside of an
 * explicit key, so where there is one it does not get to see such a tab. */
static bool check_explicit_keys(Builder *builder, const char *text, size_t length)
{
    if (!has_explicit_key(text, length))
        return true;
    Position at = {1, 1};
    bool behind_colon = false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\t' && behind_colon)
            return fail(builder, at,
                        "tab behind ':' in a text with explicit keys ('?'): use blanks");
        behind_colon = text[i] == ':' || (behind_colon && text[i] == ' ');
        at.column = text[i] == '\n' ? 1 : at.column + 1;
        at.line += text[i] == '\n';
    }
    return true;
}

static struct fy_diag *new_diagnostics(void)
{
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    config.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&config);
    g_assert(diag != NULL);
    fy_diag_set_collect_errors(diag, true);
    return diag;
}

static bool read_events(Builder *builder, const char *text, size_t length)
{
    struct fy_diag *diag = new_diagnostics();
    struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DISABLE_DEPTH_LIMIT |
                 FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
        .diag = diag,
    };
    struct fy_parser *parser = fy_parser_create(&config);
    g_assert(parser != NULL);

    bool ok = length == 0 || fy_parser_set_string(parser, text, length) == 0;
    struct fy_event *event;
    while (ok && length > 0 && (event = fy_parser_parse(parser)) != NULL) {
        ok = on_event(builder, event);
        fy_parser_event_free(parser, event);
    }
    if (ok && fy_parser_get_stream_error(parser)) {
        report_grammar(builder, diag, text, length);
        ok = false;
    }
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return ok;
}

YamlDocument *yaml_parse(const char *name, const char *text, size_t length, GError **error)
{
    g_autoptr(YamlDocument) document = g_new0(YamlDocument, 1);
    document->arena = arena_new();
    document->roots = g_ptr_array_new();
    /* Blanks behind the last line end say nothing, but libfyaml 0.7.12 makes garbage of them at the
     * end of a block scalar. */
    size_t end = length;
    while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t'))
        end--;
    if (end > 0 && text[end - 1] == '\n')
        length = end;
    g_autofree char *input = g_strndup(text, length); /* a view of it may lack the NUL */
    Builder builder = {
        .name = name,
        .text = input,
        .length = length,
        .document = document,
        .frames = g_array_new(FALSE, FALSE, sizeof(Frame)),
        .anchors = g_hash_table_new(g_str_hash, g_str_equal),
        .before = {1, 1},
        .error = error,
    };
    g_array_set_clear_func(builder.frames, frame_clear);

    bool ok = check_encoding(&builder, text, length) &&
              check_explicit_keys(&builder, text, length) && read_events(&builder, text, length);
    g_array_unref(builder.frames);
    g_hash_table_unref(builder.anchors);
    return ok ? g_steal_pointer(&document) : NULL;
}

size_t yaml_document_count(const YamlDocument *document)
{
    return document->roots->len;
}

const YamlNode *yaml_root(const YamlDocument *document, size_t index)
{
    return index < document->roots->len ? g_ptr_array_index(document->roots, index) : NULL;
}

void yaml_free(YamlDocument *document)
{
    if (document == NULL)
        return;
    g_ptr_array_unref(document->roots);
    arena_free(document->arena);
    g_free(document);
}

const YamlNode *yaml_get(const YamlNode *mapping, const char *key)
{
    if (mapping == NULL || mapping->kind != YAML_MAPPING)
        return NULL;
    for (size_t i = 0; i < mapping->length; i++)
        if (mapping->keys[i]->kind == YAML_SCALAR && strcmp(mapping->keys[i]->text, key) == 0)
            return mapping->items[i];
    return NULL;
}

/* Only plain scalars are typed, and a tag must not say otherwise. */
static bool may_be(const YamlNode *node, const char *type)
{
    if (node == NULL || node->kind != YAML_SCALAR || !node->plain ||
        strlen(node->text) != node->length)
        return false;
    static const char core[] = "tag:yaml.org,2002:";
    return node->tag == NULL ||
           (g_str_has_prefix(node->tag, core) && g_str_equal(node->tag + strlen(core), type));
}

static bool is_one_of(const char *text, const char *const *words)
{
    return g_strv_contains(words, text);
}

bool yaml_is_null(const YamlNode *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
    return may_be(node, "null") && is_one_of(node->text, words);
}

bool yaml_as_boolean(const YamlNode *node, bool *value)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    if (!may_be(node, "bool"))
        return false;
    *value = is_one_of(node->text, yes);
    return *value || is_one_of(node->text, no);
}

bool yaml_as_integer(const YamlNode *node, gint64 *value)
{
    if (!may_be(node, "int"))
        return false;
    const char *text = node->text;
    guint64 magnitude;
    if (g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0o")) {
        guint base = text[1] == 'x' ? 16 : 8;
        if (!g_ascii_string_to_unsigned(text + 2, base, 0, G_MAXINT64, &magnitude, NULL))
            return false;
        *value = (gint64) magnitude;
        return true;
    }
    if (*text == '+' && g_ascii_isdigit(text[1]))
        text++;
    return g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, value, NULL);
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(const char *text)
{
    static const char digits[] = "0123456789";
    if (*text == '-' || *text == '+')
        text++;
    size_t whole = strspn(text, digits);
    text += whole;
    size_t fraction = 0;
    if (*text == '.') {
        fraction = strspn(text + 1, digits);
        text += 1 + fraction;
    }
    if (whole == 0 && fraction == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+')
            text++;
        size_t exponent = strspn(text, digits);
        if (exponent == 0)
            return false;
        text += exponent;
    }
    return *text == '\0';
}

bool yaml_as_number(const YamlNode *node, double *value)
{
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    gint64 integer;
    if (yaml_as_integer(node, &integer)) {
        *value = (double) integer;
        return true;
    }
    if (!may_be(node, "float") && !may_be(node, "int"))
        return false;
    const char *text = node->text;
    if (is_float(text)) {
        *value = g_ascii_strtod(text, NULL);
        return true;
    }
    if (is_one_of(text, nans)) {
        *value = NAN;
        return true;
    }
    bool negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    *value = negative ? -INFINITY : INFINITY;
    return is_one_of(text, infinities);
}
