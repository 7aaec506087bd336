/* dockerfile.h - the syntax of a Dockerfile: lines, instructions, flags, arguments, heredocs.
 *
 * Nothing is expanded, looked up or run here; what an instruction means is the builder's and the
 * linter's business. Every error is INVALID and reads "NAME:LINE:COLUMN: what, what was expected".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define DOCKERFILE_LIMIT ((size_t) 4 * 1024 * 1024) /* bytes of a Dockerfile that are read */

typedef struct {
    char *name;
    char *content; /* with its last newline; tabs stripped where CHOMP */
    bool expand;   /* the delimiter was not quoted */
    bool chomp;    /* <<- */
} Heredoc;

/* A stretch of the joined text that stands on one source line. */
typedef struct {
    gssize offset;
    int line, column;
} InstructionSegment;

typedef struct Instruction Instruction;
struct Instruction {
    char *keyword; /* upper case */
    char *word;    /* as written */
    char **flags;  /* "--name" or "--name=value", quotes and escapes resolved */
    char **args;   /* by the instruction's grammar; ENV and LABEL: name, value, name, value, … */
    bool json;     /* RUN, CMD, ENTRYPOINT, SHELL, HEALTHCHECK CMD, COPY, ADD, VOLUME: exec form */
    bool legacy;   /* ENV and LABEL: "name rest of the line" */
    char *rest;    /* the text behind the flags, blanks around it removed */
    size_t rest_offset;   /* of REST in ORIGINAL */
    char *original;       /* the logical line: continuations joined, comments dropped */
    GPtrArray *heredocs;  /* Heredoc * */
    Instruction *onbuild; /* ONBUILD: the instruction behind it */
    int line, end_line;   /* from 1; heredocs included */
    GArray *segments;     /* InstructionSegment, by offset in ORIGINAL */
};

typedef struct {
    int line;
    char *text; /* without the '#' */
} DockerfileComment;

typedef struct {
    char *name;                  /* for messages */
    char escape;                 /* '\\' or '`' */
    char *syntax, *check;        /* directives; NULL: absent */
    GPtrArray *instructions;     /* Instruction * */
    GArray *comments;            /* DockerfileComment, those outside instructions and inside them */
    GArray *empty_continuations; /* int: lines of blank lines inside a continuation */
} Dockerfile;

/* Parses LENGTH bytes of TEXT. Knows each instruction's name and the form of its arguments, not the
 * order of instructions: a snippet without FROM is fine. */
Dockerfile *dockerfile_parse(const char *name, const char *text, size_t length, GError **error);

/* What a build asks beyond that: flags that exist, with values where they need them; FROM first;
 * the right number of arguments. */
bool dockerfile_check(const Dockerfile *dockerfile, GError **error);
bool dockerfile_check_instruction(const Dockerfile *dockerfile, const Instruction *instruction,
                                  GError **error);

/* One instruction out of TEXT (a trigger of config.OnBuild), for messages called NAME. */
Dockerfile *dockerfile_parse_trigger(const char *name, const char *text, GError **error);

/* The value of flag NAME ("from"); "" when it stands without one; NULL when it is absent. */
const char *instruction_flag(const Instruction *instruction, const char *name);

/* The place of OFFSET of ORIGINAL in the source. */
void instruction_locate(const Instruction *instruction, size_t offset, int *line, int *column);

/* Sets INVALID "NAME:LINE:COLUMN: message" for OFFSET of ORIGINAL. Returns false. */
bool instruction_error(const Dockerfile *dockerfile, const Instruction *instruction, size_t offset,
                       GError **error, const char *format, ...) G_GNUC_PRINTF(5, 6);

void dockerfile_free(Dockerfile *dockerfile);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Dockerfile, dockerfile_free)
