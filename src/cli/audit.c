#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/record.h"
#include "format/json.h"
#include "sign/signer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define DOCUMENT_LIMIT (16 * 1024 * 1024)

/* A column of at most WIDTH characters; digests and commits show their first digits. */
static void print_column(const char *text, int width)
{
    const char *shown = g_str_has_prefix(text, "sha256:") ? text + strlen("sha256:") : text;
    bool hex = strlen(shown) >= 40 && shown[strspn(shown, "0123456789abcdef")] == '\0';
    g_autofree char *cut =
        g_utf8_substring(shown, 0, MIN(hex ? 12 : width, (int) g_utf8_strlen(shown, -1)));
    printf("%s%*s  ", cut, MAX(width - (int) g_utf8_strlen(cut, -1), 0), "");
}

/* A value as a word of the table; NULL for what has no room there. */
static char *brief(const json_t *value)
{
    if (json_is_string(value))
        return json_string_length(value) <= 80 && strchr(json_string_value(value), '\n') == NULL
                   ? g_strdup(json_string_value(value))
                   : NULL;
    if (!json_is_array(value))
        return json_is_object(value) || json_is_null(value) ? NULL : json_compact(value);
    g_autoptr(GString) list = g_string_new(NULL);
    for (size_t i = 0; i < json_array_size(value); i++) {
        g_autofree char *item = brief(json_array_get(value, i));
        if (item != NULL)
            g_string_append_printf(list, "%s%s", list->len > 0 ? "," : "", item);
    }
    return list->len > 0 ? g_string_free(g_steal_pointer(&list), FALSE) : NULL;
}

/* What the detail says: its kind, then "key=value" words. */
static char *summarize(const json_t *detail)
{
    GString *line = g_string_new(json_get_string(detail, "kind"));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *) detail, key, value)
    {
        g_autofree char *text = g_str_equal(key, "kind") ? NULL : brief(value);
        if (text != NULL)
            g_string_append_printf(line, "%s%s=%s", line->len > 0 ? " " : "", key, text);
    }
    return g_string_free(line, FALSE);
}

static void print_table(const json_t *entries)
{
    printf("%6s  %-20s  %-16s  %-16s  %-16s  %-10s  %s\n", "SEQ", "TIME", "ACTOR", "ACTION",
           "OBJECT", "RESULT", "DETAIL");
    size_t index;
    json_t *entry;
    json_array_foreach(entries, index, entry)
    {
        g_autofree char *time = g_strndup(json_get_string(entry, "time"), 19);
        g_autofree char *detail = summarize(json_object_get(entry, "detail"));
        printf("%6" G_GINT64_FORMAT "  %sZ  ", json_get_integer(entry, "seq", -1), time);
        print_column(json_get_string(entry, "actor"), 16);
        print_column(json_get_string(entry, "action"), 16);
        print_column(json_get_string(entry, "object"), 16);
        if (detail[0] != '\0')
            print_column(json_get_string(entry, "result"), 10);
        puts(detail[0] != '\0' ? detail : json_get_string(entry, "result"));
    }
}

