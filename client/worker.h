/* The worker: handlers for step types, the threads that run them, and the tasks that are out.
 *
 * 1. A task counts as running from the hand-out until its report is answered; stopping waits for
 *    that.
 * 2. A worker outlives pawl_worker_free while tasks are open: each holds a reference to it.
 * 3. Locks: the worker's mutex, then the handle's.
 */
#ifndef PAWL_CLIENT_WORKER_H
#define PAWL_CLIENT_WORKER_H

#include "client/handle.h"

struct handler {
    char *type;
    pawl_handler run;
    void *user;
};

enum { FENCE_TEXT_BYTES = 10 + 20 + 20 + 10 + 3 + 1 }; /* four numbers and what parts them */

enum worker_state { WORKER_NEW, WORKER_STARTED, WORKER_STOPPED };

struct pawl_worker {
    pthread_mutex_t mutex;
    pthread_cond_t work; /* tasks wait, or the end of the threads */
    pthread_cond_t idle; /* running_count fell to 0, or leave was taken */
    struct pawl *pawl;   /* NULL: closed, or the worker was freed */
    enum worker_state state;
    _Atomic uint32_t reference_count;
    uint32_t running_count;
    struct pawl_task *first, *last; /* wait for a thread */
    bool is_ending;                 /* the threads */
    bool is_leave_taken;

    /* Unchanged once started. */
    struct handler *handlers;
    size_t handler_count;
    uint32_t concurrency;
    pthread_t *threads;
    size_t thread_count, started_count;
    bool is_inline;
    pawl_acknowledged acknowledged;
    void *acknowledged_user;
};

struct pawl_task {
    struct call report; /* once it has ended */
    struct pawl_task *next;
    struct pawl_worker *worker;
    const struct handler *handler;
    _Atomic uint32_t reference_count; /* its handler, and its end */
    _Atomic bool is_ended;
    struct msg_handout handout; /* views into texts */
    char run[37];
    char fence[FENCE_TEXT_BYTES];
    const char *type, *namespace_name, *workflow_id, *idempotency_key;
    struct buffer input_json;
    char texts[]; /* the strings, each with its NUL, then the input */
};

/* On the library's thread. */
void worker_take(struct pawl *pawl, const struct msg_handout *handout);
/* The handle is closed. worker may be NULL. */
void worker_orphan(struct pawl_worker *worker);
void worker_release(struct pawl_worker *worker);
/* Its report was answered, or it was never given to a handler. */
void worker_task_gone(struct pawl_worker *worker);
/* Run the handler of a task, and see to its end. */
void task_run(struct pawl_task *task);
/* A copy of a hand-out, with two references; NULL: no memory. */
struct pawl_task *task_new(struct pawl_worker *worker, const struct handler *handler,
                           const struct msg_handout *handout);
void task_release(struct pawl_task *task);

#endif
