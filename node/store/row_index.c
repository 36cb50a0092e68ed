#include "node/store/row_index.h"

#include <assert.h>
#include <stdlib.h>

#include "node/store/memory_rows.h"
#include "proto/large_pages.h"

static size_t home_of(const struct row_index *index, uint64_t hash)
{
    return (size_t)(hash >> 16) & (index->slot_count - 1);
}

static size_t after(const struct row_index *index, size_t slot)
{
    return (slot + 1) & (index->slot_count - 1);
}

/* How far a slot lies behind another. */
static size_t distance(const struct row_index *index, size_t from, size_t to)
{
    return (to - from) & (index->slot_count - 1);
}

struct memory_row *row_index_find(const struct row_index *index, uint64_t hash,
                                  enum row_table table, struct bytes key)
{
    if (index->slot_count == 0)
        return NULL;
    for (size_t at = home_of(index, hash);; at = after(index, at)) {
        struct memory_row *row = index->slots[at].row;
        if (row == NULL || (index->slots[at].hash == hash && row->table == table &&
                            bytes_equal(memory_row_key(row), key)))
            return row;
    }
}

void row_index_expect(const struct row_index *index, uint64_t hash)
{
    if (index->slot_count > 0)
        __builtin_prefetch(&index->slots[home_of(index, hash)]);
}

static void place(struct row_index *index, struct row_slot slot)
{
    size_t at = home_of(index, slot.hash);
    while (index->slots[at].row != NULL)
        at = after(index, at);
    index->slots[at] = slot;
}

bool row_index_reserve(struct row_index *index)
{
    enum { SLOTS_FIRST = 1024 };
    if (2 * (index->row_count + 1) <= index->slot_count)
        return true;
    struct row_index bigger = {.row_count = index->row_count,
                               .slot_count =
                                   index->slot_count == 0 ? SLOTS_FIRST : 2 * index->slot_count};
    bigger.slots = large_pages_alloc(bigger.slot_count * sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return false;
    memset(bigger.slots, 0, bigger.slot_count * sizeof *bigger.slots);
    for (size_t i = 0; i < index->slot_count; i++)
        if (index->slots[i].row != NULL)
            place(&bigger, index->slots[i]);
    free(index->slots);
    *index = bigger;
    return true;
}

void row_index_add(struct row_index *index, struct memory_row *row)
{
    assert(2 * (index->row_count + 1) <= index->slot_count);
    place(index, (struct row_slot){.hash = row->hash, .row = row});
    index->row_count++;
}

/* Those behind the row that were pushed on by it, or over it, move up. */
void row_index_remove(struct row_index *index, const struct memory_row *row)
{
    size_t hole = home_of(index, row->hash);
    while (index->slots[hole].row != row)
        hole = after(index, hole);
    for (size_t at = after(index, hole); index->slots[at].row != NULL; at = after(index, at)) {
        const size_t home = home_of(index, index->slots[at].hash);
        if (distance(index, home, at) >= distance(index, hole, at)) {
            index->slots[hole] = index->slots[at];
            hole = at;
        }
    }
    index->slots[hole] = (struct row_slot){.row = NULL};
    index->row_count--;
}

void row_index_done(struct row_index *index)
{
    free(index->slots);
    *index = (struct row_index){.slots = NULL};
}

void row_index_check(const struct row_index *index)
{
    size_t count = 0;
    assert(2 * index->row_count <= index->slot_count);
    for (size_t i = 0; i < index->slot_count; i++) {
        const struct memory_row *row = index->slots[i].row;
        if (row == NULL)
            continue;
        assert(index->slots[i].hash == row->hash);
        for (size_t at = home_of(index, row->hash); at != i; at = after(index, at))
            assert(index->slots[at].row != NULL);
        count++;
    }
    assert(count == index->row_count);
}
