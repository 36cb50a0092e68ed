/* libpawl: starting workflows, asking about them, and working for them, from any program.
 *
 * 1. A handle (struct pawl) is one session: it keeps connections to the cluster, follows the leader
 *    and retries by itself. All calls may come from any thread. One handle is enough for a process.
 * 2. Everything can be asked in two ways: the plain call waits for its answer; the _async call
 *    returns at once and hands the answer to a callback on the library's thread, where nothing may
 *    block.
 * 3. A call is retried inside the library until it is answered or its time is up, always under the
 *    same request id, so it takes effect at most once. The error says which of three happened:
 *    pawl_error_outcome().
 * 4. A struct of options begins with its size: set it to sizeof, zero the rest, and newer libraries
 *    stay compatible.
 * 5. The library never prints, logs, exits, takes signals or keeps globals. In a forked child every
 *    call is PAWL_E_CLOSED.
 * 6. Payloads are JSON text or one msgpack value; nothing is guessed.
 *
 * Errors that any call may have: PAWL_E_INVALID (a wrong argument), PAWL_E_NO_MEMORY,
 * PAWL_E_CLOSED, PAWL_E_TIMEOUT, PAWL_E_NO_LEADER, PAWL_E_BUSY. diag may always be NULL.
 */
#ifndef PAWL_H
#define PAWL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "proto/error.h"

struct pawl;
struct pawl_answer;
struct pawl_worker;
struct pawl_task;

/* The handle */

struct pawl_options {
    size_t size;
    const char *nodes;          /* "host:port,host:port"; one is enough; NULL: "127.0.0.1:4770" */
    const char *namespace_name; /* NULL: "default" */
    const char *name;           /* of this program, for people; NULL: none */
    uint32_t timeout_ms;        /* of calls that name none; 0: 30000 */
};

/* Begins to connect in the background; succeeds also while no node can be reached. PAWL_E_INVALID:
 * the nodes are no addresses. options NULL: all defaults. */
MUST_USE enum pawl_error pawl_open(const struct pawl_options *options, struct pawl **pawl_out,
                                   struct pawl_diag *diag);
/* What still waits is answered PAWL_E_CANCELLED. Stop and free the worker first. Not in a callback.
 * NULL is nothing. */
void pawl_close(struct pawl *pawl);

/* Answers */

/* Borrowed by a callback for its duration; from a plain call it is the caller's, to be given to
 * pawl_answer_free. */
enum pawl_error pawl_answer_error(const struct pawl_answer *answer);
/* What happened, for people; "" when there is nothing to say. */
const char *pawl_answer_detail(const struct pawl_answer *answer);
/* The log index as of which the answer holds. */
uint64_t pawl_answer_index(const struct pawl_answer *answer);
/* The whole answer as compact JSON text; NULL: no memory. Lives as long as the answer. */
const char *pawl_answer_json(struct pawl_answer *answer);
/* The whole answer as one msgpack value; size_out may be 0 when there is none. */
const void *pawl_answer_msgpack(const struct pawl_answer *answer, size_t *size_out);
/* The string at a key of the answer; NULL: no such key, no string or no memory. Lives as long as
 * the answer. */
const char *pawl_answer_text(struct pawl_answer *answer, const char *key);
void pawl_answer_free(struct pawl_answer *answer);

typedef void (*pawl_answered)(struct pawl_answer *answer, void *user);

/* Calls. A plain call returns the answer's error; *answer_out (may be NULL) is set whenever there
 * is an answer, also one that says no, and is NULL otherwise. An _async call that fails has not
 * been made, and its callback is not called. */

enum pawl_on_conflict { PAWL_CONFLICT_FAIL, PAWL_CONFLICT_USE_EXISTING, PAWL_CONFLICT_TERMINATE };
enum pawl_on_reuse { PAWL_REUSE_ALLOW, PAWL_REUSE_ALLOW_IF_FAILED, PAWL_REUSE_REJECT };

struct pawl_start {
    size_t size;
    const char *definition;
    const char *version;       /* NULL: the newest */
    const char *workflow_id;   /* NULL: drawn */
    const char *request_id;    /* a UUID, to try an earlier start again; NULL: drawn */
    const char *input_json;    /* NULL: see input_msgpack */
    const void *input_msgpack; /* NULL, with input_json NULL: no input */
    size_t input_msgpack_bytes;
    enum pawl_on_conflict on_conflict; /* when the workflow id runs */
    enum pawl_on_reuse on_reuse;       /* when the workflow id has ended */
    uint32_t timeout_ms;               /* 0: the handle's */
};

