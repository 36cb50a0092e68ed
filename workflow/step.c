/* Steps: the calls that workers run.
 *
 * 1. A step is ready (it has a row in TABLE_READY), out (a row in TABLE_HANDOUT, under its fence
 * and session), or over. It gets a row of its own when it is over: until then it is in the header
 * of its run, which is read and written with it anyway.
 * 2. A hand-out is recorded in the decision that makes it and leaves when that is committed.
 * 3. The attempt rises with every hand-out that follows a lost lease or a retry; the idempotency
 * key stays.
 */
#include "workflow/decide.h"

#include <assert.h>

static bool is_awaited(const struct run *run, uint32_t number)
{
    return run->token != NULL && run->token->step == number && run->token->awaited.state != 0;
}

enum pawl_error wf_step_get(struct decide *decide, const struct run *run, uint32_t number,
                            struct step_row *step_out)
{
    if (is_awaited(run, number)) {
        *step_out = run->token->awaited;
        return PAWL_OK;
    }
    TRY(changes_get_row(&decide->changes, TABLE_STEP,
                        key_run_number(decide->arena, run->id, number), &schema_step_row,
                        step_out));
    step_out->has_row = true;
    return PAWL_OK;
}

enum pawl_error wf_step_put(struct decide *decide, struct run *run, uint32_t number,
                            const struct step_row *step)
{
    assert(run->token->step == number);
    if (step->state == STEP_READY || step->state == STEP_OUT) {
        run->token->awaited = *step;
        return PAWL_OK;
    }
    run->token->awaited = (struct step_row){.state = 0};
    struct step_row over = *step;
    over.pointer = over.type = over.arguments = bytes_of(NULL, 0);
    over.arguments_value = 0;
    over.has_row = false;
    return changes_put_row(&decide->changes, TABLE_STEP,
                           key_run_number(decide->arena, run->id, number), &schema_step_row, &over,
                           !step->has_row);
}

enum pawl_error wf_step_give(struct decide *decide, struct run *run, struct bytes arguments,
                             struct step_row *step)
{
    step->arguments = bytes_of(NULL, 0);
    step->arguments_value = wf_value_lasting(run, arguments);
    if (step->arguments_value != 0)
        return PAWL_OK;
    if (arguments.size > VALUE_REPEATED_BYTES_MAX)
        return wf_value_add(decide, run, arguments, &step->arguments_value);
    step->arguments = arguments;
    return PAWL_OK;
}

static bool text_copy(struct arena *arena, struct bytes text, struct bytes *out)
{
    *out = arena_copy(arena, text);
    return text.size == 0 || out->data != NULL;
}

enum pawl_error wf_handout_fill(struct arena *arena, const struct instance *instance,
                                struct id128 run, uint32_t number, const struct step_row *step,
                                struct msg_handout *handout_out)
{
    struct msg_handout handout = {
        .fence = step->fence,
        .run = run,
        .step = number,
        .attempt = step->attempt,
        .deadline_ms = step->deadline_us / 1000,
        .is_at_most_once = step->is_at_most_once,
    };
    TRY(wf_idempotency_key(arena, run, step, &handout.idempotency_key));
    if (!text_copy(arena, step->type, &handout.type) ||
        !text_copy(arena, step->arguments, &handout.input) ||
        !text_copy(arena, instance->namespace_name, &handout.namespace_name) ||
        !text_copy(arena, instance->workflow_id, &handout.workflow_id))
        return PAWL_E_NO_MEMORY;
    *handout_out = handout;
    return PAWL_OK;
}

static enum pawl_error handout_add(struct decide *decide, struct run *run, uint32_t number,
                                   const struct step_row *step)
{
    struct decision *decision = decide->decision;
    struct decision_handout *handouts =
        wf_array_grow(decide->arena, decision->handouts, &decide->handout_capacity,
                      decision->handout_count, sizeof *handouts);
    if (handouts == NULL)
        return PAWL_E_NO_MEMORY;
    decision->handouts = handouts;
    struct decision_handout *handout = &handouts[decision->handout_count];
    handout->session = step->session;
    struct step_row filled = *step;
    if (step->arguments_value != 0)
        TRY(wf_value_get(decide, run, step->arguments_value, &filled.arguments));
    TRY(wf_handout_fill(decide->arena, &run->row, run->id, number, &filled, &handout->handout));
    decision->handout_count++;
    return PAWL_OK;
}

