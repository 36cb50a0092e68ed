/* The checkpoint: the window's net change goes into the store, and the log is cut behind it.
 *
 * 1. A flush seals at G <= min(applied, this node's own synced index), so the store never knows
 * what the log may lose.
 * 2. The log is cut only behind what every member's store has durably.
 * 3. A flush brings back how much space is left. While that is little there is always a next one,
 * empty if need be, so that space that comes free is noticed.
 */
#include <assert.h>

#include "node/mutant.h"
#include "node/partition.h"

enum { RETRY_US = 100 * 1000, SOON_US = 10 * 1000, WATCH_US = 500 * 1000 };

void flush_want(struct partition *partition, uint64_t index)
{
    if (index > partition->wanted_index)
        partition->wanted_index = index;
    const uint64_t soon_us = partition->replica->now_us + SOON_US;
    if (partition->flush_due_us == 0 || partition->flush_due_us > soon_us)
        partition->flush_due_us = soon_us;
}

static uint64_t seal_index(const struct partition *partition)
{
    const uint64_t stable = raft_stable_index(partition->raft);
    if (NODE_MUTANT(FLUSH_UNSYNCED))
        return partition->applied_index;
    return partition->applied_index < stable ? partition->applied_index : stable;
}

static bool is_short_of_space(const struct partition *partition)
{
    return partition->free_bytes < partition->replica->options.free_bytes_low;
}

/* Seal what fits into one job: less of the window when all of it does not. */
static struct job *seal(struct partition *partition, uint64_t *index)
{
    const uint64_t flushed = memory_flushed_index(partition->memory);
    if (*index == flushed)
        return job_new(JOB_FLUSH, partition->number);
    for (; *index > flushed; *index = flushed + (*index - flushed) / 2) {
        struct job *job = job_new(JOB_FLUSH, partition->number);
        if (job != NULL && memory_seal(partition->memory, *index, &job->arena, &job->flush.writes,
                                       &job->flush.write_count) == PAWL_OK)
            return job;
        job_free(job);
    }
    return NULL;
}

static void begin_flush(struct partition *partition, uint64_t index)
{
    struct job *job = seal(partition, &index);
    if (job == NULL) { /* no memory: later there may be */
        partition->flush_due_us = partition->replica->now_us + RETRY_US;
        return;
    }
    job->flush.mark = (struct rows_mark){.index = index,
                                         .term = raft_term_at(partition->raft, index),
                                         .clock_us = partition_clock_us(partition)};
    job->flush.free_bytes = UINT64_MAX;
    partition->is_flushing = true;
    partition->flush_index = index;
    partition->flush_due_us = 0;
    partition_submit(partition, job);
}

void flush_due(struct partition *partition)
{
    const uint64_t now_us = partition->replica->now_us;
    if (partition->is_flushing || partition->flush_due_us == 0 || partition->flush_due_us > now_us)
        return;
    const uint64_t index = seal_index(partition);
    if (index > memory_flushed_index(partition->memory))
        begin_flush(partition, index);
    else if (partition->applied_index > index)
        partition->flush_due_us = now_us + SOON_US; /* its own log is behind */
    else if (is_short_of_space(partition))
        begin_flush(partition, index);
    else
        partition->flush_due_us = 0;
}

static void cut_log(struct partition *partition)
{
    const struct replica_options *options = &partition->replica->options;
    const uint64_t heard =
        partition->role == RAFT_LEADER ? space_cut_index(partition) : partition->cut_index_heard;
    uint64_t index = memory_flushed_index(partition->memory);
    if (index > heard)
        index = heard;
    if (NODE_MUTANT(CUT_BEFORE_FLUSH))
        index = partition->applied_index;
    index = index > options->cut_keep ? index - options->cut_keep : 0;
    if (index < partition->cut_index + options->cut_step)
        return;
    partition->cut_index = index;
    consensus_cut(partition, index);
}

static void note_space(struct partition *partition, const struct job *job)
{
    if (job->flush.free_bytes != UINT64_MAX)
        partition->free_bytes = job->flush.free_bytes;
    partition->is_store_full = job->error == PAWL_E_DISK_FULL;
}

void flush_done(struct partition *partition, struct job *job)
{
    const uint64_t now_us = partition->replica->now_us;
    assert(job->error != PAWL_E_IO); /* the runner ends the process */
    note_space(partition, job);
    partition->is_flushing = false;
    if (job->error == PAWL_OK) {
        memory_flushed(partition->memory, partition->flush_index);
        partition->flush_count++;
    } else {
        partition->flush_due_us = now_us + RETRY_US;
    }
    job_free(job);
    if (partition->applied_index > memory_flushed_index(partition->memory) &&
        partition->flush_due_us == 0)
        partition->flush_due_us =
            now_us + (partition->wanted_index > memory_flushed_index(partition->memory)
                          ? 1
                          : (uint64_t)partition->replica->options.flush_interval_ms * 1000);
    if (is_short_of_space(partition) && partition->flush_due_us == 0)
        partition->flush_due_us = now_us + WATCH_US;
    reads_flushed(partition);
    cut_log(partition);
}

uint64_t flush_deadline_us(const struct partition *partition)
{
    return partition->is_flushing || partition->flush_due_us == 0 ? UINT64_MAX
                                                                  : partition->flush_due_us;
}
