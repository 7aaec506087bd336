/* dockerfile_ast.c - slipway dockerfile ast: the syntax tree as JSON. */
#include "base/file.h"
#include "cli/commands.h"
#include "dockerfile/dockerfile.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *texts(char **words)
{
    json_t *array = json_array();
    for (; *words != NULL; words++)
        json_array_append_new(array, json_string_nocheck(*words));
    return array;
}

/* ENV and LABEL as they are written: "name=value" words, or name and rest. */
static json_t *arguments(const Instruction *in)
{
    bool pairs = g_str_equal(in->keyword, "ENV") || g_str_equal(in->keyword, "LABEL");
    if (!pairs || in->legacy)
        return texts(in->args);
    json_t *array = json_array();
    for (char **word = in->args; *word != NULL; word += 2) {
        g_autofree char *pair = g_strdup_printf("%s=%s", word[0], word[1]);
        json_array_append_new(array, json_string_nocheck(pair));
    }
    return array;
}

static json_t *describe(const Instruction *in)
{
    const Instruction *holder = in;
    while (holder->onbuild != NULL)
        holder = holder->onbuild;
    json_t *heredocs = json_array();
    for (guint i = 0; i < holder->heredocs->len; i++) {
        const Heredoc *h = holder->heredocs->pdata[i];
        json_array_append_new(heredocs, json_pack("{s:o, s:o, s:b, s:b}", "name",
                                                  json_string_nocheck(h->name), "content",
                                                  json_string_nocheck(h->content), "expand",
                                                  h->expand, "chomp", h->chomp));
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:i, s:i, s:o}", "instruction", in->keyword, "flags",
                     texts(in->flags), "args", arguments(in), "heredocs", heredocs, "line",
                     in->line, "end_line", in->end_line, "original",
                     json_string_nocheck(in->original));
}

static int run(int argc, char **argv, GError **error)
{
    const GOptionEntry entries[] = {{0}};
    if (!command_parse(&command_dockerfile_ast, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected one FILE");
    size_t length;
    g_autofree char *text = file_read(AT_FDCWD, argv[1], DOCKERFILE_LIMIT, &length, error);
    if (text == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(Dockerfile) file = dockerfile_parse(argv[1], text, length, error);
    if (file == NULL)
        return EXIT_STATUS_NO;
    json_t *tree = json_array();
    for (guint i = 0; i < file->instructions->len; i++) {
        const Instruction *in = file->instructions->pdata[i];
        if (!dockerfile_check_instruction(file, in, error)) {
            json_decref(tree);
            return EXIT_STATUS_NO;
        }
        json_array_append_new(tree, describe(in));
    }
    char *out = json_dumps(tree, JSON_INDENT(2));
    json_decref(tree);
    puts(out);
    free(out);
    return EXIT_STATUS_DONE;
}

const Command command_dockerfile_ast = {
    .name = "dockerfile ast",
    .group = "plumbing",
    .operands = "FILE",
    .summary = "print a Dockerfile's syntax tree as JSON",
    .run = run,
};
