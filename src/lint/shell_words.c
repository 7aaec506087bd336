#include "lint/shell_words.h"

#include <string.h>

#define DEPTH_LIMIT 50

typedef struct {
    const char *start, *at;
    ShellText *shell;
    int depth;
} Lexer;

static void word_free(ShellWord *word)
{
    g_free(word->text);
    g_free(word);
}

static void command_free(ShellCommand *command)
{
    g_ptr_array_unref(command->words);
    g_ptr_array_unref(command->assignments);
    g_free(command);
}

void shell_text_free(ShellText *shell)
{
    if (shell == NULL)
        return;
    g_ptr_array_unref(shell->commands);
    g_free(shell);
}

static void read_commands(Lexer *lexer, char end);

/* At "$(" or a backquote: the commands inside count as commands. */
static void read_substitution(Lexer *lexer, GString *text)
{
    const char *from = lexer->at;
    if (g_str_has_prefix(lexer->at, "$((")) {
        const char *close = strstr(lexer->at, "))");
        lexer->at = close != NULL ? close + 2 : lexer->at + strlen(lexer->at);
    } else {
        char end = *lexer->at == '`' ? '`' : ')';
        lexer->at += *lexer->at == '`' ? 1 : 2;
        if (++lexer->depth < DEPTH_LIMIT)
            read_commands(lexer, end);
        lexer->depth--;
    }
    g_string_append_len(text, from, lexer->at - from);
}

/* At "${": up to the matching brace. */
static void read_parameter(Lexer *lexer, GString *text)
{
    int open = 0;
    do {
        if (*lexer->at == '{')
            open++;
        else if (*lexer->at == '}')
            open--;
        g_string_append_c(text, *lexer->at++);
    } while (*lexer->at != '\0' && (open > 0 || lexer->at[-1] == '$'));
}

static void read_double_quoted(Lexer *lexer, GString *text)
{
    for (lexer->at++; *lexer->at != '\0' && *lexer->at != '"';) {
        if (*lexer->at == '\\' && lexer->at[1] != '\0' && strchr("\"\\$`\n", lexer->at[1])) {
            g_string_append_c(text, lexer->at[1]);
            lexer->at += 2;
        } else if (g_str_has_prefix(lexer->at, "$(") || *lexer->at == '`') {
            read_substitution(lexer, text);
        } else if (g_str_has_prefix(lexer->at, "${")) {
            read_parameter(lexer, text);
        } else {
            g_string_append_c(text, *lexer->at++);
        }
    }
    if (*lexer->at == '"')
        lexer->at++;
}

static void read_single_quoted(Lexer *lexer, GString *text)
{
    const char *close = strchr(lexer->at + 1, '\'');
    if (close == NULL)
        close = lexer->at + strlen(lexer->at);
    g_string_append_len(text, lexer->at + 1, close - lexer->at - 1);
    lexer->at = *close != '\0' ? close + 1 : close;
}

static bool ends_word(char c, char end)
{
    return c == '\0' || c == end || strchr(" \t\r\n;&|<>()", c) != NULL;
}

/* The word at the lexer; NULL when none stands there. */
static ShellWord *read_word(Lexer *lexer, char end)
{
    size_t offset = (size_t) (lexer->at - lexer->start);
    GString *text = g_string_new(NULL);
    bool any = false;
    while (!ends_word(*lexer->at, end)) {
        any = true;
        if (*lexer->at == '\'') {
            read_single_quoted(lexer, text);
        } else if (*lexer->at == '"') {
            read_double_quoted(lexer, text);
        } else if (*lexer->at == '\\') {
            if (lexer->at[1] != '\0' && lexer->at[1] != '\n')
                g_string_append_c(text, lexer->at[1]);
            lexer->at += lexer->at[1] != '\0' ? 2 : 1;
        } else if (g_str_has_prefix(lexer->at, "$(") || (*lexer->at == '`' && end != '`')) {
            read_substitution(lexer, text);
        } else if (g_str_has_prefix(lexer->at, "${")) {
            read_parameter(lexer, text);
        } else {
            g_string_append_c(text, *lexer->at++);
        }
    }
    if (!any) {
        g_string_free(text, TRUE);
        return NULL;
    }
    ShellWord *word = g_new0(ShellWord, 1);
    *word = (ShellWord){g_string_free(text, FALSE), offset};
    return word;
}

static bool is_assignment(const char *text)
{
    size_t length = 0;
    while (g_ascii_isalnum(text[length]) || text[length] == '_')
        length++;
    return length > 0 && !g_ascii_isdigit(*text) && text[length] == '=';
}

static bool is_keyword(const char *text)
{
    static const char *const keywords[] = {"if",    "then",  "else", "elif", "fi", "do",   "done",
                                           "while", "until", "{",    "}",    "!",  "esac", NULL};
    return g_strv_contains(keywords, text);
}

/* `for x in …` and `case x in` have no command before the next `;` or line end. */
static bool is_header(const char *text)
{
    return g_str_equal(text, "for") || g_str_equal(text, "case") || g_str_equal(text, "select") ||
           g_str_equal(text, "function");
}

