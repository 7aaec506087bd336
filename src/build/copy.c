/* copy.c - COPY, ADD of local files and archives, and WORKDIR. */
#include "build/build_private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/process.h"
#include "build/account.h"
#include "build/archive.h"
#include "build/file_mode.h"
#include "build/remote.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "oci/layer.h"

#include <fcntl.h>
#include <string.h>

typedef struct {
    Selection *selection;
    SelectionRules rules;
    GPtrArray *archives; /* files to unpack at DESTINATION */
    char *destination;   /* clean path in the image */
    bool link;
} Copy;

RootTree *source_tree(Stage *stage, const char *name, RootTree **owned, GError **error)
{
    *owned = NULL;
    if (name == NULL)
        return stage->build->context_tree;
    Stage *other = stage_find(stage->build, name, stage->index);
    if (other != NULL)
        return stage_build(other, error) ? stage_tree(other, error) : NULL;
    if (stage_find(stage->build, name, G_MAXUINT) != NULL) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "from=%s: the stage itself or a later one, expected an earlier stage", name);
        return NULL;
    }
    g_autofree char *digest = image_resolve(stage->build->store, name, error);
    g_autoptr(Image) image = digest != NULL ? image_load(stage->build->store, digest, error) : NULL;
    g_auto(GStrv) folders = image != NULL ? layer_folders(stage->build->store, image, error) : NULL;
    if (folders != NULL)
        *owned = root_tree_of_layers((const char *const *) folders);
    return *owned;
}

static const char *const *flag_values(const Instruction *in, const char *name, GPtrArray *values)
{
    g_autofree char *prefix = g_strdup_printf("--%s=", name);
    for (char **flag = in->flags; *flag != NULL; flag++)
        if (g_str_has_prefix(*flag, prefix))
            g_ptr_array_add(values, *flag + strlen(prefix));
    g_ptr_array_add(values, NULL);
    return (const char *const *) values->pdata;
}

static bool flag_is_set(const Instruction *in, const char *name)
{
    const char *value = instruction_flag(in, name);
    return value != NULL && g_ascii_strcasecmp(value, "false") != 0;
}

/* --chown and --chmod, with variables replaced. */
static bool read_rules(Stage *stage, const Instruction *in, SelectionRules *rules,
                       char **chmod_text, GError **error)
{
    const char *chown_flag = instruction_flag(in, "chown");
    const char *chmod_flag = instruction_flag(in, "chmod");
    if (chown_flag != NULL) {
        g_autofree char *text = expand_in_stage(stage, chown_flag, error);
        RootTree *tree = text != NULL ? stage_tree(stage, error) : NULL;
        g_auto(Account) account = {0};
        if (tree == NULL || !account_resolve(tree, text, true, &account, error))
            return false;
        rules->chown = true;
        rules->uid = account.uid;
        rules->gid = account.gid;
    }
    if (chmod_flag != NULL) {
        *chmod_text = expand_in_stage(stage, chmod_flag, error);
        if (*chmod_text == NULL || !file_mode_check(*chmod_text, error))
            return false;
        rules->chmod = *chmod_text;
    }
    return true;
}

static const Heredoc *heredoc_of(const Instruction *in, const char *word, guint *next)
{
    if (in->json || !g_str_has_prefix(word, "<<") || *next >= in->heredocs->len)
        return NULL;
    return in->heredocs->pdata[(*next)++];
}

static char *expand_content(Stage *stage, const Heredoc *heredoc, GError **error);

static bool add_heredoc(Stage *stage, Copy *copy, const Heredoc *heredoc, bool into, GError **error)
{
    g_autofree char *content =
        heredoc->expand ? expand_content(stage, heredoc, error) : g_strdup(heredoc->content);
    if (content == NULL)
        return false;
    selection_add_content(copy->selection, heredoc->name, content, copy->destination, into,
                          &copy->rules);
    return true;
}

static const char *lookup_variable(void *data, const char *name)
{
    Stage *stage = data;
    const char *value = environment_get(config_environment(stage), name);
    return value != NULL ? value : variables_get(stage->args, name);
}

static char *expand_content(Stage *stage, const Heredoc *heredoc, GError **error)
{
    ExpandScope scope = {'\\', lookup_variable, stage};
    return expand_heredoc(&scope, heredoc->content, error);
}

/* Takes local archives out of what ADD selected from FIRST on: they are unpacked. */
static void take_archives(Copy *copy, guint first)
{
    for (guint i = copy->selection->items->len; i > first; i--) {
        SelectionItem *item = copy->selection->items->pdata[i - 1];
        if (!S_ISREG(item->st.st_mode) || item->file == NULL || !archive_is_one(item->file))
            continue;
        g_ptr_array_insert(copy->archives, 0, g_strdup(item->file));
        g_ptr_array_remove_index(copy->selection->items, i - 1);
    }
}

