/* Advancing a run: one task after the other until something has to be waited for.
 *
 * 1. A task begins with a frame on the token's stack and ends by leaving it; frames of enclosing
 * tasks lie below.
 * 2. The loop stops only between tasks: before MOVE_ENTER, where nothing is out and everything is
 * in rows.
 * 3. A skipped task passes its raw input on and the next task follows; its `then` counts only when
 * it runs.
 */
#include "workflow/decide.h"

#include <assert.h>

/* What begins a task costs at least this much fuel, so that a loop of empty tasks ends too. */
enum { TASK_FUEL = 200 };
/* Memory that one decision may fill before it stops between two tasks. */
#define DECIDE_ARENA_MAX (ARENA_BYTES_MAX / 4)

static const struct flow flow_continue = {.kind = FLOW_CONTINUE};

static void move_enter(struct run *run, uint32_t task, uint32_t value)
{
    run->move = (struct move){.kind = MOVE_ENTER, .task = task, .value = value};
}

static void move_leave(struct run *run, uint32_t value, struct flow flow)
{
    run->move = (struct move){.kind = MOVE_LEAVE, .value = value, .flow = flow};
}

static void move_wait(struct run *run, enum token_state state)
{
    run->token->state = (uint8_t)state;
    run->move = (struct move){.kind = MOVE_NONE};
}

enum pawl_error wf_frame_pop(struct decide *decide, struct run *run)
{
    struct frame *frame = wf_run_top(run);
    TRY(wf_timer_clear(decide, run, &frame->timeout_us, &frame->timeout_timer));
    TRY(wf_timer_clear(decide, run, &frame->attempt_us, &frame->attempt_timer));
    run->frame_count--;
    return PAWL_OK;
}

void wf_list_end(struct run *run, uint32_t value)
{
    const struct frame *frame = wf_run_top(run);
    const struct task *task = wf_run_task(run, frame);
    bool is_caught = task->kind == TASK_TRY && frame->phase == PHASE_CATCH;
    move_leave(run, value,
               is_caught && task->catch_spec->has_flow ? task->catch_spec->flow : task->flow);
}

/* After a task of the list that the innermost frame runs. */
static enum pawl_error flow_follow(struct decide *decide, struct run *run, const struct task *task,
                                   struct flow flow, uint32_t value)
{
    switch (flow.kind) {
    case FLOW_CONTINUE:
        if (task->next != 0)
            move_enter(run, task->next, value);
        else
            wf_list_end(run, value);
        return PAWL_OK;
    case FLOW_EXIT:
        wf_list_end(run, value);
        return PAWL_OK;
    case FLOW_END:
        while (run->frame_count > 1)
            TRY(wf_frame_pop(decide, run));
        move_leave(run, value, flow_continue);
        return PAWL_OK;
    case FLOW_TASK:
        if (flow.task <= task->index)
            wf_run_top(run)->loops++;
        move_enter(run, flow.task, value);
        return PAWL_OK;
    }
    return PAWL_E_INTERNAL;
}

/* Begin a list: its first task, or at once its end. */
static void list_begin(struct run *run, uint32_t first, uint32_t value)
{
    if (first != 0)
        move_enter(run, first, value);
    else
        wf_list_end(run, value);
}

enum pawl_error wf_attempt_begin(struct decide *decide, struct run *run, struct frame *frame)
{
    const struct task *task = wf_run_task(run, frame);
    const struct retry_policy *policy = task->catch_spec->retry;
    frame->phase = PHASE_BODY;
    frame->loops = 0;
    if (policy != NULL && policy->attempt_limit.is_given) {
        struct place place;
        uint64_t limit_us;
        TRY(wf_place_of_input(decide, run, frame, &place));
        TRY(wf_duration(decide, run, &place, &policy->attempt_limit, &limit_us));
        frame->attempt_us = decide->context->now_us + limit_us;
        TRY(wf_timer_set(decide, run, TIMER_ATTEMPT, frame->attempt_us, &frame->attempt_timer));
    }
    list_begin(run, task->first, frame->input);
    return PAWL_OK;
}

