#include "client/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "proto/limits.h"

enum { CONCURRENCY_DEFAULT = 16, THREADS_DEFAULT_MAX = 16, THREADS_MAX = 1024 };

/* What the cluster is told of the worker; made on the caller's thread, said on the library's. */
struct notice {
    struct submission submission;
    struct pawl_worker *worker; /* holds a reference */
    uint32_t credit;
    bool is_goodbye;
};

/* References */

static void worker_destroy(struct pawl_worker *worker)
{
    for (size_t i = 0; i < worker->handler_count; i++)
        free(worker->handlers[i].type);
    free(worker->handlers);
    free(worker->threads);
    pthread_cond_destroy(&worker->work);
    pthread_cond_destroy(&worker->idle);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

static void worker_hold(struct pawl_worker *worker)
{
    atomic_fetch_add(&worker->reference_count, 1);
}

void worker_release(struct pawl_worker *worker)
{
    uint32_t before = atomic_fetch_sub(&worker->reference_count, 1);
    assert(before > 0);
    if (before == 1)
        worker_destroy(worker);
}

void worker_orphan(struct pawl_worker *worker)
{
    if (worker == NULL)
        return;
    pthread_mutex_lock(&worker->mutex);
    worker->pawl = NULL;
    pthread_cond_broadcast(&worker->idle);
    pthread_mutex_unlock(&worker->mutex);
}

/* Making */

static void worker_init(struct pawl_worker *worker, struct pawl *pawl,
                        const struct pawl_worker_options *options)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->work, NULL);
    pthread_cond_init(&worker->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    worker->pawl = pawl;
    atomic_init(&worker->reference_count, 1);
    worker->concurrency = options->concurrency != 0 ? options->concurrency : CONCURRENCY_DEFAULT;
    worker->is_inline = options->is_inline;
    worker->thread_count = options->threads;
    if (options->threads == 0)
        worker->thread_count =
            worker->concurrency < THREADS_DEFAULT_MAX ? worker->concurrency : THREADS_DEFAULT_MAX;
    if (options->is_inline)
        worker->thread_count = 0;
}

static enum pawl_error worker_options_check(const struct pawl_worker_options *options,
                                            struct pawl_diag *diag)
{
    if (options->size < sizeof *options)
        return diag_fail(diag, PAWL_E_INVALID, "pawl_worker_options.size is not set");
    if (options->concurrency > SESSION_CREDIT_MAX)
        return diag_fail(diag, PAWL_E_LIMIT, "at most %d steps at once", SESSION_CREDIT_MAX);
    if (options->threads > THREADS_MAX)
        return diag_fail(diag, PAWL_E_LIMIT, "at most %d threads", THREADS_MAX);
    return PAWL_OK;
}

enum pawl_error pawl_worker_new(struct pawl *pawl, const struct pawl_worker_options *given,
                                struct pawl_worker **worker_out, struct pawl_diag *diag)
{
    struct pawl_worker_options options = {.size = sizeof options};
    if (given != NULL) {
        TRY(worker_options_check(given, diag));
        options = *given;
    }
    if (handle_enter(pawl) != PAWL_OK)
        return diag_fail(diag, PAWL_E_CLOSED, "the handle belongs to the parent process");
    struct pawl_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for a worker");
    worker_init(worker, pawl, &options);
    pthread_mutex_lock(&pawl->mutex);
    bool is_first = pawl->worker == NULL;
    if (is_first)
        pawl->worker = worker;
    pthread_mutex_unlock(&pawl->mutex);
    if (!is_first) {
        worker_destroy(worker);
        return diag_fail(diag, PAWL_E_EXISTS, "the handle has a worker already");
    }
    *worker_out = worker;
    return PAWL_OK;
}

static const struct handler *handler_find(const struct pawl_worker *worker, struct bytes type)
{
    for (size_t i = 0; i < worker->handler_count; i++)
        if (bytes_equal(bytes_string(worker->handlers[i].type), type))
            return &worker->handlers[i];
    return NULL;
}

static enum pawl_error handler_check(const struct pawl_worker *worker, const char *type,
                                     pawl_handler handler, struct pawl_diag *diag)
{
    struct bytes name = bytes_string(type);
    if (worker->state != WORKER_NEW)
        return diag_fail(diag, PAWL_E_CONFLICT, "the worker was started already");
    if (handler == NULL || name.size == 0 || name.size > NAME_BYTES_MAX || !utf8_is_valid(name))
        return diag_fail(diag, PAWL_E_INVALID,
                         "a step type is 1 to %d bytes of text and has a handler", NAME_BYTES_MAX);
    if (handler_find(worker, name) != NULL)
        return diag_fail(diag, PAWL_E_EXISTS, "%s has a handler already", type);
    if (worker->handler_count == SESSION_TYPES_MAX)
        return diag_fail(diag, PAWL_E_LIMIT, "at most %d step types", SESSION_TYPES_MAX);
    return PAWL_OK;
}

