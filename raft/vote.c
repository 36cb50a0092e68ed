/* Vote: pre-votes and votes, asked for, given and counted (thesis 3.4, 3.6.1, 9.6, 4.2.3).
 *
 * 1. A vote is sent only when the term and the vote are durable. So are the candidate's own vote
 *    and all of its log before it asks: what a voter has weighed cannot be lost by the candidate.
 * 2. A pre-vote promises nothing and changes nothing; its refusal carries the term of who
 *    refuses, so a candidate that has fallen behind catches up.
 * 3. While a leader is live its followers are deaf to campaigns of later terms.
 * 4. A node whose vote is withheld grants neither, and asks for pre-votes only to be told terms.
 */
#include "raft/mutant.h"
#include "raft/state.h"

static void ask(struct raft *raft, enum raft_message_kind kind, raft_term term, raft_slots asked)
{
    for (uint32_t slot = 0; slot < raft->members.count; slot++) {
        if (slot == raft->self || (asked & raft_slots_of(slot)) == 0)
            continue;
        struct raft_message *message = raft_emit_message(raft, kind, slot);
        message->term = term;
        message->previous_index = raft->log.last_index;
        message->previous_term = raft_log_last_term(&raft->log);
    }
}

static raft_slots voters(const struct raft *raft)
{
    return raft->members.voters | raft->members.old_voters;
}

static void win_if_granted(struct raft *raft)
{
    if (!raft_quorum_reached(&raft->members, raft->granted))
        return;
    if (raft->role == RAFT_PRE_CANDIDATE)
        raft_become_candidate(raft);
    else
        raft_become_leader(raft);
}

static void count_grant(struct raft *raft, raft_node voter)
{
    raft->granted |= raft_slots_of((uint32_t)raft_members_slot(&raft->members, voter));
    win_if_granted(raft);
}

void raft_ask_pre_votes(struct raft *raft)
{
    raft->granted = raft_slots_of(raft->self);
    ask(raft, RAFT_MSG_PRE_VOTE, raft->hard.term + 1, voters(raft));
    win_if_granted(raft);
}

/* A refused pre-vote names the refuser's term, and a granted one says that it is no higher. A grant
 * makes no candidate of a node whose vote is withheld. */
void raft_ask_terms(struct raft *raft)
{
    ask(raft, RAFT_MSG_PRE_VOTE, raft->hard.term + 1, raft_untold(raft));
}

void raft_ask_votes_if_durable(struct raft *raft)
{
    if (raft->role != RAFT_CANDIDATE || raft->has_asked_votes ||
        raft->durable.term != raft->hard.term)
        return;
    raft->has_asked_votes = true;
    raft->granted = raft_slots_of(raft->self);
    raft_arm_election(raft);
    ask(raft, RAFT_MSG_VOTE, raft->hard.term, voters(raft));
    win_if_granted(raft);
}

static bool is_log_good_enough(const struct raft *raft, const struct raft_message *message)
{
    return RAFT_MUTANT(VOTE_OLDER_LOG) ||
           raft_log_is_covered(&raft->log, message->previous_index, message->previous_term);
}

static struct raft_message *reply(struct raft *raft, enum raft_message_kind kind, raft_node to,
                                  bool is_granted)
{
    struct raft_message *message =
        raft_emit_message(raft, kind, (uint32_t)raft_members_slot(&raft->members, to));
    message->is_rejected = !is_granted;
    return message;
}

enum raft_error raft_take_pre_vote(struct raft *raft, const struct raft_message *message)
{
    bool is_granted = message->term > raft->hard.term && !raft->is_vote_withheld &&
                      !raft_is_leader_live(raft) && is_log_good_enough(raft, message);
    struct raft_message *answer = reply(raft, RAFT_MSG_PRE_VOTE_REPLY, message->from, is_granted);
    if (is_granted)
        answer->term = message->term;
    return RAFT_OK;
}

enum raft_error raft_take_pre_vote_reply(struct raft *raft, const struct raft_message *message)
{
    if (message->is_rejected) {
        if (message->term > raft->hard.term)
            raft_become_follower(raft, message->term, 0);
        return RAFT_OK;
    }
    if (raft->role == RAFT_PRE_CANDIDATE && message->term == raft->hard.term + 1)
        count_grant(raft, message->from);
    return RAFT_OK;
}

void raft_send_vote_if_durable(struct raft *raft)
{
    bool is_durable =
        raft->durable.term == raft->hard.term && raft->durable.vote == raft->hard.vote;
    if (!raft->is_vote_owed || !(is_durable || RAFT_MUTANT(VOTE_UNSYNCED)))
        return;
    raft->is_vote_owed = false;
    (void)reply(raft, RAFT_MSG_VOTE_REPLY, raft->hard.vote, true);
}

static bool may_vote_for(const struct raft *raft, const struct raft_message *message)
{
    bool is_vote_free = raft->hard.vote == 0 && raft->leader == 0;
    return !raft->is_vote_withheld && (is_vote_free || raft->hard.vote == message->from) &&
           is_log_good_enough(raft, message);
}

enum raft_error raft_take_vote(struct raft *raft, const struct raft_message *message)
{
    if (message->term > raft->hard.term) {
        if (raft_is_leader_live(raft))
            return RAFT_OK;
        raft_become_follower(raft, message->term, 0);
    }
    if (message->term < raft->hard.term || !may_vote_for(raft, message)) {
        (void)reply(raft, RAFT_MSG_VOTE_REPLY, message->from, false);
        return RAFT_OK;
    }
    raft_become_follower(raft, raft->hard.term, raft->leader);
    raft_be_patient(raft);
    raft_arm_election(raft);
    raft->hard.vote = message->from;
    raft->is_vote_owed = true;
    raft_send_vote_if_durable(raft);
    return RAFT_OK;
}

enum raft_error raft_take_vote_reply(struct raft *raft, const struct raft_message *message)
{
    if (message->term > raft->hard.term) {
        raft_become_follower(raft, message->term, 0);
        return RAFT_OK;
    }
    if (message->term == raft->hard.term && raft->role == RAFT_CANDIDATE && raft->has_asked_votes &&
        !message->is_rejected)
        count_grant(raft, message->from);
    return RAFT_OK;
}