static bool add_source(Stage *stage, const Instruction *in, Copy *copy, RootTree *tree,
                       const char *source, bool into, GError **error)
{
    guint first = copy->selection->items->len;
    bool add = g_str_equal(in->keyword, "ADD");
    if (remote_is_one(source) && !add) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "source can't be a URL for COPY: %s, expected ADD", source);
        return false;
    }
    if (remote_is_one(source))
        return remote_add(stage, in, source, copy->destination, into, copy->selection, &copy->rules,
                          error);
    if (!selection_add(copy->selection, tree, source, copy->destination, into, &copy->rules, error))
        return false;
    const char *unpack = instruction_flag(in, "unpack");
    bool single_file = copy->selection->items->len - first == 1;
    if (add && single_file && (unpack == NULL || flag_is_set(in, "unpack")))
        take_archives(copy, first);
    return true;
}

/* Whether DESTINATION, as written, is a folder, or is one in the image already. */
static bool destination_is_folder(Stage *stage, const char *written, Copy *copy, GError **error)
{
    g_autofree char *last = g_path_get_basename(*written != '\0' ? written : ".");
    if (*written == '\0' || g_str_has_suffix(written, "/") || g_str_equal(last, "."))
        return true;
    RootTree *tree = copy->link ? NULL : stage_tree(stage, error);
    g_auto(RootEntry) entry = {0};
    return tree != NULL && root_tree_lookup(tree, copy->destination, true, &entry, NULL) &&
           S_ISDIR(entry.st.st_mode);
}

static bool select_sources(Stage *stage, const Instruction *in, char **words, Copy *copy,
                           GError **error)
{
    guint count = g_strv_length(words) - 1;
    const char *written = words[count];
    if (count == 0 || (!in->json && g_str_has_prefix(written, "<<") && in->heredocs->len > 0)) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "%s has no destination, expected %s SOURCE… DEST", in->keyword, in->keyword);
        return false;
    }
    g_autofree char *absolute = config_path(stage, written);
    copy->destination = path_clean(absolute);
    GError *problem = NULL;
    bool into = destination_is_folder(stage, written, copy, &problem) || copy->rules.parents;
    if (problem != NULL) {
        g_propagate_error(error, problem);
        return false;
    }
    g_autoptr(RootTree) owned = NULL;
    const char *from = instruction_flag(in, "from");
    RootTree *tree = source_tree(stage, from, &owned, error);
    if (tree == NULL)
        return false;
    guint next = 0;
    for (guint i = 0; i < count; i++) {
        const Heredoc *heredoc = heredoc_of(in, words[i], &next);
        if (heredoc != NULL ? !add_heredoc(stage, copy, heredoc, into, error)
                            : !add_source(stage, in, copy, tree, words[i], into, error))
            return false;
    }
    if ((count > 1 || copy->selection->several) && !into) {
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "When using %s with more than one source file, the destination must be a "
                    "directory and end with a /",
                    in->keyword);
        return false;
    }
    return true;
}

static bool unpack_archives(const Copy *copy, Upper *upper, const char *scratch, GError **error)
{
    for (guint i = 0; i < copy->archives->len; i++) {
        g_autofree char *folder = g_strdup_printf("%s/archive-%u", scratch, i);
        if (!archive_unpack(copy->archives->pdata[i], folder, error))
            return false;
        SelectionRules rules = copy->rules;
        rules.keep_owner = true;
        g_autoptr(Selection) selection = selection_new();
        if (!selection_add_folder(selection, folder, copy->destination, &rules, error) ||
            !upper_copy(upper, selection, &rules, true, error))
            return false;
    }
    return true;
}

static bool copy_work(Stage *stage, const char *folder, const char *scratch, void *data,
                      GError **error)
{
    Copy *copy = data;
    static const char *const nothing[] = {NULL};
    g_autoptr(RootTree) empty = root_tree_of_layers(nothing);
    g_auto(Upper)
        upper = {.lower = copy->link ? empty : stage_tree(stage, error), .folder = folder};
    return upper.lower != NULL && upper_copy(&upper, copy->selection, &copy->rules, false, error) &&
           unpack_archives(copy, &upper, scratch, error);
}

