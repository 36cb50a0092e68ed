#include "proto/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#include "proto/limits.h"

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* bytes of memory */
    alignas(max_align_t) uint8_t memory[];
};

static size_t limit_of(const struct arena *arena)
{
    return arena->limit != 0 ? arena->limit : ARENA_BYTES_MAX;
}

/* The whole newest chunk is free, as far as the limit allows. */
static void newest_begin(struct arena *arena)
{
    const size_t left = limit_of(arena) - arena->used, size = arena->chunks->size;
    arena->at = arena->chunks->memory;
    arena->end = arena->at + (size < left ? size : left);
}

static bool chunk_add(struct arena *arena, size_t size)
{
    enum { CHUNK_BYTES_MIN = 4096 };
    size_t wanted = arena->chunks != NULL ? arena->chunks->size * 2 : CHUNK_BYTES_MIN;
    if (wanted > ARENA_CHUNK_BYTES_MAX)
        wanted = ARENA_CHUNK_BYTES_MAX;
    if (wanted < size)
        wanted = size;
    struct arena_chunk *chunk = malloc(sizeof *chunk + wanted);
    if (chunk == NULL)
        return false;
    *chunk = (struct arena_chunk){.next = arena->chunks, .size = wanted};
    arena->chunks = chunk;
    newest_begin(arena);
    return true;
}

/* For the limit's sake. */
static void *refuse(struct arena *arena)
{
    arena->is_past_limit = true;
    return NULL;
}

void *arena_room_slowly(struct arena *arena, size_t size)
{
    const size_t left = limit_of(arena) - arena->used;
    if (size > left)
        return refuse(arena);
    size = (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    if (size > left)
        return refuse(arena);
    if ((arena->chunks == NULL || size > (size_t)(arena->end - arena->at)) &&
        !chunk_add(arena, size))
        return NULL;
    void *at = arena->at;
    arena->at += size;
    arena->used += size;
    return at;
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
    arena->chunks = kept;
    arena->used = 0;
    arena->is_past_limit = false;
    arena->at = arena->end = NULL;
    if (kept != NULL) {
        kept->next = NULL;
        newest_begin(arena);
    }
}

void arena_done(struct arena *arena)
{
    arena_reset(arena);
    free(arena->chunks);
    arena->chunks = NULL;
    arena->at = arena->end = NULL;
}
