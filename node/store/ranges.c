#include "node/store/ranges.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/rows.h"

/* Room for any key of a row and a zero after it, so that a bound moves without an allocation. */
enum { BOUND_BYTES = ROW_KEY_BYTES_MAX + 1 };

/* A copy of a bound; data NULL: no memory. */
static struct bytes key_new(struct bytes key)
{
    uint8_t *copy = malloc(key.size > BOUND_BYTES ? key.size : BOUND_BYTES);
    if (copy != NULL && key.size > 0)
        memcpy(copy, key.data, key.size);
    return bytes_of(copy, copy == NULL ? 0 : key.size);
}

/* Move a bound to a row's key with some zero bytes after it. */
static void key_set(struct bytes *bound, struct bytes key, size_t zero_count)
{
    assert(key.size + zero_count <= BOUND_BYTES);
    uint8_t *room = (uint8_t *)(uintptr_t)bound->data;
    memcpy(room, key.data, key.size);
    memset(room + key.size, 0, zero_count);
    bound->size = key.size + zero_count;
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
    struct range range = {.begin = key_new(begin), .end = key_new(end), .used = used};
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

/* Nothing stands between key and end. */
static bool is_next(struct bytes key, struct bytes end)
{
    return end.size == key.size + 1 && end.data[key.size] == 0 && bytes_have_prefix(end, key);
}

/* Both parts stay; false: no memory, nothing changed. */
static bool range_split(struct range_list *list, size_t at, struct bytes key)
{
    struct range after = list->range[at];
    after.begin = key_new(key);
    struct bytes before_end = key_new(key);
    if (after.begin.data == NULL || before_end.data == NULL || !list_reserve(list)) {
        key_free(after.begin);
        key_free(before_end);
        return false;
    }
    key_set(&after.begin, key, 1);
    list->range[at].end = before_end;
    list_insert(list, at + 1, after);
    return true;
}

void ranges_cut(struct range_list *list, struct bytes key, struct range_keep keep)
{
    size_t at = ranges_rank(list, key);
    struct range *whole = &list->range[at];
    bool has_before = keep.before && bytes_compare(whole->begin, key) < 0;
    bool has_after = keep.after && !is_next(key, whole->end);
    if (has_before && has_after && range_split(list, at, key))
        return;
    if (has_before)
        key_set(&whole->end, key, 0);
    else if (has_after)
        key_set(&whole->begin, key, 1);
    else
        ranges_remove(list, at);
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
