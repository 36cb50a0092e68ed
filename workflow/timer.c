/* Timers: rows in the order in which they are due. Whoever sets one keeps its due time and number,
 * and a row that nobody keeps any more means nothing. */
#include "workflow/decide.h"

enum {
    REQUEST_TIMER_NUMBER = 0,
    EXPIRIES_MAX = 256,      /* answers forgotten by one decision */
    EXPIRY_TICK_US = 100000, /* they are forgotten in ticks, so that many go together */
};

uint64_t timer_key_due_us(struct bytes key)
{
    uint64_t due_us;
    struct id128 run;
    uint32_t number;
    return key_timer_parse(key, &due_us, &run, &number) ? due_us : UINT64_MAX;
}

bool timer_key_run(struct bytes key, struct id128 *run_out)
{
    uint64_t due_us;
    uint32_t number;
    return key_timer_parse(key, &due_us, run_out, &number) && number != REQUEST_TIMER_NUMBER;
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
    uint64_t due_us = decide->context->now_us + REQUEST_HORIZON_MS * 1000 + EXPIRY_TICK_US - 1;
    due_us -= due_us % EXPIRY_TICK_US;
    struct timer_row row = {.kind = TIMER_REQUEST_EXPIRY};
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

/* An answer is forgotten with its timer. is_expiry_out false: it is a timer of something else. */
static enum pawl_error request_forget(struct decide *decide, const struct row *timer,
                                      bool *is_expiry_out)
{
    struct timer_row row;
    struct id128 request;
    uint64_t due_us;
    uint32_t number;
    enum pawl_error error =
        codec_decode(&schema_timer_row, timer->value, decide->arena, &row, NULL);
    if (error == PAWL_E_NO_MEMORY)
        return error;
    if (error != PAWL_OK || !key_timer_parse(timer->key, &due_us, &request, &number))
        return PAWL_E_CORRUPT;
    *is_expiry_out = row.kind == TIMER_REQUEST_EXPIRY;
    if (!*is_expiry_out)
        return PAWL_OK;
    TRY(changes_delete(&decide->changes, TABLE_TIMER, arena_copy(decide->arena, timer->key)));
    return changes_delete(&decide->changes, TABLE_REQUEST, key_run(decide->arena, request));
}

/* The answers whose time has come, from one on: with an entry each, forgetting would cost as much
 * as a step. */
static enum pawl_error requests_forget(struct decide *decide, struct bytes first, uint64_t due_us)
{
    static const struct id128 none;
    const struct view *view = decide->changes.view;
    uint64_t now_us = decide->context->now_us;
    struct bytes end = key_timer(decide->arena, (due_us > now_us ? due_us : now_us) + 1, none, 0);
    struct row *rows = arena_array(decide->arena, EXPIRIES_MAX, sizeof *rows);
    size_t count;
    bool is_expiry = true;
    if (rows == NULL || end.data == NULL)
        return PAWL_E_NO_MEMORY;
    TRY(view->scan(view->self, TABLE_TIMER, first, end, EXPIRIES_MAX, rows, &count));
    for (size_t i = 0; i < count && is_expiry; i++)
        TRY(request_forget(decide, &rows[i], &is_expiry));
    return PAWL_OK;
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
    if (row.kind == TIMER_REQUEST_EXPIRY)
        return requests_forget(decide, key, due_us);
    TRY(changes_delete(&decide->changes, TABLE_TIMER, arena_copy(decide->arena, key)));
    return run_fire(decide, run, number);
}
