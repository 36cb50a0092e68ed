/* Payloads of recent log entries by index: what is being written, sent and applied, what waits for
 * its flush, and some history for followers that lag.
 *
 * 1. Indexes are contiguous: first..last.
 * 2. Entries above the flushed index never leave before they are flushed or overwritten; below it
 * the oldest leave when the budget is passed, as far as no query reads them.
 * 3. Payloads stand one behind the other in chunks, which leave with their last entry. Those that
 * were overwritten stay in theirs until the entry that overwrote the first of them leaves: it is
 * flushed then, so synced, so the log is done with what it was given before. So jobs of the log, of
 * a flush and of a query borrow payloads and hold nothing. One thread.
 */
#ifndef PAWL_NODE_ENTRY_CACHE_H
#define PAWL_NODE_ENTRY_CACHE_H

#include <stdbool.h>

#include "proto/bytes.h"

struct entry_chunk;

struct entry_cache {
    struct cached_entry {
        uint64_t term;
        uint8_t kind;
        struct bytes payload;
    } * ring;
    size_t capacity;                  /* a power of two, or 0 */
    uint64_t first_index, last_index; /* last < first: empty */
    size_t bytes;
    struct entry_chunk *chunks, *chunks_last; /* oldest first */
};

/* An empty cache whose first entry will be first_index. */
void entry_cache_init(struct entry_cache *cache, uint64_t first_index);
void entry_cache_done(struct entry_cache *cache);
/* Room for the payload of the entry that is pushed next. Nothing has happened before that: asked
 * again, the same room is given again. NULL: no memory. */
uint8_t *entry_cache_room(struct entry_cache *cache, size_t bytes);
/* The entry at last_index + 1. Its payload is what the room that was given last begins with; of no
 * bytes, it needs none. False: no memory, nothing happened. */
bool entry_cache_push(struct entry_cache *cache, uint64_t term, uint8_t kind, size_t bytes);
/* Drop entries from index on. */
void entry_cache_truncate(struct entry_cache *cache, uint64_t index);
/* Drop the oldest entries up to index_max while more than bytes_max is held. */
void entry_cache_trim(struct entry_cache *cache, uint64_t index_max, size_t bytes_max);
/* NULL: not cached. Borrowed until the next change; its payload until it leaves. */
const struct cached_entry *entry_cache_get(const struct entry_cache *cache, uint64_t index);

#endif
