#include "node/store/row_digest.h"

#include <assert.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void row_digest(const struct rows_sum_key *key, const struct row_place *place, struct bytes value,
                uint8_t out[ROW_DIGEST_BYTES])
{
    assert(place->key.size <= ROW_KEY_BYTES_MAX);
    const uint64_t table_seed =
        le64_get(key->byte) + ((uint64_t)place->partition << 8 | place->table);
    const uint64_t seed = XXH3_64bits_withSeed(place->key.data, place->key.size, table_seed);
    const XXH128_hash_t hash = XXH3_128bits_withSeed(value.data, value.size, seed);
    le64_put(out, hash.low64);
    le64_put(out + 8, hash.high64);
}

bool row_digest_open(const struct rows_sum_key *key, const struct row_place *place,
                     struct bytes stored, struct bytes *value_out)
{
    uint8_t digest[ROW_DIGEST_BYTES];
    if (stored.size < ROW_DIGEST_BYTES || place->key.size > ROW_KEY_BYTES_MAX)
        return false;
    struct bytes value = bytes_of(stored.data, stored.size - ROW_DIGEST_BYTES);
    row_digest(key, place, value, digest);
    if (memcmp(digest, value.data + value.size, ROW_DIGEST_BYTES) != 0)
        return false;
    *value_out = value;
    return true;
}
