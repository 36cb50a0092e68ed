#include "tests/sim/random.h"

static uint64_t mix(uint64_t *state)
{
    uint64_t word = (*state += 0x9e3779b97f4a7c15u);
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
    return word ^ (word >> 31);
}

static uint64_t rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

void random_seed(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = mix(&seed);
}

struct random random_fork(const struct random *root, uint64_t name)
{
    struct random fork;
    uint64_t seed = name * 0xd6e8feb86659fd93u;
    for (int i = 0; i < 4; i++)
        seed = rotate(seed, 17) ^ root->state[i];
    random_seed(&fork, seed);
    return fork;
}

uint64_t random_u64(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t limit)
{
    if (limit == 0)
        return 0;
    __extension__ unsigned __int128 product = random_u64(random);
    product *= limit;
    return (uint64_t)(product >> 64);
}

uint64_t random_between(struct random *random, uint64_t first, uint64_t last)
{
    return first + random_below(random, last - first + 1);
}

bool random_chance(struct random *random, uint32_t per_million)
{
    return random_below(random, 1000000) < per_million;
}

void random_fill(struct random *random, void *out, size_t size)
{
    uint8_t *at = out;
    while (size > 0) {
        uint64_t word = random_u64(random);
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(at, &word, part);
        at += part;
        size -= part;
    }
}

struct id128 random_id(struct random *random)
{
    struct id128 id;
    random_fill(random, id.byte, sizeof id.byte);
    return id;
}
