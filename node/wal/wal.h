/* The write-ahead log: the only durability point of a node. One log for all its partitions.
 *
 * 1. What wal_sync has returned for survives a kill at any instruction and a power cut that keeps
 * or loses any 512-byte sector that was not synced.
 * 2. A group of appends is one write and one sync. Segments are preallocated, zeroed and synced
 * before use and before reuse; a record that is stale or misplaced never reads as valid.
 * 3. Recovery tells a torn tail (cut off, safe: it was never acknowledged) from damage to what was
 * synced; an undecidable tail counts as damage. Nothing is ever silently dropped.
 * 4. Any error from writing or syncing is final for this process: the caller ends it.
 *
 * Blocks on the disk; one thread at a time (the log thread). Source: docs/log-format.md.
 */
#ifndef PAWL_NODE_WAL_H
#define PAWL_NODE_WAL_H

#include "node/ports.h"
#include "proto/arena.h"

struct wal_options {
    struct disk_port disk;
    struct id128 cluster; /* in every segment header; another one is PAWL_E_WRONG_CLUSTER */
    uint64_t node;
    uint64_t salt;          /* random, fresh for every open */
    uint64_t segment_bytes; /* 16 MiB; the simulator uses small ones */
    uint32_t
        spare_segments; /* prepared ahead, and kept as a reserve of real blocks for a full disk */
};

struct wal_entry {
    uint64_t index;
    uint64_t term;
    uint8_t kind; /* raft's */
    struct bytes payload;
};

enum wal_record_kind {
    WAL_HARD_STATE = 1, /* term, vote */
    WAL_ENTRY,          /* entry */
    WAL_TRUNCATE,       /* entries of this partition from entry.index on are gone */
    WAL_START, /* the partition's log begins after entry.index, entry.term (bootstrap, snapshot) */
    WAL_INCARNATION, /* this node's life number; raised when the end of the log was lost */
};

struct wal_record {
    enum wal_record_kind kind;
    uint32_t partition;
    uint64_t term, vote; /* hard state; incarnation in term, and vote 1: its vote is withheld, 0: it
                            takes part again */
    struct wal_entry entry; /* entry, truncate, start; payload borrowed for the call */
};

enum wal_health {
    WAL_HEALTHY,     /* whole, or with a torn tail that was cut off */
    WAL_UNDECIDABLE, /* the end is damaged and may have held acknowledged records: vote withheld */
    WAL_DAMAGED,     /* acknowledged records in the middle are unreadable */
};

/* What recovery found for one partition. Entries are first..last without gaps. */
struct wal_partition {
    uint32_t partition;
    uint64_t term, vote;
    uint64_t base_index, base_term; /* before the first entry kept */
    uint64_t last_index;
    uint64_t incarnation;
    bool is_vote_withheld; /* of this incarnation, in this life or an earlier one: until the host
                              appends a WAL_INCARNATION that says otherwise */
};

struct wal_recovery {
    enum wal_health health;
    struct pawl_diag diag; /* what was found and where, when not simply healthy */
    uint64_t torn_bytes;   /* cut off at the end */
    uint64_t incarnation;  /* of the node; a partition that is expected and missing here, with this
                              above 0, was lost with the end of the log: its vote is withheld too */
    struct wal_partition *partitions; /* ascending; in the arena */
    size_t partition_count;
};

struct wal;

/* Open and recover, or begin a new log in an empty directory. PAWL_E_IO, PAWL_E_WRONG_CLUSTER,
 * PAWL_E_CORRUPT (a segment's header is damaged beyond use), PAWL_E_VERSION (a newer format),
 * PAWL_E_NO_MEMORY, PAWL_E_DISK_FULL (no room to begin, or to clean the end; try again). With
 * health UNDECIDABLE or DAMAGED the log opens, holds the valid prefix, and has been given a new
 * incarnation.
 */
MUST_USE enum pawl_error wal_open(const struct wal_options *options, struct arena *arena,
                                  struct wal_recovery *recovery_out, struct wal **wal_out,
                                  struct pawl_diag *diag);
void wal_close(struct wal *wal); /* does not sync */

/* Add to the group that the next wal_sync writes. An entry follows the last one of its partition;
 * WAL_START empties the partition. PAWL_E_LIMIT: a record larger than a segment, or a group larger
 * than a buffer; PAWL_E_INVALID: a record that cannot follow; PAWL_E_NO_MEMORY. In each case
 * nothing was added. */
MUST_USE enum pawl_error wal_append(struct wal *wal, const struct wal_record *record);
/* Write the group and sync it: all its records are durable when this returns PAWL_OK. PAWL_E_IO:
 * end the process. PAWL_E_DISK_FULL: nothing of the group counts, the log is as before; it may be
 * appended and synced again; the same for PAWL_E_NO_MEMORY, and PAWL_E_LIMIT when a segment is too
 * small for the states of all partitions. (A group larger than a segment that is refused when its
 * first part is durable is PAWL_E_IO.) */
MUST_USE enum pawl_error wal_sync(struct wal *wal, struct pawl_diag *diag);

/* Entries first..last of a partition, as many as fit into bytes_max (at least one). Payloads in the
 * arena. Reads what was appended, synced or not. PAWL_E_NOT_FOUND: cut, truncated or never there;
 * PAWL_E_CORRUPT, PAWL_E_IO. */
MUST_USE enum pawl_error wal_read(struct wal *wal, uint32_t partition, uint64_t first,
                                  uint64_t last, size_t bytes_max, struct arena *arena,
                                  struct wal_entry **entries_out, size_t *count_out);
uint64_t wal_term_at(const struct wal *wal, uint32_t partition, uint64_t index); /* 0: not kept */
/* The size of an entry's payload in bytes and its kind, without reading it; false: not kept. */
bool wal_entry_shape(const struct wal *wal, uint32_t partition, uint64_t index, uint32_t *bytes_out,
                     uint8_t *kind_out);

/* The partition no longer needs entries up to index. Whole segments that nothing needs are recycled
 * or removed, oldest first; every segment begins with the state of every partition, so nothing else
 * goes with them. While a group is in the making only the cut is remembered, for the next call.
 * After a reopen entries may be back whose segment had not gone. PAWL_E_NOT_FOUND: no such
 * partition; PAWL_E_IO. */
MUST_USE enum pawl_error wal_cut(struct wal *wal, uint32_t partition, uint64_t index,
                                 struct pawl_diag *diag);
/* Go on preparing the next spare segment if one is missing: some zeros now and then, as many as the
 * log has grown and more, so call it after every group, or more often when there is time.
 * PAWL_E_DISK_FULL and PAWL_E_NO_MEMORY are no harm. */
MUST_USE enum pawl_error wal_prepare(struct wal *wal, struct pawl_diag *diag);

struct wal_figures {
    uint64_t sync_count, write_bytes, segment_count, spare_count;
};
struct wal_figures wal_figures(const struct wal *wal);

#endif
