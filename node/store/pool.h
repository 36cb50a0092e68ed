/* Blocks of a few sizes, for the rows of one memory: a block is taken and given back in a few
 * instructions.
 *
 * 1. Sizes are rounded up to a class; freed blocks serve their own class again. Large blocks are
 *    malloc's.
 * 2. What was given back stays with the pool until pool_done, so a pool is as large as each
 *    class ever was.
 * 3. Under the address sanitizer a freed block is poisoned.
 */
#ifndef PAWL_NODE_POOL_H
#define PAWL_NODE_POOL_H

#include <stddef.h>
#include <stdint.h>

enum { POOL_STEP = 32, POOL_CLASSES = 32 }; /* blocks of up to 1,024 bytes */

struct pool_block;
struct pool_chunk;

/* Zeroed: an empty pool. */
struct pool {
    struct pool_block *free[POOL_CLASSES];
    struct pool_chunk *chunks;
    uint8_t *fresh; /* what the newest chunk has left */
    size_t fresh_bytes;
};

/* Aligned for any type that a row is made of; not zeroed. NULL: no memory. */
void *pool_alloc(struct pool *pool, size_t size);
/* size: as it was asked for. */
void pool_free(struct pool *pool, void *block, size_t size);
/* Every small block is void; large ones must have been freed. */
void pool_done(struct pool *pool);

#endif
