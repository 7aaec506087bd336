/* dockerfile_lint.h - what is wrong with a Dockerfile, as findings. Reads nothing but the text. */
#pragma once

#include "model/finding.h"

#include <stdbool.h>

typedef struct {
    const char *const *rules; /* only these, those that are off by default too; NULL: the usual */
} DockerfileLintOptions;

/* Appends findings for TEXT, called PATH in them. Text that does not parse is a finding (DL1000).
 * OPTIONS may be NULL: the usual rules. */
void dockerfile_lint(const char *path, const char *text, size_t length,
                     const DockerfileLintOptions *options, GPtrArray *findings);

/* Whether RULE (an id or an alias, any case) is one of ours. */
bool dockerfile_lint_knows(const char *rule);
