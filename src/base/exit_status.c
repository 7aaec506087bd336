#include "base/exit_status.h"

#include "base/error.h"

ExitStatus exit_status_of_error(const GError *error)
{
    if (error->domain == G_OPTION_ERROR)
        return EXIT_STATUS_USAGE;
    if (error->domain != SLIPWAY_ERROR)
        return EXIT_STATUS_INTERNAL;
    switch ((SlipwayErrorCode) error->code) {
    case SLIPWAY_ERROR_INVALID:
    case SLIPWAY_ERROR_NOT_FOUND:
    case SLIPWAY_ERROR_DENIED:
        return EXIT_STATUS_NO;
    case SLIPWAY_ERROR_UNAVAILABLE:
        return EXIT_STATUS_UNAVAILABLE;
    case SLIPWAY_ERROR_INTERNAL:
        break;
    }
    return EXIT_STATUS_INTERNAL;
}
