/* Append: replication, from both ends (thesis 3.5, 10.2.1).
 *
 * Leader:
 * 1. Every append is checked against the entry before it, the empty ones too: a heartbeat finds
 *    whatever was lost, and its answer gets a peer in any state moving again.
 * 2. A refusal names the last place where the two logs may agree, so that each round trip skips
 *    a term.
 * Follower:
 * 3. An acknowledgement names what is durable here and known to be the leader's; an append with
 *    entries is not answered until then.
 * 4. A node whose vote is withheld says what it holds (hint_index), and acknowledges nothing.
 */
#include <assert.h>

#include "raft/mutant.h"
#include "raft/state.h"

/* ---- The leader sends. ---- */

struct batch {
    size_t entry_count;
    uint64_t bytes;
};

/* What one message may take from next_index on; one entry always fits. */
static struct batch next_batch(const struct raft *raft, raft_index next_index)
{
    struct batch batch = {0, 0};
    raft_index last_index = raft->log.last_index;
    for (raft_index index = next_index;
         index <= last_index && batch.entry_count < raft->options.append_entries_max; index++) {
        uint64_t bytes = batch.bytes + raft_log_entry_bytes(&raft->log, index);
        if (batch.entry_count > 0 && bytes > raft->options.append_bytes_max)
            break;
        batch.bytes = bytes;
        batch.entry_count++;
    }
    return batch;
}

static void send_append(struct raft *raft, uint32_t slot, size_t entry_count)
{
    raft_index previous_index = raft->peers[slot].next_index - 1;
    struct raft_message *message = raft_emit_message(raft, RAFT_MSG_APPEND, slot);
    message->previous_index = previous_index;
    message->previous_term = raft_log_term(&raft->log, previous_index);
    message->commit_index = raft->commit_index;
    message->entry_count = entry_count;
    message->round = raft->round;
}

/* False: nothing more can leave for this peer now. */
static bool send_batch(struct raft *raft, uint32_t slot)
{
    struct raft_peer *peer = &raft->peers[slot];
    if (peer->next_index > raft->log.last_index || peer->is_probe_out ||
        (peer->is_replicating &&
         raft_window_is_full(&peer->window, raft->options.window_bytes_max)))
        return false;
    struct batch batch = next_batch(raft, peer->next_index);
    if (!raft_outbox_reserve_entries(&raft->outbox, batch.entry_count))
        return false;
    send_append(raft, slot, batch.entry_count);
    if (!peer->is_replicating) {
        peer->is_probe_out = true;
        return false;
    }
    peer->next_index += batch.entry_count;
    raft_window_push(&peer->window, peer->next_index - 1, batch.bytes);
    return true;
}

static void send_pending(struct raft *raft, uint32_t slot)
{
    for (int sent = 0; sent < RAFT_APPENDS_PER_STEP; sent++) {
        if (!send_batch(raft, slot))
            return;
    }
}

void raft_append_to_all(struct raft *raft)
{
    for (uint32_t slot = 0; slot < raft->members.count; slot++) {
        if (slot != raft->self)
            send_pending(raft, slot);
    }
}

void raft_heartbeat_to_all(struct raft *raft)
{
    for (uint32_t slot = 0; slot < raft->members.count; slot++) {
        if (slot != raft->self)
            send_append(raft, slot, 0);
    }
}

/* ---- A follower takes it. ---- */

/* How the entries of a message lie on this log. */
struct fit {
    bool is_sound; /* it contradicts nothing that is settled */
    bool has_gap;  /* the entry before its first is missing or of another term */
    size_t held;   /* its first entries that are here already */
    size_t new_terms;
};

static bool is_settled(const struct raft *raft, const struct raft_message *message,
                       raft_index index)
{
    bool is_shared = message->term == raft->hard.term && index <= raft->leader_match_index;
    return index <= raft->commit_index || is_shared;
}

static struct fit fit_of_gap(const struct raft *raft, const struct raft_message *message)
{
    /* The entry before is past commit_index, so a leader's term there is not below that of ours. */
    bool is_sound = !is_settled(raft, message, message->previous_index) &&
                    message->previous_term >= raft_log_term(&raft->log, raft->commit_index);
    return (struct fit){.is_sound = is_sound, .has_gap = true};
}

