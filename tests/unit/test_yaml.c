#include "base/error.h"
#include "format/yaml.h"

#include <math.h>
#include <string.h>

typedef struct {
    const char *label;
    const char *text;
    const char *outline; /* of all documents; NULL: it is refused */
    const char *message; /* of the refusal */
} Case;

static const Case cases[] = {
    {"empty", "", "", NULL},
    {"comment-only", "# nothing\n", "", NULL},
    {"mapping", "on: push\nname: 'x'\n", "{=on@1:1:=push@1:5,=name@2:1:'x'@2:7}@1:1\n", NULL},
    {"empty-value", "a:\nb: 1\n", "{=a@1:1:=@1:2,=b@2:1:=1@2:4}@1:1\n", NULL},
    {"sequence", "- a\n- [b, \"c\"]\n", "[=a@1:3,[=b@2:4,'c'@2:7]@2:3]@1:1\n", NULL},
    {"block-scalar", "run: |\n  a\n  b\n", "{=run@1:1:'a\nb\n'@2:1}@1:1\n", NULL},
    {"tab-in-block-scalar", "run: |\n  a:\n  \tb\n", "{=run@1:1:'a:\n\tb\n'@2:1}@1:1\n", NULL},
    {"two-documents", "a\n---\nb\n", "=a@1:1\n=b@3:1\n", NULL},
    {"alias", "a: &x [1]\nb: *x\n", "{=a@1:1:[=1@1:8]@1:7,=b@2:1:[=1@1:8]@1:7}@1:1\n", NULL},
    {"tag", "a: !!str 1\n", "{=a@1:1:<tag:yaml.org,2002:str>=1@1:10}@1:1\n", NULL},
    {"local-tag", "a: !Ref x\n", "{=a@1:1:<!Ref>=x@1:9}@1:1\n", NULL},
    {"anchor-redefined", "- &x 1\n- &x 2\n- *x\n", "[=1@1:6,=2@2:6,=2@2:6]@1:1\n", NULL},
    {"crlf", "a: 1\r\nb: 2\r\n", "{=a@1:1:=1@1:4,=b@2:1:=2@2:4}@1:1\n", NULL},
    {"bom",
     "\xef\xbb\xbf"
     "a: 1\n",
     "{=a@1:1:=1@1:4}@1:1\n", NULL},
    {"duplicate-key", "a: 1\nb: 2\na: 3\n", NULL, "f.yml:3:1: duplicate key 'a'"},
    {"duplicate-quoted", "{a: 1, 'a': 2}\n", NULL, "f.yml:1:8: duplicate key 'a'"},
    {"undefined-alias", "a: *nope\n", NULL, "f.yml:1:4: alias '*nope' has no anchor before it"},
    {"alias-of-other-document", "&x a\n---\n*x\n", NULL,
     "f.yml:3:1: alias '*x' has no anchor before it"},
    {"recursive-alias", "a: &x\n  b: *x\n", NULL,
     "f.yml:2:6: alias '*x' lies inside its own anchor"},
    {"tab", "a:\n\tb: 1\n", NULL,
     "f.yml:2:1: tab in the indentation: YAML indents with spaces only"},
    {"tab-after-blanks", "a:\n  b: 1\n  \tc: 2\n", NULL,
     "f.yml:3:3: tab in the indentation: YAML indents with spaces only"},
    {"unclosed", "a: [1, 2\n", NULL, "f.yml:2:1: flow sequence without a closing bracket"},
    {"shallow-block", "  r: |\n  eha\n    # m)\n\n   \"\n    # m)\n", NULL,
     "f.yml:2:1: the text of a block scalar must be indented deeper than its key"},
    {"block-in-item", "- |\n a\n- k: |\n    b\n", "['a\n'@2:1,{=k@3:3:'b\n'@4:1}@3:3]@1:1\n", NULL},
    {"empty-block", "a: |\nb: |\n\nc: 1\n", "{=a@1:1:''@2:1,=b@2:1:''@3:1,=c@4:1:=1@4:4}@1:1\n",
     NULL},
    {"tab-behind-explicit-key", "? u: \t|\n", NULL,
     "f.yml:1:6: tab behind ':' in a text with explicit keys ('?'): use blanks"},
    {"explicit-key", "? [a]\n: b\n", "{[=a@1:4]@1:3:=b@2:3}@1:1\n", NULL},
    {"blanks-at-end", "a: |\n  b\n   \t", "{=a@1:1:'b\n'@2:1}@1:1\n", NULL},
    {"latin-1", "a: 1\nb: \xe9\n", NULL, "f.yml:2:4: not UTF-8"},
    {"nul", "a: 1\nb\0: 2\n", NULL, "f.yml:2:2: a NUL byte in the text"},
};

