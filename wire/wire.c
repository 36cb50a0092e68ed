#include "wire/wire.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/limits.h"
#include "wire/connection.h"
#include "wire/dial.h"
#include "wire/listener.h"

enum {
    BUCKET_COUNT_MIN = 64,
    CLOSE_MS = 5000, /* nng has always closed a TCP stream long before */
};

#ifdef __SANITIZE_THREAD__
/* nng counts references with atomics that the sanitizer cannot see, and frees what they guard. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race_top:pthread_mutex_destroy\n";
}
#endif

static void options_fill(struct wire_options *options, const struct wire_options *given)
{
    if (given != NULL)
        *options = *given;
    if (options->input_bytes_max == 0)
        options->input_bytes_max = (size_t)1 << 20;
    if (options->output_bytes_max == 0)
        options->output_bytes_max = CONNECTION_OUTPUT_MAX;
    if (options->frame_bytes_max == 0)
        options->frame_bytes_max = FRAME_BYTES_MAX;
    if (options->connections_max == 0)
        options->connections_max = CONNECTIONS_MAX;
}

/* The table of connections; the owner's. */

static bool buckets_init(struct wire *wire)
{
    size_t count = BUCKET_COUNT_MIN;
    while (count < wire->options.connections_max)
        count *= 2;
    wire->buckets = calloc(count, sizeof *wire->buckets);
    wire->bucket_mask = count - 1;
    return wire->buckets != NULL;
}

static struct connection **bucket_of(struct wire *wire, uint64_t number)
{
    return &wire->buckets[number & wire->bucket_mask];
}

static struct connection *connection_find(struct wire *wire, uint64_t number)
{
    struct connection *connection = *bucket_of(wire, number);
    while (connection != NULL && connection->number != number)
        connection = connection->bucket_next;
    return connection;
}

static void connection_enter(struct wire *wire, struct connection *connection)
{
    struct connection **bucket = bucket_of(wire, connection->number);
    connection->bucket_next = *bucket;
    *bucket = connection;
}

static void connection_leave(struct wire *wire, struct connection *connection)
{
    struct connection **at = bucket_of(wire, connection->number);
    while (*at != connection)
        at = &(*at)->bucket_next;
    *at = connection->bucket_next;
}

enum pawl_error wire_new(const struct wire_options *options, struct wire **wire_out,
                         struct pawl_diag *diag)
{
    struct wire *wire = calloc(1, sizeof *wire);
    if (wire == NULL)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for the network");
    options_fill(&wire->options, options);
    atomic_init(&wire->number_next, 1);
    pthread_mutex_init(&wire->mutex, NULL);
    enum pawl_error error = PAWL_E_NO_MEMORY;
    if (!buckets_init(wire) || (error = events_init(&wire->events, diag)) != PAWL_OK) {
        free(wire->buckets);
        free(wire);
        return error;
    }
    if (!reaper_init(&wire->reaper)) {
        events_done(&wire->events);
        free(wire->buckets);
        free(wire);
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no thread for the network");
    }
    *wire_out = wire;
    return PAWL_OK;
}

static void connections_down(struct wire *wire)
{
    pthread_mutex_lock(&wire->mutex); /* no connection is freed meanwhile */
    for (struct connection *at = wire->all; at != NULL; at = at->all_next) {
        pthread_mutex_lock(&at->mutex);
        connection_down(at, "closed here");
        pthread_mutex_unlock(&at->mutex);
    }
    pthread_mutex_unlock(&wire->mutex);
}

void wire_free(struct wire *wire)
{
    if (wire == NULL)
        return;
    while (wire->listeners != NULL) {
        struct listener *listener = wire->listeners;
        wire->listeners = listener_next(listener);
        listener_close(listener);
    }
    connections_down(wire);
    if (!reaper_done(&wire->reaper, CLOSE_MS))
        return; /* nng still holds a part of it, so the memory must stay */
    while (wire->all != NULL)
        connection_free(wire->all);
    events_done(&wire->events);
    pthread_mutex_destroy(&wire->mutex);
    free(wire->staged);
    free(wire->buckets);
    free(wire);
}

