#include <assert.h>

#include "node/store/memory_rows.h"
#include "node/store/table_place.h"
#include "proto/limits.h"

struct totals {
    size_t row_count, version_count, listed_count, used_count, dirty_count;
    size_t clean_bytes, dirty_bytes;
};

static void versions_check(const struct memory *memory, const struct memory_row *row,
                           struct totals *totals)
{
    size_t bytes = 0;
    const struct memory_version *last = NULL,
                                *nest = memory_row_nest((struct memory_row *)(uintptr_t)row);
    bool is_nest_taken = false;
    assert(row->newest != NULL && row->newest->newer == NULL);
    for (const struct memory_version *at = row->newest; at != NULL; at = at->older) {
        assert(at->row == row);
        assert(at->older == NULL || at->older->newer == at);
        assert(at->older == NULL || at->older->index < at->index);
        bool is_clean = at->index <= memory->flushed;
        assert(!is_clean || at->older == NULL);
        totals->dirty_count += is_clean ? 0 : 1;
        totals->version_count++;
        bytes += at == nest ? 0 : sizeof *at + at->size;
        is_nest_taken |= at == nest;
        last = at;
    }
    assert(row->oldest == last);
    assert(row->is_nest_taken == is_nest_taken);
    assert(row->bytes > bytes);
}

/* A row outside the tree has nothing to show at any level. */
static void listing_check(const struct memory *memory, const struct memory_row *row)
{
    if (row->is_listed || table_place((enum row_table)row->table) != PLACE_IN_ORDER)
        return;
    const struct memory_version *at = row->newest;
    for (; at != NULL && at->index > memory->committed; at = at->older)
        assert(at->is_deleted);
    assert(at == NULL || at->is_deleted);
}

static void row_check(const struct memory *memory, const struct memory_row *row,
                      struct totals *totals)
{
    assert(row->table < TABLE_COUNT);
    assert(table_place((enum row_table)row->table) != PLACE_STORE);
    assert(memory_row_find(memory, row->table, memory_row_key(row)) == row);
    assert(row->is_clean == (row->newest->index <= memory->flushed));
    versions_check(memory, row, totals);
    listing_check(memory, row);
    totals->row_count++;
    totals->listed_count += row->is_listed ? 1 : 0;
    totals->used_count += row->is_clean ? 1 : 0;
    *(row->is_clean ? &totals->clean_bytes : &totals->dirty_bytes) += row->bytes;
}

static void used_check(const struct memory *memory, const struct totals *totals)
{
    size_t count = 0;
    const struct memory_row *before = NULL;
    for (const struct memory_row *row = memory->used_oldest; row != NULL; row = row->used_after) {
        assert(row->is_clean);
        assert(row->used_before == before);
        assert(before == NULL || before->used < row->used);
        before = row;
        count++;
    }
    assert(memory->used_newest == before);
    assert(count == totals->used_count);
}

static bool has_version(const struct memory_row *row, uint64_t index)
{
    const struct memory_version *at = row->newest;
    while (at != NULL && at->index > index)
        at = at->older;
    return at != NULL && at->index == index;
}

static void dirty_check(const struct memory *memory, const struct totals *totals)
{
    uint64_t before = memory->flushed + 1;
    size_t count = 0;
    for (size_t i = 0; i < memory->dirty.count; i++) {
        const struct dirty_row *at = memory_dirty_at(memory, i);
        assert(at->index >= before);
        assert(!at->row->is_clean);
        before = at->index;
        count += has_version(at->row, at->index);
    }
    assert(count == totals->dirty_count);
}

static void tables_check(const struct memory *memory, const struct totals *totals)
{
    size_t listed_count = 0;
    for (size_t table = 0; table < TABLE_COUNT; table++) {
        listed_count += row_tree_check(&memory->trees[table]);
        ranges_check(&memory->ranges[table]);
        assert(memory->ranges[table].count <= MEMORY_RANGES_MAX);
        if (table_place((enum row_table)table) != PLACE_IN_ORDER)
            assert(memory->trees[table].root == NULL && memory->ranges[table].count == 0);
    }
    assert(listed_count == totals->listed_count);
}

void memory_check(const struct memory *memory)
{
    struct totals totals = {0};
    row_index_check(&memory->index);
    for (size_t i = 0; i < memory->index.slot_count; i++)
        if (memory->index.slots[i].row != NULL)
            row_check(memory, memory->index.slots[i].row, &totals);
    assert(memory->flushed <= memory->committed);
    assert(memory->forgotten <= memory->flushed);
    assert(totals.row_count == memory->index.row_count);
    assert(totals.version_count == memory->version_count);
    assert(totals.clean_bytes == memory->clean_bytes);
    assert(totals.dirty_bytes == memory->dirty_bytes);
    used_check(memory, &totals);
    dirty_check(memory, &totals);
    tables_check(memory, &totals);
}
