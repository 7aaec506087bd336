#include "base/error.h"
#include "dockerfile/dockerfile.h"
#include "dockerfile/expand.h"
#include "dockerfile/ignore_file.h"

#include <string.h>

/* One instruction a line: "LINE-END KEYWORD{flags}[arg|arg]<<name:content". */
static char *describe(const Dockerfile *file)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < file->instructions->len; i++) {
        const Instruction *in = file->instructions->pdata[i];
        const Instruction *holder = in->onbuild != NULL ? in->onbuild : in;
        g_autofree char *flags = g_strjoinv("|", in->flags);
        g_autofree char *args = g_strjoinv("|", in->args);
        g_string_append_printf(out, "%s%d-%d %s{%s}%s[%s]", i > 0 ? "\n" : "", in->line,
                               in->end_line, in->keyword, flags, in->json ? "j" : "", args);
        for (guint h = 0; h < holder->heredocs->len; h++) {
            const Heredoc *doc = holder->heredocs->pdata[h];
            g_string_append_printf(out, "<<%s%s%s:%s", doc->chomp ? "-" : "",
                                   doc->expand ? "" : "'", doc->name, doc->content);
        }
    }
    return g_string_free(out, FALSE);
}

typedef struct {
    const char *label, *text;
    const char *tree; /* or the error's message, which begins with "D:" */
} ParseCase;

static const ParseCase parse_cases[] = {
    {"plain", "FROM a\nRUN b  c \n", "1-1 FROM{}[a]\n2-2 RUN{}[b  c]"},
    {"bom",
     "\xef\xbb\xbf"
     "FROM a",
     "1-1 FROM{}[a]"},
    {"crlf", "FROM a\r\nRUN b\r\n", "1-1 FROM{}[a]\n2-2 RUN{}[b]"},
    {"case", "from a As b", "1-1 FROM{}[a|As|b]"},
    {"continuation", "RUN a \\\n  b", "1-2 RUN{}[a   b]"},
    {"continuation-blanks", "RUN a \\ \t\nb", "1-2 RUN{}[a b]"},
    {"escaped-escape", "RUN a \\\\\nRUN b", "1-1 RUN{}[a \\\\]\n2-2 RUN{}[b]"},
    {"comment-inside", "RUN a \\\n# no\n  b\nRUN c", "1-3 RUN{}[a   b]\n4-4 RUN{}[c]"},
    {"blank-inside", "RUN a \\\n\n b", "1-3 RUN{}[a  b]"},
    {"hash-is-text", "RUN a #b", "1-1 RUN{}[a #b]"},
    {"backtick", "# escape=`\nRUN a `\nb\\\nRUN c", "2-3 RUN{}[a b\\]\n4-4 RUN{}[c]"},
    {"escape-late", "#x\n# escape=`\nRUN a \\\nb", "3-4 RUN{}[a b]"},
    {"unknown-directive", "# foo=1\n# escape=`\nRUN a \\\nb", "3-4 RUN{}[a b]"},
    {"flags", "COPY --from=a --chmod=\"0 1\" b c", "1-1 COPY{--from=a|--chmod=0 1}[b|c]"},
    {"flags-end", "RUN --network=none -- --x", "1-1 RUN{--network=none}[--x]"},
    {"json", "CMD [\"a\", \"b c\"]", "1-1 CMD{}j[a|b c]"},
    {"json-empty", "CMD []", "1-1 CMD{}j[]"},
    {"json-broken", "CMD ['a']", "1-1 CMD{}[['a']]"},
    {"json-copy", "COPY [\"a b\", \"c\"]", "1-1 COPY{}j[a b|c]"},
    {"env", "ENV a=b c=\"d e\" f=g\\ h", "1-1 ENV{}[a|b|c|\"d e\"|f|g\\ h]"},
    {"env-legacy", "ENV a b  c=d", "1-1 ENV{}[a|b  c=d]"},
    {"arg", "ARG a b=\"c d\"", "1-1 ARG{}[a|b=\"c d\"]"},
    {"expose", "EXPOSE 80 90/udp", "1-1 EXPOSE{}[80|90/udp]"},
    {"healthcheck", "HEALTHCHECK --interval=1s cmd [\"a\"]",
     "1-1 HEALTHCHECK{--interval=1s}j[CMD|a]"},
    {"healthcheck-text", "HEALTHCHECK CMD a b", "1-1 HEALTHCHECK{}[CMD|a b]"},
    {"healthcheck-none", "HEALTHCHECK NONE", "1-1 HEALTHCHECK{}[NONE]"},
    {"onbuild", "ONBUILD RUN a", "1-1 ONBUILD{}[RUN a]"},
    {"heredoc", "RUN <<EOF\na\nEOF\nRUN b", "1-3 RUN{}[<<EOF]<<EOF:a\n\n4-4 RUN{}[b]"},
    {"heredoc-two", "COPY <<A <<'B' /x/\n1\nA\n2\nB", "1-5 COPY{}[<<A|<<'B'|/x/]<<A:1\n<<'B:2\n"},
    {"heredoc-chomp", "RUN <<-E\n\ta\n\tE", "1-3 RUN{}[<<-E]<<-E:a\n"},
    {"heredoc-comment", "RUN <<E\n# a \\\nE", "1-3 RUN{}[<<E]<<E:# a \\\n"},
    {"heredoc-onbuild", "ONBUILD COPY <<E /x\na\nE", "1-3 ONBUILD{}[COPY <<E /x]<<E:a\n"},
    {"here-string", "RUN a <<<b", "1-1 RUN{}[a <<<b]"},
    {"heredoc-quoted-text", "RUN echo '<<E'", "1-1 RUN{}[echo '<<E']"},
    {"heredoc-shift", "RUN echo $((1<<2))", "1-1 RUN{}[echo $((1<<2))]"},
    {"heredoc-no-instruction", "CMD a <<E", "1-1 CMD{}[a <<E]"},
    {"empty", "", "D:1:1: the Dockerfile cannot be empty, expected FROM"},
    {"only-comments", "# a\n", "D:1:1: file with no instructions, expected FROM"},
    {"unknown", "FROM a\n  FOM b", "D:2:3: unknown instruction: FOM (did you mean FROM?)"},
    {"directive-twice", "# escape=`\n# escape=`\nFROM a",
     "D:2:3: only one escape parser directive can be used"},
    {"escape-bad", "# escape=x\nFROM a", "D:1:10: invalid escape token 'x', expected \\ or `"},
    {"unterminated", "RUN <<E\na", "D:1:5: unterminated heredoc, expected a line 'E'"},
    {"env-no-equals", "ENV a=b \\\n  c", "D:2:3: can't find = in \"c\", expected name=value"},
    {"json-number", "RUN [1]",
     "D:1:5: when using JSON array syntax, arrays must be comprised of strings only, expected "
     "[\"…\", …]"},
    {"check-order", "RUN a\nFROM b",
     "D:1:1: no build stage in current context, expected FROM before RUN"},
    {"check-flag", "FROM a\nRUN --x b",
     "D:2:5: unknown flag: --x, expected a flag of this instruction"},
    {"check-flag-twice", "FROM a\nCOPY --from=a --from=b c d",
     "D:2:15: duplicate flag specified: from"},
    {"check-flag-value", "FROM a\nCOPY --from c d",
     "D:2:6: missing a value on flag: from, expected --from=…"},
    {"check-flag-boolean", "FROM a\nCOPY --link=1 c d",
     "D:2:6: expecting boolean value for flag link, not: 1"},
    {"check-from", "FROM a b",
     "D:1:6: FROM requires either one or three arguments; expected FROM IMAGE [AS NAME]"},
    {"check-onbuild", "FROM a\nONBUILD FROM b", "D:2:9: FROM isn't allowed as an ONBUILD trigger"},
};

