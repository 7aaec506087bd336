/* value.c - YAML nodes as typed values: unique keys in any case, no merge keys, known tags. */
#include "dialect/github/reader.h"
#include "dialect/github/workflow.h"
#include "expr/template.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

G_GNUC_PRINTF(6, 0)
static void add_finding(Reader *reader, Severity severity, const char *rule, int line, int column,
                        const char *format, va_list arguments)
{
    if (severity == SEVERITY_ERROR && reader->errors++ >= READER_ERRORS)
        return;
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    if (g_utf8_strlen(message, -1) > 500) {
        g_autofree char *whole = g_steal_pointer(&message);
        g_autofree char *cut = g_utf8_substring(whole, 0, 497);
        message = g_strconcat(cut, "...", NULL);
    }
    g_ptr_array_add(reader->findings,
                    finding_new(rule, severity, reader->file, line, column, message));
}

void reader_error(Reader *reader, const char *rule, int line, int column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_finding(reader, SEVERITY_ERROR, rule, line, column, format, arguments);
    va_end(arguments);
}

G_GNUC_PRINTF(5, 6)
static void reader_warn(Reader *reader, const char *rule, int line, int column, const char *format,
                        ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_finding(reader, SEVERITY_WARNING, rule, line, column, format, arguments);
    va_end(arguments);
}

/* What a plain or explicitly tagged scalar means. */
static void type_scalar(Reader *reader, const YamlNode *node, PipelineValue *value)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    const char *tag = node->tag;
    bool text = !node->plain;
    if (tag != NULL && g_str_has_prefix(tag, prefix)) {
        const char *name = tag + strlen(prefix);
        text = text || g_str_equal(name, "str");
        if (!g_str_equal(name, "str") && !g_str_equal(name, "bool") && !g_str_equal(name, "int") &&
            !g_str_equal(name, "float") && !g_str_equal(name, "null"))
            reader_error(reader, "syntax-check", node->line, node->column, "Unexpected tag '%s'",
                         tag);
    } else if (tag != NULL && !g_str_equal(tag, "!"))
        reader_error(reader, "syntax-check", node->line, node->column, "Unexpected tag '%s'", tag);
    else if (tag != NULL)
        text = true;
    if (text)
        return;
    gint64 integer;
    if (yaml_is_null(node))
        value->kind = PIPELINE_NULL;
    else if (yaml_as_boolean(node, &value->boolean))
        value->kind = PIPELINE_BOOLEAN;
    else if (yaml_as_integer(node, &integer)) {
        value->kind = PIPELINE_NUMBER;
        value->number = (double) integer;
    } else if (yaml_as_number(node, &value->number))
        value->kind = PIPELINE_NUMBER;
}

static PipelineValue *convert(Reader *reader, const YamlNode *node);

static void convert_pair(Reader *reader, const YamlNode *key, const YamlNode *item,
                         PipelineValue *value, GHashTable *seen)
{
    if (key->kind != YAML_SCALAR) {
        reader_error(reader, "syntax-check", key->line, key->column, "A %s was not expected",
                     key->kind == YAML_SEQUENCE ? "sequence" : "mapping");
        return;
    }
    if (g_str_equal(key->text, "<<") && key->plain) {
        reader_error(reader, "syntax-check", key->line, key->column,
                     "Merge keys ('<<') are not supported; anchors and aliases are");
        return;
    }
    if (!g_hash_table_add(seen, g_ascii_strdown(key->text, -1))) {
        reader_error(reader, "syntax-check", key->line, key->column, "'%s' is already defined",
                     key->text);
        return;
    }
    PipelineValue *converted = convert(reader, item);
    if (converted == NULL)
        return;
    g_ptr_array_add(value->keys, pipeline_value_new_text(key->text, key->line, key->column));
    g_ptr_array_add(value->items, converted);
}

