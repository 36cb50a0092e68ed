/* Prng: the one source of randomness of the core, a counter through a mixing function (SplitMix64:
 * Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). It draws election
 * timeouts and nothing else. */
#ifndef RAFT_PRNG_H
#define RAFT_PRNG_H

#include <stdint.h>

struct raft_prng {
    uint64_t state;
};

uint64_t raft_prng_next(struct raft_prng *prng);
/* From [first, last], both included; first <= last. */
uint64_t raft_prng_between(struct raft_prng *prng, uint64_t first, uint64_t last);

#endif
