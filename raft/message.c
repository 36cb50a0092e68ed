/* Message: what no correct peer sends, seen from the message and the state before it is acted on.
 *
 * Checks that need the place of an append in the log are in append.c.
 */
#include "raft/state.h"

static bool is_position_sound(raft_index index, raft_term term)
{
    return index <= RAFT_NUMBER_MAX && term <= RAFT_NUMBER_MAX && (index == 0) == (term == 0);
}

/* A candidate has no entry of the term it campaigns in. */
static bool is_campaign_sound(const struct raft_message *message)
{
    return is_position_sound(message->previous_index, message->previous_term) &&
           message->previous_term < message->term;
}

static bool are_entries_sound(const struct raft_message *message)
{
    raft_term term = message->previous_term;
    for (size_t i = 0; i < message->entry_count; i++) {
        const struct raft_entry *entry = &message->entries[i];
        if (entry->term == 0 || entry->term < term || entry->term > message->term)
            return false;
        if (entry->kind < RAFT_ENTRY_NOOP || entry->kind > RAFT_ENTRY_CONFIGURATION)
            return false;
        term = entry->term;
    }
    return true;
}

static bool is_append_sound(const struct raft *raft, const struct raft_message *message)
{
    if (message->term == raft->hard.term) {
        bool is_second_leader = raft->leader != 0 && raft->leader != message->from;
        if (is_second_leader || raft->role == RAFT_LEADER)
            return false;
    }
    return is_position_sound(message->previous_index, message->previous_term) &&
           message->previous_term <= message->term && message->commit_index <= RAFT_NUMBER_MAX &&
           message->entry_count <= RAFT_NUMBER_MAX - message->previous_index &&
           are_entries_sound(message);
}

/* What answers this leader is about its log and its rounds. */
static bool is_append_reply_sound(const struct raft *raft, const struct raft_message *message)
{
    if (raft->role != RAFT_LEADER || message->term != raft->hard.term)
        return true;
    raft_index last_index = raft->log.last_index;
    return message->match_index <= last_index && message->hint_index <= last_index &&
           message->round <= raft->round;
}

bool raft_message_is_sound(const struct raft *raft, const struct raft_message *message)
{
    if (message->to != raft->options.self || message->from == raft->options.self ||
        raft_members_slot(&raft->members, message->from) < 0)
        return false;
    if (message->term > RAFT_NUMBER_MAX || message->term > raft->hard.term + RAFT_TERM_RAISE_MAX)
        return false;
    /* A node that has never taken part has term 0, and says so in one kind of message only. */
    if (message->term == 0)
        return message->kind == RAFT_MSG_PRE_VOTE_REPLY && message->is_rejected;
    switch ((enum raft_message_kind)message->kind) {
    case RAFT_MSG_PRE_VOTE:
    case RAFT_MSG_VOTE:
        return is_campaign_sound(message);
    case RAFT_MSG_PRE_VOTE_REPLY:
    case RAFT_MSG_VOTE_REPLY:
        return true;
    case RAFT_MSG_APPEND:
        return is_append_sound(raft, message);
    case RAFT_MSG_APPEND_REPLY:
        return is_append_reply_sound(raft, message);
    }
    return false;
}
