/* trigger.h - `on:`: which events and filters there are, and whether an event fires a pipeline. */
#pragma once

#include "model/finding.h"
#include "model/pipeline.h"

#include <stdbool.h>

typedef struct {
    const char *name;   /* "push" */
    const char *action; /* its type: "opened"; NULL: none */
    const char *ref;    /* "refs/heads/main", "refs/tags/v1"; of pull requests: the base's branch */
    const char *const *files; /* changed files; NULL: unknown, then path filters let it pass */
    const char *workflow;     /* workflow_run: the name of the one that ended */
} TriggerEvent;

/* true: PIPELINE runs for EVENT. *REASON (to free) says why or why not. */
bool trigger_matches(const Pipeline *pipeline, const TriggerEvent *event, char **reason);

/* A filter pattern against a whole ref name or path: `*` stays in a folder, `**` does not, `?` and
 * `+` repeat the character before them, `[a-z]` sets, `\` escapes. */
bool glob_matches(const char *pattern, const char *text);
/* NULL: PATTERN is well formed; else what is wrong with it. Static text. */
const char *glob_problem(const char *pattern);
