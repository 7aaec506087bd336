/* stage_rules.c - rules about FROM and about what a stage has, lacks or has twice. */
#include "lint/lint_private.h"

#include <string.h>

static bool is_stage_before(const Lint *lint, const LintStage *stage, const char *name)
{
    for (guint i = 0; i < lint->stages->len && lint->stages->pdata[i] != stage; i++) {
        const LintStage *other = lint->stages->pdata[i];
        if (other->name != NULL && g_ascii_strcasecmp(other->name, name) == 0)
            return true;
    }
    return false;
}

static void check_tag(Lint *lint, const LintStage *stage)
{
    g_autofree char *image = lint_unquote(lint_image(stage));
    if (*image == '\0' || *image == '$' || g_str_equal(image, "scratch") || stage->parent != NULL)
        return;
    const char *slash = strrchr(image, '/');
    const char *tag = strchr(slash != NULL ? slash : image, ':');
    if (strchr(image, '@') != NULL)
        return;
    if (tag == NULL)
        lint_add(lint, "DL3006", stage, stage->from, stage->from->rest_offset,
                 "always tag the version of an image explicitly: %s", image);
    else if (g_str_equal(tag, ":latest"))
        lint_add(lint, "DL3007", stage, stage->from, stage->from->rest_offset,
                 "the tag latest changes under you; pin a version and a digest: %s", image);
}

static void check_platform(Lint *lint, const LintStage *stage)
{
    const char *platform = instruction_flag(stage->from, "platform");
    if (platform == NULL)
        return;
    if (strstr(platform, "BUILDPLATFORM") == NULL && strstr(platform, "TARGETPLATFORM") == NULL)
        lint_add(lint, "DL3029", stage, stage->from, 0, "do not fix --platform in FROM: %s",
                 platform);
    if (g_str_equal(platform, "$TARGETPLATFORM") || g_str_equal(platform, "${TARGETPLATFORM}"))
        lint_add(lint, "DL3065", stage, stage->from, 0,
                 "--platform=$TARGETPLATFORM is the default and says nothing");
}

static void check_name(Lint *lint, const LintStage *stage)
{
    const Instruction *from = stage->from;
    if (stage->name == NULL)
        return;
    if (is_stage_before(lint, stage, stage->name))
        lint_add(lint, "DL3024", stage, from, 0, "stage name '%s' is taken already", stage->name);
    if (g_ascii_strcasecmp(stage->name, "scratch") == 0 ||
        g_ascii_strcasecmp(stage->name, "context") == 0)
        lint_add(lint, "DL3063", stage, from, 0, "stage name '%s' is reserved", stage->name);
    g_autofree char *lower = g_ascii_strdown(stage->name, -1);
    if (!g_str_equal(lower, stage->name))
        lint_add(lint, "StageNameCasing", stage, from, 0, "stage name '%s' should be lower case",
                 stage->name);
    bool from_upper = g_ascii_isupper(from->word[0]), as_upper = g_ascii_isupper(from->args[1][0]);
    if (from_upper != as_upper)
        lint_add(lint, "FromAsCasing", stage, from, 0, "'%s' and '%s' are cased differently",
                 from->args[1], from->word);
}

static const Instruction *last_of(const LintStage *stage, const char *keyword)
{
    const Instruction *last = NULL;
    for (guint i = 0; i < stage->instructions->len; i++) {
        const Instruction *in = stage->instructions->pdata[i];
        if (g_str_equal(in->keyword, keyword))
            last = in;
    }
    return last;
}

static bool is_root(const char *user)
{
    g_autofree char *plain = lint_unquote(user);
    return g_str_equal(plain, "root") || g_str_equal(plain, "0") ||
           g_str_has_prefix(plain, "root:") || g_str_has_prefix(plain, "0:");
}

/* The last USER, judged where it stands; stages that only others build on hand it on. */
static void check_user(Lint *lint, const LintStage *stage)
{
    const Instruction *user = last_of(stage, "USER");
    if (user != NULL && user->args[0] != NULL && is_root(user->args[0]))
        lint_add(lint, "DL3002", stage, user, 0, "the last USER should not be root");
}

