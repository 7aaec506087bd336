/* reader.h - one reading of a workflow file: its name, its findings, its budget. Private. */
#pragma once

#include "dialect/github/names.h"
#include "format/yaml.h"
#include "model/finding.h"
#include "model/pipeline.h"

#define READER_ERRORS 100
#define READER_VALUES 1000000 /* aliases count each time they are reached */

typedef struct {
    const char *file;
    GPtrArray *findings; /* borrowed */
    size_t errors;
    size_t values;
} Reader;

void reader_error(Reader *reader, const char *rule, int line, int column, const char *format, ...)
    G_GNUC_PRINTF(5, 6);

/* The one document of TEXT as values, typed by the 1.2 core schema; NULL with a finding. */
PipelineValue *reader_parse(Reader *reader, const char *text, size_t length);

/* The value at KEY, taken out of MAPPING (its key stays with a null); NULL: none. */
PipelineValue *reader_take(PipelineValue *mapping, const char *key);

/* Checks the expressions of a scalar against what PLACE offers. */
void reader_check_expressions(Reader *reader, const PipelineValue *value, WorkflowPlace place);
/* The same for a condition, where the braces may be left out. */
void reader_check_condition(Reader *reader, const PipelineValue *value, WorkflowPlace place);
