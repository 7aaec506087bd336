#include "container/log_writer.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct LogWriter {
    int folder_fd, fd;
    int64_t size, max_size;
    int max_files;
    GString *pending;               /* records that are not written yet */
    GByteArray *lines[LOG_STREAMS]; /* the beginning of the line each stream is at */
};

static bool open_file(LogWriter *writer, GError **error)
{
    writer->fd = openat(writer->folder_fd, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat st;
    if (writer->fd < 0 || fstat(writer->fd, &st) < 0)
        return error_set_errno(error, errno, "open", "log");
    writer->size = st.st_size;
    return true;
}

LogWriter *log_writer_open(const char *folder, int64_t max_size, int max_files, GError **error)
{
    g_autoptr(LogWriter) writer = g_new0(LogWriter, 1);
    writer->fd = -1;
    writer->max_size = max_size;
    writer->max_files = max_files;
    writer->pending = g_string_new(NULL);
    for (int i = 0; i < LOG_STREAMS; i++)
        writer->lines[i] = g_byte_array_new();
    writer->folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (writer->folder_fd < 0) {
        error_set_errno(error, errno, "open", folder);
        return NULL;
    }
    return open_file(writer, error) ? g_steal_pointer(&writer) : NULL;
}

static void name_file(char *name, size_t size, int age)
{
    if (age == 0)
        g_strlcpy(name, "log", size);
    else
        g_snprintf(name, size, "log.%d", age);
}

static bool rotate(LogWriter *writer, GError **error)
{
    char older[32], newer[32];
    close(steal_fd(&writer->fd));
    name_file(older, sizeof older, writer->max_files - 1);
    unlinkat(writer->folder_fd, older, 0);
    for (int age = writer->max_files - 1; age > 0; age--) {
        name_file(older, sizeof older, age);
        name_file(newer, sizeof newer, age - 1);
        if (renameat(writer->folder_fd, newer, writer->folder_fd, older) < 0 && errno != ENOENT)
            return error_set_errno(error, errno, "rotate", newer);
    }
    return open_file(writer, error);
}

static bool write_pending(LogWriter *writer, GError **error)
{
    if (writer->pending->len == 0)
        return true;
    if (writer->fd < 0 && !open_file(writer, error))
        return false;
    bool ok = file_write_all(writer->fd, writer->pending->str, writer->pending->len, error);
    writer->size += (int64_t) writer->pending->len;
    g_string_truncate(writer->pending, 0);
    return ok;
}

/* The text of a JSON string; bytes that are no UTF-8 become U+FFFD each. */
static void append_escaped(GString *to, const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        unsigned char c = (unsigned char) bytes[at];
        if (c == '"' || c == '\\') {
            g_string_append_c(to, '\\');
            g_string_append_c(to, (char) c);
        } else if (c == '\n') {
            g_string_append(to, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            g_string_append_printf(to, "\\u%04x", c);
        } else if (c < 0x80) {
            g_string_append_c(to, (char) c);
        } else {
            gunichar character = g_utf8_get_char_validated(bytes + at, (gssize) (length - at));
            if (character == (gunichar) -1 || character == (gunichar) -2) {
                g_string_append(to, "\xef\xbf\xbd");
            } else {
                size_t width = (size_t) (g_utf8_next_char(bytes + at) - (bytes + at));
                g_string_append_len(to, bytes + at, (gssize) width);
                at += width - 1;
            }
        }
        at++;
    }
}

/* Ends the line STREAM is at. */
static bool emit(LogWriter *writer, LogStream stream, const char *time, GError **error)
{
    GByteArray *line = writer->lines[stream];
    size_t before = writer->pending->len;
    g_string_append(writer->pending, "{\"log\":\"");
    append_escaped(writer->pending, (const char *) line->data, line->len);
    g_string_append_printf(writer->pending, "\",\"stream\":\"%s\",\"time\":\"%s\"}\n",
                           stream == LOG_STDOUT ? "stdout" : "stderr", time);
    g_byte_array_set_size(line, 0);

    int64_t length = (int64_t) (writer->pending->len - before);
    if (writer->size + (int64_t) before == 0 ||
        writer->size + (int64_t) before + length <= writer->max_size)
        return true;
    g_autofree char *record = g_strdup(writer->pending->str + before);
    g_string_truncate(writer->pending, before);
    if (!write_pending(writer, error) || !rotate(writer, error))
        return false;
    g_string_append(writer->pending, record);
    return true;
}

bool log_writer_feed(LogWriter *writer, LogStream stream, const char *bytes, size_t length,
                     GError **error)
{
    g_autofree char *time = clock_format_ns(clock_now_ns());
    GByteArray *line = writer->lines[stream];
    while (length > 0) {
        const char *end = memchr(bytes, '\n', length);
        size_t part = end != NULL ? (size_t) (end - bytes) + 1 : length;
        size_t taken = MIN(part, LOG_LINE_LIMIT - line->len);
        g_byte_array_append(line, (const guint8 *) bytes, (guint) taken);
        bytes += taken;
        length -= taken;
        bool whole = end != NULL && taken == part;
        if ((whole || line->len == LOG_LINE_LIMIT) && !emit(writer, stream, time, error))
            return false;
    }
    return write_pending(writer, error);
}

bool log_writer_flush(LogWriter *writer, GError **error)
{
    g_autofree char *time = clock_format_ns(clock_now_ns());
    for (int i = 0; i < LOG_STREAMS; i++)
        if (writer->lines[i]->len > 0 && !emit(writer, (LogStream) i, time, error))
            return false;
    return write_pending(writer, error);
}

void log_writer_free(LogWriter *writer)
{
    if (writer == NULL)
        return;
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->folder_fd >= 0)
        close(writer->folder_fd);
    for (int i = 0; i < LOG_STREAMS; i++)
        g_byte_array_unref(writer->lines[i]);
    g_string_free(writer->pending, TRUE);
    g_free(writer);
}
