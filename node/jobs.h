/* Jobs: what the replica loop asks of the disk. The loop makes a job and hands it out through the
 * jobs port; another thread (or the simulator, inline) runs it with one of the functions below and
 * hands it back as an input of the loop.
 *
 * 1. A job belongs to the loop, then to who runs it, then to the loop again, which frees it.
 * 2. Log jobs of one node run in the order they were handed out; flush jobs too. Loads and queries
 * may overlap and overtake each other.
 * 3. A job whose error is PAWL_E_IO ends the process, and so does a flush that fails for anything but
 * a full disk: who runs it sees to that, and the loop never gets it back.
 */
#ifndef PAWL_NODE_JOBS_H
#define PAWL_NODE_JOBS_H

#include "node/store/memory.h"
#include "node/store/net_change.h"
#include "node/store/rows_port.h"
#include "node/wal/wal.h"
#include "proto/peer_messages.h"
#include "raft/raft.h"
#include "workflow/engine.h"

enum job_kind {
    JOB_LOG_APPEND, /* records, then one sync */
    JOB_LOG_READ,   /* entries for a follower that is far behind */
    JOB_LOG_CUT,
    JOB_FLUSH, /* the window's net change into the store */
    JOB_LOAD,  /* rows that a decide wanted */
    JOB_QUERY, /* a read that wants a snapshot */
};

/* One thing that a load brings: as memory_loaded takes it. */
struct load_part {
    struct memory_missing missing;
    struct row *rows;
    size_t row_count;
    struct bytes covered_end;
};

struct job {
    enum job_kind kind;
    uint32_t partition;
    struct job *next; /* the holder's queue */
    enum pawl_error error;
    struct pawl_diag diag;
    struct arena arena; /* of what the job carries and brings back */
    union {
        struct {
            struct wal_record *records;
            size_t record_count;
            struct raft_synced token;
            uint32_t
                sync_count; /* brought back: 1 for the first job of a group, whose sync it was */
        } append;
        struct {
            struct msg_raft message; /* to send once its entries are here; without entries */
            uint64_t first, last;
            size_t bytes_max;
            struct wal_entry *entries;
            size_t entry_count;
        } read;
        struct {
            uint64_t index;
        } cut;
        struct {
            struct bytes *payloads; /* of the window's entries, oldest first; empty: of a no-op */
            size_t payload_count;
            struct net_change *change; /* the partition's */
            uint64_t hash_seed;
            struct rows_mark mark;
            size_t bytes;        /* brought back: of the payloads */
            size_t write_count;  /* brought back: of the net change */
            uint64_t free_bytes; /* brought back: of the data directory; UINT64_MAX: not known */
        } flush;
        struct {
            struct load_part *parts;
            size_t part_count, part_capacity; /* brought back: more or fewer than were asked for */
            uint64_t token;                   /* the loop's name for who waits */
            uint64_t label;
        } load;
        struct {
            enum request_kind kind;
            struct bytes body;
            struct bytes *payloads; /* of the entries behind the store, as those of a flush */
            size_t payload_count;
            uint64_t hash_seed;
            uint64_t index; /* of the last of them; brought back: as of which the answer holds */
            struct bytes answer;
            struct id128 run;
            uint64_t token; /* the loop's name for who waits */
        } query;
    };
};

struct job *job_new(enum job_kind kind, uint32_t partition); /* NULL: no memory */
void job_free(struct job *job); /* payload references are the loop's to release */

/* Run log jobs in order; the appends of one call share one sync. PAWL_E_DISK_FULL: jobs from
 * *done_out on have not happened and must be run again, in order, later. Blocks on the disk. */
enum pawl_error jobs_run_log(struct wal *wal, struct job *const *jobs, size_t count,
                             size_t *done_out);
/* A flush: the net change of the payloads goes into the store, which must have everything before
 * them. PAWL_E_DISK_FULL: nothing happened, run it again later. PAWL_E_CORRUPT: a payload or a row
 * of the store cannot be read. Blocks. */
enum pawl_error job_run_flush(const struct rows_port *rows, struct job *job);
/* A load or a query; engine is the runner's own. A load brings the parts in their order until they
 * are large, the first always whole; with the header of a run come rows that its next decision is
 * likely to read. A query sees the store with its payloads' entries over it. Blocks. */
void job_run_read(const struct rows_port *rows, struct engine *engine, struct job *job);

#endif
