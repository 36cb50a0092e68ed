/* The rows port: a partition's checkpoint. LMDB (rows_lmdb.c) and a sorted map (rows_map.c)
 * implement it and pass one model test.
 *
 * 1. A flush is atomic and durable: after a crash the store is exactly as of one flush.
 * 2. A snapshot shows one flush, whatever is flushed meanwhile.
 * 3. flush is called by one thread (the store thread); snapshots by any, one thread each. Both
 *    block.
 */
#ifndef PAWL_NODE_ROWS_PORT_H
#define PAWL_NODE_ROWS_PORT_H

#include "proto/arena.h"
#include "proto/rows.h"

/* The point up to which the store has everything. */
struct rows_mark {
    uint64_t index;
    uint64_t term;
    uint64_t clock_us; /* cluster time of that entry */
};

/* Silent differences are found by these: one per table, order-free, kept by every flush. */
struct rows_sum {
    uint64_t count;  /* rows */
    uint64_t sum[2]; /* low, high: sum mod 2^128 of a keyed hash of each row */
};

/* The key of the rows' hashes: the same on all nodes of a cluster, for ever. */
struct rows_sum_key {
    uint8_t byte[32];
};

struct rows_snapshot; /* the implementation's */

struct rows_port {
    void *self;
    enum pawl_error (*flush)(void *self, uint32_t partition, const struct rows_mark *mark,
                             const struct row_write *writes,
                             size_t write_count, /* ascending by table, key */
                             struct pawl_diag *diag);
    /* PAWL_E_DISK_FULL: nothing was written, try again later. PAWL_E_CORRUPT: a row that was to be
     * replaced is damaged, nothing was written. PAWL_E_IO: end the process. */
    enum pawl_error (*snapshot_open)(void *self, uint32_t partition,
                                     struct rows_snapshot **snapshot_out);
    void (*snapshot_close)(void *self, struct rows_snapshot *snapshot);
    struct rows_mark (*snapshot_mark)(void *self, const struct rows_snapshot *snapshot);
    /* Views into the snapshot; alive until it is closed. PAWL_E_NOT_FOUND. */
    enum pawl_error (*get)(void *self, struct rows_snapshot *snapshot, enum row_table table,
                           struct bytes key, struct bytes *value_out);
    /* As struct view's scan and scan_back; views alive until the snapshot is closed. */
    enum pawl_error (*scan)(void *self, struct rows_snapshot *snapshot, enum row_table table,
                            struct bytes begin, struct bytes end, bool is_backward, size_t row_max,
                            struct row *rows_out, size_t *count_out);
    enum pawl_error (*sums)(void *self, uint32_t partition, struct rows_sum sums_out[TABLE_COUNT]);
};

/* A view over a snapshot, for queries on reader threads. Writes, ascending by (table, key) and each
 * key once, may lie over it: the net change of what the store does not have yet. */
struct rows_view {
    const struct rows_port *rows;
    struct rows_snapshot *snapshot;
    const struct row_write *writes;
    size_t write_count;
    struct arena *arena; /* of scans; where there are writes */
};
struct view rows_view_of(struct rows_view *view);

#endif
