/* Quorum: who is a member, and what a quorum of the voters reaches.
 *
 * 1. Every member has a slot, fixed for the life of the table; sets of members are bit masks of
 *    slots.
 * 2. In a joint configuration a quorum is a majority of the voters and a majority of the old
 *    voters.
 * 3. Learners have slots and are in no quorum.
 */
#ifndef RAFT_QUORUM_H
#define RAFT_QUORUM_H

#include "raft/raft.h"

#define RAFT_SLOTS_MAX (3 * RAFT_MEMBERS_MAX)

typedef uint32_t raft_slots; /* a set of members: bit i is slot i */

struct raft_members {
    raft_node nodes[RAFT_SLOTS_MAX]; /* ascending, so that the order depends on the set alone */
    uint32_t count;
    raft_slots voters;
    raft_slots old_voters; /* empty unless the configuration is joint */
};

/* False when the configuration contradicts itself: no voter, too many, a node 0, a node named twice
 * in one set, a learner that votes. */
bool raft_members_init(struct raft_members *members,
                       const struct raft_configuration *configuration);

/* The slot of a node, or -1 for a stranger. */
int raft_members_slot(const struct raft_members *members, raft_node node);

static inline raft_slots raft_slots_of(uint32_t slot)
{
    return (raft_slots)1 << slot;
}

/* Is a quorum among `granted`? */
bool raft_quorum_reached(const struct raft_members *members, raft_slots granted);

/* The largest value that every member of some quorum has reached; values are by slot. */
uint64_t raft_quorum_value(const struct raft_members *members, const uint64_t *values);

#endif
