#include "node/store/memory.h"

#include <assert.h>
#include <stdlib.h>

#include "node/store/memory_rows.h"
#include "node/store/table_place.h"
#include "proto/limits.h"

static bool is_in_order(enum row_table table)
{
    return table_place(table) == PLACE_IN_ORDER;
}

static bool cover_everything(struct memory *memory)
{
    struct bytes whole = {NULL, 0};
    for (unsigned i = 0; i < TABLE_COUNT; i++)
        if (is_in_order((enum row_table)i) && !ranges_add(&memory->ranges[i], whole, whole, 0))
            return false;
    return true;
}

struct memory *memory_new(const struct memory_options *options)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return NULL;
    memory->options = *options;
    if (cover_everything(memory))
        return memory;
    memory_free(memory);
    return NULL;
}

static void forget_rows(struct memory *memory)
{
    for (size_t i = 0; i < memory->index.slot_count; i++)
        if (memory->index.slots[i].row != NULL)
            memory_row_release(memory, memory->index.slots[i].row);
    row_index_done(&memory->index);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        row_tree_done(&memory->trees[i]);
        ranges_done(&memory->ranges[i]);
    }
    pool_done(&memory->pool);
    memory->used_oldest = memory->used_newest = NULL;
    memory->dirty.first = memory->dirty.count = 0;
    memory->version_count = memory->clean_bytes = memory->dirty_bytes = 0;
}

enum pawl_error memory_reset(struct memory *memory, uint64_t flushed_index)
{
    forget_rows(memory);
    memory->flushed = memory->committed = memory->forgotten = flushed_index;
    return flushed_index > 0 || cover_everything(memory) ? PAWL_OK : PAWL_E_NO_MEMORY;
}

void memory_free(struct memory *memory)
{
    if (memory == NULL)
        return;
    forget_rows(memory);
    free(memory->dirty.slots);
    free(memory);
}

static void forget_up_to(struct memory *memory, uint64_t index)
{
    if (index > memory->forgotten)
        memory->forgotten = index;
}

/* A part of a range in which no row is left is given up, except the one where new keys are added.
 */
static void uncover_key(struct memory *memory, const struct memory_row *row, struct range *range)
{
    struct memory_row *before, *after;
    row_tree_around(&memory->trees[row->table], row, &before, &after);
    struct range_keep keep = {
        .before = before != NULL && bytes_compare(memory_row_key(before), range->begin) >= 0,
        .after = range->end.size == 0 ||
                 (after != NULL && key_is_before_end(memory_row_key(after), range->end)),
    };
    forget_up_to(memory, range->deleted_index);
    ranges_cut(&memory->ranges[row->table], memory_row_key(row), keep);
}

static void ranges_bound(struct memory *memory, enum row_table table)
{
    struct range_list *list = &memory->ranges[table];
    while (list->count > MEMORY_RANGES_MAX) {
        size_t oldest = ranges_oldest(list);
        forget_up_to(memory, list->range[oldest].deleted_index);
        ranges_remove(list, oldest);
    }
}

static void row_evict(struct memory *memory, struct memory_row *row)
{
    const struct memory_version *version = row->newest;
    struct range *range = ranges_find(&memory->ranges[row->table], memory_row_key(row));
    if (range != NULL && version->is_deleted) {
        /* The range itself says that the row is absent. */
        if (version->index > range->deleted_index)
            range->deleted_index = version->index;
    } else {
        forget_up_to(memory, version->index);
        if (range != NULL)
            uncover_key(memory, row, range);
    }
    enum row_table table = row->table;
    memory_row_forget(memory, row);
    ranges_bound(memory, table);
}

/* Down to the bound, oldest use first; what was used after this stays. A flush may bring more at
 * once than all that is kept: rows that were read are spared once, up to half of the bound, so that
 * they do not give way to rows that nobody may ask for. */