static enum pawl_error step_hand_out(struct decide *decide, struct run *run, uint32_t number,
                                     struct step_row *step, struct id128 session)
{
    if (step->report_outcome != 0) /* of an earlier attempt; a resend of it may still come */
        step->report_fence = step_report_fence(step);
    step->state = STEP_OUT;
    step->ready_us = 0;
    step->session = session;
    step->fence = (struct msg_fence){
        .partition = decide->context->partition,
        .term = decide->context->term,
        .index = decide->context->index,
        .ordinal = (uint32_t)decide->decision->handout_count,
    };
    struct handout_row row = {.run = run->id, .step = number};
    TRY(changes_put_row(&decide->changes, TABLE_HANDOUT,
                        key_handout(decide->arena, session, &step->fence), &schema_handout_row,
                        &row, true));
    TRY(handout_add(decide, run, number, step));
    struct journal_event event = {.kind = EV_STEP_HANDED_OUT,
                                  .task = step->pointer,
                                  .type = step->type,
                                  .step = number,
                                  .attempt = step->attempt,
                                  .fence = step->fence,
                                  .session = session};
    TRY(wf_journal(decide, run, &event));
    return wf_step_put(decide, run, number, step);
}

static struct bytes ready_key(struct decide *decide, const struct run *run, uint32_t number,
                              const struct step_row *step)
{
    return key_ready(decide->arena, step->type, step->ready_us, run->id, number);
}

enum pawl_error wf_step_offer(struct decide *decide, struct run *run, uint32_t number,
                              struct step_row *step)
{
    struct id128 session;
    step->ready_us = decide->context->now_us;
    bool is_free =
        decide->decision->handout_count < HANDOUTS_MAX &&
        dispatch_pick(decide->context->dispatch, step->type, &decide->decision->draft, &session);
    if (!is_free || WF_MUTANT(STEP_HANDED_OUT_TWICE))
        TRY(changes_put_new(&decide->changes, TABLE_READY, ready_key(decide, run, number, step),
                            bytes_of(NULL, 0)));
    if (is_free)
        return step_hand_out(decide, run, number, step, session);
    step->state = STEP_READY;
    TRY(wf_decision_readied(decide, step->type));
    return wf_step_put(decide, run, number, step);
}

enum pawl_error wf_step_withdraw(struct decide *decide, struct run *run, uint32_t number,
                                 struct step_row *step)
{
    if (step->state == STEP_READY) {
        struct bytes key = ready_key(decide, run, number, step);
        step->ready_us = 0;
        return changes_delete(&decide->changes, TABLE_READY, key);
    }
    if (step->state != STEP_OUT)
        return PAWL_OK;
    TRY(changes_delete(&decide->changes, TABLE_HANDOUT,
                       key_handout(decide->arena, step->session, &step->fence)));
    return wf_decision_release(decide, step->session, &step->fence);
}

/* When the earliest timeout of the tasks around the step ends it; 0: never. */
static uint64_t deadline_of(const struct run *run)
{
    uint64_t deadline = 0;
    for (uint32_t i = 0; i < run->frame_count; i++) {
        const struct frame *frame = &run->frames[i];
        const uint64_t due[] = {frame->timeout_us, frame->attempt_us};
        for (int k = 0; k < 2; k++)
            if (due[k] != 0 && (deadline == 0 || due[k] < deadline))
                deadline = due[k];
    }
    return deadline;
}

/* The step whose failure made a try around this call run again, if it is this very call. One that
 * may run at most once is a new step when its definition has it done again. */
static enum pawl_error retried_find(struct decide *decide, struct run *run, struct step_row *fresh,
                                    uint32_t *number_out)
{
    for (uint32_t i = 0; i < run->frame_count; i++) {
        struct frame *frame = &run->frames[i];
        struct step_row step;
        if (frame->retried_step == 0 || fresh->is_at_most_once)
            continue;
        TRY(wf_step_get(decide, run, frame->retried_step, &step));
        if (step.task != fresh->task || !bytes_equal(step.visit, fresh->visit))
            continue;
        *number_out = frame->retried_step;
        frame->retried_step = 0;
        fresh->attempt = step.attempt + 1;
        fresh->report_fence = step_report_fence(&step); /* a resend of it may still come */
        fresh->report_outcome = step.report_outcome;
        fresh->has_row = true;
        return PAWL_OK;
    }
    return PAWL_OK;
}

static enum pawl_error arguments_make(struct decide *decide, struct run *run,
                                      const struct task *task, struct bytes *arguments_out)
{
    struct place place;
    TRY(wf_place_of_input(decide, run, wf_run_top(run), &place));
    *arguments_out = place.dot;
    if (task->with == NULL)
        return PAWL_OK;
    return wf_render(decide, run, &place, task->with, arguments_out);
}

