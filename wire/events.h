/* Events: what nng's threads have seen, handed to the owner in batches.
 *
 * 1. Two batches: one is filled by any thread, the other was taken and is borrowed by the owner.
 * 2. The eventfd is readable exactly while the filling batch has events.
 * 3. An event of a frame holds a reference to the block it points into.
 */
#ifndef PAWL_WIRE_EVENTS_H
#define PAWL_WIRE_EVENTS_H

#include <pthread.h>

#include "wire/block.h"
#include "wire/wire.h"

struct connection;

/* What an event belongs to, beside the public part. */
struct event_origin {
    struct connection *connection;
    struct block *block; /* NULL: no frame */
};

struct event_batch {
    struct wire_event *events;
    struct event_origin *origins;
    size_t count, capacity;
};

struct events {
    pthread_mutex_t mutex;
    int fd;                     /* eventfd */
    struct event_batch filling; /* under mutex */
    struct event_batch taken;   /* the owner's */
};

/* PAWL_E_IO: no eventfd, with errno in diag. */
MUST_USE enum pawl_error events_init(struct events *events, struct pawl_diag *diag);
/* Gives back every block that events still hold. */
void events_done(struct events *events);

/* Add events: begin, any number of adds, end. Other threads wait in between. */
void events_begin(struct events *events);
/* False: no memory, nothing was added. Takes one reference of origin.block when it returns true. */
bool events_add(struct events *events, const struct wire_event *event, struct event_origin origin);
void events_end(struct events *events);

/* Give the last batch back and take the one that was filled. The owner's thread. */
const struct event_batch *events_take(struct events *events);

#endif
