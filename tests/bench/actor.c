#include "tests/bench/actor.h"

#include <stddef.h>

/* The words after the call keep each function a function: it neither jumps to what it calls nor is
 * one with another of the same content. */
#define ACTORS(X)                                                                                  \
    X(LEADER_TURN, leader_turn, "leader.turn")                                                     \
    X(LEADER_LOG, leader_log, "leader.log")                                                        \
    X(LEADER_SPARE, leader_spare, "leader.spare")                                                  \
    X(LEADER_STORE, leader_store, "leader.store")                                                  \
    X(LEADER_READ, leader_read, "leader.read")                                                     \
    X(FOLLOWER_1_TURN, follower_1_turn, "follower1.turn")                                          \
    X(FOLLOWER_1_LOG, follower_1_log, "follower1.log")                                             \
    X(FOLLOWER_1_SPARE, follower_1_spare, "follower1.spare")                                       \
    X(FOLLOWER_1_STORE, follower_1_store, "follower1.store")                                       \
    X(FOLLOWER_1_READ, follower_1_read, "follower1.read")                                          \
    X(FOLLOWER_2_TURN, follower_2_turn, "follower2.turn")                                          \
    X(FOLLOWER_2_LOG, follower_2_log, "follower2.log")                                             \
    X(FOLLOWER_2_SPARE, follower_2_spare, "follower2.spare")                                       \
    X(FOLLOWER_2_STORE, follower_2_store, "follower2.store")                                       \
    X(FOLLOWER_2_READ, follower_2_read, "follower2.read")                                          \
    X(CLIENT, client_step, "client")

#define DEFINE(actor, function, name)                                                              \
    __attribute__((noinline)) static void budget_##function(void (*act)(void *self), void *self)   \
    {                                                                                              \
        act(self);                                                                                 \
        __asm__ volatile("# " name);                                                               \
    }
ACTORS(DEFINE)

#define ROW(actor, function, name) [ACTOR_##actor] = {budget_##function, name},
static const struct {
    void (*run)(void (*act)(void *self), void *self);
    const char *name;
} actors[ACTOR_COUNT] = {ACTORS(ROW)};

void actor_do(enum actor actor, void (*act)(void *self), void *self,
              struct tally tallies[ACTOR_COUNT])
{
    const struct meter begin = meter_read();
    actors[actor].run(act, self);
    const struct meter end = meter_read();
    meter_add(&tallies[actor].meter, &begin, &end);
    tallies[actor].call_count++;
}

const char *actor_name(enum actor actor)
{
    return actors[actor].name;
}
