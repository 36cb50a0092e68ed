/* The partitions of one log in memory: what their records add up to.
 *
 * 1. Each record kind changes a partition in one function, wal_partition_apply, used by appends and
 * by recovery alike.
 * 2. `durable` is what synced records add up to, without the group in the making; it is what a new
 *    segment begins with, and what a failed group falls back to.
 */
#ifndef PAWL_NODE_WAL_PARTITION_H
#define PAWL_NODE_WAL_PARTITION_H

#include "node/wal/format.h"
#include "node/wal/index.h"

/* All there is to know of a partition but its entries. */
struct wal_state {
    uint64_t term, vote;
    uint64_t incarnation;
    bool is_vote_withheld;
    uint64_t last_index, last_term; /* of the last entry, or of the base */
};

struct wal_slot {
    uint32_t partition;
    bool is_touched; /* the group in the making has records of it */
    bool is_durable; /* it has synced records */
    struct wal_state now, durable;
    uint64_t cut_index; /* entries up to here are not needed */
    struct wal_index index;
};

struct wal_slots {
    struct wal_slot *slot; /* ascending by partition */
    size_t count, capacity;
};

void wal_slots_done(struct wal_slots *slots);
struct wal_slot *wal_slots_find(const struct wal_slots *slots, uint32_t partition);
/* The slot, made if need be; NULL: no memory. Moves other slots. */
struct wal_slot *wal_slots_put(struct wal_slots *slots, uint32_t partition);

/* Can this record follow what the slot has? Asked of records read from a disk. */
bool wal_slot_accepts(const struct wal_slot *slot, const struct wal_record_header *record,
                      const struct wal_state *state);
/* Take a record in. place: of an entry. state: the body of a state record. PAWL_E_NO_MEMORY:
 * nothing happened. */
MUST_USE enum pawl_error wal_slot_apply(struct wal_slot *slot,
                                        const struct wal_record_header *record,
                                        const struct wal_place *place,
                                        const struct wal_state *state);
/* The effect of one record on a state. */
void wal_state_apply(struct wal_state *state, const struct wal_record_header *record);

/* First record of a group for this slot; then either of the two below at the group's end. */
void wal_slot_touch(struct wal_slot *slot);
void wal_slots_settle(struct wal_slots *slots);
void wal_slots_rollback(struct wal_slots *slots);

/* A state record: its header fields and its body. */
void wal_state_encode(const struct wal_slot *slot, struct wal_record_header *header_out,
                      uint8_t body_out[WAL_STATE_BODY_BYTES]);
void wal_state_decode(const struct wal_record_header *header,
                      const uint8_t body[WAL_STATE_BODY_BYTES], struct wal_state *state_out);

#endif
