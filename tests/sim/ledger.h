/* The ledger: what clients and workers asked for and heard, in their own words, and the checks that
 * need nothing but that and the chain.
 *
 *   P1   an acknowledged start is there, for ever, and has ended once everything is healed
 *   P2   one request id, one run
 *   P3   an acknowledged completion is never handed out again
 *   P4   what a worker is handed was recorded before, and it gets each fence once
 *   P5   an at-most-once step is never handed out under a second fence
 *   P10  every answer is what the chain says as of its index, and that index is not before anything
 * that was answered before the question was asked P12  a start that was only ever rejected is not
 * there
 */
#ifndef PAWL_SIM_LEDGER_H
#define PAWL_SIM_LEDGER_H

#include "client/core.h"
#include "workflow/engine.h"

struct sim;

struct operation {
    uint32_t host;
    enum request_kind kind;
    struct id128 request;
    struct id128 session;             /* of its host, in the life in which it was invoked */
    struct msg_fence fence;           /* of a report */
    uint64_t invoked_us, answered_us; /* answered_us 0: not yet, or never */
    uint64_t floor_index; /* the highest index that anybody had heard of when it was invoked */
    enum pawl_error error;
    struct buffer body;
    struct id128 run; /* of a start that succeeded; of the report's step */
    bool is_existing; /* the start was answered with a run that was there already */
    char workflow_id[40];
    uint64_t detail; /* the actor's */
};

struct receipt { /* a worker was handed a step */
    uint32_t host;
    struct id128 session;
    struct msg_fence fence;
    struct id128 run;
    uint32_t step;
    bool is_at_most_once;
    uint64_t input_hash;
};

struct completion { /* a report was acknowledged */
    struct id128 run;
    uint32_t step;
    struct msg_fence fence;
    uint8_t outcome;
};

struct ledger {
    struct operation *operations;
    size_t operation_count, operation_capacity;
    struct receipt *receipts;
    size_t receipt_count, receipt_capacity;
    struct completion *completions;
    size_t completion_count, completion_capacity;
    uint64_t heard_index; /* the highest index in any answer */
    struct engine *engine;
    struct arena arena;
};

void ledger_begin(struct ledger *ledger);
void ledger_done(struct ledger *ledger);

/* A request leaves a host; the result names it. workflow_id: of a start. */
size_t ledger_invoke(struct sim *sim, uint32_t host, const struct client_request *request,
                     const char *workflow_id);
/* Its answer reached the host. */
void ledger_answer(struct sim *sim, size_t operation, const struct client_output *answer);
void ledger_handout(struct sim *sim, uint32_t host, struct id128 session,
                    const struct msg_handout *handout);
/* Whether every start that was acknowledged has ended, as of the chain's end. */
bool ledger_all_ended(struct sim *sim);
/* Print what has not ended, for a trace. */
void ledger_trace_open(struct sim *sim);
/* The engine's own invariants of every run that has not ended, or of all. */
void ledger_check_runs(struct sim *sim, bool is_end);
/* At the very end. */
void ledger_check(struct sim *sim);

#endif
