#include "node/store/rows_sum.h"

void rows_sum_add(struct rows_sum *sum, const uint8_t digest[ROW_DIGEST_BYTES])
{
    const uint64_t low = le64_get(digest), high = le64_get(digest + 8);
    sum->sum[0] += low;
    sum->sum[1] += high + (sum->sum[0] < low ? 1 : 0);
    sum->count++;
}

void rows_sum_remove(struct rows_sum *sum, const uint8_t digest[ROW_DIGEST_BYTES])
{
    const uint64_t low = le64_get(digest), high = le64_get(digest + 8);
    sum->sum[1] -= high + (sum->sum[0] < low ? 1 : 0);
    sum->sum[0] -= low;
    sum->count--;
}

bool rows_sum_equal(const struct rows_sum *a, const struct rows_sum *b)
{
    return a->count == b->count && a->sum[0] == b->sum[0] && a->sum[1] == b->sum[1];
}

enum pawl_error rows_sums_count(const struct rows_port *rows, struct rows_snapshot *snapshot,
                                uint32_t partition, const struct rows_sum_key *key,
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
            for (size_t i = 0; i < count; i++) {
                uint8_t digest[ROW_DIGEST_BYTES];
                const struct row_place place = {partition, (uint8_t)table, row[i].key};
                row_digest(key, &place, row[i].value, digest);
                rows_sum_add(&sums[table], digest);
            }
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
