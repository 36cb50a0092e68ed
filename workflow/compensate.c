/* Compensation: undoing, in reverse order of completion and one at a time, what steps have done.
 *
 * 1. How to undo a step is captured, arguments and all, when the step completes (or when its
 * outcome stays unknown), so that nothing that happens later can change it.
 * 2. A step that is done again under the same idempotency key replaces its earlier capture: it is
 * the same work.
 * 3. An undo is a step of its own, with its own retries. When they run out the run is paused with
 * an incident.
 */
#include "workflow/decide.h"

#define UNDO_DELAY_US     ((uint64_t)500000)
#define UNDO_DELAY_US_MAX ((uint64_t)60000000)

static void undo_forget(struct run *run, uint32_t number)
{
    size_t kept = 0;
    for (size_t i = 0; i < run->undo_count; i++)
        if (run->undos[i].number != number)
            run->undos[kept++] = run->undos[i];
    run->undo_count = kept;
}

static enum pawl_error undo_delete(struct decide *decide, struct run *run, uint32_t number)
{
    undo_forget(run, number);
    return changes_delete(&decide->changes, TABLE_COMPENSATION,
                          key_run_number(decide->arena, run->id, number));
}

static enum pawl_error undo_get(struct decide *decide, const struct run *run, uint32_t number,
                                struct undo_row *undo_out)
{
    return changes_get_row(&decide->changes, TABLE_COMPENSATION,
                           key_run_number(decide->arena, run->id, number), &schema_undo_row,
                           undo_out);
}

/* Only a try that has been retried can have seen the same visit of the task before. */
static bool is_retried(const struct run *run, uint32_t *mark_out)
{
    for (uint32_t i = 0; i < run->frame_count; i++) {
        if (run->frames[i].retries == 0)
            continue;
        *mark_out = run->frames[i].undo_mark;
        return true;
    }
    return false;
}

static enum pawl_error same_visit_drop(struct decide *decide, struct run *run,
                                       const struct undo_row *fresh)
{
    uint32_t mark;
    if (!is_retried(run, &mark))
        return PAWL_OK;
    for (size_t i = run->undo_count; i-- > 0 && run->undos[i].number > mark;) {
        const struct pending_undo pending = run->undos[i];
        if (pending.task == fresh->task && bytes_equal(pending.visit, fresh->visit))
            return undo_delete(decide, run, pending.number);
    }
    return PAWL_OK;
}

enum pawl_error wf_undo_capture(struct decide *decide, struct run *run, struct bytes output)
{
    struct frame *frame = wf_run_top(run);
    const struct task *task = wf_run_task(run, frame);
    const struct compensation_spec *spec = task->compensation;
    struct undo_row undo = {.task = task->index,
                            .pointer = task->pointer,
                            .type = spec->type,
                            .arguments = value_empty_map,
                            .captured_us = decide->context->now_us};
    struct place place;
    TRY(wf_place_of_input(decide, run, frame, &place));
    place.output = output;
    if (spec->with != NULL)
        TRY(wf_render(decide, run, &place, spec->with, &undo.arguments));
    TRY(wf_visit(decide, run, &undo.visit));
    TRY(same_visit_drop(decide, run, &undo));
    if (run->undo_count >= UNDOS_PENDING_MAX)
        return wf_fault(decide, PROBLEM_RUNTIME, "a run can keep at most %d compensations ready",
                        UNDOS_PENDING_MAX);
    struct pending_undo *undos = wf_array_grow(decide->arena, run->undos, &run->undo_capacity,
                                               run->undo_count, sizeof *undos);
    if (undos == NULL)
        return PAWL_E_NO_MEMORY;
    run->undos = undos;
    uint32_t number = ++run->row.undo_last;
    undos[run->undo_count++] =
        (struct pending_undo){.number = number, .task = task->index, .visit = undo.visit};
    TRY(changes_put_row(&decide->changes, TABLE_COMPENSATION,
                        key_run_number(decide->arena, run->id, number), &schema_undo_row, &undo,
                        true));
    struct journal_event event = {
        .kind = EV_COMPENSATION_CAPTURED, .task = task->pointer, .type = spec->type};
    return wf_journal(decide, run, &event);
}

