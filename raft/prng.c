#include "raft/prng.h"

uint64_t raft_prng_next(struct raft_prng *prng)
{
    prng->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = prng->state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

uint64_t raft_prng_between(struct raft_prng *prng, uint64_t first, uint64_t last)
{
    return first + raft_prng_next(prng) % (last - first + 1);
}
