/* The blocks of one write. A disk takes whole blocks with the least work (it may bypass the page
 * cache for them), so a group is written from the beginning of the block in which the log ends to
 * the end of the block in which the group ends.
 *
 * 1. What stands before the log's end in its last block is written again, the same bytes. So a
 *    sector that a power cut loses keeps what was durable in it.
 * 2. What stands behind the group in its last block is zeros, as it was.
 * 3. The group itself is left as it is: whitening happens on the way into the blocks.
 */
#ifndef PAWL_NODE_WAL_BLOCK_H
#define PAWL_NODE_WAL_BLOCK_H

#include "node/wal/segment.h"

/* A zeroed one is empty. */
struct wal_blocks {
    uint8_t *data; /* begins at the beginning of a block, in memory and in the segment */
    size_t capacity;
    uint64_t segment, end; /* it holds this segment's last block up to here; 0: none */
};

void wal_blocks_done(struct wal_blocks *blocks);

/* Write sealed records at the end of a segment that has room for them; nothing is synced. The
 * segment's end is the caller's to move. PAWL_E_NO_MEMORY, PAWL_E_IO: nothing was written.
 * *error_out: what the disk said to the write; 0: all is written. */
MUST_USE enum pawl_error wal_blocks_write(struct wal_blocks *blocks, const struct disk_port *disk,
                                          const struct wal_segment *segment, struct bytes records,
                                          int *error_out);

#endif
