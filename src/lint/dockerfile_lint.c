/* dockerfile_lint.c - stages, pragmas, the table of rules, and the walk over instructions. */
#include "lint/dockerfile_lint.h"
#include "lint/lint_private.h"

#include "base/error.h"

#include <string.h>

typedef struct {
    const char *id;
    Severity severity;
    bool off; /* reported only when asked for */
    const char *alias;
} Rule;

static const Rule rules[] = {
    {"DL1000", SEVERITY_ERROR, false, NULL},
    {"DL1001", SEVERITY_INFO, true, NULL},
    {"DL3000", SEVERITY_ERROR, false, "WorkdirRelativePath"},
    {"DL3001", SEVERITY_INFO, false, NULL},
    {"DL3002", SEVERITY_WARNING, false, "DS-0002"},
    {"DL3003", SEVERITY_WARNING, false, "DS-0013"},
    {"DL3004", SEVERITY_ERROR, false, "DS-0010"},
    {"DL3006", SEVERITY_WARNING, false, NULL},
    {"DL3007", SEVERITY_WARNING, false, "DS-0001"},
    {"DL3008", SEVERITY_WARNING, false, NULL},
    {"DL3009", SEVERITY_INFO, false, NULL},
    {"DL3010", SEVERITY_INFO, false, NULL},
    {"DL3011", SEVERITY_ERROR, false, "DS-0008"},
    {"DL3012", SEVERITY_ERROR, false, "MultipleInstructionsDisallowed"},
    {"DL3013", SEVERITY_WARNING, false, NULL},
    {"DL3014", SEVERITY_WARNING, false, "DS-0021"},
    {"DL3015", SEVERITY_INFO, false, "DS-0029"},
    {"DL3016", SEVERITY_WARNING, false, NULL},
    {"DL3018", SEVERITY_WARNING, false, NULL},
    {"DL3019", SEVERITY_INFO, false, "DS-0025"},
    {"DL3020", SEVERITY_ERROR, false, "DS-0005"},
    {"DL3021", SEVERITY_ERROR, false, "DS-0011"},
    {"DL3022", SEVERITY_WARNING, false, NULL},
    {"DL3023", SEVERITY_ERROR, false, "DS-0006"},
    {"DL3024", SEVERITY_ERROR, false, "DuplicateStageName"},
    {"DL3025", SEVERITY_WARNING, false, "JSONArgsRecommended"},
    {"DL3027", SEVERITY_WARNING, false, NULL},
    {"DL3028", SEVERITY_WARNING, false, NULL},
    {"DL3029", SEVERITY_WARNING, false, "FromPlatformFlagConstDisallowed"},
    {"DL3030", SEVERITY_WARNING, false, NULL},
    {"DL3032", SEVERITY_WARNING, false, "DS-0015"},
    {"DL3033", SEVERITY_WARNING, false, NULL},
    {"DL3034", SEVERITY_WARNING, false, NULL},
    {"DL3035", SEVERITY_WARNING, false, NULL},
    {"DL3036", SEVERITY_WARNING, false, "DS-0020"},
    {"DL3037", SEVERITY_WARNING, false, NULL},
    {"DL3038", SEVERITY_WARNING, false, NULL},
    {"DL3040", SEVERITY_WARNING, false, "DS-0019"},
    {"DL3041", SEVERITY_WARNING, false, NULL},
    {"DL3042", SEVERITY_WARNING, false, NULL},
    {"DL3043", SEVERITY_ERROR, false, NULL},
    {"DL3044", SEVERITY_ERROR, false, NULL},
    {"DL3045", SEVERITY_WARNING, false, NULL},
    {"DL3046", SEVERITY_WARNING, false, NULL},
    {"DL3047", SEVERITY_INFO, false, NULL},
    {"DL3048", SEVERITY_STYLE, false, NULL},
    {"DL3057", SEVERITY_INFO, true, "DS-0026"},
    {"DL3059", SEVERITY_INFO, false, NULL},
    {"DL3060", SEVERITY_INFO, false, NULL},
    {"DL3061", SEVERITY_ERROR, false, NULL},
    {"DL3062", SEVERITY_WARNING, false, NULL},
    {"DL3063", SEVERITY_WARNING, false, "ReservedStageName"},
    {"DL3064", SEVERITY_WARNING, false, "SecretsUsedInArgOrEnv"},
    {"DL3065", SEVERITY_WARNING, false, "RedundantTargetPlatform"},
    {"DL3066", SEVERITY_INFO, false, NULL},
    {"DL3067", SEVERITY_WARNING, false, NULL},
    {"DL4000", SEVERITY_ERROR, false, "MaintainerDeprecated"},
    {"DL4001", SEVERITY_WARNING, false, "DS-0014"},
    {"DL4003", SEVERITY_WARNING, false, "MultipleInstructionsDisallowed"},
    {"DL4004", SEVERITY_ERROR, false, "MultipleInstructionsDisallowed"},
    {"DL4005", SEVERITY_WARNING, false, NULL},
    {"DL4006", SEVERITY_WARNING, false, NULL},
    {"StageNameCasing", SEVERITY_WARNING, false, NULL},
    {"FromAsCasing", SEVERITY_WARNING, false, NULL},
    {"NoEmptyContinuation", SEVERITY_WARNING, false, NULL},
    {"ConsistentInstructionCasing", SEVERITY_WARNING, false, NULL},
    {"UndefinedArgInFrom", SEVERITY_WARNING, false, NULL},
    {"LegacyKeyValueFormat", SEVERITY_WARNING, false, NULL},
    {"ExposeProtoCasing", SEVERITY_WARNING, false, NULL},
    {"ExposeInvalidFormat", SEVERITY_WARNING, false, NULL},
};