static void evict(struct memory *memory, uint64_t used)
{
    const size_t bytes_max = memory->options.clean_bytes_max;
    size_t spared_bytes = 0;
    while (memory->clean_bytes > bytes_max && memory->used_oldest != NULL &&
           memory->used_oldest->used <= used) {
        struct memory_row *row = memory->used_oldest;
        if (row->used_after != NULL)
            __builtin_prefetch(row->used_after->used_after);
        if (row->was_read && spared_bytes + row->bytes <= bytes_max / 2) {
            spared_bytes += row->bytes;
            row->was_read = false;
            memory_row_touch(memory, row);
        } else {
            row_evict(memory, row);
        }
    }
}

void memory_clean_bound(struct memory *memory, size_t clean_bytes_max)
{
    memory->options.clean_bytes_max = clean_bytes_max;
}

static bool write_is_sound(const struct row_write *write)
{
    return write->table < TABLE_COUNT && write->key.size > 0 &&
           write->key.size <= ROW_KEY_BYTES_MAX && write->value.size <= UINT32_MAX;
}

static bool write_one(struct memory *memory, uint64_t index, const struct row_write *write,
                      uint64_t hash)
{
    const enum row_table table = (enum row_table)write->table;
    struct bytes value = write->is_deleted ? (struct bytes){NULL, 0} : write->value;
    struct memory_row *row = memory_row_ensure(memory, hash, table, write->key, value.size);
    if (row == NULL)
        return false;
    if (!memory_version_push(memory, row, index, write->is_deleted, value)) {
        if (row->newest == NULL)
            memory_row_forget(memory, row);
        return false;
    }
    return write->is_deleted || !is_in_order(table) || memory_row_list(memory, row);
}

/* The places of a few rows are looked up together, so that the processor waits for all at once. */
enum { WRITES_AT_ONCE = 16 };

static bool write_some(struct memory *memory, uint64_t index, const struct row_write *writes,
                       size_t write_count)
{
    uint64_t hash[WRITES_AT_ONCE];
    const struct row_write *kept[WRITES_AT_ONCE];
    size_t count = 0;
    for (size_t i = 0; i < write_count; i++)
        if (table_place((enum row_table)writes[i].table) != PLACE_STORE) {
            hash[count] = memory_row_expect(memory, (enum row_table)writes[i].table, writes[i].key);
            kept[count++] = &writes[i];
        }
    for (size_t i = 0; i < count; i++)
        if (!write_one(memory, index, kept[i], hash[i]))
            return false;
    return true;
}

enum pawl_error memory_write(struct memory *memory, uint64_t index, const struct row_write *writes,
                             size_t write_count)
{
    assert(index > memory->committed);
    assert(index >= memory_dirty_last(memory));
    for (size_t i = 0; i < write_count; i++)
        if (!write_is_sound(&writes[i]))
            return PAWL_E_INVALID;
    for (size_t i = 0; i < write_count; i += WRITES_AT_ONCE) {
        const size_t left = write_count - i;
        if (!write_some(memory, index, writes + i, left < WRITES_AT_ONCE ? left : WRITES_AT_ONCE))
            return PAWL_E_NO_MEMORY;
    }
    return PAWL_OK;
}

void memory_commit(struct memory *memory, uint64_t index)
{
    assert(index >= memory->committed);
    memory->committed = index;
}

