/* A hash of a row's place, seeded: strangers choose some of the keys. Nothing that can be seen
 * depends on it.
 */
#ifndef PAWL_NODE_PLACE_HASH_H
#define PAWL_NODE_PLACE_HASH_H

#include "proto/rows.h"

static inline uint64_t place_hash_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

static inline uint64_t place_hash(uint64_t seed, uint8_t table, struct bytes key)
{
    uint64_t hash = place_hash_mix(seed, (uint64_t)table << 32 | key.size);
    size_t at = 0;
    for (; at + 8 <= key.size; at += 8)
        hash = place_hash_mix(hash, le64_get(key.data + at));
    uint8_t rest[8] = {0};
    memcpy(rest, key.data + at, key.size - at);
    hash = place_hash_mix(hash, le64_get(rest));
    return place_hash_mix(hash, seed);
}

#endif
