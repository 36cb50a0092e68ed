/* Blocks: the memory that a connection receives into. Frames are cut in place and never copied.
 *
 * 1. A block lives while a connection fills it or an event points into it.
 * 2. References are counted from several threads.
 */
#ifndef PAWL_WIRE_BLOCK_H
#define PAWL_WIRE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

struct block {
    _Atomic uint32_t references;
    size_t capacity;
    uint8_t memory[];
};

/* One reference; NULL: no memory. */
struct block *block_new(size_t capacity);
void block_hold(struct block *block);
/* Give one reference back; NULL is nothing. */
void block_release(struct block *block);
/* True when the caller holds the only reference, so nobody reads the block. */
_Bool block_is_alone(const struct block *block);

#endif
