#include "build/archive.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/process.h"

#include <fcntl.h>
#include <string.h>

static bool is_compressed(const uint8_t *head, ssize_t length)
{
    static const struct {
        const char *magic;
        size_t length;
    } magics[] = {{"\x1f\x8b", 2},
                  {"BZh", 3},
                  {"\xfd"
                   "7zXZ",
                   5},
                  {"\x28\xb5\x2f\xfd", 4}};
    for (size_t i = 0; i < G_N_ELEMENTS(magics); i++)
        if ((size_t) length >= magics[i].length &&
            memcmp(head, magics[i].magic, magics[i].length) == 0)
            return true;
    return false;
}

/* The header's own checksum holds: octal text at 148, counted as blanks. */
static bool is_tar_header(const uint8_t *head, ssize_t length)
{
    if (length < 512 || head[0] == '\0')
        return false;
    char text[9] = {0};
    memcpy(text, head + 148, 8);
    guint64 wanted = g_ascii_strtoull(text, NULL, 8), sum = 0;
    for (int i = 0; i < 512; i++)
        sum += i >= 148 && i < 156 ? ' ' : head[i];
    return sum == wanted;
}

/* A compressed file is one when tar can list its beginning. */
static bool tar_can_list(const char *file)
{
    const char *argv[] = {"tar", "--list", "--file", file, NULL};
    ProcessSpec spec = {.argv = argv, .input_length = -1};
    g_auto(ProcessResult) result = {0};
    return process_run(&spec, &result, NULL) && result.status == 0;
}

bool archive_is_one(const char *file)
{
    uint8_t head[512];
    autofd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t length = fd >= 0 ? read(fd, head, sizeof head) : -1;
    if (length <= 0)
        return false;
    return is_compressed(head, length) ? tar_can_list(file) : is_tar_header(head, length);
}

bool archive_unpack(const char *file, const char *folder, GError **error)
{
    if (!file_make_folders(folder, 0755, error))
        return false;
    const char *argv[] = {"tar",
                          "--extract",
                          "--numeric-owner",
                          "--preserve-permissions",
                          "--xattrs",
                          "--file",
                          file,
                          "--directory",
                          folder,
                          NULL};
    ProcessSpec spec = {.argv = argv, .input_length = -1};
    g_auto(ProcessResult) result = {0};
    return process_run_checked(&spec, &result, error);
}