/* How many of the dirty rows were written up to index. */
static size_t dirty_count_to(const struct memory *memory, uint64_t index)
{
    size_t low = 0, high = memory->dirty.count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (memory_dirty_at(memory, middle)->index <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* About as many of the newest writes as there is room for what is left of them as clean copies. */
static size_t keep_count(const struct memory *memory)
{
    const size_t write_bytes = memory->dirty_bytes / memory->dirty.count + 1;
    return memory->options.clean_bytes_max / write_bytes;
}

/* The row's newest version is in the store. A deleted row is a copy worth keeping only where
 * nothing else could tell that it is absent and it is often asked for. */
static void row_became_clean(struct memory *memory, struct memory_row *row, bool is_kept)
{
    const bool is_told = row->newest->is_deleted &&
                         (!is_in_order((enum row_table)row->table) ||
                          ranges_find(&memory->ranges[row->table], memory_row_key(row)) != NULL);
    if (is_told || !(is_kept || row->was_read))
        row_evict(memory, row);
    else
        memory_row_settle(memory, row);
}

/* What a flush brings may be more than all that is kept: what would give way to the rest of it goes
 * at once. */
void memory_flushed(struct memory *memory, uint64_t index)
{
    assert(index >= memory->flushed && index <= memory->committed);
    memory->flushed = index;
    const size_t count = dirty_count_to(memory, index);
    const size_t kept = count > 0 ? keep_count(memory) : 0;
    for (size_t left = count; left > 0; left--) {
        const struct dirty_row written = memory_dirty_take(memory);
        memory_versions_cut(memory, written.row, index);
        if (written.row->newest->index == written.index)
            row_became_clean(memory, written.row, left <= kept);
    }
    evict(memory, memory->use_count);
}

/* Take one row of a load (is_absent: its absence) as what was flushed, unless memory knows better.
 * When the snapshot is newer than the last flush that was reported, versions above hide it until
 * that report. */
static bool load_one(struct memory *memory, enum row_table table, struct bytes key, bool is_absent,
                     struct bytes value)
{
    struct memory_row *row = memory_row_find(memory, table, key);
    bool is_known = row != NULL && row->oldest->index <= memory->committed;
    if (is_known || ranges_find(&memory->ranges[table], key) != NULL) {
        if (row != NULL && row->is_clean)
            memory_row_touch(memory, row);
        return true;
    }
    row = memory_row_ensure(memory, memory_row_expect(memory, table, key), table, key, value.size);
    if (row == NULL)
        return false;
    if (!memory_version_put_under(memory, row, is_absent, value)) {
        if (row->newest == NULL)
            memory_row_forget(memory, row);
        return false;
    }
    return is_absent || !is_in_order(table) || memory_row_list(memory, row);
}

static bool load_range(struct memory *memory, const struct memory_missing *missing,
                       struct bytes covered_end)
{
    struct bytes end = covered_end.size > 0 ? covered_end : missing->end;
    if (!is_in_order(missing->table) || !key_is_before_end(missing->begin, end))
        return true;
    if (!ranges_add(&memory->ranges[missing->table], missing->begin, end, ++memory->use_count))
        return false;
    ranges_bound(memory, missing->table);
    return true;
}

enum pawl_error memory_loaded(struct memory *memory, uint64_t label,
                              const struct memory_missing *missing, const struct row *rows,
                              size_t row_count, struct bytes covered_end)
{
    assert(table_place(missing->table) != PLACE_STORE); /* no decision reads it */
    if (label < memory->forgotten)
        return PAWL_E_STALE;
    uint64_t used_before = memory->use_count;
    for (size_t i = 0; i < row_count; i++)
        if (!load_one(memory, missing->table, rows[i].key, false, rows[i].value))
            return PAWL_E_NO_MEMORY;
    struct bytes none = {NULL, 0};
    bool is_absence = !missing->is_range && row_count == 0;
    if (is_absence && !load_one(memory, missing->table, missing->begin, true, none))
        return PAWL_E_NO_MEMORY;
    if (missing->is_range && !load_range(memory, missing, covered_end))
        return PAWL_E_NO_MEMORY;
    /* What this load brought must live until the command that waits for it is decided again. */
    evict(memory, used_before);
    return PAWL_OK;
}

struct memory_figures memory_figures(const struct memory *memory)
{
    return (struct memory_figures){
        .row_count = memory->index.row_count,
        .version_count = memory->version_count,
        .clean_bytes = memory->clean_bytes,
        .dirty_bytes = memory->dirty_bytes,
    };
}
