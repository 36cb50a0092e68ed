#include "tests/sim/lanes.h"

#include <assert.h>
#include <stdlib.h>

#include "tests/sim/must.h"
#include "tests/sim/sim.h"

enum {
    FLUSH_US_MIN = 500,
    FLUSH_US_MAX = 8000,
    RETRY_FULL_US = 200000,
    READ_US_MIN = 50,
    BATCH_JOBS_MAX = 1024,
    BOOT_AFTER_ERROR_US = 500000,
    FREE_BYTES = 1 << 30,
    FREE_BYTES_FULL = 1 << 20,
};

void lanes_begin(struct sim_node *node)
{
    for (int i = 0; i < LANE_COUNT; i++)
        node->lanes[i] = (struct lane){.last_next = &node->lanes[i].first};
    node->errand_count = 0;
}

static void lane_put(struct lane *lane, struct job *job_take)
{
    job_take->next = NULL;
    *lane->last_next = job_take;
    lane->last_next = &job_take->next;
}

static uint64_t lane_latency_us(struct sim_node *node, enum sim_lane lane)
{
    if (lane == LANE_LOG)
        return random_between(&node->random, node->sync_us_min, node->sync_us_max);
    return random_between(&node->random, FLUSH_US_MIN, FLUSH_US_MAX) + node->sync_us_min;
}

static void lane_wake(struct sim_node *node, enum sim_lane number, uint64_t after_us)
{
    events_put(&node->sim->events, (struct event){.at_us = node->sim->events.now_us + after_us,
                                                  .kind = EVENT_NODE_LANE,
                                                  .life = node->life,
                                                  .target = node->index,
                                                  .detail = number});
}

/* The log thread takes everything that waits, the store thread one flush. */
static void lane_start(struct sim_node *node, enum sim_lane number)
{
    struct lane *lane = &node->lanes[number];
    if (lane->running != NULL || lane->first == NULL)
        return;
    lane->running = lane->first;
    if (number == LANE_LOG) {
        lane->first = NULL;
        lane->last_next = &lane->first;
    } else {
        lane->first = lane->first->next;
        lane->running->next = NULL;
        if (lane->first == NULL)
            lane->last_next = &lane->first;
    }
    lane_wake(node, number, lane_latency_us(node, number));
}

static void errand_put(struct sim_node *node, const struct errand *errand, uint64_t at_us)
{
    events_put(&node->sim->events, (struct event){.at_us = at_us,
                                                  .kind = EVENT_NODE_ERRAND,
                                                  .life = node->life,
                                                  .target = node->index,
                                                  .detail = errand->ticket});
}

static void errand_add(struct sim_node *node, struct job *job_take, bool is_through, uint64_t at_us)
{
    if (node->errand_count == node->errand_capacity) {
        node->errand_capacity = node->errand_capacity * 2 + 8;
        node->errands = must_resize(node->errands, node->errand_capacity * sizeof *node->errands);
    }
    struct errand *errand = &node->errands[node->errand_count++];
    *errand = (struct errand){job_take, ++node->next_ticket, is_through};
    errand_put(node, errand, at_us);
}

/* Between the disk's word and the loop's hearing of it other things happen. */
static uint64_t back_us(struct sim_node *node)
{
    const uint32_t delay_us = random_chance(&node->random, 150000) ? 150000 : 200;
    return node->sim->events.now_us + random_below(&node->random, delay_us);
}

static void submit(void *self, struct job *job_take)
{
    struct sim_node *node = self;
    switch (job_take->kind) {
    case JOB_LOG_APPEND:
        chain_node_writes(&node->sim->chain, node->sim, node, job_take);
        lane_put(&node->lanes[LANE_LOG], job_take);
        lane_start(node, LANE_LOG);
        break;
    case JOB_LOG_READ:
    case JOB_LOG_CUT:
        lane_put(&node->lanes[LANE_LOG], job_take);
        lane_start(node, LANE_LOG);
        break;
    case JOB_FLUSH:
        lane_put(&node->lanes[LANE_FLUSH], job_take);
        lane_start(node, LANE_FLUSH);
        break;
    case JOB_LOAD:
    case JOB_QUERY:
        errand_add(node, job_take, false,
                   node->sim->events.now_us + random_between(&node->random, READ_US_MIN,
                                                             node->sim->plan.read_delay_us_max));
        break;
    }
}

struct jobs_port lanes_port(struct sim_node *node)
{
    return (struct jobs_port){node, submit};
}

static void abandon_list(struct sim_node *node, struct job *job)
{
    while (job != NULL) {
        struct job *next = job->next;
        replica_abandon(node->replica, job);
        job = next;
    }
}

void lanes_abandon(struct sim_node *node)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        abandon_list(node, node->lanes[i].running);
        abandon_list(node, node->lanes[i].first);
    }
    for (size_t i = 0; i < node->errand_count; i++)
        replica_abandon(node->replica, node->errands[i].job);
    lanes_begin(node);
}

static bool is_alive(const struct sim_node *node, const struct event *event)
{
    return node->is_up && node->life == event->life;
}

/* ---- the log ---- */

static void end_by_error(struct sim_node *node)
{
    totals_count(&node->sim->totals, TOTAL_ENDS_BY_ERROR);
    sim_node_kill(node, BOOT_AFTER_ERROR_US);
}

