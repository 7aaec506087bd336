/* parser.c - lines to instructions: directives, comments, continuations, heredocs, arguments. */
#include "dockerfile/dockerfile.h"
#include "dockerfile/dockerfile_words.h"

#include "base/error.h"

#include <string.h>

typedef struct {
    Dockerfile *file;
    const char **lines; /* each ends at a NUL */
    size_t count, next; /* NEXT is the index of the line to read; its number is NEXT + 1 */
} Reader;

typedef enum {
    FORM_TEXT,
    FORM_WORDS,
    FORM_JSON_OR_WORDS,
    FORM_JSON_OR_TEXT,
    FORM_PAIRS,
    FORM_ARG,
    FORM_HEALTHCHECK,
    FORM_ONBUILD
} ArgumentForm;

static const struct {
    const char *keyword;
    ArgumentForm form;
    bool heredocs;
} forms[] = {
    {"ADD", FORM_JSON_OR_WORDS, true},
    {"ARG", FORM_ARG, false},
    {"CMD", FORM_JSON_OR_TEXT, false},
    {"COPY", FORM_JSON_OR_WORDS, true},
    {"ENTRYPOINT", FORM_JSON_OR_TEXT, false},
    {"ENV", FORM_PAIRS, false},
    {"EXPOSE", FORM_WORDS, false},
    {"FROM", FORM_WORDS, false},
    {"HEALTHCHECK", FORM_HEALTHCHECK, false},
    {"LABEL", FORM_PAIRS, false},
    {"MAINTAINER", FORM_TEXT, false},
    {"ONBUILD", FORM_ONBUILD, false},
    {"RUN", FORM_JSON_OR_TEXT, true},
    {"SHELL", FORM_JSON_OR_TEXT, false},
    {"STOPSIGNAL", FORM_TEXT, false},
    {"USER", FORM_TEXT, false},
    {"VOLUME", FORM_JSON_OR_WORDS, false},
    {"WORKDIR", FORM_TEXT, false},
};

static void instruction_free(Instruction *instruction)
{
    if (instruction == NULL)
        return;
    g_free(instruction->keyword);
    g_free(instruction->word);
    g_strfreev(instruction->flags);
    g_strfreev(instruction->args);
    g_free(instruction->rest);
    g_free(instruction->original);
    g_ptr_array_unref(instruction->heredocs);
    instruction_free(instruction->onbuild);
    g_array_unref(instruction->segments);
    g_free(instruction);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Instruction, instruction_free)

static Instruction *instruction_new(void)
{
    Instruction *instruction = g_new0(Instruction, 1);
    instruction->heredocs = g_ptr_array_new_with_free_func((GDestroyNotify) heredoc_free);
    instruction->segments = g_array_new(FALSE, FALSE, sizeof(InstructionSegment));
    return instruction;
}

static void comment_clear(void *comment)
{
    g_free(((DockerfileComment *) comment)->text);
}

static bool fail_at(const Dockerfile *file, int line, int column, GError **error, const char *text)
{
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "%s:%d:%d: %s", file->name, line,
                column, text);
    return false;
}

void instruction_locate(const Instruction *instruction, size_t offset, int *line, int *column)
{
    const InstructionSegment *best = NULL;
    for (guint i = 0; i < instruction->segments->len; i++) {
        const InstructionSegment *s = &g_array_index(instruction->segments, InstructionSegment, i);
        if (best == NULL || s->offset <= (gssize) offset)
            best = s;
    }
    *line = best != NULL ? best->line : instruction->line;
    *column = best != NULL ? best->column + (int) ((gssize) offset - best->offset) : 1;
}

bool instruction_error(const Dockerfile *dockerfile, const Instruction *instruction, size_t offset,
                       GError **error, const char *format, ...)
{
    int line, column;
    instruction_locate(instruction, offset, &line, &column);
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return fail_at(dockerfile, line, column, error, text);
}

