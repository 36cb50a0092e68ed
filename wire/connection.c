#include "wire/connection.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "wire/dial.h"

enum {
    BLOCK_BYTES_FIRST = 4 << 10, /* most connections say little */
    BLOCK_BYTES = 64 << 10,
    BUFFER_BYTES_KEPT = 256 << 10, /* a larger output buffer is given back when it is written */
};

static void receive_done(void *self);
static void send_done(void *self);
static void connection_bury(struct reap_item *item);

static void list_add(struct connection *connection)
{
    struct wire *wire = connection->wire;
    pthread_mutex_lock(&wire->mutex);
    connection->all_next = wire->all;
    if (wire->all != NULL)
        wire->all->all_previous = connection;
    wire->all = connection;
    pthread_mutex_unlock(&wire->mutex);
}

static void list_remove(struct connection *connection)
{
    struct wire *wire = connection->wire;
    pthread_mutex_lock(&wire->mutex);
    if (connection->all_previous != NULL)
        connection->all_previous->all_next = connection->all_next;
    else
        wire->all = connection->all_next;
    if (connection->all_next != NULL)
        connection->all_next->all_previous = connection->all_previous;
    pthread_mutex_unlock(&wire->mutex);
}

struct connection *connection_new(struct wire *wire, uint64_t tag)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->reap_item.reap = connection_bury;
    connection->wire = wire;
    connection->number = atomic_fetch_add(&wire->number_next, 1);
    connection->tag = tag;
    if (nng_aio_alloc(&connection->receive, receive_done, connection) != 0 ||
        nng_aio_alloc(&connection->send, send_done, connection) != 0) {
        nng_aio_free(connection->receive);
        free(connection);
        return NULL;
    }
    nng_aio_set_timeout(connection->receive, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(connection->send, NNG_DURATION_INFINITE);
    pthread_mutex_init(&connection->mutex, NULL);
    list_add(connection);
    return connection;
}

void connection_free(struct connection *connection)
{
    assert(connection->stream == NULL && connection->dial == NULL);
    list_remove(connection);
    nng_aio_free(connection->receive);
    nng_aio_free(connection->send);
    block_release(connection->block);
    buffer_done(&connection->staged);
    buffer_done(&connection->waiting);
    buffer_done(&connection->writing);
    pthread_mutex_destroy(&connection->mutex);
    free(connection);
}

void connection_reap(struct connection *connection)
{
    assert(connection->is_down && connection->dial == NULL);
    reaper_take(&connection->wire->reaper, &connection->reap_item);
}