/* The first count jobs of what runs are through: the replica hears of them. False: the process has
 * ended. */
static bool report(struct sim_node *node, struct lane *lane, size_t count)
{
    while (count-- > 0) {
        struct job *job = lane->running;
        if (job->error == PAWL_E_IO) {
            end_by_error(node);
            return false;
        }
        lane->running = job->next;
        job->next = NULL;
        const uint64_t at_us = back_us(node);
        lane->back_us = at_us > lane->back_us ? at_us : lane->back_us;
        errand_add(node, job, true, lane->back_us);
    }
    return true;
}

static void log_failed(struct sim_node *node, enum pawl_error error)
{
    if (error == PAWL_E_DISK_FULL)
        lane_wake(node, LANE_LOG, RETRY_FULL_US); /* the rest runs again, in order */
    else if (error == PAWL_E_IO)
        end_by_error(node);
    else
        sim_fail(node->sim, "log", "node %u: a log job ended in %s", (unsigned)node->index + 1,
                 pawl_error_name(error));
}

static void log_run(struct sim_node *node)
{
    struct lane *lane = &node->lanes[LANE_LOG];
    struct job *jobs[BATCH_JOBS_MAX];
    size_t count = 0, done = 0;
    for (struct job *job = lane->running; job != NULL && count < BATCH_JOBS_MAX; job = job->next)
        jobs[count++] = job;
    if (node->wants_cut_in_append)
        sim_disk_crash_after(node->disk, random_below(&node->random, 6));
    enum pawl_error error = jobs_run_log(node->wal, jobs, count, &done);
    if (node->wants_cut_in_append) {
        node->wants_cut_in_append = false;
        totals_count(&node->sim->totals, TOTAL_CUTS_IN_APPEND);
        sim_node_power_cut(node, random_between(&node->random, 100000, 3000000));
        return;
    }
    if (!report(node, lane, done))
        return;
    if (error != PAWL_OK)
        log_failed(node, error);
    else if (lane->running != NULL)
        lane_wake(node, LANE_LOG, 1);
    else
        lane_start(node, LANE_LOG);
}

/* ---- the store ---- */

static void flush_failed(struct sim_node *node, enum pawl_error error)
{
    if (error == PAWL_E_DISK_FULL) {
        (void)report(node, &node->lanes[LANE_FLUSH], 1); /* the loop asks again */
        lane_start(node, LANE_FLUSH);
    } else if (error == PAWL_E_IO) {
        end_by_error(node);
    } else {
        sim_fail(node->sim, "store", "node %u: a flush ended in %s", (unsigned)node->index + 1,
                 pawl_error_name(error));
    }
}

static void flush_run(struct sim_node *node)
{
    struct lane *lane = &node->lanes[LANE_FLUSH];
    const struct rows_port rows = rows_map_port(node->rows);
    const bool is_cut = node->wants_cut_in_flush;
    if (is_cut)
        rows_map_fail_next(node->rows,
                           random_chance(&node->random, 500000) ? ROWS_MAP_LOST : ROWS_MAP_UNHEARD);
    else if (node->is_disk_full)
        rows_map_fail_next(node->rows, ROWS_MAP_DISK_FULL);
    lane->running->flush.free_bytes = node->is_disk_full ? FREE_BYTES_FULL : FREE_BYTES;
    enum pawl_error error = job_run_flush(&rows, lane->running);
    if (is_cut) {
        node->wants_cut_in_flush = false;
        totals_count(&node->sim->totals, TOTAL_CUTS_IN_FLUSH);
        sim_node_power_cut(node, random_between(&node->random, 100000, 3000000));
        return;
    }
    if (error != PAWL_OK) {
        flush_failed(node, error);
        return;
    }
    totals_count(&node->sim->totals, TOTAL_FLUSHES);
    (void)report(node, lane, 1);
    lane_start(node, LANE_FLUSH);
}

void sim_node_lane_done(struct sim *sim, const struct event *event)
{
    struct sim_node *node = &sim->nodes[event->target];
    if (!is_alive(node, event))
        return;
    if (node->is_paused) {
        lane_wake(node, (enum sim_lane)event->detail, 10000);
        return;
    }
    if (event->detail == LANE_LOG)
        log_run(node);
    else
        flush_run(node);
}

/* ---- the readers, and the way back ---- */

void sim_node_errand(struct sim *sim, const struct event *event)
{
    struct sim_node *node = &sim->nodes[event->target];
    if (!is_alive(node, event))
        return;
    size_t at = 0;
    while (node->errands[at].ticket != event->detail)
        at++;
    struct errand *errand = &node->errands[at];
    if (!errand->is_through) {
        const struct rows_port rows = rows_map_port(node->rows);
        job_run_read(&rows, node->engine, errand->job);
        totals_count(&sim->totals, errand->job->kind == JOB_LOAD ? TOTAL_LOADS : TOTAL_QUERIES);
        errand->is_through = true;
        errand_put(node, errand, back_us(node));
        return;
    }
    struct job *job = errand->job;
    node->errands[at] = node->errands[--node->errand_count];
    sim_node_job_done(node, job);
}
