/* run_rules.c - rules about the commands of RUN. */
#include "lint/lint_private.h"

#include <string.h>

typedef struct {
    Lint *lint;
    const LintStage *stage;
    const Instruction *in;
    bool onbuild;
    const ShellText *shell;
    size_t base; /* of the shell text in the instruction's */
} Run;

typedef const char *const Words[8];

#define WORD(command, i) (((ShellWord *) (command)->words->pdata[i])->text)

static void add(const Run *run, const char *rule, const ShellCommand *command, const char *message,
                const char *detail)
{
    size_t offset = command != NULL && command->words->len > 0
                        ? ((ShellWord *) command->words->pdata[0])->offset
                        : 0;
    lint_add(run->lint, rule, run->stage, run->in, run->base + offset, "%s%s%s", message,
             detail != NULL ? ": " : "", detail != NULL ? detail : "");
}

static bool is_one_of(const char *text, const char *const *words)
{
    return g_strv_contains(words, text);
}

static bool has_any(const ShellCommand *c, const char *const *words)
{
    for (; *words != NULL; words++)
        if (shell_command_has(c, *words))
            return true;
    return false;
}

static bool has_any_flag(const ShellCommand *c, const char *const *flags)
{
    for (; *flags != NULL; flags++)
        if (shell_command_has_flag(c, *flags))
            return true;
    return false;
}

/* Arguments that are no flags, without the values of VALUE_FLAGS and the first of VERBS. */
static GPtrArray *packages(const ShellCommand *c, const char *const *verbs,
                           const char *const *value_flags)
{
    GPtrArray *found = g_ptr_array_new();
    bool verb = false;
    for (guint i = 1; i < c->words->len; i++) {
        const char *text = WORD(c, i);
        if (text[0] == '-' && text[1] != '\0') {
            const char *flag = text + 1 + (text[1] == '-');
            if (strchr(text, '=') == NULL && is_one_of(flag, value_flags))
                i++;
        } else if (!verb && is_one_of(text, verbs)) {
            verb = true;
        } else if (*text != '\0') {
            g_ptr_array_add(found, (char *) text);
        }
    }
    return found;
}

/* Whether a cache or tmpfs mount of the RUN covers PATH or is below one that is. */
static bool has_mount_on(const Instruction *in, const char *path)
{
    for (char **flag = in->flags; *flag != NULL; flag++) {
        if (!g_str_has_prefix(*flag, "--mount=") ||
            (strstr(*flag, "type=cache") == NULL && strstr(*flag, "type=tmpfs") == NULL))
            continue;
        g_auto(GStrv) fields = g_strsplit(*flag + strlen("--mount="), ",", -1);
        for (char **field = fields; *field != NULL; field++) {
            const char *value = strchr(*field, '=');
            bool target = g_str_has_prefix(*field, "target=") || g_str_has_prefix(*field, "dst=") ||
                          g_str_has_prefix(*field, "destination=");
            g_autofree char *clean = target ? g_strdup(value + 1) : NULL;
            if (clean != NULL && g_str_has_suffix(clean, "/"))
                clean[strlen(clean) - 1] = '\0';
            if (clean != NULL && g_str_has_suffix(clean, path))
                return true;
        }
    }
    return false;
}

/* Files and addresses that are their own version. */
static bool has_suffix_of(const char *text, const char *const *ends)
{
    for (; *ends != NULL; ends++)
        if (g_str_has_suffix(text, *ends))
            return true;
    return false;
}

static bool is_version_variable(const Run *run, const char *package)
{
    const char *dollar = strstr(package, "-$");
    if (dollar == NULL)
        return false;
    const char *name = dollar + 2 + (dollar[2] == '{');
    size_t length = 0;
    while (g_ascii_isalnum(name[length]) || name[length] == '_')
        length++;
    g_autofree char *copy = g_strndup(name, length);
    return g_hash_table_contains(run->lint->variables, copy);
}

/* NAME-VERSION, as rpm tools take it. */
static bool has_rpm_version(const Run *run, const char *package)
{
    if (g_str_has_suffix(package, ".rpm") || is_version_variable(run, package))
        return true;
    for (const char *dash = strchr(package, '-'); dash != NULL; dash = strchr(dash + 1, '-'))
        if (g_ascii_isdigit(dash[1]))
            return true;
    return false;
}

