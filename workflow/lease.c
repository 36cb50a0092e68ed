/* Lost leases: the session that held a step is gone, and nobody knows how far it got.
 *
 * 1. The attempt is spent. It counts as a retry of the nearest try that limits them, and as a loss
 * of the step.
 * 2. A step that may run at most once is not handed out again, and no retry policy runs it again;
 * its definition sees outcome-unknown and has to say what then.
 */
#include "workflow/decide.h"

/* The nearest try around the step whose retries are counted; NULL: none. */
static struct frame *retrying_frame(const struct run *run)
{
    for (uint32_t i = run->frame_count; i-- > 0;) {
        struct frame *frame = &run->frames[i];
        const struct catch_spec *spec = wf_run_task(run, frame)->catch_spec;
        if (spec != NULL && frame->phase == PHASE_BODY && spec->retry != NULL &&
            spec->retry->has_count)
            return frame;
    }
    return NULL;
}

static enum pawl_error lease_fault(struct decide *decide, struct run *run, uint32_t number,
                                   struct step_row *step)
{
    step->state = STEP_ABANDONED;
    TRY(wf_step_put(decide, run, number, step));
    run->token->step = 0;
    run->token->state = 0;
    decide->fault.step = number;
    struct fault fault = decide->fault;
    const struct task *task = wf_run_task(run, wf_run_top(run));
    if (task->compensation != NULL && task->compensation->on_unknown) {
        enum pawl_error error = wf_undo_capture(decide, run, value_null);
        if (error == WF_FAULTED)
            fault = decide->fault;
        else
            TRY(error);
    }
    decide->fault = fault;
    TRY(wf_fault_raise(decide, run));
    return wf_advance(decide, run);
}

static enum pawl_error undo_lost(struct decide *decide, struct run *run, uint32_t number,
                                 struct step_row *step)
{
    if (step->losses <= STEP_LEASE_LOSSES_MAX)
        return wf_step_offer(decide, run, number, step);
    step->state = STEP_FAILED;
    TRY(wf_step_put(decide, run, number, step));
    (void)wf_fault(decide, PROBLEM_TIMEOUT, "the workers of '%.*s' were lost %u times",
                   (int)step->type.size, (const char *)step->type.data, step->losses);
    TRY(wf_undo_failed(decide, run));
    return wf_advance(decide, run);
}

static enum pawl_error step_lost(struct decide *decide, struct run *run, uint32_t number,
                                 struct step_row *step)
{
    if (step->is_at_most_once) {
        (void)wf_fault(decide, PROBLEM_OUTCOME_UNKNOWN,
                       "the worker of '%.*s' was lost, and the step may run at most once",
                       (int)step->type.size, (const char *)step->type.data);
        decide->fault.is_final = true;
        return lease_fault(decide, run, number, step);
    }
    step->losses++;
    step->attempt++;
    if (step->is_undo)
        return undo_lost(decide, run, number, step);
    struct frame *frame = retrying_frame(run);
    bool is_spent = step->losses > STEP_LEASE_LOSSES_MAX;
    if (frame != NULL) {
        is_spent = is_spent || frame->retries >= wf_run_task(run, frame)->catch_spec->retry->count;
        frame->retries += is_spent ? 0 : 1;
    }
    if (!is_spent)
        return wf_step_offer(decide, run, number, step);
    step->attempt--;
    (void)wf_fault(decide, PROBLEM_TIMEOUT, "the workers of '%.*s' were lost %u times",
                   (int)step->type.size, (const char *)step->type.data, step->losses);
    return lease_fault(decide, run, number, step);
}

static enum pawl_error run_lost(struct decide *decide, struct run *run, uint32_t number)
{
    struct step_row step;
    const struct msg_fence *fence = &decide->command->lease.fence;
    TRY(wf_step_get(decide, run, number, &step));
    if (step.state != STEP_OUT || !fence_equal(&step.fence, fence))
        return PAWL_OK; /* it is out under another fence, which is not lost */
    TRY(wf_run_define(decide, run));
    struct journal_event event = {.kind = EV_LEASE_LOST,
                                  .task = step.pointer,
                                  .type = step.type,
                                  .step = number,
                                  .attempt = step.attempt,
                                  .fence = step.fence,
                                  .session = step.session};
    TRY(wf_journal(decide, run, &event));
    TRY(step_lost(decide, run, number, &step));
    return wf_run_finish(decide, run);
}

enum pawl_error wf_lease_lost(struct decide *decide)
{
    struct id128 session = decide->command->lease.session;
    const struct msg_fence *fence = &decide->command->lease.fence;
    struct bytes key = key_handout(decide->arena, session, fence);
    struct handout_row row;
    struct run run;
    enum pawl_error error =
        changes_get_row(&decide->changes, TABLE_HANDOUT, key, &schema_handout_row, &row);
    if (error == PAWL_E_NOT_FOUND)
        return PAWL_OK; /* it ended before */
    TRY(error);
    TRY(changes_delete(&decide->changes, TABLE_HANDOUT, key));
    TRY(wf_decision_release(decide, session, fence));
    TRY(wf_run_load(decide, row.run, &run));
    return run_lost(decide, &run, row.step);
}