/* Start a workflow. Answer: run, workflowId, existing. PAWL_E_NOT_FOUND: no such definition.
 * PAWL_E_EXISTS, PAWL_E_CONFLICT: the policies say no. */
enum pawl_error pawl_start(struct pawl *pawl, const struct pawl_start *start,
                           struct pawl_answer **answer_out, struct pawl_diag *diag);
MUST_USE enum pawl_error pawl_start_async(struct pawl *pawl, const struct pawl_start *start,
                                          pawl_answered answered, void *user,
                                          struct pawl_diag *diag);

/* Which workflow: the newest run of an id, or exactly one run. */
struct pawl_target {
    size_t size;
    const char *workflow_id;
    const char *run;     /* a UUID */
    uint32_t timeout_ms; /* 0: the handle's; for results: no limit */
};

/* The instance as it is now. PAWL_E_NOT_FOUND. */
enum pawl_error pawl_show(struct pawl *pawl, const struct pawl_target *target,
                          struct pawl_answer **answer_out, struct pawl_diag *diag);
MUST_USE enum pawl_error pawl_show_async(struct pawl *pawl, const struct pawl_target *target,
                                         pawl_answered answered, void *user,
                                         struct pawl_diag *diag);
/* Its events. */
enum pawl_error pawl_history(struct pawl *pawl, const struct pawl_target *target,
                             struct pawl_answer **answer_out, struct pawl_diag *diag);
MUST_USE enum pawl_error pawl_history_async(struct pawl *pawl, const struct pawl_target *target,
                                            pawl_answered answered, void *user,
                                            struct pawl_diag *diag);
/* Its end, waiting for it. PAWL_E_WORKFLOW_FAILED: it ended in a fault. */
enum pawl_error pawl_result(struct pawl *pawl, const struct pawl_target *target,
                            struct pawl_answer **answer_out, struct pawl_diag *diag);
MUST_USE enum pawl_error pawl_result_async(struct pawl *pawl, const struct pawl_target *target,
                                           pawl_answered answered, void *user,
                                           struct pawl_diag *diag);

struct pawl_list {
    size_t size;
    const char *definition; /* NULL: all */
    const char *status;     /* NULL: all */
    uint32_t limit;         /* 0: 50; at most 1000; a page may hold fewer though `next` says more */
    const void *after;      /* `next` of the page before */
    size_t after_bytes;
    uint32_t timeout_ms;
};

/* Instances. Answer: instances, next. list NULL: the first page of all. */
enum pawl_error pawl_list(struct pawl *pawl, const struct pawl_list *list,
                          struct pawl_answer **answer_out, struct pawl_diag *diag);
MUST_USE enum pawl_error pawl_list_async(struct pawl *pawl, const struct pawl_list *list,
                                         pawl_answered answered, void *user,
                                         struct pawl_diag *diag);
/* Definitions. Answer: definitions. */
enum pawl_error pawl_definition_list(struct pawl *pawl, const struct pawl_list *list,
                                     struct pawl_answer **answer_out, struct pawl_diag *diag);
/* One definition; version NULL: the newest. */
enum pawl_error pawl_definition_show(struct pawl *pawl, const char *name, const char *version,
                                     struct pawl_answer **answer_out, struct pawl_diag *diag);
/* Deploy a definition, YAML or JSON text. Answer: namespace, name, version, existing, warnings. */
enum pawl_error pawl_deploy(struct pawl *pawl, const char *source, struct pawl_answer **answer_out,
                            struct pawl_diag *diag);
/* What one node knows of itself and its cluster; needs no leader. */
enum pawl_error pawl_status(struct pawl *pawl, struct pawl_answer **answer_out,
                            struct pawl_diag *diag);
/* Make a cluster of the nodes with these peer addresses; sent to one of them. Doing it again is
 * harmless. */
enum pawl_error pawl_init(struct pawl *pawl, const char *const *peers, size_t peer_count,
                          struct pawl_answer **answer_out, struct pawl_diag *diag);

/* Working */

struct pawl_worker_options {
    size_t size;
    uint32_t concurrency; /* steps at once, detached ones included; 0: 16; at most 4096 */
    uint32_t threads;     /* that run handlers; 0: one for each step at once, at most 16 */
    bool is_inline;       /* handlers run on the library's thread and never block; no threads */
};

