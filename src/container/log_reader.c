#include "container/log_reader.h"

#include "base/error.h"
#include "base/file.h"
#include "format/json.h"

#include <fcntl.h>
#include <string.h>

#define FILE_LIMIT (256 * 1024 * 1024)
#define AGE_LIMIT 100

bool log_reader_parse(const char *line, size_t length, LogRecord *record)
{
    g_autoptr(json_t) json = json_parse("log", line, length, NULL);
    json_t *text = json_object_get(json, "log");
    const char *stream = json_get_string(json, "stream");
    const char *time = json_get_string(json, "time");
    if (!json_is_string(text) || stream == NULL || time == NULL)
        return false;
    *record = (LogRecord){
        .text = g_strndup(json_string_value(text), json_string_length(text)),
        .stream = g_str_equal(stream, "stderr") ? "stderr" : "stdout",
        .time = g_strdup(time),
    };
    return true;
}

void log_record_clear(LogRecord *record)
{
    g_clear_pointer(&record->text, g_free);
    g_clear_pointer(&record->time, g_free);
}

static bool append_lines(GPtrArray *lines, const char *path, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = file_read(AT_FDCWD, path, FILE_LIMIT, NULL, &problem);
    if (text == NULL) {
        if (g_error_matches(problem, SLIPWAY_ERROR, SLIPWAY_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    for (char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1)
        g_ptr_array_add(lines, g_strndup(at, (size_t) (end - at)));
    return true;
}

GPtrArray *log_reader_lines(const char *folder, int tail, GError **error)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    int oldest = 0;
    while (oldest < AGE_LIMIT) {
        g_autofree char *name = g_strdup_printf("%s/log.%d", folder, oldest + 1);
        if (!g_file_test(name, G_FILE_TEST_EXISTS))
            break;
        oldest++;
    }
    for (int age = oldest; age >= 0; age--) {
        g_autofree char *path = age > 0 ? g_strdup_printf("%s/log.%d", folder, age)
                                        : g_build_filename(folder, "log", NULL);
        if (!append_lines(lines, path, error))
            return NULL;
    }
    if (tail >= 0 && lines->len > (guint) tail)
        g_ptr_array_remove_range(lines, 0, lines->len - (guint) tail);
    return g_steal_pointer(&lines);
}

char *log_reader_text(const char *folder, size_t limit, GError **error)
{
    g_autoptr(GPtrArray) lines = log_reader_lines(folder, -1, error);
    if (lines == NULL)
        return NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < lines->len; i++) {
        const char *line = g_ptr_array_index(lines, i);
        g_auto(LogRecord) record = {0};
        if (log_reader_parse(line, strlen(line), &record))
            g_string_append(text, record.text);
    }
    if (text->len > limit)
        g_string_erase(text, 0, (gssize) (text->len - limit));
    return g_string_free(g_steal_pointer(&text), FALSE);
}
