/* Timers: rows in the order in which they are due. Whoever sets one keeps its due time and number,
 * and a row that nobody keeps any more means nothing. */
#include "workflow/decide.h"

enum { REQUEST_TIMER_NUMBER = 0 };

uint64_t timer_key_due_us(struct bytes key)
{
    uint64_t due_us;
    struct id128 run;
    uint32_t number;
    return key_timer_parse(key, &due_us, &run, &number) ? due_us : UINT64_MAX;
}

static enum pawl_error timer_put(struct decide *decide, uint64_t due_us, struct id128 run,
                                 uint32_t number, const struct timer_row *row)
{
    return changes_put_row(&decide->changes, TABLE_TIMER,
                           key_timer(decide->arena, due_us, run, number), &schema_timer_row, row,
                           true);
}

enum pawl_error wf_timer_set(struct decide *decide, struct run *run, enum timer_kind kind,
                             uint64_t due_us, uint32_t *number_out)
{
    struct timer_row row = {.kind = (uint8_t)kind};
    *number_out = ++run->row.timer_last;
    return timer_put(decide, due_us, run->id, *number_out, &row);
}

enum pawl_error wf_timer_clear(struct decide *decide, const struct run *run, uint64_t *due_us,
                               uint32_t *number)
{
    if (*number == 0)
        return PAWL_OK;
    struct bytes key = key_timer(decide->arena, *due_us, run->id, *number);
    *due_us = 0;
    *number = 0;
    return changes_delete(&decide->changes, TABLE_TIMER, key);
}

enum pawl_error wf_request_expire(struct decide *decide, struct id128 request)
{
    uint64_t due_us = decide->context->now_us + REQUEST_HORIZON_MS * 1000;
    struct timer_row row = {.kind = TIMER_REQUEST_EXPIRY, .request = request};
    return timer_put(decide, due_us, request, REQUEST_TIMER_NUMBER, &row);
}

/* Journal that the timer of a task has fired. */
static enum pawl_error fired(struct decide *decide, struct run *run, const struct frame *frame,
                             const char *what)
{
    return wf_journal_task(decide, run, EV_TIMER_FIRED, wf_run_task(run, frame),
                           bytes_string(what));
}

static enum pawl_error wait_over(struct decide *decide, struct run *run)
{
    const struct frame *frame = wf_run_top(run);
    TRY(fired(decide, run, frame, "wait"));
    run->move = (struct move){
        .kind = MOVE_LEAVE, .value = frame->input, .flow = wf_run_task(run, frame)->flow};
    return wf_advance(decide, run);
}

static enum pawl_error retry_due(struct decide *decide, struct run *run)
{
    struct frame *frame = wf_run_top(run);
    TRY(fired(decide, run, frame, "retry"));
    if (run->token->undoing.is_on)
        return wf_undo_again(decide, run);
    enum pawl_error error = wf_attempt_begin(decide, run, frame);
    if (error == WF_FAULTED)
        error = wf_fault_raise(decide, run);
    TRY(error);
    return wf_advance(decide, run);
}

static enum pawl_error token_timer(struct decide *decide, struct run *run)
{
    struct token *token = run->token;
    token->due_us = 0;
    token->timer = 0;
    switch ((enum token_state)token->state) {
    case TOKEN_WAIT:
        return wait_over(decide, run);
    case TOKEN_RETRY:
        return retry_due(decide, run);
    case TOKEN_ENTER:
        run->move = (struct move){.kind = MOVE_ENTER, .task = token->task, .value = token->value};
        return wf_advance(decide, run);
    case TOKEN_STEP:
    case TOKEN_STOPPED:
        break;
    }
    return PAWL_E_CORRUPT;
}

static enum pawl_error interrupted(struct decide *decide, struct run *run, uint32_t depth,
                                   bool is_attempt)
{
    const struct task *task = wf_run_task(run, &run->frames[depth]);
    TRY(fired(decide, run, &run->frames[depth], is_attempt ? "attempt-timeout" : "timeout"));
    (void)wf_fault(decide, PROBLEM_TIMEOUT,
                   is_attempt ? "an attempt of '%.*s' took too long" : "'%.*s' took too long",
                   (int)task->name.size, (const char *)task->name.data);
    TRY(wf_fault_interrupt(decide, run, depth, is_attempt));
    return wf_advance(decide, run);
}

static enum pawl_error run_timer(struct decide *decide, struct run *run, uint32_t number)
{
    if (run->token->timer == number)
        return token_timer(decide, run);
    for (uint32_t i = 0; i < run->frame_count; i++) {
        struct frame *frame = &run->frames[i];
        if (frame->timeout_timer == number) {
            frame->timeout_us = frame->timeout_timer = 0;
            return interrupted(decide, run, i, false);
        }
        if (frame->attempt_timer == number) {
            frame->attempt_us = frame->attempt_timer = 0;
            return interrupted(decide, run, i, true);
        }
    }
    return PAWL_OK; /* nobody keeps it: obsolete */
}

static enum pawl_error run_fire(struct decide *decide, struct id128 id, uint32_t number)
{
    struct run run;
    enum pawl_error error = wf_run_load(decide, id, &run);
    if (error == PAWL_E_NOT_FOUND)
        return PAWL_OK;
    TRY(error);
    if (!run_status_is_open(run.row.status))
        return PAWL_OK;
    TRY(wf_run_define(decide, &run));
    TRY(run_timer(decide, &run, number));
    return wf_run_finish(decide, &run);
}

enum pawl_error wf_timer_fire(struct decide *decide)
{
    struct bytes key = decide->command->timer_key;
    struct timer_row row;
    struct id128 run;
    uint64_t due_us;
    uint32_t number;
    if (!key_timer_parse(key, &due_us, &run, &number))
        return diag_fail(&decide->decision->diag, PAWL_E_INVALID, "not the key of a timer");
    enum pawl_error error =
        changes_get_row(&decide->changes, TABLE_TIMER, key, &schema_timer_row, &row);
    if (error == PAWL_E_NOT_FOUND)
        return PAWL_OK; /* it has fired or been cleared */
    TRY(error);
    if (due_us > decide->context->now_us && !WF_MUTANT(TIMER_EARLY))
        return diag_fail(&decide->decision->diag, PAWL_E_NOT_READY, "the timer is not due yet");
    TRY(changes_delete(&decide->changes, TABLE_TIMER, arena_copy(decide->arena, key)));
    if (row.kind == TIMER_REQUEST_EXPIRY)
        return changes_delete(&decide->changes, TABLE_REQUEST,
                              arena_copy(decide->arena, id128_bytes(&row.request)));
    return run_fire(decide, run, number);
}
