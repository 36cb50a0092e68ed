#include "client/ids.h"

#include <sodium.h>
#include <time.h>

struct id128 ids_random(struct ids *ids)
{
    if (ids->left == 0) {
        uint8_t seed[randombytes_SEEDBYTES];
        randombytes_buf(seed, sizeof seed);
        randombytes_buf_deterministic(ids->drawn, sizeof ids->drawn, seed);
        sodium_memzero(seed, sizeof seed);
        ids->left = sizeof ids->drawn / sizeof ids->drawn[0];
    }
    return ids->drawn[--ids->left];
}

struct id128 ids_timed(struct ids *ids)
{
    struct id128 id = ids_random(ids);
    struct timespec now;
    uint8_t ms[8];
    clock_gettime(CLOCK_REALTIME, &now);
    be64_put(ms, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
    memcpy(id.byte, ms + 2, 6);
    id.byte[6] = (uint8_t)(0x70 | (id.byte[6] & 0x0f));
    id.byte[8] = (uint8_t)(0x80 | (id.byte[8] & 0x3f));
    return id;
}
