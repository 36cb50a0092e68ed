#include "node/store/rows_sum.h"

#include <sodium.h>

/* The hash as low and high half. */
static void row_hash(const struct rows_sum_key *key, enum row_table table, const struct row *row,
                     uint64_t hash_out[2])
{
    uint8_t head[5], digest[16];
    head[0] = (uint8_t)table;
    le32_put(head + 1, (uint32_t)row->key.size);
    crypto_generichash_state state;
    crypto_generichash_init(&state, key->byte, sizeof key->byte, sizeof digest);
    crypto_generichash_update(&state, head, sizeof head);
    crypto_generichash_update(&state, row->key.data, row->key.size);
    crypto_generichash_update(&state, row->value.data, row->value.size);
    crypto_generichash_final(&state, digest, sizeof digest);
    hash_out[0] = le64_get(digest);
    hash_out[1] = le64_get(digest + 8);
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
