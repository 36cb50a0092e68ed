/* Inside memory: a row with its versions, and the lists and indexes that hold it.
 *
 * 1. A row has at least one version, newest first. At most one of them, the oldest, is clean
 *    (index <= flushed).
 * 2. A row whose newest version is clean stands in the list of use; for every version that is not
 *    clean its row stands in the queue of dirty rows, ascending by the versions' indexes.
 * 3. A row comes with a nest, the place of its first version: most rows never have more than one
 *    at a time.
 * 4. A version that is older than a committed one of its row is read by nobody. It goes with the
 *    next version at the latest, whose memory it so often gives: what changes with every step takes
 *    little of it, and stays near.
 * 5. Only tables that are in order have rows in a tree. One that is outside it (is_listed false) is
 *    deleted at every level that can be read, so scans lose nothing; they take rows deleted for
 *    good out of the tree as they meet them.
 *
 * Only the files of memory include this.
 */
#ifndef PAWL_NODE_MEMORY_ROWS_H
#define PAWL_NODE_MEMORY_ROWS_H

#include <stdalign.h>

#include "node/store/memory.h"
#include "node/store/pool.h"
#include "node/store/ranges.h"
#include "node/store/row_index.h"
#include "node/store/row_tree.h"

struct memory_version {
    struct memory_version *newer, *older; /* of the same row */
    struct memory_row *row;
    uint64_t index; /* that wrote it; 0: it was loaded */
    uint32_t size;
    bool is_deleted;
    uint8_t value[];
};

/* What a search reads stands together at the end, beside the key. */
struct memory_row {
    struct memory_row *used_before; /* used longer ago */
    struct memory_row *used_after;
    uint64_t used;   /* when, by use_count */
    uint64_t prefix; /* row_prefix of its key */
    uint64_t hash;   /* of its place */
    struct memory_version *oldest;
    size_t bytes; /* the row with its nest, its other versions and its places in the indexes */
    struct memory_version *newest;
    uint32_t nest_value_bytes; /* room for a value in the nest */
    uint16_t key_size;
    uint8_t table;
    bool is_clean;
    bool is_listed;
    bool is_nest_taken;
    bool was_read; /* since it came, or was spared last; see memory.c, evict */
    uint8_t key[]; /* then the nest */
};

/* Who wrote rows of window and head, ascending by index: pushed at the end, flushed from the front.
 * The version itself may have gone, its row is there until the last that stands here. */
struct dirty_queue {
    struct dirty_row {
        struct memory_row *row;
        uint64_t index; /* of the version */
    } * slots;
    size_t capacity; /* a power of two, or 0 */
    size_t first, count;
};

struct memory {
    struct memory_options options;
    uint64_t flushed, committed;
    uint64_t
        forgotten; /* the newest change that memory no longer shows; older labels are refused */
    uint64_t use_count; /* the clock of use, of rows and ranges */
    struct row_index index;
    struct row_tree trees[TABLE_COUNT];
    struct range_list ranges[TABLE_COUNT];
    struct memory_row *used_oldest, *used_newest;
    struct dirty_queue dirty;
    struct pool pool; /* of rows and versions */
    size_t version_count;
    size_t clean_bytes, dirty_bytes;
};

static inline struct bytes memory_row_key(const struct memory_row *row)
{
    return (struct bytes){row->key, row->key_size};
}

static inline struct bytes memory_version_value(const struct memory_version *version)
{
    return (struct bytes){version->value, version->size};
}

/* The version's place in the row itself, whether taken or not. */
static inline struct memory_version *memory_row_nest(struct memory_row *row)
{
    const size_t align = alignof(struct memory_version);
    size_t offset = (offsetof(struct memory_row, key) + row->key_size + align - 1) / align * align;
    return (struct memory_version *)(void *)((uint8_t *)row + offset);
}

/* The newest version that may be read at the level, or NULL. */
const struct memory_version *memory_version_at(const struct memory *memory,
                                               const struct memory_row *row,
                                               enum memory_level level);

/* NULL: memory has no such row. */
struct memory_row *memory_row_find(const struct memory *memory, enum row_table table,
                                   struct bytes key);
/* A write to the row of this place comes soon. Its hash. */
uint64_t memory_row_expect(const struct memory *memory, enum row_table table, struct bytes key);
/* The row, made if need be, its hash at hand; a new one has no version yet and must get one or be
 * forgotten. Its nest is made for a value of that size. NULL: no memory. */
struct memory_row *memory_row_ensure(struct memory *memory, uint64_t hash, enum row_table table,
                                     struct bytes key, size_t value_bytes);
/* Into the table's tree, out of it. False: no memory. */
bool memory_row_list(struct memory *memory, struct memory_row *row);
void memory_row_unlist(struct memory *memory, struct memory_row *row);
/* The row with its versions is gone from every list and index. */
void memory_row_forget(struct memory *memory, struct memory_row *row);
/* It was used now: the last to be evicted. Only a clean row. */
void memory_row_touch(struct memory *memory, struct memory_row *row);
/* Set is_clean by the newest version, and stand in the list of use or not. */
void memory_row_settle(struct memory *memory, struct memory_row *row);

/* The i-th of the dirty rows; i below their count. */
static inline struct dirty_row *memory_dirty_at(const struct memory *memory, size_t i)
{
    return &memory->dirty.slots[(memory->dirty.first + i) & (memory->dirty.capacity - 1)];
}

/* The newest of their indexes; 0: none. */
static inline uint64_t memory_dirty_last(const struct memory *memory)
{
    return memory->dirty.count == 0 ? 0 : memory_dirty_at(memory, memory->dirty.count - 1)->index;
}

/* A new version at the top (dirty), or at the bottom (a clean copy). The one at the top takes the
 * place of the top version when that is of the same index, and of those that nobody reads any more.
 * False: no memory. */
bool memory_version_push(struct memory *memory, struct memory_row *row, uint64_t index,
                         bool is_deleted, struct bytes value);
bool memory_version_put_under(struct memory *memory, struct memory_row *row, bool is_deleted,
                              struct bytes value);
/* Remove one version; the row may be left without any. */
void memory_version_remove(struct memory *memory, struct memory_version *version);
/* Remove what is older than the newest version up to index. */
void memory_versions_cut(struct memory *memory, struct memory_row *row, uint64_t index);
/* Take the oldest out of the queue of dirty rows. */
struct dirty_row memory_dirty_take(struct memory *memory);
/* Give the memory of a row with all its versions back, nothing else. */
void memory_row_release(struct memory *memory, struct memory_row *row);

#endif