/* apt, apt-get, aptitude ------------------------------------------------------------------- */

static bool removes(const ShellCommand *c, const char *path)
{
    if (!g_str_equal(shell_command_name(c), "rm"))
        return false;
    for (guint i = 1; i < c->words->len; i++)
        if (g_str_has_prefix(WORD(c, i), path))
            return true;
    return false;
}

static bool cleaned_anywhere(const Run *run, const char *path)
{
    for (guint i = 0; i < run->shell->commands->len; i++)
        if (removes(run->shell->commands->pdata[i], path))
            return true;
    return false;
}

/* Only what ends in the image counts: the last stage and those that others build on. */
static bool leaves_traces(const Run *run)
{
    return run->onbuild || run->stage->is_last || run->stage->is_base;
}

static void check_apt_lists(const Run *run, const ShellCommand *c)
{
    bool mounted =
        has_mount_on(run->in, "/var/lib/apt/lists") ||
        (has_mount_on(run->in, "/var/lib/apt") && has_mount_on(run->in, "/var/cache/apt"));
    if (shell_command_has(c, "update") && !mounted && leaves_traces(run) &&
        !cleaned_anywhere(run, "/var/lib/apt/lists"))
        add(run, "DL3009", c, "delete the lists after installing: rm -rf /var/lib/apt/lists/*",
            NULL);
}

static void check_apt_get(const Run *run, const ShellCommand *c)
{
    static Words verbs = {"install", NULL}, value_flags = {"t", "target-release", "o", "c", NULL};
    static Words yes = {"y", "yes", "assume-yes", "qq", "q=2", NULL};
    if (!shell_command_has(c, "install"))
        return;
    g_autoptr(GPtrArray) names = packages(c, verbs, value_flags);
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        if (strpbrk(name, "=/") == NULL && !g_str_has_suffix(name, ".deb"))
            add(run, "DL3008", c, "pin versions: apt-get install NAME=VERSION", name);
    }
    guint quiet = shell_command_count_flag(c, 'q');
    for (guint i = 1; i < c->words->len; i++)
        quiet += g_str_equal(WORD(c, i), "--quiet");
    if (!has_any_flag(c, yes) && quiet < 2 && !shell_command_has(c, "-q=2"))
        add(run, "DL3014", c, "apt-get install waits for an answer without -y", NULL);
    bool lean = shell_command_has_flag(c, "no-install-recommends");
    for (guint i = 1; i < c->words->len; i++)
        lean = lean || strstr(WORD(c, i), "APT::Install-Recommends=false") != NULL ||
               strstr(WORD(c, i), "APT::Install-Recommends=0") != NULL;
    if (!lean)
        add(run, "DL3015", c, "install no more than asked for: --no-install-recommends", NULL);
}

/* apk ---------------------------------------------------------------------------------------- */

static void check_apk(const Run *run, const ShellCommand *c)
{
    static Words verbs = {"add", NULL}, value_flags = {"t", "virtual", "repository", "X", NULL};
    if (!shell_command_has(c, "add"))
        return;
    g_autoptr(GPtrArray) names = packages(c, verbs, value_flags);
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        if (strpbrk(name, "=~<>") == NULL && !g_str_has_suffix(name, ".apk"))
            add(run, "DL3018", c, "pin versions: apk add NAME=VERSION", name);
    }
    if (!shell_command_has_flag(c, "no-cache") && !has_mount_on(run->in, "/var/cache/apk") &&
        !has_mount_on(run->in, "/etc/apk/cache"))
        add(run, "DL3019", c, "apk add --no-cache leaves no index behind", NULL);
}

/* pip ---------------------------------------------------------------------------------------- */

static bool is_pip_install(const ShellCommand *c)
{
    const char *name = shell_command_name(c);
    bool pip = g_str_has_prefix(name, "pip") && (name[3] == '\0' || g_ascii_isdigit(name[3]));
    bool python = g_str_has_prefix(name, "python") && shell_command_has(c, "-m") &&
                  shell_command_has(c, "pip");
    return (pip || python) && shell_command_has(c, "install");
}

