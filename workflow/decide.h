/* One decision in the making: what every part of the engine shares. Private to the engine.
 *
 * 1. A function that meets a fault of the workflow writes it to decide.fault and returns
 * WF_FAULTED; the advance loop raises it. Any other error ends the decision: NOT_LOADED and
 * NO_MEMORY leave it without a trace, the rest become a rejection.
 * 2. Everything points into the command's arena.
 * 3. A value is named by its number in the run; only values that something still names when the
 * decision ends are written.
 */
#ifndef PAWL_WORKFLOW_DECIDE_H
#define PAWL_WORKFLOW_DECIDE_H

#include "proto/limits.h"
#include "workflow/changes.h"
#include "workflow/engine.h"
#include "workflow/mutant.h"
#include "workflow/problem.h"
#include "workflow/state.h"
#include "workflow/task.h"

#define WF_FAULTED PAWL_E_EXPRESSION

enum { FRAMES_MAX = TASK_DEPTH_MAX + 2 };

struct fault {
    struct problem problem;
    struct bytes value; /* the problem packed; empty until it is raised */
    bool is_final;
    uint64_t retry_after_us;
    uint32_t step; /* whose failure it is; 0: none */
};

struct decide {
    struct engine *engine;
    const struct command *command;
    const struct command_context *context;
    struct arena *arena;
    struct buffer *scratch;
    struct decision *decision;
    struct changes changes;
    uint64_t fuel_spent;
    uint64_t fuel_end; /* what the task at hand may spend up to */
    uint64_t random_state;
    size_t arena_begin;    /* bytes used when the decision began */
    uint32_t record_count; /* of the journal */
    size_t handout_capacity, release_capacity, readied_capacity, closed_capacity;
    struct fault fault;
};

struct slot {
    uint32_t number;
    struct bytes value;
    bool is_stored;  /* has a row already */
    bool is_inlined; /* is in the header, and has none */
    bool is_lasting; /* its row stays, whether anything but the journal names it or not */
};

enum move_kind {
    MOVE_NONE,  /* the token waits, or the run has ended */
    MOVE_ENTER, /* begin `task` with `value` */
    MOVE_LEAVE, /* the innermost task is done with `value`; then `flow` */
};
struct move {
    enum move_kind kind;
    uint32_t task;
    uint32_t value;
    struct flow flow;
};

struct run {
    struct id128 id;
    struct instance row;
    struct token *token;
    struct frame *frames; /* of the token; frame_count of frame_capacity */
    size_t frame_capacity;
    uint32_t frame_count;
    const struct definition *definition; /* NULL until wf_run_define */
    struct slot *slots;
    size_t slot_count, slot_capacity;
    struct pending_undo *undos;
    size_t undo_count, undo_capacity;
    struct journal_event *events; /* what happened to it in this decision */
    size_t event_count, event_capacity, event_bytes;
    struct move move;
    struct bytes workflow_variable; /* $workflow, once something has named it */
    bool is_new;
};

/* --- decide.c --- */

/* Room for one more element of an array in the arena, which has any content; NULL: no memory. */
void *wf_array_grow(struct arena *arena, void *rows, size_t *capacity, size_t count,
                    size_t row_bytes);
/* What was packed to the scratch buffer from begin on, in the arena; the scratch shrinks back to
 * begin. */
MUST_USE enum pawl_error wf_scratch_take(struct decide *decide, size_t begin,
                                         struct bytes *bytes_out);
