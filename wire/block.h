/* Blocks: the memory that connections receive into. Frames are cut in place and never copied.
 *
 * 1. Only the owner's thread takes blocks and gives them back.
 * 2. A block belongs to one connection while that receives into it; once frames were cut from it,
 *    to the events that point into it, until the owner is done with them.
 * 3. Two sizes are used again and again; larger ones are made for one frame.
 */
#ifndef PAWL_WIRE_BLOCK_H
#define PAWL_WIRE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

enum {
    BLOCK_BYTES_SMALL = 4 << 10, /* most connections say little */
    BLOCK_BYTES_LARGE = 128 << 10,
};

struct block {
    struct block *next; /* of a list */
    size_t capacity;
    uint8_t memory[];
};

/* Spare blocks, and those that events point into. */
struct blocks {
    struct block *small, *large;
    size_t small_count, large_count;
    struct block *borrowed;
};

void blocks_done(struct blocks *blocks);
/* A block of at least `capacity` bytes; NULL: no memory. */
struct block *block_take(struct blocks *blocks, size_t capacity);
/* Nobody reads it any more; NULL is nothing. */
void block_give(struct blocks *blocks, struct block *block);
/* Events point into it; it is given back by the next blocks_unlend. */
void block_lend(struct blocks *blocks, struct block *block);
void blocks_unlend(struct blocks *blocks);

#endif
