/* The worker: takes steps, takes its time, reports. It may hang, report twice, and forget what it
 * holds. */
#include <stdlib.h>

#include "tests/sim/actors.h"
#include "tests/sim/definitions.h"
#include "tests/sim/must.h"
#include "tests/sim/sim.h"

enum { STEP_TYPES_MAX = 32, HUNG_US_MIN = 11000000, HUNG_US_MAX = 25000000 };

#define ATTACH_AGAIN UINT64_MAX /* a timer that is no task's */

struct task_held {
    struct msg_fence fence;
    struct id128 run;
    uint32_t step;
    struct step_script script;
    bool is_reported_twice;
};

struct worker {
    struct host *host;
    struct bytes types[STEP_TYPES_MAX];
    size_t type_count;
    uint32_t credit;
    struct task_held *tasks; /* of all its lives; a task's number is its place */
    size_t task_count, task_capacity;
};

static void begin(void *self)
{
    struct worker *worker = self;
    struct client_input input = {.kind = CLIENT_IN_WORKER};
    input.worker.types = worker->types;
    input.worker.type_count = worker->type_count;
    input.worker.credit = worker->credit;
    host_input(worker->host, &input);
}

static bool happens(struct host *host, enum fault_kind kind, uint32_t per_million)
{
    struct sim *sim = host->sim;
    if (!sim->plan.is_enabled[kind] || sim->is_healing ||
        !random_chance(&host->random, per_million))
        return false;
    totals_fault(&sim->totals, kind);
    return true;
}

/* A hand-out that cannot be run now. It comes again with the next attach. */
static void drop(struct host *host, const struct msg_handout *handout)
{
    host_input(host, &(struct client_input){.kind = CLIENT_IN_DROP, .fence = handout->fence});
    host_timer(host, random_below(&host->random, 2000000), ATTACH_AGAIN);
}

static void handout(void *self, const struct msg_handout *handout)
{
    struct worker *worker = self;
    struct host *host = worker->host;
    struct sim *sim = host->sim;
    sim_trace(sim, "host %u: handed %.*s of %.*s, fence (%llu, %llu, %u)", (unsigned)host->index,
              (int)handout->type.size, (const char *)handout->type.data,
              (int)handout->workflow_id.size, (const char *)handout->workflow_id.data,
              (unsigned long long)handout->fence.term, (unsigned long long)handout->fence.index,
              (unsigned)handout->fence.ordinal);
    if (happens(host, FAULT_HANDOUT_DROP, 20000)) {
        sim_trace(sim, "host %u: drops it", (unsigned)host->index);
        drop(host, handout);
        return;
    }
    ledger_handout(sim, host->index, host->session, handout);
    if (worker->task_count == worker->task_capacity) {
        worker->task_capacity = worker->task_capacity * 2 + 32;
        worker->tasks = must_resize(worker->tasks, worker->task_capacity * sizeof *worker->tasks);
    }
    struct task_held *task = &worker->tasks[worker->task_count];
    *task = (struct task_held){.fence = handout->fence,
                               .run = handout->run,
                               .step = handout->step,
                               .script = step_script_of(&sim->root, &sim->plan, handout)};
    if (happens(host, FAULT_WORKER_HANG, 30000)) {
        task->script.duration_us =
            (uint32_t)random_between(&host->random, HUNG_US_MIN, HUNG_US_MAX);
    }
    task->is_reported_twice = happens(host, FAULT_WORKER_DOUBLE, 60000);
    if (task->script.outcome == REPORT_FAILED)
        totals_fault(&sim->totals,
                     task->script.is_final ? FAULT_STEP_FAULT_FINAL : FAULT_STEP_FAULT);
    host_timer(host, task->script.duration_us, worker->task_count++);
}

static void report(struct worker *worker, uint64_t number)
{
    const struct task_held *task = &worker->tasks[number];
    struct host *host = worker->host;
    struct buffer body = {0}, output = {0};
    workload_value(&output, "step", task->step);
    struct msg_report message = {.run = task->run,
                                 .step = task->step,
                                 .fence = task->fence,
                                 .outcome = (uint8_t)task->script.outcome};
    if (task->script.outcome == REPORT_COMPLETED)
        message.output = buffer_bytes(&output);
    else
        message.fault = (struct msg_fault){.type = BYTES_LITERAL("communication"),
                                           .title = BYTES_LITERAL("no luck"),
                                           .is_final = task->script.is_final};
    codec_encode(&schema_report, &message, &body);
    const struct client_request request = {.kind = REQUEST_REPORT,
                                           .request = random_id(&host->random),
                                           .body = buffer_bytes(&body),
                                           .fence = task->fence};
    actor_ask(host, &request, "", number);
    buffer_done(&body);
    buffer_done(&output);
}

static void timer(void *self, uint64_t number)
{
    struct worker *worker = self;
    if (number == ATTACH_AGAIN) {
        network_host_break(worker->host->sim, worker->host->index);
        return;
    }
    struct task_held *task = &worker->tasks[number];
    report(worker, number);
    if (task->is_reported_twice) {
        task->is_reported_twice = false;
        report(worker, number);
    }
}

static void answer(void *self, const struct client_output *answer)
{
    struct worker *worker = self;
    const uint64_t number = actor_answered(worker->host, answer);
    const struct msg_fence *fence = &worker->tasks[number].fence;
    const bool is_open = answer->error != PAWL_OK && pawl_error_is_retryable(answer->error);
    sim_trace(worker->host->sim, "host %u: report under (%llu, %llu, %u): %s",
              (unsigned)worker->host->index, (unsigned long long)fence->term,
              (unsigned long long)fence->index, (unsigned)fence->ordinal,
              answer->error == PAWL_OK ? "taken" : pawl_error_name(answer->error));
    if (is_open)
        host_timer(worker->host, random_between(&worker->host->random, 10000, 300000), number);
}

static void worker_free(void *self)
{
    struct worker *worker = self;
    free(worker->tasks);
    free(worker);
}

void worker_say_goodbye(struct host *host)
{
    host->is_leaving = true;
    host_input(host, &(struct client_input){.kind = CLIENT_IN_GOODBYE});
}

struct actor worker_new(struct host *host, bool serves_all)
{
    struct worker *worker = must_alloc(sizeof *worker);
    struct random random = random_fork(&host->sim->root, 200 + host->index);
    worker->host = host;
    worker->credit = (uint32_t)random_between(&random, 1, 6);
    for (size_t i = 0; i < sim_step_type_count; i++)
        if (serves_all || random_chance(&random, 600000))
            worker->types[worker->type_count++] = bytes_string(sim_step_types[i]);
    return (struct actor){.self = worker,
                          .begin = begin,
                          .timer = timer,
                          .answer = answer,
                          .handout = handout,
                          .free = worker_free};
}