static const Rule *find_rule(const char *id)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
        if (g_ascii_strcasecmp(rules[i].id, id) == 0)
            return &rules[i];
    return NULL;
}

bool dockerfile_lint_knows(const char *rule)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
        if (g_ascii_strcasecmp(rules[i].id, rule) == 0 ||
            (rules[i].alias != NULL && g_ascii_strcasecmp(rules[i].alias, rule) == 0))
            return true;
    return false;
}

static bool is_wanted(const Lint *lint, const Rule *rule)
{
    const char *const *wanted = lint->options->rules;
    if (wanted == NULL || *wanted == NULL)
        return !rule->off;
    for (; *wanted != NULL; wanted++)
        if (g_ascii_strcasecmp(*wanted, rule->id) == 0 ||
            (rule->alias != NULL && g_ascii_strcasecmp(*wanted, rule->alias) == 0))
            return true;
    return false;
}

/* Whether RULE stands in the ignore list of pragma TEXT ("hadolint [SCOPE] ignore=A,B # why"). One
 * bad id voids the whole list. */
static bool pragma_names(const char *text, const char *scope, const char *rule)
{
    g_autofree char *pattern = g_strconcat("hadolint ", scope, "ignore=", NULL);
    g_autofree char *clean = g_strstrip(g_strdup(text));
    if (!g_str_has_prefix(clean, pattern))
        return false;
    g_autofree char *list = g_strdup(clean + strlen(pattern));
    list[strcspn(list, "#")] = '\0';
    g_auto(GStrv) ids = g_strsplit(list, ",", -1);
    bool found = false;
    for (char **id = ids; *id != NULL; id++) {
        g_strstrip(*id);
        if ((*id)[strspn(*id, "DLSC0123456789")] != '\0')
            return false;
        found = found || g_str_equal(*id, rule);
    }
    return found;
}

static bool is_ignored(const Lint *lint, const char *rule, const LintStage *stage,
                       const Instruction *in)
{
    for (guint i = 0; i < lint->file->comments->len; i++) {
        const DockerfileComment *c = &g_array_index(lint->file->comments, DockerfileComment, i);
        if (pragma_names(c->text, "global ", rule))
            return true;
        if (in != NULL && c->line == in->line - 1 && pragma_names(c->text, "", rule))
            return true;
        if (stage != NULL && stage->from != NULL && c->line == stage->from->line - 1 &&
            pragma_names(c->text, "stage ", rule))
            return true;
    }
    return false;
}

void lint_add(Lint *lint, const char *id, const LintStage *stage, const Instruction *in,
              size_t offset, const char *format, ...)
{
    const Rule *rule = find_rule(id);
    if (!is_wanted(lint, rule) || is_ignored(lint, id, stage, in))
        return;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    int line = 1, column = 1;
    if (in != NULL)
        instruction_locate(in, offset, &line, &column);
    Finding *finding = finding_new(rule->id, rule->severity, lint->path, line, column, message);
    if (rule->alias != NULL) {
        finding->aliases = g_new0(char *, 2);
        finding->aliases[0] = g_strdup(rule->alias);
    }
    if (in != NULL)
        finding->end_line = line;
    g_ptr_array_add(lint->findings, finding);
}

char *lint_unquote(const char *text)
{
    size_t length = strlen(text);
    if (length >= 2 && (text[0] == '"' || text[0] == '\'') && text[length - 1] == text[0])
        return g_strndup(text + 1, length - 2);
    return g_strdup(text);
}

const char *lint_image(const LintStage *stage)
{
    return stage->from != NULL && stage->from->args[0] != NULL ? stage->from->args[0] : "";
}

