/* wf_check: what is true of the rows of a run between any two decisions. */
#include <assert.h>
#include <stdlib.h>

#include "workflow/changes.h"
#include "workflow/engine.h"
#include "workflow/find.h"
#include "workflow/state.h"

struct check {
    struct changes rows;
    struct arena arena;
    struct id128 run;
    struct instance row;
};

static bool has_row(struct check *check, enum row_table table, struct bytes key)
{
    struct bytes value;
    return changes_get(&check->rows, table, key, &value) == PAWL_OK;
}

static struct bytes numbered(struct check *check, uint32_t number)
{
    return key_run_number(&check->arena, check->run, number);
}

/* The rows of the run in a table keyed by run and number. */
static size_t count_rows(struct check *check, enum row_table table)
{
    enum { PAGE = 64 };
    struct row rows[PAGE];
    const struct view *view = check->rows.view;
    struct bytes begin = numbered(check, 0);
    struct bytes end = key_end(&check->arena, key_run(&check->arena, check->run));
    size_t total = 0, count = PAGE;
    while (count == PAGE) {
        enum pawl_error error = view->scan(view->self, table, begin, end, PAGE, rows, &count);
        assert(error == PAWL_OK);
        total += count;
        if (count > 0)
            begin = numbered(check, be32_get(rows[count - 1].key.data + 16) + 1);
    }
    return total;
}

/* Values that have a row and nothing but the journal, and steps, names: they are large. */
static size_t lasting_count(struct check *check)
{
    const struct live_value *live = check->row.values.elements;
    size_t count = 0;
    for (uint32_t number = 1; number <= check->row.value_last; number++) {
        struct bytes value;
        bool is_live = false;
        for (size_t i = 0; i < check->row.values.count; i++)
            is_live |= live[i].number == number;
        if (is_live ||
            changes_get(&check->rows, TABLE_VALUE, numbered(check, number), &value) != PAWL_OK)
            continue;
        assert(value.size > VALUE_REPEATED_BYTES_MAX);
        count++;
    }
    return count;
}

static bool has_value(const struct check *check, uint32_t number)
{
    const struct live_value *live = check->row.values.elements;
    for (size_t i = 0; i < check->row.values.count; i++)
        if (live[i].number == number)
            return true;
    return number == 0;
}

static void check_values(struct check *check)
{
    const struct live_value *live = check->row.values.elements;
    size_t row_count = 0;
    for (size_t i = 0; i < check->row.values.count; i++) {
        struct bytes value = live[i].inlined;
        enum pawl_error error = PAWL_OK;
        assert(live[i].number >= 1 && live[i].number <= check->row.value_last);
        if (value.size == 0) {
            error = changes_get(&check->rows, TABLE_VALUE, numbered(check, live[i].number), &value);
            row_count++;
        }
        assert(error == PAWL_OK);
        assert(value.size == live[i].size);
    }
    assert(count_rows(check, TABLE_VALUE) == row_count + lasting_count(check));
    assert(has_value(check, check->row.input));
    assert(has_value(check, check->row.context));
    assert(has_value(check, check->row.result));
}

static void check_undos(struct check *check)
{
    const struct pending_undo *undos = check->row.undos.elements;
    for (size_t i = 0; i < check->row.undos.count; i++) {
        assert(undos[i].number <= check->row.undo_last);
        assert(i == 0 || undos[i].number > undos[i - 1].number);
        assert(has_row(check, TABLE_COMPENSATION, numbered(check, undos[i].number)));
    }
    assert(count_rows(check, TABLE_COMPENSATION) == check->row.undos.count);
}

static void check_step(const struct step_row *step)
{
    assert(step->attempt >= 1);
    assert((step->ready_us != 0) == (step->state == STEP_READY));
}

static void check_awaited(struct check *check, uint32_t number, const struct step_row *step)
{
    assert(step->state == STEP_READY || step->state == STEP_OUT);
    check_step(step);
    assert(has_value(check, step->arguments_value));
    if (step->state == STEP_READY)
        assert(has_row(check, TABLE_READY,
                       key_ready(&check->arena, step->type, step->ready_us, check->run, number)));
    if (step->state != STEP_OUT)
        return;
    struct handout_row handout;
    enum pawl_error error = changes_get_row(&check->rows, TABLE_HANDOUT,
                                            key_handout(&check->arena, step->session, &step->fence),
                                            &schema_handout_row, &handout);
    assert(error == PAWL_OK);
    assert(id128_equal(handout.run, check->run));
    assert(handout.step == number);
}

/* A step has a row once it has ended. */
static void check_numbered_step(struct check *check, uint32_t number)
{
    struct step_row step;
    const struct step_row *awaited = awaited_step(&check->row, number);
    if (awaited != NULL)
        check_awaited(check, number, awaited);
    if (awaited != NULL && !awaited->has_row) {
        assert(!has_row(check, TABLE_STEP, numbered(check, number)));
        return;
    }
    enum pawl_error error =
        changes_get_row(&check->rows, TABLE_STEP, numbered(check, number), &schema_step_row, &step);
    assert(error == PAWL_OK);
    assert(step.state >= STEP_COMPLETED && step.state <= STEP_ABANDONED);
    check_step(&step);
}

