/* A listener: one accept is outstanding, with the connection that it will become ready before it.
 */
#ifndef PAWL_WIRE_LISTENER_H
#define PAWL_WIRE_LISTENER_H

#include "wire/connection.h"

struct listener;

/* PAWL_E_INVALID: the address is no host:port. PAWL_E_NETWORK, PAWL_E_NO_MEMORY. Accepting has
 * begun. */
MUST_USE enum pawl_error listener_open(struct wire *wire, const char *address, uint64_t tag,
                                       struct listener **listener_out, uint16_t *port_out,
                                       struct pawl_diag *diag);
/* Stop accepting, wait for it, give everything back. The owner's thread. */
void listener_close(struct listener *listener);
/* A list, for the owner. */
struct listener *listener_next(const struct listener *listener);
void listener_link(struct listener *listener, struct listener *next);

#endif
