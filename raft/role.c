/* Role: who this node is, and what time does to that.
 *
 * 1. Every change of role, term or leader is said once (RAFT_OUT_ROLE), before what follows from
 *    it.
 * 2. Terms only rise; a new term forgets everything about the old one.
 * 3. A campaign begins with pre-votes (thesis 9.6); only a quorum of them raises the term.
 * 4. A leader that no quorum has answered for the longest election timeout steps down (thesis
 *    6.2).
 * 5. A leader whose process is gone need not be waited for: its followers are told (a hint, which
 *    may be wrong), forget that they have heard it, and campaign after a short wait. The waits
 *    double with each campaign up to the usual ones, so that a wrong hint, or a disk slower than
 *    they are, costs a few pre-votes and no more. Hearing a leader, or voting for one, ends it.
 * 6. A tick that comes later than the least election timeout means that this node was paused,
 *    not that the others were silent: once, it starts the wait afresh instead of acting on it.
 */
#include <assert.h>

#include "raft/state.h"

void raft_arm_election(struct raft *raft)
{
    const struct raft_options *options = &raft->options;
    uint64_t wait_ms = raft->early_ms > 0
                           ? raft_prng_between(&raft->prng, raft->early_ms / 2, raft->early_ms)
                           : raft_prng_between(&raft->prng, options->election_timeout_ms_min,
                                               options->election_timeout_ms_max);
    raft->election_due_ms = raft->now_ms + wait_ms;
}

/* The first wait begins at nothing: all followers are told within a moment of each other, and the
 * earliest of them should be as early as its distance to the next one allows. */
void raft_lose_peer(struct raft *raft, raft_node node)
{
    bool is_campaigner = !raft->is_vote_withheld && !raft_is_learner(raft, raft->self);
    if (raft->role != RAFT_FOLLOWER || raft->leader != node || node == 0 || !is_campaigner ||
        raft->early_ms > 0)
        return;
    raft->early_ms = raft->options.heartbeat_ms;
    uint64_t due_ms = raft->now_ms + raft_prng_between(&raft->prng, 0, raft->early_ms);
    if (due_ms < raft->election_due_ms)
        raft->election_due_ms = due_ms;
}

void raft_be_patient(struct raft *raft)
{
    raft->early_ms = 0;
}

static void be_less_early(struct raft *raft)
{
    raft->early_ms *= 2;
    if (raft->early_ms >= raft->options.election_timeout_ms_min)
        raft_be_patient(raft);
}

bool raft_is_leader_live(const struct raft *raft)
{
    if (raft->role == RAFT_LEADER)
        return true;
    return raft->leader != 0 && raft->early_ms == 0 &&
           raft->now_ms - raft->leader_heard_ms < raft->options.election_timeout_ms_min;
}

static void announce(struct raft *raft, enum raft_role role, raft_node leader)
{
    raft->role = role;
    raft->leader = leader;
    struct raft_output *output = raft_emit(raft, RAFT_OUT_ROLE);
    output->role.role = role;
    output->role.term = raft->hard.term;
    output->role.leader = leader;
}

static void enter_term(struct raft *raft, raft_term term, raft_node vote)
{
    assert(term > raft->hard.term);
    raft->hard = (struct raft_hard){term, vote};
    raft->leader_match_index = 0;
    raft->leader_commit_index = 0;
    raft->acked_index = 0;
    raft->leader_round = 0;
    raft->is_vote_owed = false;
    raft->has_asked_votes = false;
    raft->granted = 0;
}

void raft_become_follower(struct raft *raft, raft_term term, raft_node leader)
{
    bool was_follower = raft->role == RAFT_FOLLOWER;
    bool is_same_term = term == raft->hard.term;
    if (was_follower && is_same_term && leader == raft->leader)
        return;
    if (!is_same_term)
        enter_term(raft, term, 0);
    if (!was_follower)
        raft_arm_election(raft);
    announce(raft, RAFT_FOLLOWER, leader);
}

static void become_pre_candidate(struct raft *raft)
{
    be_less_early(raft);
    raft_arm_election(raft);
    if (raft->role != RAFT_PRE_CANDIDATE || raft->leader != 0)
        announce(raft, RAFT_PRE_CANDIDATE, 0);
    raft_ask_pre_votes(raft);
}

void raft_become_candidate(struct raft *raft)
{
    enter_term(raft, raft->hard.term + 1, raft->options.self);
    raft_arm_election(raft);
    announce(raft, RAFT_CANDIDATE, 0);
}

