/* Whatever parses, written as flow collections of double-quoted scalars, parses to the same. */
#include "format/yaml.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT ((size_t) 256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_scalar(GString *out, const YamlNode *node)
{
    g_string_append_c(out, '"');
    for (size_t i = 0; i < node->length; i++) {
        unsigned char c = (unsigned char) node->text[i];
        if (c == '"' || c == '\\')
            g_string_append_printf(out, "\\%c", c);
        else if (c < ' ')
            g_string_append_printf(out, "\\x%02x", c);
        else
            g_string_append_c(out, (char) c);
    }
    g_string_append_c(out, '"');
}

/* Aliases are written out, so a small text may become a large one: LIMIT ends that. */
static void write_node(GString *out, const YamlNode *node)
{
    if (out->len > LIMIT)
        return;
    if (node->kind == YAML_SCALAR) {
        write_scalar(out, node);
        return;
    }
    g_string_append_c(out, node->kind == YAML_MAPPING ? '{' : '[');
    for (size_t i = 0; i < node->length && out->len <= LIMIT; i++) {
        if (i > 0)
            g_string_append(out, ", ");
        if (node->kind == YAML_MAPPING) {
            g_string_append(out, "? ");
            write_node(out, node->keys[i]);
            g_string_append(out, " : ");
        }
        write_node(out, node->items[i]);
    }
    g_string_append_c(out, node->kind == YAML_MAPPING ? '}' : ']');
}

static bool is_same(const YamlNode *a, const YamlNode *b)
{
    if (a->kind != b->kind || a->length != b->length)
        return false;
    if (a->kind == YAML_SCALAR)
        return memcmp(a->text, b->text, a->length) == 0;
    for (size_t i = 0; i < a->length; i++)
        if ((a->kind == YAML_MAPPING && !is_same(a->keys[i], b->keys[i])) ||
            !is_same(a->items[i], b->items[i]))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(YamlDocument) document = yaml_parse("fuzz", (const char *) data, size, NULL);
    for (size_t i = 0; document != NULL && i < yaml_document_count(document); i++) {
        const YamlNode *root = yaml_root(document, i);
        if (root == NULL)
            continue;
        g_autoptr(GString) text = g_string_new(NULL);
        write_node(text, root);
        if (text->len > LIMIT)
            continue;
        g_autoptr(GError) error = NULL;
        g_autoptr(YamlDocument) again = yaml_parse("again", text->str, text->len, &error);
        if (again == NULL) {
            /* Written out, aliases may nest deeper than the limit. */
            if (strstr(error->message, "nested deeper") != NULL)
                continue;
            fprintf(stderr, "%s\n%s\n", error->message, text->str);
            abort();
        }
        g_assert_cmpuint(yaml_document_count(again), ==, 1);
        g_assert_true(is_same(root, yaml_root(again, 0)));
    }
    return 0;
}
