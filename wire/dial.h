/* One attempt to connect, with a dialer and an aio of its own, both freed after it by the reaper.
 */
#ifndef PAWL_WIRE_DIAL_H
#define PAWL_WIRE_DIAL_H

#include "wire/connection.h"

/* The owner's thread. connection is new; from here on its end is reported as WIRE_CLOSED, whatever
 * happens. */
void dial_begin(struct connection *connection, struct bytes address, uint32_t timeout_ms);
/* Under connection->mutex: give up; the connection ends when nng has said so. */
void dial_cancel(struct dial *dial);
/* "tcp://" and the address; false: it is no "host:port". */
bool url_of(struct bytes address, char *url_out, size_t url_size);

#endif