/* A redirection at the lexer is stepped over, its target too; here-documents' bodies are. */
static bool skip_redirection(Lexer *lexer, char end)
{
    if (*lexer->at != '<' && *lexer->at != '>')
        return false;
    bool document = g_str_has_prefix(lexer->at, "<<") && lexer->at[2] != '<';
    lexer->at += strspn(lexer->at, "<>&|-");
    lexer->at += strspn(lexer->at, " \t");
    ShellWord *target = read_word(lexer, end);
    if (target == NULL)
        return true;
    const char *line = document ? strchr(lexer->at, '\n') : NULL;
    for (; line != NULL && document; line = strchr(line + 1, '\n')) {
        size_t tabs = strspn(line + 1, "\t");
        size_t length = strcspn(line + 1 + tabs, "\n");
        if (strlen(target->text) == length && strncmp(line + 1 + tabs, target->text, length) == 0) {
            /* The rest of the operator's own line is lost; lint can live with that. */
            lexer->at = line + 1 + tabs + length;
            break;
        }
    }
    word_free(target);
    return true;
}

static void read_simple_command(Lexer *lexer, char end)
{
    ShellCommand *command = g_new0(ShellCommand, 1);
    command->words = g_ptr_array_new_with_free_func((GDestroyNotify) word_free);
    command->assignments = g_ptr_array_new_with_free_func(g_free);
    guint place = lexer->shell->commands->len;
    bool header = false;
    for (;;) {
        lexer->at += strspn(lexer->at, " \t\r");
        if (skip_redirection(lexer, end))
            continue;
        ShellWord *word = read_word(lexer, end);
        if (word == NULL)
            break;
        bool first = command->words->len == 0;
        if (header || (first && is_keyword(word->text))) {
            word_free(word);
        } else if (first && is_header(word->text)) {
            header = true;
            word_free(word);
        } else if (first && is_assignment(word->text)) {
            g_ptr_array_add(command->assignments, word->text);
            g_free(word);
        } else {
            g_ptr_array_add(command->words, word);
        }
    }
    if (command->words->len > 0 || command->assignments->len > 0)
        g_ptr_array_insert(lexer->shell->commands, (gint) MIN(place, lexer->shell->commands->len),
                           command);
    else
        command_free(command);
}

static void read_commands(Lexer *lexer, char end)
{
    while (*lexer->at != '\0') {
        lexer->at += strspn(lexer->at, " \t\r");
        if (*lexer->at == end && end != '\0') {
            lexer->at++;
            return;
        }
        if (*lexer->at == '#') {
            lexer->at += strcspn(lexer->at, "\n");
        } else if (*lexer->at != '\0' && strchr(";&|\n", *lexer->at) != NULL) {
            size_t length = strspn(lexer->at, ";&|\n");
            bool pipe = lexer->at[0] == '|' && lexer->at[1] != '|';
            lexer->shell->piped = lexer->shell->piped || pipe;
            lexer->shell->separators++;
            lexer->at += pipe ? 1 + (lexer->at[1] == '&') : length;
        } else if (*lexer->at == '(' || *lexer->at == ')') {
            lexer->at++;
        } else {
            read_simple_command(lexer, end);
        }
    }
}

ShellText *shell_text_parse(const char *text)
{
    ShellText *shell = g_new0(ShellText, 1);
    shell->commands = g_ptr_array_new_with_free_func((GDestroyNotify) command_free);
    Lexer lexer = {.start = text, .at = text, .shell = shell};
    read_commands(&lexer, '\0');
    return shell;
}

const char *shell_command_name(const ShellCommand *command)
{
    return command->words->len > 0 ? ((ShellWord *) command->words->pdata[0])->text : "";
}

bool shell_command_has(const ShellCommand *command, const char *word)
{
    for (guint i = 1; i < command->words->len; i++)
        if (g_str_equal(((ShellWord *) command->words->pdata[i])->text, word))
            return true;
    return false;
}

bool shell_command_has_flag(const ShellCommand *command, const char *name)
{
    size_t length = strlen(name);
    for (guint i = 1; i < command->words->len; i++) {
        const char *text = ((ShellWord *) command->words->pdata[i])->text;
        if (g_str_equal(text, "--"))
            break;
        if (text[0] != '-')
            continue;
        const char *flag = text + 1 + (text[1] == '-');
        if (strncmp(flag, name, length) == 0 && (flag[length] == '\0' || flag[length] == '='))
            return true;
        if (length == 1 && text[1] != '-' && strchr(text + 1, *name) != NULL)
            return true;
    }
    return false;
}

guint shell_command_count_flag(const ShellCommand *command, char name)
{
    guint count = 0;
    for (guint i = 1; i < command->words->len; i++) {
        const char *text = ((ShellWord *) command->words->pdata[i])->text;
        for (const char *c = text + 1; text[0] == '-' && text[1] != '-' && *c != '\0'; c++)
            count += *c == name;
    }
    return count;
}
