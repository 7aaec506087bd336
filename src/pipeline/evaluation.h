/* evaluation.h - values of a pipeline file with contexts: typed values, texts, conditions. */
#pragma once

#include "expr/expression.h"
#include "model/pipeline.h"

/* What the functions of a run answer; handed as the scope's user. */
typedef struct {
    bool success, failure, cancelled;
    const ExprValue *results; /* job conditions: job id → result text; NULL: names are refused */
    const char *workspace;    /* of hashFiles, on this machine; NULL: there is none yet */
} EvaluationState;

/* always success failure cancelled hashFiles */
extern const ExprFunction evaluation_functions[];

/* Errors begin with "line L, column C: ". */
ExprValue *evaluate_value(const PipelineValue *value, const ExprScope *scope, GError **error);
/* The text form; NULL without error where VALUE is NULL. */
char *evaluate_text(const PipelineValue *value, const ExprScope *scope, GError **error);
bool evaluate_boolean(const PipelineValue *value, const ExprScope *scope, bool otherwise,
                      bool *result, GError **error);
bool evaluate_number(const PipelineValue *value, const ExprScope *scope, double otherwise,
                     double *result, GError **error);

/* An `if`, where success() && stands before it unless it calls a status function. VALUE may be
 * NULL. */
bool evaluate_condition(const PipelineValue *value, const ExprScope *scope, bool *result,
                        GError **error);
/* The condition as it is evaluated: "success() && github.ref == 'refs/heads/main'". */
char *evaluate_condition_text(const PipelineValue *value);
