#include "node/store/net_change.h"

#include <stdlib.h>

#include "node/store/place_hash.h"
#include "node/store/table_place.h"

/* A key's first bytes, as numbers that sort as the bytes do, zeros behind its end. Most keys are no
 * longer, so that neither a search nor sorting needs the key itself. */
enum { HEAD_WORDS = 5, HEAD_BYTES = 8 * HEAD_WORDS };

/* A row that was written. */
struct written_row {
    uint64_t hash;
    uint64_t head[HEAD_WORDS];
    struct row_write newest; /* is_new: its first write was */
};

/* Its place in its table. */
enum { RANK_WORDS = 3 };
struct ranked_row {
    uint64_t head[RANK_WORDS];
    const struct written_row *row;
};

enum { ROWS_FIRST = 1024, ROWS_KEPT_MAX = 1 << 16 };

void net_change_done(struct net_change *change)
{
    free(change->rows);
    free(change->slots);
    free(change->rising);
    free(change->ranked);
    free(change->writes);
    *change = (struct net_change){.rows = NULL};
}

void net_change_begin(struct net_change *change, uint64_t hash_seed)
{
    if (change->row_capacity > ROWS_KEPT_MAX || change->rising_capacity > ROWS_KEPT_MAX)
        net_change_done(change); /* few runs are as long */
    change->hash_seed = hash_seed;
    change->row_count = change->rising_count = 0;
    change->is_rising = true;
    if (change->slots != NULL)
        memset(change->slots, 0, 2 * change->row_capacity * sizeof *change->slots);
}

static size_t slot_home(const struct net_change *change, uint64_t hash)
{
    return (size_t)(hash >> 16) & (2 * change->row_capacity - 1);
}

static size_t slot_after(const struct net_change *change, size_t slot)
{
    return (slot + 1) & (2 * change->row_capacity - 1);
}

static bool rows_grow(struct net_change *change)
{
    const size_t capacity = change->row_capacity == 0 ? ROWS_FIRST : 2 * change->row_capacity;
    struct written_row *rows = realloc(change->rows, capacity * sizeof *rows);
    if (rows == NULL)
        return false;
    change->rows = rows;
    uint32_t *slots = calloc(2 * capacity, sizeof *slots);
    if (slots == NULL)
        return false;
    free(change->slots);
    change->slots = slots;
    change->row_capacity = capacity;
    for (size_t i = 0; i < change->row_count; i++) {
        size_t slot = slot_home(change, rows[i].hash);
        while (slots[slot] != 0)
            slot = slot_after(change, slot);
        slots[slot] = (uint32_t)(i + 1);
    }
    return true;
}

/* Up to eight bytes of a key, from one that it has, as be64_get would with zeros behind the key. */
static uint64_t word_at(struct bytes key, size_t at)
{
    if (at + 8 <= key.size)
        return be64_get(key.data + at);
    if (key.size >= 8)
        return be64_get(key.data + key.size - 8) << 8 * (at + 8 - key.size);
    uint8_t whole[8] = {0};
    memcpy(whole, key.data, key.size);
    return be64_get(whole);
}

static void head_of(struct bytes key, uint64_t head[HEAD_WORDS])
{
    size_t i = 0;
    for (; 8 * i < key.size && i < HEAD_WORDS; i++)
        head[i] = word_at(key, 8 * i);
    for (; i < HEAD_WORDS; i++)
        head[i] = 0;
}

static uint64_t hash_of(uint64_t seed, const struct row_write *write,
                        const uint64_t head[HEAD_WORDS])
{
    if (write->key.size > HEAD_BYTES)
        return place_hash(seed, write->table, write->key);
    uint64_t hash = place_hash_mix(seed, (uint64_t)write->table << 32 | write->key.size);
    for (size_t i = 0; 8 * i < write->key.size; i++)
        hash = place_hash_mix(hash, head[i]);
    return place_hash_mix(hash, seed);
}

