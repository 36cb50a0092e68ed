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

#include <stdalign.h>

#include "proto/bytes.h"

struct arena_chunk;

/* A zeroed one is empty. */
struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used;                /* bytes given out since the last reset, alignment included */
    size_t limit;               /* bytes; 0: ARENA_BYTES_MAX of limits.h */
    uint8_t *at, *end;          /* free, in the newest chunk and within the limit */
    bool is_past_limit;         /* an allocation was refused for it since the last reset */
};

enum { ARENA_ALIGNMENT = alignof(max_align_t) };

/* Inside arena_room: from a new chunk. */
void *arena_room_slowly(struct arena *arena, size_t size);

/* Memory of any content, for what is written whole at once. */
static inline void *arena_room(struct arena *arena, size_t size)
{
    const size_t whole = (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    if (whole == 0 || whole > (size_t)(arena->end - arena->at))
        return arena_room_slowly(arena, size);
    void *at = arena->at;
    arena->at += whole;
    arena->used += whole;
    return at;
}

/* The last room given out becomes smaller: its first `used` of `size` bytes remain. */
static inline void arena_shrink(struct arena *arena, size_t size, size_t used)
{
    const size_t mask = ARENA_ALIGNMENT - 1;
    const size_t back = ((size + mask) & ~mask) - ((used + mask) & ~mask);
    arena->at -= back;
    arena->used -= back;
}

static inline void *arena_alloc(struct arena *arena, size_t size)
{
    void *at = arena_room(arena, size);
    return at != NULL ? memset(at, 0, size) : NULL;
}

/* A copy of data in the arena; data NULL when there is no memory (and size was not 0). */
struct bytes arena_copy(struct arena *arena, struct bytes bytes);
/* A NUL-terminated copy; NULL when there is no memory. */
char *arena_string(struct arena *arena, struct bytes bytes);
void arena_reset(struct arena *arena);
void arena_done(struct arena *arena);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
/* count elements, zeroed; NULL past the limit, also when count * size would overflow. */
static inline void *arena_array(struct arena *arena, size_t count, size_t element_size)
{
    if (element_size != 0 && count > SIZE_MAX / 2 / element_size)
        return NULL;
    return arena_alloc(arena, count * element_size);
}

#endif
