/* Arrivals: connections that were accepted and have said nothing yet. Whoever is silent for too
 * long is closed, so that strangers who only connect keep nobody out.
 *
 * The waiting are in the order in which they came; connection numbers rise in that order.
 */
#ifndef PAWL_NODE_ARRIVALS_H
#define PAWL_NODE_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

struct arrivals {
    struct arrival {
        uint64_t connection;
        uint64_t since_us;
    } waiting[CONNECTIONS_MAX];
    size_t count;
};

/* False: there is no room; the connection is to be closed. */
bool arrivals_add(struct arrivals *arrivals, uint64_t connection, uint64_t now_us);
/* It has spoken, or is gone. One that does not wait: nothing happens. */
void arrivals_remove(struct arrivals *arrivals, uint64_t connection);
/* Take out one that has been silent for HELLO_MS_MAX; 0: there is none. */
uint64_t arrivals_take_late(struct arrivals *arrivals, uint64_t now_us);
/* When the next one will have been silent for too long; UINT64_MAX: nobody waits. */
uint64_t arrivals_deadline_us(const struct arrivals *arrivals);

#endif
