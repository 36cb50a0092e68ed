/* State: the rows of a run and their keys. README.md has the table of them.
 *
 * 1. Rows are messages of the codec: a field's number is never reused, absent fields are zero.
 * 2. Numbers of values, steps, timers, undos and incidents count from 1 within their run; 0 is
 * none.
 * 3. Tasks are named by their index in the run's definition, which never changes under a run.
 */
#ifndef PAWL_WORKFLOW_STATE_H
#define PAWL_WORKFLOW_STATE_H

#include "proto/client_messages.h"
#include "proto/rows.h"

enum run_status {
    RUN_RUNNING = 1,
    RUN_COMPLETED = 2,
    RUN_FAULTED = 3,
    RUN_TERMINATED = 4,
    RUN_PAUSED = 5, /* an incident waits for a person */
};

static inline bool run_status_is_open(uint8_t status)
{
    return status == RUN_RUNNING || status == RUN_PAUSED;
}

enum frame_phase {
    PHASE_BODY = 0,
    PHASE_CATCH = 1, /* of a try: its catch.do runs */
    PHASE_RETRY = 2, /* of a try: waits to run again */
};

/* A task that has begun and not ended. */
struct frame {
    uint32_t task;
    uint8_t phase;
    uint32_t raw_input, input, error; /* value numbers; 0: not kept, or nothing caught */
    uint64_t started_us;
    uint32_t loops;        /* backward jumps in its list since it, or its last retry, began */
    uint32_t retries;      /* of a try */
    uint32_t retried_step; /* of a try: the step whose failure made it run again */
    uint32_t undo_mark;    /* undos with higher numbers were captured inside it */
    uint64_t timeout_us;   /* due; with its timer's number */
    uint32_t timeout_timer;
    uint64_t attempt_us; /* limit of the attempt of a try */
    uint32_t attempt_timer;
};

enum token_state {
    TOKEN_ENTER = 1,   /* about to enter `task` with `value` */
    TOKEN_STEP = 2,    /* `step` is ready or out */
    TOKEN_WAIT = 3,    /* a wait task's timer runs */
    TOKEN_RETRY = 4,   /* the timer of a retry runs, of a try or of an undo */
    TOKEN_STOPPED = 5, /* an incident waits */
};

/* What a compensation is doing. */
struct undoing {
    bool is_on;
    bool is_for_fault; /* the run ends as faulted afterwards */
    bool has_scope;
    uint32_t scope;    /* task inside which things are undone */
    uint32_t mark;     /* undos with higher numbers */
    uint32_t undo;     /* that runs now; 0: none */
    uint32_t retries;  /* of it */
    uint64_t began_us; /* it */
    uint32_t count;    /* undone so far */
};

enum step_state {
    STEP_READY = 1,
    STEP_OUT = 2,
    STEP_COMPLETED = 3,
    STEP_FAILED = 4,
    STEP_ABANDONED = 5, /* timed out, lost, or its run ended */
};

/* A step: in the header while it is awaited, a row of TABLE_STEP once it has ended. That row leaves
 * out what only a hand-out needs, and what the definition says of the task. */
struct step_row {
    uint32_t task;
    struct bytes pointer; /* of the task; not in the row of a step that has ended */
    struct bytes visit;   /* which visit of the task, empty for "0": see visit.c */
    struct bytes type;    /* not in that row either */
    uint8_t state;
    bool is_at_most_once, is_undo;
    uint32_t attempt;  /* from 1 */
    uint32_t losses;   /* leases lost */
    uint64_t ready_us; /* since when it waits for a worker */
    uint64_t deadline_us;
    struct id128 session;          /* the last that had it */
    struct msg_fence fence;        /* of its newest hand-out; index 0: it was never out */
    struct bytes arguments;        /* value; gone once the step has ended, like the next */
    uint32_t arguments_value;      /* they are this value of the run; 0: they are in `arguments` */
    struct msg_fence report_fence; /* of the last accepted report; index 0: it is `fence` */
    uint8_t report_outcome;        /* of the last accepted report; 0: there is none */
    bool has_row;                  /* it has ended before, and is done again */
};

