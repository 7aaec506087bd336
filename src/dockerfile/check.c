/* check.c - what a build asks of instructions beyond their form. */
#include "dockerfile/dockerfile.h"

#include <string.h>

typedef struct {
    const char *name;
    bool boolean, repeatable;
} FlagRule;

typedef struct {
    const char *keyword;
    guint minimum, maximum; /* of arguments; 0: no maximum */
    const char *expected;
    FlagRule flags[8];
} InstructionRule;

static const InstructionRule rules[] = {
    {"ADD",
     2,
     0,
     "at least two arguments, but only one was provided; expected ADD SOURCE… DEST",
     {{"chown", false, false},
      {"chmod", false, false},
      {"link", true, false},
      {"keep-git-dir", true, false},
      {"checksum", false, false},
      {"unpack", true, false},
      {"exclude", false, true}}},
    {"ARG", 1, 0, "at least one argument; expected ARG NAME[=DEFAULT]", {{0}}},
    {"CMD", 0, 0, "", {{0}}},
    {"COPY",
     2,
     0,
     "at least two arguments, but only one was provided; expected COPY SOURCE… DEST",
     {{"from", false, false},
      {"chown", false, false},
      {"chmod", false, false},
      {"link", true, false},
      {"parents", true, false},
      {"exclude", false, true}}},
    {"ENTRYPOINT", 0, 0, "", {{0}}},
    {"ENV", 2, 0, "at least one argument; expected ENV NAME=VALUE", {{0}}},
    {"EXPOSE", 1, 0, "at least one argument; expected EXPOSE PORT[/PROTOCOL]", {{0}}},
    {"FROM",
     1,
     3,
     "either one or three arguments; expected FROM IMAGE [AS NAME]",
     {{"platform", false, false}}},
    {"HEALTHCHECK",
     1,
     0,
     "at least one argument; expected HEALTHCHECK NONE or CMD COMMAND",
     {{"interval", false, false},
      {"timeout", false, false},
      {"start-period", false, false},
      {"start-interval", false, false},
      {"retries", false, false}}},
    {"LABEL", 2, 0, "at least one argument; expected LABEL NAME=VALUE", {{0}}},
    {"MAINTAINER", 1, 1, "exactly one argument; expected MAINTAINER NAME", {{0}}},
    {"ONBUILD", 1, 1, "at least one argument; expected ONBUILD INSTRUCTION", {{0}}},
    {"RUN",
     0,
     0,
     "",
     {{"mount", false, true},
      {"network", false, false},
      {"security", false, false},
      {"device", false, true}}},
    {"SHELL",
     1,
     0,
     "the arguments to be in JSON form; expected SHELL [\"/bin/sh\", \"-c\"]",
     {{0}}},
    {"STOPSIGNAL", 1, 1, "exactly one argument; expected STOPSIGNAL SIGNAL", {{0}}},
    {"USER", 1, 1, "exactly one argument; expected USER NAME[:GROUP]", {{0}}},
    {"VOLUME", 1, 0, "at least one argument; expected VOLUME PATH", {{0}}},
    {"WORKDIR", 1, 1, "exactly one argument; expected WORKDIR PATH", {{0}}},
};

static const InstructionRule *rule_of(const char *keyword)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
        if (g_str_equal(rules[i].keyword, keyword))
            return &rules[i];
    return NULL;
}

static const FlagRule *flag_of(const InstructionRule *rule, const char *flag, size_t length)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rule->flags) && rule->flags[i].name != NULL; i++)
        if (strlen(rule->flags[i].name) == length &&
            strncmp(rule->flags[i].name, flag, length) == 0)
            return &rule->flags[i];
    return NULL;
}

