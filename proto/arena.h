/* Arena: the memory of one command. Everything in it goes at once, when the command ends.
 *
 * 1. An allocation lives until arena_reset or arena_done; nothing in it is freed alone.
 * 2. arena_alloc returns zeroed memory, aligned for any type, or NULL past the limit or out of
 *    memory.
 * 3. Each chunk is twice the one before it, and a reset keeps the largest up to
 *    ARENA_KEPT_BYTES_MAX: a loop of commands allocates nothing in its steady state.
 */
#ifndef PAWL_PROTO_ARENA_H
#define PAWL_PROTO_ARENA_H

#include "proto/bytes.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used;                /* bytes given out since the last reset, alignment included */
    size_t limit;               /* bytes; 0: ARENA_BYTES_MAX of limits.h */
};

/* A zeroed struct arena is an empty arena. */
void *arena_alloc(struct arena *arena, size_t size);
/* The same, of any content: for what is written whole at once. */
void *arena_room(struct arena *arena, size_t size);
/* A copy of data in the arena; data NULL when there is no memory (and size was not 0). */
struct bytes arena_copy(struct arena *arena, struct bytes bytes);
/* A NUL-terminated copy; NULL when there is no memory. */
char *arena_string(struct arena *arena, struct bytes bytes);
void arena_reset(struct arena *arena);
void arena_done(struct arena *arena);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
/* count elements, zeroed; NULL past the limit, also when count * size would overflow. */
void *arena_array(struct arena *arena, size_t count, size_t element_size);

#endif
