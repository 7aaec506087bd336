/* log_writer.h - a unit's output as JSON lines {"log","stream","time"}, in files of bounded size:
 * "log", "log.1" (older), "log.2" … */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_LIMIT                                                                             \
    16384 /* a longer line is split; only its last part ends with a line feed                      \
           */

typedef enum { LOG_STDOUT, LOG_STDERR, LOG_STREAMS } LogStream;

typedef struct LogWriter LogWriter;

LogWriter *log_writer_open(const char *folder, int64_t max_size, int max_files, GError **error);

/* Takes what came from STREAM; whole lines are in the file when this returns. */
bool log_writer_feed(LogWriter *writer, LogStream stream, const char *bytes, size_t length,
                     GError **error);

/* Writes unfinished lines as they are. */
bool log_writer_flush(LogWriter *writer, GError **error);

void log_writer_free(LogWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LogWriter, log_writer_free)