static bool is_pip_pinned(const char *package)
{
    static const char *const operators[] = {"==", ">=", "<=", ">", "<", "!=", "~=", "==="};
    static const char *const files[] = {".whl", ".tar.gz", NULL};
    for (size_t i = 0; i < G_N_ELEMENTS(operators); i++)
        if (strstr(package, operators[i]) != NULL)
            return true;
    static const char *const systems[] = {"git+", "hg+", "svn+", "bzr+"};
    for (size_t i = 0; i < G_N_ELEMENTS(systems); i++) {
        const char *at = g_strrstr(package, "@");
        const char *path = strstr(package, "://");
        if (g_str_has_prefix(package, systems[i]))
            return at != NULL && path != NULL && strchr(path + 3, '/') != NULL &&
                   at > strchr(path + 3, '/');
    }
    return has_suffix_of(package, files) || strchr(package, '/') != NULL ||
           g_str_equal(package, ".");
}

static bool is_true(const char *value)
{
    static const char *const yes[] = {"1", "true", "on", "yes", NULL};
    g_autofree char *plain = lint_unquote(value);
    g_autofree char *lower = g_ascii_strdown(plain, -1);
    return g_strv_contains(yes, lower);
}

/* PIP_NO_CACHE_DIR in ENV of the stage or those below it. */
static bool environment_stops_cache(const LintStage *stage)
{
    for (; stage != NULL; stage = stage->parent)
        for (guint i = 0; i < stage->instructions->len; i++) {
            const Instruction *in = stage->instructions->pdata[i];
            for (guint k = 0; g_str_equal(in->keyword, "ENV") && in->args[k] != NULL; k += 2)
                if (g_str_equal(in->args[k], "PIP_NO_CACHE_DIR") && is_true(in->args[k + 1]))
                    return true;
        }
    return false;
}

static bool assigns_no_cache(const Run *run, const ShellCommand *c)
{
    static const char prefix[] = "PIP_NO_CACHE_DIR=";
    for (guint i = 0; i < c->assignments->len; i++)
        if (g_str_has_prefix(c->assignments->pdata[i], prefix) &&
            is_true((char *) c->assignments->pdata[i] + strlen(prefix)))
            return true;
    for (guint i = 0; i < run->shell->commands->len; i++) {
        const ShellCommand *other = run->shell->commands->pdata[i];
        for (guint w = 1; g_str_equal(shell_command_name(other), "export") && w < other->words->len;
             w++)
            if (g_str_has_prefix(WORD(other, w), prefix) &&
                is_true(WORD(other, w) + strlen(prefix)))
                return true;
    }
    return false;
}

static void check_pip(const Run *run, const ShellCommand *c)
{
    static Words verbs = {"install", NULL};
    static const char *const value_flags[] = {"abi",
                                              "b",
                                              "build",
                                              "e",
                                              "editable",
                                              "extra-index-url",
                                              "f",
                                              "find-links",
                                              "i",
                                              "index-url",
                                              "implementation",
                                              "no-binary",
                                              "only-binary",
                                              "platform",
                                              "prefix",
                                              "progress-bar",
                                              "proxy",
                                              "python-version",
                                              "root",
                                              "src",
                                              "t",
                                              "target",
                                              "trusted-host",
                                              "upgrade-strategy",
                                              "cache-dir",
                                              "timeout",
                                              "retries",
                                              "m",
                                              NULL};
    static Words listed = {"r", "requirement", "c", "constraint", "requirements", NULL};
    if (!is_pip_install(c))
        return;
    if (!has_any_flag(c, listed)) {
        g_autoptr(GPtrArray) names = packages(c, verbs, value_flags);
        for (guint i = 0; i < names->len; i++)
            if (!is_pip_pinned(names->pdata[i]) && !g_str_equal(names->pdata[i], "pip"))
                add(run, "DL3013", c, "pin versions: pip install NAME==VERSION", names->pdata[i]);
    }
    if (!shell_command_has_flag(c, "no-cache-dir") && !environment_stops_cache(run->stage) &&
        !assigns_no_cache(run, c) && !has_mount_on(run->in, "/.cache/pip"))
        add(run, "DL3042", c, "pip install --no-cache-dir leaves no cache behind", NULL);
}

