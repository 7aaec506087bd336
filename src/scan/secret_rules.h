/* secret_rules.h - the table of secret rules (secret_rules.def), its patterns made on first use. */
#pragma once

#include "model/finding.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stddef.h>

typedef enum {
    SECRET_TOKEN,    /* known by its own form */
    SECRET_ASSIGNED, /* known by the name beside it */
    SECRET_WHOLE,    /* a pattern of its own */
} SecretShape;

typedef struct {
    const char *id;
    SecretShape shape;
    Severity severity;
    const char *keywords, *names, *token;
    double entropy;
    const char *path; /* pattern; NULL: any */
} SecretRule;

extern const SecretRule secret_rules[];
extern const size_t secret_rule_count;

/* The compiled pattern of rule INDEX; borrowed, lives as long as the program. */
pcre2_code *secret_rule_pattern(size_t index);

/* Whether rule INDEX applies to files called PATH. */
bool secret_rule_wants(size_t index, const char *path);

/* How far before a keyword a match may begin. */
size_t secret_rule_lookback(size_t index);

/* A pattern that must compile, with the just-in-time compiler where there is one; borrowed use of
 * text from our own tables only. */
pcre2_code *secret_pattern_compile(const char *text);