static inline bool step_was_out(const struct step_row *step)
{
    return step->fence.index != 0;
}

static inline struct msg_fence step_report_fence(const struct step_row *step)
{
    return step->report_fence.index != 0 ? step->report_fence : step->fence;
}

/* One position of a run; a run has one for now. */
struct token {
    uint8_t state;
    struct list frames; /* struct frame, outermost first; [0] is the workflow itself */
    uint32_t task;
    uint32_t value;
    uint32_t step;
    uint64_t due_us; /* of its timer: wait, retry or going on */
    uint32_t timer;
    struct undoing undoing;
    struct step_row awaited; /* `step` while it is ready or out; state 0: none is */
};

/* A value that a run receives, as its input or from a step, and that is larger is written once: it
 * lasts as long as the run. The journal and the steps that get it as it is name it. */
enum { VALUE_REPEATED_BYTES_MAX = 512 };

struct live_value {
    uint32_t number;
    uint32_t size;
    struct bytes inlined; /* the value, when it has no row of its own */
    bool is_lasting;
};

struct pending_undo {
    uint32_t number;
    uint32_t task;
    struct bytes visit; /* of the task, as in its row */
};

struct instance {
    uint8_t status;
    struct bytes namespace_name, definition, version;
    struct bytes workflow_id; /* left out of the row when `request` serves as one */
    bool is_unnamed;          /* it does; not in the row */
    struct id128 request;     /* that started it */
    uint64_t started_us, ended_us;
    uint64_t last_index; /* its newest journal record */
    uint32_t last_ordinal;
    uint32_t value_last, step_last, timer_last, undo_last, incident_last; /* numbers given so far */
    uint32_t undo_rounds;            /* compensations that undid something */
    uint32_t input, context, result; /* values; result: output or fault */
    struct list values;              /* struct live_value */
    struct list undos;               /* struct pending_undo, ascending */
    struct list tokens;              /* struct token */
};

struct undo_row {
    uint32_t task;
    struct bytes pointer, visit;
    struct bytes type;
    struct bytes arguments;
    uint64_t captured_us;
};

enum timer_kind {
    TIMER_WAIT = 1,
    TIMER_RETRY = 2,
    TIMER_TIMEOUT = 3, /* of the frame whose timer it is */
    TIMER_ATTEMPT = 4, /* of a try: this attempt took too long */
    TIMER_CONTINUE = 5,
    TIMER_REQUEST_EXPIRY = 6, /* the key names a request in place of a run */
};

struct timer_row {
    uint8_t kind;
};

struct workflow_row {
    struct id128 run; /* newest */
};

struct definition_row {
    struct bytes value;
    uint64_t deployed_us;
};

struct handout_row {
    struct id128 run;
    uint32_t step;
};

/* What answers a request that comes again. */
struct request_row {
    uint8_t kind;             /* enum command_kind */
    struct bytes answer;      /* DEPLOY */
    struct id128 run;         /* START */
    struct bytes workflow_id; /* START; empty: the request had to serve as one */
    bool is_existing;         /* START: the run was there before */
    /* START: `request` is the workflow id of the run in this namespace, and the row stays as long
     * as the run does; empty: it is not */
    struct bytes namespace_name;
};

struct incident_row {
    struct bytes kind; /* "compensation-exhausted", "instance-too-large" */
    struct bytes pointer;
    struct bytes detail;
    uint64_t raised_us;
    uint32_t step;
};

enum event_kind {
    EV_WORKFLOW_STARTED = 1,
    EV_WORKFLOW_COMPLETED,
    EV_WORKFLOW_FAULTED,
    EV_WORKFLOW_TERMINATED,
    EV_WORKFLOW_PAUSED,
    EV_TASK_COMPLETED, /* set, switch */
    EV_TASK_SKIPPED,
    EV_TASK_FAULTED,
    EV_FAULT_CAUGHT,
    EV_STEP_SCHEDULED,
    EV_STEP_HANDED_OUT,
    EV_STEP_COMPLETED,
    EV_STEP_FAILED,
    EV_STEP_ABANDONED,
    EV_LEASE_LOST,
    EV_REPORT_REJECTED,
    EV_WAIT_STARTED,
    EV_TIMER_FIRED,
    EV_RETRY_SCHEDULED,
    EV_DECISION_CONTINUED,
    EV_COMPENSATION_CAPTURED,
    EV_COMPENSATION_STARTED,
    EV_COMPENSATION_COMPLETED,
    EV_UNDO_COMPLETED,
    EV_UNDO_FAILED,
    EV_INCIDENT_RAISED,
    EV_DEFINITION_DEPLOYED,
    EV_CLOCK_JUMPED, /* of the cluster; run none */
    EV_COUNT,
};
/* "workflow-started" and so on. */
const char *event_name(uint8_t kind);

