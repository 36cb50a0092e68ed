#include "node/store/net_change.h"

#include "node/store/place_hash.h"
#include "node/store/table_place.h"

/* A row that was written. */
struct written {
    uint64_t hash;
    const struct row_write *newest;
    bool is_new; /* its first write was */
};

/* Its place in the result: what sorts it is here, so that sorting touches no key. */
enum { HEAD_WORDS = 3 };
struct ranked {
    uint64_t head[HEAD_WORDS]; /* the key's first bytes, as numbers that sort as the bytes do */
    uint32_t row;              /* its number among the written */
    uint8_t table;
};

struct gathering {
    uint64_t hash_seed;
    struct written *rows;
    size_t row_count;
    uint32_t *slots; /* hash -> place in rows plus 1; 0: free */
    size_t slot_count;
    /* Rows of tables whose keys rise: each is written once, in order, and needs neither. */
    const struct row_write **rising;
    size_t rising_count;
    bool is_rising;
};

static size_t count_writes(const struct entry *entries, size_t entry_count)
{
    size_t count = 0;
    for (size_t i = 0; i < entry_count; i++)
        count += entries[i].write_count;
    return count;
}

static bool gathering_init(struct gathering *gathering, size_t write_count, struct arena *arena)
{
    gathering->slot_count = 16;
    while (gathering->slot_count < 2 * write_count)
        gathering->slot_count *= 2;
    gathering->rows = arena_array(arena, write_count, sizeof *gathering->rows);
    gathering->rising = arena_array(arena, write_count, sizeof *gathering->rising);
    gathering->slots = arena_array(arena, gathering->slot_count, sizeof *gathering->slots);
    return gathering->rows != NULL && gathering->rising != NULL && gathering->slots != NULL;
}

/* The slot of the row, or the free slot where it would go. */
static uint32_t *slot_find(const struct gathering *gathering, uint64_t hash,
                           const struct row_write *write)
{
    const size_t mask = gathering->slot_count - 1;
    for (size_t slot = (size_t)(hash >> 16) & mask;; slot = (slot + 1) & mask) {
        if (gathering->slots[slot] == 0)
            return &gathering->slots[slot];
        const struct written *row = &gathering->rows[gathering->slots[slot] - 1];
        if (row->hash == hash && row->newest->table == write->table &&
            bytes_equal(row->newest->key, write->key))
            return &gathering->slots[slot];
    }
}

static void gather_write(struct gathering *gathering, const struct row_write *write)
{
    const uint64_t hash = place_hash(gathering->hash_seed, write->table, write->key);
    uint32_t *slot = slot_find(gathering, hash, write);
    if (*slot != 0) {
        gathering->rows[*slot - 1].newest = write;
        return;
    }
    gathering->rows[gathering->row_count] =
        (struct written){.hash = hash, .newest = write, .is_new = write->is_new};
    *slot = (uint32_t)++gathering->row_count;
}

/* False: it does not stand behind the last of them. */
static bool gather_rising(struct gathering *gathering, const struct row_write *write)
{
    const size_t count = gathering->rising_count;
    if (count > 0 && bytes_compare(gathering->rising[count - 1]->key, write->key) >= 0)
        return false;
    gathering->rising[gathering->rising_count++] = write;
    return true;
}

/* False: a key did not rise. */
static bool gather(struct gathering *gathering, const struct entry *entries, size_t entry_count)
{
    for (size_t i = 0; i < entry_count; i++)
        for (size_t k = 0; k < entries[i].write_count; k++) {
            const struct row_write *write = &entries[i].writes[k];
            const bool is_rising =
                gathering->is_rising && table_place((enum row_table)write->table) == PLACE_STORE;
            if (!is_rising)
                gather_write(gathering, write);
            else if (!gather_rising(gathering, write))
                return false;
        }
    return true;
}

/* If what should rise does not, all rows go the long way. */
static void gather_all(struct gathering *gathering, const struct entry *entries, size_t entry_count)
{
    gathering->is_rising = true;
    if (gather(gathering, entries, entry_count))
        return;
    gathering->is_rising = false;
    gathering->row_count = gathering->rising_count = 0;
    memset(gathering->slots, 0, gathering->slot_count * sizeof *gathering->slots);
    (void)gather(gathering, entries, entry_count);
}

