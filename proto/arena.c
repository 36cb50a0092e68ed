#include "proto/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#include "proto/limits.h"

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* bytes of memory */
    size_t used;
    alignas(max_align_t) uint8_t memory[];
};

static struct arena_chunk *chunk_new(struct arena *arena, size_t size)
{
    enum { CHUNK_BYTES_MIN = 4096 };
    size_t wanted = arena->chunks != NULL ? arena->chunks->size * 2 : CHUNK_BYTES_MIN;
    if (wanted > ARENA_CHUNK_BYTES_MAX)
        wanted = ARENA_CHUNK_BYTES_MAX;
    if (wanted < size)
        wanted = size;
    struct arena_chunk *chunk = malloc(sizeof *chunk + wanted);
    if (chunk == NULL)
        return NULL;
    *chunk = (struct arena_chunk){.next = arena->chunks, .size = wanted};
    arena->chunks = chunk;
    return chunk;
}

void *arena_room(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    const size_t limit = arena->limit != 0 ? arena->limit : ARENA_BYTES_MAX;
    if (size > limit)
        return NULL;
    size = (size + align - 1) / align * align;
    if (arena->used + size > limit)
        return NULL;
    struct arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < size)
        chunk = chunk_new(arena, size);
    if (chunk == NULL)
        return NULL;
    void *at = chunk->memory + chunk->used;
    chunk->used += size;
    arena->used += size;
    return at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *at = arena_room(arena, size);
    if (at != NULL)
        memset(at, 0, size);
    return at;
}

void *arena_array(struct arena *arena, size_t count, size_t element_size)
{
    if (element_size != 0 && count > SIZE_MAX / 2 / element_size)
        return NULL;
    return arena_alloc(arena, count * element_size);
}

struct bytes arena_copy(struct arena *arena, struct bytes bytes)
{
    if (bytes.size == 0)
        return (struct bytes){NULL, 0};
    uint8_t *copy = arena_room(arena, bytes.size);
    if (copy == NULL)
        return (struct bytes){NULL, 0};
    memcpy(copy, bytes.data, bytes.size);
    return (struct bytes){copy, bytes.size};
}

char *arena_string(struct arena *arena, struct bytes bytes)
{
    char *text = arena_room(arena, bytes.size + 1);
    if (text == NULL)
        return NULL;
    if (bytes.size > 0)
        memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    return text;
}

/* Give the chunks back but one: the newest, which is the largest, of those that may be kept. */
void arena_reset(struct arena *arena)
{
    struct arena_chunk *kept = NULL;
    for (struct arena_chunk *chunk = arena->chunks, *older; chunk != NULL; chunk = older) {
        older = chunk->next;
        if (kept == NULL && chunk->size <= ARENA_KEPT_BYTES_MAX)
            kept = chunk;
        else
            free(chunk);
    }
    if (kept != NULL) {
        kept->next = NULL;
        kept->used = 0;
    }
    arena->chunks = kept;
    arena->used = 0;
}

void arena_done(struct arena *arena)
{
    arena_reset(arena);
    free(arena->chunks);
    arena->chunks = NULL;
}