static void outline(GString *out, const YamlNode *node)
{
    if (node->tag != NULL)
        g_string_append_printf(out, "<%s>", node->tag);
    switch (node->kind) {
    case YAML_SCALAR:
        g_string_append_printf(out, node->plain ? "=%s" : "'%s'", node->text);
        break;
    case YAML_SEQUENCE:
    case YAML_MAPPING:
        g_string_append_c(out, node->kind == YAML_MAPPING ? '{' : '[');
        for (size_t i = 0; i < node->length; i++) {
            if (i > 0)
                g_string_append_c(out, ',');
            if (node->kind == YAML_MAPPING) {
                outline(out, node->keys[i]);
                g_string_append_c(out, ':');
            }
            outline(out, node->items[i]);
        }
        g_string_append_c(out, node->kind == YAML_MAPPING ? '}' : ']');
        break;
    }
    g_string_append_printf(out, "@%d:%d", node->line, node->column);
}

static void test_case(const void *data)
{
    const Case *c = data;
    size_t length = strlen(c->text);
    if (g_str_equal(c->label, "nul"))
        length = 10;
    g_autoptr(GError) error = NULL;
    g_autoptr(YamlDocument) document = yaml_parse("f.yml", c->text, length, &error);
    if (document == NULL) {
        g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
        g_assert_cmpstr(error != NULL ? error->message : NULL, ==, c->message);
        return;
    }
    g_autoptr(GString) out = g_string_new(NULL);
    for (size_t i = 0; i < yaml_document_count(document); i++) {
        outline(out, yaml_root(document, i));
        g_string_append_c(out, '\n');
    }
    g_assert_no_error(error);
    g_assert_cmpstr(out->str, ==, c->outline);
}

typedef struct {
    const char *text;
    const char *types; /* letters of what it can be: n null, b boolean, i integer, f number */
    double value;
} Scalar;

static const Scalar scalars[] = {
    {"", "n", 0},
    {"~", "n", 0},
    {"Null", "n", 0},
    {"nULL", "", 0},
    {"true", "b", 1},
    {"FALSE", "b", 0},
    {"yes", "", 0},
    {"on", "", 0},
    {"12", "if", 12},
    {"-7", "if", -7},
    {"+7", "if", 7},
    {"0o17", "if", 15},
    {"0x1F", "if", 31},
    {"017", "if", 17},
    {"1.5", "f", 1.5},
    {".5", "f", .5},
    {"1.", "f", 1},
    {"1e3", "f", 1000},
    {"-1.5E-1", "f", -.15},
    {"1.2.3", "", 0},
    {"1e", "", 0},
    {".", "", 0},
    {"-.inf", "f", -INFINITY},
    {"+-1", "", 0},
    {"'12'", "", 0},
    {"\"true\"", "", 0},
    {"''", "", 0},
    {"!!str 12", "", 0},
    {"!!int 12", "if", 12},
    {"0x", "", 0},
    {"9223372036854775807", "if", 9223372036854775807.0},
    {"9223372036854775808", "f", 9223372036854775808.0},
};

static void test_scalar(const void *data)
{
    const Scalar *s = data;
    g_autofree char *text = g_strdup_printf("a: %s\n", s->text);
    g_autoptr(YamlDocument) document = yaml_parse("s", text, strlen(text), NULL);
    g_assert_nonnull(document);
    const YamlNode *node = yaml_get(yaml_root(document, 0), "a");
    g_autoptr(GString) types = g_string_new(NULL);
    bool boolean = false;
    gint64 integer = 0;
    double number = 0;
    if (yaml_is_null(node))
        g_string_append_c(types, 'n');
    if (yaml_as_boolean(node, &boolean)) {
        g_string_append_c(types, 'b');
        g_assert_cmpint(boolean, ==, s->value != 0);
    }
    if (yaml_as_integer(node, &integer)) {
        g_string_append_c(types, 'i');
        g_assert_cmpfloat((double) integer, ==, s->value);
    }
    if (yaml_as_number(node, &number)) {
        g_string_append_c(types, 'f');
        g_assert_cmpfloat(number, ==, s->value);
    }
    g_assert_cmpstr(types->str, ==, s->types);
}

static void test_depth(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 100; i++)
        g_string_append_c(text, '[');
    for (int i = 0; i < 100; i++)
        g_string_append_c(text, ']');
    g_autoptr(YamlDocument) fits = yaml_parse("d", text->str, text->len, NULL);
    g_assert_nonnull(fits);

    g_string_prepend_c(text, '[');
    g_autoptr(GError) error = NULL;
    g_assert_null(yaml_parse("d", text->str, text->len, &error));
    g_assert_cmpstr(error->message, ==, "d:1:101: nested deeper than 100 levels");
}

static void test_event_limit(void)
{
    g_autoptr(GString) text = g_string_new("[");
    for (int i = 0; i < 1000 * 1000; i++)
        g_string_append(text, "a,");
    g_string_append_c(text, ']');
    g_autoptr(GError) error = NULL;
    g_assert_null(yaml_parse("e", text->str, text->len, &error));
    g_assert_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/yaml/%s", cases[i].label);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(scalars); i++) {
        g_autofree char *path = g_strdup_printf("/yaml/scalar/%zu", i);
        g_test_add_data_func(path, &scalars[i], test_scalar);
    }
    g_test_add_func("/yaml/depth", test_depth);
    g_test_add_func("/yaml/event-limit", test_event_limit);
    return g_test_run();
}