/* npm, yarn, gem, go -------------------------------------------------------------------------- */

static bool is_npm_pinned(const char *name)
{
    static const char *const files[] = {".tar", ".tar.gz", ".tgz", NULL};
    bool remote = g_str_has_prefix(name, "git") &&
                  (strstr(name, "://") != NULL || g_str_has_prefix(name, "git@"));
    if (remote)
        return strchr(name, '#') != NULL;
    if (has_suffix_of(name, files) || strchr("./~", name[0]) != NULL)
        return true;
    return strchr(name + 1, '@') != NULL;
}

static void check_npm(const Run *run, const ShellCommand *c)
{
    static Words verbs = {"install", "i", "add", NULL};
    static Words value_flags = {"registry", "prefix", "loglevel", "cache", "tag", "omit", NULL};
    if (!has_any(c, verbs))
        return;
    g_autoptr(GPtrArray) names = packages(c, verbs, value_flags);
    for (guint i = 0; i < names->len; i++)
        if (!is_npm_pinned(names->pdata[i]))
            add(run, "DL3016", c, "pin versions: npm install NAME@VERSION", names->pdata[i]);
}

static bool followed_by_clean_cache(const Run *run, guint from)
{
    for (guint i = from + 1; i < run->shell->commands->len; i++) {
        const ShellCommand *c = run->shell->commands->pdata[i];
        if (g_str_equal(shell_command_name(c), "yarn") && shell_command_has(c, "cache") &&
            shell_command_has(c, "clean"))
            return true;
    }
    return false;
}

static void check_yarn(const Run *run, const ShellCommand *c, guint index)
{
    if (shell_command_has(c, "install") && leaves_traces(run) &&
        !followed_by_clean_cache(run, index) && !has_mount_on(run->in, "/.cache/yarn"))
        add(run, "DL3060", c, "yarn cache clean is missing after yarn install", NULL);
}

static void check_gem(const Run *run, const ShellCommand *c)
{
    static Words verbs = {"install", "i", NULL}, version = {"v", "version", NULL};
    static Words value_flags = {"use-system-libraries", "i", "n", "install-dir", "source", NULL};
    if (!has_any(c, verbs) || has_any_flag(c, version))
        return;
    ShellCommand head = *c;
    head.words = g_ptr_array_new();
    for (guint i = 0; i < c->words->len && !g_str_equal(WORD(c, i), "--"); i++)
        g_ptr_array_add(head.words, c->words->pdata[i]);
    g_autoptr(GPtrArray) names = packages(&head, verbs, value_flags);
    for (guint i = 0; i < names->len; i++)
        if (strchr(names->pdata[i], ':') == NULL)
            add(run, "DL3028", c, "pin versions: gem install NAME:VERSION", names->pdata[i]);
    g_ptr_array_unref(head.words);
}

static void check_go(const Run *run, const ShellCommand *c)
{
    static Words verbs = {"install", "get", "run", NULL}, no_flags = {NULL};
    if (c->words->len < 2 || !is_one_of(WORD(c, 1), verbs))
        return;
    g_autoptr(GPtrArray) names = packages(c, verbs, no_flags);
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i], *at = strrchr(name, '@');
        bool local = name[0] == '.' || name[0] == '/' || g_str_has_suffix(name, ".go");
        bool loose = at == NULL || g_str_equal(at, "@latest") || g_str_equal(at, "@none");
        if (!local && loose)
            add(run, "DL3062", c, "pin versions: go install PACKAGE@VERSION", name);
        if (shell_command_has(c, "run"))
            break;
    }
}

/* yum, dnf, zypper ----------------------------------------------------------------------------- */

/* Whether NAME cleans up after command FROM, by verbs or by removing CACHE. */
static bool cleaned_after(const Run *run, guint from, const char *name, const char *const *verbs,
                          const char *cache)
{
    for (guint i = from + 1; i < run->shell->commands->len; i++) {
        const ShellCommand *c = run->shell->commands->pdata[i];
        if (g_str_equal(shell_command_name(c), name) && has_any(c, verbs))
            return true;
        if (removes(c, cache))
            return true;
    }
    return false;
}

