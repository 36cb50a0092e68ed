#include "raft/quorum.h"

#include <assert.h>

static bool is_set_of_nodes(const raft_node *nodes, uint32_t count)
{
    if (count > RAFT_MEMBERS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i] == 0)
            return false;
        for (uint32_t j = 0; j < i; j++) {
            if (nodes[j] == nodes[i])
                return false;
        }
    }
    return true;
}

static void add_nodes(struct raft_members *members, const raft_node *nodes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (raft_members_slot(members, nodes[i]) >= 0)
            continue;
        uint32_t at = members->count++;
        for (; at > 0 && members->nodes[at - 1] > nodes[i]; at--)
            members->nodes[at] = members->nodes[at - 1];
        members->nodes[at] = nodes[i];
    }
}

static raft_slots slots_of_nodes(const struct raft_members *members, const raft_node *nodes,
                                 uint32_t count)
{
    raft_slots slots = 0;
    for (uint32_t i = 0; i < count; i++)
        slots |= raft_slots_of((uint32_t)raft_members_slot(members, nodes[i]));
    return slots;
}

bool raft_members_init(struct raft_members *members, const struct raft_configuration *configuration)
{
    const struct raft_configuration *c = configuration;
    if (c->voter_count == 0 || !is_set_of_nodes(c->voters, c->voter_count) ||
        !is_set_of_nodes(c->old_voters, c->old_voter_count) ||
        !is_set_of_nodes(c->learners, c->learner_count))
        return false;
    struct raft_members made = {0};
    add_nodes(&made, c->voters, c->voter_count);
    add_nodes(&made, c->old_voters, c->old_voter_count);
    add_nodes(&made, c->learners, c->learner_count);
    made.voters = slots_of_nodes(&made, c->voters, c->voter_count);
    made.old_voters = slots_of_nodes(&made, c->old_voters, c->old_voter_count);
    if ((slots_of_nodes(&made, c->learners, c->learner_count) & (made.voters | made.old_voters)) !=
        0)
        return false;
    *members = made;
    return true;
}

int raft_members_slot(const struct raft_members *members, raft_node node)
{
    for (uint32_t slot = 0; slot < members->count; slot++) {
        if (members->nodes[slot] == node)
            return (int)slot;
    }
    return -1;
}

static uint32_t slot_count(raft_slots slots)
{
    return (uint32_t)__builtin_popcount(slots);
}

static bool has_majority(raft_slots set, raft_slots granted)
{
    return slot_count(set & granted) >= slot_count(set) / 2 + 1;
}

bool raft_quorum_reached(const struct raft_members *members, raft_slots granted)
{
    return has_majority(members->voters, granted) &&
           (members->old_voters == 0 || has_majority(members->old_voters, granted));
}

static uint64_t majority_value(raft_slots set, uint32_t count, const uint64_t *values)
{
    uint64_t sorted[RAFT_SLOTS_MAX]; /* descending */
    uint32_t sorted_count = 0;
    for (uint32_t slot = 0; slot < count; slot++) {
        if ((set & raft_slots_of(slot)) == 0)
            continue;
        uint32_t at = sorted_count++;
        for (; at > 0 && sorted[at - 1] < values[slot]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = values[slot];
    }
    assert(sorted_count > 0);
    return sorted[sorted_count / 2];
}

uint64_t raft_quorum_value(const struct raft_members *members, const uint64_t *values)
{
    uint64_t value = majority_value(members->voters, members->count, values);
    if (members->old_voters == 0)
        return value;
    uint64_t old_value = majority_value(members->old_voters, members->count, values);
    return old_value < value ? old_value : value;
}
