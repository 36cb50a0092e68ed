/* Frames over nng byte streams. The only room that knows nng.
 *
 * 1. nng's callbacks only leave a notice and poke an eventfd. Everything else happens on the
 * owner's thread, in the calls below; they never block (but wire_new, wire_listen and wire_free).
 * 2. Nothing is dropped silently: a connection over its output limit is closed, and every end of a
 *    connection is reported exactly once, after its last frame.
 * 3. Back-pressure: a connection whose received frames are not taken is not read from. What arrives
 *    while the owner works is read by the owner when it has finished, without waking any thread.
 * 4. Every dial has its own dialer and aio, freed after it. (A reused one that times out ends the
 *    process in nng 1.5.2.)
 * 5. Connection numbers are never used again in one process.
 *
 * A frame is 8 bytes of head (u32 little-endian length of the body, u8 type, three zero bytes),
 * then the body. Source: docs/architecture.md, "Wire".
 */
#ifndef PAWL_WIRE_WIRE_H
#define PAWL_WIRE_WIRE_H

#include "proto/bytes.h"
#include "proto/error.h"

enum { FRAME_HEAD_BYTES = 8 };

struct wire;

struct wire_options {
    size_t output_bytes_max;  /* sent and not written, per connection; 0: CONNECTION_OUTPUT_MAX */
    size_t frame_bytes_max;   /* 0: FRAME_BYTES_MAX; a larger one closes the connection */
    uint32_t connections_max; /* 0: CONNECTIONS_MAX; more are closed at once */
    uint64_t first_tag;       /* connections of this tag are read before all others; 0: none */
};

enum wire_event_kind {
    WIRE_ACCEPTED, /* a connection from a listener; tag is the listener's */
    WIRE_DIALLED,  /* wire_dial succeeded; tag is the dial's */
    WIRE_FRAME,
    WIRE_CLOSED, /* by either side, or the dial failed; the last event of a connection */
};

struct wire_event {
    enum wire_event_kind kind;
    uint64_t connection;
    uint64_t tag;
    uint8_t type;        /* frame */
    struct bytes body;   /* frame; borrowed as the event is */
    struct bytes reason; /* closed: why, for people; static */
};

MUST_USE enum pawl_error wire_new(const struct wire_options *options, struct wire **wire_out,
                                  struct pawl_diag *diag);
/* Close everything and wait for it, a few seconds at most. */
void wire_free(struct wire *wire);

/* Listen on "host:port" (port 0: any). port_out (may be NULL): the port. PAWL_E_INVALID: no such
 * address. PAWL_E_NETWORK with the reason in diag. */
MUST_USE enum pawl_error wire_listen(struct wire *wire, const char *address, uint64_t tag,
                                     uint16_t *port_out, struct pawl_diag *diag);
/* Begin to connect; the outcome is an event of this connection. 0: no memory. */
uint64_t wire_dial(struct wire *wire, struct bytes address, uint64_t tag, uint32_t timeout_ms);
/* Queue one frame, also while dialling; it leaves at the next wire_flush. False: the connection is
 * gone or over its limit (and closing). */
bool wire_send(struct wire *wire, uint64_t connection, uint8_t type, struct bytes body);
/* The same of a body in parts, one behind the other. */
bool wire_send_parts(struct wire *wire, uint64_t connection, uint8_t type,
                     const struct bytes *parts, size_t part_count);
/* Hand what was queued since the last flush to nng: one write per connection that has any. */
void wire_flush(struct wire *wire);
/* End a connection: what was queued is handed to the stream first, WIRE_CLOSED follows. Unknown:
 * nothing happens. */
void wire_close(struct wire *wire, uint64_t connection);

/* What to poll before the next wire_take: a descriptor that is readable while events wait. Asked
 * for anew before each wait, for it is not always the same one: what arrived since the last
 * wire_take is read here. */
int wire_fd(struct wire *wire);
/* All events that wait, in order per connection; borrowed until the next wire_fd or wire_take. */
size_t wire_take(struct wire *wire, const struct wire_event **events_out);

#endif