static enum pawl_error set_run(struct decide *decide, struct run *run, const struct task *task)
{
    struct place place;
    struct bytes value;
    uint32_t number;
    TRY(wf_place_of_input(decide, run, wf_run_top(run), &place));
    TRY(wf_render(decide, run, &place, task->value, &value));
    TRY(wf_value_add(decide, run, value, &number));
    TRY(wf_journal_task(decide, run, EV_TASK_COMPLETED, task, bytes_of(NULL, 0)));
    move_leave(run, number, task->flow);
    return PAWL_OK;
}

static enum pawl_error switch_run(struct decide *decide, struct run *run, const struct task *task)
{
    const struct switch_case *chosen = NULL, *fallback = NULL;
    struct place place;
    TRY(wf_place_of_input(decide, run, wf_run_top(run), &place));
    for (size_t i = 0; i < task->case_count && chosen == NULL; i++) {
        const struct switch_case *candidate = &task->cases[i];
        bool is_match = false;
        if (candidate->when == NULL)
            fallback = candidate;
        else
            TRY(wf_evaluate_truth(decide, run, &place, candidate->when, &is_match));
        if (is_match)
            chosen = candidate;
    }
    if (chosen == NULL)
        chosen = fallback;
    struct bytes name = chosen != NULL ? chosen->name : bytes_of(NULL, 0);
    TRY(wf_journal_task(decide, run, EV_TASK_COMPLETED, task, name));
    move_leave(run, wf_run_top(run)->input, chosen != NULL ? chosen->flow : task->flow);
    return PAWL_OK;
}

static enum pawl_error wait_run(struct decide *decide, struct run *run, const struct task *task)
{
    struct place place;
    uint64_t wait_us;
    TRY(wf_place_of_input(decide, run, wf_run_top(run), &place));
    TRY(wf_duration(decide, run, &place, &task->wait, &wait_us));
    struct token *token = run->token;
    token->due_us = decide->context->now_us + wait_us;
    TRY(wf_timer_set(decide, run, TIMER_WAIT, token->due_us, &token->timer));
    move_wait(run, TOKEN_WAIT);
    struct journal_event event = {
        .kind = EV_WAIT_STARTED, .task = task->pointer, .due_us = token->due_us};
    return wf_journal(decide, run, &event);
}

/* A field of an error that is a text; not given: as it was. */
static enum pawl_error error_text(struct decide *decide, struct run *run, const struct place *place,
                                  const struct template *template, struct bytes *text)
{
    struct bytes value;
    if (template == NULL)
        return PAWL_OK;
    TRY(wf_render(decide, run, place, template, &value));
    if (!value_string(value, text))
        return wf_fault(decide, PROBLEM_EXPRESSION, "a text of the raised error is no string");
    if (text->size > FAULT_TEXT_BYTES_MAX)
        return wf_fault(decide, PROBLEM_EXPRESSION,
                        "a text of the raised error has more than %d bytes", FAULT_TEXT_BYTES_MAX);
    return PAWL_OK;
}

static enum pawl_error raise_run(struct decide *decide, struct run *run, const struct task *task)
{
    const struct error_spec *spec = task->error;
    struct problem problem = {.status = 0};
    struct place place;
    struct bytes value;
    TRY(wf_place_of_input(decide, run, wf_run_top(run), &place));
    TRY(error_text(decide, run, &place, spec->type, &problem.type));
    TRY(error_text(decide, run, &place, spec->title, &problem.title));
    TRY(error_text(decide, run, &place, spec->detail, &problem.detail));
    TRY(error_text(decide, run, &place, spec->instance, &problem.instance));
    TRY(wf_render(decide, run, &place, spec->status, &value));
    if (!value_integer(value, &problem.status))
        return wf_fault(decide, PROBLEM_EXPRESSION, "the status of the raised error is no integer");
    problem.type = problem_type_canonical(problem.type);
    decide->fault = (struct fault){.problem = problem};
    return WF_FAULTED;
}

