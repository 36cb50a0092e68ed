/* Reports of steps. A report counts only under the fence that the step is out with; the one that
 * was accepted may come again and gets the same answer. It is known by its fence and outcome. */
#include "workflow/decide.h"

static const struct msg_report *report_of(const struct decide *decide)
{
    return &decide->command->report;
}

/* Refused, and on the record. */
static enum pawl_error report_stale(struct decide *decide, struct run *run)
{
    const struct msg_report *report = report_of(decide);
    struct journal_event event = {.kind = EV_REPORT_REJECTED,
                                  .step = report->step,
                                  .fence = report->fence,
                                  .session = decide->command->session,
                                  .detail = BYTES_LITERAL("stale")};
    TRY(wf_journal(decide, run, &event));
    decide->decision->rejection = PAWL_E_STALE;
    (void)diag_fail(&decide->decision->diag, PAWL_E_STALE, "%s", pawl_error_text(PAWL_E_STALE));
    return wf_run_finish(decide, run);
}

static bool is_repeated(const struct decide *decide, const struct step_row *step)
{
    const struct msg_report *report = report_of(decide);
    const struct msg_fence accepted = step_report_fence(step);
    return step->report_outcome == report->outcome && fence_equal(&accepted, &report->fence);
}

static bool is_current(const struct decide *decide, const struct run *run,
                       const struct step_row *step)
{
    if (!run_status_is_open(run->row.status) || run->token->step != report_of(decide)->step)
        return false;
    if (WF_MUTANT(FENCE_UNCHECKED))
        return true;
    return step->state == STEP_OUT && fence_equal(&step->fence, &report_of(decide)->fence) &&
           id128_equal(step->session, decide->command->session);
}

/* A reported fault in the terms of the workflow. */
static void fault_take(struct decide *decide, const struct msg_fault *reported)
{
    struct problem problem = {
        .type = problem_type_canonical(reported->type),
        .status = reported->status,
        .title = reported->title,
        .detail = reported->detail,
    };
    int64_t status = 500;
    struct bytes title = {NULL, 0};
    if (problem.type.size == 0)
        problem.type = problem_of(PROBLEM_RUNTIME).type;
    (void)problem_standard(problem.type, &status, &title);
    if (problem.status == 0)
        problem.status = status;
    if (problem.title.size == 0)
        problem.title = title;
    decide->fault = (struct fault){.problem = problem,
                                   .is_final = reported->is_final,
                                   .retry_after_us = reported->retry_after_ms > UINT32_MAX
                                                         ? (uint64_t)UINT32_MAX * 1000
                                                         : reported->retry_after_ms * 1000,
                                   .step = report_of(decide)->step};
}

static bool is_outcome_unknown(const struct problem *problem)
{
    return problem_is(problem->type, PROBLEM_TIMEOUT) ||
           problem_is(problem->type, PROBLEM_COMMUNICATION) ||
           problem_is(problem->type, PROBLEM_OUTCOME_UNKNOWN);
}

static enum pawl_error step_end(struct decide *decide, struct run *run, struct step_row *step,
                                enum step_state state)
{
    const struct msg_report *report = report_of(decide);
    TRY(wf_step_withdraw(decide, run, report->step, step));
    step->state = (uint8_t)state;
    step->report_fence = (struct msg_fence){.index = 0};
    step->report_outcome = report->outcome;
    TRY(wf_step_put(decide, run, report->step, step));
    run->token->step = 0;
    run->token->state = 0;
    return PAWL_OK;
}

static struct journal_event event_of(const struct decide *decide, const struct step_row *step,
                                     enum event_kind kind)
{
    return (struct journal_event){.kind = (uint8_t)kind,
                                  .task = step->pointer,
                                  .type = step->type,
                                  .step = report_of(decide)->step,
                                  .attempt = step->attempt,
                                  .fence = report_of(decide)->fence,
                                  .session = decide->command->session};
}

static enum pawl_error report_completed(struct decide *decide, struct run *run,
                                        struct step_row *step)
{
    struct bytes output = report_of(decide)->output;
    if (output.size == 0)
        output = value_null;
    struct journal_event event = event_of(decide, step, EV_STEP_COMPLETED);
    event.value = output;
    TRY(step_end(decide, run, step, STEP_COMPLETED));
    if (step->is_undo) {
        TRY(wf_journal(decide, run, &event));
        return wf_undo_completed(decide, run);
    }
    const struct task *task = wf_run_task(run, wf_run_top(run));
    TRY(wf_value_receive(decide, run, output, &event.value_number));
    run->move = (struct move){.kind = MOVE_LEAVE, .value = event.value_number, .flow = task->flow};
    return wf_journal(decide, run, &event);
}

static enum pawl_error report_failed(struct decide *decide, struct run *run, struct step_row *step)
{
    fault_take(decide, &report_of(decide)->fault);
    struct journal_event event = event_of(decide, step, EV_STEP_FAILED);
    size_t begin = decide->scratch->size;
    problem_pack(&decide->fault.problem, decide->scratch);
    TRY(wf_scratch_take(decide, begin, &event.value));
    TRY(step_end(decide, run, step, STEP_FAILED));
    TRY(wf_journal(decide, run, &event));
    if (step->is_undo)
        return wf_undo_failed(decide, run);
    const struct task *task = wf_run_task(run, wf_run_top(run));
    struct fault fault = decide->fault;
    if (task->compensation != NULL && task->compensation->on_unknown &&
        is_outcome_unknown(&fault.problem)) {
        enum pawl_error error = wf_undo_capture(decide, run, value_null);
        if (error != WF_FAULTED)
            TRY(error);
        else
            fault = decide->fault;
    }
    decide->fault = fault;
    return wf_fault_raise(decide, run);
}

static enum pawl_error report_check(struct decide *decide)
{
    const struct msg_report *report = report_of(decide);
    struct pawl_diag *diag = &decide->decision->diag;
    if (report->outcome != REPORT_COMPLETED && report->outcome != REPORT_FAILED)
        return diag_fail(diag, PAWL_E_INVALID, "a report must say completed or failed");
    if (report->output.size > VALUE_BYTES_MAX)
        return diag_fail(diag, PAWL_E_LIMIT, "an output can have at most %zu bytes",
                         VALUE_BYTES_MAX);
    return PAWL_OK;
}

enum pawl_error wf_report(struct decide *decide)
{
    const struct msg_report *report = report_of(decide);
    struct run run;
    struct step_row step;
    TRY(report_check(decide));
    TRY(wf_run_load(decide, report->run, &run));
    enum pawl_error error = wf_step_get(decide, &run, report->step, &step);
    if (error == PAWL_E_NOT_FOUND)
        return report_stale(decide, &run);
    TRY(error);
    if (is_repeated(decide, &step) && !WF_MUTANT(REQUEST_FORGOTTEN)) {
        decide->decision->answer = value_empty_map;
        return PAWL_OK;
    }
    if (!is_current(decide, &run, &step))
        return report_stale(decide, &run);
    TRY(wf_run_define(decide, &run));
    decide->decision->answer = value_empty_map;
    TRY(report->outcome == REPORT_COMPLETED ? report_completed(decide, &run, &step)
                                            : report_failed(decide, &run, &step));
    TRY(wf_advance(decide, &run));
    return wf_run_finish(decide, &run);
}
