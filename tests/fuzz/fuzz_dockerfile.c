/* A Dockerfile written from its instructions parses to the same instructions; linting it finds only
 * places inside it. */
#include "dockerfile/dockerfile.h"
#include "lint/dockerfile_lint.h"

#include <stdint.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const GPtrArray *heredocs_of(const Instruction *in)
{
    while (in->onbuild != NULL)
        in = in->onbuild;
    return in->heredocs;
}

static char *print(const Dockerfile *file)
{
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "# escape=%c\n", file->escape);
    for (guint i = 0; i < file->instructions->len; i++) {
        const Instruction *in = file->instructions->pdata[i];
        const GPtrArray *heredocs = heredocs_of(in);
        g_string_append_printf(out, "%s\n", in->original);
        for (guint n = 0; n < heredocs->len; n++) {
            const Heredoc *h = heredocs->pdata[n];
            g_string_append_printf(out, "%s%s\n", h->content, h->name);
        }
    }
    return g_string_free(out, FALSE);
}

static bool is_same(const Instruction *a, const Instruction *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    bool same = g_str_equal(a->keyword, b->keyword) && g_str_equal(a->original, b->original) &&
                g_str_equal(a->rest, b->rest) && a->json == b->json && a->legacy == b->legacy &&
                g_strv_equal((const char *const *) a->flags, (const char *const *) b->flags) &&
                g_strv_equal((const char *const *) a->args, (const char *const *) b->args) &&
                a->heredocs->len == b->heredocs->len;
    for (guint i = 0; same && i < a->heredocs->len; i++) {
        const Heredoc *h = a->heredocs->pdata[i], *k = b->heredocs->pdata[i];
        same = g_str_equal(h->name, k->name) && g_str_equal(h->content, k->content) &&
               h->expand == k->expand && h->chomp == k->chomp;
    }
    return same && is_same(a->onbuild, b->onbuild);
}

static void fail(const char *what, const char *text)
{
    fprintf(stderr, "%s\n%s\n", what, text);
    abort();
}

static void check_print(const Dockerfile *file)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = print(file);
    g_autoptr(Dockerfile) again = dockerfile_parse("again", text, strlen(text), &error);
    if (again == NULL)
        fail(error->message, text);
    if (again->instructions->len != file->instructions->len)
        fail("another number of instructions", text);
    for (guint i = 0; i < file->instructions->len; i++)
        if (!is_same(file->instructions->pdata[i], again->instructions->pdata[i]))
            fail("another instruction", text);
}

static void check_lint(const char *text, size_t size)
{
    int lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    DockerfileLintOptions options = {0};
    g_autoptr(GPtrArray) findings = findings_new();
    dockerfile_lint("Dockerfile", text, size, &options, findings);
    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = findings->pdata[i];
        g_assert_cmpint(finding->line, >=, 0);
        g_assert_cmpint(finding->line, <=, lines);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *) data;
    g_autoptr(Dockerfile) file = dockerfile_parse("Dockerfile", text, size, NULL);
    if (file != NULL)
        check_print(file);
    check_lint(text, size);
    return 0;
}
