/* base64.h - RFC 4648 base64, strictly: padding there, no blanks, no spare bits.
 *
 * GLib's decoder skips what it does not know, so two texts can mean the same bytes; what is signed
 * must not be read so. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes of LENGTH characters at TEXT (-1: all), with a NUL after them; NULL with INVALID. */
uint8_t *base64_decode(const char *text, gssize length, size_t *out_length, GError **error);

char *base64_encode(const void *bytes, size_t length);
