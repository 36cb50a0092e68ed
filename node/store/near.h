/* Bytes that are read soon are brought near: what stands scattered over memory is waited for all at
 * once, not one piece after the other. Only a wish to the processor.
 */
#ifndef PAWL_NODE_NEAR_H
#define PAWL_NODE_NEAR_H

#include "proto/bytes.h"

/* The first bytes_max of them. Always part of its caller: a call has no effect that a compiler
 * knows of, and would be left out. */
__attribute__((always_inline)) static inline void bytes_near(struct bytes bytes, size_t bytes_max)
{
    enum { LINE_BYTES = 64 };
    const size_t size = bytes.size < bytes_max ? bytes.size : bytes_max;
    for (size_t at = 0; at < size; at += LINE_BYTES)
        __builtin_prefetch(bytes.data + at);
}

#endif
