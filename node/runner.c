#include "node/runner.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "node/say.h"

enum { LOG_GROUP_MAX = 256, LOG_GROUP_BYTES = 8 << 20, FULL_WAIT_MS = 200, EXIT_DISK_FAILED = 70 };

/* A queue of jobs and the thread that empties it. */
struct lane {
    struct runner *runner;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t has_jobs;
    struct job *first, **last_next;
    bool is_stopping;
    bool is_started;
};

struct runner {
    struct runner_options options;
    struct engine *engine;               /* of queries */
    struct lane log, store, load, query; /* a decision's load never stands behind a query */
    pthread_mutex_t done_mutex;
    struct job *done, **done_last_next;
    int done_fd; /* a semaphore: written once when done is filled, read once when it is taken */
};

/* ---- lanes ---- */

static void free_jobs(struct job *jobs)
{
    while (jobs != NULL) {
        struct job *next = jobs->next;
        job_free(jobs);
        jobs = next;
    }
}

static void lane_put(struct lane *lane, struct job *job)
{
    pthread_mutex_lock(&lane->mutex);
    job->next = NULL;
    if (lane->first == NULL)
        lane->last_next = &lane->first;
    *lane->last_next = job;
    lane->last_next = &job->next;
    pthread_mutex_unlock(&lane->mutex);
    pthread_cond_signal(&lane->has_jobs); /* not before: it would only wait for the mutex */
}

/* All jobs that wait; NULL: the lane stops and none is left. */
static struct job *lane_take(struct lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    while (lane->first == NULL && !lane->is_stopping)
        pthread_cond_wait(&lane->has_jobs, &lane->mutex);
    struct job *jobs = lane->first;
    lane->first = NULL;
    pthread_mutex_unlock(&lane->mutex);
    return jobs;
}

static bool lane_is_stopping(struct lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    const bool is_stopping = lane->is_stopping;
    pthread_mutex_unlock(&lane->mutex);
    return is_stopping;
}

static void finish(struct runner *runner, struct job *const *jobs, size_t count)
{
    if (count == 0) /* nothing to take must not be told: nobody would read it */
        return;
    pthread_mutex_lock(&runner->done_mutex);
    const bool was_empty = runner->done == NULL;
    if (was_empty)
        runner->done_last_next = &runner->done;
    for (size_t i = 0; i < count; i++) {
        jobs[i]->next = NULL;
        *runner->done_last_next = jobs[i];
        runner->done_last_next = &jobs[i]->next;
    }
    pthread_mutex_unlock(&runner->done_mutex);
    if (!was_empty)
        return;
    /* Not before: who is woken would only wait for the mutex. */
    const ssize_t written = write(runner->done_fd, &(uint64_t){1}, sizeof(uint64_t));
    assert(written == sizeof(uint64_t)); /* of 1 in a counter of 64 bits, read after each */
    (void)written;
}

/* ---- what the lanes do ---- */

static _Noreturn void die(const char *what, const struct job *job)
{
    say(SAY_ERROR, what, "error=%s detail=\"%s\"", pawl_error_name(job->error), job->diag.text);
    _exit(EXIT_DISK_FAILED);
}

/* What the loop needs cannot be read: to ask again would be all that it could do. A query's caller
 * is told of damage. */
static void die_if_failed(const char *what, const struct job *job)
{
    if (job->error == PAWL_E_IO || (job->error == PAWL_E_CORRUPT && job->kind != JOB_QUERY))
        die(what, job);
}

static void wait_for_space(const char *what)
{
    say(SAY_WARNING, "the disk is full", "what=%s", what);
    usleep(FULL_WAIT_MS * 1000);
}

/* How many jobs are done: fewer than all when the disk is full and the lane stops, as if the
 * process had been killed. Nothing of the rest was promised; none of it may be written, for the log
 * would have a hole. */
static size_t run_log_group(struct runner *runner, struct job *const *jobs, size_t count)
{
    size_t done = 0;
    while (done < count) {
        size_t more = 0;
        enum pawl_error error = jobs_run_log(runner->options.wal, jobs + done, count - done, &more);
        if (error != PAWL_OK && error != PAWL_E_DISK_FULL)
            die("the log cannot be written; this node stops", jobs[done + more]);
        for (size_t i = done; i < done + more; i++)
            die_if_failed("the log cannot be read or cut; this node stops", jobs[i]);
        finish(runner, jobs + done, more);
        done += more;
        if (error == PAWL_E_DISK_FULL && lane_is_stopping(&runner->log))
            return done;
        if (error == PAWL_E_DISK_FULL)
            wait_for_space("log");
    }
    return done;
}

static size_t append_bytes(const struct job *job)
{
    size_t bytes = 0;
    for (size_t i = 0; job->kind == JOB_LOG_APPEND && i < job->append.record_count; i++)
        bytes += job->append.records[i].entry.payload.size;
    return bytes;
}

/* The first jobs that wait, as many as the log takes at once after a slow sync. */
static size_t take_group(struct job **waiting, struct job *group[LOG_GROUP_MAX])
{
    size_t count = 0, bytes = 0;
    while (*waiting != NULL && count < LOG_GROUP_MAX && bytes < LOG_GROUP_BYTES) {
        bytes += append_bytes(*waiting);
        group[count++] = *waiting;
        *waiting = (*waiting)->next;
    }
    return count;
}

