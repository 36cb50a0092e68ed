/* Randomness of the simulator: xoshiro256**, seeded through SplitMix64 (Blackman and Vigna,
 * "Scrambled linear pseudorandom number generators", 2018). Everything that a run does follows from
 * one 64-bit seed.
 *
 * 1. The same seed gives the same numbers on every machine.
 * 2. A fork is a generator of its own: how much one part draws never changes what another part
 * sees.
 */
#ifndef PAWL_SIM_RANDOM_H
#define PAWL_SIM_RANDOM_H

#include "proto/bytes.h"

struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed);
/* A generator that depends on the root's state and a name. Nothing else is drawn from a root. */
struct random random_fork(const struct random *root, uint64_t name);
uint64_t random_u64(struct random *random);
/* 0 <= result < limit; limit 0 gives 0. */
uint64_t random_below(struct random *random, uint64_t limit);
/* first <= result <= last. */
uint64_t random_between(struct random *random, uint64_t first, uint64_t last);
/* True in `per_million` of a million cases. */
bool random_chance(struct random *random, uint32_t per_million);
void random_fill(struct random *random, void *out, size_t size);
struct id128 random_id(struct random *random);

#endif
