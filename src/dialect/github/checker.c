/* checker.c - holds a value against a rule of the schema. */
#include "dialect/github/rules.h"

static bool is_empty(const PipelineValue *value)
{
    return value->kind == PIPELINE_NULL ||
           (value->kind == PIPELINE_STRING && value->text[0] == '\0');
}

static void unexpected(Reader *reader, const PipelineValue *value)
{
    reader_error(reader, "syntax-check", value->line, value->column, "Unexpected value '%s'",
                 value->text);
}

static void check_scalar(Reader *reader, const PipelineValue *value, const Rule *rule)
{
    if (rule->allow & ALLOW_CONDITION) {
        reader_check_condition(reader, value, rule->place);
        return;
    }
    if (value->expression) {
        reader_check_expressions(reader, value, rule->place);
        return;
    }
    if (is_empty(value)) {
        if (!(rule->allow & ALLOW_EMPTY))
            unexpected(reader, value);
        return;
    }
    bool fits = (rule->allow & ALLOW_TEXT) ||
                ((rule->allow & ALLOW_BOOLEAN) && value->kind == PIPELINE_BOOLEAN) ||
                ((rule->allow & ALLOW_NUMBER) && value->kind == PIPELINE_NUMBER);
    for (size_t i = 0; rule->words != NULL && rule->words[i] != NULL && fits; i++) {
        if (g_str_equal(rule->words[i], value->text))
            return;
        if (rule->words[i + 1] == NULL)
            fits = false;
    }
    if (!fits)
        unexpected(reader, value);
}

static const Field *find_field(const Field *fields, const char *key)
{
    for (; fields->key != NULL; fields++)
        if (g_ascii_strcasecmp(fields->key, key) == 0)
            return fields;
    return NULL;
}

static void check_mapping(Reader *reader, const PipelineValue *value, const Rule *rule)
{
    for (guint i = 0; i < value->keys->len; i++) {
        const PipelineValue *key = value->keys->pdata[i];
        const PipelineValue *item = value->items->pdata[i];
        if (rule->fields == NULL) {
            if (key->expression)
                reader_check_expressions(reader, key, rule->place);
            if (rule->each != NULL)
                checker_check(reader, item, rule->each);
            continue;
        }
        const Field *field = find_field(rule->fields, key->text);
        if (field == NULL)
            unexpected(reader, key);
        else if (field->rule != NULL)
            checker_check(reader, item, field->rule);
    }
    for (const Field *field = rule->fields; field != NULL && field->key != NULL; field++)
        if (field->required && pipeline_value_get(value, field->key) == NULL)
            reader_error(reader, "syntax-check", value->line, value->column,
                         "Required property is missing: %s", field->key);
}

void checker_check(Reader *reader, const PipelineValue *value, const Rule *rule)
{
    if (value->kind == PIPELINE_SEQUENCE) {
        if (!(rule->allow & ALLOW_SEQUENCE)) {
            reader_error(reader, "syntax-check", value->line, value->column,
                         "A sequence was not expected");
            return;
        }
        for (guint i = 0; i < value->items->len && rule->each != NULL; i++)
            checker_check(reader, value->items->pdata[i], rule->each);
        return;
    }
    if (value->kind == PIPELINE_MAPPING) {
        if (!(rule->allow & ALLOW_MAPPING))
            reader_error(reader, "syntax-check", value->line, value->column,
                         "A mapping was not expected");
        else
            check_mapping(reader, value, rule);
        return;
    }
    check_scalar(reader, value, rule);
}
