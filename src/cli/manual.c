#include "cli/manual.h"

#include "cli/commands.h"
#include "config.h"

#include <stdio.h>

static const struct {
    int status;
    const char *meaning;
} statuses[] = {
    {EXIT_STATUS_DONE, "done"},
    {EXIT_STATUS_NO, "the answer is no: findings over the threshold, a gate, a failed step, build "
                     "or test, a malformed file, something not found"},
    {EXIT_STATUS_USAGE, "wrong use of the command line"},
    {EXIT_STATUS_ROLLED_BACK, "deployed, then taken back"},
    {EXIT_STATUS_REJECTED, "rejected, expired, void or superseded"},
    {EXIT_STATUS_PERSON, "a person is needed"},
    {EXIT_STATUS_UNAVAILABLE, "unavailable: a peer, a lock, a port, the disk"},
    {EXIT_STATUS_INTERNAL, "a fault of slipway itself"},
    {EXIT_STATUS_TIMEOUT, "a wait ran out"},
};

static const struct {
    const char *name, *meaning;
} variables[] = {
    {"SLIPWAY_HOME", "the state folder; without it /var/lib/slipway for root, "
                     "$XDG_DATA_HOME/slipway for others"},
    {"SLIPWAY_REGISTRY_PASSWORD", "the password for --creds USER"},
    {"COSIGN_PASSWORD", "the password of private keys in cosign's format"},
    {"SSH_AUTH_SOCK", "the agent that holds the key of who approves"},
    {"SOURCE_DATE_EPOCH", "the time that images carry, in seconds since 1970"},
    {"NO_COLOR", "when not empty, no colour"},
};

/* TEXT (UTF-8) so that roff takes no part of it as a request or an escape. */
static void print_escaped(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text != '\0'; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        if (c == '-')
            fputs("\\-", stdout);
        else if (c == '\\')
            fputs("\\e", stdout);
        else if (c > 0x7f)
            printf("\\[u%04X]", c);
        else
            putchar((int) c);
    }
}

static void print_option(const GOptionEntry *option, void *data)
{
    if ((option->flags & G_OPTION_FLAG_HIDDEN) != 0)
        return;
    printf(".RS\n.TP\n\\fB");
    if (option->short_name != 0)
        printf("\\-%c\\fR, \\fB", option->short_name);
    printf("\\-\\-");
    print_escaped(option->long_name);
    printf("\\fR");
    if (option->arg_description != NULL) {
        printf("=\\fI");
        print_escaped(option->arg_description);
        printf("\\fR");
    }
    putchar('\n');
    print_escaped(option->description != NULL ? option->description : "");
    printf("\n.RE\n");
}

static void print_command(const Command *command)
{
    printf(".TP\n\\fBslipway ");
    print_escaped(command->name);
    printf("\\fR");
    if (command->operands != NULL) {
        printf(" \\fI");
        print_escaped(command->operands);
        printf("\\fR");
    }
    putchar('\n');
    print_escaped(command->summary);
    putchar('\n');
    command_visit_options(command, print_option, NULL);
}

void manual_print(void)
{
    printf(".TH SLIPWAY 1 \"\" \"slipway %s\" \"User Commands\"\n", SLIPWAY_VERSION);
    printf(".SH NAME\nslipway \\- from commit to production, with proof\n");
    printf(".SH SYNOPSIS\n\\fBslipway\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...] "
           "[\\fIOPERAND\\fR...]\n");
    printf(".SH DESCRIPTION\nResults are on stdout, everything else is on stderr. Options may "
           "stand anywhere and are not abbreviated; \\-\\- ends them.\n");
    for (const CommandGroup *group = command_groups; group->name != NULL; group++) {
        printf(".SH \"");
        print_escaped(group->title);
        printf("\"\n");
        for (size_t i = 0; commands[i] != NULL; i++)
            if (g_str_equal(commands[i]->group, group->name))
                print_command(commands[i]);
    }
    printf(".SH \"EXIT STATUS\"\n");
    for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++)
        printf(".TP\n%d\n%s\n", statuses[i].status, statuses[i].meaning);
    printf(".SH ENVIRONMENT\n");
    for (size_t i = 0; i < G_N_ELEMENTS(variables); i++) {
        printf(".TP\n%s\n", variables[i].name);
        print_escaped(variables[i].meaning);
        putchar('\n');
    }
    printf(
        ".SH FILES\n.TP\nslipway.yml\nThe settings of a project, at its root.\n"
        ".TP\n\\&.slipwayignore\nFindings that are accepted, each with a reason and a day to look "
        "again.\n");
}
