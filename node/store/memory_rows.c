#include "node/store/memory_rows.h"

#include <assert.h>
#include <stdlib.h>

#include "node/store/place_hash.h"

/* What a row takes besides itself: its places in the index and in the tree. */
enum { INDEX_BYTES = 40 };

static uint64_t hash_of(const struct memory *memory, enum row_table table, struct bytes key)
{
    return place_hash(memory->options.hash_seed, (uint8_t)table, key);
}

static size_t *bytes_counter(struct memory *memory, const struct memory_row *row)
{
    return row->is_clean ? &memory->clean_bytes : &memory->dirty_bytes;
}

static void used_unlink(struct memory *memory, struct memory_row *row)
{
    if (row->used_before != NULL)
        row->used_before->used_after = row->used_after;
    else
        memory->used_oldest = row->used_after;
    if (row->used_after != NULL)
        row->used_after->used_before = row->used_before;
    else
        memory->used_newest = row->used_before;
    row->used_before = row->used_after = NULL;
}

static void used_append(struct memory *memory, struct memory_row *row)
{
    row->used = ++memory->use_count;
    row->used_before = memory->used_newest;
    row->used_after = NULL;
    if (memory->used_newest != NULL)
        memory->used_newest->used_after = row;
    else
        memory->used_oldest = row;
    memory->used_newest = row;
}

const struct memory_version *memory_version_at(const struct memory *memory,
                                               const struct memory_row *row,
                                               enum memory_level level)
{
    const struct memory_version *version = row->newest;
    while (level == MEMORY_COMMITTED && version != NULL && version->index > memory->committed)
        version = version->older;
    return version;
}

struct memory_row *memory_row_find(const struct memory *memory, enum row_table table,
                                   struct bytes key)
{
    return row_index_find(&memory->index, hash_of(memory, table, key), table, key);
}

/* A row with its key and its nest. */
static size_t row_block_bytes(size_t key_bytes, size_t value_bytes)
{
    const size_t align = alignof(struct memory_version);
    size_t head = (sizeof(struct memory_row) + key_bytes + align - 1) / align * align;
    return head + sizeof(struct memory_version) + value_bytes;
}

static struct memory_row *row_new(struct memory *memory, uint64_t hash, enum row_table table,
                                  struct bytes key, size_t value_bytes)
{
    size_t bytes = row_block_bytes(key.size, value_bytes);
    struct memory_row *row =
        row_index_reserve(&memory->index) ? pool_alloc(&memory->pool, bytes) : NULL;
    if (row == NULL)
        return NULL;
    *row = (struct memory_row){
        .hash = hash,
        .prefix = row_prefix(key),
        .bytes = bytes + INDEX_BYTES,
        .nest_value_bytes = (uint32_t)value_bytes,
        .key_size = (uint16_t)key.size,
        .table = (uint8_t)table,
    };
    memcpy(row->key, key.data, key.size);
    row_index_add(&memory->index, row);
    memory->dirty_bytes += row->bytes;
    return row;
}

uint64_t memory_row_expect(const struct memory *memory, enum row_table table, struct bytes key)
{
    const uint64_t hash = hash_of(memory, table, key);
    row_index_expect(&memory->index, hash);
    return hash;
}

struct memory_row *memory_row_ensure(struct memory *memory, uint64_t hash, enum row_table table,
                                     struct bytes key, size_t value_bytes)
{
    struct memory_row *row = row_index_find(&memory->index, hash, table, key);
    return row != NULL ? row : row_new(memory, hash, table, key, value_bytes);
}

bool memory_row_list(struct memory *memory, struct memory_row *row)
{
    if (!row->is_listed)
        row->is_listed = row_tree_insert(&memory->trees[row->table], row);
    return row->is_listed;
}

void memory_row_unlist(struct memory *memory, struct memory_row *row)
{
    if (row->is_listed)
        row_tree_erase(&memory->trees[row->table], row);
    row->is_listed = false;
}

static void row_free(struct memory *memory, struct memory_row *row)
{
    pool_free(&memory->pool, row, row_block_bytes(row->key_size, row->nest_value_bytes));
}

void memory_row_forget(struct memory *memory, struct memory_row *row)
{
    while (row->newest != NULL)
        memory_version_remove(memory, row->newest);
    memory_row_unlist(memory, row);
    if (row->is_clean)
        used_unlink(memory, row);
    row_index_remove(&memory->index, row);
    *bytes_counter(memory, row) -= row->bytes;
    row_free(memory, row);
}

void memory_row_release(struct memory *memory, struct memory_row *row)
{
    while (row->newest != NULL) {
        struct memory_version *version = row->newest;
        row->newest = version->older;
        if (version != memory_row_nest(row))
            pool_free(&memory->pool, version, sizeof *version + version->size);
    }
    row_free(memory, row);
}

void memory_row_touch(struct memory *memory, struct memory_row *row)
{
    used_unlink(memory, row);
    used_append(memory, row);
}

void memory_row_settle(struct memory *memory, struct memory_row *row)
{
    bool is_clean = row->newest->index <= memory->flushed;
    if (is_clean == row->is_clean)
        return;
    *bytes_counter(memory, row) -= row->bytes;
    row->is_clean = is_clean;
    *bytes_counter(memory, row) += row->bytes;
    if (is_clean)
        used_append(memory, row);
    else
        used_unlink(memory, row);
}