static enum pawl_error kind_run(struct decide *decide, struct run *run, const struct task *task)
{
    struct frame *frame = wf_run_top(run);
    switch (task->kind) {
    case TASK_ROOT:
    case TASK_DO:
        list_begin(run, task->first, frame->input);
        return PAWL_OK;
    case TASK_TRY:
        return wf_attempt_begin(decide, run, frame);
    case TASK_SET:
        return set_run(decide, run, task);
    case TASK_SWITCH:
        return switch_run(decide, run, task);
    case TASK_WAIT:
        return wait_run(decide, run, task);
    case TASK_RAISE:
        return raise_run(decide, run, task);
    case TASK_CALL:
        return wf_step_schedule(decide, run);
    case TASK_COMPENSATE:
        return wf_compensate_begin(decide, run, task, false);
    }
    return PAWL_E_INTERNAL;
}

static enum pawl_error timeout_begin(struct decide *decide, struct run *run,
                                     const struct task *task, struct frame *frame)
{
    if (!task->timeout.is_given)
        return PAWL_OK;
    struct place place;
    uint64_t timeout_us;
    TRY(wf_place_of_input(decide, run, frame, &place));
    TRY(wf_duration(decide, run, &place, &task->timeout, &timeout_us));
    frame->timeout_us = decide->context->now_us + timeout_us;
    return wf_timer_set(decide, run, TIMER_TIMEOUT, frame->timeout_us, &frame->timeout_timer);
}

/* False: the task's `if` says no. */
static enum pawl_error condition_check(struct decide *decide, struct run *run,
                                       const struct task *task, const struct place *raw,
                                       bool *is_met_out)
{
    *is_met_out = true;
    if (task->condition == NULL)
        return PAWL_OK;
    return wf_evaluate_truth(decide, run, raw, task->condition, is_met_out);
}

/* NULL: no memory. */
static struct frame *frame_push(struct decide *decide, struct run *run, const struct task *task)
{
    assert(run->frame_count < FRAMES_MAX);
    struct frame *frames = wf_array_grow(decide->arena, run->frames, &run->frame_capacity,
                                         run->frame_count, sizeof *frames);
    if (frames == NULL)
        return NULL;
    run->frames = frames;
    struct frame *frame = &frames[run->frame_count++];
    *frame = (struct frame){.task = task->index,
                            .raw_input = run->move.value,
                            .input = run->move.value,
                            .started_us = decide->context->now_us,
                            .undo_mark = run->row.undo_last};
    return frame;
}

static enum pawl_error task_begin(struct decide *decide, struct run *run)
{
    const struct task *task = run->definition->tasks[run->move.task];
    uint32_t raw = run->move.value;
    struct frame *frame = frame_push(decide, run, task);
    if (frame == NULL)
        return PAWL_E_NO_MEMORY;
    struct place place = {.frame = frame};
    bool is_met;
    TRY(wf_value_get(decide, run, raw, &place.dot));
    TRY(condition_check(decide, run, task, &place, &is_met));
    if (!is_met) {
        TRY(wf_frame_pop(decide, run));
        TRY(wf_journal_task(decide, run, EV_TASK_SKIPPED, task, bytes_of(NULL, 0)));
        return flow_follow(decide, run, task, flow_continue, raw);
    }
    if (task->input_from != NULL) {
        struct bytes input;
        TRY(wf_render(decide, run, &place, task->input_from, &input));
        TRY(wf_value_add(decide, run, input, &frame->input));
    }
    TRY(timeout_begin(decide, run, task, frame));
    return kind_run(decide, run, task);
}

/* output.as: the value that the next task gets. */
static enum pawl_error output_make(struct decide *decide, struct run *run, const struct task *task,
                                   uint32_t raw, uint32_t *number_out)
{
    *number_out = raw;
    if (task->output_as == NULL)
        return PAWL_OK;
    struct place place = {.frame = wf_run_top(run)};
    struct bytes value;
    TRY(wf_value_get(decide, run, raw, &place.dot));
    place.output = place.dot;
    TRY(wf_render(decide, run, &place, task->output_as, &value));
    return wf_value_add(decide, run, value, number_out);
}

