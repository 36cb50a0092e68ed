#include "node/store/row_check.h"

#include <assert.h>
#include <sodium.h>

void row_check_compute(const struct row_place *place, struct bytes value,
                       uint8_t out[ROW_CHECK_BYTES])
{
    uint8_t where[5 + ROW_KEY_BYTES_MAX], key[crypto_shorthash_KEYBYTES] = "pawl row";
    assert(place->key.size <= ROW_KEY_BYTES_MAX);
    be32_put(where, place->partition);
    where[4] = place->table;
    memcpy(where + 5, place->key.data, place->key.size);
    crypto_shorthash(key + 8, where, 5 + place->key.size, key);
    crypto_shorthash(out, value.data, value.size, key);
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