static bool is_born_and_dead(const struct written *row)
{
    return row->is_new && row->newest->is_deleted;
}

static struct ranked rank_of(const struct row_write *write, size_t row)
{
    uint8_t head[8 * HEAD_WORDS] = {0};
    memcpy(head, write->key.data, write->key.size < sizeof head ? write->key.size : sizeof head);
    struct ranked ranked = {.row = (uint32_t)row, .table = write->table};
    for (size_t i = 0; i < HEAD_WORDS; i++)
        ranked.head[i] = be64_get(head + 8 * i);
    return ranked;
}

/* Those that the store must hear of. */
static size_t rank_rows(const struct gathering *gathering, struct ranked *ranked)
{
    size_t count = 0;
    for (size_t i = 0; i < gathering->row_count; i++)
        if (!is_born_and_dead(&gathering->rows[i]))
            ranked[count++] = rank_of(gathering->rows[i].newest, i);
    return count;
}

static bool is_before(const struct gathering *gathering, const struct ranked *left,
                      const struct ranked *right)
{
    if (left->table != right->table)
        return left->table < right->table;
    for (size_t i = 0; i < HEAD_WORDS; i++)
        if (left->head[i] != right->head[i])
            return left->head[i] < right->head[i];
    return bytes_compare(gathering->rows[left->row].newest->key,
                         gathering->rows[right->row].newest->key) < 0;
}

/* Merge [begin, middle) and [middle, end) of from into to. */
static void merge_parts(const struct gathering *gathering, const struct ranked *from, size_t begin,
                        size_t middle, size_t end, struct ranked *to)
{
    size_t left = begin, right = middle;
    while (left < middle && right < end)
        to[begin++] =
            is_before(gathering, &from[right], &from[left]) ? from[right++] : from[left++];
    memcpy(to + begin, from + left, (middle - left) * sizeof *to);
    memcpy(to + begin + (middle - left), from + right, (end - right) * sizeof *to);
}

/* Ascending, by merging ever longer parts; spare has as many elements. The sorted one of the two.
 */
static struct ranked *sort_rows(const struct gathering *gathering, struct ranked *rows,
                                size_t count, struct ranked *spare)
{
    for (size_t part = 1; part < count; part *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * part) {
            const size_t middle = begin + part < count ? begin + part : count;
            const size_t end = begin + 2 * part < count ? begin + 2 * part : count;
            merge_parts(gathering, rows, begin, middle, end, spare);
        }
        struct ranked *sorted = spare;
        spare = rows;
        rows = sorted;
    }
    return rows;
}

/* Both lists are sorted, and no table is in both. */
static size_t join(const struct gathering *gathering, const struct ranked *rows, size_t row_count,
                   struct row_write *writes)
{
    size_t count = 0, risen = 0;
    for (size_t i = 0; i < row_count; i++) {
        const struct written *row = &gathering->rows[rows[i].row];
        while (risen < gathering->rising_count && gathering->rising[risen]->table < rows[i].table)
            writes[count++] = *gathering->rising[risen++];
        writes[count] = *row->newest;
        writes[count++].is_new = row->is_new;
    }
    while (risen < gathering->rising_count)
        writes[count++] = *gathering->rising[risen++];
    return count;
}

enum pawl_error net_change_of(const struct entry *entries, size_t entry_count, uint64_t hash_seed,
                              struct arena *arena, struct row_write **writes_out,
                              size_t *write_count_out)
{
    struct gathering gathering = {.hash_seed = hash_seed};
    if (!gathering_init(&gathering, count_writes(entries, entry_count), arena))
        return PAWL_E_NO_MEMORY;
    gather_all(&gathering, entries, entry_count);
    struct ranked *rows = arena_array(arena, gathering.row_count, sizeof *rows);
    struct ranked *spare = arena_array(arena, gathering.row_count, sizeof *spare);
    if (rows == NULL || spare == NULL)
        return PAWL_E_NO_MEMORY;
    const size_t row_count = rank_rows(&gathering, rows);
    rows = sort_rows(&gathering, rows, row_count, spare);
    struct row_write *writes =
        arena_array(arena, row_count + gathering.rising_count, sizeof *writes);
    if (writes == NULL)
        return PAWL_E_NO_MEMORY;
    *write_count_out = join(&gathering, rows, row_count, writes);
    *writes_out = writes;
    return PAWL_OK;
}
