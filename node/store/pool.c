#include "node/store/pool.h"

#include <stdalign.h>
#include <stdlib.h>

#include "proto/large_pages.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define POOL_IS_WATCHED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define POOL_IS_WATCHED 1
#endif

#ifdef POOL_IS_WATCHED
#include <sanitizer/asan_interface.h>
#define BLOCK_HIDE(block, size) ASAN_POISON_MEMORY_REGION(block, size)
#define BLOCK_SHOW(block, size) ASAN_UNPOISON_MEMORY_REGION(block, size)
#else
#define BLOCK_HIDE(block, size) ((void)(block), (void)(size))
#define BLOCK_SHOW(block, size) ((void)(block), (void)(size))
#endif

struct pool_block {
    struct pool_block *next;
};

struct pool_chunk {
    struct pool_chunk *next;
    alignas(POOL_STEP) uint8_t memory[];
};

#define CHUNK_BYTES (LARGE_PAGE_BYTES - sizeof(struct pool_chunk))

static size_t class_of(size_t size)
{
    return size == 0 ? 0 : (size - 1) / POOL_STEP;
}

/* What is left of the old chunk is given up; it is less than one block. */
static uint8_t *fresh_take(struct pool *pool, size_t bytes)
{
    if (pool->fresh_bytes < bytes) {
        struct pool_chunk *chunk = large_pages_alloc(LARGE_PAGE_BYTES);
        if (chunk == NULL)
            return NULL;
        chunk->next = pool->chunks;
        pool->chunks = chunk;
        pool->fresh = chunk->memory;
        pool->fresh_bytes = CHUNK_BYTES;
    }
    uint8_t *block = pool->fresh;
    pool->fresh += bytes;
    pool->fresh_bytes -= bytes;
    return block;
}

void *pool_alloc(struct pool *pool, size_t size)
{
    size_t class = class_of(size);
    if (class >= POOL_CLASSES)
        return malloc(size);
    struct pool_block *block = pool->free[class];
    if (block == NULL)
        return fresh_take(pool, (class + 1) * POOL_STEP);
    BLOCK_SHOW(block, (class + 1) * POOL_STEP);
    pool->free[class] = block->next;
    __builtin_prefetch(block->next); /* what was freed long ago is far away by now */
    return block;
}

void pool_free(struct pool *pool, void *block, size_t size)
{
    size_t class = class_of(size);
    if (class >= POOL_CLASSES) {
        free(block);
        return;
    }
    struct pool_block *freed = block;
    freed->next = pool->free[class];
    pool->free[class] = freed;
    BLOCK_HIDE(block, (class + 1) * POOL_STEP);
}

void pool_done(struct pool *pool)
{
    while (pool->chunks != NULL) {
        struct pool_chunk *chunk = pool->chunks;
        pool->chunks = chunk->next;
        BLOCK_SHOW(chunk->memory, CHUNK_BYTES);
        free(chunk);
    }
    *pool = (struct pool){.chunks = NULL};
}
