/* Faults: from the task that failed outwards to the try that catches them, or to the end of the
 * run.
 *
 * 1. A task's own catch does not catch what the task itself raises in its input, output or timeout.
 * 2. A try that catches first retries, while its policy allows it; then runs catch.do; then goes
 * on.
 * 3. A condition of a catch that fails is a new fault, which the same try does not catch.
 */
#include "workflow/decide.h"

/* The step of the innermost call is given up: its outcome is unknown if a worker ever had it. */
static enum pawl_error step_abandon(struct decide *decide, struct run *run)
{
    struct token *token = run->token;
    struct step_row step;
    TRY(wf_step_get(decide, run, token->step, &step));
    TRY(wf_step_withdraw(decide, run, token->step, &step));
    step.state = STEP_ABANDONED;
    TRY(wf_step_put(decide, run, token->step, &step));
    struct journal_event event = {.kind = EV_STEP_ABANDONED,
                                  .task = step.pointer,
                                  .type = step.type,
                                  .step = token->step,
                                  .attempt = step.attempt};
    TRY(wf_journal(decide, run, &event));
    token->step = 0;
    if (!step_was_out(&step) || step.is_undo)
        return PAWL_OK;
    const struct task *task = wf_run_task(run, wf_run_top(run));
    if (task->compensation == NULL || !task->compensation->on_unknown)
        return PAWL_OK;
    return wf_undo_capture(decide, run, value_null);
}

enum pawl_error wf_token_interrupt(struct decide *decide, struct run *run)
{
    struct token *token = run->token;
    TRY(wf_timer_clear(decide, run, &token->due_us, &token->timer));
    token->task = token->value = 0;
    bool is_step = token->state == TOKEN_STEP && token->step != 0;
    token->state = 0;
    enum pawl_error error = is_step ? step_abandon(decide, run) : PAWL_OK;
    token->undoing = (struct undoing){.is_on = false};
    return error;
}

static bool text_matches(struct bytes wanted, struct bytes text)
{
    return wanted.size == 0 || bytes_equal(wanted, text);
}

static bool filter_matches(const struct error_filter *filter, const struct problem *problem)
{
    return text_matches(filter->type, problem->type) &&
           (!filter->has_status || filter->status == problem->status) &&
           text_matches(filter->instance, problem->instance) &&
           text_matches(filter->title, problem->title) &&
           text_matches(filter->detail, problem->detail);
}

static enum pawl_error conditions_match(struct decide *decide, struct run *run,
                                        const struct place *place, const struct expression *when,
                                        const struct expression *except_when, bool *is_match_out)
{
    bool is_met = true, is_excepted = false;
    if (when != NULL)
        TRY(wf_evaluate_truth(decide, run, place, when, &is_met));
    if (is_met && except_when != NULL)
        TRY(wf_evaluate_truth(decide, run, place, except_when, &is_excepted));
    *is_match_out = is_met && !is_excepted;
    return PAWL_OK;
}

static enum pawl_error retry_set(struct decide *decide, struct run *run, struct frame *frame,
                                 uint64_t delay_us)
{
    struct token *token = run->token;
    if (delay_us < decide->fault.retry_after_us)
        delay_us = decide->fault.retry_after_us;
    frame->phase = PHASE_RETRY;
    frame->retries++;
    frame->retried_step = decide->fault.step;
    token->state = TOKEN_RETRY;
    token->due_us = decide->context->now_us + delay_us;
    TRY(wf_timer_set(decide, run, TIMER_RETRY, token->due_us, &token->timer));
    run->move = (struct move){.kind = MOVE_NONE};
    struct journal_event event = {.kind = EV_RETRY_SCHEDULED,
                                  .task = wf_run_task(run, frame)->pointer,
                                  .attempt = frame->retries + 1,
                                  .due_us = token->due_us};
    return wf_journal(decide, run, &event);
}

static enum pawl_error catch_run(struct decide *decide, struct run *run, struct frame *frame)
{
    const struct task *task = wf_run_task(run, frame);
    TRY(wf_value_add(decide, run, decide->fault.value, &frame->error));
    frame->phase = PHASE_CATCH;
    frame->loops = 0;
    TRY(wf_journal_task(decide, run, EV_FAULT_CAUGHT, task, bytes_of(NULL, 0)));
    if (task->catch_spec->first == 0)
        wf_list_end(run, frame->input);
    else
        run->move = (struct move){
            .kind = MOVE_ENTER, .task = task->catch_spec->first, .value = frame->input};
    return PAWL_OK;
}

