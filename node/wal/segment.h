/* The files of the log: segments in use, and blanks for the next ones.
 *
 * 1. A segment gets its name only when its header, its state records and zeros behind them are
 * synced; the name is synced before anything is appended.
 * 2. A blank is either zeroed (ready for use) or used (to be zeroed by wal_segments_prepare).
 * Nothing in a blank is ever part of the log.
 * 3. Segments are in ascending order; the last one is the one that is appended to.
 */
#ifndef PAWL_NODE_WAL_SEGMENT_H
#define PAWL_NODE_WAL_SEGMENT_H

#include "node/ports.h"
#include "node/wal/format.h"

struct wal_segment {
    struct wal_segment_header header;
    struct disk_file *file;
    uint64_t end; /* offset behind the last record */
};

struct wal_blank {
    uint64_t number; /* in its name */
    bool is_zeroed;
};

/* A blank that is being zeroed; file NULL: none. */
struct wal_making {
    struct disk_file *file;
    uint64_t zeroed;
    uint64_t number; /* of the spare that it will be; of the used blank that it is */
    bool is_reused;  /* else it is a new file */
};

struct wal_segments {
    struct disk_port disk;
    uint64_t segment_bytes; /* of new ones */
    struct wal_segment *segment;
    size_t count, capacity;
    struct wal_blank *blank;
    size_t blank_count, blank_capacity;
    uint64_t next_blank;
    struct wal_making making;
    uint8_t *zeros; /* what is written over files, once it was needed */
};

/* PAWL_E_DISK_FULL for a disk without room, PAWL_E_IO for everything else; fills diag. */
enum pawl_error wal_disk_error(struct pawl_diag *diag, int error, const char *action,
                               const char *name);
#define WAL_NAME_BYTES 40
void wal_segment_name(uint64_t sequence, char out[WAL_NAME_BYTES]);

void wal_segments_done(struct wal_segments *segments); /* closes the files */

/* Read the directory: opens every segment and reads its header (repairing one copy from the other),
 * takes stock of the blanks, removes what a crash left half made. PAWL_E_CORRUPT, PAWL_E_VERSION,
 * PAWL_E_IO, PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error wal_segments_load(struct wal_segments *segments, struct pawl_diag *diag);

/* Go on making one more zeroed blank, from a used one if there is one, else from a new file: at
 * most bytes_max zeros, synced. PAWL_E_DISK_FULL: it is given up. PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error wal_segments_prepare(struct wal_segments *segments, uint64_t bytes_max,
                                              struct pawl_diag *diag);
/* Have `count` zeroed blanks. PAWL_E_DISK_FULL: there are fewer. */
MUST_USE enum pawl_error wal_segments_spares_reserve(struct wal_segments *segments, size_t count,
                                                     struct pawl_diag *diag);
size_t wal_segments_spares(const struct wal_segments *segments); /* zeroed blanks */

/* Turn a zeroed blank into the next segment. begin: sealed state records that follow the header.
 * PAWL_E_DISK_FULL: nothing happened. */
MUST_USE enum pawl_error wal_segments_roll(struct wal_segments *segments,
                                           const struct wal_segment_header *header,
                                           struct bytes begin, struct pawl_diag *diag);
/* Take the segment at position out of the log: it becomes a used blank, or goes when there are
 * blanks_max. */
MUST_USE enum pawl_error wal_segments_retire(struct wal_segments *segments, size_t position,
                                             size_t blanks_max, struct pawl_diag *diag);
/* Write zeros over begin..end of a file. PAWL_E_NO_MEMORY; else as wal_disk_error. */
MUST_USE enum pawl_error wal_segments_zero(struct wal_segments *segments, struct disk_file *file,
                                           uint64_t begin, uint64_t end, struct pawl_diag *diag);

/* NULL: not in the log. */
struct wal_segment *wal_segments_find(const struct wal_segments *segments, uint64_t sequence);
static inline struct wal_segment *wal_segments_last(const struct wal_segments *segments)
{
    return &segments->segment[segments->count - 1];
}

#endif
