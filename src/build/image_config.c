/* image_config.c - the instructions that only change the image's config, and its history. */
#include "build/build_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/path.h"
#include "format/json.h"

#include <string.h>

json_t *config_section(Stage *stage)
{
    json_t *section = json_object_get(stage->image->config, "config");
    if (!json_is_object(section)) {
        section = json_object();
        json_object_set_new(stage->image->config, "config", section);
    }
    return section;
}

json_t *config_environment(Stage *stage)
{
    json_t *section = config_section(stage);
    json_t *environment = json_object_get(section, "Env");
    if (!json_is_array(environment)) {
        environment = json_array();
        json_object_set_new(section, "Env", environment);
    }
    return environment;
}

const char *config_text(Stage *stage, const char *key)
{
    const char *text = json_get_string(config_section(stage), key);
    return text != NULL ? text : "";
}

char *config_path(Stage *stage, const char *path)
{
    g_autofree char *joined = path[0] == '/'
                                  ? g_strdup(path)
                                  : g_strconcat(config_text(stage, "WorkingDir"), "/", path, NULL);
    g_autofree char *clean = path_clean(joined);
    return g_strconcat("/", clean, NULL);
}

static const char *lookup(void *data, const char *name)
{
    Stage *stage = data;
    const char *value = environment_get(config_environment(stage), name);
    return value != NULL ? value : variables_get(stage->args, name);
}

char *expand_in_stage(Stage *stage, const char *word, GError **error)
{
    ExpandScope scope = {stage->build->file->escape, lookup, stage};
    return expand_word(&scope, word, error);
}

static char **expand_all_in_stage(Stage *stage, char **words, GError **error)
{
    ExpandScope scope = {stage->build->file->escape, lookup, stage};
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
    for (; *words != NULL; words++) {
        g_auto(GStrv) some = expand_words(&scope, *words, error);
        if (some == NULL)
            return NULL;
        for (char **word = some; *word != NULL; word++)
            g_ptr_array_add(all, g_strdup(*word));
    }
    g_ptr_array_add(all, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&all), FALSE);
}

void config_add_history(Stage *stage, const char *created_by, bool empty)
{
    json_t *history = json_object_get(stage->image->config, "history");
    if (!json_is_array(history)) {
        history = json_array();
        json_object_set_new(stage->image->config, "history", history);
    }
    int64_t epoch = stage->build->spec->source_date_epoch;
    g_autofree char *created =
        epoch >= 0 ? clock_format_seconds(epoch) : g_strdup(stage->last_created);
    json_t *entry = json_pack("{s:s, s:o, s:s}", "created", created, "created_by",
                              json_string_nocheck(created_by), "comment", "buildkit.dockerfile.v0");
    if (empty)
        json_object_set_new(entry, "empty_layer", json_true());
    json_array_append_new(history, entry);
}

/* A JSON array of WORDS. */
static json_t *texts(char **words)
{
    json_t *array = json_array();
    for (; *words != NULL; words++)
        json_array_append_new(array, json_string_nocheck(*words));
    return array;
}

/* `["a" "b"]`, as history shows a command. */
static char *quoted_list(const json_t *array)
{
    GString *out = g_string_new("[");
    size_t index;
    json_t *value;
    json_array_foreach(array, index, value)
    {
        g_autofree char *quoted = json_dumps(value, JSON_ENCODE_ANY);
        g_string_append_printf(out, "%s%s", index > 0 ? " " : "", quoted);
    }
    g_string_append_c(out, ']');
    return g_string_free(out, FALSE);
}

static json_t *command_of(Stage *stage, const Instruction *in, char **words, bool json)
{
    if (json)
        return texts(words);
    json_t *shell = json_object_get(config_section(stage), "Shell");
    json_t *command = json_is_array(shell) ? json_copy(shell) : json_pack("[ss]", "/bin/sh", "-c");
    if (words[0] != NULL)
        json_array_append_new(command, json_string_nocheck(words[0]));
    return command;
}

