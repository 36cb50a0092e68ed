/* The threads beside the loop: one for the log, one for the store's single writer, one for its
 * readers.
 *
 * 1. The loop submits jobs and takes finished ones; both queues are bounded by what the loop has
 * under way.
 * 2. Log jobs that wait together share one sync.
 * 3. An error from syncing the log or committing the store ends the process at once (exit status
 * 70): what is in memory can no longer be trusted to be on the disk. A full disk is waited out, and
 * said.
 */
#ifndef PAWL_NODE_RUNNER_H
#define PAWL_NODE_RUNNER_H

#include "node/replica.h"

struct runner;

struct runner_options {
    struct wal *wal;
    struct rows_port rows;
    struct disk_port disk; /* asked for free space */
};

MUST_USE enum pawl_error runner_new(const struct runner_options *options,
                                    struct runner **runner_out);
/* Wait until every submitted job is done, stop the threads. Jobs not taken are freed. What waits for
 * space on a full disk is not waited for. */
void runner_free(struct runner *runner);
struct jobs_port runner_port(struct runner *runner);
/* Readable while finished jobs wait. */
int runner_fd(const struct runner *runner);
/* All finished jobs, linked by next; NULL: none. */
struct job *runner_take(struct runner *runner);

#endif
