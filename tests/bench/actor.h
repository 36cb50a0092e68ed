/* Who does the work of a measured cluster: each actor's work runs under a function of its own name,
 * so that a profile of the process tells them apart, and what it allocates and asks of LMDB is
 * counted for it.
 */
#ifndef PAWL_BENCH_ACTOR_H
#define PAWL_BENCH_ACTOR_H

#include "tests/bench/meter.h"

enum actor {
    /* of the leader; in the same order of the other nodes */
    ACTOR_LEADER_TURN,
    ACTOR_LEADER_LOG,   /* log jobs: appends and their sync */
    ACTOR_LEADER_SPARE, /* preparing the next segment */
    ACTOR_LEADER_STORE, /* flushes */
    ACTOR_LEADER_READ,  /* loads and queries */
    ACTOR_FOLLOWER_1_TURN,
    ACTOR_FOLLOWER_1_LOG,
    ACTOR_FOLLOWER_1_SPARE,
    ACTOR_FOLLOWER_1_STORE,
    ACTOR_FOLLOWER_1_READ,
    ACTOR_FOLLOWER_2_TURN,
    ACTOR_FOLLOWER_2_LOG,
    ACTOR_FOLLOWER_2_SPARE,
    ACTOR_FOLLOWER_2_STORE,
    ACTOR_FOLLOWER_2_READ,
    ACTOR_CLIENT,
    ACTOR_COUNT
};

/* What a node does; add ACTOR_LEADER_TURN or ACTOR_FOLLOWER_n_TURN. */
enum work { WORK_TURN, WORK_LOG, WORK_SPARE, WORK_STORE, WORK_READ, WORK_COUNT };

struct tally {
    uint64_t call_count;
    struct meter meter;
};

/* Do it, under the name of the actor, and add what it took to its tally. */
void actor_do(enum actor actor, void (*act)(void *self), void *self,
              struct tally tallies[ACTOR_COUNT]);
/* "leader.turn" */
const char *actor_name(enum actor actor);

#endif
