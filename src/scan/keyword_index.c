/* States are rows of a table with one column a byte class: bytes that occur in no word share one.
 * Row 0 is the root. */
#include "scan/keyword_index.h"

#include <string.h>

#define STATES_MAX 65535

typedef struct {
    guint value;
    guint16 length;
    gint32 next; /* further outputs of the state; -1: none */
} Output;

struct KeywordIndex {
    guint8 class_of[256];
    guint classes;
    GArray *words;   /* Word, until the table is made */
    guint16 *next;   /* [state * classes + class] */
    gint32 *outputs; /* [state]: its first output; -1: none */
    GArray *output_list;
};

typedef struct {
    char *text;
    guint value;
} Word;

KeywordIndex *keyword_index_new(void)
{
    KeywordIndex *index = g_new0(KeywordIndex, 1);
    index->classes = 1;
    index->words = g_array_new(FALSE, FALSE, sizeof(Word));
    index->output_list = g_array_new(FALSE, FALSE, sizeof(Output));
    return index;
}

void keyword_index_free(KeywordIndex *index)
{
    if (index == NULL)
        return;
    for (guint i = 0; i < index->words->len; i++)
        g_free(g_array_index(index->words, Word, i).text);
    g_array_unref(index->words);
    g_array_unref(index->output_list);
    g_free(index->next);
    g_free(index->outputs);
    g_free(index);
}

void keyword_index_add(KeywordIndex *index, const char *word, guint value)
{
    g_assert(index->next == NULL && *word != '\0');
    for (const char *p = word; *p != '\0'; p++) {
        guint8 lower = (guint8) g_ascii_tolower(*p), upper = (guint8) g_ascii_toupper(*p);
        if (index->class_of[lower] == 0)
            index->class_of[lower] = index->class_of[upper] = (guint8) index->classes++;
    }
    Word added = {g_ascii_strdown(word, -1), value};
    g_array_append_val(index->words, added);
}

static void add_output(KeywordIndex *index, guint state, guint value, size_t length)
{
    Output output = {value, (guint16) length, index->outputs[state]};
    index->outputs[state] = (gint32) index->output_list->len;
    g_array_append_val(index->output_list, output);
}

static guint build_trie(KeywordIndex *index)
{
    guint states = 1;
    for (guint i = 0; i < index->words->len; i++) {
        const Word *word = &g_array_index(index->words, Word, i);
        guint state = 0;
        for (const char *p = word->text; *p != '\0'; p++) {
            guint16 *slot = &index->next[state * index->classes + index->class_of[(guint8) *p]];
            if (*slot == 0)
                *slot = (guint16) states++;
            state = *slot;
        }
        add_output(index, state, word->value, strlen(word->text));
    }
    return states;
}

/* A state also gives what its longest proper suffix gives: the lists are joined, which is safe as
 * suffixes are finished first (breadth first). */
static void link_suffixes(KeywordIndex *index, guint states)
{
    g_autofree guint *queue = g_new(guint, states), *fail = g_new0(guint, states);
    guint head = 0, tail = 0;
    for (guint c = 0; c < index->classes; c++)
        if (index->next[c] != 0)
            queue[tail++] = index->next[c];
    while (head < tail) {
        guint state = queue[head++];
        for (guint c = 0; c < index->classes; c++) {
            guint16 *slot = &index->next[state * index->classes + c];
            guint16 beside = index->next[fail[state] * index->classes + c];
            if (*slot == 0) {
                *slot = beside;
                continue;
            }
            fail[*slot] = beside;
            queue[tail++] = *slot;
            gint32 *last = &index->outputs[*slot];
            while (*last >= 0)
                last = &g_array_index(index->output_list, Output, *last).next;
            *last = index->outputs[beside];
        }
    }
}

static void build(KeywordIndex *index)
{
    size_t bytes = 1;
    for (guint i = 0; i < index->words->len; i++)
        bytes += strlen(g_array_index(index->words, Word, i).text);
    g_assert(bytes <= STATES_MAX);
    index->next = g_new0(guint16, bytes * index->classes);
    index->outputs = g_new(gint32, bytes);
    memset(index->outputs, 0xff, bytes * sizeof *index->outputs);
    link_suffixes(index, build_trie(index));
    for (guint i = 0; i < index->words->len; i++)
        g_free(g_array_index(index->words, Word, i).text);
    g_array_set_size(index->words, 0);
}

void keyword_index_search(KeywordIndex *index, const char *bytes, size_t length,
                          void (*hit)(void *data, guint value, size_t start), void *data)
{
    if (index->next == NULL)
        build(index);
    guint state = 0;
    for (size_t i = 0; i < length; i++) {
        state = index->next[state * index->classes + index->class_of[(guint8) bytes[i]]];
        for (gint32 o = index->outputs[state]; o >= 0;) {
            const Output *output = &g_array_index(index->output_list, Output, o);
            hit(data, output->value, i + 1 - output->length);
            o = output->next;
        }
    }
}
