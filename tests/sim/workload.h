/* What the people around the cluster want from it: definitions to deploy, workflows to start; and
 * what the handler of a step does, attempt by attempt. All of it follows from the seed.
 */
#ifndef PAWL_SIM_WORKLOAD_H
#define PAWL_SIM_WORKLOAD_H

#include "client/core.h"
#include "tests/sim/plan.h"

struct intent {
    enum request_kind kind; /* REQUEST_DEPLOY or REQUEST_START */
    uint32_t starter;       /* whose it is */
    uint32_t definition;
    struct id128 request;
    char workflow_id[40];
    uint64_t at_us;
    uint8_t on_conflict;
    int32_t input;
    bool is_done;
};

struct workload {
    struct intent *intents; /* the deploys come first */
    size_t intent_count, intent_capacity;
    size_t deploy_count;
    uint64_t twice_count, conflict_count;
};

void workload_draw(struct workload *workload, const struct random *root, const struct plan *plan);
void workload_done(struct workload *workload);
bool workload_is_deployed(const struct workload *workload);
bool workload_is_done(const struct workload *workload);
/* What runs and steps get and give: {key: number}, now and then with so much beside it that the
 * engine writes it once only. */
void workload_value(struct buffer *out, const char *key, uint64_t number);
/* The encoded request body, into out. */
void workload_encode(const struct intent *intent, struct buffer *out);

struct step_script { /* what becomes of one attempt */
    uint32_t duration_us;
    enum report_outcome outcome;
    bool is_final;
};

/* Depends on the seed, the step's idempotency key and the attempt, so every worker would do the
 * same. */
struct step_script step_script_of(const struct random *root, const struct plan *plan,
                                  const struct msg_handout *handout);

#endif
