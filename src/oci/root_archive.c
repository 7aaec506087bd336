#include "oci/root_archive.h"

#include "base/error.h"
#include "format/archive.h"
#include "format/tar.h"
#include "oci/layer_unpack.h"

#include <errno.h>
#include <unistd.h>

#define EXPANDED_LIMIT ((uint64_t) 64 * 1024 * 1024 * 1024)

static ArchiveSource *open_archive(int fd, GError **error)
{
    if (lseek(fd, 0, SEEK_SET) < 0) {
        error_set_errno(error, errno, "read", "archive");
        return NULL;
    }
    return archive_source_new(fd, EXPANDED_LIMIT, error);
}

bool root_archive_is_one(int fd)
{
    g_autoptr(ArchiveSource) archive = open_archive(fd, NULL);
    if (archive == NULL)
        return false;
    g_autoptr(TarReader) reader = tar_reader_new(archive_source(archive));
    return tar_reader_next(reader, NULL) != NULL;
}

bool root_archive_unpack(int fd, int root_fd, GError **error)
{
    g_autoptr(ArchiveSource) archive = open_archive(fd, error);
    if (archive == NULL)
        return false;
    LayerUnpack unpack = {.source = archive_source(archive), .root_fd = root_fd, .whole = true};
    return layer_unpack(&unpack, error);
}
