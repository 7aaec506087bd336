#include "cli/command.h"

#include <stdarg.h>

/* While set, command_parse shows the rows it is given and answers as for wrong use: so that each
 * command's options stand only in its own run. */
static struct {
    CommandOptionVisitor each;
    void *data;
} visit;

void command_visit_options(const Command *command, CommandOptionVisitor each, void *data)
{
    visit.each = each;
    visit.data = data;
    g_autofree char *name = g_strdup(command->name);
    char *arguments[] = {name, NULL};
    g_autoptr(GError) ended = NULL;
    command->run(1, arguments, &ended);
    visit.each = NULL;
}

bool command_parse(const Command *command, const GOptionEntry *entries, int *argc, char ***argv,
                   GError **error)
{
    if (visit.each != NULL) {
        for (const GOptionEntry *e = entries; e != NULL && e->long_name != NULL; e++)
            visit.each(e, visit.data);
        command_usage_error(error, "its options were asked for");
        return false;
    }
    g_autoptr(GOptionContext) context = g_option_context_new(command->operands);
    g_option_context_set_summary(context, command->summary);
    if (entries != NULL)
        g_option_context_add_main_entries(context, entries, NULL);
    g_autofree char *program = g_strdup_printf("slipway %s", command->name);
    g_set_prgname(program);
    bool ok = g_option_context_parse(context, argc, argv, error);
    /* GOption leaves a "--" that came before an operand. */
    if (ok && *argc > 1 && g_str_equal((*argv)[1], "--")) {
        for (int i = 1; i + 1 < *argc; i++)
            (*argv)[i] = (*argv)[i + 1];
        (*argc)--;
        (*argv)[*argc] = NULL;
    }
    return ok;
}

int command_usage_error(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, text);
    return EXIT_STATUS_USAGE;
}