uint64_t wf_random(struct decide *decide);
/* A sentence in the arena. */
struct bytes wf_text(struct decide *decide, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Note a fault of the running task: returns WF_FAULTED. */
enum pawl_error wf_fault(struct decide *decide, enum problem_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
MUST_USE enum pawl_error wf_decision_release(struct decide *decide, struct id128 session,
                                             const struct msg_fence *fence);
MUST_USE enum pawl_error wf_decision_readied(struct decide *decide, struct bytes type);
MUST_USE enum pawl_error wf_decision_closed(struct decide *decide, struct id128 run);

/* --- cache.c --- */

/* The compiled definition that a run follows; lives until the next decide at least. */
MUST_USE enum pawl_error wf_definition_get(struct engine *engine, const struct changes *rows,
                                           const struct instance *run,
                                           const struct definition **definition_out,
                                           struct pawl_diag *diag);

/* --- run.c --- */

/* PAWL_E_NOT_FOUND, PAWL_E_NOT_LOADED, PAWL_E_CORRUPT. */
MUST_USE enum pawl_error wf_run_load(struct decide *decide, struct id128 id, struct run *run_out);
/* The same, with its definition. */
MUST_USE enum pawl_error wf_run_define(struct decide *decide, struct run *run);
MUST_USE enum pawl_error wf_run_begin(struct decide *decide, struct run *run);
/* Write what the decision changed of the run: values that are still named, and the header. */
MUST_USE enum pawl_error wf_run_finish(struct decide *decide, struct run *run);
MUST_USE enum pawl_error wf_run_close(struct decide *decide, struct run *run,
                                      enum run_status status, uint32_t result);
MUST_USE enum pawl_error wf_run_pause(struct decide *decide, struct run *run, const char *kind,
                                      struct bytes pointer, struct bytes detail);
/* Forget values that nothing names; returns the bytes of the others, and of those among them that
 * have no row yet. */
struct run_bytes {
    size_t live, unsaved;
};
struct run_bytes wf_run_sweep(struct run *run);
static inline struct frame *wf_run_top(const struct run *run)
{
    return &run->frames[run->frame_count - 1];
}
static inline const struct task *wf_run_task(const struct run *run, const struct frame *frame)
{
    return run->definition->tasks[frame->task];
}
/* Bytes of a value; number 0 is null. */
MUST_USE enum pawl_error wf_value_get(struct decide *decide, struct run *run, uint32_t number,
                                      struct bytes *value_out);
MUST_USE enum pawl_error wf_value_add(struct decide *decide, struct run *run, struct bytes value,
                                      uint32_t *number_out);
/* The same for the input and what steps return. One that is large is written once: it lasts, and
 * the journal and the arguments of steps name it. */
MUST_USE enum pawl_error wf_value_receive(struct decide *decide, struct run *run,
                                          struct bytes value, uint32_t *number_out);
/* The lasting value that has these bytes; 0: none is known. */
uint32_t wf_value_lasting(const struct run *run, struct bytes value);

/* --- journal.c --- */

/* Note what happened. What the event points to lives as long as the decision. One with a value that
 * is a value of the run names it too. */
MUST_USE enum pawl_error wf_journal(struct decide *decide, struct run *run,
                                    const struct journal_event *event);
/* The same for what is of no run. */
MUST_USE enum pawl_error wf_journal_cluster(struct decide *decide, struct journal_event *event);
/* The record of what was noted of the run. */
MUST_USE enum pawl_error wf_journal_write(struct decide *decide, struct run *run);
/* CMD_CLOCK_JUMP. */
MUST_USE enum pawl_error wf_clock_jump(struct decide *decide);
/* The common case: something happened at a task. */
MUST_USE enum pawl_error wf_journal_task(struct decide *decide, struct run *run,
                                         enum event_kind kind, const struct task *task,
                                         struct bytes detail);

/* --- timer.c --- */

MUST_USE enum pawl_error wf_timer_set(struct decide *decide, struct run *run, enum timer_kind kind,
                                      uint64_t due_us, uint32_t *number_out);
/* number 0: nothing happens. Both become 0. */
MUST_USE enum pawl_error wf_timer_clear(struct decide *decide, const struct run *run,
                                        uint64_t *due_us, uint32_t *number);
MUST_USE enum pawl_error wf_timer_fire(struct decide *decide);
/* The answer given to a request is kept until a horizon from now. */
MUST_USE enum pawl_error wf_request_expire(struct decide *decide, struct id128 request);

/* --- evaluate.c --- */

/* Where something is evaluated. */
struct place {
    const struct frame *frame;
    struct bytes dot;
    struct bytes output; /* $output; empty: not there */
    uint32_t error_slot; /* 0: the errors of the frames only */
    struct bytes error;
};
MUST_USE enum pawl_error wf_evaluate(struct decide *decide, struct run *run,
                                     const struct place *place, const struct expression *expression,
                                     struct bytes *value_out);
/* Neither null nor false. */
MUST_USE enum pawl_error wf_evaluate_truth(struct decide *decide, struct run *run,
                                           const struct place *place,
                                           const struct expression *expression, bool *truth_out);
MUST_USE enum pawl_error wf_render(struct decide *decide, struct run *run,
                                   const struct place *place, const struct template *template,
                                   struct bytes *value_out);
MUST_USE enum pawl_error wf_duration(struct decide *decide, struct run *run,
                                     const struct place *place, const struct duration *duration,
                                     uint64_t *us_out);
/* `.` is the frame's input. */
MUST_USE enum pawl_error wf_place_of_input(struct decide *decide, struct run *run,
                                           const struct frame *frame, struct place *place_out);

/* --- advance.c --- */

/* Carry on with run->move until the token waits or the run has ended. */
MUST_USE enum pawl_error wf_advance(struct decide *decide, struct run *run);
/* The list that the innermost task runs is done: with its own flow it is left. */
void wf_list_end(struct run *run, uint32_t value);
MUST_USE enum pawl_error wf_frame_pop(struct decide *decide, struct run *run);
MUST_USE enum pawl_error wf_attempt_begin(struct decide *decide, struct run *run,
                                          struct frame *frame);

/* --- fault.c --- */

/* Raise decide->fault at the innermost task. */
MUST_USE enum pawl_error wf_fault_raise(struct decide *decide, struct run *run);
/* End everything inside frame number `depth` and raise decide->fault there; is_inside: so that the
 * frame, a try, may catch it itself. */
MUST_USE enum pawl_error wf_fault_interrupt(struct decide *decide, struct run *run, uint32_t depth,
                                            bool is_inside);
/* Take back whatever the token waits for. */
MUST_USE enum pawl_error wf_token_interrupt(struct decide *decide, struct run *run);

/* --- retry.c --- */

struct retry_choice {
    bool is_retried;
    uint64_t delay_us;
};
/* Whether a policy allows one more retry after `retries` of them, and after what delay. */
MUST_USE enum pawl_error wf_retry_choose(struct decide *decide, struct run *run,
                                         const struct place *place,
                                         const struct retry_policy *policy, uint32_t retries,
                                         uint64_t began_us, struct retry_choice *choice_out);
/* The backoff alone: retry number `count` from 1, the jitter left out. Exposed for tests. */
uint64_t wf_backoff_us(enum backoff_kind kind, uint64_t delay_us, double factor, uint64_t max_us,
                       uint32_t count);

/* --- visit.c --- */

/* Which visit of the innermost task this is, as text; see README.md. */
MUST_USE enum pawl_error wf_visit(struct decide *decide, const struct run *run,
                                  struct bytes *visit_out);
/* "<run>/<pointer>/<visit>", with "/undo" behind it for a compensation. */
MUST_USE enum pawl_error wf_idempotency_key(struct arena *arena, struct id128 run,
                                            const struct step_row *step, struct bytes *key_out);

/* --- step.c --- */

/* The step a run waits for, or one that has ended. */
MUST_USE enum pawl_error wf_step_get(struct decide *decide, const struct run *run, uint32_t number,
                                     struct step_row *step_out);
/* What has become of the token's step: it goes on being awaited, or has ended. */
MUST_USE enum pawl_error wf_step_put(struct decide *decide, struct run *run, uint32_t number,
                                     const struct step_row *step);
/* Small arguments stand with the step; large ones are a value of the run, which it names until it
 * ends. */
MUST_USE enum pawl_error wf_step_give(struct decide *decide, struct run *run,
                                      struct bytes arguments, struct step_row *step);
/* Schedule the call of the innermost frame. */
MUST_USE enum pawl_error wf_step_schedule(struct decide *decide, struct run *run);
/* A new attempt of a step, or the first: to a session with credit, else it waits. Puts it.
 */
MUST_USE enum pawl_error wf_step_offer(struct decide *decide, struct run *run, uint32_t number,
                                       struct step_row *step);
/* The step no longer waits and is no longer out. It is not put. */
MUST_USE enum pawl_error wf_step_withdraw(struct decide *decide, struct run *run, uint32_t number,
                                          struct step_row *step);
MUST_USE enum pawl_error wf_handout_fill(struct arena *arena, const struct instance *instance,
                                         struct id128 run, uint32_t number,
                                         const struct step_row *step,
                                         struct msg_handout *handout_out);

/* --- compensate.c --- */

/* Note how to undo what the innermost frame's call did. */
MUST_USE enum pawl_error wf_undo_capture(struct decide *decide, struct run *run,
                                         struct bytes output);
MUST_USE enum pawl_error wf_compensate_begin(struct decide *decide, struct run *run,
                                             const struct task *task, bool is_for_fault);
MUST_USE enum pawl_error wf_undo_completed(struct decide *decide, struct run *run);
MUST_USE enum pawl_error wf_undo_failed(struct decide *decide, struct run *run);
/* The timer of an undo's retry has fired. */
MUST_USE enum pawl_error wf_undo_again(struct decide *decide, struct run *run);

/* --- the commands --- */

MUST_USE enum pawl_error wf_start(struct decide *decide);          /* start.c */
MUST_USE enum pawl_error wf_report(struct decide *decide);         /* report.c */
MUST_USE enum pawl_error wf_deploy(struct decide *decide);         /* deploy.c */
MUST_USE enum pawl_error wf_lease_lost(struct decide *decide);     /* lease.c */
MUST_USE enum pawl_error wf_dispatch_ready(struct decide *decide); /* step.c */
/* What an earlier decision on this request has kept, if there is one. */
MUST_USE enum pawl_error wf_request_find(struct decide *decide, struct request_row *row_out,
                                         bool *is_known_out);
/* Keep it; the row's kind is filled in. */
MUST_USE enum pawl_error wf_request_keep(struct decide *decide, struct request_row *row);

#endif