static void test_parse(const void *data)
{
    const ParseCase *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(Dockerfile) file = dockerfile_parse("D", c->text, strlen(c->text), &error);
    if (file != NULL && g_str_has_prefix(c->tree, "D:"))
        g_assert_false(dockerfile_check(file, &error));
    g_autofree char *tree = error != NULL ? g_strdup(error->message) : describe(file);
    g_assert_cmpstr(tree, ==, c->tree);
}

typedef struct {
    const char *word;
    const char *value; /* words joined by '|' for SPLIT; "!message" for an error */
    bool split;
} ExpandCase;

static const ExpandCase expand_cases[] = {
    {"$a", "A", false},
    {"${a}x", "Ax", false},
    {"$unset", "", false},
    {"$1x", "x", false},
    {"${unset:-w}", "w", false},
    {"${empty:-w}", "w", false},
    {"${empty-w}", "", false},
    {"${a:-w}", "A", false},
    {"${a:+w}", "w", false},
    {"${empty:+w}", "", false},
    {"${empty+w}", "w", false},
    {"${unset+w}", "", false},
    {"${unset:-${b:-$a}}", "A", false},
    {"${unset:?}", "!unset: is not allowed to be empty", false},
    {"${unset?no}", "!unset: no", false},
    {"${p#*/}", "b/c", false},
    {"${p##*/}", "c", false},
    {"${p%/*}", "a/b", false},
    {"${p%%/*}", "a", false},
    {"${p/\\//-}", "a-b/c", false},
    {"${p//\\//-}", "a-b-c", false},
    {"'$a'", "$a", false},
    {"\"$a\"", "A", false},
    {"\"\\$a\"", "$a", false},
    {"\"\\x\"", "\\x", false},
    {"\\$a", "$a", false},
    {"a\\", "a", false},
    {"$", "$", false},
    {"$.", "$.", false},
    {"$@", "", false},
    {"${}", "!syntax error: missing or unsupported parameter name in ${…}", false},
    {"${a", "!syntax error: missing '}'", false},
    {"${a=b}", "!unsupported modifier (=) in substitution of 'a'", false},
    {"'a", "!unexpected end of statement while looking for matching single-quote", false},
    {"\"a", "!unexpected end of statement while looking for matching double-quote", false},
    {"<<E", "<<E", false},
    {"$ports", "80|90", true},
    {"\"$ports\"", "80 90", true},
    {"a b", "a|b", true},
    {"''", "", true},
};