static void report_closed(struct connection *connection)
{
    struct events *events = &connection->wire->events;
    struct wire_event event = {
        .kind = WIRE_CLOSED,
        .connection = connection->number,
        .tag = connection->tag,
        .reason = bytes_string(connection->reason),
    };
    for (;;) {
        events_begin(events);
        bool is_added = events_add(events, &event, (struct event_origin){connection, NULL});
        events_end(events);
        if (is_added)
            return;
        /* No memory; the end of a connection may be late but never lost. */
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

/* On the reaper's thread. */
static void connection_bury(struct reap_item *item)
{
    struct connection *connection = (struct connection *)item;
    nng_aio_stop(connection->receive);
    nng_aio_stop(connection->send);
    pthread_mutex_lock(&connection->mutex);
    nng_stream *stream = connection->stream;
    connection->stream = NULL;
    bool is_silent = connection->is_silent;
    pthread_mutex_unlock(&connection->mutex);
    if (stream != NULL)
        nng_stream_free(stream);
    nng_aio_free(connection->receive);
    nng_aio_free(connection->send);
    connection->receive = connection->send = NULL;
    atomic_fetch_sub(&connection->wire->connection_count, 1);
    if (is_silent)
        connection_free(connection);
    else
        report_closed(connection);
}

static void receive_more(struct connection *connection)
{
    nng_iov iov = {
        .iov_buf = connection->block->memory + connection->filled_bytes,
        .iov_len = connection->block->capacity - connection->filled_bytes,
    };
    assert(iov.iov_len > 0);
    nng_aio_set_iov(connection->receive, 1, &iov);
    nng_stream_recv(connection->stream, connection->receive);
}

static bool report_start(struct connection *connection, enum wire_event_kind kind)
{
    struct wire_event event = {
        .kind = kind,
        .connection = connection->number,
        .tag = connection->tag,
    };
    struct events *events = &connection->wire->events;
    events_begin(events);
    bool is_added = events_add(events, &event, (struct event_origin){connection, NULL});
    events_end(events);
    return is_added;
}

void connection_start(struct connection *connection, nng_stream *stream, enum wire_event_kind kind)
{
    connection->stream = stream;
    connection->block = block_new(BLOCK_BYTES_FIRST);
    if (connection->block == NULL || !report_start(connection, kind)) {
        connection->is_silent = kind == WIRE_ACCEPTED;
        connection_down(connection, "out of memory");
        return;
    }
    receive_more(connection);
}

void connection_down(struct connection *connection, const char *reason)
{
    if (connection->is_down)
        return;
    connection->is_down = true;
    connection->reason = reason;
    if (connection->stream != NULL)
        nng_stream_close(connection->stream);
    if (connection->dial != NULL)
        dial_cancel(connection->dial);
    else
        connection_reap(connection);
}

/* Input */

static const char *head_fault(const struct connection *connection, const uint8_t *head)
{
    if ((head[5] | head[6] | head[7]) != 0)
        return "a frame with a head that is not one";
    if (le32_get(head) > connection->wire->options.frame_bytes_max - FRAME_HEAD_BYTES)
        return "a frame over the size limit";
    return NULL;
}

/* Report the whole frames of the block. A fault text: the connection must end. */
static const char *frames_cut(struct connection *connection)
{
    struct events *events = &connection->wire->events;
    const char *fault = NULL;
    events_begin(events);
    while (connection->filled_bytes - connection->cut_bytes >= FRAME_HEAD_BYTES) {
        const uint8_t *head = connection->block->memory + connection->cut_bytes;
        fault = head_fault(connection, head);
        size_t frame_bytes = FRAME_HEAD_BYTES + (size_t)le32_get(head);
        if (fault != NULL || connection->filled_bytes - connection->cut_bytes < frame_bytes)
            break;
        struct wire_event event = {
            .kind = WIRE_FRAME,
            .connection = connection->number,
            .tag = connection->tag,
            .type = head[4],
            .body = bytes_of(head + FRAME_HEAD_BYTES, frame_bytes - FRAME_HEAD_BYTES),
        };
        if (!events_add(events, &event, (struct event_origin){connection, connection->block})) {
            fault = "out of memory";
            break;
        }
        connection->cut_bytes += frame_bytes;
        connection->input_bytes += frame_bytes;
    }
    events_end(events);
    return fault;
}

/* Bytes of the frame that has begun at cut_bytes, as far as they are known. */
static size_t frame_bytes_begun(const struct connection *connection)
{
    if (connection->filled_bytes - connection->cut_bytes < FRAME_HEAD_BYTES)
        return FRAME_HEAD_BYTES;
    return FRAME_HEAD_BYTES + (size_t)le32_get(connection->block->memory + connection->cut_bytes);
}

/* A block for a frame of which `begun` bytes are here: memory follows what was received, not what a
 * head claims. */
static size_t block_bytes_for(size_t frame_bytes, size_t begun)
{
    if (frame_bytes <= BLOCK_BYTES)
        return BLOCK_BYTES;
    size_t grown = begun * 2 > BLOCK_BYTES ? begun * 2 : (size_t)BLOCK_BYTES;
    return grown < frame_bytes ? grown : frame_bytes;
}

/* Whether what comes next can go behind what is there. */
static bool block_has_room(const struct connection *connection)
{
    size_t room = connection->block->capacity - connection->filled_bytes;
    if (connection->filled_bytes == connection->cut_bytes)
        return room >= connection->block->capacity / 8;
    return room > 0 &&
           (connection->cut_bytes == 0 ||
            connection->cut_bytes + frame_bytes_begun(connection) <= connection->block->capacity);
}

/* Start the block again when nobody reads it and its size is right. */
static bool block_rewind(struct connection *connection)
{
    struct block *block = connection->block;
    if (connection->filled_bytes != connection->cut_bytes || !block_is_alone(block))
        return false;
    bool is_small = connection->filled_bytes == block->capacity && block->capacity < BLOCK_BYTES;
    if (is_small || block->capacity > BLOCK_BYTES)
        return false;
    connection->filled_bytes = connection->cut_bytes = 0;
    return true;
}

/* Make room to receive; false: no memory. */
static bool room_make(struct connection *connection)
{
    if (block_rewind(connection) || block_has_room(connection))
        return true;
    size_t begun = connection->filled_bytes - connection->cut_bytes;
    struct block *next = block_new(block_bytes_for(frame_bytes_begun(connection), begun));
    if (next == NULL)
        return false;
    if (begun > 0)
        memcpy(next->memory, connection->block->memory + connection->cut_bytes, begun);
    block_release(connection->block);
    connection->block = next;
    connection->filled_bytes = begun;
    connection->cut_bytes = 0;
    return true;
}

static void receive_next(struct connection *connection)
{
    if (connection->input_bytes >= connection->wire->options.input_bytes_max)
        connection->is_paused = true;
    else if (!room_make(connection))
        connection_down(connection, "out of memory");
    else
        receive_more(connection);
}

static void received(struct connection *connection, int result, size_t bytes)
{
    if (connection->is_down)
        return;
    if (result != 0) {
        connection_down(connection, result == NNG_ECONNSHUT ? "closed by the other side"
                                                            : nng_strerror(result));
        return;
    }
    connection->filled_bytes += bytes;
    const char *fault = frames_cut(connection);
    if (fault != NULL)
        connection_down(connection, fault);
    else
        receive_next(connection);
}

static void receive_done(void *self)
{
    struct connection *connection = self;
    pthread_mutex_lock(&connection->mutex);
    received(connection, nng_aio_result(connection->receive), nng_aio_count(connection->receive));
    pthread_mutex_unlock(&connection->mutex);
}

void connection_taken(struct connection *connection, size_t bytes)
{
    pthread_mutex_lock(&connection->mutex);
    assert(connection->input_bytes >= bytes);
    connection->input_bytes -= bytes;
    if (connection->is_paused && !connection->is_down &&
        connection->input_bytes < connection->wire->options.input_bytes_max) {
        connection->is_paused = false;
        receive_next(connection);
    }
    pthread_mutex_unlock(&connection->mutex);
}

/* Output */

static void buffer_written(struct buffer *buffer)
{
    if (buffer->capacity > BUFFER_BYTES_KEPT)
        buffer_done(buffer);
    else
        buffer_reset(buffer);
}

static void write_rest(struct connection *connection)
{
    nng_iov iov = {
        .iov_buf = connection->writing.data + connection->written_bytes,
        .iov_len = connection->writing.size - connection->written_bytes,
    };
    nng_aio_set_iov(connection->send, 1, &iov);
    nng_stream_send(connection->stream, connection->send);
}

static void buffer_swap(struct buffer *a, struct buffer *b)
{
    struct buffer between = *a;
    *a = *b;
    *b = between;
}

static void write_waiting(struct connection *connection)
{
    connection->is_writing = connection->waiting.size > 0;
    if (!connection->is_writing)
        return;
    buffer_swap(&connection->waiting, &connection->writing);
    connection->written_bytes = 0;
    write_rest(connection);
}

static void sent(struct connection *connection, int result, size_t bytes)
{
    if (connection->is_down)
        return;
    if (result != 0) {
        connection_down(connection, nng_strerror(result));
        return;
    }
    connection->written_bytes += bytes;
    atomic_fetch_sub(&connection->output_bytes, bytes);
    if (connection->written_bytes < connection->writing.size) {
        write_rest(connection);
        return;
    }
    buffer_written(&connection->writing);
    write_waiting(connection);
}

static void send_done(void *self)
{
    struct connection *connection = self;
    pthread_mutex_lock(&connection->mutex);
    sent(connection, nng_aio_result(connection->send), nng_aio_count(connection->send));
    pthread_mutex_unlock(&connection->mutex);
}

bool connection_stage(struct connection *connection, uint8_t type, struct bytes body)
{
    if (connection->is_down)
        return false;
    size_t frame_bytes = FRAME_HEAD_BYTES + body.size;
    size_t output_bytes = atomic_load(&connection->output_bytes);
    uint8_t *frame = NULL;
    if (frame_bytes <= connection->wire->options.output_bytes_max &&
        output_bytes <= connection->wire->options.output_bytes_max - frame_bytes)
        frame = buffer_extend(&connection->staged, frame_bytes);
    if (frame == NULL) {
        pthread_mutex_lock(&connection->mutex);
        connection_down(connection, "the other side does not read what it is sent");
        pthread_mutex_unlock(&connection->mutex);
        return false;
    }
    le32_put(frame, (uint32_t)body.size);
    memcpy(frame + 4, (uint8_t[]){type, 0, 0, 0}, 4);
    if (body.size > 0)
        memcpy(frame + FRAME_HEAD_BYTES, body.data, body.size);
    atomic_fetch_add(&connection->output_bytes, frame_bytes);
    return true;
}

void connection_flush(struct connection *connection)
{
    pthread_mutex_lock(&connection->mutex);
    if (!connection->is_down && connection->stream != NULL) {
        if (connection->waiting.size == 0)
            buffer_swap(&connection->staged, &connection->waiting);
        else
            buffer_append(&connection->waiting, connection->staged.data, connection->staged.size);
        if (connection->waiting.is_failed)
            connection_down(connection, "out of memory");
        else if (!connection->is_writing)
            write_waiting(connection);
        buffer_written(&connection->staged);
    }
    pthread_mutex_unlock(&connection->mutex);
}
