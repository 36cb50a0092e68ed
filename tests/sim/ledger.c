#include "tests/sim/ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/json.h"
#include "tests/sim/definitions.h"
#include "tests/sim/must.h"
#include "tests/sim/sim.h"

typedef unsigned long long ull;

void ledger_begin(struct ledger *ledger)
{
    *ledger = (struct ledger){.engine = engine_new()};
    assert(ledger->engine != NULL);
}

void ledger_done(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->operation_count; i++)
        buffer_done(&ledger->operations[i].body);
    free(ledger->operations);
    free(ledger->receipts);
    free(ledger->completions);
    engine_free(ledger->engine);
    arena_done(&ledger->arena);
}

static const char *kind_name(enum request_kind kind)
{
    static const char *const names[] = {"nothing",     "start",      "report",  "deploy",
                                        "show",        "list",       "history", "result",
                                        "definitions", "definition", "status",  "init"};
    return names[kind];
}

/* ---- the chain's own answer ---- */

static enum pawl_error ask_chain(struct sim *sim, uint64_t index, enum request_kind kind,
                                 struct bytes body, struct bytes *answer_out)
{
    struct ledger *ledger = &sim->ledger;
    struct rows_view over = {.rows = &sim->chain.port,
                             .snapshot = chain_snapshot(&sim->chain, index)};
    const struct view view = rows_view_of(&over);
    struct id128 run;
    *answer_out = (struct bytes){NULL, 0};
    arena_reset(&ledger->arena);
    return wf_query(ledger->engine, &view, kind, body, &ledger->arena, answer_out, &run, NULL);
}

static enum pawl_error ask_target(struct sim *sim, uint64_t index, enum request_kind kind,
                                  const struct msg_target *target, struct bytes *answer_out)
{
    struct buffer body = {0};
    codec_encode(&schema_target, target, &body);
    enum pawl_error error = ask_chain(sim, index, kind, buffer_bytes(&body), answer_out);
    buffer_done(&body);
    return error;
}

static enum pawl_error result_of_run(struct sim *sim, uint64_t index, struct id128 run)
{
    struct bytes answer;
    const struct msg_target target = {.namespace_name = BYTES_LITERAL(SIM_NAMESPACE), .run = run};
    return ask_target(sim, index, REQUEST_RESULT, &target, &answer);
}

static bool fences_equal(const struct msg_fence *a, const struct msg_fence *b)
{
    return a->term == b->term && a->index == b->index && a->ordinal == b->ordinal;
}

/* The session that was handed this fence. */
static struct id128 session_of(const struct ledger *ledger, const struct msg_fence *fence)
{
    for (size_t i = 0; i < ledger->receipt_count; i++)
        if (fences_equal(&ledger->receipts[i].fence, fence))
            return ledger->receipts[i].session;
    return (struct id128){0};
}

static bool is_handed_out(struct sim *sim, uint64_t index, struct id128 session,
                          const struct msg_fence *fence)
{
    enum { ROWS_MAX = 64 };
    const struct rows_port *port = &sim->chain.port;
    struct row rows[ROWS_MAX];
    struct id128 found, after = session;
    struct msg_fence at;
    size_t count;
    for (int i = 15; i >= 0 && ++after.byte[i] == 0; i--)
        continue;
    enum pawl_error error = port->scan(port->self, chain_snapshot(&sim->chain, index),
                                       TABLE_HANDOUT, handout_key_prefix(&session),
                                       id128_bytes(&after), false, ROWS_MAX, rows, &count);
    assert(error == PAWL_OK);
    for (size_t i = 0; i < count; i++)
        if (handout_key_parse(rows[i].key, &found, &at) && at.term == fence->term &&
            at.index == fence->index && at.ordinal == fence->ordinal)
            return true;
    return false;
}

/* ---- requests ---- */

