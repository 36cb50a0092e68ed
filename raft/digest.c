/* Digest: 64 bits of the whole state. Times count from now, so that two states that will behave
 * alike are alike at whatever moment they are reached. */
#include "raft/state.h"

/* FNV-1a, a word at a time, then mixed. */
static uint64_t mix(uint64_t digest, uint64_t word)
{
    digest = (digest ^ word) * UINT64_C(0x100000001b3);
    return digest ^ (digest >> 29);
}

static uint64_t mix_hard(uint64_t digest, const struct raft_hard *hard)
{
    return mix(mix(digest, hard->term), hard->vote);
}

static uint64_t mix_log(uint64_t digest, const struct raft_log *log)
{
    digest = mix(mix(mix(digest, log->base_index), log->base_term), log->last_index);
    for (size_t i = 0; i < log->run_count; i++)
        digest = mix(mix(digest, log->runs[i].first_index), log->runs[i].term);
    for (raft_index index = log->base_index + 1; index <= log->last_index; index++) {
        const struct raft_log_slot *slot = &log->slots[index & (log->slot_capacity - 1)];
        digest = mix(mix(digest, slot->bytes), slot->kind);
    }
    return digest;
}

static uint64_t mix_peer(uint64_t digest, const struct raft *raft, const struct raft_peer *peer)
{
    digest = mix(mix(digest, peer->match_index), peer->next_index);
    digest = mix(digest, (uint64_t)peer->is_probe_old << 3 | (uint64_t)peer->is_replicating << 2 |
                             (uint64_t)peer->is_probe_out << 1 | peer->is_withheld);
    digest = mix(mix(digest, raft->now_ms - peer->last_heard_ms), peer->round);
    const struct raft_window *window = &peer->window;
    for (uint32_t i = 0; i < window->count; i++) {
        const struct raft_flight *flight = &window->flights[(window->first + i) % window->capacity];
        digest = mix(mix(digest, flight->last_index), flight->bytes);
    }
    return digest;
}

static uint64_t mix_term(uint64_t digest, const struct raft *raft)
{
    digest = mix(mix(digest, raft->leader_match_index), raft->leader_commit_index);
    digest = mix(digest, raft->acked_index);
    digest = mix(mix(digest, raft->leader_round), raft->granted);
    return mix(digest, (uint64_t)raft->is_vote_owed << 1 | raft->has_asked_votes);
}

static uint64_t mix_leader(uint64_t digest, const struct raft *raft)
{
    digest = mix(digest, raft->heartbeat_due_ms - raft->now_ms);
    digest = mix(digest, raft->now_ms - raft->quorum_floor_ms);
    digest = mix(mix(digest, raft->uncommitted_bytes), raft->confirmed_round);
    for (uint32_t slot = 0; slot < raft->members.count; slot++)
        digest = mix_peer(digest, raft, &raft->peers[slot]);
    return digest;
}

static uint64_t mix_waiting(uint64_t digest, const struct raft *raft)
{
    digest = mix(mix(digest, raft->election_due_ms - raft->now_ms), raft->early_ms);
    return mix(digest, raft->leader != 0 ? raft->now_ms - raft->leader_heard_ms : 0);
}

uint64_t raft_digest(const struct raft *raft)
{
    uint64_t digest = mix(UINT64_C(0xcbf29ce484222325), raft->options.self);
    digest = mix(mix(digest, raft->role), raft->leader);
    digest = mix(mix(digest, raft->prng.state), raft->round);
    digest = mix_hard(mix_hard(mix_hard(digest, &raft->hard), &raft->handed), &raft->durable);
    digest = mix(mix(digest, raft->commit_index), raft->stable_index);
    digest = mix(digest, (uint64_t)raft->is_vote_withheld << 2 |
                             (uint64_t)raft->is_readmission_asked << 1 | raft->was_late);
    digest = mix(mix(digest, raft->readmit_index), raft->told_term);
    digest = mix(digest, raft->is_vote_withheld ? raft->ask_due_ms - raft->now_ms : 0);
    digest = mix(digest, raft->told);
    digest = mix_term(mix_log(digest, &raft->log), raft);
    return raft->role == RAFT_LEADER ? mix_leader(digest, raft) : mix_waiting(digest, raft);
}
