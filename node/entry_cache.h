/* Payloads of recent log entries by index: what is being written, sent and applied, what waits for
 * its flush, and some history for followers that lag.
 *
 * 1. Indexes are contiguous: first..last.
 * 2. Entries above the flushed index never leave before they are flushed or overwritten, so a flush
 * under way finds the payloads of committed ones alive; below it the oldest leave when the budget
 * is passed.
 * 3. Payloads are counted; another job that carries one keeps it alive. One thread.
 */
#ifndef PAWL_NODE_ENTRY_CACHE_H
#define PAWL_NODE_ENTRY_CACHE_H

#include "node/jobs.h"

struct entry_cache {
    struct cached_entry {
        uint64_t term;
        uint8_t kind;
        struct payload *payload; /* NULL: empty */
    } * ring;
    size_t capacity;                  /* a power of two, or 0 */
    uint64_t first_index, last_index; /* last < first: empty */
    size_t bytes;
};

/* An empty cache whose first entry will be first_index. */
void entry_cache_init(struct entry_cache *cache, uint64_t first_index);
void entry_cache_done(struct entry_cache *cache);
/* The entry at last_index + 1; the payload's reference is taken. False: no memory, nothing
 * happened. */
bool entry_cache_push(struct entry_cache *cache, uint64_t term, uint8_t kind,
                      struct payload *payload_take);
/* Drop entries from index on. */
void entry_cache_truncate(struct entry_cache *cache, uint64_t index);
/* Drop the oldest entries up to index_max while more than bytes_max is held. */
void entry_cache_trim(struct entry_cache *cache, uint64_t index_max, size_t bytes_max);
/* NULL: not cached. Borrowed until the next change. */
const struct cached_entry *entry_cache_get(const struct entry_cache *cache, uint64_t index);
struct bytes cached_bytes(const struct cached_entry *entry);

/* A payload with one reference, of any content or holding a copy; NULL: no memory. */
struct payload *payload_room(size_t size);
struct payload *payload_new(struct bytes bytes);
struct payload *payload_hold(struct payload *payload); /* NULL stays NULL */
void payload_release(struct payload *payload);

#endif
