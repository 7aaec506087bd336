/* arena.h - memory for the many small nodes of one document, freed at once. */
#pragma once

#include <glib.h>

typedef struct Arena Arena;

Arena *arena_new(void);
/* SIZE zeroed bytes, aligned for any type; they live as long as ARENA. */
void *arena_alloc(Arena *arena, size_t size);
/* A copy of LENGTH bytes with a NUL after them. */
char *arena_copy_text(Arena *arena, const char *text, size_t length);
void arena_free(Arena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Arena, arena_free)
