/* error.h - the one error domain of the program.
 *
 * The code says what the caller can do about it; the text is for a person. */
#pragma once

#include <glib.h>

#define SLIPWAY_ERROR (slipway_error_quark())
GQuark slipway_error_quark(void);

typedef enum {
    SLIPWAY_ERROR_INVALID,     /* the input is malformed: mend the input */
    SLIPWAY_ERROR_NOT_FOUND,   /* what was named does not exist */
    SLIPWAY_ERROR_DENIED,      /* a policy, a gate or a credential said no */
    SLIPWAY_ERROR_UNAVAILABLE, /* a peer or a device did not answer: try again */
    SLIPWAY_ERROR_INTERNAL,    /* our own fault */
} SlipwayErrorCode;

/* Sets ERROR from errno value ERRNUM: "WHAT 'NAME': <system text>". ENOENT and ENOTDIR give
 * NOT_FOUND, EACCES and EPERM give DENIED, anything else UNAVAILABLE. Returns false, so that a
 * caller can write `return error_set_errno(...)`. */
gboolean error_set_errno(GError **error, int errnum, const char *what, const char *name);