static void check_rpm_versions(const Run *run, const ShellCommand *c, const char *rule,
                               const char *const *verbs)
{
    static Words value_flags = {"c", "d", "x", "exclude", "enablerepo", "disablerepo", NULL};
    if (shell_command_has(c, "group") || shell_command_has(c, "groupinstall") || !has_any(c, verbs))
        return;
    g_autoptr(GPtrArray) names = packages(c, verbs, value_flags);
    bool module = shell_command_has(c, "module");
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        if (g_str_equal(name, "module"))
            continue;
        if (module ? strchr(name, ':') == NULL : !has_rpm_version(run, name))
            add(run, rule, c,
                module ? "pin the stream: module install NAME:STREAM"
                       : "pin versions: install NAME-VERSION",
                name);
    }
}

static void check_yum(const Run *run, const ShellCommand *c, guint index)
{
    static Words verbs = {"install", "groupinstall", "localinstall", NULL};
    static Words only_install = {"install", NULL}, clean = {"clean", NULL};
    static Words yes = {"y", "yes", "assumeyes", NULL};
    if (has_any(c, verbs) && !has_any_flag(c, yes))
        add(run, "DL3030", c, "yum install waits for an answer without -y", NULL);
    if (shell_command_has(c, "install") &&
        !cleaned_after(run, index, "yum", clean, "/var/cache/yum") &&
        !has_mount_on(run->in, "/var/cache/yum"))
        add(run, "DL3032", c, "yum clean all is missing after yum install", NULL);
    check_rpm_versions(run, c, "DL3033", only_install);
}

static void check_dnf(const Run *run, const ShellCommand *c, guint index)
{
    static Words install = {"install", "in", NULL}, clean = {"clean", NULL};
    static Words changes = {"install",         "in",     "upgrade",   "up",
                            "upgrade-minimal", "up-min", "reinstall", NULL};
    static Words ask = {"install", "groupinstall", "localinstall", NULL};
    static Words yes = {"y", "yes", "assumeyes", NULL};
    const char *name = shell_command_name(c);
    if (has_any(c, ask) && !has_any_flag(c, yes))
        add(run, "DL3038", c, "dnf install waits for an answer without -y", NULL);
    if ((has_any(c, changes) || shell_command_has(c, "groupinstall") ||
         shell_command_has(c, "localinstall") || shell_command_has(c, "distro-sync")) &&
        !cleaned_after(run, index, name, clean, "/var/cache/libdnf5") &&
        !has_mount_on(run->in, "/var/cache/libdnf5"))
        add(run, "DL3040", c, "clean all is missing after dnf install", NULL);
    check_rpm_versions(run, c, "DL3041", install);
}

static void check_zypper(const Run *run, const ShellCommand *c, guint index)
{
    static Words changes = {"install", "in", "remove", "rm", "source-install", "si", "patch", NULL};
    static Words install = {"install", "in", NULL}, clean = {"clean", "cc", NULL};
    static Words upgrade = {"dist-upgrade", "dup", NULL}, no_flags = {NULL};
    static Words quiet = {"n", "non-interactive", "y", "no-confirm", NULL};
    if (has_any(c, changes) && !has_any_flag(c, quiet))
        add(run, "DL3034", c, "zypper waits for an answer without -n", NULL);
    if (has_any(c, upgrade))
        add(run, "DL3035", c, "do not upgrade the whole distribution in an image", NULL);
    if (!has_any(c, install))
        return;
    if (!cleaned_after(run, index, "zypper", clean, "/var/cache/zypp") &&
        !has_mount_on(run->in, "/var/cache/zypp"))
        add(run, "DL3036", c, "zypper clean is missing after zypper install", NULL);
    g_autoptr(GPtrArray) names = packages(c, install, no_flags);
    for (guint i = 0; i < names->len; i++)
        if (strpbrk(names->pdata[i], "=<>") == NULL && !g_str_has_suffix(names->pdata[i], ".rpm"))
            add(run, "DL3037", c, "pin versions: zypper install NAME=VERSION", names->pdata[i]);
}

