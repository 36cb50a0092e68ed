/* Raft: making a core, stepping it, and asking it. What a step does is in the file of its noun:
 * vote.c, append.c, commit.c, durable.c, read.c, role.c. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "raft/state.h"

/* ---- Making one. ---- */

static bool are_options_sound(const struct raft_options *options)
{
    return options->self != 0 && options->heartbeat_ms > 0 &&
           options->heartbeat_ms < options->election_timeout_ms_min &&
           options->election_timeout_ms_min <= options->election_timeout_ms_max &&
           options->append_bytes_max > 0 && options->append_entries_max > 0 &&
           options->window_messages_max > 0 && options->window_bytes_max > 0 &&
           options->uncommitted_bytes_max > 0;
}

static bool is_restored_sound(const struct raft_restored *restored)
{
    if ((restored->base_index == 0) != (restored->base_term == 0) ||
        restored->base_index > RAFT_NUMBER_MAX ||
        restored->entry_count > RAFT_NUMBER_MAX - restored->base_index ||
        restored->commit_index < restored->base_index ||
        restored->commit_index > restored->base_index + restored->entry_count)
        return false;
    raft_term term = restored->base_term;
    for (size_t i = 0; i < restored->entry_count; i++) {
        const struct raft_entry *entry = &restored->entries[i];
        if (entry->term == 0 || entry->term < term || entry->kind < RAFT_ENTRY_NOOP ||
            entry->kind > RAFT_ENTRY_CONFIGURATION)
            return false;
        term = entry->term;
    }
    return term <= restored->term && restored->term <= RAFT_NUMBER_MAX;
}

static bool restore_log(struct raft *raft, const struct raft_restored *restored)
{
    size_t run_count = 0;
    for (size_t i = 0; i < restored->entry_count; i++)
        run_count += i == 0 || restored->entries[i].term != restored->entries[i - 1].term;
    if (!raft_log_init(&raft->log, restored->base_index, restored->base_term) ||
        !raft_log_reserve(&raft->log, restored->entry_count, run_count))
        return false;
    for (size_t i = 0; i < restored->entry_count; i++)
        raft_log_append(&raft->log, &restored->entries[i]);
    raft->handed_index = raft->log.last_index;
    raft->stable_index = raft->log.last_index;
    raft->commit_index = restored->commit_index;
    raft->hard = (struct raft_hard){restored->term, restored->vote};
    raft->handed = raft->hard;
    raft->durable = raft->hard;
    raft->is_vote_withheld = restored->is_vote_withheld;
    return true;
}

/* One block for the windows of all peers. */
static bool give_windows(struct raft *raft)
{
    uint32_t capacity = raft->options.window_messages_max;
    raft->flights = calloc((size_t)raft->members.count * capacity, sizeof *raft->flights);
    if (raft->flights == NULL)
        return false;
    for (uint32_t slot = 0; slot < raft->members.count; slot++) {
        struct raft_window *window = &raft->peers[slot].window;
        window->flights = raft->flights + (size_t)slot * capacity;
        window->capacity = capacity;
    }
    return true;
}

struct raft *raft_new(const struct raft_options *options, const struct raft_restored *restored,
                      uint64_t now_ms)
{
    struct raft_members members;
    if (!are_options_sound(options) || !is_restored_sound(restored) ||
        !raft_members_init(&members, &options->configuration))
        return NULL;
    int self = raft_members_slot(&members, options->self);
    if (self < 0)
        return NULL;
    struct raft *raft = calloc(1, sizeof *raft);
    if (raft == NULL)
        return NULL;
    raft->options = *options;
    raft->members = members;
    raft->self = (uint32_t)self;
    raft->prng.state = options->seed;
    raft->now_ms = now_ms;
    raft->ask_due_ms = now_ms;
    if (!restore_log(raft, restored) || !give_windows(raft) ||
        !raft_outbox_init(&raft->outbox, members.count)) {
        raft_free(raft);
        return NULL;
    }
    raft_arm_election(raft);
    return raft;
}

void raft_free(struct raft *raft)
{
    if (raft == NULL)
        return;
    raft_log_done(&raft->log);
    raft_outbox_done(&raft->outbox);
    free(raft->flights);
    free(raft);
}

