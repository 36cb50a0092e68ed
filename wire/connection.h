/* One connection: a byte stream, the frames cut from it and the frames that wait to be written.
 *
 * 1. One receive is outstanding while the connection is up and not paused; it is also the
 *    disconnect detector.
 * 2. It goes down once (is_down), under its mutex; from then on no call enters nng but the
 *    reaper's.
 * 3. The reaper stops both aios, frees the stream and only then reports WIRE_CLOSED, so that event
 *    is the last.
 * 4. The memory goes when the owner has taken that event.
 *
 * Locks: wire.mutex, then connection.mutex, then events.mutex or reaper.mutex; nng's own locks come
 * last. nng runs callbacks on its task threads, never inside a call that submits or cancels.
 */
#ifndef PAWL_WIRE_CONNECTION_H
#define PAWL_WIRE_CONNECTION_H

#include <nng/nng.h>
#include <stdatomic.h>

#include "wire/events.h"
#include "wire/reaper.h"

struct wire {
    struct wire_options options; /* defaults filled in */
    struct events events;
    struct reaper reaper;
    _Atomic uint64_t number_next;
    _Atomic uint32_t connection_count; /* up, or not yet reaped */

    /* The owner's thread only. */
    struct connection **buckets; /* by number & bucket_mask */
    size_t bucket_mask;
    uint64_t *staged; /* numbers of the connections with frames for the next flush */
    size_t staged_count, staged_capacity;
    struct listener *listeners;

    pthread_mutex_t mutex; /* of the list of all connections */
    struct connection *all;
};

struct dial;

struct connection {
    struct reap_item reap_item;
    struct wire *wire;
    uint64_t number;
    uint64_t tag;
    struct connection *all_next, *all_previous; /* under wire->mutex */

    /* The owner's thread only. */
    struct connection *bucket_next;
    struct buffer staged; /* queued since the last flush */
    bool is_staged;

    _Atomic bool is_down;        /* written under mutex */
    _Atomic size_t output_bytes; /* queued and not yet written to the stream */

    /* Under mutex. */
    pthread_mutex_t mutex;
    const char *reason; /* of is_down; static text */
    bool is_silent;     /* never announced, so its end is not reported either */
    nng_stream *stream; /* NULL: not yet connected */
    nng_aio *receive, *send;
    struct dial *dial; /* in progress */

    struct block *block; /* received into */
    size_t filled_bytes; /* of the block */
    size_t cut_bytes;    /* of the block: frames before it are events */
    size_t input_bytes;  /* of frames that the owner has not taken */
    bool is_paused;      /* input_bytes_max is reached: nothing is received */

    struct buffer waiting; /* flushed while a write was in flight */
    struct buffer writing;
    size_t written_bytes; /* of writing */
    bool is_writing;
};

/* A connection without a stream, known to wire->all, expected by the reaper. NULL: no memory. */
struct connection *connection_new(struct wire *wire, uint64_t tag);
/* Give memory back. Reaped, or never used. */
void connection_free(struct connection *connection);

/* Under mutex: the stream is there; report `kind` and begin to receive. */
void connection_start(struct connection *connection, nng_stream *stream, enum wire_event_kind kind);
/* Under mutex: the end, once. reason is static text. A dial in progress is cancelled and ends the
 * connection itself. */
void connection_down(struct connection *connection, const char *reason);
/* Under mutex: hand it to the reaper. is_down is set and no dial is in progress. */
void connection_reap(struct connection *connection);

/* The owner's thread. */
bool connection_stage(struct connection *connection, uint8_t type, struct bytes body);
void connection_flush(struct connection *connection);
/* The owner has taken `bytes` of its frames; receive again if that was what it waited for. */
void connection_taken(struct connection *connection, size_t bytes);

#endif
