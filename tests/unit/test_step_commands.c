/* The ways a step talks back, as text: command files and commands in its output. */
#include "pipeline/command_file.h"
#include "pipeline/workflow_command.h"

typedef struct {
    const char *label, *text, *result; /* "NAME=VALUE;" each, or the error */
} Case;

static const Case files[] = {
    {"pairs", "a=1\nb=x=y\n", "a=1;b=x=y;"},
    {"no-last-newline", "a=1", "a=1;"},
    {"blank-lines", "\n\na=1\n\n", "a=1;"},
    {"kept-blanks", "a= 1 \nb=\n", "a= 1 ;b=;"},
    {"carriage-return", "a=1\r\n", "a=1\r;"},
    {"block", "a<<E\none\ntwo\nE\nb=2\n", "a=one\ntwo;b=2;"},
    {"block-empty", "a<<E\nE\n", "a=;"},
    {"block-blank-line", "a<<E\n\nE\n", "a=;"},
    {"block-last-without-newline", "a<<E\none\nE", "a=one;"},
    {"equals-first", "a=1<<E\n", "a=1<<E;"},
    {"heredoc-first", "a<<E=\nx\nE=\n", "a=x;"},
    {"no-delimiter", "a<<E\none\n", "Invalid value. Matching delimiter not found 'E'"},
    {"no-newline", "a<<E\none", "Invalid value. EOF marker missing new line. Delimiter 'E'"},
    {"empty-name", "=1\n", "Invalid format. Name and delimiter must not be empty, found '=1'"},
    {"empty-delimiter", "a<<\n",
     "Invalid format. Name and delimiter must not be empty, found 'a<<'"},
    {"neither", "hello\n", "Invalid format 'hello'"},
};

static void append(void *user, const char *name, char *value)
{
    g_string_append_printf(user, "%s=%s;", name, value);
}

static void test_file(const void *data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    bool fine = command_file_parse(c->text, append, out, &error);
    g_assert_cmpstr(fine ? out->str : error->message, ==, c->result);
}

static const Case commands[] = {
    {"error", "::error file=a.c,line=3::broken: %25 %0A", "error file=a.c line=3 [broken: % \n]"},
    {"blanks-before", "  ::Warning::x", "warning [x]"},
    {"escaped-property", "::notice title=a%3Ab%2Cc::", "notice title=a:b,c []"},
    {"double-escape", "::debug::%250A", "debug [%0A]"},
    {"old-form", "text ##[error file=a;line=2]m%5D", "error file=a line=2 [m]]"},
    {"empty-property", "::error file=,line=1::m", "error line=1 [m]"},
    {"unknown", "::unknown::x", NULL},
    {"not-closed", "::error x", NULL},
    {"in-the-middle", "a ::error::x", NULL},
};

static void test_command(const void *data)
{
    static const char *const keys[] = {"file", "line", "title"};
    const Case *c = data;
    g_auto(WorkflowCommand) command = {0};
    bool known = workflow_command_parse(c->text, &command);
    g_autoptr(GString) out = g_string_new(known ? command.name : NULL);
    for (size_t i = 0; known && i < G_N_ELEMENTS(keys); i++) {
        const char *value = workflow_command_property(&command, keys[i]);
        if (value != NULL)
            g_string_append_printf(out, " %s=%s", keys[i], value);
    }
    if (known)
        g_string_append_printf(out, " [%s]", command.data);
    g_assert_cmpstr(known ? out->str : NULL, ==, c->result);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_strdup_printf("/command-file/%s", files[i].label);
        g_test_add_data_func(path, &files[i], test_file);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *path = g_strdup_printf("/workflow-command/%s", commands[i].label);
        g_test_add_data_func(path, &commands[i], test_command);
    }
    return g_test_run();
}
