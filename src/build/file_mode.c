#include "build/file_mode.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_octal(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= 5 && strspn(text, "01234567") == length &&
           strtoul(text, NULL, 8) <= 07777;
}

/* [ugoa]*([-+=]([rwxXst]*|[ugo]))+ separated by commas. */
static bool is_symbolic(const char *text)
{
    if (*text == '\0')
        return false;
    for (;;) {
        text += strspn(text, "ugoa");
        if (*text == '\0' || strchr("+-=", *text) == NULL)
            return false;
        while (*text != '\0' && strchr("+-=", *text) != NULL) {
            text++;
            size_t copy = strspn(text, "ugo");
            text += copy == 1 ? copy : strspn(text, "rwxXst");
        }
        if (*text == '\0')
            return true;
        if (*text++ != ',')
            return false;
    }
}

bool file_mode_check(const char *text, GError **error)
{
    if (is_octal(text) || is_symbolic(text))
        return true;
    g_set_error(error, SLIPWAY_ERROR, SLIPWAY_ERROR_INVALID,
                "invalid chmod parameter: '%s'. it should be octal string and between 0 and 07777, "
                "or symbolic like u=rwX,go=rX",
                text);
    return false;
}

/* The bits of R, w, x, … as one class has them (0-7), and the special bits in *SPECIAL. */
static mode_t class_bits(const char *text, size_t length, mode_t mode, mode_t *special)
{
    mode_t bits = 0;
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case 'r':
            bits |= 4;
            break;
        case 'w':
            bits |= 2;
            break;
        case 'x':
            bits |= 1;
            break;
        case 'X':
            bits |= S_ISDIR(mode) || (mode & 0111) != 0 ? 1 : 0;
            break;
        case 's':
            *special |= S_ISUID | S_ISGID;
            break;
        case 't':
            *special |= S_ISVTX;
            break;
        case 'u':
            bits |= (mode >> 6) & 7;
            break;
        case 'g':
            bits |= (mode >> 3) & 7;
            break;
        default:
            bits |= mode & 7;
        }
    }
    return bits;
}

static mode_t apply_action(char operator, mode_t who, mode_t bits, mode_t special, mode_t mode)
{
    mode_t wide = (bits << 6 | bits << 3 | bits) & who;
    mode_t reach = (who & 0700 ? S_ISUID : 0) | (who & 0070 ? S_ISGID : 0) | S_ISVTX;
    wide |= special & reach;
    if (operator== '+')
        return mode | wide;
    if (operator== '-')
        return mode & ~wide;
    return (mode & ~(who | (reach & (S_ISUID | S_ISGID)))) | wide;
}

mode_t file_mode_apply(const char *text, mode_t mode)
{
    if (is_octal(text))
        return (mode & S_IFMT) | (mode_t) strtoul(text, NULL, 8);
    while (*text != '\0') {
        mode_t who = 0;
        for (; strchr("ugoa", *text) != NULL; text++)
            who |= *text == 'u' ? 0700 : *text == 'g' ? 0070 : *text == 'o' ? 0007 : 0777;
        if (who == 0)
            who = 0777;
        while (*text != '\0' && *text != ',') {
            char operator= * text++;
            size_t length = strcspn(text, "+-=,");
            mode_t special = 0;
            mode_t bits = class_bits(text, length, mode, &special);
            mode = apply_action(operator, who, bits, special, mode);
            text += length;
        }
        text += *text == ',';
    }
    return mode;
}