static int run_log(int argc, char **argv, GError **error)
{
    g_autofree char *format = NULL, *action = NULL;
    const GOptionEntry entries[] = {
        {"action", 0, 0, G_OPTION_ARG_STRING, &action, "only entries of this action", "ACTION"},
        OUTPUT_FORMAT_ROW(format),
        {0},
    };
    bool as_json;
    if (!command_parse(&command_audit_log, entries, &argc, &argv, error) ||
        !output_parse_format(format, &as_json, error))
        return EXIT_STATUS_USAGE;
    if (argc > 2)
        return command_usage_error(error, "expected at most one DIGEST, COMMIT or name");
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(Ledger) ledger = state != NULL ? ledger_open(state, NULL, error) : NULL;
    if (ledger == NULL)
        return EXIT_STATUS_NO;
    g_autofree char *object = argc == 2 ? record_find_object(state, ledger, argv[1], error) : NULL;
    if (argc == 2 && object == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(json_t) found = record_query(ledger, object, action, error);
    if (found == NULL)
        return EXIT_STATUS_NO;
    if (as_json)
        output_json_line(found);
    else
        print_table(found);
    return EXIT_STATUS_DONE;
}

/* The verifier key of --key FILE, else the state's own. */
static char *read_key(State *state, const char *path, GError **error)
{
    if (path == NULL)
        return signer_note_key(state, error);
    char *text = file_read(AT_FDCWD, path, DOCUMENT_LIMIT, NULL, error);
    return text != NULL ? g_strstrip(text) : NULL;
}

/* A checkpoint that was kept outside: the note itself, or an approval statement, which carries
 * one. */
static char *read_checkpoint(const char *path, GError **error)
{
    size_t length;
    g_autofree char *text = file_read(AT_FDCWD, path, DOCUMENT_LIMIT, &length, error);
    if (text == NULL || text[0] != '{')
        return g_steal_pointer(&text);
    g_autoptr(json_t) statement = json_parse(path, text, length, error);
    if (statement == NULL)
        return NULL;
    const char *checkpoint = json_get_string(statement, "checkpoint");
    if (checkpoint == NULL)
        g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                    "'%s' is neither a checkpoint nor a statement that carries one", path);
    return g_strdup(checkpoint);
}

static int run_verify(int argc, char **argv, GError **error)
{
    g_autofree char *checkpoint_path = NULL, *key_path = NULL;
    const GOptionEntry entries[] = {
        {"checkpoint", 0, 0, G_OPTION_ARG_FILENAME, &checkpoint_path,
         "signed checkpoint kept outside, or an approval's statement", "FILE"},
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &key_path,
         "verifier key that was kept outside (default: the state's own)", "FILE"},
        {0},
    };
    if (!command_parse(&command_audit_verify, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "unexpected '%s'", argv[1]);
    g_autofree char *checkpoint =
        checkpoint_path != NULL ? read_checkpoint(checkpoint_path, error) : NULL;
    if (checkpoint_path != NULL && checkpoint == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(Ledger) ledger = state != NULL ? ledger_open(state, NULL, error) : NULL;
    g_autofree char *key = ledger != NULL ? read_key(state, key_path, error) : NULL;
    int64_t size = 0;
    if (key == NULL || !ledger_verify(ledger, checkpoint, key, &size, error))
        return EXIT_STATUS_NO;
    printf("%" G_GINT64_FORMAT " entries verified\n", size);
    if (checkpoint == NULL)
        fprintf(stderr, "against the state's own checkpoints only; a checkpoint that was kept "
                        "elsewhere (--checkpoint) also finds a record that was rewritten whole\n");
    return EXIT_STATUS_DONE;
}

static int run_checkpoint(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_audit_checkpoint, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "unexpected '%s'", argv[1]);
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(Ledger) ledger = state != NULL ? record_open(state, error) : NULL;
    g_autofree char *note = ledger != NULL ? ledger_checkpoint(ledger, error) : NULL;
    g_autofree char *key = note != NULL ? signer_note_key(state, error) : NULL;
    if (key == NULL)
        return EXIT_STATUS_NO;
    fputs(note, stdout);
    fprintf(stderr, "verifier key: %s\n", key);
    return EXIT_STATUS_DONE;
}

/* The proof of entry SEQ, or with SINCE that the record of that checkpoint was only added to. */
static json_t *make_proof(Ledger *ledger, guint64 seq, const char *since, GError **error)
{
    if (since == NULL)
        return ledger_proof(ledger, (int64_t) seq, error);
    g_autofree char *checkpoint = read_checkpoint(since, error);
    return checkpoint != NULL ? ledger_consistency(ledger, checkpoint, error) : NULL;
}

