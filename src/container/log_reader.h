/* log_reader.h - what a unit wrote, back from its JSON lines. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef struct {
    char *text;         /* with its line feed, unless the line was split or not finished */
    const char *stream; /* "stdout", "stderr" */
    char *time;
} LogRecord;

/* Reads one line of the file; false when it is none. */
bool log_reader_parse(const char *line, size_t length, LogRecord *record);
void log_record_clear(LogRecord *record);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LogRecord, log_record_clear)

/* Both streams of the unit in FOLDER as one text, at most the last LIMIT bytes of it. */
char *log_reader_text(const char *folder, size_t limit, GError **error);

/* The records of FOLDER's log from the oldest file on, as lines of the file; the caller looks at
 * the last ones. TAIL < 0: all. */
GPtrArray *log_reader_lines(const char *folder, int tail, GError **error);