static void stage_free(LintStage *stage)
{
    g_free(stage->name);
    g_ptr_array_unref(stage->instructions);
    g_free(stage);
}

static LintStage *open_stage(Lint *lint, const Instruction *from)
{
    LintStage *stage = g_new0(LintStage, 1);
    stage->from = from;
    stage->instructions = g_ptr_array_new();
    bool named = from != NULL && from->args[0] != NULL && from->args[1] != NULL;
    stage->name = named ? g_strdup(from->args[2]) : NULL;
    for (guint i = 0; from != NULL && from->args[0] != NULL && i < lint->stages->len; i++) {
        LintStage *other = lint->stages->pdata[i];
        stage->number += other->from != NULL;
        if (other->name != NULL && g_ascii_strcasecmp(other->name, from->args[0]) == 0) {
            stage->parent = other;
            other->is_base = true;
        }
    }
    g_ptr_array_add(lint->stages, stage);
    return stage;
}

static void note_names(Lint *lint, const Instruction *in)
{
    bool arg = g_str_equal(in->keyword, "ARG"), env = g_str_equal(in->keyword, "ENV");
    for (guint i = 0; (arg || env) && in->args[i] != NULL; i += env ? 2 : 1) {
        char *name = g_strndup(in->args[i], strcspn(in->args[i], "="));
        if (arg)
            g_hash_table_add(lint->arguments, g_strdup(name));
        g_hash_table_add(lint->variables, name);
    }
}

static void find_stages(Lint *lint)
{
    LintStage *stage = NULL;
    for (guint i = 0; i < lint->file->instructions->len; i++) {
        const Instruction *in = lint->file->instructions->pdata[i];
        if (g_str_equal(in->keyword, "FROM"))
            stage = open_stage(lint, in);
        else if (stage == NULL)
            stage = open_stage(lint, NULL);
        if (in != stage->from)
            g_ptr_array_add(stage->instructions, (gpointer) in);
        note_names(lint, in);
    }
    if (stage != NULL)
        stage->is_last = true;
}

static void inspect(Lint *lint)
{
    find_stages(lint);
    lint_stage_rules(lint);
    for (guint s = 0; s < lint->stages->len; s++) {
        const LintStage *stage = lint->stages->pdata[s];
        for (guint i = 0; i < stage->instructions->len; i++) {
            const Instruction *in = stage->instructions->pdata[i];
            lint_instruction_rules(lint, stage, in);
            bool onbuild = in->onbuild != NULL;
            const Instruction *inner = onbuild ? in->onbuild : in;
            if (g_str_equal(inner->keyword, "RUN"))
                lint_run_rules(lint, stage, inner, onbuild);
        }
    }
    for (guint i = 0; i < lint->file->comments->len; i++) {
        const DockerfileComment *c = &g_array_index(lint->file->comments, DockerfileComment, i);
        if (strstr(c->text, "hadolint") != NULL && strstr(c->text, "ignore=") != NULL &&
            is_wanted(lint, find_rule("DL1001")))
            g_ptr_array_add(lint->findings,
                            finding_new("DL1001", SEVERITY_INFO, lint->path, c->line, 1,
                                        "an ignore pragma: accept findings in .slipwayignore, with "
                                        "a reason and a day"));
    }
}

/* "PATH:LINE:COLUMN: text" becomes a finding. */
static void add_syntax_error(Lint *lint, const char *message)
{
    int line = 1, column = 1;
    size_t length = strlen(lint->path);
    const char *text = message;
    if (g_str_has_prefix(message, lint->path) && message[length] == ':') {
        char *end;
        line = (int) strtol(message + length + 1, &end, 10);
        column = *end == ':' ? (int) strtol(end + 1, &end, 10) : 1;
        text = *end == ':' ? end + 2 : message;
    }
    if (is_wanted(lint, find_rule("DL1000")))
        g_ptr_array_add(lint->findings,
                        finding_new("DL1000", SEVERITY_ERROR, lint->path, line, column, text));
}

void dockerfile_lint(const char *path, const char *text, size_t length,
                     const DockerfileLintOptions *options, GPtrArray *findings)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Dockerfile) file = dockerfile_parse(path, text, length, &error);
    static const DockerfileLintOptions defaults;
    Lint lint = {.file = file,
                 .path = path,
                 .options = options != NULL ? options : &defaults,
                 .findings = findings};
    if (file == NULL) {
        add_syntax_error(&lint, error->message);
        return;
    }
    g_autoptr(GPtrArray) stages = g_ptr_array_new_with_free_func((GDestroyNotify) stage_free);
    g_autoptr(GHashTable) variables = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) arguments = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    lint.stages = stages;
    lint.variables = variables;
    lint.arguments = arguments;
    inspect(&lint);
}