static const char *lookup(void *data, const char *name)
{
    static const char *const values[][2] = {
        {"a", "A"}, {"empty", ""}, {"p", "a/b/c"}, {"ports", "80 90"}};
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        if (g_str_equal(values[i][0], name))
            return values[i][1];
    return NULL;
}

static void test_expand(const void *data)
{
    const ExpandCase *c = data;
    ExpandScope scope = {'\\', lookup, NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *value = NULL;
    if (c->split) {
        g_auto(GStrv) words = expand_words(&scope, c->word, &error);
        value = words != NULL ? g_strjoinv("|", words) : NULL;
    } else {
        value = expand_word(&scope, c->word, &error);
    }
    if (error != NULL)
        value = g_strconcat("!", error->message, NULL);
    g_assert_cmpstr(value, ==, c->value);
}

typedef struct {
    const char *patterns, *path;
    bool excluded;
} IgnoreCase;

static const IgnoreCase ignore_cases[] = {
    {"foo", "foo", true},        {"foo", "a/foo", false},
    {"foo", "foo/b", true},      {"/foo", "foo", true},
    {"foo/", "foo", true},       {"*.md", "a.md", true},
    {"*.md", "a/b.md", false},   {"*.md", ".md", true},
    {"**/*.md", "a/b.md", true}, {"**/*.md", "b.md", true},
    {"**/x", "x", true},         {"**/x", "a/b/x", true},
    {"**/x", "ax", false},       {"a/**", "a/b/c", true},
    {"a/**", "a", false},        {"a/**/c", "a/c", true},
    {"a/**/c", "a/b/b/c", true}, {"a?", "ab", true},
    {"a?", "a/", false},         {"[a-c]x", "bx", true},
    {"[^a-c]x", "bx", false},    {"# c\nfoo", "foo", true},
    {" # c", "# c", true},       {"*\n!keep", "keep", false},
    {"*\n!keep", "other", true}, {"a\n!a/b", "a/b", false},
    {"a\n!a/b", "a/c", true},    {"!a\na", "a", true},
    {"../foo", "foo", true},     {".", "a", false},
    {"./a/./b", "a/b", true},    {"a\\*", "a*", true},
    {"a\\*", "ab", false},       {"*/temp*", "x/temporary/y", true},
    {"**", "a/b", true},
};

static void test_ignore(const void *data)
{
    const IgnoreCase *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(IgnoreFile) file = ignore_file_parse("I", c->patterns, &error);
    g_assert_no_error(error);
    g_assert_cmpint(file != NULL && ignore_file_excludes(file, c->path), ==, c->excluded);
}

static void test_ignore_rest(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(ignore_file_parse("I", "a\n!", &error));
    g_assert_cmpstr(error->message, ==, "I:2:1: illegal exclusion pattern: \"!\"");
    g_autoptr(IgnoreFile) file = ignore_file_parse("I", "a\n!a/b/c\n!**/k", NULL);
    g_assert_true(ignore_file_may_include_below(file, "a"));
    g_autoptr(IgnoreFile) other = ignore_file_parse("I", "a\n!b/c", NULL);
    g_assert_false(ignore_file_may_include_below(other, "a"));
    g_assert_true(path_pattern_matches("a*[0-9]", "ab7"));
    g_assert_false(path_pattern_matches("*", "a/b"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < G_N_ELEMENTS(parse_cases); i++) {
        g_autofree char *path = g_strdup_printf("/dockerfile/%s", parse_cases[i].label);
        g_test_add_data_func(path, &parse_cases[i], test_parse);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(expand_cases); i++) {
        g_autofree char *path = g_strdup_printf("/expand/%zu", i);
        g_test_add_data_func(path, &expand_cases[i], test_expand);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(ignore_cases); i++) {
        g_autofree char *path = g_strdup_printf("/ignore/%zu", i);
        g_test_add_data_func(path, &ignore_cases[i], test_ignore);
    }
    g_test_add_func("/ignore/rest", test_ignore_rest);
    return g_test_run();
}
