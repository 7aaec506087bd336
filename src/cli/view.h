/* view.h - a reader of the event stream for people: live on a terminal, plain lines elsewhere, or
 * the stream itself as JSON lines. */
#pragma once

#include "base/event.h"

#include <glib.h>

#include <stdbool.h>

typedef enum { VIEW_TEXT, VIEW_JSON } ViewFormat;

/* "text" or "json"; a usage error else. NULL is text. */
bool view_format_parse(const char *text, ViewFormat *format, GError **error);

typedef struct View View;

/* Text goes to stderr (the summary to stdout), JSON lines to stdout. Safe for several threads. */
View *view_new(ViewFormat format);
EventSink *view_sink(View *view);
/* Ends the live part and prints the summary: image, addresses, next command. */
void view_finish(View *view);
void view_free(View *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(View, view_free)
