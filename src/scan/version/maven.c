/* Maven's ComparableVersion (3.x): a dot goes on in the same list, a dash and each change between
 * digits and letters opens a list inside it.
 *
 *   "1.0-alpha2"  →  [1, [alpha, [2]]]
 *
 * Null items (0, "", final, ga, release) are dropped from the end of a list and before lists. */
#include "scan/version/scheme.h"

#include <string.h>

typedef enum { ITEM_MISSING, ITEM_WORD, ITEM_LIST, ITEM_NUMBER } ItemKind;

typedef struct Item Item;
struct Item {
    ItemKind kind;
    Span text;        /* word or number; borrowed */
    GPtrArray *items; /* list: Item *, owned */
};

static const Item missing = {.kind = ITEM_MISSING};

static void item_free(gpointer data)
{
    Item *item = data;
    if (item->items != NULL)
        g_ptr_array_unref(item->items);
    g_free(item);
}

static Item *item_add(Item *list, ItemKind kind, Span text)
{
    Item *item = g_new0(Item, 1);
    item->kind = kind;
    item->text = text;
    if (kind == ITEM_LIST)
        item->items = g_ptr_array_new_with_free_func(item_free);
    if (list != NULL)
        g_ptr_array_add(list->items, item);
    return item;
}

/* Known words from the least; unknown ones follow by their bytes. */
static const char *const words[] = {"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"};
#define RANK_RELEASE 5

static int rank(Span word)
{
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (span_is(word, words[i]))
            return (int) i;
    return G_N_ELEMENTS(words);
}

/* Short names, which only count directly before a digit, and other spellings. */
static Span spelled_out(Span word, bool before_digit)
{
    static const char *const releases[] = {"ga", "final", "release"};
    for (size_t i = 0; i < G_N_ELEMENTS(releases); i++)
        if (span_is(word, releases[i]))
            return (Span){"", 0};
    if (before_digit && span_is(word, "a"))
        return (Span){"alpha", strlen("alpha")};
    if (before_digit && span_is(word, "b"))
        return (Span){"beta", strlen("beta")};
    if (before_digit && span_is(word, "m"))
        return (Span){"milestone", strlen("milestone")};
    return span_is(word, "cr") ? (Span){"rc", strlen("rc")} : word;
}

static bool is_null(const Item *item)
{
    switch (item->kind) {
    case ITEM_NUMBER:
        return strspn(item->text.text, "0") >= item->text.length;
    case ITEM_WORD:
        return rank(item->text) == RANK_RELEASE;
    case ITEM_LIST:
        return item->items->len == 0;
    default:
        return true;
    }
}

static void normalize(Item *list, bool is_root)
{
    for (guint i = list->items->len; i-- > 0;) {
        Item *item = g_ptr_array_index(list->items, i);
        if (is_null(item))
            g_ptr_array_remove_index(list->items, i);
        else if (item->kind != ITEM_LIST)
            break;
    }
    /* What only a dropped word kept apart is one list: 1-ga-1 is 1-1. */
    Item *only = list->items->len == 1 ? g_ptr_array_index(list->items, 0) : NULL;
    if (only != NULL && only->kind == ITEM_LIST && !is_root) {
        g_ptr_array_steal_index(list->items, 0);
        g_ptr_array_unref(list->items);
        list->items = g_steal_pointer(&only->items);
        item_free(only);
    }
}

static void add_token(Item *list, Span token, bool before_digit)
{
    if (token.length == 0)
        item_add(list, ITEM_NUMBER, (Span){"0", 1}); /* between two separators */
    else if (g_ascii_isdigit(*token.text))
        item_add(list, ITEM_NUMBER, token);
    else
        item_add(list, ITEM_WORD, spelled_out(token, before_digit));
}

/* TEXT is in lower case. */
static Item *parse(const char *text)
{
    Item *root = item_add(NULL, ITEM_LIST, (Span){NULL, 0}), *list = root;
    g_autoptr(GPtrArray) lists = g_ptr_array_new();
    g_ptr_array_add(lists, root);
    for (const char *p = text; *p != '\0';) {
        bool digits = g_ascii_isdigit(*p);
        const char *end = p;
        while (*end != '\0' && *end != '.' && *end != '-' && g_ascii_isdigit(*end) == digits)
            end++;
        add_token(list, (Span){p, (size_t) (end - p)}, g_ascii_isdigit(*end));
        p = end + (*end == '.' || *end == '-');
        if (*end != '\0' && *end != '.') {
            list = item_add(list, ITEM_LIST, (Span){NULL, 0});
            g_ptr_array_add(lists, list);
        }
    }
    while (lists->len > 0) {
        Item *last = g_ptr_array_steal_index(lists, lists->len - 1);
        normalize(last, last == root);
    }
    return root;
}

static int compare(const Item *a, const Item *b);

static int compare_lists(const Item *a, const Item *b)
{
    for (guint i = 0; i < a->items->len || i < b->items->len; i++) {
        const Item *x = i < a->items->len ? g_ptr_array_index(a->items, i) : &missing;
        const Item *y = i < b->items->len ? g_ptr_array_index(b->items, i) : &missing;
        int order = compare(x, y);
        if (order != 0)
            return order;
    }
    return 0;
}

static int compare_to_missing(const Item *item)
{
    switch (item->kind) {
    case ITEM_NUMBER:
        return is_null(item) ? 0 : 1;
    case ITEM_WORD:
        return rank(item->text) - RANK_RELEASE;
    case ITEM_LIST:
        return item->items->len == 0 ? 0 : compare_to_missing(g_ptr_array_index(item->items, 0));
    default:
        return 0;
    }
}

static int compare(const Item *a, const Item *b)
{
    if (b->kind == ITEM_MISSING)
        return compare_to_missing(a);
    if (a->kind == ITEM_MISSING)
        return -compare_to_missing(b);
    if (a->kind != b->kind)
        return (int) a->kind - (int) b->kind; /* 1.any < 1-1 < 1.1 */
    if (a->kind == ITEM_LIST)
        return compare_lists(a, b);
    if (a->kind == ITEM_NUMBER)
        return span_compare_number(a->text, b->text);
    int order = rank(a->text) - rank(b->text);
    bool known = rank(a->text) < (int) G_N_ELEMENTS(words);
    return order != 0 || known ? order : span_compare_text(a->text, b->text);
}

/* Lists nest once a token: longer texts are cut, so that nobody chooses the depth of our stack. */
#define LENGTH_MAX 1024

int maven_compare(const char *a, const char *b)
{
    g_autofree char *lower = g_ascii_strdown(a, (gssize) strnlen(a, LENGTH_MAX));
    g_autofree char *lower_b = g_ascii_strdown(b, (gssize) strnlen(b, LENGTH_MAX));
    Item *x = parse(lower), *y = parse(lower_b);
    int order = compare(x, y);
    item_free(x);
    item_free(y);
    return order;
}