/* the rest --------------------------------------------------------------------------------------
 */

static void check_useradd(const Run *run, const ShellCommand *c)
{
    for (guint i = 1; i < c->words->len; i++) {
        const char *text = WORD(c, i), *value = NULL;
        if ((g_str_equal(text, "-u") || g_str_equal(text, "--uid")) && i + 1 < c->words->len)
            value = WORD(c, i + 1);
        else if (g_str_has_prefix(text, "--uid="))
            value = text + 6;
        else if (g_str_has_prefix(text, "-u"))
            value = text + 2;
        if (value != NULL && strlen(value) > 5 && !shell_command_has_flag(c, "l") &&
            !shell_command_has_flag(c, "no-log-init"))
            add(run, "DL3046", c, "useradd without -l writes a huge log for a high uid", value);
    }
}

static void check_wget(const Run *run, const ShellCommand *c)
{
    static Words quiet = {"progress",      "q", "quiet", "no-verbose", "output-file",
                          "append-output", NULL};
    bool short_flags = shell_command_has(c, "-nv") || shell_command_has(c, "-o") ||
                       shell_command_has(c, "-a") || shell_command_has_flag(c, "o") ||
                       shell_command_has_flag(c, "a");
    if (!has_any_flag(c, quiet) && !short_flags)
        add(run, "DL3047", c, "wget without --progress fills the log", NULL);
}

static void check_shell_link(const Run *run, const ShellCommand *c)
{
    if (shell_command_has(c, "/bin/sh"))
        add(run, "DL4005", c, "use SHELL to change the default shell, not a link", NULL);
}

static void check_command(const Run *run, const ShellCommand *c, guint index)
{
    static const char *const pointless[] = {"free",     "kill", "mount", "ps",  "service",
                                            "shutdown", "ssh",  "top",   "vim", NULL};
    static const char *const apt[] = {"apt", "apt-get", "aptitude", NULL};
    const char *name = shell_command_name(c);
    if (is_one_of(name, pointless))
        add(run, "DL3001", c, "makes no sense in a container", name);
    if (g_str_equal(name, "cd") && !run->onbuild)
        add(run, "DL3003", c, "use WORKDIR to change the folder", NULL);
    if (g_str_equal(name, "sudo"))
        add(run, "DL3004", c, "sudo has no use here: steps run as USER says", NULL);
    if (g_str_equal(name, "apt"))
        add(run, "DL3027", c, "apt is for people; use apt-get or apt-cache", NULL);
    if (is_one_of(name, apt))
        check_apt_lists(run, c);
    if (g_str_equal(name, "apt-get"))
        check_apt_get(run, c);
    else if (g_str_equal(name, "apk"))
        check_apk(run, c);
    else if (g_str_equal(name, "npm"))
        check_npm(run, c);
    else if (g_str_equal(name, "yarn"))
        check_yarn(run, c, index);
    else if (g_str_equal(name, "gem"))
        check_gem(run, c);
    else if (g_str_equal(name, "go"))
        check_go(run, c);
    else if (g_str_equal(name, "yum"))
        check_yum(run, c, index);
    else if (g_str_equal(name, "dnf") || g_str_equal(name, "microdnf"))
        check_dnf(run, c, index);
    else if (g_str_equal(name, "zypper"))
        check_zypper(run, c, index);
    else if (g_str_equal(name, "useradd"))
        check_useradd(run, c);
    else if (g_str_equal(name, "wget"))
        check_wget(run, c);
    else if (g_str_equal(name, "ln"))
        check_shell_link(run, c);
    check_pip(run, c);
}

char *lint_run_text(const Instruction *run, size_t *base)
{
    *base = run->rest_offset;
    if (run->json)
        return g_strjoinv(" ", run->args);
    if (run->heredocs->len == 1 && g_str_has_prefix(run->rest, "<<"))
        return g_strdup(((Heredoc *) run->heredocs->pdata[0])->content);
    return g_strdup(run->rest);
}