enum pawl_error wire_listen(struct wire *wire, const char *address, uint64_t tag,
                            uint16_t *port_out, struct pawl_diag *diag)
{
    struct listener *listener;
    uint16_t port;
    TRY(listener_open(wire, address, tag, &listener, &port, diag));
    listener_link(listener, wire->listeners);
    wire->listeners = listener;
    if (port_out != NULL)
        *port_out = port;
    return PAWL_OK;
}

uint64_t wire_dial(struct wire *wire, struct bytes address, uint64_t tag, uint32_t timeout_ms)
{
    struct connection *connection = connection_new(wire, tag);
    if (connection == NULL)
        return 0;
    uint64_t number = connection->number;
    connection_enter(wire, connection);
    reaper_expect(&wire->reaper);
    atomic_fetch_add(&wire->connection_count, 1);
    dial_begin(connection, address, timeout_ms);
    return number;
}

/* Remember a connection for the next flush; without memory for that it is flushed now. */
static void staged_add(struct wire *wire, struct connection *connection)
{
    if (connection->is_staged)
        return;
    if (wire->staged_count == wire->staged_capacity) {
        size_t capacity = wire->staged_capacity == 0 ? 64 : wire->staged_capacity * 2;
        uint64_t *staged = realloc(wire->staged, capacity * sizeof *staged);
        if (staged == NULL) {
            connection_flush(connection);
            return;
        }
        wire->staged = staged;
        wire->staged_capacity = capacity;
    }
    wire->staged[wire->staged_count++] = connection->number;
    connection->is_staged = true;
}

bool wire_send(struct wire *wire, uint64_t connection, uint8_t type, struct bytes body)
{
    struct connection *to = connection_find(wire, connection);
    if (to == NULL || !connection_stage(to, type, body))
        return false;
    staged_add(wire, to);
    return true;
}

void wire_flush(struct wire *wire)
{
    for (size_t i = 0; i < wire->staged_count; i++) {
        struct connection *connection = connection_find(wire, wire->staged[i]);
        if (connection == NULL)
            continue;
        connection->is_staged = false;
        connection_flush(connection);
    }
    wire->staged_count = 0;
}

void wire_close(struct wire *wire, uint64_t connection)
{
    struct connection *closing = connection_find(wire, connection);
    if (closing == NULL)
        return;
    connection_flush(closing);
    pthread_mutex_lock(&closing->mutex);
    connection_down(closing, "closed here");
    pthread_mutex_unlock(&closing->mutex);
}

int wire_fd(const struct wire *wire)
{
    return wire->events.fd;
}

/* Credit a run of frames of one connection at once; returns how many events it was. */
static size_t frames_taken(const struct event_batch *batch, size_t at)
{
    struct connection *connection = batch->origins[at].connection;
    size_t count = 0, bytes = 0;
    while (at + count < batch->count && batch->events[at + count].kind == WIRE_FRAME &&
           batch->origins[at + count].connection == connection) {
        bytes += FRAME_HEAD_BYTES + batch->events[at + count].body.size;
        count++;
    }
    connection_taken(connection, bytes);
    return count;
}

static size_t event_taken(struct wire *wire, const struct event_batch *batch, size_t at)
{
    struct connection *connection = batch->origins[at].connection;
    switch (batch->events[at].kind) {
    case WIRE_ACCEPTED:
        connection_enter(wire, connection);
        return 1;
    case WIRE_DIALLED:
        if (connection->staged.size > 0)
            staged_add(wire, connection);
        return 1;
    case WIRE_FRAME:
        return frames_taken(batch, at);
    case WIRE_CLOSED:
        connection_leave(wire, connection);
        connection_free(connection);
        return 1;
    }
    return 1;
}

size_t wire_take(struct wire *wire, const struct wire_event **events_out)
{
    const struct event_batch *batch = events_take(&wire->events);
    for (size_t at = 0; at < batch->count;)
        at += event_taken(wire, batch, at);
    *events_out = batch->events;
    return batch->count;
}