static void check_twice(Lint *lint, const LintStage *stage, const char *keyword, const char *rule)
{
    guint count = 0;
    for (guint i = 0; i < stage->instructions->len; i++) {
        const Instruction *in = stage->instructions->pdata[i];
        if (g_str_equal(in->keyword, keyword) && ++count > 1)
            lint_add(lint, rule, stage, in, 0, "a second %s in the stage: only the last counts",
                     keyword);
    }
}

static void check_health(Lint *lint, const LintStage *stage)
{
    if (stage->from == NULL || stage->is_base)
        return;
    for (const LintStage *s = stage; s != NULL; s = s->parent)
        if (last_of(s, "HEALTHCHECK") != NULL)
            return;
    lint_add(lint, "DL3057", stage, stage->from, 0, "HEALTHCHECK is missing");
}

static void check_undefined(Lint *lint, const LintStage *stage)
{
    const char *image = lint_image(stage);
    const char *dollar = strchr(image, '$');
    if (dollar == NULL)
        return;
    const char *start = dollar[1] == '{' ? dollar + 2 : dollar + 1;
    size_t length = 0;
    while (g_ascii_isalnum(start[length]) || start[length] == '_')
        length++;
    g_autofree char *name = g_strndup(start, length);
    bool has_default = start[length] == ':' || start[length] == '-';
    if (length > 0 && !has_default && !g_hash_table_contains(lint->arguments, name) &&
        !g_str_has_prefix(name, "TARGET") && !g_str_has_prefix(name, "BUILD"))
        lint_add(lint, "UndefinedArgInFrom", stage, stage->from, stage->from->rest_offset,
                 "FROM uses %s, which no ARG before it declares", name);
}

static void check_order(Lint *lint)
{
    const LintStage *first = lint->stages->len > 0 ? lint->stages->pdata[0] : NULL;
    for (guint i = 0; first != NULL && first->from == NULL && i < first->instructions->len; i++) {
        const Instruction *in = first->instructions->pdata[i];
        if (!g_str_equal(in->keyword, "ARG"))
            lint_add(lint, "DL3061", first, in, 0, "%s stands before FROM; only ARG may",
                     in->keyword);
    }
}

static void check_casing(Lint *lint)
{
    guint upper = 0, lower = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (guint i = 0; i < lint->file->instructions->len; i++) {
            const Instruction *in = lint->file->instructions->pdata[i];
            bool is_upper = g_str_equal(in->word, in->keyword);
            if (pass == 0) {
                upper += is_upper;
                lower += !is_upper;
            } else if (upper > 0 && lower > 0 && is_upper != (upper >= lower)) {
                lint_add(lint, "ConsistentInstructionCasing", NULL, in, 0,
                         "'%s' is cased unlike the others", in->word);
            }
        }
    }
    for (guint i = 0; i < lint->file->empty_continuations->len; i++) {
        int line = g_array_index(lint->file->empty_continuations, int, i);
        for (guint k = 0; k < lint->file->instructions->len; k++) {
            const Instruction *in = lint->file->instructions->pdata[k];
            if (in->line <= line && line <= in->end_line)
                lint_add(lint, "NoEmptyContinuation", NULL, in, 0,
                         "an empty line %d inside the instruction", line);
        }
    }
}

void lint_stage_rules(Lint *lint)
{
    check_order(lint);
    check_casing(lint);
    for (guint i = 0; i < lint->stages->len; i++) {
        const LintStage *stage = lint->stages->pdata[i];
        if (stage->from != NULL) {
            check_tag(lint, stage);
            check_platform(lint, stage);
            check_name(lint, stage);
            check_undefined(lint, stage);
        }
        check_user(lint, stage);
        check_health(lint, stage);
        check_twice(lint, stage, "HEALTHCHECK", "DL3012");
        check_twice(lint, stage, "CMD", "DL4003");
        check_twice(lint, stage, "ENTRYPOINT", "DL4004");
    }
}