static void row_bytes_add(struct memory *memory, struct memory_row *row, size_t bytes)
{
    row->bytes += bytes;
    *bytes_counter(memory, row) += bytes;
}

static void row_bytes_take(struct memory *memory, struct memory_row *row, size_t bytes)
{
    row->bytes -= bytes;
    *bytes_counter(memory, row) -= bytes;
}

/* In the nest when it is free and large enough. */
static struct memory_version *version_place(struct memory *memory, struct memory_row *row,
                                            size_t value_bytes)
{
    if (!row->is_nest_taken && value_bytes <= row->nest_value_bytes) {
        row->is_nest_taken = true;
        return memory_row_nest(row);
    }
    struct memory_version *version = pool_alloc(&memory->pool, sizeof *version + value_bytes);
    if (version != NULL)
        row_bytes_add(memory, row, sizeof *version + value_bytes);
    return version;
}

static struct memory_version *version_new(struct memory *memory, struct memory_row *row,
                                          bool is_deleted, struct bytes value)
{
    struct memory_version *version = version_place(memory, row, value.size);
    if (version == NULL)
        return NULL;
    *version =
        (struct memory_version){.row = row, .size = (uint32_t)value.size, .is_deleted = is_deleted};
    if (value.size > 0)
        memcpy(version->value, value.data, value.size);
    memory->version_count++;
    return version;
}

static void version_unplace(struct memory *memory, struct memory_version *version)
{
    struct memory_row *row = version->row;
    if (version == memory_row_nest(row)) {
        row->is_nest_taken = false;
        return;
    }
    size_t bytes = sizeof *version + version->size;
    row_bytes_take(memory, row, bytes);
    pool_free(&memory->pool, version, bytes);
}

static bool dirty_reserve(struct dirty_queue *dirty)
{
    if (dirty->count < dirty->capacity)
        return true;
    size_t capacity = dirty->capacity == 0 ? 256 : 2 * dirty->capacity;
    struct dirty_row *slots = malloc(capacity * sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < dirty->count; i++)
        slots[i] = dirty->slots[(dirty->first + i) & (dirty->capacity - 1)];
    free(dirty->slots);
    *dirty = (struct dirty_queue){.slots = slots, .capacity = capacity, .count = dirty->count};
    return true;
}

static void dirty_append(struct memory *memory, struct memory_row *row, uint64_t index)
{
    struct dirty_queue *dirty = &memory->dirty;
    dirty->slots[(dirty->first + dirty->count) & (dirty->capacity - 1)] =
        (struct dirty_row){.row = row, .index = index};
    dirty->count++;
}

/* On a walk over the dirty rows, bring near what comes next: they are scattered over memory. */
static void dirty_near(const struct memory *memory)
{
    enum { ROW_AHEAD = 12, VERSION_AHEAD = 6 };
    if (ROW_AHEAD < memory->dirty.count)
        __builtin_prefetch(&memory_dirty_at(memory, ROW_AHEAD)->row->newest);
    if (VERSION_AHEAD < memory->dirty.count)
        __builtin_prefetch(memory_dirty_at(memory, VERSION_AHEAD)->row->newest);
}

struct dirty_row memory_dirty_take(struct memory *memory)
{
    assert(memory->dirty.count > 0);
    const struct dirty_row first = *memory_dirty_at(memory, 0);
    dirty_near(memory);
    memory->dirty.first = (memory->dirty.first + 1) & (memory->dirty.capacity - 1);
    memory->dirty.count--;
    return first;
}

static void version_put_on_top(struct memory_row *row, struct memory_version *version)
{
    version->older = row->newest;
    if (row->newest != NULL)
        row->newest->newer = version;
    else
        row->oldest = version;
    row->newest = version;
}

bool memory_version_push(struct memory *memory, struct memory_row *row, uint64_t index,
                         bool is_deleted, struct bytes value)
{
    if (!dirty_reserve(&memory->dirty))
        return false;
    memory_versions_cut(memory, row, memory->committed);
    struct memory_version *version = version_new(memory, row, is_deleted, value);
    if (version == NULL)
        return false;
    version->index = index;
    struct memory_version *top = row->newest;
    version_put_on_top(row, version);
    if (top != NULL && top->index == index)
        memory_version_remove(memory, top);
    else
        dirty_append(memory, row, index);
    memory_row_settle(memory, row);
    return true;
}

bool memory_version_put_under(struct memory *memory, struct memory_row *row, bool is_deleted,
                              struct bytes value)
{
    struct memory_version *version = version_new(memory, row, is_deleted, value);
    if (version == NULL)
        return false;
    version->newer = row->oldest;
    if (row->oldest != NULL)
        row->oldest->older = version;
    else
        row->newest = version;
    row->oldest = version;
    memory_row_settle(memory, row);
    return true;
}

void memory_version_remove(struct memory *memory, struct memory_version *version)
{
    struct memory_row *row = version->row;
    if (version->newer != NULL)
        version->newer->older = version->older;
    else
        row->newest = version->older;
    if (version->older != NULL)
        version->older->newer = version->newer;
    else
        row->oldest = version->newer;
    memory->version_count--;
    version_unplace(memory, version);
}

void memory_versions_cut(struct memory *memory, struct memory_row *row, uint64_t index)
{
    struct memory_version *version = row->newest;
    while (version != NULL && version->index > index)
        version = version->older;
    while (version != NULL && version->older != NULL)
        memory_version_remove(memory, version->older);
}