static bool check_flag(const Dockerfile *file, const Instruction *in, const InstructionRule *rule,
                       char **flag, GError **error)
{
    const char *text = *flag + 2;
    size_t length = strcspn(text, "=");
    const char *value = text[length] == '=' ? text + length + 1 : NULL;
    const char *found = strstr(in->original, *flag);
    size_t at = found != NULL ? (size_t) (found - in->original) : 0;
    const FlagRule *known = flag_of(rule, text, length);
    if (known == NULL)
        return instruction_error(file, in, at, error, "unknown flag: --%.*s, %s", (int) length,
                                 text,
                                 rule->flags[0].name != NULL ? "expected a flag of this instruction"
                                                             : "this instruction has none");
    for (char **before = in->flags; before < flag && !known->repeatable; before++)
        if (strncmp(*before + 2, text, length) == 0 && strchr("=", (*before)[length + 2]) != NULL)
            return instruction_error(file, in, at, error, "duplicate flag specified: %s",
                                     known->name);
    if (!known->boolean && (value == NULL || *value == '\0'))
        return instruction_error(file, in, at, error,
                                 "missing a value on flag: %s, expected --%s=…", known->name,
                                 known->name);
    if (known->boolean && value != NULL && g_ascii_strcasecmp(value, "true") != 0 &&
        g_ascii_strcasecmp(value, "false") != 0)
        return instruction_error(file, in, at, error,
                                 "expecting boolean value for flag %s, not: %s", known->name,
                                 value);
    return true;
}

static bool check_arguments(const Dockerfile *file, const Instruction *in,
                            const InstructionRule *rule, GError **error)
{
    guint count = g_strv_length(in->args);
    bool wrong = count < rule->minimum || (rule->maximum > 0 && count > rule->maximum);
    bool is_from = g_str_equal(in->keyword, "FROM");
    if (is_from && (count == 2 || (count == 3 && g_ascii_strcasecmp(in->args[1], "AS") != 0)))
        wrong = true;
    if (g_str_equal(in->keyword, "SHELL") && !in->json)
        wrong = true;
    if (wrong)
        return instruction_error(file, in, in->rest_offset, error, "%s requires %s", in->keyword,
                                 rule->expected);
    if (g_str_equal(in->keyword, "HEALTHCHECK")) {
        bool none = g_str_equal(in->args[0], "NONE"), cmd = g_str_equal(in->args[0], "CMD");
        if (!none && !cmd)
            return instruction_error(file, in, in->rest_offset, error,
                                     "unknown type \"%s\" in HEALTHCHECK, expected CMD or NONE",
                                     in->args[0]);
        if (none && count > 1)
            return instruction_error(file, in, in->rest_offset, error,
                                     "HEALTHCHECK NONE takes no arguments");
        if (cmd && count < 2)
            return instruction_error(file, in, in->rest_offset, error,
                                     "missing command after HEALTHCHECK CMD");
    }
    return true;
}

static bool check_onbuild(const Dockerfile *file, const Instruction *in, GError **error)
{
    static const char *const refused[] = {"ONBUILD", "FROM", "MAINTAINER", NULL};
    if (g_strv_contains(refused, in->onbuild->keyword))
        return instruction_error(file, in, in->rest_offset, error,
                                 "%s isn't allowed as an ONBUILD trigger", in->onbuild->keyword);
    return dockerfile_check_instruction(file, in->onbuild, error);
}

bool dockerfile_check_instruction(const Dockerfile *dockerfile, const Instruction *instruction,
                                  GError **error)
{
    const InstructionRule *rule = rule_of(instruction->keyword);
    if (rule == NULL)
        return instruction_error(dockerfile, instruction, 0, error, "unknown instruction: %s",
                                 instruction->word);
    for (char **flag = instruction->flags; *flag != NULL; flag++)
        if (!check_flag(dockerfile, instruction, rule, flag, error))
            return false;
    if (!check_arguments(dockerfile, instruction, rule, error))
        return false;
    return instruction->onbuild == NULL || check_onbuild(dockerfile, instruction, error);
}

bool dockerfile_check(const Dockerfile *dockerfile, GError **error)
{
    bool staged = false;
    for (guint i = 0; i < dockerfile->instructions->len; i++) {
        const Instruction *in = dockerfile->instructions->pdata[i];
        if (!dockerfile_check_instruction(dockerfile, in, error))
            return false;
        staged = staged || g_str_equal(in->keyword, "FROM");
        if (!staged && !g_str_equal(in->keyword, "ARG"))
            return instruction_error(dockerfile, in, 0, error,
                                     "no build stage in current context, expected FROM before %s",
                                     in->keyword);
    }
    if (staged)
        return true;
    const Instruction *last = dockerfile->instructions->pdata[dockerfile->instructions->len - 1];
    return instruction_error(dockerfile, last, 0, error, "no build stage, expected FROM");
}