static void apply_command(Stage *stage, const Instruction *in)
{
    bool entry = g_str_equal(in->keyword, "ENTRYPOINT");
    json_t *command = command_of(stage, in, in->args, in->json);
    g_autofree char *list = quoted_list(command);
    g_autofree char *created_by = g_strconcat(in->keyword, " ", list, NULL);
    json_object_set_new(config_section(stage), entry ? "Entrypoint" : "Cmd", command);
    if (entry && !stage->command_set)
        json_object_del(config_section(stage), "Cmd");
    stage->command_set = stage->command_set || !entry;
    config_add_history(stage, created_by, true);
}

/* ENV and LABEL. All values see the variables as they were before the instruction. */
static bool apply_pairs(Stage *stage, const Instruction *in, GError **error)
{
    bool labels = g_str_equal(in->keyword, "LABEL");
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) created_by = g_string_new(in->keyword);
    for (char **word = in->args; *word != NULL; word++) {
        char *value = expand_in_stage(stage, *word, error);
        if (value == NULL)
            return stage_fail(stage, error);
        g_ptr_array_add(values, value);
    }
    for (guint i = 0; i + 1 < values->len; i += 2) {
        const char *name = values->pdata[i], *value = values->pdata[i + 1];
        if (*name == '\0')
            return stage_error(stage, error, "%s names can not be blank", in->keyword);
        g_string_append_printf(created_by, " %s=%s", name, value);
        if (!labels) {
            environment_set(config_environment(stage), name, value);
            continue;
        }
        json_t *section = config_section(stage);
        if (!json_is_object(json_object_get(section, "Labels")))
            json_object_set_new(section, "Labels", json_object());
        json_object_set_new(json_object_get(section, "Labels"), name, json_string_nocheck(value));
    }
    config_add_history(stage, created_by->str, true);
    return true;
}

static const char *global_value(Stage *stage, const char *name)
{
    return variables_get(stage->build->globals, name);
}

static bool apply_arg(Stage *stage, const Instruction *in, GError **error)
{
    g_autoptr(GString) created_by = g_string_new("ARG");
    for (char **word = in->args; *word != NULL; word++) {
        const char *equals = strchr(*word, '=');
        g_autofree char *name =
            equals != NULL ? g_strndup(*word, (gsize) (equals - *word)) : g_strdup(*word);
        const char *given = variables_get(stage->build->given, name);
        g_autofree char *value = NULL;
        if (given != NULL)
            value = g_strdup(given);
        else if (equals != NULL)
            value = expand_in_stage(stage, equals + 1, error);
        else
            value = g_strdup(global_value(stage, name));
        if (value == NULL && given == NULL && equals != NULL)
            return stage_fail(stage, error);
        g_hash_table_add(stage->build->used, g_strdup(name));
        g_string_append_printf(created_by, value != NULL ? " %s=%s" : " %s", name, value);
        variables_set(stage->args, name, value);
    }
    config_add_history(stage, created_by->str, true);
    return true;
}

static bool parse_port(const char *text, GString *out)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    g_autofree char *protocol = g_ascii_strdown(parts[1] != NULL ? parts[1] : "tcp", -1);
    static const char *const known[] = {"tcp", "udp", "sctp", NULL};
    char *end;
    guint64 first = g_ascii_strtoull(parts[0], &end, 10), last = first;
    bool ok = g_ascii_isdigit(*parts[0]);
    if (ok && *end == '-') {
        ok = g_ascii_isdigit(end[1]);
        last = g_ascii_strtoull(end + 1, &end, 10);
    }
    if (!ok || *end != '\0' || last > 65535 || last < first || !g_strv_contains(known, protocol))
        return false;
    for (guint64 port = first; port <= last; port++)
        g_string_append_printf(out, "%" G_GUINT64_FORMAT "/%s\n", port, protocol);
    return true;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Sets KEYS as members of the object NAME of the config. */
static void add_keys(Stage *stage, const char *name, char **keys)
{
    json_t *section = config_section(stage);
    if (!json_is_object(json_object_get(section, name)))
        json_object_set_new(section, name, json_object());
    for (; *keys != NULL; keys++)
        json_object_set_new(json_object_get(section, name), *keys, json_object());
}