static size_t count_new_terms(const struct raft_message *message, size_t held)
{
    size_t new_terms = 0;
    raft_term term = 0;
    for (size_t i = held; i < message->entry_count; i++) {
        if (message->entries[i].term != term)
            new_terms++;
        term = message->entries[i].term;
    }
    return new_terms;
}

static struct fit fit_of(const struct raft *raft, const struct raft_message *message)
{
    const struct raft_log *log = &raft->log;
    raft_index previous_index = message->previous_index;
    if (previous_index >= log->base_index &&
        raft_log_term(log, previous_index) != message->previous_term)
        return fit_of_gap(raft, message);
    size_t held = 0;
    while (held < message->entry_count && previous_index + held + 1 <= log->last_index) {
        raft_index index = previous_index + held + 1;
        if (index >= log->base_index && raft_log_term(log, index) != message->entries[held].term) {
            if (is_settled(raft, message, index))
                return (struct fit){.is_sound = false};
            break;
        }
        held++;
    }
    return (struct fit){
        .is_sound = true, .held = held, .new_terms = count_new_terms(message, held)};
}

static struct raft_message *reply(struct raft *raft, raft_node leader)
{
    uint32_t slot = (uint32_t)raft_members_slot(&raft->members, leader);
    struct raft_message *message = raft_emit_message(raft, RAFT_MSG_APPEND_REPLY, slot);
    message->round = raft->leader_round;
    message->is_withheld = raft->is_vote_withheld;
    return message;
}

/* To a leader of an earlier term: the term is all that matters. */
static void refuse_stale(struct raft *raft, const struct raft_message *message)
{
    struct raft_message *answer = reply(raft, message->from);
    answer->is_rejected = true;
    answer->round = 0;
}

static void refuse_gap(struct raft *raft, const struct raft_message *message)
{
    raft_index hint_index =
        raft_log_agreement(&raft->log, message->previous_index - 1, message->previous_term);
    struct raft_message *answer = reply(raft, message->from);
    answer->is_rejected = true;
    answer->hint_index = hint_index;
    answer->hint_term = raft_log_term(&raft->log, hint_index);
}

/* What may be acknowledged now. */
static raft_index ackable_index(const struct raft *raft)
{
    if (raft->is_vote_withheld || raft->durable.term != raft->hard.term)
        return 0;
    return raft->leader_match_index < raft->stable_index ? raft->leader_match_index
                                                         : raft->stable_index;
}

static void acknowledge(struct raft *raft)
{
    struct raft_message *answer = reply(raft, raft->leader);
    answer->match_index = ackable_index(raft);
    answer->hint_index = raft->leader_match_index;
    raft->acked_index = answer->match_index;
}

void raft_ack_if_durable(struct raft *raft)
{
    if (raft->role == RAFT_FOLLOWER && raft->leader != 0 && ackable_index(raft) > raft->acked_index)
        acknowledge(raft);
}

static void hear_leader(struct raft *raft, const struct raft_message *message)
{
    raft_become_follower(raft, message->term, message->from);
    raft->leader_heard_ms = raft->now_ms;
    raft->was_late = false;
    raft_be_patient(raft);
    raft_arm_election(raft);
    if (message->round > raft->leader_round)
        raft->leader_round = message->round;
}

static void write_entries(struct raft *raft, const struct raft_message *message, size_t held)
{
    if (held == message->entry_count)
        return;
    raft_index first_index = message->previous_index + held + 1;
    if (first_index <= raft->log.last_index)
        raft_forget_from(raft, first_index);
    for (size_t i = held; i < message->entry_count; i++)
        raft_log_append(&raft->log, &message->entries[i]);
    raft_persist(raft);
}

