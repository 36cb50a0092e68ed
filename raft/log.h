/* Log: what the core knows of its entries, (index, term, kind, size), in memory.
 *
 * 1. It holds base_index + 1 .. last_index without a gap; everything up to base_index has been
 *    cut.
 * 2. Terms never fall along the log, so they are kept as runs: one record per change of term.
 * 3. An entry costs one slot of eight bytes; the memory follows what is kept, in both
 *    directions.
 * 4. Growing is asked for in advance (raft_log_reserve); an append then cannot fail.
 */
#ifndef RAFT_LOG_H
#define RAFT_LOG_H

#include "raft/raft.h"

struct raft_log_slot {
    uint32_t bytes;
    uint8_t kind;
};

struct raft_log_run {
    raft_index first_index;
    raft_term term;
};

struct raft_log {
    raft_index base_index;
    raft_term base_term; /* 0 only at base_index 0 */
    raft_index last_index;
    struct raft_log_slot *slots; /* a ring: the entry at index is in slots[index % capacity] */
    size_t slot_capacity;        /* a power of two */
    struct raft_log_run *runs;   /* ascending by index and by term */
    size_t run_count;
    size_t run_capacity;
};

/* False: no memory. */
bool raft_log_init(struct raft_log *log, raft_index base_index, raft_term base_term);
void raft_log_done(struct raft_log *log);
bool raft_log_copy(struct raft_log *copy, const struct raft_log *log);

/* Room for that many more entries, of that many more terms. False: no memory; nothing changed. */
bool raft_log_reserve(struct raft_log *log, size_t entry_count, size_t run_count);
/* entry->term is at least the last term. The room was reserved. */
void raft_log_append(struct raft_log *log, const struct raft_entry *entry);
/* Drop first_index and everything after it; first_index > base_index. */
void raft_log_truncate(struct raft_log *log, raft_index first_index);
/* Forget everything up to index, which becomes the base; base_index <= index <= last_index. */
void raft_log_cut(struct raft_log *log, raft_index index);

/* 0 when the entry is neither kept nor the base. */
raft_term raft_log_term(const struct raft_log *log, raft_index index);
raft_term raft_log_last_term(const struct raft_log *log);
/* Fills entries with first_index and on, all kept. */
void raft_log_read(const struct raft_log *log, raft_index first_index, struct raft_entry *entries,
                   size_t entry_count);
/* Payload bytes of first..last, all kept; 0 when first > last. */
uint64_t raft_log_bytes(const struct raft_log *log, raft_index first_index, raft_index last_index);
uint32_t raft_log_entry_bytes(const struct raft_log *log, raft_index index);

/* The last index at or below `index`, and not below the base, whose term is at most `term`: where
 * two logs that differ at index may still agree. */
raft_index raft_log_agreement(const struct raft_log *log, raft_index index, raft_term term);
/* Is a log that ends with (index, term) at least as complete as this one (thesis 3.6.1)? */
bool raft_log_is_covered(const struct raft_log *log, raft_index index, raft_term term);

#endif