/* The innermost frame is a try whose list has failed. */
static enum pawl_error catch_offer(struct decide *decide, struct run *run, bool *is_caught_out)
{
    struct frame *frame = wf_run_top(run);
    const struct catch_spec *spec = wf_run_task(run, frame)->catch_spec;
    *is_caught_out = false;
    if (!filter_matches(&spec->filter, &decide->fault.problem))
        return PAWL_OK;
    struct place place;
    bool is_match = true;
    struct retry_choice choice = {.is_retried = false};
    TRY(wf_place_of_input(decide, run, frame, &place));
    place.error_slot = spec->error_slot;
    place.error = decide->fault.value;
    TRY(conditions_match(decide, run, &place, spec->when, spec->except_when, &is_match));
    if (!is_match)
        return PAWL_OK;
    TRY(wf_timer_clear(decide, run, &frame->attempt_us, &frame->attempt_timer));
    if (spec->retry != NULL && !decide->fault.is_final) {
        TRY(conditions_match(decide, run, &place, spec->retry->when, spec->retry->except_when,
                             &is_match));
        if (is_match)
            TRY(wf_retry_choose(decide, run, &place, spec->retry, frame->retries, frame->started_us,
                                &choice));
    }
    *is_caught_out = true;
    if (choice.is_retried)
        return retry_set(decide, run, frame, choice.delay_us);
    return catch_run(decide, run, frame);
}

/* The fault as a value, told once where it happened. */
static enum pawl_error fault_note(struct decide *decide, struct run *run)
{
    const struct task *task = wf_run_task(run, wf_run_top(run));
    struct fault *fault = &decide->fault;
    if (fault->problem.instance.size == 0)
        fault->problem.instance = task->pointer.size > 0 ? task->pointer : BYTES_LITERAL("/");
    size_t begin = decide->scratch->size;
    problem_pack(&fault->problem, decide->scratch);
    TRY(wf_scratch_take(decide, begin, &fault->value));
    struct journal_event event = {
        .kind = EV_TASK_FAULTED, .task = task->pointer, .value = fault->value};
    return wf_journal(decide, run, &event);
}

static enum pawl_error uncaught(struct decide *decide, struct run *run)
{
    uint32_t result;
    struct frame *root = wf_run_top(run);
    TRY(wf_value_add(decide, run, decide->fault.value, &result));
    if (!run->definition->compensates_on_fault || run->undo_count == 0)
        return wf_run_close(decide, run, RUN_FAULTED, result);
    TRY(wf_timer_clear(decide, run, &root->timeout_us, &root->timeout_timer));
    run->row.result = result;
    return wf_compensate_begin(decide, run, run->definition->tasks[0], true);
}

/* Offer the fault to the tries around the innermost frame; is_inside: to that frame first. */
static enum pawl_error fault_unwind(struct decide *decide, struct run *run, bool is_inside)
{
    for (bool is_offered = is_inside; run->frame_count > 1; is_offered = true) {
        struct frame *frame = wf_run_top(run);
        bool is_try = wf_run_task(run, frame)->kind == TASK_TRY;
        bool is_caught = false;
        if (is_offered && is_try && frame->phase == PHASE_BODY) {
            enum pawl_error error = catch_offer(decide, run, &is_caught);
            if (error == WF_FAULTED)
                error = fault_note(decide, run);
            TRY(error);
        }
        if (is_caught)
            return PAWL_OK;
        TRY(wf_frame_pop(decide, run));
    }
    return uncaught(decide, run);
}

enum pawl_error wf_fault_raise(struct decide *decide, struct run *run)
{
    TRY(fault_note(decide, run));
    return fault_unwind(decide, run, false);
}

/* The step that the fault ends. One that may run at most once is not tried again by any policy: it
 * may have run. */
static enum pawl_error step_blame(struct decide *decide, struct run *run, struct fault *fault)
{
    struct step_row step;
    if (run->token->state != TOKEN_STEP || run->token->undoing.is_on)
        return PAWL_OK;
    fault->step = run->token->step;
    TRY(wf_step_get(decide, run, fault->step, &step));
    fault->is_final = step.is_at_most_once && step_was_out(&step);
    return PAWL_OK;
}

enum pawl_error wf_fault_interrupt(struct decide *decide, struct run *run, uint32_t depth,
                                   bool is_inside)
{
    struct fault timeout = decide->fault;
    TRY(step_blame(decide, run, &timeout));
    enum pawl_error error = wf_token_interrupt(decide, run);
    if (error !=
        WF_FAULTED) { /* noting how to undo the step may have failed, which is told instead */
        TRY(error);
        decide->fault = timeout;
    }
    while (run->frame_count > depth + 1)
        TRY(wf_frame_pop(decide, run));
    TRY(fault_note(decide, run));
    return fault_unwind(decide, run, is_inside);
}
