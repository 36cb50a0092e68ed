#include "wire/block.h"

#include <stdbool.h>
#include <stdlib.h>

enum { SPARE_SMALL_MAX = 64, SPARE_LARGE_MAX = 16 };

static struct block *first_take(struct block **list)
{
    struct block *first = *list;
    *list = first->next;
    return first;
}

static void list_free(struct block *list)
{
    while (list != NULL)
        free(first_take(&list));
}

void blocks_done(struct blocks *blocks)
{
    list_free(blocks->small);
    list_free(blocks->large);
    list_free(blocks->borrowed);
}

static struct block *block_new(size_t capacity)
{
    struct block *block = malloc(sizeof *block + capacity);
    if (block != NULL)
        block->capacity = capacity;
    return block;
}

struct block *block_take(struct blocks *blocks, size_t capacity)
{
    if (capacity > BLOCK_BYTES_LARGE)
        return block_new(capacity);
    const bool is_small = capacity <= BLOCK_BYTES_SMALL;
    struct block **spare = is_small ? &blocks->small : &blocks->large;
    if (*spare == NULL)
        return block_new(is_small ? BLOCK_BYTES_SMALL : BLOCK_BYTES_LARGE);
    *(is_small ? &blocks->small_count : &blocks->large_count) -= 1;
    return first_take(spare);
}

void block_give(struct blocks *blocks, struct block *block)
{
    if (block == NULL)
        return;
    if (block->capacity == BLOCK_BYTES_SMALL && blocks->small_count < SPARE_SMALL_MAX) {
        block->next = blocks->small;
        blocks->small = block;
        blocks->small_count++;
    } else if (block->capacity == BLOCK_BYTES_LARGE && blocks->large_count < SPARE_LARGE_MAX) {
        block->next = blocks->large;
        blocks->large = block;
        blocks->large_count++;
    } else {
        free(block);
    }
}

void block_lend(struct blocks *blocks, struct block *block)
{
    block->next = blocks->borrowed;
    blocks->borrowed = block;
}

void blocks_unlend(struct blocks *blocks)
{
    while (blocks->borrowed != NULL)
        block_give(blocks, first_take(&blocks->borrowed));
}