enum pawl_error pawl_worker_handle(struct pawl_worker *worker, const char *type,
                                   pawl_handler handler, void *user, struct pawl_diag *diag)
{
    TRY(handler_check(worker, type, handler, diag));
    struct handler *handlers =
        realloc(worker->handlers, (worker->handler_count + 1) * sizeof *handlers);
    if (handlers == NULL)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for a handler");
    worker->handlers = handlers;
    char *name = strdup(type);
    if (name == NULL)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for a handler");
    handlers[worker->handler_count++] =
        (struct handler){.type = name, .run = handler, .user = user};
    return PAWL_OK;
}

void pawl_worker_on_acknowledged(struct pawl_worker *worker, pawl_acknowledged acknowledged,
                                 void *user)
{
    worker->acknowledged = acknowledged;
    worker->acknowledged_user = user;
}

/* Telling the cluster */

static void goodbye_said(struct pawl_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->is_leave_taken = true;
    pthread_cond_broadcast(&worker->idle);
    pthread_mutex_unlock(&worker->mutex);
}

static void notice_run(struct pawl *pawl, struct submission *submission)
{
    struct notice *notice = (struct notice *)submission;
    struct pawl_worker *worker = notice->worker;
    struct client_input input = {.kind = CLIENT_IN_GOODBYE};
    struct bytes types[SESSION_TYPES_MAX];
    if (!notice->is_goodbye) {
        input.kind = CLIENT_IN_WORKER;
        for (size_t i = 0; i < worker->handler_count; i++)
            types[i] = bytes_string(worker->handlers[i].type);
        input.worker.types = types;
        input.worker.type_count = worker->handler_count;
        input.worker.credit = notice->credit;
    }
    (void)handle_step(pawl, input);
    if (notice->is_goodbye)
        goodbye_said(worker);
    worker_release(worker);
    free(notice);
}

static enum pawl_error notice_send(struct pawl_worker *worker, uint32_t credit, bool is_goodbye)
{
    struct notice *notice = malloc(sizeof *notice);
    if (notice == NULL)
        return PAWL_E_NO_MEMORY;
    *notice = (struct notice){
        .submission.run = notice_run, .worker = worker, .credit = credit, .is_goodbye = is_goodbye};
    worker_hold(worker);
    pthread_mutex_lock(&worker->mutex);
    bool is_taken = worker->pawl != NULL && handle_enter(worker->pawl) == PAWL_OK &&
                    handle_submit(worker->pawl, &notice->submission);
    pthread_mutex_unlock(&worker->mutex);
    if (is_taken)
        return PAWL_OK;
    worker_release(worker);
    free(notice);
    return PAWL_E_CLOSED;
}

/* Running */

void worker_task_gone(struct pawl_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    assert(worker->running_count > 0);
    worker->running_count--;
    if (worker->running_count == 0)
        pthread_cond_broadcast(&worker->idle);
    pthread_mutex_unlock(&worker->mutex);
}

/* False: the threads are ending. */
static bool worker_queue(struct pawl_worker *worker, struct pawl_task *task)
{
    pthread_mutex_lock(&worker->mutex);
    bool is_taken = !worker->is_ending;
    worker->running_count += is_taken;
    if (is_taken && !worker->is_inline) {
        if (worker->last != NULL)
            worker->last->next = task;
        else
            worker->first = task;
        worker->last = task;
    }
    pthread_mutex_unlock(&worker->mutex);
    if (is_taken && !worker->is_inline)
        pthread_cond_signal(&worker->work);
    return is_taken;
}

/* A hand-out that cannot be run is no longer held: it comes again after the next attach. */
struct drop {
    struct submission submission;
    struct msg_fence fence;
};

static void drop_run(struct pawl *pawl, struct submission *submission)
{
    struct drop *drop = (struct drop *)submission;
    (void)handle_step(pawl, (struct client_input){.kind = CLIENT_IN_DROP, .fence = drop->fence});
    free(drop);
}

static void handout_drop(struct pawl *pawl, const struct msg_handout *handout)
{
    struct drop *drop = malloc(sizeof *drop);
    if (drop == NULL)
        return; /* it stays held, and its lease ends with the session */
    *drop = (struct drop){.submission.run = drop_run, .fence = handout->fence};
    if (!handle_submit(pawl, &drop->submission))
        free(drop);
}

/* False: no handler, no memory, or no more threads. */
static bool worker_give(struct pawl_worker *worker, const struct msg_handout *handout)
{
    const struct handler *handler = handler_find(worker, handout->type);
    struct pawl_task *task = handler != NULL ? task_new(worker, handler, handout) : NULL;
    if (task == NULL)
        return false;
    worker_hold(worker); /* the task's */
    if (!worker_queue(worker, task)) {
        task_release(task);
        task_release(task);
        return false;
    }
    if (worker->is_inline)
        task_run(task);
    return true;
}

