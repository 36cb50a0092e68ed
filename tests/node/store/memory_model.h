/* A world around memory, small and slow and plainly right: the history of every key, a real store
 * under it, and a loader whose snapshots may be old.
 *
 * 1. Every read of memory is compared with the history: found, absent, or not loaded.
 * 2. Every flush is compared with the history: the store holds exactly what was true at its
 *    index.
 * 3. memory_check runs after every step.
 */
#ifndef PAWL_TESTS_MEMORY_MODEL_H
#define PAWL_TESTS_MEMORY_MODEL_H

#include "node/store/memory.h"
#include "node/store/net_change.h"
#include "node/store/rows_map.h"
#include "tests/sim/random.h"

enum {
    MODEL_TABLES = 3,
    MODEL_KEYS = 48,     /* in each table */
    MODEL_CHANGES = 512, /* of one key, between two restarts of the history */
    MODEL_SNAPSHOTS = 4,
};

struct model_change {
    uint64_t index;
    bool is_deleted;
    bool is_new;
    uint8_t size;
    uint8_t value[24];
};

struct model_key {
    uint8_t key[ROW_KEY_BYTES_MAX];
    size_t key_size;
    struct model_change *changes; /* ascending by index */
    size_t change_count;
};

struct model {
    struct random random;
    struct memory_options options;
    struct memory *memory;
    struct rows_map *map;
    struct rows_port rows;
    struct model_key keys[MODEL_TABLES][MODEL_KEYS]; /* ascending */
    size_t table_count; /* how many tables the steps use; the first one is in order */
    uint64_t flushed, committed, written;
    struct arena arena; /* of one step */
    struct arena sealed_arena;
    struct net_change change; /* sealed */
    const struct row_write *sealed;
    size_t sealed_count;
    uint64_t sealed_index; /* 0: no flush is under way */
    bool is_sealed_written;
    struct rows_snapshot *snapshots[MODEL_SNAPSHOTS];
    size_t missed_count, stale_count, evicted_count;
    uint32_t restarts_per_million; /* steps */
    bool is_role_kept;
};

/* is_store_new: it was never flushed; else it has rows of before. */
void model_open(struct model *model, uint64_t seed, size_t clean_bytes_max, bool is_store_new);
void model_close(struct model *model);
void model_step(struct model *model);

#endif