const char *instruction_flag(const Instruction *instruction, const char *name)
{
    size_t length = strlen(name);
    for (char **flag = instruction->flags; *flag != NULL; flag++) {
        const char *text = *flag + 2;
        if (strncmp(text, name, length) == 0 && (text[length] == '=' || text[length] == '\0'))
            return text[length] == '=' ? text + length + 1 : "";
    }
    return NULL;
}

/* Where the continuation of LINE begins (its escape character), or -1 when it ends here. */
static gssize continuation_at(const char *line, char escape)
{
    size_t end = strlen(line);
    while (end > 0 && (line[end - 1] == ' ' || line[end - 1] == '\t'))
        end--;
    if (end == 0 || line[end - 1] != escape || (end > 1 && line[end - 2] == escape))
        return -1;
    return (gssize) end - 1;
}

static const char *skip_blanks(const char *text)
{
    while (is_dockerfile_blank(*text))
        text++;
    return text;
}

static void keep_comment(Reader *reader, const char *text)
{
    DockerfileComment comment = {(int) reader->next + 1, g_strdup(text + 1)};
    g_array_append_val(reader->file->comments, comment);
}

static void append_line(Instruction *instruction, GString *text, const char *line, size_t length,
                        int number, int column)
{
    InstructionSegment segment = {(gssize) text->len, number, column};
    g_array_append_val(instruction->segments, segment);
    g_string_append_len(text, line, (gssize) length);
}

/* Reads the logical line that begins at the next line (not blank, no comment). */
static void read_logical_line(Reader *reader, Instruction *instruction)
{
    GString *text = g_string_new(NULL);
    char escape = reader->file->escape;
    instruction->line = (int) reader->next + 1;
    bool first = true, more = true;
    while (more && reader->next < reader->count) {
        const char *line = reader->lines[reader->next];
        const char *word = skip_blanks(line);
        if (!first && (*word == '\0' || *word == '#')) {
            if (*word == '#') {
                keep_comment(reader, word);
            } else {
                int number = (int) reader->next + 1;
                g_array_append_val(reader->file->empty_continuations, number);
            }
            reader->next++;
            continue;
        }
        const char *start = first ? word : line;
        gssize cut = continuation_at(start, escape);
        more = cut >= 0;
        append_line(instruction, text, start, more ? (size_t) cut : strlen(start),
                    (int) reader->next + 1, (int) (start - line) + 1);
        reader->next++;
        first = false;
    }
    while (text->len > 0 && is_dockerfile_blank(text->str[text->len - 1]))
        g_string_truncate(text, text->len - 1);
    instruction->end_line = (int) reader->next;
    instruction->original = g_string_free(text, FALSE);
}

static guint edit_distance(const char *a, const char *b)
{
    guint row[32];
    size_t n = MIN(strlen(b), G_N_ELEMENTS(row) - 1);
    for (size_t j = 0; j <= n; j++)
        row[j] = (guint) j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        guint diagonal = row[0];
        row[0] = (guint) i;
        for (size_t j = 1; j <= n; j++) {
            guint replace = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(MIN(row[j] + 1, row[j - 1] + 1), replace);
        }
    }
    return row[n];
}

static bool fail_unknown(const Dockerfile *file, const Instruction *instruction, GError **error)
{
    const char *nearest = NULL;
    guint best = 3;
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        guint distance = edit_distance(instruction->keyword, forms[i].keyword);
        if (distance < best) {
            best = distance;
            nearest = forms[i].keyword;
        }
    }
    if (nearest != NULL)
        return instruction_error(file, instruction, 0, error,
                                 "unknown instruction: %s (did you mean %s?)", instruction->word,
                                 nearest);
    return instruction_error(file, instruction, 0, error,
                             "unknown instruction: %s, expected one of FROM, RUN, COPY, …",
                             instruction->word);
}

static char **steal_words(GPtrArray *words)
{
    g_ptr_array_add(words, NULL);
    return (char **) g_ptr_array_free(words, FALSE);
}

static char **single(const char *text)
{
    char **args = g_new0(char *, 2);
    args[0] = *text != '\0' ? g_strdup(text) : NULL;
    return args;
}