static bool is_inside(const struct run *run, const struct undoing *undoing,
                      const struct pending_undo *pending)
{
    if (pending->number <= undoing->mark)
        return false;
    if (!undoing->has_scope)
        return true;
    const struct task *scope = run->definition->tasks[undoing->scope];
    return pending->task >= scope->index && pending->task <= scope->last;
}

/* The undo that comes next; NULL: none is left. */
static const struct pending_undo *undo_choose(const struct run *run)
{
    const struct undoing *undoing = &run->token->undoing;
    for (size_t i = 0; i < run->undo_count; i++) {
        size_t place = WF_MUTANT(UNDO_FORWARD) ? i : run->undo_count - 1 - i;
        if (is_inside(run, undoing, &run->undos[place]))
            return &run->undos[place];
    }
    return NULL;
}

static enum pawl_error undo_schedule(struct decide *decide, struct run *run,
                                     const struct pending_undo *pending)
{
    struct undo_row undo;
    struct token *token = run->token;
    TRY(undo_get(decide, run, pending->number, &undo));
    struct step_row step = {.task = undo.task,
                            .pointer = undo.pointer,
                            .visit = undo.visit,
                            .type = undo.type,
                            .is_undo = true,
                            .attempt = 1};
    TRY(wf_step_give(decide, run, undo.arguments, &step));
    token->undoing.undo = pending->number;
    token->undoing.retries = 0;
    token->undoing.began_us = decide->context->now_us;
    token->step = ++run->row.step_last;
    token->state = TOKEN_STEP;
    run->move = (struct move){.kind = MOVE_NONE};
    struct journal_event event = {.kind = EV_STEP_SCHEDULED,
                                  .task = undo.pointer,
                                  .type = undo.type,
                                  .step = token->step,
                                  .attempt = 1,
                                  .detail = BYTES_LITERAL("undo")};
    TRY(wf_journal(decide, run, &event));
    return wf_step_offer(decide, run, token->step, &step);
}

static enum pawl_error compensate_end(struct decide *decide, struct run *run)
{
    struct undoing undoing = run->token->undoing;
    run->token->undoing = (struct undoing){.is_on = false};
    const struct frame *frame = wf_run_top(run);
    const struct task *task = wf_run_task(run, frame);
    TRY(wf_journal_task(decide, run, EV_COMPENSATION_COMPLETED, task,
                        wf_text(decide, "%u undone", undoing.count)));
    if (undoing.is_for_fault)
        return wf_run_close(decide, run, RUN_FAULTED, run->row.result);
    run->move = (struct move){.kind = MOVE_LEAVE, .value = frame->input, .flow = task->flow};
    return PAWL_OK;
}

static enum pawl_error undo_next(struct decide *decide, struct run *run)
{
    const struct pending_undo *pending = undo_choose(run);
    if (pending == NULL)
        return compensate_end(decide, run);
    return undo_schedule(decide, run, pending);
}

/* Only what was captured since the scope began this time; nothing begins before a fault of the
 * whole run. */
static uint32_t mark_of(const struct run *run, const struct task *task)
{
    for (uint32_t i = 0; task->has_scope && i < run->frame_count; i++)
        if (run->frames[i].task == task->scope)
            return run->frames[i].undo_mark;
    return 0;
}

enum pawl_error wf_compensate_begin(struct decide *decide, struct run *run, const struct task *task,
                                    bool is_for_fault)
{
    run->token->undoing = (struct undoing){
        .is_on = true,
        .is_for_fault = is_for_fault,
        .has_scope = task->has_scope,
        .scope = task->scope,
        .mark = mark_of(run, task),
    };
    TRY(wf_journal_task(decide, run, EV_COMPENSATION_STARTED, task, bytes_of(NULL, 0)));
    return undo_next(decide, run);
}

enum pawl_error wf_undo_completed(struct decide *decide, struct run *run)
{
    struct undoing *undoing = &run->token->undoing;
    struct undo_row undo;
    TRY(undo_get(decide, run, undoing->undo, &undo));
    struct journal_event event = {
        .kind = EV_UNDO_COMPLETED, .task = undo.pointer, .type = undo.type};
    TRY(wf_journal(decide, run, &event));
    TRY(undo_delete(decide, run, undoing->undo));
    undoing->undo = 0;
    if (undoing->count++ == 0)
        run->row.undo_rounds++;
    return undo_next(decide, run);
}

