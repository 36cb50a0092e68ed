/* Host: a core with a log in memory and a disk that loses what was not synced.
 *
 * 1. Writes are queued in the order of their RAFT_OUT_PERSIST and reach the disk in that order.
 * 2. A crash keeps some of the queue's beginning, down to a part of one write: its term and vote,
 *    then what it drops, then its entries, one after the other.
 * 3. Entries carry a payload that the core never sees, so that two logs can be told apart.
 */
#ifndef TESTS_RAFT_HOST_H
#define TESTS_RAFT_HOST_H

#include "raft/raft.h"

enum { HOST_LOG_MAX = 4096, HOST_BATCH_MAX = 64, HOST_WRITES_MAX = 512 };

struct host_record {
    struct raft_entry entry;
    uint64_t payload;
};

struct host_log {
    struct host_record records[HOST_LOG_MAX + 1]; /* by index; those up to base_index are cut */
    raft_index base_index;
    raft_index last_index;
};

struct host_write {
    struct raft_persist persist;
    struct host_record records[HOST_BATCH_MAX];
};

struct host {
    struct raft_options options;
    struct raft *raft; /* NULL: down */
    struct host_log memory;
    struct host_log disk;
    raft_term disk_term;
    raft_node disk_vote;
    bool is_withheld; /* and has not been readmitted */
    struct host_write writes[HOST_WRITES_MAX];
    size_t write_first;
    size_t write_count;
};

/* An empty disk; the node is down. */
void host_init(struct host *host, const struct raft_options *options);
void host_done(struct host *host);

/* From what is on the disk. False: the core refused it. */
bool host_start(struct host *host, raft_index commit_index, uint64_t now_ms);
/* Step the core and queue what it wants written. payloads: of the entries in the input. */
enum raft_error host_step(struct host *host, const struct raft_input *input,
                          const uint64_t *payloads, struct raft_outputs *outputs_out);
/* The oldest write of the queue reaches the disk; its token. */
struct raft_synced host_write_next(struct host *host);
/* Down, with that many writes kept whole and that many entries of the next (-1: nothing of it). */
void host_crash(struct host *host, size_t whole_writes, int entries_of_next);
void host_cut(struct host *host, raft_index index, uint64_t now_ms);

raft_term host_log_term(const struct host_log *log, raft_index index);

#endif