void raft_become_leader(struct raft *raft)
{
    static const struct raft_entry noop = {.kind = RAFT_ENTRY_NOOP};
    announce(raft, RAFT_LEADER, raft->options.self);
    raft_be_patient(raft);
    for (uint32_t slot = 0; slot < raft->members.count; slot++)
        raft_peer_reset(&raft->peers[slot], raft->log.last_index + 1, raft->now_ms);
    raft->heartbeat_due_ms = raft->now_ms + raft->options.heartbeat_ms;
    raft->quorum_floor_ms = raft->now_ms;
    raft->confirmed_round = raft->round;
    raft->uncommitted_bytes =
        raft_log_bytes(&raft->log, raft->commit_index + 1, raft->log.last_index);
    raft_append_own(raft, &noop, 1);
}

/* When a quorum, this node included, had last been heard. */
static uint64_t quorum_heard_ms(const struct raft *raft)
{
    uint64_t heard_ms[RAFT_SLOTS_MAX] = {0};
    for (uint32_t slot = 0; slot < raft->members.count; slot++) {
        if (slot == raft->self)
            heard_ms[slot] = raft->now_ms;
        else if (!raft->peers[slot].is_withheld)
            heard_ms[slot] = raft->peers[slot].last_heard_ms;
    }
    uint64_t quorum_ms = raft_quorum_value(&raft->members, heard_ms);
    return quorum_ms > raft->quorum_floor_ms ? quorum_ms : raft->quorum_floor_ms;
}

static uint64_t quorum_due_ms(const struct raft *raft)
{
    return quorum_heard_ms(raft) + raft->options.election_timeout_ms_max;
}

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

uint64_t raft_deadline(const struct raft *raft)
{
    if (raft->role == RAFT_LEADER)
        return earlier(quorum_due_ms(raft), raft->heartbeat_due_ms);
    if (raft->is_vote_withheld && raft_untold(raft) != 0)
        return earlier(raft->election_due_ms, raft->ask_due_ms);
    return raft->election_due_ms;
}

static void tick_leader(struct raft *raft, bool is_forgiven)
{
    if (is_forgiven)
        raft->quorum_floor_ms = raft->now_ms;
    if (raft->now_ms >= quorum_due_ms(raft)) {
        raft_become_follower(raft, raft->hard.term, 0);
        return;
    }
    if (raft->now_ms < raft->heartbeat_due_ms)
        return;
    raft->heartbeat_due_ms = raft->now_ms + raft->options.heartbeat_ms;
    for (uint32_t slot = 0; slot < raft->members.count; slot++)
        raft_peer_age(&raft->peers[slot]);
    raft_heartbeat_to_all(raft);
}

static void lose_leader(struct raft *raft)
{
    raft_become_follower(raft, raft->hard.term, 0);
    raft_arm_election(raft);
}

/* Followers do not hear each other, so the terms must be asked for. */
static void tick_withheld(struct raft *raft)
{
    if (raft_untold(raft) != 0 && raft->now_ms >= raft->ask_due_ms) {
        raft->ask_due_ms = raft->now_ms + raft->options.election_timeout_ms_min;
        raft_ask_terms(raft);
    }
    if (raft->now_ms >= raft->election_due_ms)
        lose_leader(raft);
}

static void tick_waiting(struct raft *raft, bool is_forgiven)
{
    /* A candidate waits for its own disk first; nobody has been asked yet. */
    bool is_unasked = raft->role == RAFT_CANDIDATE && !raft->has_asked_votes;
    if (is_forgiven || is_unasked) {
        raft_arm_election(raft);
        return;
    }
    if (raft_is_learner(raft, raft->self))
        lose_leader(raft);
    else
        become_pre_candidate(raft);
}

void raft_tick(struct raft *raft)
{
    uint64_t due_ms = raft_deadline(raft);
    if (raft->now_ms < due_ms)
        return;
    bool is_late = raft->now_ms - due_ms > raft->options.election_timeout_ms_min;
    bool is_forgiven = is_late && !raft->was_late;
    raft->was_late = is_late;
    if (raft->role == RAFT_LEADER)
        tick_leader(raft, is_forgiven);
    else if (raft->is_vote_withheld)
        tick_withheld(raft);
    else
        tick_waiting(raft, is_forgiven);
}