static bool apply_expose(Stage *stage, const Instruction *in, GError **error)
{
    g_auto(GStrv) words = expand_all_in_stage(stage, in->args, error);
    if (words == NULL)
        return stage_fail(stage, error);
    g_autoptr(GString) ports = g_string_new(NULL);
    for (char **word = words; *word != NULL; word++)
        if (!parse_port(*word, ports))
            return stage_error(stage, error,
                               "invalid containerPort: %s, expected PORT[-PORT][/tcp|udp|sctp]",
                               *word);
    if (ports->len > 0)
        g_string_truncate(ports, ports->len - 1);
    g_auto(GStrv) keys = g_strsplit(ports->str, "\n", -1);
    qsort(keys, g_strv_length(keys), sizeof *keys, compare_texts);
    add_keys(stage, "ExposedPorts", keys);
    g_autofree char *list = g_strjoinv(" ", keys);
    g_autofree char *created_by = g_strdup_printf("EXPOSE [%s]", list);
    config_add_history(stage, created_by, true);
    return true;
}

static bool apply_volume(Stage *stage, const Instruction *in, GError **error)
{
    g_auto(GStrv) paths = expand_all_in_stage(stage, in->args, error);
    if (paths == NULL)
        return stage_fail(stage, error);
    for (char **path = paths; *path != NULL; path++)
        if (**path == '\0')
            return stage_error(stage, error, "VOLUME specified can not be an empty string");
    add_keys(stage, "Volumes", paths);
    g_autofree char *list = g_strjoinv(" ", paths);
    g_autofree char *created_by = g_strdup_printf("VOLUME [%s]", list);
    config_add_history(stage, created_by, true);
    return true;
}

static bool is_signal(const char *text)
{
    static const char *const names[] = {
        "ABRT",  "ALRM", "BUS",  "CHLD",   "CONT",  "FPE",   "HUP",  "ILL",  "INT",
        "IO",    "KILL", "PIPE", "PROF",   "PWR",   "QUIT",  "SEGV", "STOP", "SYS",
        "TERM",  "TRAP", "TSTP", "TTIN",   "TTOU",  "URG",   "USR1", "USR2", "VTALRM",
        "WINCH", "XCPU", "XFSZ", "STKFLT", "RTMIN", "RTMAX", NULL};
    char *end;
    guint64 number = g_ascii_strtoull(text, &end, 10);
    if (g_ascii_isdigit(*text))
        return *end == '\0' && number >= 1 && number <= 64;
    g_autofree char *upper = g_ascii_strup(text, -1);
    const char *name = g_str_has_prefix(upper, "SIG") ? upper + 3 : upper;
    return g_str_has_prefix(name, "RTMIN+") || g_str_has_prefix(name, "RTMAX-") ||
           g_strv_contains(names, name);
}

/* USER and STOPSIGNAL: one expanded text. */
static bool apply_text(Stage *stage, const Instruction *in, const char *key, GError **error)
{
    g_autofree char *value = expand_in_stage(stage, in->args[0], error);
    if (value == NULL)
        return stage_fail(stage, error);
    if (g_str_equal(key, "StopSignal") && !is_signal(value))
        return stage_error(stage, error, "invalid signal: %s, expected a name or number", value);
    if (g_str_equal(key, "User") && *value == '\0')
        return stage_error(stage, error, "USER is empty after expansion, expected NAME[:GROUP]");
    json_object_set_new(config_section(stage), key, json_string_nocheck(value));
    g_autofree char *created_by = g_strconcat(in->keyword, " ", value, NULL);
    config_add_history(stage, created_by, true);
    return true;
}

/* A Go duration ("1m30s") in nanoseconds; negative where it is none. */
static int64_t parse_duration(const char *text)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}};
    if (g_str_equal(text, "0"))
        return 0;
    double total = 0;
    if (*text == '\0')
        return -1;
    while (*text != '\0') {
        char *end;
        double number = g_ascii_strtod(text, &end);
        size_t length = strcspn(end, "0123456789.");
        double factor = 0;
        for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
            if (strlen(units[i].unit) == length && strncmp(end, units[i].unit, length) == 0)
                factor = units[i].ns;
        if (end == text || factor == 0 || number < 0)
            return -1;
        total += number * factor;
        text = end + length;
    }
    return total < 9e18 ? (int64_t) total : -1;
}