size_t ledger_invoke(struct sim *sim, uint32_t host, const struct client_request *request,
                     const char *workflow_id)
{
    struct ledger *ledger = &sim->ledger;
    if (ledger->operation_count == ledger->operation_capacity) {
        ledger->operation_capacity = ledger->operation_capacity * 2 + 256;
        ledger->operations = must_resize(ledger->operations,
                                         ledger->operation_capacity * sizeof *ledger->operations);
    }
    struct operation *operation = &ledger->operations[ledger->operation_count];
    *operation = (struct operation){
        .host = host,
        .kind = request->kind,
        .request = request->request,
        .fence = request->fence,
        .invoked_us = sim->events.now_us,
        .floor_index = ledger->heard_index,
    };
    buffer_append(&operation->body, request->body.data, request->body.size);
    snprintf(operation->workflow_id, sizeof operation->workflow_id, "%s", workflow_id);
    return ledger->operation_count++;
}

static bool is_read(enum request_kind kind)
{
    return kind == REQUEST_SHOW || kind == REQUEST_LIST || kind == REQUEST_HISTORY ||
           kind == REQUEST_RESULT || kind == REQUEST_DEFINITION_LIST ||
           kind == REQUEST_DEFINITION_SHOW;
}

/* P10 */
static void read_answered(struct sim *sim, const struct operation *operation,
                          const struct client_output *answer)
{
    struct bytes expected;
    const bool is_verdict = answer->error == PAWL_OK || answer->error == PAWL_E_NOT_FOUND ||
                            answer->error == PAWL_E_WORKFLOW_FAILED ||
                            answer->error == PAWL_E_NOT_READY;
    if (!is_verdict || answer->index == 0)
        return;
    if (answer->index < operation->floor_index)
        sim_fail(sim, "P10", "%s was answered as of %llu, but %llu was known before it was asked",
                 kind_name(operation->kind), (ull)answer->index, (ull)operation->floor_index);
    enum pawl_error error =
        ask_chain(sim, answer->index, operation->kind, buffer_bytes(&operation->body), &expected);
    if (error != answer->error)
        sim_fail(sim, "P10", "%s as of %llu was answered with %s; the log says %s",
                 kind_name(operation->kind), (ull)answer->index, pawl_error_name(answer->error),
                 error == PAWL_OK ? "OK" : pawl_error_name(error));
    else if (!bytes_equal(expected, answer->answer))
        sim_fail(sim, "P10", "%s as of %llu was not answered with what the log says",
                 kind_name(operation->kind), (ull)answer->index);
    totals_count(&sim->totals, TOTAL_READS);
}

/* P1, P2 */
static void start_accepted(struct sim *sim, struct operation *operation,
                           const struct client_output *answer)
{
    const struct ledger *ledger = &sim->ledger;
    struct bytes flag;
    if (!id128_parse(value_map_string(answer->answer, BYTES_LITERAL("run")), &operation->run)) {
        sim_fail(sim, "P2", "start %s was accepted without a run", operation->workflow_id);
        return;
    }
    operation->is_existing = value_map_get(answer->answer, BYTES_LITERAL("existing"), &flag) &&
                             flag.size == 1 && flag.data[0] == 0xc3;
    totals_count(&sim->totals, TOTAL_STARTS);
    if (result_of_run(sim, answer->index, operation->run) == PAWL_E_NOT_FOUND)
        sim_fail(sim, "P1", "start %s was acknowledged as of %llu, but is not in the log",
                 operation->workflow_id, (ull)answer->index);
    for (size_t i = 0; i < ledger->operation_count; i++) {
        const struct operation *other = &ledger->operations[i];
        if (other->kind == REQUEST_START && !id128_is_none(other->run) &&
            id128_equal(other->request, operation->request) &&
            !id128_equal(other->run, operation->run))
            sim_fail(sim, "P2", "one request to start %s was answered with two runs",
                     operation->workflow_id);
    }
}

/* P12: a conflict must be one. */
static void start_rejected(struct sim *sim, const struct operation *operation,
                           const struct client_output *answer)
{
    struct bytes shown;
    const struct msg_target target = {.namespace_name = BYTES_LITERAL(SIM_NAMESPACE),
                                      .workflow_id = bytes_string(operation->workflow_id)};
    if (answer->error != PAWL_E_EXISTS && answer->error != PAWL_E_CONFLICT)
        return;
    if (ask_target(sim, answer->index, REQUEST_SHOW, &target, &shown) != PAWL_OK)
        sim_fail(sim, "P12", "start %s was refused as a conflict as of %llu, but there was none",
                 operation->workflow_id, (ull)answer->index);
}