/* ENV and LABEL: `k=v …`, or `key rest`. */
static bool parse_pairs(const Dockerfile *file, Instruction *in, GError **error)
{
    g_autoptr(GPtrArray) words = split_quoted_words(in->rest, file->escape);
    g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(g_free);
    if (words->len > 0 && strchr(words->pdata[0], '=') == NULL) {
        const char *blank = in->rest + strcspn(in->rest, " \t\v\f\r");
        if (*skip_blanks(blank) == '\0')
            return instruction_error(file, in, in->rest_offset, error,
                                     "%s must have two arguments, expected %s name=value",
                                     in->keyword, in->keyword);
        in->legacy = true;
        g_ptr_array_add(pairs, g_strndup(in->rest, (gsize) (blank - in->rest)));
        g_ptr_array_add(pairs, g_strdup(skip_blanks(blank)));
        in->args = steal_words(g_steal_pointer(&pairs));
        return true;
    }
    for (guint i = 0; i < words->len; i++) {
        const char *word = words->pdata[i];
        const char *equals = strchr(word, '=');
        if (equals == NULL) {
            const char *at = strstr(in->rest, word);
            return instruction_error(file, in, in->rest_offset + (size_t) (at - in->rest), error,
                                     "can't find = in \"%s\", expected name=value", word);
        }
        g_ptr_array_add(pairs, g_strndup(word, (gsize) (equals - word)));
        g_ptr_array_add(pairs, g_strdup(equals + 1));
    }
    in->args = steal_words(g_steal_pointer(&pairs));
    return true;
}

static bool parse_json_or(const Dockerfile *file, Instruction *in, const char *text, bool as_words,
                          GError **error)
{
    bool not_strings;
    in->args = parse_string_array(text, &not_strings);
    in->json = in->args != NULL;
    if (not_strings)
        return instruction_error(file, in, in->rest_offset, error,
                                 "when using JSON array syntax, arrays must be comprised of "
                                 "strings only, expected [\"…\", …]");
    if (in->args == NULL)
        in->args = as_words ? steal_words(split_plain_words(text)) : single(text);
    return true;
}

/* HEALTHCHECK: the type, then CMD's command as JSON or text. */
static bool parse_healthcheck(const Dockerfile *file, Instruction *in, GError **error)
{
    size_t length = strcspn(in->rest, " \t\v\f\r");
    g_autofree char *kind = g_ascii_strup(in->rest, (gssize) length);
    if (!parse_json_or(file, in, skip_blanks(in->rest + length), false, error))
        return false;
    g_autoptr(GPtrArray) args = g_ptr_array_new();
    if (*kind != '\0')
        g_ptr_array_add(args, g_steal_pointer(&kind));
    for (char **word = in->args; *word != NULL; word++)
        g_ptr_array_add(args, *word);
    g_free(in->args);
    in->args = steal_words(g_steal_pointer(&args));
    return true;
}

static bool parse_instruction(const Dockerfile *file, Instruction *in, GError **error);

static bool parse_onbuild(const Dockerfile *file, Instruction *in, GError **error)
{
    if (*in->rest == '\0')
        return instruction_error(file, in, in->rest_offset, error,
                                 "ONBUILD requires at least one argument, expected an instruction");
    g_autoptr(Instruction) inner = instruction_new();
    inner->line = in->line;
    inner->end_line = in->end_line;
    inner->original = g_strdup(in->rest);
    for (guint i = 0; i < in->segments->len; i++) {
        InstructionSegment s = g_array_index(in->segments, InstructionSegment, i);
        s.offset -= (gssize) in->rest_offset;
        g_array_append_val(inner->segments, s);
    }
    if (!parse_instruction(file, inner, error))
        return false;
    in->args = single(in->rest);
    in->onbuild = g_steal_pointer(&inner);
    return true;
}

