#include "base/error.h"

#include <errno.h>

G_DEFINE_QUARK(slipway - error - quark, slipway_error)

gboolean error_set_errno(GError **error, int errnum, const char *what, const char *name)
{
    SlipwayErrorCode code = SLIPWAY_ERROR_UNAVAILABLE;
    if (errnum == ENOENT || errnum == ENOTDIR)
        code = SLIPWAY_ERROR_NOT_FOUND;
    else if (errnum == EACCES || errnum == EPERM)
        code = SLIPWAY_ERROR_DENIED;
    g_set_error(error, SLIPWAY_ERROR, code, "%s '%s': %s", what, name, g_strerror(errnum));
    return FALSE;
}
