#include "show.h"

#include <inttypes.h>

static const char *role_name(enum raft_role role)
{
    static const char *const names[] = {"follower", "pre-candidate", "candidate", "leader"};
    return names[role];
}

const char *show_error(enum raft_error error)
{
    static const char *const names[] = {"ok",   "not leader", "not ready",
                                        "full", "dropped",    "no memory"};
    return names[error];
}

/* Entries as index@term, a run of one term as first..last@term. */
static void show_entries(FILE *out, raft_index first_index, const struct raft_entry *entries,
                         size_t entry_count)
{
    for (size_t i = 0; i < entry_count;) {
        size_t end = i + 1;
        while (end < entry_count && entries[end].term == entries[i].term)
            end++;
        fprintf(out, "%s%" PRIu64, i == 0 ? "" : " ", first_index + i);
        if (end - i > 1)
            fprintf(out, "..%" PRIu64, first_index + end - 1);
        fprintf(out, "@%" PRIu64, entries[i].term);
        i = end;
    }
}

static void show_append(FILE *out, const struct raft_message *message)
{
    fprintf(out, "append term %" PRIu64 ", after %" PRIu64 "@%" PRIu64 ": ", message->term,
            message->previous_index, message->previous_term);
    if (message->entry_count == 0)
        fprintf(out, "nothing");
    show_entries(out, message->previous_index + 1, message->entries, message->entry_count);
    fprintf(out, ", commit %" PRIu64 ", round %" PRIu64, message->commit_index, message->round);
}

static void show_append_reply(FILE *out, const struct raft_message *message)
{
    fprintf(out, "append reply term %" PRIu64, message->term);
    if (message->is_withheld)
        fprintf(out, ", withheld");
    if (message->is_rejected)
        fprintf(out, ", refused, hint %" PRIu64 "@%" PRIu64, message->hint_index,
                message->hint_term);
    else
        fprintf(out, ", holds %" PRIu64 ", durable %" PRIu64, message->hint_index,
                message->match_index);
    fprintf(out, ", round %" PRIu64, message->round);
}

static void show_campaign(FILE *out, const char *name, const struct raft_message *message)
{
    fprintf(out, "%s term %" PRIu64 ", last %" PRIu64 "@%" PRIu64, name, message->term,
            message->previous_index, message->previous_term);
}

static void show_answer(FILE *out, const char *name, const struct raft_message *message)
{
    fprintf(out, "%s term %" PRIu64 ", %s", name, message->term,
            message->is_rejected ? "refused" : "granted");
}

void show_message(FILE *out, const struct raft_message *message)
{
    fprintf(out, "%" PRIu64 " -> %" PRIu64 " ", message->from, message->to);
    switch ((enum raft_message_kind)message->kind) {
    case RAFT_MSG_PRE_VOTE:
        show_campaign(out, "pre-vote", message);
        break;
    case RAFT_MSG_PRE_VOTE_REPLY:
        show_answer(out, "pre-vote reply", message);
        break;
    case RAFT_MSG_VOTE:
        show_campaign(out, "vote", message);
        break;
    case RAFT_MSG_VOTE_REPLY:
        show_answer(out, "vote reply", message);
        break;
    case RAFT_MSG_APPEND:
        show_append(out, message);
        break;
    case RAFT_MSG_APPEND_REPLY:
        show_append_reply(out, message);
        break;
    }
    fputc('\n', out);
}

static void show_persist(FILE *out, const struct raft_persist *persist)
{
    const char *before = "writes";
    if (persist->has_hard_state) {
        fprintf(out, "%s term %" PRIu64 " vote %" PRIu64, before, persist->term, persist->vote);
        before = ",";
    }
    if (persist->truncate_index != 0) {
        fprintf(out, "%s drops %" PRIu64 " and on", before, persist->truncate_index);
        before = ",";
    }
    if (persist->first_index <= persist->last_index)
        fprintf(out, "%s entries %" PRIu64 "..%" PRIu64, before, persist->first_index,
                persist->last_index);
    fputc('\n', out);
}

void show_output(FILE *out, raft_node node, const struct raft_output *output)
{
    if (output->kind == RAFT_OUT_SEND) {
        show_message(out, &output->message);
        return;
    }
    fprintf(out, "%" PRIu64 " ", node);
    switch (output->kind) {
    case RAFT_OUT_SEND:
        return;
    case RAFT_OUT_PERSIST:
        show_persist(out, &output->persist);
        return;
    case RAFT_OUT_COMMITTED:
        fprintf(out, "commits %" PRIu64 "\n", output->index);
        return;
    case RAFT_OUT_ROLE:
        fprintf(out, "is %s, term %" PRIu64 ", leader %" PRIu64 "\n", role_name(output->role.role),
                output->role.term, output->role.leader);
        return;
    case RAFT_OUT_READ_STARTED:
        fprintf(out, "begins round %" PRIu64 " at %" PRIu64 "\n", output->read.round,
                output->read.index);
        return;
    case RAFT_OUT_READ_CONFIRMED:
        fprintf(out, "confirms round %" PRIu64 " at %" PRIu64 "\n", output->read.round,
                output->read.index);
        return;
    case RAFT_OUT_READMITTED:
        fprintf(out, "is readmitted\n");
        return;
    }
}

void show_state(FILE *out, raft_node node, const struct raft *raft)
{
    enum { SHOWN_MAX = 256 };
    struct raft_entry entries[SHOWN_MAX];
    size_t entry_count = 0;
    raft_index first_index = raft_first_index(raft);
    for (raft_index index = first_index; index <= raft_last_index(raft) && entry_count < SHOWN_MAX;
         index++)
        entries[entry_count++] = (struct raft_entry){.term = raft_term_at(raft, index)};
    fprintf(out, "%" PRIu64 ": %s, term %" PRIu64 ", leader %" PRIu64 ", log [", node,
            role_name(raft_role(raft)), raft_current_term(raft), raft_leader(raft));
    show_entries(out, first_index, entries, entry_count);
    fprintf(out, "], commit %" PRIu64 ", stable %" PRIu64 "\n", raft_commit_index(raft),
            raft_stable_index(raft));
}