static bool is_of(const struct written_row *row, uint64_t hash, const uint64_t head[HEAD_WORDS],
                  const struct row_write *write)
{
    const struct bytes key = row->newest.key;
    if (row->hash != hash || row->newest.table != write->table || key.size != write->key.size)
        return false;
    for (size_t i = 0; i < HEAD_WORDS; i++)
        if (row->head[i] != head[i])
            return false;
    return key.size <= HEAD_BYTES || bytes_equal(key, write->key);
}

/* One write of a row that may have been written before. */
static bool row_write(struct net_change *change, const struct row_write *write)
{
    if (change->row_count == change->row_capacity && !rows_grow(change))
        return false;
    struct written_row *row = &change->rows[change->row_count]; /* if it is a new one */
    head_of(write->key, row->head);
    row->hash = hash_of(change->hash_seed, write, row->head);
    size_t slot = slot_home(change, row->hash);
    for (; change->slots[slot] != 0; slot = slot_after(change, slot)) {
        struct written_row *known = &change->rows[change->slots[slot] - 1];
        if (is_of(known, row->hash, row->head, write)) {
            const bool is_new = known->newest.is_new;
            known->newest = *write;
            known->newest.is_new = is_new;
            return true;
        }
    }
    row->newest = *write;
    change->slots[slot] = (uint32_t)++change->row_count;
    return true;
}

/* If what should rise does not, all rows go the long way. */
static bool rising_end(struct net_change *change)
{
    change->is_rising = false;
    for (size_t i = 0; i < change->rising_count; i++)
        if (!row_write(change, &change->rising[i]))
            return false;
    change->rising_count = 0;
    return true;
}

static bool rising_write(struct net_change *change, const struct row_write *write)
{
    if (change->rising_count == change->rising_capacity) {
        const size_t capacity = change->rising_count == 0 ? ROWS_FIRST : 2 * change->rising_count;
        struct row_write *rising = realloc(change->rising, capacity * sizeof *rising);
        if (rising == NULL)
            return false;
        change->rising = rising;
        change->rising_capacity = capacity;
    }
    change->rising[change->rising_count++] = *write;
    return true;
}

static bool is_risen(const struct net_change *change, const struct row_write *write)
{
    if (change->rising_count == 0)
        return true;
    const struct row_write *last = &change->rising[change->rising_count - 1];
    return last->table == write->table && bytes_compare(last->key, write->key) < 0;
}

static bool write_add(struct net_change *change, const struct row_write *write)
{
    if (!change->is_rising || table_place((enum row_table)write->table) != PLACE_STORE)
        return row_write(change, write);
    if (is_risen(change, write))
        return rising_write(change, write);
    return rising_end(change) && row_write(change, write);
}

enum pawl_error net_change_add(struct net_change *change, const struct entry *entry)
{
    for (size_t i = 0; i < entry->write_count; i++)
        if (!write_add(change, &entry->writes[i]))
            return PAWL_E_NO_MEMORY;
    return PAWL_OK;
}

static bool is_born_and_dead(const struct written_row *row)
{
    return row->newest.is_new && row->newest.is_deleted;
}

static bool is_before(const struct ranked_row *left, const struct ranked_row *right)
{
    for (size_t i = 0; i < RANK_WORDS; i++)
        if (left->head[i] != right->head[i])
            return left->head[i] < right->head[i];
    return bytes_compare(left->row->newest.key, right->row->newest.key) < 0;
}

