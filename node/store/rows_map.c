#include "node/store/rows_map.h"

#include <assert.h>
#include <stdlib.h>

#include "node/store/rows_sum.h"

enum { PAGE_ROWS = 64 };

/* Rows and pages are shared by all flushes that have them, and counted. */
struct map_row {
    unsigned holders;
    uint8_t table;
    struct row row; /* views into memory */
    uint8_t memory[];
};

struct map_page {
    unsigned holders;
    unsigned count; /* at least 1 */
    struct map_row *row[PAGE_ROWS];
};

/* A partition as of one flush. */
struct rows_snapshot {
    unsigned holders;
    struct rows_mark mark;
    struct rows_sum sums[TABLE_COUNT];
    size_t page_count;
    struct map_page *page[]; /* ascending by (table, key) */
};

struct rows_map {
    struct rows_map_options options;
    enum rows_map_fault fault;
    struct rows_snapshot *partition[];
};

struct place {
    size_t page;
    unsigned at;
};

static void row_release(struct map_row *row)
{
    if (--row->holders == 0)
        free(row);
}

static void page_release(struct map_page *page)
{
    if (--page->holders > 0)
        return;
    for (unsigned i = 0; i < page->count; i++)
        row_release(page->row[i]);
    free(page);
}

static void snapshot_release(struct rows_snapshot *snapshot)
{
    if (--snapshot->holders > 0)
        return;
    for (size_t i = 0; i < snapshot->page_count; i++)
        page_release(snapshot->page[i]);
    free(snapshot);
}

static struct rows_snapshot *snapshot_new(size_t page_count_max)
{
    struct rows_snapshot *snapshot;
    snapshot = calloc(1, sizeof *snapshot + page_count_max * sizeof snapshot->page[0]);
    if (snapshot != NULL)
        snapshot->holders = 1;
    return snapshot;
}

static struct map_row *row_new(const struct row_write *write)
{
    struct map_row *row = malloc(sizeof *row + write->key.size + write->value.size);
    if (row == NULL)
        return NULL;
    row->holders = 1;
    row->table = write->table;
    row->row.key = (struct bytes){row->memory, write->key.size};
    row->row.value = (struct bytes){row->memory + write->key.size, write->value.size};
    memcpy(row->memory, write->key.data, write->key.size);
    if (write->value.size > 0)
        memcpy(row->memory + write->key.size, write->value.data, write->value.size);
    return row;
}

static int row_order(const struct map_row *row, unsigned table, struct bytes key)
{
    if (row->table != table)
        return row->table < table ? -1 : 1;
    return bytes_compare(row->row.key, key);
}

/* The new state of a partition while it is put together. */
struct builder {
    const struct rows_sum_key *sum_key;
    uint32_t partition;
    struct rows_snapshot *snapshot;
    struct map_page *open; /* the last page, when rows may still be added to it */
};

/* Takes one holder of the row. False: no memory, the row is released. */
static bool builder_take(struct builder *builder, struct map_row *row)
{
    if (builder->open == NULL || builder->open->count == PAGE_ROWS) {
        builder->open = calloc(1, sizeof *builder->open);
        if (builder->open == NULL) {
            row_release(row);
            return false;
        }
        builder->open->holders = 1;
        builder->snapshot->page[builder->snapshot->page_count++] = builder->open;
    }
    builder->open->row[builder->open->count++] = row;
    return true;
}

static void builder_share(struct builder *builder, struct map_page *page)
{
    page->holders++;
    builder->snapshot->page[builder->snapshot->page_count++] = page;
    builder->open = NULL;
}

static void builder_digest(const struct builder *builder, const struct map_row *row,
                           uint8_t out[ROW_DIGEST_BYTES])
{
    const struct row_place place = {builder->partition, row->table, row->row.key};
    row_digest(builder->sum_key, &place, row->row.value, out);
}

static bool builder_write(struct builder *builder, const struct row_write *write)
{
    if (write->is_deleted)
        return true;
    struct map_row *row = row_new(write);
    if (row == NULL)
        return false;
    uint8_t digest[ROW_DIGEST_BYTES];
    builder_digest(builder, row, digest);
    rows_sum_add(&builder->snapshot->sums[write->table], digest);
    return builder_take(builder, row);
}

static void builder_replace(struct builder *builder, const struct map_row *row)
{
    uint8_t digest[ROW_DIGEST_BYTES];
    builder_digest(builder, row, digest);
    rows_sum_remove(&builder->snapshot->sums[row->table], digest);
}

