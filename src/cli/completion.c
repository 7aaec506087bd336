/* completion.c - the words a shell may offer after `slipway`: commands, then their options. */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

static bool is_shown(const Command *command)
{
    for (const CommandGroup *group = command_groups; group->name != NULL; group++)
        if (g_str_equal(command->group, group->name))
            return true;
    return false;
}

/* The first words of all commands, each once: nested ones follow each other in the table. */
static void print_first_words(void)
{
    const char *last = "";
    size_t last_length = 0;
    for (size_t i = 0; commands[i] != NULL; i++) {
        const char *name = commands[i]->name;
        size_t length = strcspn(name, " ");
        if (is_shown(commands[i]) && (length != last_length || strncmp(name, last, length) != 0)) {
            printf(" %.*s", (int) length, name);
            last = name;
            last_length = length;
        }
    }
}

static void print_second_words(const char *first, size_t length)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        const char *name = commands[i]->name;
        if (strncmp(name, first, length) == 0 && name[length] == ' ' && is_shown(commands[i]))
            printf(" %s", name + length + 1);
    }
}

static void print_option(const GOptionEntry *option, void *data)
{
    if ((option->flags & G_OPTION_FLAG_HIDDEN) == 0)
        printf(" --%s", option->long_name);
}

/* One `case` row a command; the second word of a nested one is part of its pattern. */
static void print_bash(void)
{
    printf("# bash completion for slipway, made by `slipway completion bash`\n"
           "_slipway()\n{\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} words=\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        words='");
    print_first_words();
    printf("'\n    elif [ \"$COMP_CWORD\" -eq 2 ] && [ \"${word#-}\" = \"$word\" ]; then\n"
           "        case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        const char *name = commands[i]->name;
        size_t length = strcspn(name, " ");
        bool nested = name[length] == ' ' && is_shown(commands[i]);
        bool again = i > 0 && strncmp(commands[i - 1]->name, name, length + 1) == 0;
        if (!nested || again)
            continue;
        printf("        %.*s) words='", (int) length, name);
        print_second_words(name, length);
        printf("' ;;\n");
    }
    printf("        esac\n    else\n        case \"${COMP_WORDS[*]:1:2} \" in\n");
    /* Nested names first: their pattern is the longer one. */
    for (int nested = 1; nested >= 0; nested--)
        for (size_t i = 0; commands[i] != NULL; i++) {
            if (!is_shown(commands[i]) || (strchr(commands[i]->name, ' ') != NULL) != nested)
                continue;
            printf("        '%s '*) words='--help", commands[i]->name);
            command_visit_options(commands[i], print_option, NULL);
            printf("' ;;\n");
        }
    printf("        esac\n    fi\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
           "}\n"
           "complete -o default -F _slipway slipway\n");
}

static int run(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_completion, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2 || !g_str_equal(argv[1], "bash"))
        return command_usage_error(error, "expected the shell: bash");
    print_bash();
    return EXIT_STATUS_DONE;
}

const Command command_completion = {
    .name = "completion",
    .group = "service",
    .operands = "bash",
    .summary = "print what a shell needs to complete commands and options",
    .run = run,
};