struct journal_event {
    uint8_t kind;
    bool is_same;      /* task, type, step and attempt are those of the event before it */
    struct bytes task; /* pointer */
    struct bytes type; /* step type */
    uint32_t step, attempt;
    struct msg_fence fence;
    struct id128 session;
    uint32_t value_number; /* output, fault or input: a value that lives as long as the run */
    struct bytes value;    /* any other */
    struct bytes detail;
    uint64_t due_us;
};

/* What one entry tells of one run. An event is known by the log index and the ordinal of its
 * record's key, and its place in the record. */
struct journal_record {
    struct id128 run; /* none: of the cluster */
    uint64_t time_us;
    uint64_t previous_index; /* the run's record before this one; 0: none */
    uint32_t previous_ordinal;
    struct list events; /* struct journal_event, as they happened */
};
/* How a run has ended: its header begins with it. */
struct ending {
    uint8_t status;
    uint32_t result;
    struct list values;
};

/* The step that an open run waits for, when it is this one; NULL: it is not. */
const struct step_row *awaited_step(const struct instance *row, uint32_t number);
/* A row of TABLE_INSTANCE, what it leaves out filled in. PAWL_E_CORRUPT, PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error instance_read(struct bytes value, struct arena *arena,
                                       struct instance *row_out);
/* A value that is in the header, of the values there; no bytes: it is not. */
struct bytes inlined_value(const struct list *values, uint32_t number);
/* A row of TABLE_JOURNAL, every event as it was noted. PAWL_E_CORRUPT, PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error journal_record_read(struct bytes value, struct arena *arena,
                                             struct journal_record *record_out);

extern const struct schema schema_instance, schema_ending, schema_step_row, schema_undo_row,
    schema_timer_row, schema_workflow_row, schema_definition_row, schema_handout_row,
    schema_request_row, schema_incident_row, schema_journal_record;

/* Keys, in the arena; no data: no memory. */
struct bytes key_definition(struct arena *arena, struct bytes namespace_name, struct bytes name,
                            struct bytes version); /* version empty: the prefix of all of them */
struct bytes key_name(struct arena *arena, struct bytes namespace_name, struct bytes name);
struct bytes key_run(struct arena *arena, struct id128 run);
struct bytes key_run_number(struct arena *arena, struct id128 run, uint32_t number);
struct bytes key_ready(struct arena *arena, struct bytes type, uint64_t ready_us, struct id128 run,
                       uint32_t step);
struct bytes key_ready_prefix(struct arena *arena, struct bytes type);
/* False: not a key of TABLE_READY. */
bool key_ready_parse(struct bytes key, struct id128 *run_out, uint32_t *step_out);
struct bytes key_handout(struct arena *arena, struct id128 session, const struct msg_fence *fence);
struct bytes key_timer(struct arena *arena, uint64_t due_us, struct id128 run, uint32_t number);
bool key_timer_parse(struct bytes key, uint64_t *due_out, struct id128 *run_out,
                     uint32_t *number_out);
struct bytes key_journal(struct arena *arena, uint64_t index, uint32_t ordinal);
/* The smallest key above every key that begins with prefix; empty: there is none. */
struct bytes key_end(struct arena *arena, struct bytes prefix);

static inline bool fence_equal(const struct msg_fence *a, const struct msg_fence *b)
{
    return a->partition == b->partition && a->term == b->term && a->index == b->index &&
           a->ordinal == b->ordinal;
}

#endif
