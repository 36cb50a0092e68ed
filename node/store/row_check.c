#include "node/store/row_check.h"

#include <assert.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void row_check_compute(const struct row_place *place, struct bytes value,
                       uint8_t out[ROW_CHECK_BYTES])
{
    assert(place->key.size <= ROW_KEY_BYTES_MAX);
    const uint64_t where = (uint64_t)place->partition << 8 | place->table;
    const uint64_t seed = XXH3_64bits_withSeed(place->key.data, place->key.size, where);
    le64_put(out, XXH3_64bits_withSeed(value.data, value.size, seed));
}

bool row_check_open(const struct row_place *place, struct bytes stored, struct bytes *value_out)
{
    uint8_t check[ROW_CHECK_BYTES];
    if (stored.size < ROW_CHECK_BYTES || place->key.size > ROW_KEY_BYTES_MAX)
        return false;
    struct bytes value = bytes_of(stored.data, stored.size - ROW_CHECK_BYTES);
    row_check_compute(place, value, check);
    if (memcmp(check, value.data + value.size, ROW_CHECK_BYTES) != 0)
        return false;
    *value_out = value;
    return true;
}
