#include "node/wal/partition.h"

#include <assert.h>
#include <stdlib.h>

#include "node/wal/mutant.h"
#include "node/wal/wal.h"

/* No log gets there; what claims to be there is not one of ours, and sums could overflow. */
#define INDEX_MAX (UINT64_MAX / 2)

void wal_slots_done(struct wal_slots *slots)
{
    for (size_t i = 0; i < slots->count; i++)
        wal_index_done(&slots->slot[i].index);
    free(slots->slot);
    *slots = (struct wal_slots){0};
}

/* Where the partition is, or would be. */
static size_t slot_position(const struct wal_slots *slots, uint32_t partition)
{
    size_t low = 0, high = slots->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slots->slot[middle].partition < partition)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct wal_slot *wal_slots_find(const struct wal_slots *slots, uint32_t partition)
{
    size_t at = slot_position(slots, partition);
    if (at == slots->count || slots->slot[at].partition != partition)
        return NULL;
    return &slots->slot[at];
}

struct wal_slot *wal_slots_put(struct wal_slots *slots, uint32_t partition)
{
    struct wal_slot *found = wal_slots_find(slots, partition);
    if (found != NULL)
        return found;
    if (slots->count == slots->capacity) {
        size_t capacity = slots->capacity != 0 ? slots->capacity * 2 : 8;
        struct wal_slot *slot = realloc(slots->slot, capacity * sizeof *slot);
        if (slot == NULL)
            return NULL;
        slots->slot = slot;
        slots->capacity = capacity;
    }
    size_t at = slot_position(slots, partition);
    memmove(slots->slot + at + 1, slots->slot + at, (slots->count - at) * sizeof *slots->slot);
    slots->slot[at] = (struct wal_slot){.partition = partition};
    slots->count++;
    return &slots->slot[at];
}

bool wal_slot_accepts(const struct wal_slot *slot, const struct wal_record_header *record,
                      const struct wal_state *state)
{
    switch (record->kind) {
    case WAL_ENTRY:
        return record->index == wal_index_last(&slot->index) + 1;
    case WAL_TRUNCATE:
        return record->index > 0 && record->index <= wal_index_last(&slot->index) + 1;
    case WAL_START:
        return record->index <= INDEX_MAX;
    case WAL_STATE:
        return state->last_index <= INDEX_MAX &&
               (!slot->is_durable || (state->last_index == slot->now.last_index &&
                                      state->last_term == slot->now.last_term));
    case WAL_HARD_STATE:
    case WAL_INCARNATION:
        return true;
    }
    return false;
}

static enum pawl_error entry_apply(struct wal_slot *slot, const struct wal_record_header *record,
                                   const struct wal_place *place)
{
    TRY(wal_index_reserve(&slot->index));
    wal_index_add(&slot->index, record->term, place);
    return PAWL_OK;
}

/* A truncation below the base is possible in recovery, when the segments with the entries that it
 * removed are gone. */
static enum pawl_error truncate_apply(struct wal_slot *slot, const struct wal_record_header *record)
{
    if (record->index > slot->index.base_index)
        return wal_index_truncate(&slot->index, record->index);
    return wal_index_reset(&slot->index, record->index - 1, record->term);
}

enum pawl_error wal_slot_apply(struct wal_slot *slot, const struct wal_record_header *record,
                               const struct wal_place *place, const struct wal_state *state)
{
    if (record->kind == WAL_ENTRY)
        TRY(entry_apply(slot, record, place));
    if (record->kind == WAL_TRUNCATE)
        TRY(truncate_apply(slot, record));
    if (record->kind == WAL_START)
        TRY(wal_index_reset(&slot->index, record->index, record->term));
    if (record->kind == WAL_STATE && !slot->is_durable)
        TRY(wal_index_reset(&slot->index, state->last_index, state->last_term));
    if (record->kind == WAL_STATE)
        slot->now = *state;
    wal_state_apply(&slot->now, record);
    return PAWL_OK;
}

void wal_state_apply(struct wal_state *state, const struct wal_record_header *record)
{
    switch (record->kind) {
    case WAL_HARD_STATE:
        state->term = record->term;
        state->vote = record->index;
        break;
    case WAL_ENTRY:
    case WAL_START:
        state->last_index = record->index;
        state->last_term = record->term;
        break;
    case WAL_TRUNCATE:
        state->last_index = record->index - 1;
        state->last_term = record->term;
        break;
    case WAL_INCARNATION:
        state->incarnation = record->term;
        state->is_vote_withheld = record->index != 0;
        break;
    case WAL_STATE:
        break;
    }
}

void wal_slot_touch(struct wal_slot *slot)
{
    if (slot->is_touched)
        return;
    slot->is_touched = true;
    wal_index_mark_set(&slot->index);
}

void wal_slots_settle(struct wal_slots *slots)
{
    for (size_t i = 0; i < slots->count; i++) {
        struct wal_slot *slot = &slots->slot[i];
        if (!slot->is_touched)
            continue;
        wal_index_settle(&slot->index);
        slot->durable = slot->now;
        slot->is_durable = true;
        slot->is_touched = false;
    }
}

void wal_slots_rollback(struct wal_slots *slots)
{
    size_t kept = 0;
    for (size_t i = 0; i < slots->count; i++) {
        struct wal_slot *slot = &slots->slot[i];
        if (slot->is_touched) {
            wal_index_rollback(&slot->index);
            slot->now = slot->durable;
            slot->is_touched = false;
        }
        if (slot->is_durable)
            slots->slot[kept++] = *slot;
        else
            wal_index_done(&slot->index);
    }
    slots->count = kept;
}

void wal_state_encode(const struct wal_slot *slot, struct wal_record_header *header_out,
                      uint8_t body_out[WAL_STATE_BODY_BYTES])
{
    const struct wal_state *state = &slot->durable;
    le64_put(body_out, WAL_MUTANT(HARD_STATE_UNCARRIED) ? 0 : state->term);
    le64_put(body_out + 8, WAL_MUTANT(HARD_STATE_UNCARRIED) ? 0 : state->vote);
    le64_put(body_out + 16, state->incarnation);
    le64_put(body_out + 24, state->is_vote_withheld ? 1 : 0);
    *header_out = (struct wal_record_header){
        .body_bytes = WAL_STATE_BODY_BYTES,
        .kind = WAL_STATE,
        .partition = slot->partition,
        .index = state->last_index,
        .term = state->last_term,
    };
}

void wal_state_decode(const struct wal_record_header *header,
                      const uint8_t body[WAL_STATE_BODY_BYTES], struct wal_state *state_out)
{
    *state_out = (struct wal_state){
        .term = le64_get(body),
        .vote = le64_get(body + 8),
        .incarnation = le64_get(body + 16),
        .is_vote_withheld = le64_get(body + 24) != 0,
        .last_index = header->index,
        .last_term = header->term,
    };
}
