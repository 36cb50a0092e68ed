/* Where the entries of one partition stand in the log: an array by entry index, 16 bytes each.
 *
 * 1. Entries are base_index + 1 .. wal_index_last without gaps; terms never fall with the index.
 * 2. Terms are kept as runs, since a term lasts for many entries.
 * 3. Changes since wal_index_mark can be taken back by wal_index_rollback: only what a truncation
 * or a reset removes is copied, so plain appends cost nothing.
 */
#ifndef PAWL_NODE_WAL_INDEX_H
#define PAWL_NODE_WAL_INDEX_H

#include "proto/bytes.h"
#include "proto/error.h"

#define WAL_PLACE_PENDING UINT32_MAX /* not written yet: offset is the one in the group */

struct wal_place {
    uint32_t segment; /* its sequence, or WAL_PLACE_PENDING */
    uint32_t offset;  /* of the record */
    uint32_t bytes;   /* of the payload */
    uint8_t kind;     /* raft's */
};

struct wal_term_run {
    uint64_t first; /* index of the first entry of the run */
    uint64_t term;
};

/* What wal_index_rollback goes back to. */
struct wal_index_mark {
    uint64_t base_index, base_term, last;
    uint64_t saved_first; /* places of saved_first .. last are in saved */
    struct wal_place *saved;
    struct wal_term_run *runs; /* with saved */
    size_t run_count;
    bool is_reset; /* wal_index_reset came since: everything there was is in saved */
};

struct wal_index {
    uint64_t base_index, base_term;
    struct wal_place *places; /* the entry base_index + 1 is places[begin] */
    size_t begin, count, capacity;
    struct wal_term_run *runs;
    size_t run_count, run_capacity;
    struct wal_index_mark mark;
};

void wal_index_done(struct wal_index *index);

static inline uint64_t wal_index_last(const struct wal_index *index)
{
    return index->base_index + index->count;
}

/* Room for one more entry, so that the next wal_index_add cannot fail. */
MUST_USE enum pawl_error wal_index_reserve(struct wal_index *index);
/* Add the entry after the last one; wal_index_reserve came before. */
void wal_index_add(struct wal_index *index, uint64_t term, const struct wal_place *place);
/* Forget the entries from `from` on; from > base_index. PAWL_E_NO_MEMORY: nothing happened. */
MUST_USE enum pawl_error wal_index_truncate(struct wal_index *index, uint64_t from);
/* Forget all entries; the next one is base_index + 1. PAWL_E_NO_MEMORY: nothing happened. */
MUST_USE enum pawl_error wal_index_reset(struct wal_index *index, uint64_t base_index,
                                         uint64_t base_term);
/* Forget the entries up to `to`, which is kept as the base; not between a mark and its end. */
void wal_index_cut(struct wal_index *index, uint64_t to);

/* NULL: not kept. */
struct wal_place *wal_index_find(const struct wal_index *index, uint64_t entry);
/* Term of an entry or of the base; 0: not kept. */
uint64_t wal_index_term(const struct wal_index *index, uint64_t entry);

/* Remember the state as it is; then either settle (keep the changes) or roll back. */
void wal_index_mark_set(struct wal_index *index);
void wal_index_settle(struct wal_index *index);
void wal_index_rollback(struct wal_index *index);

#endif
