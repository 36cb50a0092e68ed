/* Notices: what other threads have seen of connections, for the owner to look at.
 *
 * 1. A connection is in the list once, however much was seen of it; nothing is allocated, so
 *    nothing is lost.
 * 2. For each time that the list has become filled, the eventfd is written once, and read once when
 *    the list has become empty: outside the mutex, or whoever is woken would only wait for that.
 */
#ifndef PAWL_WIRE_NOTICES_H
#define PAWL_WIRE_NOTICES_H

#include <pthread.h>

#include "proto/error.h"

struct connection;

/* In the order in which they are reported. */
enum notice {
    NOTICE_ACCEPTED = 1,
    NOTICE_DIALLED = 2,
    NOTICE_RECEIVED = 4, /* received_bytes of the connection are in its block */
    NOTICE_CLOSED = 8,   /* reaped: nobody else knows the connection any more */
};

/* Embedded in the connection; under the mutex. */
struct noticed {
    struct connection *next;
    unsigned seen; /* of enum notice; 0: not in the list */
};

struct notices {
    pthread_mutex_t mutex;
    int fd; /* eventfd; a semaphore */
    struct connection *first, *last;
};

/* PAWL_E_IO: no eventfd, with errno in diag. */
MUST_USE enum pawl_error notices_init(struct notices *notices, struct pawl_diag *diag);
void notices_done(struct notices *notices);

/* Any thread. */
void notices_add(struct notices *notices, struct connection *connection, unsigned seen);
/* The owner's thread: the first connection of the list leaves it; NULL: there is none. */
struct connection *notices_take(struct notices *notices, unsigned *seen_out);

#endif
