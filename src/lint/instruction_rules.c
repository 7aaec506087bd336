/* instruction_rules.c - rules about one instruction, RUN apart. */
#include "dockerfile/expand.h"
#include "lint/lint_private.h"

#include <string.h>

static bool ends_with_any(const char *text, const char *const *ends)
{
    for (; *ends != NULL; ends++)
        if (g_str_has_suffix(text, *ends))
            return true;
    return false;
}

static const char *const archive_ends[] = {".tar", ".Z",   ".bz2", ".gz",   ".lz",  ".lzma",
                                           ".tZ",  ".tb2", ".tbz", ".tbz2", ".tgz", ".tlz",
                                           ".tpz", ".txz", ".xz",  NULL};

static bool is_absolute(const char *path)
{
    return path[0] == '/' || path[0] == '$' || (g_ascii_isalpha(path[0]) && path[1] == ':');
}

static bool is_word(const Instruction *in, const char *keyword)
{
    return g_str_equal(in->keyword, keyword);
}

/* The arguments of COPY and ADD with words in quotes kept together. */
static char **copy_words(const Instruction *in)
{
    if (in->json)
        return g_strdupv(in->args);
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    const char *at = in->rest;
    while (*(at += strspn(at, " \t\r")) != '\0') {
        GString *word = g_string_new(NULL);
        for (char quote = '\0'; *at != '\0' && (quote != '\0' || strchr(" \t\r", *at) == NULL);
             at++) {
            if (quote == '\0' && (*at == '"' || *at == '\''))
                quote = *at;
            else if (*at == quote)
                quote = '\0';
            else
                g_string_append_c(word, *at);
        }
        g_ptr_array_add(words, g_string_free(word, FALSE));
    }
    g_ptr_array_add(words, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

static void check_add(Lint *lint, const LintStage *stage, const Instruction *in)
{
    g_auto(GStrv) words = copy_words(in);
    guint count = g_strv_length(words);
    for (guint i = 0; i + 1 < count; i++) {
        bool url = g_str_has_prefix(words[i], "http://") || g_str_has_prefix(words[i], "https://");
        if (!url && !g_str_has_prefix(words[i], "<<") && !ends_with_any(words[i], archive_ends) &&
            strchr(words[i], '$') == NULL)
            lint_add(lint, "DL3020", stage, in, 0, "use COPY instead of ADD for files and folders");
    }
}

static bool has_workdir(const LintStage *stage, const Instruction *before)
{
    for (; stage != NULL; stage = stage->parent) {
        for (guint i = 0; i < stage->instructions->len; i++) {
            const Instruction *in = stage->instructions->pdata[i];
            if (in == before)
                break;
            if (is_word(in, "WORKDIR"))
                return true;
        }
    }
    return false;
}

static bool is_earlier_stage(const Lint *lint, const LintStage *stage, const char *from)
{
    char *end;
    guint64 number = g_ascii_strtoull(from, &end, 10);
    if (g_ascii_isdigit(*from) && *end == '\0')
        return stage->from != NULL && number < stage->number;
    for (guint i = 0; i < lint->stages->len && lint->stages->pdata[i] != stage; i++) {
        const LintStage *other = lint->stages->pdata[i];
        if (other->name != NULL && g_ascii_strcasecmp(other->name, from) == 0)
            return true;
    }
    return false;
}

static void check_copy_from(Lint *lint, const LintStage *stage, const Instruction *in,
                            const char *from)
{
    if (stage->name != NULL && g_ascii_strcasecmp(stage->name, from) == 0)
        lint_add(lint, "DL3023", stage, in, 0, "COPY --from=%s copies from its own stage", from);
    else if (strchr(from, ':') == NULL && !is_earlier_stage(lint, stage, from))
        lint_add(lint, "DL3022", stage, in, 0, "COPY --from=%s names no earlier stage", from);
}

static void check_copy(Lint *lint, const LintStage *stage, const Instruction *in)
{
    g_auto(GStrv) words = copy_words(in);
    guint count = g_strv_length(words);
    const char *from = instruction_flag(in, "from");
    if (from != NULL)
        check_copy_from(lint, stage, in, from);
    if (count < 2)
        return;
    const char *target = words[count - 1];
    if (count > 2 && !g_str_has_suffix(target, "/") && !g_str_has_suffix(target, "\\") &&
        !g_str_equal(target, ".") && target[0] != '$')
        lint_add(lint, "DL3021", stage, in, 0,
                 "COPY with more than one source needs a destination ending with /");
    if (!is_absolute(target) && !has_workdir(stage, in))
        lint_add(lint, "DL3045", stage, in, 0,
                 "COPY to the relative '%s' without a WORKDIR in the stage", target);
    if (from != NULL && count == 2 && g_str_equal(words[0], "/") && g_str_equal(target, "/"))
        lint_add(lint, "DL3067", stage, in, 0, "COPY --from=%s / / takes the whole file system",
                 from);
}

static const char *base_name(const char *path)
{
    const char *base = path;
    for (const char *c = path; *c != '\0'; c++)
        if (*c == '/' || *c == '\\')
            base = c + 1;
    return base;
}

static bool extracts(const ShellCommand *c)
{
    static const char *const tools[] = {"unzip", "gunzip",     "bunzip2", "unlzma", "unxz",
                                        "zgz",   "uncompress", "zcat",    "gzcat",  NULL};
    const char *name = shell_command_name(c);
    if (g_strv_contains(tools, name))
        return true;
    if (!g_str_equal(name, "tar"))
        return false;
    const char *first = c->words->len > 1 ? ((ShellWord *) c->words->pdata[1])->text : "";
    return shell_command_has_flag(c, "x") || shell_command_has_flag(c, "extract") ||
           shell_command_has_flag(c, "get") ||
           (*first != '-' && strchr(first, 'x') != NULL && strlen(first) <= 6);
}

/* Whether a later RUN of the stage unpacks NAME. */
static bool is_extracted_later(const LintStage *stage, const Instruction *copy, const char *name)
{
    bool later = false;
    for (guint i = 0; i < stage->instructions->len; i++) {
        const Instruction *in = stage->instructions->pdata[i];
        later = later || in == copy;
        if (!later || !is_word(in, "RUN"))
            continue;
        size_t base;
        g_autofree char *text = lint_run_text(in, &base);
        g_autoptr(ShellText) shell = shell_text_parse(text);
        for (guint c = 0; c < shell->commands->len; c++) {
            const ShellCommand *command = shell->commands->pdata[c];
            for (guint w = 1; extracts(command) && w < command->words->len; w++)
                if (g_str_equal(base_name(((ShellWord *) command->words->pdata[w])->text), name))
                    return true;
        }
    }
    return false;
}

static void check_copied_archive(Lint *lint, const LintStage *stage, const Instruction *in)
{
    if (instruction_flag(in, "from") != NULL)
        return;
    g_auto(GStrv) words = copy_words(in);
    guint count = g_strv_length(words);
    for (guint i = 0; i + 1 < count; i++) {
        const char *source = base_name(words[i]), *target = base_name(words[count - 1]);
        if (ends_with_any(source, archive_ends) &&
            (is_extracted_later(stage, in, source) || is_extracted_later(stage, in, target))) {
            lint_add(lint, "DL3010", stage, in, 0, "ADD unpacks %s by itself", source);
            return;
        }
    }
}

static void check_expose(Lint *lint, const LintStage *stage, const Instruction *in)
{
    for (char **word = in->args; *word != NULL; word++) {
        char *end;
        guint64 port = g_ascii_strtoull(*word, &end, 10);
        if (*end == '-')
            port = MAX(port, g_ascii_strtoull(end + 1, &end, 10));
        if (port > 65535)
            lint_add(lint, "DL3011", stage, in, in->rest_offset, "port %s is over 65535", *word);
        const char *protocol = strchr(*word, '/');
        g_autofree char *lower = protocol != NULL ? g_ascii_strdown(protocol, -1) : NULL;
        if (lower != NULL && !g_str_equal(lower, protocol))
            lint_add(lint, "ExposeProtoCasing", stage, in, 0, "protocol '%s' should be lower case",
                     protocol + 1);
        if (strchr(*word, ':') != NULL && strchr(*word, '$') == NULL)
            lint_add(lint, "ExposeInvalidFormat", stage, in, 0, "'%s': EXPOSE knows no host part",
                     *word);
    }
}

typedef struct {
    const Instruction *in;
    guint upto; /* index into ARGS */
    const char *self;
    bool found;
} Reference;

static void note_reference(const char *name, void *data)
{
    Reference *reference = data;
    for (guint i = 0; reference->in->args[i] != NULL; i += 2)
        if (g_str_equal(reference->in->args[i], name) && !g_str_equal(name, reference->self))
            reference->found = true;
}

static bool defined_before(const LintStage *stage, const Instruction *in, const char *name)
{
    for (; stage != NULL; stage = stage->parent) {
        for (guint i = 0; i < stage->instructions->len; i++) {
            const Instruction *other = stage->instructions->pdata[i];
            bool env = is_word(other, "ENV"), arg = is_word(other, "ARG");
            if (other == in)
                break;
            for (guint k = 0; (env || arg) && other->args[k] != NULL; k += env ? 2 : 1) {
                size_t length = strcspn(other->args[k], "=");
                if (strlen(name) == length && strncmp(other->args[k], name, length) == 0)
                    return true;
            }
        }
    }
    return false;
}

static void check_env_references(Lint *lint, const LintStage *stage, const Instruction *in)
{
    if (in->legacy)
        return;
    for (guint i = 0; in->args[i] != NULL; i += 2) {
        Reference reference = {.in = in, .self = in->args[i]};
        expand_each_name(in->args[i + 1], lint->file->escape, note_reference, &reference);
        bool before = true;
        for (guint k = 0; reference.found && in->args[k] != NULL; k += 2)
            before = before && (g_str_equal(in->args[k], reference.self) ||
                                strstr(in->args[i + 1], in->args[k]) == NULL ||
                                defined_before(stage, in, in->args[k]));
        if (reference.found && !before)
            lint_add(lint, "DL3044", stage, in, 0,
                     "%s refers to a variable that the same ENV sets; it is not set yet",
                     in->args[i]);
    }
}

static bool is_secret_name(const char *name)
{
    static const char *const parts[] = {"api_key", "client_key", "password", "private",
                                        "secret",  "token",      "username"};
    static const char *const known[] = {"aws_access_key_id",
                                        "aws_access_key",
                                        "aws_account_id",
                                        "azure_client_id",
                                        "azure_tenant_id",
                                        "azure_subscription_id",
                                        "arm_client_id",
                                        "arm_tenant_id",
                                        "arm_access_key",
                                        "google_api_key",
                                        "google_credentials",
                                        "google_application_credentials",
                                        "gcp_credentials",
                                        "gh_pat",
                                        "github_pat",
                                        "gitlab_pat",
                                        "heroku_key",
                                        "openai_key",
                                        "anthropic_key",
                                        "stripe_key",
                                        "sendgrid_key",
                                        "mailgun_key",
                                        "twilio_account_sid",
                                        "twilio_sid",
                                        "slack_webhook",
                                        "slack_webhook_url",
                                        "datadog_key",
                                        "dd_app_key",
                                        "newrelic_key",
                                        "new_relic_license_key",
                                        "database_url",
                                        "db_pass",
                                        "db_passwd",
                                        "mysql_pwd",
                                        "pgpassword",
                                        "pgpass",
                                        "redis_url",
                                        "mongodb_uri",
                                        "ssh_key",
                                        "signing_key",
                                        "encryption_key",
                                        "access_key",
                                        "secret_key",
                                        "docker_auth_config",
                                        "npm_auth",
                                        "netlify_auth",
                                        "vault_addr",
                                        "passwd",
                                        NULL};
    g_autofree char *lower = g_ascii_strdown(name, -1);
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        if (strstr(lower, parts[i]) != NULL)
            return true;
    return g_strv_contains(known, lower);
}

static void check_secret_names(Lint *lint, const LintStage *stage, const Instruction *in)
{
    bool env = is_word(in, "ENV");
    for (guint i = 0; in->args[i] != NULL; i += env ? 2 : 1) {
        g_autofree char *name = g_strndup(in->args[i], strcspn(in->args[i], "="));
        if (is_secret_name(name))
            lint_add(lint, "DL3064", stage, in, in->rest_offset,
                     "do not keep secrets in %s: %s; RUN --mount=type=secret leaves no trace",
                     in->keyword, name);
    }
}

static bool is_label_key(const char *key)
{
    size_t length = strlen(key);
    if (length == 0 || !g_ascii_islower(key[0]) ||
        !(g_ascii_islower(key[length - 1]) || g_ascii_isdigit(key[length - 1])))
        return false;
    if (key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789.-_/")] != '\0')
        return false;
    return strstr(key, "..") == NULL && strstr(key, "--") == NULL &&
           !g_str_has_prefix(key, "com.docker.") && !g_str_has_prefix(key, "io.docker.") &&
           !g_str_has_prefix(key, "org.dockerproject.");
}

static void check_labels(Lint *lint, const LintStage *stage, const Instruction *in)
{
    for (guint i = 0; in->args[i] != NULL; i += 2) {
        g_autofree char *key = lint_unquote(in->args[i]);
        if (!is_label_key(key))
            lint_add(lint, "DL3048", stage, in, in->rest_offset, "label key '%s' is not valid",
                     key);
    }
}

static void check_user(Lint *lint, const LintStage *stage, const Instruction *in)
{
    g_autofree char *user = lint_unquote(in->args[0] != NULL ? in->args[0] : "");
    size_t length = strcspn(user, ":");
    bool numeric = length > 0 && strspn(user, "0123456789") >= length;
    const char *name = user[0] == '$' ? user + 1 + (user[1] == '{') : NULL;
    g_autofree char *variable =
        name != NULL ? g_strndup(name, strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                                                    "uvwxyz0123456789_"))
                     : NULL;
    if (!numeric && (variable == NULL || !g_hash_table_contains(lint->arguments, variable)))
        lint_add(lint, "DL3066", stage, in, 0,
                 "a numeric USER can be checked by orchestrators; '%s' cannot", user);
}

static void check_shell_form(Lint *lint, const LintStage *stage, const Instruction *in)
{
    bool health = is_word(in, "HEALTHCHECK");
    if (health && (in->args[0] == NULL || !g_str_equal(in->args[0], "CMD")))
        return;
    if (!in->json && in->args[0] != NULL && (!health || in->args[1] != NULL))
        lint_add(lint, "DL3025", stage, in, 0,
                 "use the JSON form for %s, so that the program gets signals itself", in->keyword);
}

static void check_workdir(Lint *lint, const LintStage *stage, const Instruction *in)
{
    g_autofree char *path = lint_unquote(in->args[0] != NULL ? in->args[0] : "");
    if (!is_absolute(path))
        lint_add(lint, "DL3000", stage, in, in->rest_offset, "use an absolute WORKDIR, not '%s'",
                 path);
}

static void check_onbuild(Lint *lint, const LintStage *stage, const Instruction *in)
{
    static const char *const refused[] = {"ONBUILD", "FROM", "MAINTAINER", NULL};
    if (g_strv_contains(refused, in->onbuild->keyword))
        lint_add(lint, "DL3043", stage, in, 0, "ONBUILD of %s is not allowed",
                 in->onbuild->keyword);
    if (is_word(in->onbuild, "ARG") || is_word(in->onbuild, "ENV"))
        check_secret_names(lint, stage, in->onbuild);
}

void lint_instruction_rules(Lint *lint, const LintStage *stage, const Instruction *in)
{
    if (is_word(in, "WORKDIR"))
        check_workdir(lint, stage, in);
    else if (is_word(in, "ADD"))
        check_add(lint, stage, in);
    else if (is_word(in, "EXPOSE"))
        check_expose(lint, stage, in);
    else if (is_word(in, "LABEL"))
        check_labels(lint, stage, in);
    else if (is_word(in, "USER"))
        check_user(lint, stage, in);
    else if (is_word(in, "MAINTAINER"))
        lint_add(lint, "DL4000", stage, in, 0,
                 "MAINTAINER is deprecated; use LABEL org.opencontainers.image.authors");
    if (is_word(in, "COPY")) {
        check_copy(lint, stage, in);
        check_copied_archive(lint, stage, in);
    }
    if (is_word(in, "CMD") || is_word(in, "ENTRYPOINT") || is_word(in, "HEALTHCHECK"))
        check_shell_form(lint, stage, in);
    if (is_word(in, "ARG") || is_word(in, "ENV"))
        check_secret_names(lint, stage, in);
    if (is_word(in, "ENV"))
        check_env_references(lint, stage, in);
    if ((is_word(in, "ENV") || is_word(in, "LABEL")) && in->legacy)
        lint_add(lint, "LegacyKeyValueFormat", stage, in, 0, "write %s name=value", in->keyword);
    if (in->onbuild != NULL)
        check_onbuild(lint, stage, in);
}
