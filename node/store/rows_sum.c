#include "node/store/rows_sum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The hash as low and high half. */
static void row_hash(const struct rows_sum_key *key, enum row_table table, const struct row *row,
                     uint64_t hash_out[2])
{
    const uint64_t table_seed = le64_get(key->byte) + (uint64_t)table;
    const uint64_t seed = XXH3_64bits_withSeed(row->key.data, row->key.size, table_seed);
    const XXH128_hash_t hash = XXH3_128bits_withSeed(row->value.data, row->value.size, seed);
    hash_out[0] = hash.low64;
    hash_out[1] = hash.high64;
}

void rows_sum_add(struct rows_sum *sum, const struct rows_sum_key *key, enum row_table table,
                  const struct row *row)
{
    uint64_t hash[2];
    row_hash(key, table, row, hash);
    sum->sum[0] += hash[0];
    uint64_t carry = sum->sum[0] < hash[0] ? 1 : 0;
    sum->sum[1] += hash[1] + carry;
    sum->count++;
}

void rows_sum_remove(struct rows_sum *sum, const struct rows_sum_key *key, enum row_table table,
                     const struct row *row)
{
    uint64_t hash[2];
    row_hash(key, table, row, hash);
    uint64_t borrow = sum->sum[0] < hash[0] ? 1 : 0;
    sum->sum[0] -= hash[0];
    sum->sum[1] -= hash[1] + borrow;
    sum->count--;
}

bool rows_sum_equal(const struct rows_sum *a, const struct rows_sum *b)
{
    return a->count == b->count && a->sum[0] == b->sum[0] && a->sum[1] == b->sum[1];
}

enum pawl_error rows_sums_count(const struct rows_port *rows, struct rows_snapshot *snapshot,
                                const struct rows_sum_key *key,
                                struct rows_sum sums_out[TABLE_COUNT])
{
    enum { BATCH = 256 };
    struct rows_sum sums[TABLE_COUNT] = {{0}};
    struct row row[BATCH];
    for (unsigned table = 0; table < TABLE_COUNT; table++) {
        uint8_t begin[ROW_KEY_BYTES_MAX + 1];
        size_t begin_size = 0, count = BATCH;
        while (count == BATCH) {
            TRY(rows->scan(rows->self, snapshot, (enum row_table)table, bytes_of(begin, begin_size),
                           bytes_of(NULL, 0), false, BATCH, row, &count));
            for (size_t i = 0; i < count; i++)
                rows_sum_add(&sums[table], key, (enum row_table)table, &row[i]);
            if (count < BATCH)
                break;
            begin_size = row[count - 1].key.size + 1;
            memcpy(begin, row[count - 1].key.data, begin_size - 1);
            begin[begin_size - 1] = 0;
        }
    }
    memcpy(sums_out, sums, sizeof sums);
    return PAWL_OK;
}
