/* One connection: a byte stream, what it receives and the frames that wait to be written.
 *
 * 1. Input belongs to the owner's thread, but while a receive is armed: then nng fills the block,
 *    and its callback gives it back as a notice. The armed receive is also the disconnect detector.
 * 2. Reads and writes are tried on the owner's thread first; only what would have to wait is handed
 *    to an aio with a callback, which costs a thread of nng a wake-up.
 * 3. It goes down once (is_down), under its mutex; from then on no call enters nng but the
 *    reaper's.
 * 4. The reaper stops both aios, frees the stream and only then gives notice of the end, so that is
 *    the last.
 * 5. The memory goes when the owner has taken that notice.
 *
 * Locks: wire.mutex, then connection.mutex, then notices.mutex or reaper.mutex; nng's own locks
 * come last. nng runs callbacks on its task threads, never inside a call that submits or cancels.
 */
#ifndef PAWL_WIRE_CONNECTION_H
#define PAWL_WIRE_CONNECTION_H

#include <nng/nng.h>
#include <stdatomic.h>

#include "wire/block.h"
#include "wire/notices.h"
#include "wire/reaper.h"
#include "wire/wire.h"

struct connection_list {
    struct connection *first, *last;
    size_t count;
};

struct event_list {
    struct wire_event *event;
    size_t count, capacity;
    size_t count_enough; /* from which on the owner gets what there is; a block may bring more */
};

struct wire {
    struct wire_options options; /* defaults filled in */
    struct notices notices;
    struct reaper reaper;
    _Atomic uint64_t number_next;
    _Atomic uint32_t connection_count; /* up, or not yet reaped */

    /* The owner's thread only. */
    struct connection **buckets; /* by number & bucket_mask */
    size_t bucket_mask;
    uint64_t *staged; /* numbers of the connections with frames for the next flush */
    size_t staged_count, staged_capacity;
    struct connection_list unread;   /* neither read to the end nor armed */
    struct connection_list received; /* the same, and their blocks hold what is not cut yet */
    struct event_list events;
    bool has_begun; /* events are being gathered for the next wire_take */
    struct blocks blocks;
    nng_aio *now; /* for calls that end at once or not at all */
    int full_fd;  /* always readable */
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
    struct noticed noticed;                     /* under wire->notices.mutex */

    /* The owner's thread only. */
    struct connection *bucket_next;
    struct buffer staged; /* queued since the last flush */
    bool is_staged;
    struct connection_list *list; /* it stands in; NULL: none */
    struct connection *list_next;
    bool is_uncut;                  /* its block holds what a receive brought */
    uint32_t skip_count, skip_next; /* looks before a receive is armed; see look_is_due */

    /* The owner's, or nng's while a receive is armed. */
    struct block *block;   /* begins with a frame, as far as that is here; NULL: none yet */
    size_t filled_bytes;   /* of the block */
    size_t received_bytes; /* behind those; NOTICE_RECEIVED */

    _Atomic bool is_down;        /* written under mutex */
    _Atomic size_t output_bytes; /* queued and not yet written to the stream */

    /* Under mutex. */
    pthread_mutex_t mutex;
    const char *reason; /* of is_down; static text */
    bool is_silent;     /* never announced, so its end is not reported either */
    nng_stream *stream; /* NULL: not yet connected */
    nng_aio *receive, *send;
    struct dial *dial; /* in progress */

    struct buffer waiting; /* flushed while a write was in flight */
    struct buffer writing;
    size_t written_bytes; /* of writing */
    bool is_writing;
};

/* A connection without a stream, known to wire->all, expected by the reaper. NULL: no memory. */
struct connection *connection_new(struct wire *wire, uint64_t tag);
/* Give memory back. Reaped, or never used. */
void connection_free(struct connection *connection);

/* Under mutex: the stream is there; give notice. The owner begins to receive. */
void connection_start(struct connection *connection, nng_stream *stream, enum notice notice);
/* Under mutex: the end, once. reason is static text. A dial in progress is cancelled and ends the
 * connection itself. */
void connection_down(struct connection *connection, const char *reason);
/* Under mutex: hand it to the reaper. is_down is set and no dial is in progress. */
void connection_reap(struct connection *connection);

/* The owner's thread. */

/* Read what has arrived, or a bounded part of it, and make events of its frames; what cannot be a
 * frame ends the connection. False: nothing is left; the receive is armed, or the connection is
 * down. */
bool connection_read(struct connection *connection);
/* NOTICE_RECEIVED: what came is cut when it is read next. */
void connection_received(struct connection *connection);
bool connection_stage(struct connection *connection, uint8_t type, const struct bytes *parts,
                      size_t part_count);
void connection_flush(struct connection *connection);

bool events_are_enough(const struct wire *wire);
/* NULL: no memory. Zeroed but for what names the connection. */
struct wire_event *event_add(struct wire *wire, enum wire_event_kind kind,
                             const struct connection *connection);

#endif