static bool parse_arguments(const Dockerfile *file, Instruction *in, ArgumentForm form,
                            GError **error)
{
    switch (form) {
    case FORM_WORDS:
        in->args = steal_words(split_plain_words(in->rest));
        return true;
    case FORM_JSON_OR_WORDS:
        return parse_json_or(file, in, in->rest, true, error);
    case FORM_JSON_OR_TEXT:
        return parse_json_or(file, in, in->rest, false, error);
    case FORM_PAIRS:
        return parse_pairs(file, in, error);
    case FORM_ARG:
        in->args = steal_words(split_quoted_words(in->rest, file->escape));
        return true;
    case FORM_HEALTHCHECK:
        return parse_healthcheck(file, in, error);
    case FORM_ONBUILD:
        return parse_onbuild(file, in, error);
    case FORM_TEXT:
        break;
    }
    in->args = single(in->rest);
    return true;
}

/* Fills IN from its ORIGINAL. */
static bool parse_instruction(const Dockerfile *file, Instruction *in, GError **error)
{
    size_t length = strcspn(in->original, " \t\v\f\r");
    in->word = g_strndup(in->original, length);
    in->keyword = g_ascii_strup(in->word, -1);
    g_autoptr(GPtrArray) flags = g_ptr_array_new_with_free_func(g_free);
    const char *rest = split_flags(in->original + length, file->escape, flags);
    in->flags = steal_words(g_steal_pointer(&flags));
    in->rest = g_strdup(rest);
    in->rest_offset = (size_t) (rest - in->original);
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++)
        if (g_str_equal(forms[i].keyword, in->keyword))
            return parse_arguments(file, in, forms[i].form, error);
    in->args = g_new0(char *, 1);
    return fail_unknown(file, in, error);
}

static bool takes_heredocs(const Instruction *in)
{
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++)
        if (g_str_equal(forms[i].keyword, in->keyword))
            return forms[i].heredocs && !in->json;
    return false;
}

/* Reads the content of HEREDOC up to its terminator. */
static bool read_heredoc(Reader *reader, const Instruction *in, Heredoc *heredoc, GError **error)
{
    g_autoptr(GString) content = g_string_new(NULL);
    while (reader->next < reader->count) {
        const char *line = reader->lines[reader->next++];
        if (heredoc->chomp)
            line += strspn(line, "\t");
        if (g_str_equal(line, heredoc->name)) {
            heredoc->content = g_strdup(content->str);
            return true;
        }
        g_string_append(content, line);
        g_string_append_c(content, '\n');
    }
    const char *at = strstr(in->original, "<<");
    return instruction_error(reader->file, in, at != NULL ? (size_t) (at - in->original) : 0, error,
                             "unterminated heredoc, expected a line '%s'", heredoc->name);
}

static bool read_heredocs(Reader *reader, Instruction *outer, GError **error)
{
    Instruction *in = outer;
    while (in->onbuild != NULL)
        in = in->onbuild;
    if (!takes_heredocs(in))
        return true;
    find_heredocs(in->rest, in->heredocs);
    for (guint i = 0; i < in->heredocs->len; i++)
        if (!read_heredoc(reader, outer, in->heredocs->pdata[i], error))
            return false;
    in->end_line = outer->end_line = (int) reader->next;
    return true;
}

/* One `# key=value` line. false without error: it is no known directive. */
static bool read_directive(Dockerfile *file, const char *line, int number, GError **error)
{
    const char *key = skip_blanks(line);
    if (*key != '#')
        return false;
    key = skip_blanks(key + 1);
    size_t length = 0;
    while (g_ascii_isalnum(key[length]))
        length++;
    const char *equals = skip_blanks(key + length);
    if (!g_ascii_isalpha(*key) || *equals != '=')
        return false;
    g_autofree char *value = g_strstrip(g_strdup(equals + 1));
    g_autofree char *name = g_ascii_strdown(key, (gssize) length);
    if (*value == '\0')
        return false;
    bool is_escape = g_str_equal(name, "escape");
    char **place = g_str_equal(name, "syntax")  ? &file->syntax
                   : g_str_equal(name, "check") ? &file->check
                                                : NULL;
    if (!is_escape && place == NULL)
        return false;
    g_autofree char *twice = g_strdup_printf("only one %s parser directive can be used", name);
    if ((is_escape && file->escape != '\0') || (place != NULL && *place != NULL))
        return fail_at(file, number, (int) (key - line) + 1, error, twice);
    if (place != NULL) {
        *place = g_steal_pointer(&value);
        return true;
    }
    g_autofree char *bad = g_strdup_printf("invalid escape token '%s', expected \\ or `", value);
    if (!g_str_equal(value, "\\") && !g_str_equal(value, "`"))
        return fail_at(file, number, (int) (equals - line) + 2, error, bad);
    file->escape = value[0];
    return true;
}

