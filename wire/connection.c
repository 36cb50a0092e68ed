#include "wire/connection.h"

#include <assert.h>
#include <stdlib.h>

#include "wire/dial.h"

enum {
    BUFFER_BYTES_KEPT = 256 << 10, /* a larger output buffer is given back when little is written */
    READS_MAX = 8,                 /* of one connection at a time */
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
    free(connection->block);
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
        notices_add(&connection->wire->notices, connection, NOTICE_CLOSED);
}

void connection_start(struct connection *connection, nng_stream *stream, enum notice notice)
{
    connection->stream = stream;
    notices_add(&connection->wire->notices, connection, notice);
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

static const char *result_text(int result)
{
    return result == NNG_ECONNSHUT ? "closed by the other side" : nng_strerror(result);
}

/* What the call did that was just begun with wire->now: it ends at once, or it is as if it had
 * never been. NNG_ECANCELED: it would have had to wait. */
static int now_result(struct wire *wire, size_t *bytes_out)
{
    nng_aio_cancel(wire->now);
    nng_aio_wait(wire->now);
    *bytes_out = nng_aio_count(wire->now);
    return nng_aio_result(wire->now);
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

/* Add an event for each whole frame. A fault text: the connection must end. */
static const char *frames_add(struct connection *connection, size_t *cut_bytes_out)
{
    const uint8_t *begin = connection->block->memory;
    size_t cut = 0;
    const char *fault = NULL;
    while (fault == NULL && connection->filled_bytes - cut >= FRAME_HEAD_BYTES) {
        const uint8_t *head = begin + cut;
        fault = head_fault(connection, head);
        const size_t frame_bytes = FRAME_HEAD_BYTES + (size_t)le32_get(head);
        if (fault != NULL || connection->filled_bytes - cut < frame_bytes)
            break;
        struct wire_event *event = event_add(connection->wire, WIRE_FRAME, connection);
        if (event == NULL) {
            fault = "out of memory";
            break;
        }
        event->type = head[4];
        event->body = bytes_of(head + FRAME_HEAD_BYTES, frame_bytes - FRAME_HEAD_BYTES);
        cut += frame_bytes;
    }
    *cut_bytes_out = cut;
    return fault;
}

/* How large a block should be for what follows the cut: memory follows what was received, not what
 * a head claims. */
static size_t block_bytes_for(const struct connection *connection, size_t cut)
{
    const size_t begun = connection->filled_bytes - cut;
    size_t frame_bytes = FRAME_HEAD_BYTES;
    if (begun >= FRAME_HEAD_BYTES)
        frame_bytes += le32_get(connection->block->memory + cut);
    if (frame_bytes <= BLOCK_BYTES_SMALL && connection->filled_bytes < BLOCK_BYTES_SMALL)
        return BLOCK_BYTES_SMALL;
    if (frame_bytes <= BLOCK_BYTES_LARGE)
        return BLOCK_BYTES_LARGE;
    const size_t grown = begun * 2 > BLOCK_BYTES_LARGE ? begun * 2 : (size_t)BLOCK_BYTES_LARGE;
    return grown < frame_bytes ? grown : frame_bytes;
}

/* Take another block, with what follows the cut. False: no memory. */
static bool block_change(struct connection *connection, size_t cut)
{
    struct blocks *blocks = &connection->wire->blocks;
    struct block *before = connection->block;
    struct block *next = block_take(blocks, block_bytes_for(connection, cut));
    if (next == NULL)
        return false;
    const size_t begun = connection->filled_bytes - cut;
    if (begun > 0)
        memcpy(next->memory, before->memory + cut, begun);
    connection->block = next;
    connection->filled_bytes = begun;
    if (cut > 0)
        block_lend(blocks, before);
    else
        block_give(blocks, before);
    return true;
}

static void down(struct connection *connection, const char *reason)
{
    pthread_mutex_lock(&connection->mutex);
    connection_down(connection, reason);
    pthread_mutex_unlock(&connection->mutex);
}

/* The frames of the block become events. True: the block was full, so more may wait. */
static bool cut(struct connection *connection)
{
    size_t cut_bytes;
    const bool is_full = connection->filled_bytes == connection->block->capacity;
    const char *fault = frames_add(connection, &cut_bytes);
    if (fault == NULL && (cut_bytes > 0 || is_full) && !block_change(connection, cut_bytes))
        fault = "out of memory";
    if (fault != NULL) {
        block_lend(&connection->wire->blocks, connection->block);
        connection->block = NULL;
        down(connection, fault);
    }
    return is_full;
}

/* Where the next bytes go. False: no memory. */
static bool room_find(struct connection *connection, nng_iov *iov_out)
{
    if (connection->block == NULL)
        connection->block = block_take(&connection->wire->blocks, BLOCK_BYTES_SMALL);
    if (connection->block == NULL)
        return false;
    *iov_out = (nng_iov){.iov_buf = connection->block->memory + connection->filled_bytes,
                         .iov_len = connection->block->capacity - connection->filled_bytes};
    assert(iov_out->iov_len > 0);
    return true;
}

/* A look before arming saves wake-ups where more arrives all the time, and costs two system calls
 * where it does not: each that finds nothing makes the next ones rarer. */
static bool look_is_due(struct connection *connection)
{
    const bool is_due = connection->skip_count == 0;
    connection->skip_count -= !is_due;
    return is_due;
}

static void looked(struct connection *connection, bool has_found)
{
    enum { SKIPS_MAX = 15 };
    connection->skip_count = has_found ? 0 : connection->skip_next;
    connection->skip_next = has_found ? 0 : (connection->skip_next * 2 + 1) & SKIPS_MAX;
}

/* Under mutex. NNG_ECANCELED: nothing is there. */
static int look(struct connection *connection, const nng_iov *iov)
{
    struct wire *wire = connection->wire;
    size_t bytes;
    nng_aio_set_iov(wire->now, 1, iov);
    nng_stream_recv(connection->stream, wire->now);
    const int result = now_result(wire, &bytes);
    connection->filled_bytes += result == 0 ? bytes : 0;
    looked(connection, result == 0);
    return result;
}

/* Under mutex. False: nothing was there; the receive is armed. */
static bool receive(struct connection *connection)
{
    nng_iov iov;
    if (!room_find(connection, &iov)) {
        connection_down(connection, "out of memory");
        return false;
    }
    const int result = look_is_due(connection) ? look(connection, &iov) : NNG_ECANCELED;
    if (result == NNG_ECANCELED) {
        nng_aio_set_iov(connection->receive, 1, &iov);
        nng_stream_recv(connection->stream, connection->receive);
    } else if (result != 0) {
        connection_down(connection, result_text(result));
    }
    return result == 0;
}

static bool cut_received(struct connection *connection)
{
    connection->is_uncut = false;
    const bool is_full = cut(connection);
    if (is_full)
        connection->skip_count = 0;
    return is_full;
}

bool connection_read(struct connection *connection)
{
    bool is_full = !connection->is_uncut || cut_received(connection);
    for (int i = 0; i < READS_MAX && is_full && (i == 0 || !events_are_enough(connection->wire));
         i++) {
        pthread_mutex_lock(&connection->mutex);
        const bool is_read = !connection->is_down && receive(connection);
        pthread_mutex_unlock(&connection->mutex);
        if (!is_read)
            return false;
        is_full = cut(connection);
    }
    return true;
}

void connection_received(struct connection *connection)
{
    connection->filled_bytes += connection->received_bytes;
    connection->is_uncut = true;
}

static void receive_done(void *self)
{
    struct connection *connection = self;
    const int result = nng_aio_result(connection->receive);
    if (result == 0) {
        connection->received_bytes = nng_aio_count(connection->receive);
        notices_add(&connection->wire->notices, connection, NOTICE_RECEIVED);
    } else {
        down(connection, result_text(result));
    }
}

/* Output */

/* A large buffer is kept while most of it is used: to give it back each time would be to have its
 * pages cleared again each time. */
static void buffer_written(struct buffer *buffer)
{
    if (buffer->capacity > BUFFER_BYTES_KEPT && buffer->size < buffer->capacity / 4)
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
        connection_down(connection, result_text(result));
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

bool connection_stage(struct connection *connection, uint8_t type, const struct bytes *parts,
                      size_t part_count)
{
    if (connection->is_down)
        return false;
    size_t body_bytes = 0;
    for (size_t i = 0; i < part_count; i++)
        body_bytes += parts[i].size;
    size_t frame_bytes = FRAME_HEAD_BYTES + body_bytes;
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
    le32_put(frame, (uint32_t)body_bytes);
    memcpy(frame + 4, (uint8_t[]){type, 0, 0, 0}, 4);
    uint8_t *at = frame + FRAME_HEAD_BYTES;
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].size > 0)
            memcpy(at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    atomic_fetch_add(&connection->output_bytes, frame_bytes);
    return true;
}

/* Under mutex: write what is staged as far as the stream takes it at once; the rest waits. */
static void write_staged(struct connection *connection)
{
    struct wire *wire = connection->wire;
    size_t written = 0, bytes;
    int result = 0;
    while (result == 0 && written < connection->staged.size) {
        const nng_iov iov = {.iov_buf = connection->staged.data + written,
                             .iov_len = connection->staged.size - written};
        nng_aio_set_iov(wire->now, 1, &iov);
        nng_stream_send(connection->stream, wire->now);
        result = now_result(wire, &bytes);
        written += result == 0 ? bytes : 0;
    }
    atomic_fetch_sub(&connection->output_bytes, written);
    if (result == NNG_ECANCELED) {
        buffer_swap(&connection->staged, &connection->writing);
        connection->written_bytes = written;
        connection->is_writing = true;
        write_rest(connection);
    } else if (result != 0) {
        connection_down(connection, result_text(result));
    }
}

void connection_flush(struct connection *connection)
{
    pthread_mutex_lock(&connection->mutex);
    if (!connection->is_down && connection->stream != NULL) {
        if (connection->is_writing)
            buffer_append(&connection->waiting, connection->staged.data, connection->staged.size);
        else
            write_staged(connection);
        if (connection->waiting.is_failed)
            connection_down(connection, "out of memory");
        buffer_written(&connection->staged);
    }
    pthread_mutex_unlock(&connection->mutex);
}