static bool healthcheck_durations(Stage *stage, const Instruction *in, json_t *health,
                                  GError **error)
{
    static const char *const flags[][2] = {{"interval", "Interval"},
                                           {"timeout", "Timeout"},
                                           {"start-period", "StartPeriod"},
                                           {"start-interval", "StartInterval"}};
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        const char *text = instruction_flag(in, flags[i][0]);
        int64_t ns = text != NULL ? parse_duration(text) : 0;
        if (ns < 0 || (ns > 0 && ns < 1000000))
            return stage_error(stage, error,
                               "--%s: '%s' is no duration of at least 1ms, expected like 30s",
                               flags[i][0], text);
        if (ns > 0)
            json_object_set_new(health, flags[i][1], json_integer(ns));
    }
    const char *retries = instruction_flag(in, "retries");
    char *end = NULL;
    guint64 count = retries != NULL ? g_ascii_strtoull(retries, &end, 10) : 0;
    if (retries != NULL && (*end != '\0' || !g_ascii_isdigit(*retries) || count > 1000000))
        return stage_error(stage, error, "--retries: '%s' is no number", retries);
    if (count > 0)
        json_object_set_new(health, "Retries", json_integer((json_int_t) count));
    return true;
}

static bool apply_healthcheck(Stage *stage, const Instruction *in, GError **error)
{
    g_autoptr(json_t) health = json_object();
    json_t *test;
    if (g_str_equal(in->args[0], "NONE")) {
        test = json_pack("[s]", "NONE");
    } else if (in->json) {
        test = texts(in->args);
    } else {
        test = json_pack("[so]", "CMD-SHELL", json_string_nocheck(in->args[1]));
    }
    json_object_set_new(health, "Test", test);
    if (!healthcheck_durations(stage, in, health, error))
        return false;
    json_object_set(config_section(stage), "Healthcheck", health);
    g_autofree char *created_by = g_strdup(in->original);
    config_add_history(stage, created_by, true);
    return true;
}

static void apply_onbuild(Stage *stage, const Instruction *in)
{
    json_t *section = config_section(stage);
    if (!json_is_array(json_object_get(section, "OnBuild")))
        json_object_set_new(section, "OnBuild", json_array());
    json_array_append_new(json_object_get(section, "OnBuild"), json_string_nocheck(in->rest));
    g_autofree char *created_by = g_strconcat("ONBUILD ", in->rest, NULL);
    config_add_history(stage, created_by, true);
}

bool config_apply(Stage *stage, const Instruction *in, GError **error)
{
    const char *word = in->keyword;
    if (g_str_equal(word, "ENV") || g_str_equal(word, "LABEL"))
        return apply_pairs(stage, in, error);
    if (g_str_equal(word, "ARG"))
        return apply_arg(stage, in, error);
    if (g_str_equal(word, "EXPOSE"))
        return apply_expose(stage, in, error);
    if (g_str_equal(word, "VOLUME"))
        return apply_volume(stage, in, error);
    if (g_str_equal(word, "USER"))
        return apply_text(stage, in, "User", error);
    if (g_str_equal(word, "STOPSIGNAL"))
        return apply_text(stage, in, "StopSignal", error);
    if (g_str_equal(word, "HEALTHCHECK"))
        return apply_healthcheck(stage, in, error);
    if (g_str_equal(word, "CMD") || g_str_equal(word, "ENTRYPOINT")) {
        apply_command(stage, in);
    } else if (g_str_equal(word, "ONBUILD")) {
        apply_onbuild(stage, in);
    } else if (g_str_equal(word, "SHELL")) {
        json_object_set_new(config_section(stage), "Shell", texts(in->args));
        g_autofree char *list = quoted_list(json_object_get(config_section(stage), "Shell"));
        g_autofree char *created_by = g_strconcat("SHELL ", list, NULL);
        config_add_history(stage, created_by, true);
    } else if (g_str_equal(word, "MAINTAINER")) {
        json_object_set_new(stage->image->config, "author", json_string_nocheck(in->args[0]));
        config_add_history(stage, in->original, true);
    }
    return true;
}
