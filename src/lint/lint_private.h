/* lint_private.h - one Dockerfile under inspection; between the files of this room. */
#pragma once

#include "dockerfile/dockerfile.h"
#include "lint/dockerfile_lint.h"
#include "lint/shell_words.h"

typedef struct LintStage LintStage;
struct LintStage {
    const Instruction *from; /* NULL: what stands before the first FROM */
    char *name;              /* as written; NULL: none */
    LintStage *parent;       /* the earlier stage it is built on; NULL: an image */
    bool is_base;            /* a later stage is built on it */
    bool is_last;
    guint number;            /* counted from 0 at the first FROM */
    GPtrArray *instructions; /* const Instruction *, FROM excluded */
};

typedef struct {
    const Dockerfile *file;
    const char *path;
    const DockerfileLintOptions *options;
    GPtrArray *findings;
    GPtrArray *stages;     /* LintStage * */
    GHashTable *variables; /* names of all ARG and ENV */
    GHashTable *arguments; /* names of all ARG */
} Lint;

/* Adds finding RULE at OFFSET of IN's text, unless a pragma says otherwise. */
void lint_add(Lint *lint, const char *rule, const LintStage *stage, const Instruction *in,
              size_t offset, const char *format, ...) G_GNUC_PRINTF(6, 7);

/* TEXT without the quotes around it. */
char *lint_unquote(const char *text);
/* FROM's image, flags apart. */
const char *lint_image(const LintStage *stage);

void lint_stage_rules(Lint *lint);
void lint_instruction_rules(Lint *lint, const LintStage *stage, const Instruction *in);
void lint_run_rules(Lint *lint, const LintStage *stage, const Instruction *in, bool onbuild);
/* The shell text of RUN (exec form: its words); *BASE gets its place in the instruction's text. */
char *lint_run_text(const Instruction *run, size_t *base);
