#include "wire/block.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct block *block_new(size_t capacity)
{
    struct block *block = malloc(sizeof *block + capacity);
    if (block == NULL)
        return NULL;
    atomic_init(&block->references, 1);
    block->capacity = capacity;
    return block;
}

void block_hold(struct block *block)
{
    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
}

void block_release(struct block *block)
{
    if (block == NULL)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1)
        free(block);
}

_Bool block_is_alone(const struct block *block)
{
    return atomic_load_explicit(&block->references, memory_order_acquire) == 1;
}
