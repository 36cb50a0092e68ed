#include "client/handle.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "client/worker.h"
#include "proto/limits.h"

enum {
    TIMEOUT_MS_DEFAULT = 30000,
    DIAL_MS = 2000,
    STALLED_MS = 20, /* between tries of a report that found no room */
};
static const char nodes_default[] = "127.0.0.1:4770";

uint64_t handle_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool handle_is_own_thread(const struct pawl *pawl)
{
    return pthread_equal(pthread_self(), pawl->thread);
}

enum pawl_error handle_enter(struct pawl *pawl)
{
    return *pawl->is_own ? PAWL_OK : PAWL_E_CLOSED;
}

static void wake(struct pawl *pawl)
{
    ssize_t written = write(pawl->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    assert(written == sizeof(uint64_t));
    (void)written;
}

bool handle_submit(struct pawl *pawl, struct submission *submission)
{
    submission->next = NULL;
    pthread_mutex_lock(&pawl->mutex);
    bool is_taken = !pawl->is_closing;
    bool was_asleep = is_taken && pawl->is_asleep && !handle_is_own_thread(pawl);
    if (is_taken) {
        if (pawl->last != NULL)
            pawl->last->next = submission;
        else
            pawl->first = submission;
        pawl->last = submission;
        pawl->is_asleep = false;
    }
    pthread_mutex_unlock(&pawl->mutex);
    if (was_asleep)
        wake(pawl);
    return is_taken;
}

/* Calls */

static void call_link(struct pawl *pawl, struct call *call)
{
    call->previous = NULL;
    call->next = pawl->calls;
    if (pawl->calls != NULL)
        pawl->calls->previous = call;
    pawl->calls = call;
}

static void call_unlink(struct pawl *pawl, struct call *call)
{
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        pawl->calls = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
}

static void call_end(struct pawl *pawl, struct call *call, enum pawl_error error)
{
    const struct bytes none = {NULL, 0};
    answer_set(&pawl->answer, error, none, none, 0);
    call->answered(pawl, call, &pawl->answer);
}

static bool is_passing(enum pawl_error error)
{
    return error == PAWL_E_NO_MEMORY || error == PAWL_E_BUSY;
}

static void request_name(struct pawl *pawl, struct client_request *request)
{
    if (!id128_is_none(request->request))
        return;
    if (request->kind == REQUEST_REPORT)
        request->request = ids_random(&pawl->ids);
    else if (request->kind == REQUEST_START || request->kind == REQUEST_DEPLOY ||
             request->kind == REQUEST_INIT)
        request->request = ids_timed(&pawl->ids);
}

void call_run(struct pawl *pawl, struct submission *submission)
{
    struct call *call = (struct call *)submission;
    request_name(pawl, &call->request);
    call->request.token = (uint64_t)(uintptr_t)call;
    call->request.body = buffer_bytes(&call->body);
    call->request.deadline_ms = call->timeout_ms == 0 ? 0 : handle_now_ms() + call->timeout_ms;
    call_link(pawl, call);
    enum pawl_error error = handle_step(
        pawl, (struct client_input){.kind = CLIENT_IN_REQUEST, .request = call->request});
    if (error == PAWL_OK) {
        buffer_done(&call->body);
        return;
    }
    call_unlink(pawl, call);
    if (call->request.kind == REQUEST_REPORT && is_passing(error)) {
        call->next = pawl->stalled;
        pawl->stalled = call;
        return;
    }
    call_end(pawl, call, error);
}

static void stalled_run(struct pawl *pawl)
{
    struct call *call = pawl->stalled;
    pawl->stalled = NULL;
    while (call != NULL) {
        struct call *next = call->next;
        call_run(pawl, &call->submission);
        call = next;
    }
}

/* Outputs */

static void dial(struct pawl *pawl, const struct client_output *output)
{
    uint64_t connection = wire_dial(pawl->wire, output->address, output->slot, DIAL_MS);
    if (connection == 0 && pawl->failed_slot_count < CONNECTIONS_KEPT)
        pawl->failed_slots[pawl->failed_slot_count++] = output->slot;
}

static void answer_give(struct pawl *pawl, const struct client_output *output)
{
    struct call *call = (struct call *)(uintptr_t)output->token;
    call_unlink(pawl, call);
    answer_set(&pawl->answer, output->error, output->detail, output->answer, output->index);
    call->answered(pawl, call, &pawl->answer);
}

static void output_carry_out(struct pawl *pawl, const struct client_output *output)
{
    switch (output->kind) {
    case CLIENT_OUT_DIAL:
        dial(pawl, output);
        break;
    case CLIENT_OUT_SEND:
        (void)wire_send(pawl->wire, output->connection, output->type, output->body);
        break;
    case CLIENT_OUT_CLOSE:
        wire_close(pawl->wire, output->connection);
        break;
    case CLIENT_OUT_ANSWER:
        answer_give(pawl, output);
        break;
    case CLIENT_OUT_HANDOUT:
        worker_take(pawl, &output->handout);
        break;
    case CLIENT_OUT_LEADER:
        break;
    }
}

enum pawl_error handle_step(struct pawl *pawl, struct client_input input)
{
    struct client_outputs outputs;
    input.now_ms = handle_now_ms();
    TRY(client_step(pawl->core, &input, &outputs));
    for (size_t i = 0; i < outputs.count; i++)
        output_carry_out(pawl, &outputs.output[i]);
    return PAWL_OK;
}

/* Events of the network */

/* The place of a connection that was dialled, or of 0; CONNECTIONS_KEPT: there is none. */
static size_t dialled_find(const struct pawl *pawl, uint64_t connection)
{
    size_t at = 0;
    while (at < CONNECTIONS_KEPT && pawl->dialled[at] != connection)
        at++;
    return at;
}

static void dialled_take(struct pawl *pawl, const struct wire_event *event)
{
    size_t vacant = dialled_find(pawl, 0);
    if (vacant == CONNECTIONS_KEPT) { /* the core keeps far fewer */
        wire_close(pawl->wire, event->connection);
        return;
    }
    pawl->dialled[vacant] = event->connection;
    (void)handle_step(pawl, (struct client_input){.kind = CLIENT_IN_DIALLED,
                                                  .slot = (uint32_t)event->tag,
                                                  .connection = event->connection});
}

static void closed_take(struct pawl *pawl, const struct wire_event *event)
{
    struct client_input input = {.kind = CLIENT_IN_CLOSED, .body = event->reason};
    size_t at = dialled_find(pawl, event->connection);
    if (at < CONNECTIONS_KEPT) {
        pawl->dialled[at] = 0;
        input.connection = event->connection;
    } else {
        input.slot = (uint32_t)event->tag;
    }
    (void)handle_step(pawl, input);
}

static void event_take(struct pawl *pawl, const struct wire_event *event)
{
    switch (event->kind) {
    case WIRE_ACCEPTED:
        break;
    case WIRE_DIALLED:
        dialled_take(pawl, event);
        break;
    case WIRE_FRAME:
        (void)handle_step(pawl, (struct client_input){.kind = CLIENT_IN_FRAME,
                                                      .connection = event->connection,
                                                      .type = event->type,
                                                      .body = event->body});
        break;
    case WIRE_CLOSED:
        closed_take(pawl, event);
        break;
    }
}

/* The thread */

static struct submission *submissions_take(struct pawl *pawl, bool *is_closing_out)
{
    pthread_mutex_lock(&pawl->mutex);
    struct submission *first = pawl->first;
    pawl->first = pawl->last = NULL;
    pawl->is_asleep = false;
    *is_closing_out = pawl->is_closing;
    pthread_mutex_unlock(&pawl->mutex);
    return first;
}

static void submissions_run(struct pawl *pawl, struct submission *submission)
{
    while (submission != NULL) {
        struct submission *next = submission->next;
        submission->run(pawl, submission);
        submission = next;
    }
}

/* False: the handle is closing. */
static bool turn(struct pawl *pawl)
{
    const struct wire_event *events;
    bool is_closing;
    size_t count = wire_take(pawl->wire, &events);
    for (size_t i = 0; i < count; i++)
        event_take(pawl, &events[i]);
    /* After the events: what handlers submit that run on this thread leaves in the same turn. */
    submissions_run(pawl, submissions_take(pawl, &is_closing));
    while (pawl->failed_slot_count > 0) {
        uint32_t slot = pawl->failed_slots[--pawl->failed_slot_count];
        (void)handle_step(pawl, (struct client_input){.kind = CLIENT_IN_CLOSED,
                                                      .slot = slot,
                                                      .body = BYTES_LITERAL("out of memory")});
    }
    stalled_run(pawl);
    if (client_deadline(pawl->core) <= handle_now_ms())
        (void)handle_step(pawl, (struct client_input){.kind = CLIENT_IN_TICK});
    wire_flush(pawl->wire);
    return !is_closing;
}

/* False: something was submitted meanwhile. */
static bool may_sleep(struct pawl *pawl)
{
    pthread_mutex_lock(&pawl->mutex);
    pawl->is_asleep = pawl->first == NULL && !pawl->is_closing;
    bool is_asleep = pawl->is_asleep;
    pthread_mutex_unlock(&pawl->mutex);
    return is_asleep;
}

static int pause_ms(const struct pawl *pawl)
{
    uint64_t now_ms = handle_now_ms(), due_ms = client_deadline(pawl->core);
    uint64_t pause = due_ms <= now_ms ? 0 : due_ms - now_ms;
    if (pawl->stalled != NULL && pause > STALLED_MS)
        pause = STALLED_MS;
    return pause > 60000 ? 60000 : (int)pause;
}

static void sleep_until_due(struct pawl *pawl)
{
    struct pollfd pollers[2] = {{.fd = wire_fd(pawl->wire), .events = POLLIN},
                                {.fd = pawl->wake_fd, .events = POLLIN}};
    bool is_asleep = may_sleep(pawl);
    int ready = poll(pollers, 2, is_asleep ? pause_ms(pawl) : 0);
    if (ready > 0 && (pollers[1].revents & POLLIN) != 0) {
        uint64_t drained;
        ssize_t taken = read(pawl->wake_fd, &drained, sizeof drained);
        (void)taken;
    }
}

static void end_everything(struct pawl *pawl)
{
    while (pawl->calls != NULL) {
        struct call *call = pawl->calls;
        call_unlink(pawl, call);
        call_end(pawl, call, PAWL_E_CANCELLED);
    }
    while (pawl->stalled != NULL) {
        struct call *call = pawl->stalled;
        pawl->stalled = call->next;
        call_end(pawl, call, PAWL_E_CANCELLED);
    }
    wire_flush(pawl->wire);
}

static void *thread_run(void *self)
{
    struct pawl *pawl = self;
    while (turn(pawl))
        sleep_until_due(pawl);
    end_everything(pawl);
    return NULL;
}

/* Opening and closing */

static void handle_free(struct pawl *pawl)
{
    wire_free(pawl->wire);
    client_free(pawl->core);
    if (pawl->wake_fd >= 0)
        close(pawl->wake_fd);
    if (pawl->is_own != NULL)
        munmap((void *)(uintptr_t)pawl->is_own, sizeof *pawl->is_own);
    pthread_mutex_destroy(&pawl->mutex);
    answer_done(&pawl->answer);
    free(pawl->namespace_name);
    free(pawl);
}

static enum pawl_error core_open(struct pawl *pawl, const struct pawl_options *options,
                                 struct pawl_diag *diag)
{
    struct client_options core = {
        .nodes = bytes_string(options->nodes != NULL ? options->nodes : nodes_default),
        .name = bytes_string(options->name),
    };
    if (sodium_init() < 0)
        return diag_fail(diag, PAWL_E_INTERNAL, "the random generator does not start");
    randombytes_buf(&core.session, sizeof core.session);
    randombytes_buf(&core.seed, sizeof core.seed);
    return client_new(&core, handle_now_ms(), &pawl->core, diag);
}

/* Signals belong to the program, so the library's thread takes none. */
static bool thread_start(struct pawl *pawl)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&pawl->thread, NULL, thread_run, pawl) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_started;
}