static struct completion *completion_add(struct ledger *ledger)
{
    if (ledger->completion_count == ledger->completion_capacity) {
        ledger->completion_capacity = ledger->completion_capacity * 2 + 64;
        ledger->completions = must_resize(ledger->completions, ledger->completion_capacity *
                                                                   sizeof *ledger->completions);
    }
    return &ledger->completions[ledger->completion_count++];
}

/* P3: what was acknowledged is no longer out. */
static void report_accepted(struct sim *sim, const struct operation *operation,
                            const struct client_output *answer)
{
    struct ledger *ledger = &sim->ledger;
    struct msg_report report;
    arena_reset(&ledger->arena);
    enum pawl_error error =
        codec_decode(&schema_report, buffer_bytes(&operation->body), &ledger->arena, &report, NULL);
    assert(error == PAWL_OK);
    totals_count(&sim->totals, TOTAL_REPORTS);
    *completion_add(ledger) = (struct completion){
        .run = report.run, .step = report.step, .fence = report.fence, .outcome = report.outcome};
    if (is_handed_out(sim, answer->index, session_of(ledger, &report.fence), &report.fence))
        sim_fail(sim, "P3", "a report was acknowledged as of %llu, but its step is still out",
                 (ull)answer->index);
}

/* P4, P12: stale is only what is not out under this fence. */
static void report_refused(struct sim *sim, const struct operation *operation,
                           const struct client_output *answer)
{
    totals_count(&sim->totals, TOTAL_REPORTS_STALE);
    if (answer->error == PAWL_E_STALE && answer->index > 0 &&
        !sim->hosts[operation->host].is_leaving &&
        is_handed_out(sim, answer->index, session_of(&sim->ledger, &operation->fence),
                      &operation->fence))
        sim_fail(sim, "P4", "a report was refused as stale as of %llu, but its step was still out",
                 (ull)answer->index);
}

static bool is_refusal(enum pawl_error error)
{
    return error != PAWL_OK && pawl_error_outcome(error) == PAWL_OUTCOME_NONE;
}

static void verdict(struct sim *sim, struct operation *operation,
                    const struct client_output *answer)
{
    if (is_read(operation->kind))
        read_answered(sim, operation, answer);
    else if (operation->kind == REQUEST_START && answer->error == PAWL_OK)
        start_accepted(sim, operation, answer);
    else if (operation->kind == REQUEST_START && is_refusal(answer->error))
        start_rejected(sim, operation, answer);
    else if (operation->kind == REQUEST_REPORT && answer->error == PAWL_OK)
        report_accepted(sim, operation, answer);
    else if (operation->kind == REQUEST_REPORT && !pawl_error_is_retryable(answer->error))
        report_refused(sim, operation, answer);
}

void ledger_answer(struct sim *sim, size_t number, const struct client_output *answer)
{
    struct ledger *ledger = &sim->ledger;
    struct operation *operation = &ledger->operations[number];
    assert(operation->answered_us == 0);
    operation->answered_us = sim->events.now_us;
    operation->error = answer->error;
    events_stir(&sim->events, (uint64_t)answer->error << 32 ^ answer->index);
    if (answer->error != PAWL_OK)
        totals_count(&sim->totals, is_refusal(answer->error) ? TOTAL_REJECTED : TOTAL_UNKNOWN);
    if (answer->index > chain_last_index(&sim->chain)) {
        sim_fail(sim, "P10", "%s was answered as of %llu, but only %llu is committed",
                 kind_name(operation->kind), (ull)answer->index,
                 (ull)chain_last_index(&sim->chain));
        return;
    }
    verdict(sim, operation, answer);
    if (answer->index > ledger->heard_index)
        ledger->heard_index = answer->index;
}

/* ---- hand-outs ---- */

