#include "client/held.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/limits.h"

void held_done(struct held *held)
{
    free(held->memory);
    *held = (struct held){0};
}

void held_clear(struct held *held)
{
    held->begin = held->count = 0;
}

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int fence_compare(const struct msg_fence *a, const struct msg_fence *b)
{
    int order = compare(a->partition, b->partition);
    if (order == 0)
        order = compare(a->term, b->term);
    if (order == 0)
        order = compare(a->index, b->index);
    return order != 0 ? order : compare(a->ordinal, b->ordinal);
}

/* The place of this fence, or where it would be. */
static size_t place_of(const struct held *held, const struct msg_fence *fence)
{
    const struct msg_fence *first = held_first(held);
    size_t begin = 0, end = held->count;
    if (held->count > 0 && fence_compare(&first[held->count - 1], fence) < 0)
        return held->count;
    while (begin < end) {
        const size_t middle = begin + (end - begin) / 2;
        if (fence_compare(&first[middle], fence) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static bool is_at(const struct held *held, size_t place, const struct msg_fence *fence)
{
    return place < held->count && fence_compare(&held_first(held)[place], fence) == 0;
}

/* Room behind the last; false: no memory. */
static bool room_make(struct held *held)
{
    if (held->begin + held->count < held->capacity)
        return true;
    if (held->begin > held->capacity / 2) {
        memmove(held->memory, held->memory + held->begin, held->count * sizeof *held->memory);
        held->begin = 0;
        return true;
    }
    size_t capacity = held->capacity == 0 ? 64 : held->capacity * 2;
    struct msg_fence *memory = realloc(held->memory, capacity * sizeof *memory);
    if (memory == NULL)
        return false;
    held->memory = memory;
    held->capacity = capacity;
    return true;
}

bool held_add(struct held *held, const struct msg_fence *fence)
{
    const size_t place = place_of(held, fence);
    if (is_at(held, place, fence) || held->count == SESSION_CREDIT_MAX || !room_make(held))
        return false;
    struct msg_fence *at = held->memory + held->begin + place;
    memmove(at + 1, at, (held->count - place) * sizeof *at);
    *at = *fence;
    held->count++;
    return true;
}

void held_remove(struct held *held, const struct msg_fence *fence)
{
    const size_t place = place_of(held, fence);
    if (!is_at(held, place, fence))
        return;
    struct msg_fence *first = held->memory + held->begin;
    held->count--;
    if (place < held->count / 2) {
        memmove(first + 1, first, place * sizeof *first);
        held->begin++;
    } else {
        memmove(first + place, first + place + 1, (held->count - place) * sizeof *first);
    }
}

void held_check(const struct held *held)
{
    const struct msg_fence *first = held_first(held);
    assert(held->count <= SESSION_CREDIT_MAX && held->begin + held->count <= held->capacity);
    for (size_t i = 1; i < held->count; i++)
        assert(fence_compare(&first[i - 1], &first[i]) < 0);
}