static bool read_directives(Reader *reader, GError **error)
{
    GError *problem = NULL;
    for (size_t i = 0; i < reader->count; i++)
        if (!read_directive(reader->file, reader->lines[i], (int) i + 1, &problem))
            break;
    if (reader->file->escape == '\0')
        reader->file->escape = '\\';
    if (problem == NULL)
        return true;
    g_propagate_error(error, problem);
    return false;
}

static bool read_instructions(Reader *reader, GError **error)
{
    while (reader->next < reader->count) {
        const char *word = skip_blanks(reader->lines[reader->next]);
        if (*word == '\0' || *word == '#') {
            if (*word == '#')
                keep_comment(reader, word);
            reader->next++;
            continue;
        }
        Instruction *in = instruction_new();
        read_logical_line(reader, in);
        if (*in->original == '\0') {
            instruction_free(in);
            continue;
        }
        g_ptr_array_add(reader->file->instructions, in);
        if (!parse_instruction(reader->file, in, error) || !read_heredocs(reader, in, error))
            return false;
    }
    if (reader->file->instructions->len > 0)
        return true;
    return fail_at(reader->file, 1, 1, error, "file with no instructions, expected FROM");
}

/* Cuts TEXT into lines in place. */
static const char **cut_lines(char *text, size_t *count)
{
    GPtrArray *lines = g_ptr_array_new();
    for (char *line = text; *line != '\0';) {
        g_ptr_array_add(lines, line);
        char *end = strchr(line, '\n');
        char *next = end != NULL ? end + 1 : line + strlen(line);
        if (end == NULL)
            end = next;
        if (end > line && end[-1] == '\r')
            end--;
        *end = '\0';
        line = next;
    }
    *count = lines->len;
    return (const char **) g_ptr_array_free(lines, FALSE);
}

Dockerfile *dockerfile_parse(const char *name, const char *text, size_t length, GError **error)
{
    g_autoptr(Dockerfile) file = g_new0(Dockerfile, 1);
    file->name = g_strdup(name);
    file->instructions = g_ptr_array_new_with_free_func((GDestroyNotify) instruction_free);
    file->comments = g_array_new(FALSE, FALSE, sizeof(DockerfileComment));
    g_array_set_clear_func(file->comments, comment_clear);
    file->empty_continuations = g_array_new(FALSE, FALSE, sizeof(int));
    if (length == 0) {
        fail_at(file, 1, 1, error, "the Dockerfile cannot be empty, expected FROM");
        return NULL;
    }
    if (memchr(text, '\0', length) != NULL) {
        fail_at(file, 1, 1, error, "it holds a NUL byte, expected text");
        return NULL;
    }
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        length -= 3;
    }
    g_autofree char *copy = g_strndup(text, length);
    Reader reader = {.file = file};
    g_autofree const char **lines = cut_lines(copy, &reader.count);
    reader.lines = lines;
    if (!read_directives(&reader, error) || !read_instructions(&reader, error))
        return NULL;
    return g_steal_pointer(&file);
}

Dockerfile *dockerfile_parse_trigger(const char *name, const char *text, GError **error)
{
    return dockerfile_parse(name, text, strlen(text), error);
}

void dockerfile_free(Dockerfile *dockerfile)
{
    if (dockerfile == NULL)
        return;
    g_free(dockerfile->name);
    g_free(dockerfile->syntax);
    g_free(dockerfile->check);
    g_ptr_array_unref(dockerfile->instructions);
    g_array_unref(dockerfile->comments);
    g_array_unref(dockerfile->empty_continuations);
    g_free(dockerfile);
}
