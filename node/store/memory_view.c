#include "node/store/memory_rows.h"

static bool missing_grow(struct memory_reader *reader)
{
    if (reader->missing_count < reader->missing_capacity)
        return true;
    const size_t wanted = reader->missing_capacity == 0 ? 4 : reader->missing_capacity * 2;
    struct memory_missing *grown = arena_array(reader->arena, wanted, sizeof *grown);
    if (grown == NULL)
        return false;
    if (reader->missing_count > 0)
        memcpy(grown, reader->missing, reader->missing_count * sizeof *grown);
    reader->missing = grown;
    reader->missing_capacity = wanted;
    return true;
}

static enum pawl_error miss(struct memory_reader *reader, const struct memory_missing *missing)
{
    if (reader->missing_count == MISSES_MAX)
        return PAWL_E_NOT_LOADED;
    struct memory_missing copy = *missing;
    copy.begin = arena_copy(reader->arena, missing->begin);
    copy.end = arena_copy(reader->arena, missing->end);
    bool is_copied = copy.begin.size == missing->begin.size && copy.end.size == missing->end.size;
    if (!is_copied || !missing_grow(reader))
        return PAWL_E_NO_MEMORY;
    reader->missing[reader->missing_count++] = copy;
    return PAWL_E_NOT_LOADED;
}

static void row_used(struct memory *memory, struct memory_row *row)
{
    if (!row->is_clean)
        return;
    row->was_read = true;
    memory_row_touch(memory, row);
}

static enum pawl_error view_get(void *self, enum row_table table, struct bytes key,
                                struct bytes *value_out)
{
    struct memory_reader *reader = self;
    struct memory *memory = reader->memory;
    struct memory_row *row = memory_row_find(memory, table, key);
    const struct memory_version *version =
        row == NULL ? NULL : memory_version_at(memory, row, reader->level);
    if (version != NULL) {
        row_used(memory, row);
        if (version->index > reader->newest_index)
            reader->newest_index = version->index;
        if (version->is_deleted)
            return PAWL_E_NOT_FOUND;
        *value_out = memory_version_value(version);
        return PAWL_OK;
    }
    struct range *range = ranges_find(&memory->ranges[table], key);
    if (range == NULL)
        return miss(reader, &(struct memory_missing){.table = table, .begin = key});
    range->used = ++memory->use_count;
    return PAWL_E_NOT_FOUND;
}

/* The smaller of two ends, where size 0 is the table's end. */
static struct bytes end_first(struct bytes a, struct bytes b)
{
    if (a.size == 0)
        return b;
    return b.size == 0 || bytes_compare(a, b) < 0 ? a : b;
}

/* From begin, which no range covers, to where the next range begins. */
static enum pawl_error miss_range(struct memory_reader *reader, enum row_table table,
                                  struct bytes begin, struct bytes end)
{
    const struct range_list *list = &reader->memory->ranges[table];
    size_t next = ranges_rank(list, begin);
    if (next < list->count)
        end = end_first(end, list->range[next].begin);
    return miss(reader, &(struct memory_missing){
                            .table = table, .is_range = true, .begin = begin, .end = end});
}

/* Deleted at every level that can still be read. */
static bool is_dead(const struct memory *memory, const struct memory_row *row)
{
    return row->newest->is_deleted && row->newest->index <= memory->committed;
}

/* Rows of [begin, end), which is covered. */
static size_t scan_covered(struct memory_reader *reader, enum row_table table, struct bytes begin,
                           struct bytes end, size_t row_max, struct row *rows_out)
{
    struct memory *memory = reader->memory;
    const struct row_tree *tree = &memory->trees[table];
    struct tree_cursor cursor = row_tree_seek(tree, begin);
    size_t count = 0;
    while (count < row_max) {
        struct memory_row *row = row_tree_at(cursor);
        if (row == NULL || !key_is_before_end(memory_row_key(row), end))
            break;
        if (is_dead(memory, row)) {
            memory_row_unlist(memory, row);
            cursor = row_tree_seek(tree, memory_row_key(row));
            continue;
        }
        const struct memory_version *version = memory_version_at(memory, row, reader->level);
        row_used(memory, row);
        if (version != NULL && !version->is_deleted)
            rows_out[count++] = (struct row){memory_row_key(row), memory_version_value(version)};
        row_tree_next(&cursor);
    }
    return count;
}

static enum pawl_error view_scan(void *self, enum row_table table, struct bytes begin,
                                 struct bytes end, size_t row_max, struct row *rows_out,
                                 size_t *count_out)
{
    struct memory_reader *reader = self;
    if (!key_is_before_end(begin, end)) {
        *count_out = 0;
        return PAWL_OK;
    }
    struct range *range = ranges_find(&reader->memory->ranges[table], begin);
    if (range == NULL)
        return miss_range(reader, table, begin, end);
    range->used = ++reader->memory->use_count;
    struct bytes covered_end = end_first(end, range->end);
    size_t count = scan_covered(reader, table, begin, covered_end, row_max, rows_out);
    bool is_whole = count == row_max || covered_end.size == 0 || bytes_equal(covered_end, end);
    if (!is_whole)
        return miss_range(reader, table, covered_end, end);
    *count_out = count;
    return PAWL_OK;
}

struct view memory_view(struct memory_reader *reader)
{
    return (struct view){.self = reader, .get = view_get, .scan = view_scan, .scan_back = NULL};
}