struct raft *raft_clone(const struct raft *raft)
{
    struct raft *copy = malloc(sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *raft;
    copy->log = (struct raft_log){0};
    copy->outbox = (struct raft_outbox){0};
    copy->flights = NULL;
    if (!raft_log_copy(&copy->log, &raft->log) || !give_windows(copy) ||
        !raft_outbox_init(&copy->outbox, raft->members.count)) {
        raft_free(copy);
        return NULL;
    }
    size_t flight_count = (size_t)raft->members.count * raft->options.window_messages_max;
    memcpy(copy->flights, raft->flights, flight_count * sizeof *raft->flights);
    return copy;
}

/* ---- Stepping it. ---- */

static enum raft_error take_message(struct raft *raft, const struct raft_message *message)
{
    if (!raft_message_is_sound(raft, message))
        return RAFT_DROPPED;
    raft_note_told_term(raft, message);
    switch ((enum raft_message_kind)message->kind) {
    case RAFT_MSG_PRE_VOTE:
        return raft_take_pre_vote(raft, message);
    case RAFT_MSG_PRE_VOTE_REPLY:
        return raft_take_pre_vote_reply(raft, message);
    case RAFT_MSG_VOTE:
        return raft_take_vote(raft, message);
    case RAFT_MSG_VOTE_REPLY:
        return raft_take_vote_reply(raft, message);
    case RAFT_MSG_APPEND:
        return raft_take_append(raft, message);
    case RAFT_MSG_APPEND_REPLY:
        return raft_take_append_reply(raft, message);
    }
    return RAFT_DROPPED;
}

/* The host has cut; a peer that would need what is gone waits at the new base. */
static void cut(struct raft *raft, raft_index index)
{
    if (index <= raft->log.base_index)
        return;
    assert(index <= raft->commit_index && index <= raft->stable_index);
    raft_log_cut(&raft->log, index);
    if (raft->role != RAFT_LEADER)
        return;
    for (uint32_t slot = 0; slot < raft->members.count; slot++) {
        if (slot != raft->self && raft->peers[slot].next_index <= index)
            raft_peer_probe(&raft->peers[slot], index + 1);
    }
}

static enum raft_error take(struct raft *raft, const struct raft_input *input)
{
    switch (input->kind) {
    case RAFT_IN_TICK:
        raft_tick(raft);
        return RAFT_OK;
    case RAFT_IN_MESSAGE:
        return take_message(raft, &input->message);
    case RAFT_IN_PROPOSE:
        return raft_propose(raft, input->propose.entries, input->propose.entry_count);
    case RAFT_IN_READ:
        return raft_read(raft);
    case RAFT_IN_SYNCED:
        raft_take_synced(raft, &input->synced);
        return RAFT_OK;
    case RAFT_IN_CUT:
        cut(raft, input->index);
        return RAFT_OK;
    case RAFT_IN_PEER_LOST:
        raft_lose_peer(raft, input->node);
        return RAFT_OK;
    case RAFT_IN_READMIT:
        raft_take_readmit(raft, input->index);
        return RAFT_OK;
    }
    return RAFT_DROPPED;
}

enum raft_error raft_step(struct raft *raft, const struct raft_input *input,
                          struct raft_outputs *outputs_out)
{
    *outputs_out = (struct raft_outputs){0};
    raft->outbox.count = 0;
    raft->outbox.entry_count = 0;
    if (input->now_ms > raft->now_ms)
        raft->now_ms = input->now_ms;
    /* Any step may end in an election, whose no-op must not fail. */
    if (!raft_log_reserve(&raft->log, 1, 1))
        return RAFT_NO_MEMORY;
    enum raft_error error = take(raft, input);
    if (error != RAFT_OK)
        return error;
    raft_persist(raft);
    raft_outbox_finish(raft);
    *outputs_out = (struct raft_outputs){raft->outbox.outputs, raft->outbox.count};
    return RAFT_OK;
}

/* ---- Asking it. ---- */

enum raft_role raft_role(const struct raft *raft)
{
    return raft->role;
}

raft_term raft_current_term(const struct raft *raft)
{
    return raft->hard.term;
}

raft_node raft_leader(const struct raft *raft)
{
    return raft->leader;
}

raft_index raft_last_index(const struct raft *raft)
{
    return raft->log.last_index;
}

raft_index raft_first_index(const struct raft *raft)
{
    return raft->log.base_index + 1;
}

raft_index raft_commit_index(const struct raft *raft)
{
    return raft->commit_index;
}

raft_index raft_stable_index(const struct raft *raft)
{
    return raft->stable_index;
}

raft_term raft_term_at(const struct raft *raft, raft_index index)
{
    return raft_log_term(&raft->log, index);
}

raft_index raft_match_index_min(const struct raft *raft)
{
    if (raft->role != RAFT_LEADER)
        return 0;
    raft_index least = raft->stable_index;
    for (uint32_t slot = 0; slot < raft->members.count; slot++) {
        if (slot != raft->self && raft->peers[slot].match_index < least)
            least = raft->peers[slot].match_index;
    }
    return least;
}

const struct raft_configuration *raft_configuration(const struct raft *raft)
{
    return &raft->options.configuration;
}

static struct raft_progress progress_of_self(const struct raft *raft)
{
    return (struct raft_progress){
        .match_index = raft->stable_index,
        .next_index = raft->log.last_index + 1,
        .is_replicating = true,
        .last_heard_ms = raft->now_ms,
    };
}

bool raft_progress_of(const struct raft *raft, raft_node node, struct raft_progress *progress_out)
{
    int slot = raft_members_slot(&raft->members, node);
    if (raft->role != RAFT_LEADER || slot < 0)
        return false;
    const struct raft_peer *peer = &raft->peers[slot];
    *progress_out = (uint32_t)slot == raft->self ? progress_of_self(raft)
                                                 : (struct raft_progress){
                                                       .match_index = peer->match_index,
                                                       .next_index = peer->next_index,
                                                       .is_replicating = peer->is_replicating,
                                                       .last_heard_ms = peer->last_heard_ms,
                                                   };
    return true;
}
