/* What the parts of the log share: the open log, and the two steps that opening and syncing have in
 * common.
 *
 * 1. Records up to next_sequence - 1 are durable; the group holds what comes after them.
 * 2. The group's records are encoded but not sealed: they learn their place when they are written.
 */
#ifndef PAWL_NODE_WAL_INTERNAL_H
#define PAWL_NODE_WAL_INTERNAL_H

#include "node/wal/block.h"
#include "node/wal/partition.h"
#include "node/wal/segment.h"
#include "node/wal/wal.h"

struct wal {
    struct wal_options options;
    struct wal_segments segments;
    struct wal_slots slots;
    struct buffer group;
    struct wal_blocks blocks;  /* what the group is written from */
    uint64_t group_record_max; /* bytes of its largest record */
    uint64_t next_sequence;    /* of the next record that is written */
    uint64_t incarnation;      /* of the node */
    uint64_t dirty_end; /* behind the last segment's end, up to here, a failed write may have left
                           something; 0: no */
    bool is_failed;     /* an error that is final */
    uint64_t unprepared_bytes; /* written since the last wal_prepare */
    uint64_t prepare_bytes;    /* that may be zeroed for the next spare, and are not yet */
    struct buffer scratch;     /* for reads */
    uint64_t sync_count, write_bytes;
};

/* Begin the next segment, which continues `previous`, with the durable state of every partition. */
MUST_USE enum pawl_error wal_roll(struct wal *wal, uint64_t previous, struct pawl_diag *diag);

/* Read the segments that are loaded, at least one; classify the end; leave the log ready for
 * appends. */
MUST_USE enum pawl_error wal_recover(struct wal *wal, struct wal_recovery *recovery,
                                     struct pawl_diag *diag);

#endif
