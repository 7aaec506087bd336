/* tar_block.h - the 512-byte header both halves of tar share (POSIX.1-1988 ustar). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK_SIZE ((size_t) 512)

typedef struct {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char device_major[8];
    char device_minor[8];
    char prefix[155];
    char padding[12];
} TarHeader;

_Static_assert(sizeof(TarHeader) == TAR_BLOCK_SIZE, "a tar header is one block");

/* The sum of the header's bytes, its checksum field counted as blanks. */
static inline uint32_t tar_header_sum(const TarHeader *header)
{
    const uint8_t *bytes = (const uint8_t *) header;
    uint32_t sum = 0;
    for (size_t i = 0; i < TAR_BLOCK_SIZE; i++) {
        size_t field = offsetof(TarHeader, checksum);
        sum += i >= field && i < field + sizeof header->checksum ? ' ' : bytes[i];
    }
    return sum;
}