/* A process id would cost a system call each time. */
static enum pawl_error mark_make(struct pawl *pawl, struct pawl_diag *diag)
{
    bool *mark =
        mmap(NULL, sizeof *mark, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mark == MAP_FAILED)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for a handle");
    pawl->is_own = mark;
    if (madvise(mark, sizeof *mark, MADV_WIPEONFORK) != 0)
        return diag_fail(diag, PAWL_E_IO, "MADV_WIPEONFORK: %s", strerror(errno));
    *mark = true;
    return PAWL_OK;
}

static enum pawl_error handle_start(struct pawl *pawl, const struct pawl_options *options,
                                    struct pawl_diag *diag)
{
    pawl->namespace_name = strdup(options->namespace_name != NULL ? options->namespace_name : "");
    pawl->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pawl->namespace_name == NULL)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for a handle");
    if (pawl->wake_fd < 0)
        return diag_fail(diag, PAWL_E_IO, "eventfd: %s", strerror(errno));
    TRY(mark_make(pawl, diag));
    TRY(core_open(pawl, options, diag));
    TRY(wire_new(&(struct wire_options){.connections_max = 64}, &pawl->wire, diag));
    if (!thread_start(pawl))
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no thread for a handle");
    return PAWL_OK;
}

enum pawl_error pawl_open(const struct pawl_options *given, struct pawl **pawl_out,
                          struct pawl_diag *diag)
{
    struct pawl_options options = {.size = sizeof options};
    if (given != NULL && given->size < sizeof options)
        return diag_fail(diag, PAWL_E_INVALID, "pawl_options.size is not set");
    if (given != NULL)
        options = *given;
    struct bytes name = bytes_string(options.name);
    if (name.size > NAME_BYTES_MAX || !utf8_is_valid(name))
        return diag_fail(diag, PAWL_E_INVALID, "the name is not UTF-8 or longer than %d bytes",
                         NAME_BYTES_MAX);
    struct pawl *pawl = calloc(1, sizeof *pawl);
    if (pawl == NULL)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for a handle");
    pawl->wake_fd = -1;
    pawl->timeout_ms = options.timeout_ms != 0 ? options.timeout_ms : TIMEOUT_MS_DEFAULT;
    pthread_mutex_init(&pawl->mutex, NULL);
    enum pawl_error error = handle_start(pawl, &options, diag);
    if (error != PAWL_OK) {
        handle_free(pawl);
        return error;
    }
    *pawl_out = pawl;
    return PAWL_OK;
}

void pawl_close(struct pawl *pawl)
{
    if (pawl == NULL || handle_enter(pawl) != PAWL_OK)
        return; /* in a forked child the threads are gone, and so is the right to touch this */
    pthread_mutex_lock(&pawl->mutex);
    pawl->is_closing = true;
    pthread_mutex_unlock(&pawl->mutex);
    wake(pawl);
    pthread_join(pawl->thread, NULL);
    worker_orphan(pawl->worker);
    handle_free(pawl);
}