void worker_take(struct pawl *pawl, const struct msg_handout *handout)
{
    pthread_mutex_lock(&pawl->mutex);
    struct pawl_worker *worker = pawl->worker;
    if (worker != NULL)
        worker_hold(worker);
    pthread_mutex_unlock(&pawl->mutex);
    bool is_taken = worker != NULL && worker_give(worker, handout);
    if (worker != NULL)
        worker_release(worker);
    if (!is_taken)
        handout_drop(pawl, handout);
}

static struct pawl_task *task_next(struct pawl_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    while (worker->first == NULL && !worker->is_ending)
        pthread_cond_wait(&worker->work, &worker->mutex);
    struct pawl_task *task = worker->first;
    if (task != NULL) {
        worker->first = task->next;
        if (worker->first == NULL)
            worker->last = NULL;
    }
    pthread_mutex_unlock(&worker->mutex);
    return task;
}

static void *worker_run(void *self)
{
    struct pawl_worker *worker = self;
    for (struct pawl_task *task; (task = task_next(worker)) != NULL;)
        task_run(task);
    return NULL;
}

/* Starting and stopping */

static void threads_end(struct pawl_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->is_ending = true;
    pthread_cond_broadcast(&worker->work);
    pthread_mutex_unlock(&worker->mutex);
    for (size_t i = 0; i < worker->started_count; i++)
        pthread_join(worker->threads[i], NULL);
    worker->started_count = 0;
}

/* Signals belong to the program, so the threads of the pool take none. */
static bool threads_start(struct pawl_worker *worker)
{
    sigset_t all, before;
    worker->threads = calloc(worker->thread_count + 1, sizeof *worker->threads);
    if (worker->threads == NULL)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (worker->started_count < worker->thread_count &&
           pthread_create(&worker->threads[worker->started_count], NULL, worker_run, worker) == 0)
        worker->started_count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return worker->started_count == worker->thread_count;
}

enum pawl_error pawl_worker_start(struct pawl_worker *worker, struct pawl_diag *diag)
{
    if (worker->state != WORKER_NEW)
        return diag_fail(diag, PAWL_E_CONFLICT, "the worker was started already");
    if (worker->handler_count == 0)
        return diag_fail(diag, PAWL_E_INVALID, "the worker has no handler");
    if (!threads_start(worker)) {
        threads_end(worker);
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no threads for the worker");
    }
    worker->state = WORKER_STARTED;
    enum pawl_error error = notice_send(worker, worker->concurrency, false);
    return error == PAWL_OK ? error : diag_fail(diag, error, "the handle cannot take the worker");
}

static struct timespec deadline_after(uint32_t timeout_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* Wait until `is_true` of the worker or until it is orphaned. False: the time is up. */
static bool worker_wait(struct pawl_worker *worker, bool (*is_true)(const struct pawl_worker *),
                        const struct timespec *deadline)
{
    int result = 0;
    pthread_mutex_lock(&worker->mutex);
    while (!is_true(worker) && worker->pawl != NULL && result != ETIMEDOUT)
        result = deadline == NULL ? pthread_cond_wait(&worker->idle, &worker->mutex)
                                  : pthread_cond_timedwait(&worker->idle, &worker->mutex, deadline);
    bool is_so = is_true(worker);
    pthread_mutex_unlock(&worker->mutex);
    return is_so;
}

static bool is_idle(const struct pawl_worker *worker)
{
    return worker->running_count == 0;
}

static bool has_left(const struct pawl_worker *worker)
{
    return worker->is_leave_taken;
}

enum pawl_error pawl_worker_stop(struct pawl_worker *worker, uint32_t timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    if (worker->state != WORKER_STARTED)
        return PAWL_OK;
    worker->state = WORKER_STOPPED;
    TRY(notice_send(worker, 0, false));
    bool is_drained = worker_wait(worker, is_idle, timeout_ms == 0 ? NULL : &deadline);
    TRY(notice_send(worker, 0, true));
    (void)worker_wait(worker, has_left, NULL);
    return is_drained ? PAWL_OK : PAWL_E_TIMEOUT;
}

void pawl_worker_free(struct pawl_worker *worker)
{
    if (worker == NULL)
        return;
    (void)pawl_worker_stop(worker, 1);
    pthread_mutex_lock(&worker->mutex);
    struct pawl *pawl = worker->pawl;
    pthread_mutex_unlock(&worker->mutex);
    if (pawl != NULL && handle_enter(pawl) == PAWL_OK) {
        pthread_mutex_lock(&pawl->mutex);
        pawl->worker = NULL;
        pthread_mutex_unlock(&pawl->mutex);
    }
    threads_end(worker);
    pthread_mutex_lock(&worker->mutex);
    worker->pawl = NULL;
    pthread_mutex_unlock(&worker->mutex);
    worker_release(worker);
}
