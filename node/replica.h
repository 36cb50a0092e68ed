/* The replica loop of one node: Raft, the rows in memory, decisions and dispatch. The same code in
 * pawld and in the simulator.
 *
 * 1. One thread. A turn takes all inputs that wait, then decides, then sends and writes, batched.
 * 2. It never blocks: disks are reached through jobs, sockets through links.
 * 3. Every answer waits for the commit of what it rests on, and for a read round when it wrote
 * nothing. On losing the role all waiting answers become UNKNOWN_OUTCOME.
 * 4. A new leader decides nothing until its own no-op is applied.
 */
#ifndef PAWL_NODE_REPLICA_H
#define PAWL_NODE_REPLICA_H

#include "node/jobs.h"
#include "node/ports.h"
#include "proto/limits.h"
#include "proto/peer_messages.h"

struct replica;

/* Where jobs go. Never blocks; the job comes back as REPLICA_JOB_DONE. */
struct jobs_port {
    void *self;
    void (*submit)(void *self, struct job *job_take);
};

/* Who answers INIT, by itself, over the same connection. take NULL: nobody. */
struct init_port {
    void *self;
    void (*take)(void *self, uint64_t connection, const struct msg_request *request);
};

struct replica_options {
    struct id128 cluster;
    uint64_t node;
    struct bytes name;
    struct msg_member members[MEMBERS_MAX]; /* texts are borrowed for the replica's life */
    size_t member_count;
    struct clock_port clock;
    struct entropy_port entropy;
    struct links_port links;
    struct jobs_port jobs;
    struct init_port init;
    uint32_t heartbeat_ms;            /* 0: 50 */
    uint32_t election_timeout_ms_min; /* 0: 300 */
    uint32_t election_timeout_ms_max; /* 0: 600 */
    uint32_t flush_interval_ms;       /* from the first entry of a window to its flush; 0: 200 */
    size_t flush_bytes;               /* ... at once when its payloads come to this; 0: 8 MiB */
    size_t clean_bytes_max;    /* rows kept in memory although the store has them; 0: 3 MiB */
    size_t window_bytes_busy;  /* unflushed payloads from which starts are told BUSY; 0: 32 MiB */
    size_t window_bytes_stop;  /* ... from which nothing is handed out, timers wait and who follows
                                  applies no more; 0: 64 MiB */
    size_t cache_bytes_max;    /* payloads of applied entries kept for followers; 0: 2 MiB */
    size_t remember_bytes;     /* payloads of the window that enter a new leader's memory in one
                                  turn; 0: 512 KiB */
    uint32_t append_bytes_max; /* payloads in one message to a follower; 0: 1 MiB */
    uint64_t cut_step;         /* the log is cut when so many entries are not needed; 0: 4096 ... */
    uint64_t cut_keep;         /* ... beside these, kept for followers a little behind; 0: 1024 */
    uint64_t free_bytes_low;   /* disk space below which new starts are refused; 0: 128 MiB */
};

/* What the disk held, as replica_restore found it. */
struct replica_restored {
    struct wal_partition log;
    bool is_vote_withheld;
    bool has_lost_entries;      /* the log ended before the store */
    struct rows_mark mark;      /* of the store */
    struct raft_entry *entries; /* log.base_index + 1 .. log.last_index */
    struct wal_entry *tail;     /* with payloads: mark.index + 1 .. log.last_index */
    size_t tail_count;
};

/* Read what partition 0 needs from an open log and store. Results live in the arena.
 * PAWL_E_CORRUPT: the store is behind the log's first entry, or the log is none that a node can
 * have written; PAWL_E_IO, PAWL_E_NO_MEMORY. Blocks.
 */
MUST_USE enum pawl_error replica_restore(struct wal *wal, const struct wal_recovery *recovery,
                                         const struct rows_port *rows, struct arena *arena,
                                         struct replica_restored *restored_out,
                                         struct pawl_diag *diag);

/* PAWL_E_INVALID: options contradict each other; PAWL_E_NO_MEMORY. restored is borrowed for the
 * call. */
MUST_USE enum pawl_error replica_new(const struct replica_options *options,
                                     const struct replica_restored *restored,
                                     struct replica **replica_out);
/* Every job must have come back, or have been abandoned. */
void replica_free(struct replica *replica);
/* Take back a job that nobody will run or report any more: the process ends while its disk is at
 * work. Only replica_free may follow. */
void replica_abandon(struct replica *replica, struct job *job_take);

enum replica_input_kind {
    REPLICA_PEER_FRAME, /* source: node id */
    REPLICA_PEER_LOST,  /* source: node id; its connections are gone and a new one fails. A hint */
    REPLICA_CLIENT_FRAME,  /* source: connection */
    REPLICA_CLIENT_CLOSED, /* source: connection */
    REPLICA_JOB_DONE,
};

struct replica_input {
    enum replica_input_kind kind;
    uint64_t source;
    uint8_t type;      /* of a frame */
    struct bytes body; /* of a frame; borrowed for the turn */
    struct job *job;   /* taken */
};

/* One turn: the inputs in order (none: only time has passed), then everything that is due. */
void replica_turn(struct replica *replica, const struct replica_input *inputs, size_t input_count);

/* When the next turn is due even without inputs, on the monotonic clock, in microseconds. */
uint64_t replica_deadline_us(const struct replica *replica);

/* For tests, health and status. */
struct replica_status {
    enum raft_role role;
    uint64_t term, leader;
    uint64_t last_index, commit_index, applied_index, stable_index, flushed_index;
    uint64_t remembered_index; /* the committed rows of a leader's memory are those as of here */
    uint64_t clock_us;         /* the cluster's clock as this node knows it */
    int64_t clock_off_us;      /* this node's wall clock, ahead of the cluster's */
    bool is_clock_off;         /* by more than a second, for more than a second */
    bool is_active;            /* leads and has applied its own no-op */
    bool is_vote_withheld;
    bool is_out_of_space;
    bool is_failed; /* a committed entry cannot be read; end the process */
    size_t session_count, waiting_count;
    size_t result_count;  /* RESULTs that wait for the end of their run */
    uint64_t stuck_count; /* timers that could not be decided, each time they were tried */
    uint64_t decision_count, rejection_count, load_count, flush_count, sync_count;
    struct memory_figures memory;
};
struct replica_status replica_status(const struct replica *replica);
/* "leader" and so on. */
const char *replica_role_name(enum raft_role role);
/* The committed rows as a leader's memory knows them; for checkers. */
struct view replica_committed_view(struct replica *replica, struct memory_reader *reader);
const struct raft *replica_raft(const struct replica *replica);
/* The payload of an entry in the cache; size 0: not cached, or it has none. */
struct bytes replica_entry_payload(const struct replica *replica, uint64_t index);
/* The window as the next flush would take it: payloads of (flushed, applied], size 0: none. The
 * array is the arena's; NULL: no memory. For checkers. */
struct bytes *replica_window(const struct replica *replica, struct arena *arena, size_t *count_out);
/* Assert the invariants that cost little; after each turn of a test. */
void replica_check_turn(const struct replica *replica);
/* Assert every invariant of the whole state. */
void replica_check(const struct replica *replica);

#endif
