/* Files of OSV records into the database: a JSON object or array, or JSON lines; any of them may be
 * compressed. */
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "format/compress.h"
#include "format/json.h"
#include "scan/osv.h"
#include "scan/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define EXPANDED_MAX ((uint64_t) 8 << 30)
#define LINE_MAX_LENGTH ((size_t) 64 << 20)
#define CHUNK 65536

typedef struct {
    AdvisoryBuilder *builder;
    uint32_t source;
    GString *pending; /* a line, or several of one record */
    bool recognised;  /* something in it is an OSV record, even if nothing can be matched */
} FileImport;

static void take_record(FileImport *import, const json_t *record)
{
    SourceRow *source = &g_array_index(import->builder->sources, SourceRow, import->source);
    import->recognised = import->recognised || (json_get_string(record, "id") != NULL &&
                                                json_get_string(record, "modified") != NULL);
    if (!osv_add_record(import->builder, record, import->source)) {
        source->skipped++;
        return;
    }
    const RecordRow *row =
        &g_array_index(import->builder->records, RecordRow, import->builder->records->len - 1);
    source->records++;
    source->newest = MAX(source->newest, row->modified);
}

/* Takes what is pending when it is whole JSON; keeps it, and says so, when it is not. */
static bool take_pending(FileImport *import)
{
    if (strspn(import->pending->str, " \t\r\n") == import->pending->len)
        return true;
    json_t *value = json_loadb(import->pending->str, import->pending->len, 0, NULL);
    if (value == NULL)
        return false;
    size_t i = 0;
    json_t *item = NULL;
    if (json_is_array(value)) {
        json_array_foreach(value, i, item) take_record(import, item);
    } else {
        take_record(import, value);
    }
    json_decref(value);
    g_string_truncate(import->pending, 0);
    return true;
}

/* A line that begins and ends as an object is a record; other files are read to their end. */
static bool take_line(FileImport *import)
{
    const GString *pending = import->pending;
    if (pending->len == 0 || pending->str[0] != '{' || pending->str[pending->len - 1] != '}')
        return true;
    return take_pending(import);
}

static bool take_bytes(FileImport *import, const char *bytes, size_t length, GError **error)
{
    while (length > 0) {
        const char *end = memchr(bytes, '\n', length);
        size_t part = end != NULL ? (size_t) (end - bytes) : length;
        g_string_append_len(import->pending, bytes, (gssize) part);
        if (import->pending->len > LINE_MAX_LENGTH) {
            g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "a record is over %zu bytes",
                        LINE_MAX_LENGTH);
            return false;
        }
        if (end != NULL && !take_line(import))
            g_string_append_c(import->pending, '\n');
        part += end != NULL;
        bytes += part;
        length -= part;
    }
    return true;
}

static bool read_all(FileImport *import, int fd, GError **error)
{
    FdSource raw = fd_source(fd);
    g_autoptr(Decompressor) decompressor = decompressor_new(&raw.source, EXPANDED_MAX, error);
    if (decompressor == NULL)
        return false;
    ByteSource *source = decompressor_source(decompressor);
    g_autofree char *chunk = g_malloc(CHUNK);
    ssize_t n = 0;
    while ((n = source->read(source, chunk, CHUNK, error)) > 0)
        if (!take_bytes(import, chunk, (size_t) n, error))
            return false;
    if (n < 0)
        return false;
    if (take_pending(import))
        return true;
    g_set_error_literal(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                        "not JSON: expected OSV records");
    return false;
}

static bool import_fd(AdvisoryBuilder *builder, const char *name, int fd, GError **error)
{
    SourceRow source = {.name = advisory_builder_string(builder, name),
                        .imported = clock_now_ns() / 1000000000};
    g_array_append_val(builder->sources, source);
    g_autoptr(GString) pending = g_string_new(NULL);
    FileImport import = {builder, builder->sources->len - 1, pending, false};
    if (!read_all(&import, fd, error)) {
        g_prefix_error(error, "'%s': ", name);
        return false;
    }
    if (import.recognised)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID, "'%s' holds no OSV record", name);
    return false;
}

static bool is_record_file(const char *name)
{
    static const char *const endings[] = {".json",      ".jsonl",   ".ndjson",  ".json.zst",
                                          ".jsonl.zst", ".json.gz", ".jsonl.gz"};
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++)
        if (g_str_has_suffix(name, endings[i]))
            return true;
    return false;
}

typedef struct {
    AdvisoryBuilder *builder;
    uint32_t files;
    GError *error; /* of the first file that failed */
} FolderImport;

static void visit(void *data, const TreeFile *file)
{
    FolderImport *import = data;
    if (import->error != NULL || !is_record_file(file->name))
        return;
    off_t size = 0;
    autofd int fd = tree_open(file, &size, &import->error);
    if (fd >= 0 && import_fd(import->builder, file->path, fd, &import->error))
        import->files++;
}

static bool import_folder(AdvisoryBuilder *builder, const char *path, GError **error)
{
    const char *const folders[] = {path, NULL};
    FolderImport import = {.builder = builder};
    const TreeVisitor visitor = {NULL, visit, &import};
    if (!tree_walk(folders, &visitor, error))
        return false;
    if (import.error != NULL) {
        g_propagate_error(error, import.error);
        return false;
    }
    if (import.files > 0)
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND,
                "no .json or .jsonl files (plain, .zst or .gz) in '%s'", path);
    return false;
}

static bool import_path(AdvisoryBuilder *builder, const char *path, GError **error)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return error_set_errno(error, errno, "open", path);
    if (S_ISDIR(st.st_mode))
        return import_folder(builder, path, error);
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "open", path);
    g_autofree char *name = g_path_get_basename(path);
    return import_fd(builder, name, fd, error);
}

bool advisory_import(const char *home, const char *const *paths, GError **error)
{
    g_autoptr(AdvisoryBuilder) builder = advisory_builder_new();
    for (; *paths != NULL; paths++)
        if (!import_path(builder, *paths, error))
            return false;
    g_autoptr(GHashTable) replaced = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < builder->sources->len; i++)
        g_hash_table_add(replaced, g_strdup(builder->strings->str +
                                            g_array_index(builder->sources, SourceRow, i).name));
    /* A damaged old file is not kept; what it had is imported again. */
    g_autoptr(AdvisoryDatabase) old = advisory_database_open(home, NULL);
    if (old != NULL)
        advisory_builder_add_database(builder, old, replaced);
    return advisory_builder_write(builder, home, error);
}
