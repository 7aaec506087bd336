#include "format/arena.h"

#include <stddef.h>
#include <string.h>

#define BLOCK_SIZE ((size_t) 16 * 1024)

typedef struct Block Block;
struct Block {
    Block *next;
    size_t used, size;
    max_align_t bytes[];
};

struct Arena {
    Block *blocks; /* the first one is being filled */
};

Arena *arena_new(void)
{
    return g_new0(Arena, 1);
}

static Block *add_block(Arena *arena, size_t size)
{
    Block *block = g_malloc(sizeof(Block) + size);
    *block = (Block){.next = arena->blocks, .size = size};
    arena->blocks = block;
    return block;
}

void *arena_alloc(Arena *arena, size_t size)
{
    size_t aligned = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    g_assert(aligned >= size);
    Block *block = arena->blocks;
    if (block == NULL || block->size - block->used < aligned)
        block = add_block(arena, MAX(aligned, BLOCK_SIZE));
    void *at = (char *) block->bytes + block->used;
    block->used += aligned;
    return memset(at, 0, size);
}

char *arena_copy_text(Arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (length > 0)
        memcpy(copy, text, length);
    return copy;
}

void arena_free(Arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->blocks != NULL) {
        Block *next = arena->blocks->next;
        g_free(arena->blocks);
        arena->blocks = next;
    }
    g_free(arena);
}
