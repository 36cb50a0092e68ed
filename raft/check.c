/* Check: every invariant of the state, one fact to an assertion, and its digest. */
#include <assert.h>

#include "raft/state.h"

static void check_hard(const struct raft_hard *earlier, const struct raft_hard *later)
{
    assert(earlier->term <= later->term);
    assert(earlier->term < later->term || earlier->vote == 0 || earlier->vote == later->vote);
}

static void check_log(const struct raft_log *log)
{
    assert(log->base_index <= log->last_index);
    assert((log->base_index == 0) == (log->base_term == 0));
    assert((log->run_count == 0) == (log->base_index == log->last_index));
    assert(log->last_index - log->base_index <= log->slot_capacity);
    if (log->run_count == 0)
        return;
    assert(log->runs[0].first_index == log->base_index + 1);
    assert(log->runs[0].term >= log->base_term);
    assert(log->runs[log->run_count - 1].first_index <= log->last_index);
    for (size_t i = 1; i < log->run_count; i++) {
        assert(log->runs[i - 1].first_index < log->runs[i].first_index);
        assert(log->runs[i - 1].term < log->runs[i].term);
    }
}

static void check_durability(const struct raft *raft)
{
    check_hard(&raft->durable, &raft->handed);
    check_hard(&raft->handed, &raft->hard);
    assert(raft_log_last_term(&raft->log) <= raft->hard.term);
    assert(raft->handed_index == raft->log.last_index);
    assert(raft->truncate_index == 0);
    assert(raft->stable_index <= raft->handed_index);
    assert(raft->stable_index >= raft->log.base_index);
    assert(raft->commit_index <= raft->log.last_index);
    assert(raft->commit_index >= raft->log.base_index);
    assert(raft->acked_index <= raft->leader_match_index);
    assert(raft->leader_match_index <= raft->log.last_index);
}

static void check_window(const struct raft_peer *peer)
{
    const struct raft_window *window = &peer->window;
    assert(window->count <= window->capacity);
    uint64_t bytes = 0;
    raft_index last_index = peer->match_index;
    for (uint32_t i = 0; i < window->count; i++) {
        const struct raft_flight *flight = &window->flights[(window->first + i) % window->capacity];
        assert(flight->last_index > last_index);
        last_index = flight->last_index;
        bytes += flight->bytes;
    }
    assert(last_index < peer->next_index);
    assert(bytes == window->bytes);
}

static void check_peer(const struct raft *raft, const struct raft_peer *peer)
{
    assert(peer->match_index < peer->next_index);
    assert(peer->next_index <= raft->log.last_index + 1);
    assert(peer->next_index > raft->log.base_index);
    assert(!peer->is_replicating || !peer->is_probe_out);
    assert(!peer->is_probe_old || peer->is_probe_out);
    assert(peer->is_replicating || peer->window.count == 0);
    assert(!peer->is_withheld || (peer->match_index == 0 && !peer->is_replicating));
    assert(peer->round <= raft->round);
    check_window(peer);
}

static void check_leader(const struct raft *raft)
{
    assert(raft->leader == raft->options.self);
    assert(raft->hard.vote == raft->options.self);
    assert(raft->durable.term == raft->hard.term);
    assert(raft_log_last_term(&raft->log) == raft->hard.term);
    assert(raft->confirmed_round <= raft->round);
    assert(raft->uncommitted_bytes ==
           raft_log_bytes(&raft->log, raft->commit_index + 1, raft->log.last_index));
    for (uint32_t slot = 0; slot < raft->members.count; slot++) {
        if (slot != raft->self)
            check_peer(raft, &raft->peers[slot]);
    }
}

static void check_role(const struct raft *raft)
{
    switch (raft->role) {
    case RAFT_FOLLOWER:
        assert(raft->leader != raft->options.self);
        return;
    case RAFT_PRE_CANDIDATE:
        assert(raft->leader == 0);
        assert(!raft_quorum_reached(&raft->members, raft->granted));
        return;
    case RAFT_CANDIDATE:
        assert(raft->leader == 0);
        assert(raft->hard.vote == raft->options.self);
        assert(!raft_quorum_reached(&raft->members, raft->granted));
        return;
    case RAFT_LEADER:
        check_leader(raft);
        return;
    }
    assert(false);
}

void raft_check(const struct raft *raft)
{
    check_log(&raft->log);
    check_durability(raft);
    check_role(raft);
    assert(!raft->is_vote_withheld || raft->role == RAFT_FOLLOWER);
    assert(raft->early_ms < raft->options.election_timeout_ms_min);
    assert(raft->early_ms == 0 || raft->role != RAFT_LEADER);
    assert(raft->is_vote_withheld || !raft->is_readmission_asked);
}