static void check_timer(struct check *check, uint64_t due_us, uint32_t number, enum timer_kind kind)
{
    struct timer_row timer;
    enum pawl_error error = changes_get_row(&check->rows, TABLE_TIMER,
                                            key_timer(&check->arena, due_us, check->run, number),
                                            &schema_timer_row, &timer);
    assert(error == PAWL_OK);
    assert(timer.kind == kind);
    assert(number <= check->row.timer_last);
}

static void check_frame(struct check *check, const struct frame *frame)
{
    assert(has_value(check, frame->raw_input));
    assert(has_value(check, frame->input));
    assert(has_value(check, frame->error));
    if (frame->timeout_timer != 0)
        check_timer(check, frame->timeout_us, frame->timeout_timer, TIMER_TIMEOUT);
    if (frame->attempt_timer != 0)
        check_timer(check, frame->attempt_us, frame->attempt_timer, TIMER_ATTEMPT);
}

/* Of everything that may be undone, the newest is: only a scope leaves newer ones for later. */
static void check_undoing(struct check *check, const struct undoing *undoing)
{
    const struct pending_undo *undos = check->row.undos.elements;
    size_t count = check->row.undos.count;
    if (!undoing->is_on || undoing->has_scope)
        return;
    assert(count > 0);
    assert(undoing->undo == undos[count - 1].number);
}

static void check_token(struct check *check, const struct token *token)
{
    const struct frame *frames = token->frames.elements;
    for (size_t i = 0; i < token->frames.count; i++) {
        assert((i == 0) == (frames[i].task == 0));
        check_frame(check, &frames[i]);
    }
    assert(has_value(check, token->value));
    check_undoing(check, &token->undoing);
    assert((check->row.status == RUN_PAUSED) == (token->state == TOKEN_STOPPED));
    assert((token->awaited.state != 0) == (token->state == TOKEN_STEP));
    switch ((enum token_state)token->state) {
    case TOKEN_ENTER:
        check_timer(check, token->due_us, token->timer, TIMER_CONTINUE);
        return;
    case TOKEN_WAIT:
        check_timer(check, token->due_us, token->timer, TIMER_WAIT);
        return;
    case TOKEN_RETRY:
        check_timer(check, token->due_us, token->timer, TIMER_RETRY);
        return;
    case TOKEN_STEP:
        assert(token->step >= 1 && token->step <= check->row.step_last);
        return;
    case TOKEN_STOPPED:
        return;
    }
    assert(false && "an open run's token is in one of its states");
}

static void check_open(struct check *check)
{
    struct id128 newest;
    enum pawl_error error =
        find_workflow(&check->rows, check->row.namespace_name, check->row.workflow_id, &newest);
    assert(error == PAWL_OK);
    assert(id128_equal(newest, check->run));
    assert(check->row.ended_us == 0);
    assert(check->row.tokens.count == 1);
    check_token(check, check->row.tokens.elements);
}

static void check_closed(struct check *check)
{
    assert(check->row.status >= RUN_COMPLETED && check->row.status <= RUN_TERMINATED);
    assert(check->row.ended_us >= check->row.started_us);
    assert(check->row.tokens.count == 0);
    assert(check->row.undos.count == 0);
}

static void check_journal(struct check *check)
{
    struct journal_record record;
    struct bytes value;
    enum pawl_error error = changes_get(
        &check->rows, TABLE_JOURNAL,
        key_journal(&check->arena, check->row.last_index, check->row.last_ordinal), &value);
    assert(error == PAWL_OK);
    error = journal_record_read(value, &check->arena, &record);
    assert(error == PAWL_OK);
    assert(id128_equal(record.run, check->run));
    assert(record.events.count > 0);
    const struct journal_event *events = record.events.elements;
    for (size_t i = 0; i < record.events.count; i++)
        assert(has_value(check, events[i].value_number) ||
               has_row(check, TABLE_VALUE, numbered(check, events[i].value_number)));
}

void wf_check(const struct view *view, struct id128 run)
{
    struct check check = {.run = run};
    check.rows = (struct changes){.view = view, .arena = &check.arena};
    enum pawl_error error = find_instance(&check.rows, run, &check.row);
    assert(error == PAWL_OK);
    bool is_open = run_status_is_open(check.row.status);
    if (is_open)
        check_open(&check);
    else
        check_closed(&check);
    for (uint32_t number = 1; number <= check.row.step_last; number++)
        check_numbered_step(&check, number);
    check_values(&check);
    check_undos(&check);
    check_journal(&check);
    arena_done(&check.arena);
}