enum pawl_error wf_step_schedule(struct decide *decide, struct run *run)
{
    struct frame *frame = wf_run_top(run);
    const struct task *task = wf_run_task(run, frame);
    struct step_row step = {.task = task->index,
                            .pointer = task->pointer,
                            .type = task->call_type,
                            .is_at_most_once = task->is_at_most_once,
                            .attempt = 1,
                            .deadline_us = deadline_of(run)};
    struct bytes arguments;
    uint32_t number = 0;
    TRY(arguments_make(decide, run, task, &arguments));
    TRY(wf_step_give(decide, run, arguments, &step));
    TRY(wf_visit(decide, run, &step.visit));
    TRY(retried_find(decide, run, &step, &number));
    if (number == 0)
        number = ++run->row.step_last;
    if (!task->keeps_input)
        frame->raw_input = frame->input = 0;
    run->token->state = TOKEN_STEP;
    run->token->step = number;
    run->move = (struct move){.kind = MOVE_NONE};
    struct journal_event event = {.kind = EV_STEP_SCHEDULED,
                                  .task = step.pointer,
                                  .type = step.type,
                                  .step = number,
                                  .attempt = step.attempt};
    TRY(wf_journal(decide, run, &event));
    return wf_step_offer(decide, run, number, &step);
}

/* Hand out one ready step. is_out_out false: nobody takes it. */
static enum pawl_error ready_take(struct decide *decide, struct bytes ready, bool *is_out_out)
{
    struct id128 id, session;
    uint32_t number;
    struct run run;
    struct step_row step;
    *is_out_out = false;
    if (!key_ready_parse(ready, &id, &number))
        return PAWL_E_CORRUPT;
    TRY(wf_run_load(decide, id, &run));
    TRY(wf_step_get(decide, &run, number, &step));
    if (!dispatch_pick(decide->context->dispatch, step.type, &decide->decision->draft, &session))
        return PAWL_OK;
    *is_out_out = true;
    if (!WF_MUTANT(STEP_HANDED_OUT_TWICE))
        TRY(changes_delete(&decide->changes, TABLE_READY, arena_copy(decide->arena, ready)));
    TRY(step_hand_out(decide, &run, number, &step, session));
    return wf_run_finish(decide, &run);
}

/* The header of a step's run, and the value that its arguments are, if they are one. */
static enum pawl_error step_touch(struct decide *decide, struct id128 run, uint32_t number,
                                  size_t *bytes)
{
    struct instance row;
    struct bytes header, value = {NULL, 0};
    TRY(changes_get(&decide->changes, TABLE_INSTANCE, key_run(decide->arena, run), &header));
    TRY(instance_read(header, decide->arena, &row));
    const struct step_row *step = awaited_step(&row, number);
    if (step == NULL)
        return PAWL_E_CORRUPT;
    if (step->arguments_value != 0)
        TRY(changes_get(&decide->changes, TABLE_VALUE,
                        key_run_number(decide->arena, run, step->arguments_value), &value));
    *bytes += header.size + value.size;
    return PAWL_OK;
}

/* Ask for everything at once, so that what is missing is loaded at once. count becomes less when so
 * many are large: they must fit into one decision, and into memory at once. */
static enum pawl_error ready_touch(struct decide *decide, const struct row *rows, size_t *count)
{
    enum pawl_error first = PAWL_OK;
    size_t bytes = 0;
    for (size_t i = 0; i < *count; i++) {
        struct id128 id;
        uint32_t number;
        if (!key_ready_parse(rows[i].key, &id, &number))
            return PAWL_E_CORRUPT;
        enum pawl_error error = step_touch(decide, id, number, &bytes);
        if (first == PAWL_OK)
            first = error;
        if (bytes >= DECISION_BYTES_MAX / 4)
            *count = i + 1;
    }
    return first;
}

/* How many steps the sessions of a type would take now. */
static size_t free_count(struct decide *decide, struct bytes type)
{
    struct dispatch_draft trial = {.arena = decide->arena};
    struct id128 session;
    size_t count = 0;
    while (count < HANDOUTS_MAX && dispatch_pick(decide->context->dispatch, type, &trial, &session))
        count++;
    return count;
}

enum pawl_error wf_dispatch_ready(struct decide *decide)
{
    struct bytes type = decide->command->type;
    size_t room = free_count(decide, type);
    decide->decision->has_more = true; /* until fewer than there is room for were ready */
    if (room == 0)
        return PAWL_OK;
    struct bytes begin = key_ready_prefix(decide->arena, type);
    struct bytes end = key_end(decide->arena, begin);
    struct row *rows = arena_array(decide->arena, room, sizeof *rows);
    if (rows == NULL || begin.data == NULL || end.data == NULL)
        return PAWL_E_NO_MEMORY;
    const struct view *view = decide->changes.view;
    size_t found, count;
    TRY(view->scan(view->self, TABLE_READY, begin, end, room, rows, &found));
    count = found;
    TRY(ready_touch(decide, rows, &count));
    for (size_t i = 0; i < count; i++) {
        bool is_out;
        TRY(ready_take(decide, rows[i].key, &is_out));
        if (!is_out)
            return PAWL_OK;
    }
    decide->decision->has_more = found == room || count < found;
    return PAWL_OK;
}
