/* The engine: wf_decide(view, command, context) -> decision. Everything a workflow ever does is
 * decided here.
 *
 * 1. Pure: rows are read through the view, time and randomness arrive in the context, and the same
 * arguments give the same bytes. The struct engine only caches compiled definitions, which rows
 * hold.
 * 2. A decision is events (journal rows) and writes (whole new rows) together with the answer and
 * the hand-outs that leave when it is committed. A rejection writes nothing.
 * 3. A decide that meets a row the view does not hold returns PAWL_E_NOT_LOADED without a trace;
 * the view knows what was missing; it is decided afresh once that is loaded.
 * 4. A decision is valid at exactly context.term and context.index.
 * 5. Fuel bounds the work. A task whose expressions run out of theirs faults; a decide that runs
 *    out at a task boundary records a CONTINUE timer due now.
 */
#ifndef PAWL_WORKFLOW_ENGINE_H
#define PAWL_WORKFLOW_ENGINE_H

#include "proto/client_messages.h"
#include "proto/rows.h"
#include "workflow/dispatch.h"

struct engine;

struct engine *engine_new(void); /* NULL: no memory */
void engine_free(struct engine *engine);

enum command_kind {
    CMD_START = 1,
    CMD_STEP_REPORT, /* completed or failed, by the worker that holds it */
    CMD_DEPLOY,
    CMD_TIMER_FIRE, /* internal: the first timer is due */
    CMD_LEASE_LOST, /* internal: the session of a hand-out is gone */
    CMD_DISPATCH,   /* internal: hand out ready steps of a type to sessions with credit */
    CMD_CLOCK_JUMP, /* internal: put on record that the cluster's clock has jumped forward */
};

struct command {
    enum command_kind kind;
    struct id128 request; /* mutating requests of clients */
    struct id128 session; /* whose request this is; none: internal */
    union {
        struct msg_start start;
        struct msg_report report;
        struct msg_deploy deploy;
        struct bytes timer_key; /* key of the row in TABLE_TIMER */
        struct {
            struct id128 session;
            struct msg_fence fence;
        } lease;
        struct bytes type;
        uint64_t jump_us; /* how far */
    };
};

/* The run a command is about, so that the commands of a run keep their order; none when it names no
 * run. */
struct id128 command_run(const struct command *command);

struct command_context {
    uint64_t now_us; /* cluster clock, microseconds since 1970 UTC */
    uint32_t partition;
    uint64_t term, index; /* of the entry this decision will be */
    uint64_t seed[2];     /* fresh random bits: ids and jitter are drawn from them */
    const struct dispatch *dispatch;
    struct arena *arena; /* everything the decision points to */
};

struct decision_handout {
    struct id128 session;
    struct msg_handout handout;
};

struct decision {
    enum pawl_error rejection; /* PAWL_OK: accepted, or a repeated answer */
    struct pawl_diag diag;     /* detail of a rejection */
    struct bytes answer;       /* value; for the caller */
    struct row_write *writes;  /* journal rows included; none: a rejection or a repeated answer */
    size_t write_count;
    struct decision_handout *handouts; /* to send after commit */
    size_t handout_count;
    struct decision_release { /* hand-outs that ended: their sessions have a slot back */
        struct id128 session;
        struct msg_fence fence;
    } * releases;
    size_t release_count;
    struct bytes *readied; /* types of steps that now wait for a worker */
    size_t readied_count;
    struct id128 *closed; /* runs that ended in this decision */
    size_t closed_count;
    bool has_more; /* CMD_DISPATCH: more steps of the type may be ready */
    struct dispatch_draft draft;
};

/* Decide one command. PAWL_OK: decision_out is filled, rejections included. PAWL_E_NOT_LOADED:
 * see 3. PAWL_E_NO_MEMORY: nothing happened; the caller rejects the command. */
MUST_USE enum pawl_error wf_decide(struct engine *engine, const struct view *view,
                                   const struct command *command,
                                   const struct command_context *context,
                                   struct decision *decision_out);

/* Answer a read over a view: SHOW, LIST, HISTORY, RESULT, DEFINITION_LIST, DEFINITION_SHOW. body is
 * the encoded message of kind. answer_out is a value in the arena. PAWL_E_NOT_LOADED as above (LIST
 * and HISTORY want a snapshot's view). RESULT of a run that has not ended: PAWL_E_NOT_READY, and
 * run_out says which to wait for. RESULT of a run that ended in a fault: PAWL_E_WORKFLOW_FAILED
 * with the fault as the answer. Others: PAWL_E_NOT_FOUND, PAWL_E_INVALID, ... */
MUST_USE enum pawl_error wf_query(struct engine *engine, const struct view *view,
                                  enum request_kind kind, struct bytes body, struct arena *arena,
                                  struct bytes *answer_out, struct id128 *run_out,
                                  struct pawl_diag *diag);

/* The hand-out recorded for a step, rebuilt from rows: for a session that never received it.
 * PAWL_E_NOT_FOUND: the step is not out under this fence any more. PAWL_E_NOT_LOADED. */
MUST_USE enum pawl_error wf_handout(const struct view *view, struct id128 session,
                                    const struct msg_fence *fence, struct arena *arena,
                                    struct msg_handout *handout_out);

/* Keys of the tables that the replica reads by itself. */
uint64_t timer_key_due_us(struct bytes key);
/* The run whose timer it is, the key of its header. False: a timer of no run. */
bool timer_key_run(struct bytes key, struct id128 *run_out);
/* Split a key of TABLE_HANDOUT. False: not such a key. */
bool handout_key_parse(struct bytes key, struct id128 *session_out, struct msg_fence *fence_out);
/* The prefix of a session's rows in TABLE_HANDOUT: 16 bytes. */
struct bytes handout_key_prefix(const struct id128 *session);

/* Assert every invariant of one run's rows; debug and simulation builds. The view must hold them
 * all. */
void wf_check(const struct view *view, struct id128 run);

#endif
