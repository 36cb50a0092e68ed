/* Held: the fences of hand-outs whose reports are not answered yet.
 *
 * 1. They are in ascending order, each once: the order in which hand-outs come, and nearly that in
 *    which their reports are answered. So one is mostly added behind the last and removed near the
 *    first.
 * 2. At most SESSION_CREDIT_MAX.
 */
#ifndef PAWL_CLIENT_HELD_H
#define PAWL_CLIENT_HELD_H

#include "proto/client_messages.h"

struct held {
    struct msg_fence *memory;
    size_t capacity;
    size_t begin; /* of the fences in memory */
    size_t count;
};

void held_done(struct held *held);
static inline struct msg_fence *held_first(const struct held *held)
{
    return held->count > 0 ? held->memory + held->begin : NULL;
}
/* False: it is held already, no memory, or more than a session may hold. */
bool held_add(struct held *held, const struct msg_fence *fence);
/* One that is not held is nothing. */
void held_remove(struct held *held, const struct msg_fence *fence);
void held_clear(struct held *held);
void held_check(const struct held *held);

#endif
