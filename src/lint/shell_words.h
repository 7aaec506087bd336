/* shell_words.h - the simple commands of a shell text, for linting: names, words, pipes.
 *
 * No full grammar: keywords are stepped over, the commands inside $( ), backquotes, groups and
 * loops are found like any other. It never fails; what it cannot make sense of it skips. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    char *text;    /* quotes removed, variables as ${name} or $name */
    size_t offset; /* of its first character in the text */
} ShellWord;

typedef struct {
    GPtrArray *words;       /* ShellWord *; the first is the command's name */
    GPtrArray *assignments; /* char *: "NAME=value" before it */
} ShellCommand;

typedef struct {
    GPtrArray *commands; /* ShellCommand *, in the order of the text */
    guint separators;    /* `;`, `&&`, `||`, `|`, `&` and line ends between commands */
    bool piped;
} ShellText;

ShellText *shell_text_parse(const char *text);
void shell_text_free(ShellText *shell);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ShellText, shell_text_free)

/* The command's name; "" when it has only assignments. */
const char *shell_command_name(const ShellCommand *command);
/* Whether WORD is among its arguments. */
bool shell_command_has(const ShellCommand *command, const char *word);
/* Whether it has flag NAME: "--NAME", "--NAME=…", "-NAME", or for one letter "-xNAMEy". */
bool shell_command_has_flag(const ShellCommand *command, const char *name);
/* How often one-letter flag NAME occurs. */
guint shell_command_count_flag(const ShellCommand *command, char name);