static void accept(struct raft *raft, const struct raft_message *message, size_t held)
{
    write_entries(raft, message, held);
    raft_index last_sent = message->previous_index + message->entry_count;
    raft_index shared = last_sent > raft->commit_index ? last_sent : raft->commit_index;
    if (shared > raft->leader_match_index)
        raft->leader_match_index = shared;
    if (message->commit_index > raft->leader_commit_index)
        raft->leader_commit_index = message->commit_index;
    raft_commit_to(raft, raft->leader_commit_index < raft->leader_match_index
                             ? raft->leader_commit_index
                             : raft->leader_match_index);
    raft_readmit_if_filled(raft);
    if (message->entry_count == 0 || raft->is_vote_withheld || ackable_index(raft) >= last_sent)
        acknowledge(raft);
}

enum raft_error raft_take_append(struct raft *raft, const struct raft_message *message)
{
    if (message->term < raft->hard.term) {
        refuse_stale(raft, message);
        return RAFT_OK;
    }
    struct fit fit = fit_of(raft, message);
    if (!fit.is_sound)
        return RAFT_DROPPED;
    if (!raft_log_reserve(&raft->log, message->entry_count - fit.held, fit.new_terms))
        return RAFT_NO_MEMORY;
    hear_leader(raft, message);
    if (fit.has_gap)
        refuse_gap(raft, message);
    else
        accept(raft, message, fit.held);
    return RAFT_OK;
}

/* ---- The leader takes the answer. ---- */

/* A refusal at or past what is already being tried, or below what is known to match, is an old one.
 */
static void back_up(struct raft *raft, struct raft_peer *peer, const struct raft_message *message)
{
    raft_index agreement = raft_log_agreement(&raft->log, message->hint_index, message->hint_term);
    if (agreement >= peer->match_index && agreement + 1 < peer->next_index)
        raft_peer_probe(peer, agreement + 1);
}

/* A probe has found its place when all before it is durable there. An answer that falls short of
 * that was to something earlier, or its disk is still writing and another answer will follow. */
static void advance(struct raft_peer *peer, const struct raft_message *message)
{
    raft_peer_matched(peer, message->match_index);
    if (!peer->is_replicating && peer->match_index + 1 == peer->next_index)
        raft_peer_replicate(peer);
}

/* Whatever it has acknowledged before is void; fill it, one message at a time, by what it says it
 * holds. An answer that says nothing new does not send the same entries again: heartbeats are
 * answered too, and networks repeat, so that messages would only ever become more. */
static void fill_withheld(struct raft *raft, struct raft_peer *peer,
                          const struct raft_message *message)
{
    bool is_new = !peer->is_withheld;
    peer->match_index = 0;
    peer->is_withheld = true;
    if (message->is_rejected) {
        back_up(raft, peer, message);
        return;
    }
    raft_index filled =
        message->hint_index > raft->log.base_index ? message->hint_index : raft->log.base_index;
    bool is_progress = filled + 1 > peer->next_index;
    bool is_probe_lost = filled + 1 == peer->next_index && peer->is_probe_old;
    if (is_new || is_progress || is_probe_lost)
        raft_peer_probe(peer, filled + 1);
}

static void take_answer(struct raft *raft, struct raft_peer *peer,
                        const struct raft_message *message)
{
    peer->is_withheld = false;
    uint64_t round = RAFT_MUTANT(READ_ROUND_REUSED) ? raft->round : message->round;
    if (round > peer->round)
        peer->round = round;
    if (message->is_rejected)
        back_up(raft, peer, message);
    else
        advance(peer, message);
    raft_commit_counted(raft);
    raft_read_confirm(raft);
}

enum raft_error raft_take_append_reply(struct raft *raft, const struct raft_message *message)
{
    if (message->term > raft->hard.term) {
        raft_become_follower(raft, message->term, 0);
        return RAFT_OK;
    }
    if (message->term < raft->hard.term || raft->role != RAFT_LEADER)
        return RAFT_OK;
    uint32_t slot = (uint32_t)raft_members_slot(&raft->members, message->from);
    struct raft_peer *peer = &raft->peers[slot];
    peer->last_heard_ms = raft->now_ms;
    if (message->is_withheld)
        fill_withheld(raft, peer, message);
    else
        take_answer(raft, peer, message);
    send_pending(raft, slot);
    return RAFT_OK;
}