/* The shell in force at IN: the last SHELL before it in the stage. */
static const Instruction *shell_before(const LintStage *stage, const Instruction *in)
{
    const Instruction *shell = NULL;
    for (guint i = 0; i < stage->instructions->len; i++) {
        const Instruction *other = stage->instructions->pdata[i];
        if (other == in || other->onbuild == in)
            break;
        if (g_str_equal(other->keyword, "SHELL"))
            shell = other;
    }
    return shell != NULL || stage->parent == NULL ? shell : shell_before(stage->parent, NULL);
}

static bool shell_stops_at_pipes(const Instruction *shell)
{
    static const char *const exempt[] = {"pwsh", "powershell", "cmd", NULL};
    static const char *const capable[] = {"bash", "zsh", "ash", NULL};
    if (shell == NULL || shell->args[0] == NULL)
        return false;
    const char *base =
        strrchr(shell->args[0], '/') != NULL ? strrchr(shell->args[0], '/') + 1 : shell->args[0];
    g_autofree char *name = g_ascii_strdown(base, -1);
    if (g_str_has_suffix(name, ".exe"))
        name[strlen(name) - 4] = '\0';
    if (is_one_of(name, exempt))
        return true;
    return is_one_of(name, capable) &&
           g_strv_contains((const char *const *) shell->args, "pipefail");
}

/* wget here and curl in the same stage, or the other way round. */
static void check_two_fetchers(const Run *run)
{
    bool here[2] = {false, false}, before[2] = {false, false};
    static const char *const names[] = {"wget", "curl"};
    for (guint i = 0; i < run->stage->instructions->len; i++) {
        const Instruction *in = run->stage->instructions->pdata[i];
        const Instruction *inner = in->onbuild != NULL ? in->onbuild : in;
        if (!g_str_equal(inner->keyword, "RUN"))
            continue;
        size_t base;
        g_autofree char *text = lint_run_text(inner, &base);
        g_autoptr(ShellText) shell = shell_text_parse(text);
        for (guint c = 0; c < shell->commands->len; c++)
            for (int n = 0; n < 2; n++)
                if (g_str_equal(shell_command_name(shell->commands->pdata[c]), names[n]))
                    (inner == run->in ? here : before)[n] = true;
        if (inner == run->in)
            break;
    }
    if ((here[0] && (here[1] || before[1])) || (here[1] && before[0]))
        add(run, "DL4001", NULL, "either wget or curl, not both", NULL);
}

/* Two RUNs in a row, with equal flags, that one could be. */
static void check_consecutive(const Run *run)
{
    for (guint i = 1; i < run->stage->instructions->len && !run->onbuild; i++) {
        const Instruction *in = run->stage->instructions->pdata[i];
        const Instruction *before = run->stage->instructions->pdata[i - 1];
        if (in != run->in || !g_str_equal(before->keyword, "RUN"))
            continue;
        g_autofree char *flags = g_strjoinv(" ", in->flags);
        g_autofree char *other_flags = g_strjoinv(" ", before->flags);
        size_t base;
        g_autofree char *text = lint_run_text(before, &base);
        g_autoptr(ShellText) other = shell_text_parse(text);
        if (g_str_equal(flags, other_flags) && run->shell->commands->len <= 1 &&
            in->heredocs->len == 0 && before->heredocs->len == 0 &&
            (other->commands->len <= 1 || run->shell->commands->len == 0))
            add(run, "DL3059", NULL, "several RUN in a row could be one", NULL);
    }
}

void lint_run_rules(Lint *lint, const LintStage *stage, const Instruction *in, bool onbuild)
{
    Run run = {.lint = lint, .stage = stage, .in = in, .onbuild = onbuild};
    g_autofree char *text = lint_run_text(in, &run.base);
    g_autoptr(ShellText) shell = shell_text_parse(text);
    run.shell = shell;
    for (guint i = 0; i < shell->commands->len; i++)
        check_command(&run, shell->commands->pdata[i], i);
    if (shell->piped && !in->json && !shell_stops_at_pipes(shell_before(stage, in)))
        add(&run, "DL4006", NULL,
            "a failure left of a pipe goes unseen: SHELL [\"/bin/bash\", "
            "\"-o\", \"pipefail\", \"-c\"]",
            NULL);
    check_two_fetchers(&run);
    check_consecutive(&run);
}
