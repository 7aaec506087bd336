/* mask.h - takes secret values out of a stream of bytes before anybody else sees it.
 *
 * Besides the value itself: each of its lines, base64 at its three alignments (also URL-safe),
 * and the forms quoting gives it (JSON, shell, URI, XML, expression). Safe for several threads. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Mask Mask;

Mask *mask_new(void);
void mask_free(Mask *mask);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Mask, mask_free)

/* VALUE and all its forms become "***" from now on. An empty value changes nothing. */
void mask_add(Mask *mask, const char *value);

/* TEXT with every secret replaced. */
char *mask_text(Mask *mask, const char *text);
bool mask_would_change(Mask *mask, const char *text);

/* One stream through MASK: a secret split over two writes is still found. */
typedef struct {
    Mask *mask;
    GString *pending; /* bytes that may be the beginning of a secret */
} MaskStream;

void mask_stream_init(MaskStream *stream, Mask *mask);
/* Appends to OUT what can be told of the stream after these bytes. */
void mask_stream_feed(MaskStream *stream, const char *bytes, size_t length, GString *out);
/* Appends what was held back. */
void mask_stream_flush(MaskStream *stream, GString *out);
void mask_stream_clear(MaskStream *stream);
