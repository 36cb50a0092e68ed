#include "node/entry_cache.h"

#include <assert.h>
#include <stdlib.h>

struct payload *payload_room(size_t size)
{
    struct payload *payload = malloc(sizeof *payload + size);
    if (payload == NULL)
        return NULL;
    payload->reference_count = 1;
    payload->size = (uint32_t)size;
    return payload;
}

struct payload *payload_new(struct bytes bytes)
{
    struct payload *payload = payload_room(bytes.size);
    if (payload != NULL && bytes.size > 0)
        memcpy(payload->data, bytes.data, bytes.size);
    return payload;
}

struct payload *payload_hold(struct payload *payload)
{
    if (payload != NULL)
        payload->reference_count++;
    return payload;
}

void payload_release(struct payload *payload)
{
    if (payload != NULL && --payload->reference_count == 0)
        free(payload);
}

static struct cached_entry *slot_of(const struct entry_cache *cache, uint64_t index)
{
    return &cache->ring[index & (cache->capacity - 1)];
}

void entry_cache_init(struct entry_cache *cache, uint64_t first_index)
{
    *cache = (struct entry_cache){.first_index = first_index, .last_index = first_index - 1};
}

void entry_cache_done(struct entry_cache *cache)
{
    if (cache->capacity > 0)
        entry_cache_truncate(cache, cache->first_index);
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

bool entry_cache_push(struct entry_cache *cache, uint64_t term, uint8_t kind,
                      struct payload *payload_take)
{
    if (cache->last_index + 1 - cache->first_index == cache->capacity && !grow(cache))
        return false;
    cache->last_index++;
    *slot_of(cache, cache->last_index) =
        (struct cached_entry){.term = term, .kind = kind, .payload = payload_take};
    cache->bytes += payload_take != NULL ? payload_take->size : 0;
    return true;
}

static void forget(struct entry_cache *cache, uint64_t index)
{
    struct cached_entry *entry = slot_of(cache, index);
    cache->bytes -= entry->payload != NULL ? entry->payload->size : 0;
    payload_release(entry->payload);
    entry->payload = NULL;
}

void entry_cache_truncate(struct entry_cache *cache, uint64_t index)
{
    assert(index >= cache->first_index);
    while (cache->last_index >= index)
        forget(cache, cache->last_index--);
}

void entry_cache_trim(struct entry_cache *cache, uint64_t index_max, size_t bytes_max)
{
    enum { ENTRIES_MAX = 65536 };
    while (cache->first_index <= cache->last_index && cache->first_index <= index_max &&
           (cache->bytes > bytes_max || cache->last_index - cache->first_index >= ENTRIES_MAX))
        forget(cache, cache->first_index++);
}

const struct cached_entry *entry_cache_get(const struct entry_cache *cache, uint64_t index)
{
    if (index < cache->first_index || index > cache->last_index)
        return NULL;
    return slot_of(cache, index);
}

struct bytes cached_bytes(const struct cached_entry *entry)
{
    return entry->payload == NULL ? (struct bytes){NULL, 0}
                                  : bytes_of(entry->payload->data, entry->payload->size);
}
