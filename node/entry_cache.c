#include "node/entry_cache.h"

#include <assert.h>
#include <stdlib.h>

enum { CHUNK_BYTES = 64 << 10 };

struct entry_chunk {
    struct entry_chunk *next;
    uint64_t last_index; /* it leaves with this entry */
    size_t capacity, used;
    uint8_t memory[];
};

static struct cached_entry *slot_of(const struct entry_cache *cache, uint64_t index)
{
    return &cache->ring[index & (cache->capacity - 1)];
}

void entry_cache_init(struct entry_cache *cache, uint64_t first_index)
{
    *cache = (struct entry_cache){.first_index = first_index, .last_index = first_index - 1};
}

static void drop_first_chunk(struct entry_cache *cache)
{
    struct entry_chunk *first = cache->chunks;
    cache->chunks = first->next;
    free(first);
}

void entry_cache_done(struct entry_cache *cache)
{
    while (cache->chunks != NULL)
        drop_first_chunk(cache);
    free(cache->ring);
    *cache = (struct entry_cache){.first_index = 1};
}

static bool grow(struct entry_cache *cache)
{
    struct entry_cache bigger = *cache;
    bigger.capacity = cache->capacity == 0 ? 256 : cache->capacity * 2;
    bigger.ring = calloc(bigger.capacity, sizeof *bigger.ring);
    if (bigger.ring == NULL)
        return false;
    for (uint64_t index = cache->first_index; index <= cache->last_index; index++)
        *slot_of(&bigger, index) = *slot_of(cache, index);
    free(cache->ring);
    *cache = bigger;
    return true;
}

static struct entry_chunk *add_chunk(struct entry_cache *cache, size_t bytes)
{
    const size_t capacity = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct entry_chunk *chunk = malloc(sizeof *chunk + capacity);
    if (chunk == NULL)
        return NULL;
    *chunk = (struct entry_chunk){.capacity = capacity};
    *(cache->chunks_last == NULL ? &cache->chunks : &cache->chunks_last->next) = chunk;
    cache->chunks_last = chunk;
    return chunk;
}

uint8_t *entry_cache_room(struct entry_cache *cache, size_t bytes)
{
    struct entry_chunk *chunk = cache->chunks_last;
    if (chunk == NULL || chunk->capacity - chunk->used < bytes)
        chunk = add_chunk(cache, bytes);
    return chunk != NULL ? chunk->memory + chunk->used : NULL;
}

/* The first bytes of the room that was given last. */
static struct bytes payload_take(struct entry_cache *cache, size_t bytes)
{
    struct entry_chunk *chunk = cache->chunks_last;
    const uint8_t *begin = chunk->memory + chunk->used;
    assert(chunk->capacity - chunk->used >= bytes);
    chunk->used += bytes;
    chunk->last_index = cache->last_index;
    return bytes_of(begin, bytes);
}

bool entry_cache_push(struct entry_cache *cache, uint64_t term, uint8_t kind, size_t bytes)
{
    if (cache->last_index + 1 - cache->first_index == cache->capacity && !grow(cache))
        return false;
    cache->last_index++;
    const struct bytes payload = bytes > 0 ? payload_take(cache, bytes) : (struct bytes){NULL, 0};
    *slot_of(cache, cache->last_index) =
        (struct cached_entry){.term = term, .kind = kind, .payload = payload};
    cache->bytes += bytes;
    return true;
}

void entry_cache_truncate(struct entry_cache *cache, uint64_t index)
{
    assert(index >= cache->first_index);
    while (cache->last_index >= index)
        cache->bytes -= slot_of(cache, cache->last_index--)->payload.size;
    for (struct entry_chunk *chunk = cache->chunks; chunk != NULL; chunk = chunk->next)
        if (chunk->last_index > index)
            chunk->last_index = index;
}

void entry_cache_trim(struct entry_cache *cache, uint64_t index_max, size_t bytes_max)
{
    enum { ENTRIES_MAX = 65536 };
    while (cache->first_index <= cache->last_index && cache->first_index <= index_max &&
           (cache->bytes > bytes_max || cache->last_index - cache->first_index >= ENTRIES_MAX))
        cache->bytes -= slot_of(cache, cache->first_index++)->payload.size;
    while (cache->chunks != cache->chunks_last && cache->chunks->last_index < cache->first_index)
        drop_first_chunk(cache);
}

const struct cached_entry *entry_cache_get(const struct entry_cache *cache, uint64_t index)
{
    if (index < cache->first_index || index > cache->last_index)
        return NULL;
    return slot_of(cache, index);
}
