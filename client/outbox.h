/* The outbox: the outputs of one step, and the memory their bodies live in.
 *
 * 1. Room is reserved before a step changes anything, so that an answer is never lost for want of
 *    memory.
 * 2. Encoded frames lie one behind the other in one buffer; outbox_finish turns their offsets into
 *    views.
 */
#ifndef PAWL_CLIENT_OUTBOX_H
#define PAWL_CLIENT_OUTBOX_H

#include "client/core.h"

struct outbox {
    struct client_output *outputs;
    size_t *offsets; /* of a SEND's body in frames */
    size_t count, capacity;
    struct buffer frames;
};

void outbox_done(struct outbox *outbox);
void outbox_reset(struct outbox *outbox);
/* False: no memory for `count` more outputs. */
MUST_USE bool outbox_reserve(struct outbox *outbox, size_t count);
/* Within what was reserved. The caller fills it in at once. */
struct client_output *outbox_add(struct outbox *outbox, enum client_output_kind kind);
/* Encode one frame for connection. False: no memory for it, and nothing was added. */
MUST_USE bool outbox_send(struct outbox *outbox, uint64_t connection, uint8_t type,
                          const struct schema *schema, const void *message);
struct client_outputs outbox_finish(struct outbox *outbox);

#endif