enum pawl_task_state {
    PAWL_TASK_DONE,     /* completed or failed in the handler; else it fails */
    PAWL_TASK_DETACHED, /* will be completed or failed later, by any thread */
};

typedef enum pawl_task_state (*pawl_handler)(struct pawl_task *task, void *user);
/* A report was answered: PAWL_OK, it counts; PAWL_E_STALE, the step had ended or was handed out
 * again; or another error of the list. On the library's thread. */
typedef void (*pawl_acknowledged)(const struct pawl_task *task, enum pawl_error error, void *user);

/* One worker for each handle. PAWL_E_EXISTS: it has one. */
MUST_USE enum pawl_error pawl_worker_new(struct pawl *pawl,
                                         const struct pawl_worker_options *options,
                                         struct pawl_worker **worker_out, struct pawl_diag *diag);
/* Before the start: serve a step type, at most 64. PAWL_E_EXISTS: it has a handler. */
MUST_USE enum pawl_error pawl_worker_handle(struct pawl_worker *worker, const char *type,
                                            pawl_handler handler, void *user,
                                            struct pawl_diag *diag);
/* Before the start. */
void pawl_worker_on_acknowledged(struct pawl_worker *worker, pawl_acknowledged acknowledged,
                                 void *user);
MUST_USE enum pawl_error pawl_worker_start(struct pawl_worker *worker, struct pawl_diag *diag);
/* Take nothing new, wait until everything that runs is reported and acknowledged, and take leave of
 * the cluster. PAWL_E_TIMEOUT: something still runs; leave is taken all the same, and its report
 * will be STALE. Not in a handler. timeout_ms 0: no limit. */
enum pawl_error pawl_worker_stop(struct pawl_worker *worker, uint32_t timeout_ms);
/* Stops at once if need be, and waits for handlers that run. Detached tasks stay valid until they
 * are completed. Not in a handler. NULL is nothing. */
void pawl_worker_free(struct pawl_worker *worker);

/* The fence of a hand-out: give it to the resource that the step changes, so that it can refuse
 * older ones. It rises in (term, index, ordinal). */
struct pawl_fence {
    uint32_t partition;
    uint64_t term;
    uint64_t index;
    uint32_t ordinal;
};

/* Views that live as long as the task. */
const char *pawl_task_type(const struct pawl_task *task);
const char *pawl_task_namespace(const struct pawl_task *task);
const char *pawl_task_workflow_id(const struct pawl_task *task);
const char *pawl_task_run(const struct pawl_task *task); /* a UUID */
uint32_t pawl_task_step(const struct pawl_task *task);
uint32_t pawl_task_attempt(const struct pawl_task *task); /* from 1 */
struct pawl_fence pawl_task_fence(const struct pawl_task *task);
const char *pawl_task_fence_text(const struct pawl_task *task); /* "partition-term-index-ordinal" */
/* The same over all attempts of the step. */
const char *pawl_task_idempotency_key(const struct pawl_task *task);
/* Milliseconds since 1970 UTC, cluster clock; 0: none. */
uint64_t pawl_task_deadline_ms(const struct pawl_task *task);
/* The arguments. NULL: no memory. One thread at a time. */
const char *pawl_task_input_json(struct pawl_task *task);
const void *pawl_task_input_msgpack(const struct pawl_task *task, size_t *size_out);

/* End a task, from any thread, once. After success the task must not be used any more, but by its
 * handler until that returns. PAWL_E_INVALID: the output is not JSON or msgpack; PAWL_E_LIMIT: it
 * is too large; the task is still open then. PAWL_E_CONFLICT: it has ended already. PAWL_E_CLOSED:
 * the handle is closed; the task is gone. */
enum pawl_error pawl_task_complete_json(struct pawl_task *task, const char *output,
                                        struct pawl_diag *diag);
enum pawl_error pawl_task_complete_msgpack(struct pawl_task *task, const void *output, size_t size,
                                           struct pawl_diag *diag);
/* type: a URI or the last segment of a standard one ("communication"), NULL: "runtime"; status:
 * HTTP-like, 0: the type's own; is_final: no retry, whatever the policy says. */
enum pawl_error pawl_task_fail(struct pawl_task *task, const char *type, uint32_t status,
                               const char *detail, bool is_final);

#ifdef __cplusplus
}
#endif

#endif