static json_t *copy_inputs(Stage *stage, const Instruction *in, const Copy *copy, GError **error)
{
    g_autofree char *digest = selection_digest(copy->selection, stage->build->index, error);
    if (digest == NULL)
        return NULL;
    g_autoptr(json_t) inputs =
        json_pack("{s:s, s:s, s:b, s:s}", "instruction", in->keyword, "destination",
                  copy->destination, "link", copy->link, "content of the source files", digest);
    g_autoptr(GString) archives = g_string_new(NULL);
    for (guint i = 0; i < copy->archives->len; i++) {
        const char *file = copy->archives->pdata[i];
        struct stat st;
        if (lstat(file, &st) != 0)
            return NULL;
        g_autofree char *one = file_index_digest(stage->build->index, file, &st, error);
        if (one == NULL)
            return NULL;
        g_string_append_printf(archives, "%s ", one);
    }
    if (archives->len > 0)
        json_object_set_new(inputs, "archives", json_string(archives->str));
    g_autofree char *owner =
        g_strdup_printf("%d %u %u %s", copy->rules.chown, copy->rules.uid, copy->rules.gid,
                        copy->rules.chmod != NULL ? copy->rules.chmod : "");
    json_object_set_new(inputs, "owner and mode", json_string(owner));
    return g_steal_pointer(&inputs);
}

static bool copy_selected(Stage *stage, const Instruction *in, char **words, Copy *copy,
                          GError **error)
{
    if (!select_sources(stage, in, words, copy, error))
        return false;
    json_t *inputs = copy_inputs(stage, in, copy, error);
    if (inputs == NULL)
        return false;
    g_autofree char *created_by = g_strconcat(in->original, " # buildkit", NULL);
    Step step = {.created_by = created_by,
                 .inputs = inputs,
                 .on_scratch = copy->link,
                 .work = copy_work,
                 .data = copy};
    return step_make_layer(stage, &step, error);
}

bool copy_apply(Stage *stage, const Instruction *in, GError **error)
{
    g_autoptr(GPtrArray) excludes = g_ptr_array_new();
    g_autoptr(Selection) selection = selection_new();
    g_autoptr(GPtrArray) archives = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *chmod_text = NULL;
    const char *from = instruction_flag(in, "from");
    Copy copy = {
        .selection = selection,
        .archives = archives,
        .link = flag_is_set(in, "link"),
        .rules = {.keep_owner = from != NULL,
                  .parents = flag_is_set(in, "parents"),
                  .excludes = flag_values(in, "exclude", excludes)},
    };
    if (from != NULL && strchr(from, '$') != NULL)
        return stage_error(stage, error,
                           "variable expansion is not supported for --from, define a new stage "
                           "with FROM using ARG from global scope as a workaround");
    if (!read_rules(stage, in, &copy.rules, &chmod_text, error))
        return stage_fail(stage, error);
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    for (char **arg = in->args; *arg != NULL; arg++) {
        char *word = expand_in_stage(stage, *arg, error);
        if (word == NULL)
            return stage_fail(stage, error);
        g_ptr_array_add(words, word);
    }
    g_ptr_array_add(words, NULL);
    bool ok = copy_selected(stage, in, (char **) words->pdata, &copy, error);
    g_free(copy.destination);
    return ok || stage_fail(stage, error);
}

typedef struct {
    const char *path;
    uid_t uid;
    gid_t gid;
} Folder;

static bool workdir_work(Stage *stage, const char *folder, const char *scratch, void *data,
                         GError **error)
{
    const Folder *wanted = data;
    g_auto(Upper) upper = {.lower = stage_tree(stage, error), .folder = folder};
    g_autofree char *real =
        upper.lower != NULL
            ? upper_make_folder(&upper, wanted->path, wanted->uid, wanted->gid, NULL, error)
            : NULL;
    return real != NULL;
}

bool workdir_apply(Stage *stage, const Instruction *in, GError **error)
{
    g_autofree char *text = expand_in_stage(stage, in->args[0], error);
    if (text == NULL)
        return stage_fail(stage, error);
    g_autofree char *path = config_path(stage, text);
    json_object_set_new(config_section(stage), "WorkingDir", json_string_nocheck(path));
    g_autofree char *created_by = g_strconcat("WORKDIR ", path, NULL);
    if (g_str_equal(path, "/")) {
        config_add_history(stage, created_by, true);
        return true;
    }
    RootTree *tree = stage_tree(stage, error);
    g_auto(Account) account = {0};
    if (tree == NULL || !account_resolve(tree, config_text(stage, "User"), false, &account, error))
        return stage_fail(stage, error);
    Folder folder = {path, account.uid, account.gid};
    g_autofree char *owner = g_strdup_printf("%u:%u", folder.uid, folder.gid);
    Step step = {.created_by = created_by,
                 .inputs = json_pack("{s:s, s:s, s:s}", "instruction", "WORKDIR", "folder", path,
                                     "owner", owner),
                 .work = workdir_work,
                 .data = &folder};
    return step_make_layer(stage, &step, error) || stage_fail(stage, error);
}
