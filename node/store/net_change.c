#include "node/store/net_change.h"

#include "node/store/place_hash.h"
#include "node/store/row_tree.h"
#include "node/store/table_place.h"

/* A row that was written, with what sorts it near at hand. */
struct written {
    uint64_t prefix; /* row_prefix of its key */
    uint64_t hash;
    const struct row_write *newest;
    uint8_t table;
    bool is_new; /* its first write was */
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
        if (row->hash == hash && row->table == write->table &&
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
    gathering->rows[gathering->row_count] = (struct written){.table = write->table,
                                                             .prefix = row_prefix(write->key),
                                                             .hash = hash,
                                                             .newest = write,
                                                             .is_new = write->is_new};
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

static void drop_born_and_dead(struct gathering *gathering)
{
    size_t kept = 0;
    for (size_t i = 0; i < gathering->row_count; i++)
        if (!is_born_and_dead(&gathering->rows[i]))
            gathering->rows[kept++] = gathering->rows[i];
    gathering->row_count = kept;
}

static bool is_before(const struct written *left, const struct written *right)
{
    if (left->table != right->table)
        return left->table < right->table;
    if (left->prefix != right->prefix)
        return left->prefix < right->prefix;
    return bytes_compare(left->newest->key, right->newest->key) < 0;
}

/* Merge [begin, middle) and [middle, end) of from into to. */
static void merge_parts(const struct written *from, size_t begin, size_t middle, size_t end,
                        struct written *to)
{
    size_t left = begin, right = middle;
    for (size_t at = begin; at < end; at++) {
        const bool takes_right =
            left == middle || (right < end && is_before(&from[right], &from[left]));
        to[at] = from[takes_right ? right++ : left++];
    }
}

/* Ascending, by merging ever longer parts; spare has as many elements. The sorted one of the two.
 */
static struct written *sort_rows(struct written *rows, size_t count, struct written *spare)
{
    for (size_t part = 1; part < count; part *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * part) {
            const size_t middle = begin + part < count ? begin + part : count;
            const size_t end = begin + 2 * part < count ? begin + 2 * part : count;
            merge_parts(rows, begin, middle, end, spare);
        }
        struct written *sorted = spare;
        spare = rows;
        rows = sorted;
    }
    return rows;
}

/* Both lists are sorted, and no table is in both. */
static size_t join(const struct gathering *gathering, struct row_write *writes)
{
    size_t count = 0, risen = 0;
    for (size_t i = 0; i < gathering->row_count; i++) {
        const struct written *row = &gathering->rows[i];
        while (risen < gathering->rising_count && gathering->rising[risen]->table < row->table)
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
    drop_born_and_dead(&gathering);
    struct written *spare = arena_array(arena, gathering.row_count, sizeof *spare);
    if (spare == NULL)
        return PAWL_E_NO_MEMORY;
    gathering.rows = sort_rows(gathering.rows, gathering.row_count, spare);
    const size_t count = gathering.row_count + gathering.rising_count;
    struct row_write *writes = arena_array(arena, count, sizeof *writes);
    if (writes == NULL)
        return PAWL_E_NO_MEMORY;
    *write_count_out = join(&gathering, writes);
    *writes_out = writes;
    return PAWL_OK;
}
