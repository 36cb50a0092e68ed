/* Durable: what is handed to the disk, what has come back from it, and the promises that waited for
 * it.
 *
 * 1. The disk keeps the order in which things were handed out, so one report covers all before
 *    it.
 * 2. A report counts for entries only if it was handed out in the present term. Within a term a
 *    log never loses what it shares with the leader, so an entry of that index and term is the one
 *    that was written. A report from an earlier term may name an entry that was overwritten and
 *    written again; the write of the new term follows it and covers the same entries.
 * 3. Votes and acknowledgements leave from here, once what they promise is durable.
 */
#include "raft/mutant.h"
#include "raft/state.h"

void raft_persist(struct raft *raft)
{
    bool has_hard_state =
        raft->hard.term != raft->handed.term || raft->hard.vote != raft->handed.vote;
    raft_index last_index = raft->log.last_index;
    if (!has_hard_state && raft->truncate_index == 0 && raft->handed_index == last_index)
        return;
    raft_emit(raft, RAFT_OUT_PERSIST)->persist = (struct raft_persist){
        .term = raft->hard.term,
        .vote = raft->hard.vote,
        .has_hard_state = has_hard_state,
        .truncate_index = raft->truncate_index,
        .first_index = raft->handed_index + 1,
        .last_index = last_index,
        .token = {raft->hard.term, raft->hard.vote, last_index, raft_log_last_term(&raft->log)},
    };
    raft->handed = raft->hard;
    raft->handed_index = last_index;
    raft->truncate_index = 0;
}

void raft_forget_from(struct raft *raft, raft_index first_index)
{
    raft_log_truncate(&raft->log, first_index);
    if (raft->stable_index >= first_index)
        raft->stable_index = first_index - 1;
    if (raft->handed_index < first_index)
        return;
    raft->handed_index = first_index - 1;
    raft->truncate_index = first_index;
}

static void note_hard_state(struct raft *raft, const struct raft_synced *synced)
{
    bool is_newer = synced->term > raft->durable.term ||
                    (synced->term == raft->durable.term && raft->durable.vote == 0);
    if (is_newer)
        raft->durable = (struct raft_hard){synced->term, synced->vote};
}

static bool does_report_count(const struct raft *raft, const struct raft_synced *synced)
{
    if (RAFT_MUTANT(LATE_SYNC_COUNTS))
        return synced->index <= raft->log.last_index;
    return synced->term == raft->hard.term &&
           raft_log_term(&raft->log, synced->index) == synced->index_term;
}

void raft_take_synced(struct raft *raft, const struct raft_synced *synced)
{
    note_hard_state(raft, synced);
    if (synced->index > raft->stable_index && does_report_count(raft, synced))
        raft->stable_index = synced->index;
    raft_send_vote_if_durable(raft);
    raft_ask_votes_if_durable(raft);
    raft_readmit_if_filled(raft);
    raft_ack_if_durable(raft);
    if (raft->role == RAFT_LEADER)
        raft_commit_counted(raft);
}

/* Whoever may have this node's lost vote of some term tells a term no lower. A pre-vote and its
 * grant carry the term after it. */
void raft_note_told_term(struct raft *raft, const struct raft_message *message)
{
    if (!raft->is_vote_withheld)
        return;
    bool is_grant = message->kind == RAFT_MSG_PRE_VOTE_REPLY && !message->is_rejected;
    raft_term term = message->term - (is_grant || message->kind == RAFT_MSG_PRE_VOTE ? 1 : 0);
    if (term > raft->told_term)
        raft->told_term = term;
    raft->told |= raft_slots_of((uint32_t)raft_members_slot(&raft->members, message->from));
}

raft_slots raft_untold(const struct raft *raft)
{
    raft_slots voters = raft->members.voters | raft->members.old_voters;
    return voters & ~raft->told & ~raft_slots_of(raft->self);
}

void raft_take_readmit(struct raft *raft, raft_index index)
{
    if (!raft->is_vote_withheld)
        return;
    raft->is_readmission_asked = true;
    raft->readmit_index = index;
    raft_readmit_if_filled(raft);
}

static bool has_other_voters(const struct raft *raft)
{
    return ((raft->members.voters | raft->members.old_voters) & ~raft_slots_of(raft->self)) != 0;
}

/* Filled means: all that was ever committed is durable here. What was committed in earlier terms
 * lies below any commit of this term. What was committed in this term with an acknowledgement that
 * this node has lost lies above what it held, so its leader had heard of the loss before an append
 * could be accepted here, and told its commit index with that append. */
static bool is_filled(const struct raft *raft)
{
    raft_index needed = raft->leader_commit_index;
    if (raft_untold(raft) != 0 || raft->hard.term < raft->told_term ||
        raft->durable.term != raft->hard.term ||
        raft_log_term(&raft->log, needed) != raft->hard.term)
        return false;
    if (needed < raft->readmit_index)
        needed = raft->readmit_index;
    return raft->stable_index >= needed && raft->leader_match_index >= needed;
}

/* A vote of this term may have been given and lost with the log's end, so first of all it is spent,
 * for good: a readmission that a crash could undo would let this node vote again. */
void raft_readmit_if_filled(struct raft *raft)
{
    if (!raft->is_vote_withheld || !raft->is_readmission_asked ||
        (has_other_voters(raft) && !is_filled(raft)))
        return;
    if (raft->hard.vote == 0 && raft->hard.term > 0)
        raft->hard.vote = raft->options.self;
    if (raft->durable.term != raft->hard.term || raft->durable.vote != raft->hard.vote)
        return;
    raft->is_vote_withheld = false;
    raft->is_readmission_asked = false;
    (void)raft_emit(raft, RAFT_OUT_READMITTED);
}