/* The default: exponential backoff and COMPENSATION_ATTEMPTS attempts. */
static enum pawl_error retry_choose(struct decide *decide, struct run *run,
                                    const struct undo_row *undo, struct retry_choice *choice_out)
{
    const struct undoing *undoing = &run->token->undoing;
    const struct compensation_spec *spec = run->definition->tasks[undo->task]->compensation;
    *choice_out = (struct retry_choice){.is_retried = false};
    if (decide->fault.is_final)
        return PAWL_OK;
    if (spec != NULL && spec->retry != NULL) {
        struct place place = {.frame = wf_run_top(run), .dot = undo->arguments};
        return wf_retry_choose(decide, run, &place, spec->retry, undoing->retries,
                               undoing->began_us, choice_out);
    }
    if (undoing->retries + 1 >= COMPENSATION_ATTEMPTS)
        return PAWL_OK;
    uint64_t delay_us = wf_backoff_us(BACKOFF_EXPONENTIAL, UNDO_DELAY_US, 2, UNDO_DELAY_US_MAX,
                                      undoing->retries + 1);
    delay_us += wf_random(decide) % (delay_us / 4);
    *choice_out = (struct retry_choice){.is_retried = true, .delay_us = delay_us};
    return PAWL_OK;
}

static enum pawl_error undo_exhausted(struct decide *decide, struct run *run,
                                      const struct undo_row *undo)
{
    struct bytes detail = decide->fault.problem.detail;
    return wf_run_pause(decide, run, "compensation-exhausted", undo->pointer,
                        wf_text(decide, "'%.*s' failed for the last time: %.*s",
                                (int)undo->type.size, (const char *)undo->type.data,
                                (int)detail.size, (const char *)detail.data));
}

enum pawl_error wf_undo_failed(struct decide *decide, struct run *run)
{
    struct token *token = run->token;
    struct undo_row undo;
    struct retry_choice choice;
    TRY(undo_get(decide, run, token->undoing.undo, &undo));
    struct journal_event event = {.kind = EV_UNDO_FAILED,
                                  .task = undo.pointer,
                                  .type = undo.type,
                                  .detail = decide->fault.problem.detail};
    TRY(wf_journal(decide, run, &event));
    token->step = decide->fault.step != 0 ? decide->fault.step : token->step;
    enum pawl_error error = retry_choose(decide, run, &undo, &choice);
    if (error == WF_FAULTED) /* the policy itself cannot be evaluated */
        return undo_exhausted(decide, run, &undo);
    TRY(error);
    if (!choice.is_retried)
        return undo_exhausted(decide, run, &undo);
    if (choice.delay_us < decide->fault.retry_after_us)
        choice.delay_us = decide->fault.retry_after_us;
    token->undoing.retries++;
    token->state = TOKEN_RETRY;
    token->due_us = decide->context->now_us + choice.delay_us;
    TRY(wf_timer_set(decide, run, TIMER_RETRY, token->due_us, &token->timer));
    run->move = (struct move){.kind = MOVE_NONE};
    struct journal_event retry = {.kind = EV_RETRY_SCHEDULED,
                                  .task = undo.pointer,
                                  .type = undo.type,
                                  .step = token->step,
                                  .attempt = token->undoing.retries + 1,
                                  .due_us = token->due_us};
    return wf_journal(decide, run, &retry);
}

enum pawl_error wf_undo_again(struct decide *decide, struct run *run)
{
    struct token *token = run->token;
    struct undo_row undo;
    struct step_row step;
    TRY(undo_get(decide, run, token->undoing.undo, &undo));
    TRY(wf_step_get(decide, run, token->step, &step));
    step.pointer = undo.pointer;
    step.type = undo.type;
    TRY(wf_step_give(decide, run, undo.arguments, &step));
    step.attempt++;
    token->state = TOKEN_STEP;
    run->move = (struct move){.kind = MOVE_NONE};
    return wf_step_offer(decide, run, token->step, &step);
}