/* A few rows, by putting each before those that it precedes. */
static void sort_part(struct ranked_row *rows, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const struct ranked_row row = rows[i];
        size_t at = i;
        for (; at > 0 && is_before(&row, &rows[at - 1]); at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
}

/* Merge [begin, middle) and [middle, end) of from into to. Keys mostly rise with time, so the
 * second part often follows the first. */
static void merge_parts(const struct ranked_row *from, size_t begin, size_t middle, size_t end,
                        struct ranked_row *to)
{
    size_t left = begin, right = middle;
    if (middle < end && is_before(&from[middle], &from[middle - 1]))
        while (left < middle && right < end)
            to[begin++] = is_before(&from[right], &from[left]) ? from[right++] : from[left++];
    memcpy(to + begin, from + left, (middle - left) * sizeof *to);
    memcpy(to + begin + (middle - left), from + right, (end - right) * sizeof *to);
}

/* Ascending, by merging ever longer parts; spare has as many elements. The sorted one of the two.
 */
static struct ranked_row *sort_rows(struct ranked_row *rows, size_t count, struct ranked_row *spare)
{
    enum { PART = 8 };
    for (size_t begin = 0; begin < count; begin += PART)
        sort_part(rows + begin, count - begin < PART ? count - begin : PART);
    for (size_t part = PART; part < count; part *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * part) {
            const size_t middle = begin + part < count ? begin + part : count;
            const size_t end = begin + 2 * part < count ? begin + 2 * part : count;
            merge_parts(rows, begin, middle, end, spare);
        }
        struct ranked_row *sorted = spare;
        spare = rows;
        rows = sorted;
    }
    return rows;
}

static bool results_reserve(struct net_change *change)
{
    const size_t write_count = change->row_count + change->rising_count;
    if (change->ranked_capacity < 2 * change->row_count) {
        free(change->ranked);
        change->ranked_capacity = 2 * change->row_capacity;
        change->ranked = calloc(change->ranked_capacity, sizeof *change->ranked);
    }
    if (change->write_capacity < write_count) {
        free(change->writes);
        change->write_capacity = change->row_capacity + change->rising_capacity;
        change->writes = calloc(change->write_capacity, sizeof *change->writes);
    }
    if (change->ranked == NULL)
        change->ranked_capacity = 0;
    if (change->writes == NULL)
        change->write_capacity = 0;
    return change->ranked_capacity >= 2 * change->row_count &&
           change->write_capacity >= write_count;
}

/* Those that the store must hear of, table by table; ends: where each table's begin, then end. */
static void rank_rows(struct net_change *change, size_t ends[TABLE_COUNT])
{
    memset(ends, 0, TABLE_COUNT * sizeof *ends);
    for (size_t i = 0; i < change->row_count; i++)
        if (!is_born_and_dead(&change->rows[i]))
            ends[change->rows[i].newest.table]++;
    for (size_t table = 0, begin = 0; table < TABLE_COUNT; table++) {
        const size_t count = ends[table];
        ends[table] = begin;
        begin += count;
    }
    for (size_t i = 0; i < change->row_count; i++) {
        const struct written_row *row = &change->rows[i];
        if (is_born_and_dead(row))
            continue;
        struct ranked_row *ranked = &change->ranked[ends[row->newest.table]++];
        memcpy(ranked->head, row->head, sizeof ranked->head);
        ranked->row = row;
    }
}

/* A table's rows, sorted, at the end of the result. */
static size_t rows_put(struct net_change *change, struct ranked_row *rows, size_t row_count,
                       size_t write_count)
{
    if (row_count == 0)
        return write_count;
    const struct ranked_row *sorted =
        sort_rows(rows, row_count, change->ranked + change->row_count);
    for (size_t i = 0; i < row_count; i++)
        change->writes[write_count++] = sorted[i].row->newest;
    return write_count;
}

static size_t rising_put(struct net_change *change, size_t table, size_t write_count)
{
    if (change->rising_count == 0 || change->rising[0].table != table)
        return write_count;
    memcpy(change->writes + write_count, change->rising,
           change->rising_count * sizeof *change->rising);
    return write_count + change->rising_count;
}

enum pawl_error net_change_end(struct net_change *change, const struct row_write **writes_out,
                               size_t *write_count_out)
{
    size_t ends[TABLE_COUNT], count = 0, begin = 0;
    if (!results_reserve(change))
        return PAWL_E_NO_MEMORY;
    rank_rows(change, ends);
    for (size_t table = 0; table < TABLE_COUNT; table++) {
        count = rows_put(change, change->ranked + begin, ends[table] - begin, count);
        count = rising_put(change, table, count);
        begin = ends[table];
    }
    *writes_out = change->writes;
    *write_count_out = count;
    return PAWL_OK;
}
