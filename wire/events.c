#include "wire/events.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum pawl_error events_init(struct events *events, struct pawl_diag *diag)
{
    *events = (struct events){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (events->fd < 0)
        return diag_fail(diag, PAWL_E_IO, "eventfd: %s", strerror(errno));
    int failed = pthread_mutex_init(&events->mutex, NULL);
    assert(failed == 0);
    (void)failed;
    return PAWL_OK;
}

static void batch_empty(struct event_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        block_release(batch->origins[i].block);
    batch->count = 0;
}

static void batch_done(struct event_batch *batch)
{
    batch_empty(batch);
    free(batch->events);
    free(batch->origins);
}

void events_done(struct events *events)
{
    batch_done(&events->filling);
    batch_done(&events->taken);
    pthread_mutex_destroy(&events->mutex);
    close(events->fd);
}

static bool batch_grow(struct event_batch *batch)
{
    size_t capacity = batch->capacity == 0 ? 64 : batch->capacity * 2;
    struct wire_event *grown_events = realloc(batch->events, capacity * sizeof *grown_events);
    if (grown_events == NULL)
        return false;
    batch->events = grown_events;
    struct event_origin *grown_origins = realloc(batch->origins, capacity * sizeof *grown_origins);
    if (grown_origins == NULL)
        return false;
    batch->origins = grown_origins;
    batch->capacity = capacity;
    return true;
}

void events_begin(struct events *events)
{
    pthread_mutex_lock(&events->mutex);
}

bool events_add(struct events *events, const struct wire_event *event, struct event_origin origin)
{
    struct event_batch *batch = &events->filling;
    if (batch->count == batch->capacity && !batch_grow(batch))
        return false;
    if (batch->count == 0) {
        ssize_t written = write(events->fd, &(uint64_t){1}, sizeof(uint64_t));
        assert(written == sizeof(uint64_t));
        (void)written;
    }
    if (origin.block != NULL)
        block_hold(origin.block);
    batch->events[batch->count] = *event;
    batch->origins[batch->count] = origin;
    batch->count++;
    return true;
}

void events_end(struct events *events)
{
    pthread_mutex_unlock(&events->mutex);
}

const struct event_batch *events_take(struct events *events)
{
    batch_empty(&events->taken);
    pthread_mutex_lock(&events->mutex);
    if (events->filling.count > 0) {
        uint64_t drained;
        ssize_t taken = read(events->fd, &drained, sizeof drained);
        assert(taken == sizeof drained);
        (void)taken;
        struct event_batch empty = events->taken;
        events->taken = events->filling;
        events->filling = empty;
    }
    pthread_mutex_unlock(&events->mutex);
    return &events->taken;
}
