/* The checkpoint: the window's net change goes into the store, and the log is cut behind it.
 *
 * 1. A flush takes the window up to G <= min(applied, this node's own synced index), so the store
 * never knows what the log may lose. It is made of the entries' payloads, on the store's thread.
 * 2. The log is cut only behind what every member's store has durably.
 * 3. A flush brings back how much space is left. While that is little there is always a next one,
 * empty if need be, so that space that comes free is noticed.
 */
#include <assert.h>

#include "node/mutant.h"
#include "node/partition.h"

enum { RETRY_US = 100 * 1000, SOON_US = 10 * 1000, WATCH_US = 500 * 1000 };
enum { FLUSH_BYTES_MAX = 16 << 20 }; /* of payloads in one flush, and one more */

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

/* As far as one flush goes: all of the window, or its beginning when it is large. */
static uint64_t flush_end(const struct partition *partition, uint64_t index)
{
    if (partition->window_bytes <= FLUSH_BYTES_MAX)
        return index;
    uint64_t end = partition->flushed_index;
    for (size_t bytes = 0; end < index && bytes < FLUSH_BYTES_MAX; end++)
        bytes += entry_cache_get(&partition->cache, end + 1)->payload.size;
    return end;
}

/* NULL: no memory. */
static struct job *flush_job(struct partition *partition, uint64_t index)
{
    const size_t count = (size_t)(index - partition->flushed_index);
    struct job *job = job_new(JOB_FLUSH, partition->number);
    if (job == NULL)
        return NULL;
    job->flush.payloads = arena_array(&job->arena, count, sizeof *job->flush.payloads);
    if (job->flush.payloads == NULL) {
        job_free(job);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        job->flush.payloads[i] =
            entry_cache_get(&partition->cache, partition->flushed_index + 1 + i)->payload;
    job->flush.payload_count = count;
    job->flush.change = &partition->net_change;
    job->flush.hash_seed = partition->replica->seed[1];
    job->flush.free_bytes = UINT64_MAX;
    job->flush.mark = (struct rows_mark){.index = index,
                                         .term = raft_term_at(partition->raft, index),
                                         .clock_us = partition_clock_us(partition)};
    return job;
}

static void begin_flush(struct partition *partition, uint64_t index)
{
    index = flush_end(partition, index);
    struct job *job = flush_job(partition, index);
    if (job == NULL) { /* later there may be memory */
        partition->flush_due_us = partition->replica->now_us + RETRY_US;
        return;
    }
    partition->is_flushing = true;
    partition->flush_index = index;
    partition->flush_due_us = 0;
    partition_submit(partition, job);
}

/* What is flushed together is written once: a row that changes with every step, and what is born
 * and dead meanwhile not at all. So a flush waits for more, but not for long. */
void flush_applied(struct partition *partition)
{
    const struct replica_options *options = &partition->replica->options;
    const bool is_enough = partition->window_bytes >= options->flush_bytes;
    uint64_t due_us =
        partition->replica->now_us + (is_enough ? 1 : (uint64_t)options->flush_interval_ms * 1000);
    if (due_us < partition->flush_retry_us)
        due_us = partition->flush_retry_us;
    if (partition->flush_due_us == 0 || (is_enough && partition->flush_due_us > due_us))
        partition->flush_due_us = due_us;
}

size_t flush_window_bytes(const struct partition *partition)
{
    return partition->window_bytes + partition->uncommitted_bytes;
}

void flush_due(struct partition *partition)
{
    const uint64_t now_us = partition->replica->now_us;
    if (partition->is_flushing || partition->flush_due_us == 0 || partition->flush_due_us > now_us)
        return;
    const uint64_t index = seal_index(partition);
    if (index > partition->flushed_index)
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
    uint64_t index = partition->flushed_index;
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

static void window_is_flushed(struct partition *partition, const struct job *job)
{
    partition->flushed_index = partition->flush_index;
    partition->window_bytes -= job->flush.bytes;
    partition->flush_count++;
    consensus_flushed(partition);
}

static void plan_next(struct partition *partition)
{
    const uint64_t now_us = partition->replica->now_us;
    if (partition->applied_index > partition->flushed_index) {
        flush_applied(partition);
        if (partition->wanted_index > partition->flushed_index &&
            partition->flush_retry_us <= now_us)
            partition->flush_due_us = now_us + 1;
    } else if (is_short_of_space(partition) && partition->flush_due_us == 0) {
        partition->flush_due_us = now_us + WATCH_US;
    }
}

void flush_done(struct partition *partition, struct job *job)
{
    assert(job->error == PAWL_OK || job->error == PAWL_E_DISK_FULL); /* jobs.h, 3 */
    note_space(partition, job);
    partition->is_flushing = false;
    if (job->error == PAWL_OK) {
        window_is_flushed(partition, job);
        consensus_apply(partition); /* what a full window has held up */
    } else {
        partition->flush_retry_us = partition->replica->now_us + RETRY_US;
    }
    job_free(job);
    plan_next(partition);
    reads_go_on(partition);
    cut_log(partition);
}

uint64_t flush_deadline_us(const struct partition *partition)
{
    return partition->is_flushing || partition->flush_due_us == 0 ? UINT64_MAX
                                                                  : partition->flush_due_us;
}
