/* Semantic equality of checked values.
 *
 * 1. Numbers are compared exactly: 1 equals 1.0, 2^53 + 1 does not equal any float near it.
 * 2. Maps whose keys stand in the same order, the usual case, are compared in one walk. Otherwise
 *    the pairs that are left are sorted by key, so that no map costs its square.
 * 3. The recursion is as deep as the values are nested, VALUE_STACK_MAX at most.
 */
#include <stdlib.h>

#include "proto/limits.h"
#include "proto/value.h"

struct pair {
    struct bytes key;
    struct bytes value;
};

static bool equal_next(struct value_cursor *a, struct value_cursor *b, uint32_t depth);

static bool number_equals_float(const struct value_head *number, double real)
{
    if (number->kind == VALUE_FLOAT)
        return number->real == real;
    if (number->kind == VALUE_INTEGER)
        return real >= -0x1p63 && real < 0x1p63 && (int64_t)real == number->integer &&
               (double)(int64_t)real == real;
    return number->kind == VALUE_UNSIGNED && real >= 0x1p63 && real < 0x1p64 &&
           (uint64_t)real == number->unsigned_integer;
}

static bool scalar_equal(const struct value_head *a, const struct value_head *b)
{
    if (b->kind == VALUE_FLOAT)
        return number_equals_float(a, b->real);
    if (a->kind == VALUE_FLOAT)
        return number_equals_float(b, a->real);
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    case VALUE_INTEGER:
        return a->integer == b->integer;
    case VALUE_UNSIGNED:
        return a->unsigned_integer == b->unsigned_integer;
    case VALUE_STRING:
    case VALUE_BINARY:
        return bytes_equal(a->bytes, b->bytes);
    case VALUE_FLOAT:
    case VALUE_ARRAY:
    case VALUE_MAP:
        break;
    }
    return false;
}

static int pair_compare(const void *left, const void *right)
{
    const struct pair *a = left;
    const struct pair *b = right;
    return bytes_compare(a->key, b->key);
}

static bool pairs_take(struct value_cursor *cursor, struct pair *pairs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct value_head key;
        if (value_next(cursor, &key) != PAWL_OK || key.kind != VALUE_STRING ||
            value_take(cursor, &pairs[i].value) != PAWL_OK)
            return false;
        pairs[i].key = key.bytes;
    }
    qsort(pairs, count, sizeof *pairs, pair_compare);
    return true;
}

static bool pairs_equal(const struct pair *a, const struct pair *b, uint32_t count, uint32_t depth)
{
    for (uint32_t i = 0; i < count; i++) {
        struct value_cursor left = value_cursor_of(a[i].value);
        struct value_cursor right = value_cursor_of(b[i].value);
        if (!bytes_equal(a[i].key, b[i].key) || !equal_next(&left, &right, depth))
            return false;
    }
    return true;
}

/* `count` pairs of each, in any order. */
static bool unordered_equal(struct value_cursor *a, struct value_cursor *b, uint32_t count,
                            uint32_t depth)
{
    enum { IN_PLACE = 8 };
    struct pair in_place[2 * IN_PLACE];
    struct buffer spill = {.limit = SIZE_MAX / 4};
    struct pair *pairs = in_place;
    if (count > IN_PLACE)
        pairs = (struct pair *)(void *)buffer_extend(&spill, 2 * (size_t)count * sizeof *pairs);
    const bool is_equal = pairs != NULL && pairs_take(a, pairs, count) &&
                          pairs_take(b, pairs + count, count) &&
                          pairs_equal(pairs, pairs + count, count, depth);
    buffer_done(&spill);
    return is_equal;
}

static bool map_equal(struct value_cursor *a, struct value_cursor *b, uint32_t count,
                      uint32_t depth)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct value_cursor a_pair = *a, b_pair = *b;
        struct value_head a_key, b_key;
        if (value_next(a, &a_key) != PAWL_OK || value_next(b, &b_key) != PAWL_OK)
            return false;
        if (!scalar_equal(&a_key, &b_key)) {
            *a = a_pair;
            *b = b_pair;
            return unordered_equal(a, b, count - i, depth);
        }
        if (!equal_next(a, b, depth))
            return false;
    }
    return true;
}

static bool array_equal(struct value_cursor *a, struct value_cursor *b, uint32_t count,
                        uint32_t depth)
{
    for (uint32_t i = 0; i < count; i++)
        if (!equal_next(a, b, depth))
            return false;
    return true;
}

static bool equal_next(struct value_cursor *a, struct value_cursor *b, uint32_t depth)
{
    struct value_head a_head, b_head;
    if (value_next(a, &a_head) != PAWL_OK || value_next(b, &b_head) != PAWL_OK)
        return false;
    const bool is_container = a_head.kind == VALUE_ARRAY || a_head.kind == VALUE_MAP;
    if (!is_container)
        return scalar_equal(&a_head, &b_head);
    if (a_head.kind != b_head.kind || a_head.count != b_head.count || depth == VALUE_STACK_MAX)
        return false;
    if (a_head.kind == VALUE_ARRAY)
        return array_equal(a, b, a_head.count, depth + 1);
    return map_equal(a, b, a_head.count, depth + 1);
}

bool value_equal(struct bytes a, struct bytes b)
{
    struct value_cursor left = value_cursor_of(a), right = value_cursor_of(b);
    return equal_next(&left, &right, 0);
}
