/* The starter: deploys the definitions and starts workflows, and does not give up before it knows.
 */
#include <stdlib.h>

#include "tests/sim/actors.h"
#include "tests/sim/must.h"
#include "tests/sim/sim.h"

struct starter {
    struct host *host;
    uint32_t number;
};

static bool is_mine(const struct starter *starter, const struct intent *intent)
{
    return intent->starter == starter->number;
}

static void begin(void *self)
{
    struct starter *starter = self;
    const struct sim *sim = starter->host->sim;
    for (size_t i = 0; i < sim->workload.intent_count; i++) {
        const struct intent *intent = &sim->workload.intents[i];
        if (!is_mine(starter, intent) || intent->is_done)
            continue;
        const uint64_t now_us = sim->events.now_us;
        host_timer(starter->host, intent->at_us > now_us ? intent->at_us - now_us : 0, i);
    }
}

static void timer(void *self, uint64_t number)
{
    enum { WAIT_FOR_DEPLOY_US = 200000 };
    struct starter *starter = self;
    struct host *host = starter->host;
    struct sim *sim = host->sim;
    const struct intent *intent = &sim->workload.intents[number];
    if (intent->kind == REQUEST_START && !workload_is_deployed(&sim->workload)) {
        host_timer(host, WAIT_FOR_DEPLOY_US, number);
        return;
    }
    struct buffer body = {0};
    workload_encode(intent, &body);
    const struct client_request request = {
        .kind = intent->kind,
        .request = intent->request,
        .body = buffer_bytes(&body),
        .deadline_ms = host_now_ms(host) + random_between(&host->random, 500, 8000),
    };
    actor_ask(host, &request, intent->workflow_id, number);
    buffer_done(&body);
}

static void answer(void *self, const struct client_output *answer)
{
    struct starter *starter = self;
    struct host *host = starter->host;
    struct sim *sim = host->sim;
    const uint64_t number = actor_answered(host, answer);
    struct intent *intent = &sim->workload.intents[number];
    const bool is_open =
        answer->error != PAWL_OK && (pawl_error_is_retryable(answer->error) ||
                                     pawl_error_outcome(answer->error) == PAWL_OUTCOME_UNKNOWN);
    if (is_open) {
        host_timer(host, random_between(&host->random, 20000, 500000), number);
        return;
    }
    intent->is_done = true;
    sim_trace(sim, "host %u: %s %s: %s", (unsigned)host->index,
              intent->kind == REQUEST_DEPLOY ? "deploy" : "start", intent->workflow_id,
              answer->error == PAWL_OK ? "done" : pawl_error_name(answer->error));
    if (intent->kind == REQUEST_DEPLOY && answer->error != PAWL_OK)
        sim_fail(sim, "deploy", "definition %u is refused: %s: %.*s", (unsigned)intent->definition,
                 pawl_error_name(answer->error), (int)answer->detail.size,
                 (const char *)answer->detail.data);
}

static void no_handout(void *self, const struct msg_handout *handout)
{
    struct starter *starter = self;
    (void)handout;
    sim_fail(starter->host->sim, "P4", "a client that works for nobody was handed a step");
}

struct actor starter_new(struct host *host, uint32_t number)
{
    struct starter *starter = must_alloc(sizeof *starter);
    *starter = (struct starter){.host = host, .number = number};
    return (struct actor){.self = starter,
                          .begin = begin,
                          .timer = timer,
                          .answer = answer,
                          .handout = no_handout,
                          .free = free};
}