static int run_proof(int argc, char **argv, GError **error)
{
    g_autofree char *since = NULL;
    const GOptionEntry entries[] = {
        {"since", 0, 0, G_OPTION_ARG_FILENAME, &since,
         "prove instead that this checkpoint's record was only added to", "CHECKPOINT"},
        {0},
    };
    if (!command_parse(&command_audit_proof, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    guint64 seq = 0;
    bool numbered = argc == 2 && g_ascii_string_to_unsigned(argv[1], 10, 0, G_MAXINT64, &seq, NULL);
    if (since != NULL ? argc != 1 : !numbered)
        return command_usage_error(error, "expected the number of an entry, or --since CHECKPOINT");
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(Ledger) ledger = state != NULL ? record_open(state, error) : NULL;
    g_autoptr(json_t) proof = ledger != NULL ? make_proof(ledger, seq, since, error) : NULL;
    if (proof == NULL)
        return EXIT_STATUS_NO;
    output_json_line(proof);
    return EXIT_STATUS_DONE;
}

/* Needs no state when --key is given: a proof is checked where the record is not. */
static int run_check_proof(int argc, char **argv, GError **error)
{
    g_autofree char *key_path = NULL;
    const GOptionEntry entries[] = {
        {"key", 0, 0, G_OPTION_ARG_FILENAME, &key_path,
         "verifier key of the record (default: this state's own)", "FILE"},
        {0},
    };
    if (!command_parse(&command_audit_check_proof, entries, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc != 2)
        return command_usage_error(error, "expected the FILE of a proof");
    size_t length = 0;
    g_autofree char *text = file_read(AT_FDCWD, argv[1], DOCUMENT_LIMIT, &length, error);
    g_autoptr(json_t) proof = text != NULL ? json_parse(argv[1], text, length, error) : NULL;
    if (proof == NULL)
        return EXIT_STATUS_NO;
    g_autoptr(State) state = key_path == NULL ? state_open(NULL, error) : NULL;
    if (key_path == NULL && state == NULL)
        return EXIT_STATUS_NO;
    g_autofree char *key = read_key(state, key_path, error);
    if (key == NULL)
        return EXIT_STATUS_NO;
    if (json_object_get(proof, "from") != NULL) {
        if (!ledger_check_consistency(proof, key, error))
            return EXIT_STATUS_NO;
        puts("the later record continues the earlier one");
        return EXIT_STATUS_DONE;
    }
    g_autoptr(json_t) entry = ledger_check_proof(proof, key, error);
    if (entry == NULL)
        return EXIT_STATUS_NO;
    output_json_line(entry);
    return EXIT_STATUS_DONE;
}

static int run_export(int argc, char **argv, GError **error)
{
    if (!command_parse(&command_audit_export, NULL, &argc, &argv, error))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return command_usage_error(error, "unexpected '%s'", argv[1]);
    g_autoptr(State) state = state_open(NULL, error);
    g_autoptr(Ledger) ledger = state != NULL ? ledger_open(state, NULL, error) : NULL;
    int64_t size = ledger != NULL ? ledger_size(ledger, error) : -1;
    if (size < 0)
        return EXIT_STATUS_NO;
    for (int64_t seq = 0; seq < size; seq++) {
        g_autofree char *entry = ledger_entry_text(ledger, seq, error);
        if (entry == NULL)
            return EXIT_STATUS_NO;
        puts(entry); /* the bytes that are hashed, so that others can recompute the root */
    }
    return EXIT_STATUS_DONE;
}

const Command command_audit_log = {
    .name = "audit log",
    .group = "trust",
    .operands = "[DIGEST|COMMIT|NAME]",
    .summary = "show what the record says, of everything or of one digest, commit or person",
    .run = run_log,
};

const Command command_audit_verify = {
    .name = "audit verify",
    .group = "trust",
    .summary = "recompute the record; find what was changed, cut or reordered",
    .run = run_verify,
};

const Command command_audit_checkpoint = {
    .name = "audit checkpoint",
    .group = "trust",
    .summary = "sign the record's present end, to be kept elsewhere",
    .run = run_checkpoint,
};

const Command command_audit_proof = {
    .name = "audit proof",
    .group = "trust",
    .operands = "SEQ | --since CHECKPOINT",
    .summary = "prove that an entry is in the record, or that the record only grew",
    .run = run_proof,
};

const Command command_audit_check_proof = {
    .name = "audit check-proof",
    .group = "trust",
    .operands = "FILE",
    .summary = "check what `audit proof` gave, without the record",
    .run = run_check_proof,
};

const Command command_audit_export = {
    .name = "audit export",
    .group = "trust",
    .summary = "print all entries as JSON lines, in the bytes that are hashed",
    .run = run_export,
};