/* Merge the rows of a page (NULL: none) with the writes that fall into it. */
static bool builder_merge(struct builder *builder, const struct map_page *page,
                          const struct row_write *writes, size_t write_count)
{
    unsigned at = 0, row_count = page == NULL ? 0 : page->count;
    for (size_t i = 0; i < write_count; i++) {
        int order = 1;
        while (at < row_count &&
               (order = row_order(page->row[at], writes[i].table, writes[i].key)) < 0) {
            page->row[at]->holders++;
            if (!builder_take(builder, page->row[at++]))
                return false;
        }
        if (at < row_count && order == 0)
            builder_replace(builder, page->row[at++]);
        if (!builder_write(builder, &writes[i]))
            return false;
    }
    while (at < row_count) {
        page->row[at]->holders++;
        if (!builder_take(builder, page->row[at++]))
            return false;
    }
    return true;
}

/* How many of the writes stand before the row. */
static size_t writes_before(const struct row_write *writes, size_t write_count,
                            const struct map_row *row)
{
    size_t count = 0;
    while (count < write_count && row_order(row, writes[count].table, writes[count].key) > 0)
        count++;
    return count;
}

static bool builder_run(struct builder *builder, const struct rows_snapshot *old,
                        const struct row_write *writes, size_t write_count)
{
    if (old->page_count == 0)
        return builder_merge(builder, NULL, writes, write_count);
    for (size_t i = 0; i < old->page_count; i++) {
        size_t count = write_count;
        if (i + 1 < old->page_count)
            count = writes_before(writes, write_count, old->page[i + 1]->row[0]);
        if (count == 0)
            builder_share(builder, old->page[i]);
        else if (!builder_merge(builder, old->page[i], writes, count))
            return false;
        writes += count;
        write_count -= count;
    }
    return true;
}

static void writes_check(const struct row_write *writes, size_t write_count)
{
    for (size_t i = 0; i < write_count; i++) {
        assert(writes[i].table < TABLE_COUNT);
        assert(writes[i].key.size > 0 && writes[i].key.size <= ROW_KEY_BYTES_MAX);
        assert(i == 0 || writes[i - 1].table < writes[i].table ||
               (writes[i - 1].table == writes[i].table &&
                bytes_compare(writes[i - 1].key, writes[i].key) < 0));
    }
}

static enum pawl_error partition_flush(struct rows_map *map, uint32_t partition,
                                       const struct rows_mark *mark, const struct row_write *writes,
                                       size_t write_count)
{
    struct rows_snapshot *old = map->partition[partition];
    size_t page_count_max = 2 * old->page_count + write_count / PAGE_ROWS + 1;
    struct builder builder = {.sum_key = &map->options.sum_key,
                              .partition = partition,
                              .snapshot = snapshot_new(page_count_max)};
    if (builder.snapshot == NULL)
        return PAWL_E_NO_MEMORY;
    builder.snapshot->mark = *mark;
    memcpy(builder.snapshot->sums, old->sums, sizeof old->sums);
    if (!builder_run(&builder, old, writes, write_count)) {
        snapshot_release(builder.snapshot);
        return PAWL_E_NO_MEMORY;
    }
    map->partition[partition] = builder.snapshot;
    snapshot_release(old);
    return PAWL_OK;
}

static enum pawl_error map_flush(void *self, uint32_t partition, const struct rows_mark *mark,
                                 const struct row_write *writes, size_t write_count,
                                 struct pawl_diag *diag)
{
    struct rows_map *map = self;
    assert(partition < map->options.partition_count);
    writes_check(writes, write_count);
    enum rows_map_fault fault = map->fault;
    map->fault = ROWS_MAP_SOUND;
    if (fault == ROWS_MAP_DISK_FULL)
        return diag_fail(diag, PAWL_E_DISK_FULL, "the simulated disk is full");
    if (fault == ROWS_MAP_LOST)
        return diag_fail(diag, PAWL_E_IO, "the simulated flush was lost");
    TRY(partition_flush(map, partition, mark, writes, write_count));
    if (fault == ROWS_MAP_UNHEARD)
        return diag_fail(diag, PAWL_E_IO, "the simulated flush was done, but not reported");
    return PAWL_OK;
}

static enum pawl_error map_snapshot_open(void *self, uint32_t partition,
                                         struct rows_snapshot **snapshot_out)
{
    struct rows_map *map = self;
    assert(partition < map->options.partition_count);
    map->partition[partition]->holders++;
    *snapshot_out = map->partition[partition];
    return PAWL_OK;
}

static void map_snapshot_close(void *self, struct rows_snapshot *snapshot)
{
    (void)self;
    snapshot_release(snapshot);
}

static struct rows_mark map_snapshot_mark(void *self, const struct rows_snapshot *snapshot)
{
    (void)self;
    return snapshot->mark;
}

