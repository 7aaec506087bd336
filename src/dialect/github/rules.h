/* rules.h - the workflow schema as tables: which keys, which shapes, which expressions. Private. */
#pragma once

#include "dialect/github/reader.h"

/* What a value may be. An expression stands for any of these where the place allows one. */
enum {
    ALLOW_TEXT = 1,  /* a scalar that is not empty; numbers and booleans count as their text */
    ALLOW_EMPTY = 2, /* nothing, or "" */
    ALLOW_BOOLEAN = 4,
    ALLOW_NUMBER = 8,
    ALLOW_SEQUENCE = 16,
    ALLOW_MAPPING = 32,
    ALLOW_CONDITION = 64, /* `if`: an expression with or without its braces */
};

typedef struct Field Field;
typedef struct Rule Rule;
struct Rule {
    unsigned allow;
    WorkflowPlace place;
    const Field *fields;      /* the only keys of a mapping; NULL: any key, values by EACH */
    const Rule *each;         /* items of a sequence, values of an open mapping; NULL: anything */
    const char *const *words; /* the only texts, NULL-terminated; NULL: any */
};
struct Field {
    const char *key; /* NULL ends the list */
    const Rule *rule;
    bool required;
};

extern const Rule rule_workflow, rule_steps_job, rule_call_job, rule_run_step, rule_uses_step;
extern const Rule rule_wait_step, rule_wait_all_step, rule_cancel_step, rule_parallel_step;
extern const Rule rule_action, rule_action_run_step, rule_action_uses_step;
extern const Rule rule_dispatch_input, rule_call_input, rule_call_output, rule_call_secret;
extern const Rule rule_text_list, rule_crons;

/* Adds a finding for everything in VALUE that RULE does not allow. */
void checker_check(Reader *reader, const PipelineValue *value, const Rule *rule);