static void receipt_compare(struct sim *sim, const struct receipt *earlier,
                            const struct receipt *receipt)
{
    const bool is_same_step =
        id128_equal(earlier->run, receipt->run) && earlier->step == receipt->step;
    if (fences_equal(&earlier->fence, &receipt->fence))
        sim_fail(sim, "P4", "fence (%llu, %llu, %u) was handed to a worker twice",
                 (ull)receipt->fence.term, (ull)receipt->fence.index,
                 (unsigned)receipt->fence.ordinal);
    else if (is_same_step && receipt->is_at_most_once)
        sim_fail(sim, "P5",
                 "an at-most-once step was handed out under two fences, at %llu and %llu",
                 (ull)earlier->fence.index, (ull)receipt->fence.index);
    else if (is_same_step && earlier->input_hash != receipt->input_hash)
        sim_fail(sim, "P4", "a step was handed out with two inputs, at %llu and %llu",
                 (ull)earlier->fence.index, (ull)receipt->fence.index);
}

/* FNV-1a. */
static uint64_t hash_of(struct bytes bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    return hash;
}

static void not_completed(struct sim *sim, const struct receipt *receipt)
{
    const struct ledger *ledger = &sim->ledger;
    for (size_t i = 0; i < ledger->completion_count; i++) {
        const struct completion *completion = &ledger->completions[i];
        const bool is_later = receipt->fence.index > completion->fence.index;
        if (completion->outcome == REPORT_COMPLETED && completion->step == receipt->step &&
            id128_equal(completion->run, receipt->run) &&
            (is_later || fences_equal(&completion->fence, &receipt->fence)))
            sim_fail(sim, "P3",
                     "a step was handed out again at %llu after its completion under "
                     "fence %llu was acknowledged",
                     (ull)receipt->fence.index, (ull)completion->fence.index);
    }
}

void ledger_handout(struct sim *sim, uint32_t host, struct id128 session,
                    const struct msg_handout *handout)
{
    struct ledger *ledger = &sim->ledger;
    const struct msg_fence *fence = &handout->fence;
    const struct receipt receipt = {.host = host,
                                    .session = session,
                                    .fence = *fence,
                                    .run = handout->run,
                                    .step = handout->step,
                                    .is_at_most_once = handout->is_at_most_once,
                                    .input_hash = hash_of(handout->input)};
    totals_count(&sim->totals, TOTAL_HANDOUTS);
    if (fence->index > chain_last_index(&sim->chain) ||
        sim->chain.entries[fence->index].term != fence->term ||
        !is_handed_out(sim, fence->index, session, fence)) {
        sim_fail(sim, "P4", "host %u was handed fence (%llu, %llu), which is not in the log",
                 (unsigned)host, (ull)fence->term, (ull)fence->index);
        return;
    }
    for (size_t i = 0; i < ledger->receipt_count; i++)
        receipt_compare(sim, &ledger->receipts[i], &receipt);
    not_completed(sim, &receipt);
    if (ledger->receipt_count == ledger->receipt_capacity) {
        ledger->receipt_capacity = ledger->receipt_capacity * 2 + 128;
        ledger->receipts =
            must_resize(ledger->receipts, ledger->receipt_capacity * sizeof *ledger->receipts);
    }
    ledger->receipts[ledger->receipt_count++] = receipt;
}

/* ---- the end ---- */

bool ledger_all_ended(struct sim *sim)
{
    const struct ledger *ledger = &sim->ledger;
    const uint64_t index = chain_last_index(&sim->chain);
    for (size_t i = 0; i < ledger->operation_count; i++) {
        const struct operation *operation = &ledger->operations[i];
        if (operation->kind == REQUEST_START && !id128_is_none(operation->run) &&
            result_of_run(sim, index, operation->run) == PAWL_E_NOT_READY)
            return false;
    }
    return true;
}