/* The first row that is not below (table, key); past the last page: none. */
static struct place seek(const struct rows_snapshot *snapshot, unsigned table, struct bytes key)
{
    size_t low = 0, high = snapshot->page_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct map_page *page = snapshot->page[middle];
        if (row_order(page->row[page->count - 1], table, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    struct place place = {.page = low, .at = 0};
    if (low < snapshot->page_count)
        while (row_order(snapshot->page[low]->row[place.at], table, key) < 0)
            place.at++;
    return place;
}

static const struct map_row *row_at(const struct rows_snapshot *snapshot, struct place place)
{
    return place.page < snapshot->page_count ? snapshot->page[place.page]->row[place.at] : NULL;
}

static void place_next(const struct rows_snapshot *snapshot, struct place *place)
{
    if (++place->at < snapshot->page[place->page]->count)
        return;
    place->page++;
    place->at = 0;
}

/* False: the place was the first row. */
static bool place_back(const struct rows_snapshot *snapshot, struct place *place)
{
    if (place->at > 0) {
        place->at--;
        return true;
    }
    if (place->page == 0)
        return false;
    place->page--;
    place->at = snapshot->page[place->page]->count - 1;
    return true;
}

static enum pawl_error map_get(void *self, struct rows_snapshot *snapshot, enum row_table table,
                               struct bytes key, struct bytes *value_out)
{
    (void)self;
    const struct map_row *row = row_at(snapshot, seek(snapshot, table, key));
    if (row == NULL || row_order(row, table, key) != 0)
        return PAWL_E_NOT_FOUND;
    *value_out = row->row.value;
    return PAWL_OK;
}

static size_t scan_forward(const struct rows_snapshot *snapshot, unsigned table, struct bytes begin,
                           struct bytes end, size_t row_max, struct row *rows_out)
{
    size_t count = 0;
    struct place place = seek(snapshot, table, begin);
    while (count < row_max) {
        const struct map_row *row = row_at(snapshot, place);
        if (row == NULL || row->table != table ||
            (end.size != 0 && bytes_compare(row->row.key, end) >= 0))
            break;
        rows_out[count++] = row->row;
        place_next(snapshot, &place);
    }
    return count;
}

static size_t scan_backward(const struct rows_snapshot *snapshot, unsigned table,
                            struct bytes begin, struct bytes end, size_t row_max,
                            struct row *rows_out)
{
    size_t count = 0;
    struct place place =
        end.size != 0 ? seek(snapshot, table, end) : seek(snapshot, table + 1, bytes_of(NULL, 0));
    while (count < row_max && place_back(snapshot, &place)) {
        const struct map_row *row = row_at(snapshot, place);
        if (row_order(row, table, begin) < 0)
            break;
        rows_out[count++] = row->row;
    }
    return count;
}

static enum pawl_error map_scan(void *self, struct rows_snapshot *snapshot, enum row_table table,
                                struct bytes begin, struct bytes end, bool is_backward,
                                size_t row_max, struct row *rows_out, size_t *count_out)
{
    (void)self;
    *count_out = is_backward ? scan_backward(snapshot, table, begin, end, row_max, rows_out)
                             : scan_forward(snapshot, table, begin, end, row_max, rows_out);
    return PAWL_OK;
}

static enum pawl_error map_sums(void *self, uint32_t partition,
                                struct rows_sum sums_out[TABLE_COUNT])
{
    struct rows_map *map = self;
    assert(partition < map->options.partition_count);
    memcpy(sums_out, map->partition[partition]->sums, sizeof map->partition[partition]->sums);
    return PAWL_OK;
}

static struct rows_map *map_new(const struct rows_map_options *options)
{
    struct rows_map *map;
    map = calloc(1, sizeof *map + options->partition_count * sizeof map->partition[0]);
    if (map != NULL)
        map->options = *options;
    return map;
}

struct rows_map *rows_map_new(const struct rows_map_options *options)
{
    struct rows_map *map = map_new(options);
    if (map == NULL)
        return NULL;
    for (uint32_t i = 0; i < options->partition_count; i++) {
        map->partition[i] = snapshot_new(0);
        if (map->partition[i] == NULL) {
            rows_map_free(map);
            return NULL;
        }
    }
    return map;
}

void rows_map_free(struct rows_map *map)
{
    if (map == NULL)
        return;
    for (uint32_t i = 0; i < map->options.partition_count; i++)
        if (map->partition[i] != NULL)
            snapshot_release(map->partition[i]);
    free(map);
}

struct rows_map *rows_map_clone(const struct rows_map *map)
{
    struct rows_map *clone = map_new(&map->options);
    if (clone == NULL)
        return NULL;
    for (uint32_t i = 0; i < map->options.partition_count; i++) {
        map->partition[i]->holders++;
        clone->partition[i] = map->partition[i];
    }
    return clone;
}

void rows_map_fail_next(struct rows_map *map, enum rows_map_fault fault)
{
    map->fault = fault;
}

struct rows_port rows_map_port(struct rows_map *map)
{
    return (struct rows_port){
        .self = map,
        .flush = map_flush,
        .snapshot_open = map_snapshot_open,
        .snapshot_close = map_snapshot_close,
        .snapshot_mark = map_snapshot_mark,
        .get = map_get,
        .scan = map_scan,
        .sums = map_sums,
    };
}
