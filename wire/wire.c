#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/limits.h"
#include "wire/connection.h"
#include "wire/dial.h"
#include "wire/listener.h"

enum {
    BUCKET_COUNT_MIN = 64,
    EVENTS_AT_ONCE = 2048, /* of each list, and what one more block brings */
    CLOSE_MS = 5000,       /* nng has always closed a TCP stream long before */
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

/* Everything but the threads. */
static enum pawl_error parts_init(struct wire *wire, struct pawl_diag *diag)
{
    if (!buckets_init(wire) || nng_aio_alloc(&wire->now, NULL, NULL) != 0)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for the network");
    nng_aio_set_timeout(wire->now, NNG_DURATION_INFINITE);
    wire->full_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wire->full_fd < 0)
        return diag_fail(diag, PAWL_E_IO, "eventfd: %s", strerror(errno));
    return notices_init(&wire->notices, diag);
}

static void wire_discard(struct wire *wire)
{
    if (wire->notices.fd >= 0)
        notices_done(&wire->notices);
    if (wire->full_fd >= 0)
        close(wire->full_fd);
    nng_aio_free(wire->now);
    blocks_done(&wire->blocks);
    pthread_mutex_destroy(&wire->mutex);
    free(wire->events.event);
    free(wire->staged);
    free(wire->buckets);
    free(wire);
}

enum pawl_error wire_new(const struct wire_options *options, struct wire **wire_out,
                         struct pawl_diag *diag)
{
    struct wire *wire = calloc(1, sizeof *wire);
    if (wire == NULL)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for the network");
    wire->notices.fd = wire->full_fd = -1;
    options_fill(&wire->options, options);
    atomic_init(&wire->number_next, 1);
    pthread_mutex_init(&wire->mutex, NULL);
    enum pawl_error error = parts_init(wire, diag);
    if (error == PAWL_OK && !reaper_init(&wire->reaper))
        error = diag_fail(diag, PAWL_E_NO_MEMORY, "no thread for the network");
    if (error != PAWL_OK) {
        wire_discard(wire);
        return error;
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
    wire_discard(wire);
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

bool wire_send_parts(struct wire *wire, uint64_t connection, uint8_t type,
                     const struct bytes *parts, size_t part_count)
{
    struct connection *to = connection_find(wire, connection);
    if (to == NULL || !connection_stage(to, type, parts, part_count))
        return false;
    staged_add(wire, to);
    return true;
}

bool wire_send(struct wire *wire, uint64_t connection, uint8_t type, struct bytes body)
{
    return wire_send_parts(wire, connection, type, &body, 1);
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

/* Events */

bool events_are_enough(const struct wire *wire)
{
    return wire->events.count >= wire->events.count_enough;
}

struct wire_event *event_add(struct wire *wire, enum wire_event_kind kind,
                             const struct connection *connection)
{
    struct event_list *events = &wire->events;
    if (events->count == events->capacity) {
        size_t capacity = events->capacity == 0 ? 64 : events->capacity * 2;
        struct wire_event *grown = realloc(events->event, capacity * sizeof *grown);
        if (grown == NULL)
            return NULL;
        events->event = grown;
        events->capacity = capacity;
    }
    struct wire_event *event = &events->event[events->count++];
    *event =
        (struct wire_event){.kind = kind, .connection = connection->number, .tag = connection->tag};
    return event;
}

/* Connections to be read. The owner's first ones stand before all others. */

static void reading_add(struct connection_list *list, struct connection *connection)
{
    const bool is_first =
        connection->tag != 0 && connection->tag == connection->wire->options.first_tag;
    if (connection->list != NULL)
        return;
    connection->list = list;
    connection->list_next = is_first ? list->first : NULL;
    if (list->first == NULL)
        list->last = connection;
    else if (!is_first)
        list->last->list_next = connection;
    if (list->first == NULL || is_first)
        list->first = connection;
    list->last = is_first ? list->last : connection;
    list->count++;
}

static void reading_remove(struct connection *connection)
{
    struct connection_list *list = connection->list;
    struct connection *before = NULL;
    if (list == NULL)
        return;
    for (struct connection *at = list->first; at != connection; at = at->list_next)
        before = at;
    if (before != NULL)
        before->list_next = connection->list_next;
    else
        list->first = connection->list_next;
    if (list->last == connection)
        list->last = before;
    list->count--;
    connection->list = NULL;
}

/* Each of the list once, as far as one taking of events goes: those that are not reached stand
 * before the others next time. So the owner is soon back with its peers, however much there is. */
static void reading_go(struct wire *wire, struct connection_list *list)
{
    struct connection *again = NULL;
    wire->events.count_enough = wire->events.count + EVENTS_AT_ONCE;
    while (list->first != NULL && !events_are_enough(wire)) {
        struct connection *connection = list->first;
        reading_remove(connection);
        if (!connection_read(connection))
            continue;
        connection->list_next = again;
        again = connection;
    }
    while (again != NULL) {
        struct connection *next = again->list_next;
        reading_add(&wire->unread, again);
        again = next;
    }
}

/* The owner is done with the events before; read what arrived meanwhile. */
static void events_begin(struct wire *wire)
{
    if (wire->has_begun)
        return;
    wire->has_begun = true;
    wire->events.count = 0;
    blocks_unlend(&wire->blocks);
    reading_go(wire, &wire->unread);
}

static bool begun_report(struct wire *wire, struct connection *connection,
                         enum wire_event_kind kind)
{
    if (event_add(wire, kind, connection) == NULL)
        return false;
    if (kind == WIRE_ACCEPTED)
        connection_enter(wire, connection);
    else if (connection->staged.size > 0)
        staged_add(wire, connection);
    reading_add(&wire->unread, connection);
    return true;
}

static bool closed_report(struct wire *wire, struct connection *connection)
{
    if (connection->is_uncut)
        (void)connection_read(connection);
    struct wire_event *event = event_add(wire, WIRE_CLOSED, connection);
    if (event == NULL)
        return false;
    event->reason = bytes_string(connection->reason);
    connection_leave(wire, connection);
    reading_remove(connection);
    connection_free(connection);
    return true;
}

/* What was seen of one connection becomes events. Returns what is left for another time: there was
 * no memory. */
static unsigned notice_report(struct wire *wire, struct connection *connection, unsigned seen)
{
    if ((seen & NOTICE_ACCEPTED) != 0 && !begun_report(wire, connection, WIRE_ACCEPTED))
        return seen;
    if ((seen & NOTICE_DIALLED) != 0 && !begun_report(wire, connection, WIRE_DIALLED))
        return seen;
    if ((seen & NOTICE_RECEIVED) != 0) {
        connection_received(connection);
        reading_add(&wire->received, connection);
    }
    if ((seen & NOTICE_CLOSED) != 0 && !closed_report(wire, connection))
        return NOTICE_CLOSED;
    return 0;
}

int wire_fd(struct wire *wire)
{
    events_begin(wire);
    return wire->events.count > 0 || wire->unread.count > 0 || wire->received.count > 0
               ? wire->full_fd
               : wire->notices.fd;
}

size_t wire_take(struct wire *wire, const struct wire_event **events_out)
{
    unsigned seen = 0, left = 0;
    struct connection *connection;
    events_begin(wire);
    while (left == 0 && (connection = notices_take(&wire->notices, &seen)) != NULL) {
        left = notice_report(wire, connection, seen);
        if (left != 0)
            notices_add(&wire->notices, connection, left);
    }
    reading_go(wire, &wire->received);
    wire->has_begun = false;
    *events_out = wire->events.event;
    return wire->events.count;
}