static void trace_run(struct sim *sim, struct id128 run, enum request_kind kind)
{
    struct bytes answer;
    struct buffer text = {0};
    const struct msg_target target = {.namespace_name = BYTES_LITERAL(SIM_NAMESPACE), .run = run};
    if (ask_target(sim, chain_last_index(&sim->chain), kind, &target, &answer) == PAWL_OK)
        json_write(answer, JSON_COMPACT, &text);
    sim_trace(sim, "%s: %.*s", kind_name(kind), (int)text.size, (const char *)text.data);
    buffer_done(&text);
}

void ledger_trace_open(struct sim *sim)
{
    for (size_t i = 0; i < sim->ledger.operation_count; i++) {
        const struct operation *operation = &sim->ledger.operations[i];
        if (operation->kind != REQUEST_START || id128_is_none(operation->run) ||
            result_of_run(sim, chain_last_index(&sim->chain), operation->run) != PAWL_E_NOT_READY)
            continue;
        trace_run(sim, operation->run, REQUEST_SHOW);
        trace_run(sim, operation->run, REQUEST_HISTORY);
    }
}

/* Whether any request for this workflow id may have had an effect. */
static bool may_exist(const struct ledger *ledger, const char *workflow_id)
{
    for (size_t i = 0; i < ledger->operation_count; i++) {
        const struct operation *operation = &ledger->operations[i];
        if (operation->kind == REQUEST_START && strcmp(operation->workflow_id, workflow_id) == 0 &&
            (operation->answered_us == 0 || !is_refusal(operation->error)))
            return true;
    }
    return false;
}

static void start_check(struct sim *sim, const struct operation *operation)
{
    struct bytes shown;
    const uint64_t index = chain_last_index(&sim->chain);
    const struct msg_target target = {.namespace_name = BYTES_LITERAL(SIM_NAMESPACE),
                                      .workflow_id = bytes_string(operation->workflow_id)};
    const bool is_there = ask_target(sim, index, REQUEST_SHOW, &target, &shown) == PAWL_OK;
    if (is_there && !may_exist(&sim->ledger, operation->workflow_id))
        sim_fail(sim, "P12", "start %s was only ever rejected, but there it is",
                 operation->workflow_id);
    if (id128_is_none(operation->run))
        return;
    enum pawl_error error = result_of_run(sim, index, operation->run);
    if (error == PAWL_E_NOT_FOUND || error == PAWL_E_NOT_READY)
        sim_fail(sim, "P1", "start %s was acknowledged, but its run %s", operation->workflow_id,
                 error == PAWL_E_NOT_READY ? "has not ended" : "is gone");
    if (!operation->is_existing)
        totals_count(&sim->totals, error == PAWL_OK ? TOTAL_RUNS_COMPLETED : TOTAL_RUNS_FAULTED);
}

void ledger_check_runs(struct sim *sim, bool is_end)
{
    struct rows_view over = {.rows = &sim->chain.port,
                             .snapshot =
                                 chain_snapshot(&sim->chain, chain_last_index(&sim->chain))};
    const struct view view = rows_view_of(&over);
    for (size_t i = 0; i < sim->promises.story_count; i++)
        if (is_end || !sim->promises.stories[i].is_ended)
            wf_check(&view, sim->promises.stories[i].run);
}

/* P12: every run comes from a request that was not only rejected. */
static void story_check(struct sim *sim, const struct story *story)
{
    for (size_t i = 0; i < sim->ledger.operation_count; i++) {
        const struct operation *operation = &sim->ledger.operations[i];
        if (operation->kind == REQUEST_START && id128_equal(operation->request, story->request) &&
            (operation->answered_us == 0 || !is_refusal(operation->error)))
            return;
    }
    sim_fail(sim, "P12", "a request to start %s was only ever rejected, but has a run",
             story->workflow_id);
}

void ledger_check(struct sim *sim)
{
    ledger_check_runs(sim, true);
    for (size_t i = 0; i < sim->promises.story_count; i++)
        story_check(sim, &sim->promises.stories[i]);
    for (size_t i = 0; i < sim->ledger.operation_count && !sim_has_failed(sim); i++)
        if (sim->ledger.operations[i].kind == REQUEST_START)
            start_check(sim, &sim->ledger.operations[i]);
}