static enum pawl_error context_export(struct decide *decide, struct run *run,
                                      const struct task *task, struct bytes output)
{
    if (task->export_as == NULL)
        return PAWL_OK;
    struct place place = {.frame = wf_run_top(run), .dot = output, .output = output};
    struct bytes value;
    TRY(wf_render(decide, run, &place, task->export_as, &value));
    return wf_value_add(decide, run, value, &run->row.context);
}

static enum pawl_error task_leave(struct decide *decide, struct run *run)
{
    struct move move = run->move;
    const struct task *task = wf_run_task(run, wf_run_top(run));
    uint32_t number;
    struct bytes output;
    TRY(output_make(decide, run, task, move.value, &number));
    TRY(wf_value_get(decide, run, number, &output));
    if (task->compensation != NULL && task->compensation->on_completed)
        TRY(wf_undo_capture(decide, run, output));
    TRY(context_export(decide, run, task, output));
    if (task->kind == TASK_ROOT)
        return wf_run_close(decide, run, RUN_COMPLETED, number);
    TRY(wf_frame_pop(decide, run));
    return flow_follow(decide, run, task, move.flow, number);
}

/* A task may still add several values of the largest size to what is written by then. */
static bool is_spent(const struct decide *decide, const struct run *run, size_t unsaved_bytes)
{
    return decide->fuel_spent >= DECIDE_FUEL || decide->changes.count >= DECISION_WRITES_MAX / 2 ||
           decide->changes.bytes + run->event_bytes + unsaved_bytes >= DECISION_BYTES_MAX / 4 ||
           decide->arena->used - decide->arena_begin >= DECIDE_ARENA_MAX;
}

/* Stop before a task; its beginning is in the rows. */
static void stop_before(struct run *run)
{
    run->token->task = run->move.task;
    run->token->value = run->move.value;
    move_wait(run, TOKEN_ENTER);
}

static enum pawl_error go_on_later(struct decide *decide, struct run *run)
{
    const struct task *task = run->definition->tasks[run->move.task];
    stop_before(run);
    run->token->due_us = decide->context->now_us;
    TRY(wf_timer_set(decide, run, TIMER_CONTINUE, run->token->due_us, &run->token->timer));
    return wf_journal_task(decide, run, EV_DECISION_CONTINUED, task, bytes_of(NULL, 0));
}

static enum pawl_error task_enter(struct decide *decide, struct run *run)
{
    const struct task *task = run->definition->tasks[run->move.task];
    struct run_bytes bytes = wf_run_sweep(run);
    if (is_spent(decide, run, bytes.unsaved))
        return go_on_later(decide, run);
    if (bytes.live > INSTANCE_BYTES_MAX) {
        stop_before(run);
        return wf_run_pause(decide, run, "instance-too-large", task->pointer,
                            BYTES_LITERAL("the values of the run pass the limit of an instance"));
    }
    decide->fuel_spent += TASK_FUEL;
    run->token->task = run->token->value = 0;
    return task_begin(decide, run);
}

static enum pawl_error move_make(struct decide *decide, struct run *run)
{
    switch (run->move.kind) {
    case MOVE_ENTER:
        return task_enter(decide, run);
    case MOVE_LEAVE:
        return task_leave(decide, run);
    case MOVE_NONE:
        break;
    }
    return PAWL_E_INTERNAL;
}

enum pawl_error wf_advance(struct decide *decide, struct run *run)
{
    while (run->move.kind != MOVE_NONE) {
        decide->fuel_end = decide->fuel_spent + MOVE_FUEL;
        enum pawl_error error = move_make(decide, run);
        decide->fuel_end = decide->fuel_spent + MOVE_FUEL; /* for what may catch it */
        if (error == WF_FAULTED)
            error = wf_fault_raise(decide, run);
        TRY(error);
    }
    return PAWL_OK;
}