static PipelineValue *convert(Reader *reader, const YamlNode *node)
{
    if (++reader->values > READER_VALUES) {
        if (reader->values == READER_VALUES + 1)
            reader_error(reader, "syntax-check", node->line, node->column,
                         "Maximum number of values exceeded: %d", READER_VALUES);
        return NULL;
    }
    if (node->kind == YAML_SCALAR) {
        PipelineValue *value = pipeline_value_new_text(node->text, node->line, node->column);
        type_scalar(reader, node, value);
        return value;
    }
    bool sequence = node->kind == YAML_SEQUENCE;
    PipelineValue *value = pipeline_value_new(sequence ? PIPELINE_SEQUENCE : PIPELINE_MAPPING,
                                              node->line, node->column);
    if (node->tag != NULL && !g_str_has_prefix(node->tag, "tag:yaml.org,2002:"))
        reader_error(reader, "syntax-check", node->line, node->column, "Unexpected tag '%s'",
                     node->tag);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (size_t i = 0; i < node->length; i++) {
        if (!sequence) {
            convert_pair(reader, node->keys[i], node->items[i], value, seen);
            continue;
        }
        PipelineValue *item = convert(reader, node->items[i]);
        if (item != NULL)
            g_ptr_array_add(value->items, item);
    }
    return value;
}

/* "FILE:LINE:COLUMN: message" of the YAML reader as a finding. */
static void add_yaml_error(Reader *reader, const GError *error)
{
    int line = 1, column = 1;
    const char *message = error->message;
    if (g_str_has_prefix(message, reader->file)) {
        char *end;
        const char *rest = message + strlen(reader->file);
        if (rest[0] == ':' && g_ascii_isdigit(rest[1])) {
            line = (int) strtol(rest + 1, &end, 10);
            rest = end;
        }
        if (rest[0] == ':' && g_ascii_isdigit(rest[1])) {
            column = (int) strtol(rest + 1, &end, 10);
            rest = end;
        }
        if (g_str_has_prefix(rest, ": "))
            message = rest + 2;
    }
    reader_error(reader, "syntax-check", line, column, "%s", message);
}

PipelineValue *reader_parse(Reader *reader, const char *text, size_t length)
{
    if (length > WORKFLOW_LIMIT) {
        reader_error(reader, "syntax-check", 1, 1, "Maximum file size of %d bytes exceeded",
                     WORKFLOW_LIMIT);
        return NULL;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(YamlDocument) document = yaml_parse(reader->file, text, length, &error);
    if (document == NULL) {
        add_yaml_error(reader, error);
        return NULL;
    }
    if (yaml_document_count(document) != 1) {
        reader_error(reader, "syntax-check", 1, 1, "%s",
                     yaml_document_count(document) == 0 ? "The file is empty"
                                                        : "One document a file was expected");
        return NULL;
    }
    return convert(reader, yaml_root(document, 0));
}

PipelineValue *reader_take(PipelineValue *mapping, const char *key)
{
    for (guint i = 0; mapping != NULL && mapping->keys != NULL && i < mapping->keys->len; i++) {
        const PipelineValue *name = mapping->keys->pdata[i];
        if (g_ascii_strcasecmp(name->text, key) != 0)
            continue;
        PipelineValue *value = mapping->items->pdata[i];
        mapping->items->pdata[i] = pipeline_value_new(PIPELINE_NULL, value->line, value->column);
        return value;
    }
    return NULL;
}

void reader_check_expressions(Reader *reader, const PipelineValue *value, WorkflowPlace place)
{
    if (!value->expression)
        return;
    if (place == PLACE_NONE) {
        reader_error(reader, "expression", value->line, value->column,
                     "A template expression is not allowed in this context");
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(Template) template = template_parse(value->text, workflow_names(place), &error);
    if (template == NULL)
        reader_error(reader, "expression", value->line, value->column, "%s", error->message);
}

void reader_check_condition(Reader *reader, const PipelineValue *value, WorkflowPlace place)
{
    if (value->text == NULL)
        return;
    if (value->expression) {
        reader_check_expressions(reader, value, place);
        const char *start = value->text + strspn(value->text, " \t\r\n");
        g_autofree char *trimmed = g_strchomp(g_strdup(start));
        g_autoptr(Template) template = template_parse(trimmed, workflow_names(place), NULL);
        if (template != NULL && template->pieces->len > 1)
            reader_warn(reader, "if-cond", value->line, value->column,
                        "this condition is always true: text stands around the ${{ }}");
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(Expression) expression = expression_parse(value->text, workflow_names(place), &error);
    if (expression == NULL)
        reader_error(reader, "expression", value->line, value->column, "%s", error->message);
}
