/* secret_decode.h - readable text inside base64, hexadecimal and percent encoding. */
#pragma once

#include <stddef.h>

#define SECRET_DECODE_DEPTH 3 /* encodings inside encodings */

/* Calls FOUND with every run of BYTES that decodes to printable ASCII; START and END are the run's
 * place. */
void secret_decode(const char *bytes, size_t length,
                   void (*found)(void *data, const char *text, size_t length, size_t start,
                                 size_t end),
                   void *data);
