/* Outbox: the outputs of the present step.
 *
 * 1. Its room is for the longest step there is, so saying something cannot fail.
 * 2. Appends are noted without their entries; raft_outbox_finish copies them out of the log,
 *    once for appends of the same range. So nothing may truncate the log after an append was said.
 */
#include <assert.h>
#include <stdlib.h>

#include "raft/state.h"

bool raft_outbox_init(struct raft_outbox *outbox, uint32_t member_count)
{
    enum { OTHERS_MAX = 16 }; /* roles, persists, commits, rounds, and one answer */
    size_t capacity = (size_t)member_count * (RAFT_APPENDS_PER_STEP + 1) + OTHERS_MAX;
    *outbox = (struct raft_outbox){.outputs = calloc(capacity, sizeof *outbox->outputs),
                                   .capacity = capacity};
    return outbox->outputs != NULL;
}

void raft_outbox_done(struct raft_outbox *outbox)
{
    free(outbox->outputs);
    free(outbox->entries);
    *outbox = (struct raft_outbox){0};
}

struct raft_output *raft_emit(struct raft *raft, enum raft_output_kind kind)
{
    struct raft_outbox *outbox = &raft->outbox;
    assert(outbox->count < outbox->capacity);
    struct raft_output *output = &outbox->outputs[outbox->count++];
    *output = (struct raft_output){.kind = kind};
    return output;
}

struct raft_message *raft_emit_message(struct raft *raft, enum raft_message_kind kind,
                                       uint32_t slot)
{
    struct raft_message *message = &raft_emit(raft, RAFT_OUT_SEND)->message;
    *message = (struct raft_message){
        .kind = (uint8_t)kind,
        .from = raft->options.self,
        .to = raft->members.nodes[slot],
        .term = raft->hard.term,
    };
    return message;
}

bool raft_outbox_reserve_entries(struct raft_outbox *outbox, size_t entry_count)
{
    enum { ENTRIES_MIN = 64 };
    size_t wanted = outbox->entry_count + entry_count;
    if (wanted > outbox->entry_capacity) {
        size_t capacity = outbox->entry_capacity * 2;
        if (capacity < wanted)
            capacity = wanted < ENTRIES_MIN ? ENTRIES_MIN : wanted;
        struct raft_entry *entries = realloc(outbox->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return false;
        outbox->entries = entries;
        outbox->entry_capacity = capacity;
    }
    outbox->entry_count = wanted;
    return true;
}

void raft_outbox_finish(struct raft *raft)
{
    struct raft_outbox *outbox = &raft->outbox;
    const struct raft_message *last = NULL;
    size_t used = 0;
    for (size_t i = 0; i < outbox->count; i++) {
        if (outbox->outputs[i].kind != RAFT_OUT_SEND)
            continue;
        struct raft_message *message = &outbox->outputs[i].message;
        if (message->entry_count == 0)
            continue;
        if (last != NULL && last->previous_index == message->previous_index &&
            last->entry_count == message->entry_count) {
            message->entries = last->entries;
            continue;
        }
        assert(used + message->entry_count <= outbox->entry_capacity);
        raft_log_read(&raft->log, message->previous_index + 1, outbox->entries + used,
                      message->entry_count);
        message->entries = outbox->entries + used;
        used += message->entry_count;
        last = message;
    }
}