static void *log_main(void *user)
{
    struct lane *lane = user;
    struct runner *runner = lane->runner;
    struct job *waiting;
    while ((waiting = lane_take(lane)) != NULL) {
        while (waiting != NULL) {
            struct job *group[LOG_GROUP_MAX];
            const size_t count = take_group(&waiting, group);
            const size_t done = run_log_group(runner, group, count);
            if (done < count) {
                free_jobs(group[done]); /* linked still, and with those that wait */
                return NULL;
            }
        }
        struct pawl_diag diag = {0};
        if (wal_prepare(runner->options.wal, &diag) == PAWL_E_IO) {
            say(SAY_ERROR, "the log cannot be prepared; this node stops", "detail=\"%s\"",
                diag.text);
            _exit(EXIT_DISK_FAILED);
        }
    }
    return NULL;
}

static void run_flush(struct runner *runner, struct job *job)
{
    const struct disk_port *disk = &runner->options.disk;
    enum pawl_error error = job_run_flush(&runner->options.rows, job);
    if (error != PAWL_OK && error != PAWL_E_DISK_FULL)
        die("the store cannot be written; this node stops", job);
    if (disk->free_bytes(disk->self, &job->flush.free_bytes) != 0)
        job->flush.free_bytes = UINT64_MAX;
}

static void *store_main(void *user)
{
    struct lane *lane = user;
    struct job *waiting;
    while ((waiting = lane_take(lane)) != NULL)
        while (waiting != NULL) {
            struct job *job = waiting;
            waiting = job->next;
            run_flush(lane->runner, job);
            finish(lane->runner, &job, 1);
        }
    return NULL;
}

static void *reader_main(void *user)
{
    struct lane *lane = user;
    struct job *waiting;
    while ((waiting = lane_take(lane)) != NULL)
        while (waiting != NULL) {
            struct job *job = waiting;
            waiting = job->next;
            job_run_read(&lane->runner->options.rows, lane->runner->engine, job);
            die_if_failed("the store cannot be read; this node stops", job);
            finish(lane->runner, &job, 1);
        }
    return NULL;
}

/* ---- beginning and end ---- */

/* The name is what tools show of the thread. */
static bool lane_start(struct runner *runner, struct lane *lane, void *(*body)(void *),
                       const char *name)
{
    lane->runner = runner;
    pthread_mutex_init(&lane->mutex, NULL);
    pthread_cond_init(&lane->has_jobs, NULL);
    lane->is_started = pthread_create(&lane->thread, NULL, body, lane) == 0;
    if (lane->is_started)
        (void)pthread_setname_np(lane->thread, name);
    return lane->is_started;
}

static void lane_stop(struct lane *lane)
{
    if (!lane->is_started)
        return;
    pthread_mutex_lock(&lane->mutex);
    lane->is_stopping = true;
    pthread_cond_signal(&lane->has_jobs);
    pthread_mutex_unlock(&lane->mutex);
    pthread_join(lane->thread, NULL);
    free_jobs(lane->first); /* of a log that stopped before it took them */
    pthread_cond_destroy(&lane->has_jobs);
    pthread_mutex_destroy(&lane->mutex);
}

enum pawl_error runner_new(const struct runner_options *options, struct runner **runner_out)
{
    struct runner *runner = calloc(1, sizeof *runner);
    if (runner == NULL)
        return PAWL_E_NO_MEMORY;
    runner->options = *options;
    pthread_mutex_init(&runner->done_mutex, NULL);
    runner->done_fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    runner->engine = engine_new();
    if (runner->done_fd < 0 || runner->engine == NULL ||
        !lane_start(runner, &runner->log, log_main, "log") ||
        !lane_start(runner, &runner->store, store_main, "store") ||
        !lane_start(runner, &runner->load, reader_main, "load") ||
        !lane_start(runner, &runner->query, reader_main, "query")) {
        runner_free(runner);
        return PAWL_E_NO_MEMORY;
    }
    *runner_out = runner;
    return PAWL_OK;
}

void runner_free(struct runner *runner)
{
    lane_stop(&runner->log);
    lane_stop(&runner->store);
    lane_stop(&runner->load);
    lane_stop(&runner->query);
    free_jobs(runner->done);
    if (runner->done_fd >= 0)
        close(runner->done_fd);
    engine_free(runner->engine);
    pthread_mutex_destroy(&runner->done_mutex);
    free(runner);
}

static void submit(void *self, struct job *job)
{
    struct runner *runner = self;
    switch (job->kind) {
    case JOB_LOG_APPEND:
    case JOB_LOG_READ:
    case JOB_LOG_CUT:
        lane_put(&runner->log, job);
        return;
    case JOB_FLUSH:
        lane_put(&runner->store, job);
        return;
    case JOB_LOAD:
        lane_put(&runner->load, job);
        return;
    case JOB_QUERY:
        lane_put(&runner->query, job);
        return;
    }
}

struct jobs_port runner_port(struct runner *runner)
{
    return (struct jobs_port){.self = runner, .submit = submit};
}

int runner_fd(const struct runner *runner)
{
    return runner->done_fd;
}

struct job *runner_take(struct runner *runner)
{
    uint64_t count;
    pthread_mutex_lock(&runner->done_mutex);
    struct job *done = runner->done;
    runner->done = NULL;
    pthread_mutex_unlock(&runner->done_mutex);
    while (done != NULL && read(runner->done_fd, &count, sizeof count) < 0 && errno == EINTR)
        continue;
    return done;
}
