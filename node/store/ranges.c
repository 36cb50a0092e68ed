#include "node/store/ranges.h"

#include <assert.h>
#include <stdlib.h>

/* A copy of a key with some zero bytes after it; data NULL: no memory. */
static struct bytes key_new(struct bytes key, size_t zero_count)
{
    uint8_t *copy = calloc(1, key.size + zero_count + 1);
    if (copy != NULL && key.size > 0)
        memcpy(copy, key.data, key.size);
    return bytes_of(copy, copy == NULL ? 0 : key.size + zero_count);
}

static void key_free(struct bytes key)
{
    free((void *)(uintptr_t)key.data);
}

static void range_done(struct range *range)
{
    key_free(range->begin);
    key_free(range->end);
}

size_t ranges_rank(const struct range_list *list, struct bytes key)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (key_is_before_end(key, list->range[middle].end))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct range *ranges_find(const struct range_list *list, struct bytes key)
{
    size_t at = ranges_rank(list, key);
    if (at == list->count || bytes_compare(key, list->range[at].begin) < 0)
        return NULL;
    return &list->range[at];
}

static bool list_reserve(struct range_list *list)
{
    if (list->count < list->capacity)
        return true;
    size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
    struct range *range = realloc(list->range, capacity * sizeof *range);
    if (range == NULL)
        return false;
    list->range = range;
    list->capacity = capacity;
    return true;
}

static void list_insert(struct range_list *list, size_t at, struct range range)
{
    assert(list->count < list->capacity);
    memmove(list->range + at + 1, list->range + at, (list->count - at) * sizeof range);
    list->range[at] = range;
    list->count++;
}

void ranges_remove(struct range_list *list, size_t at)
{
    range_done(&list->range[at]);
    list->count--;
    memmove(list->range + at, list->range + at + 1, (list->count - at) * sizeof list->range[0]);
}

/* The position of the first range that ends at begin or after it. */
static size_t first_met(const struct range_list *list, struct bytes begin)
{
    size_t at = ranges_rank(list, begin);
    if (at > 0 && bytes_equal(list->range[at - 1].end, begin))
        at--;
    return at;
}

/* Let the range take another over, which it meets, with that one's keys. */
static void range_join(struct range *range, struct range *other)
{
    if (bytes_compare(other->begin, range->begin) < 0) {
        struct bytes begin = range->begin;
        range->begin = other->begin;
        other->begin = begin;
    }
    bool is_longer =
        range->end.size != 0 && (other->end.size == 0 || bytes_compare(other->end, range->end) > 0);
    if (is_longer) {
        struct bytes end = range->end;
        range->end = other->end;
        other->end = end;
    }
    if (other->used > range->used)
        range->used = other->used;
    if (other->deleted_index > range->deleted_index)
        range->deleted_index = other->deleted_index;
}

static bool range_reaches(const struct range *range, struct bytes key)
{
    return range->end.size == 0 || bytes_compare(key, range->end) <= 0;
}

bool ranges_add(struct range_list *list, struct bytes begin, struct bytes end, uint64_t used)
{
    assert(key_is_before_end(begin, end));
    struct range range = {.begin = key_new(begin, 0), .end = key_new(end, 0), .used = used};
    if (range.begin.data == NULL || range.end.data == NULL || !list_reserve(list)) {
        range_done(&range);
        return false;
    }
    size_t at = first_met(list, begin);
    while (at < list->count && range_reaches(&range, list->range[at].begin)) {
        range_join(&range, &list->range[at]);
        ranges_remove(list, at);
    }
    list_insert(list, at, range);
    return true;
}

void ranges_cut(struct range_list *list, struct bytes key, struct range_keep keep)
{
    struct range *whole = ranges_find(list, key);
    size_t at = (size_t)(whole - list->range);
    struct range before = *whole, after = *whole;
    before.end = key_new(key, 0);
    after.begin = key_new(key, 1);
    before.begin = key_new(whole->begin, 0);
    after.end = key_new(whole->end, 0);
    bool is_able = before.begin.data != NULL && before.end.data != NULL &&
                   after.begin.data != NULL && after.end.data != NULL;
    ranges_remove(list, at);
    bool has_after = is_able && keep.after && key_is_before_end(after.begin, after.end);
    bool has_before = is_able && keep.before && bytes_compare(before.begin, before.end) < 0;
    if (has_after && list_reserve(list))
        list_insert(list, at, after);
    else
        range_done(&after);
    if (has_before && list_reserve(list))
        list_insert(list, at, before);
    else
        range_done(&before);
}

size_t ranges_oldest(const struct range_list *list)
{
    size_t oldest = 0;
    for (size_t i = 1; i < list->count; i++)
        if (list->range[i].used < list->range[oldest].used)
            oldest = i;
    return oldest;
}

void ranges_done(struct range_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        range_done(&list->range[i]);
    free(list->range);
    *list = (struct range_list){NULL, 0, 0};
}

void ranges_check(const struct range_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct range *range = &list->range[i];
        assert(key_is_before_end(range->begin, range->end));
        assert(range->end.size != 0 || i + 1 == list->count);
        assert(i == 0 || bytes_compare(list->range[i - 1].end, range->begin) < 0);
    }
}
