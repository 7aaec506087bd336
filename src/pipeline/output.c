#include "pipeline/output.h"

#include "base/file.h"

#include <string.h>

#define LINE_LIMIT                                                                                 \
    (1024 * 1024) /* longer lines are written in pieces, without looking for commands */
#define TAIL_LIMIT (16 * 1024)

struct Output {
    OutputSpec spec;
    char *run, *job, *step;
    GString *line; /* raw, unfinished */
    bool overlong; /* the present line is written in pieces through STREAM */
    MaskStream stream;
    GString *tail;
};

Output *output_new(const OutputSpec *spec)
{
    Output *output = g_new0(Output, 1);
    output->spec = *spec;
    output->run = g_strdup(spec->run);
    output->job = g_strdup(spec->job);
    output->step = g_strdup(spec->step);
    output->line = g_string_new(NULL);
    output->tail = g_string_new(NULL);
    mask_stream_init(&output->stream, spec->mask);
    return output;
}

/* A masked line (or piece of one) goes out. */
static void emit(Output *output, const char *text, size_t length)
{
    g_autofree char *valid = g_utf8_make_valid(text, (gssize) length);
    if (output->spec.log_fd >= 0) {
        file_write_all(output->spec.log_fd, text, length, NULL);
        file_write_all(output->spec.log_fd, "\n", 1, NULL);
    }
    g_string_append_len(output->tail, text, (gssize) length);
    g_string_append_c(output->tail, '\n');
    if (output->tail->len > 2 * TAIL_LIMIT)
        g_string_erase(output->tail, 0, (gssize) (output->tail->len - TAIL_LIMIT));
    if (output->spec.sink == NULL)
        return;
    json_t *fields = json_pack("{s:s*, s:s*, s:s*, s:s}", "run", output->run, "job", output->job,
                               "step", output->step, "line", valid);
    event_emit(output->spec.sink, "log", fields);
}

static void emit_masked(Output *output, const char *text, size_t length)
{
    g_autoptr(GString) masked = g_string_new(NULL);
    mask_stream_feed(&output->stream, text, length, masked);
    mask_stream_flush(&output->stream, masked);
    emit(output, masked->str, masked->len);
}

/* The line is taken out first: what a command makes us say is a line of its own. */
static void finish_line(Output *output)
{
    g_autoptr(GString) line = g_steal_pointer(&output->line);
    output->line = g_string_new(NULL);
    bool overlong = output->overlong;
    output->overlong = false;
    if (!overlong && line->len > 0 && line->str[line->len - 1] == '\r')
        g_string_truncate(line, line->len - 1);
    bool taken = !overlong && output->spec.command != NULL &&
                 output->spec.command(output->spec.user, line->str);
    if (!taken)
        emit_masked(output, line->str, line->len);
}

void output_feed(Output *output, const char *bytes, size_t length)
{
    while (length > 0) {
        const char *newline = memchr(bytes, '\n', length);
        size_t part = newline != NULL ? (size_t) (newline - bytes) : length;
        g_string_append_len(output->line, bytes, (gssize) part);
        if (newline != NULL) {
            finish_line(output);
            part++;
        } else if (output->line->len > LINE_LIMIT) {
            g_autoptr(GString) masked = g_string_new(NULL);
            output->overlong = true;
            mask_stream_feed(&output->stream, output->line->str, output->line->len, masked);
            emit(output, masked->str, masked->len);
            g_string_truncate(output->line, 0);
        }
        bytes += part;
        length -= part;
    }
}

void output_flush(Output *output)
{
    if (output->line->len > 0 || output->overlong)
        finish_line(output);
}

void output_line(Output *output, const char *line)
{
    output_flush(output);
    g_autofree char *masked = mask_text(output->spec.mask, line);
    emit(output, masked, strlen(masked));
}

char *output_tail(const Output *output)
{
    size_t from = output->tail->len > TAIL_LIMIT ? output->tail->len - TAIL_LIMIT : 0;
    return g_strdup(output->tail->str + from);
}

void output_free(Output *output)
{
    if (output == NULL)
        return;
    output_flush(output);
    mask_stream_clear(&output->stream);
    g_string_free(output->line, TRUE);
    g_string_free(output->tail, TRUE);
    g_free(output->run);
    g_free(output->job);
    g_free(output->step);
    g_free(output);
}
