#include "proto/value.h"

#include "proto/limits.h"
#include "proto/value_head.h"

const struct value_limits value_limits_default = {
    .bytes_max = VALUE_BYTES_MAX, .depth_max = VALUE_DEPTH_MAX, .nodes_max = VALUE_NODES_MAX};
const struct bytes value_null = {(const uint8_t[]){0xc0}, 1};
const struct bytes value_empty_map = {(const uint8_t[]){0x80}, 1};

enum pawl_error value_next(struct value_cursor *cursor, struct value_head *head_out)
{
    return head_next(cursor, head_out);
}

enum pawl_error value_skip(struct value_cursor *cursor)
{
    struct value_cursor ahead = *cursor;
    uint64_t pending = 1; /* values still to be stepped over; each takes a byte at least */
    while (pending > 0) {
        struct value_head head;
        TRY(head_next(&ahead, &head));
        pending--;
        if (head.kind == VALUE_ARRAY)
            pending += head.count;
        else if (head.kind == VALUE_MAP)
            pending += 2 * (uint64_t)head.count;
        if (pending > (size_t)(ahead.end - ahead.at))
            return PAWL_E_INVALID;
    }
    cursor->at = ahead.at;
    return PAWL_OK;
}

enum pawl_error value_take(struct value_cursor *cursor, struct bytes *value_out)
{
    const uint8_t *begin = cursor->at;
    TRY(value_skip(cursor));
    *value_out = bytes_of(begin, (size_t)(cursor->at - begin));
    return PAWL_OK;
}

/* The head of a value as a whole; false when there is none. */
static bool head_of(struct bytes value, struct value_head *head_out)
{
    struct value_cursor cursor = value_cursor_of(value);
    return head_next(&cursor, head_out) == PAWL_OK;
}

enum value_kind value_kind_of(struct bytes value)
{
    struct value_head head;
    return head_of(value, &head) ? head.kind : VALUE_NULL;
}

bool value_map_get(struct bytes value, struct bytes key, struct bytes *value_out)
{
    struct value_cursor cursor = value_cursor_of(value);
    struct value_head map;
    if (head_next(&cursor, &map) != PAWL_OK || map.kind != VALUE_MAP)
        return false;
    for (uint32_t i = 0; i < map.count; i++) {
        struct value_head head;
        if (head_next(&cursor, &head) != PAWL_OK || head.kind != VALUE_STRING)
            return false;
        if (bytes_equal(head.bytes, key))
            return value_take(&cursor, value_out) == PAWL_OK;
        if (value_skip(&cursor) != PAWL_OK)
            return false;
    }
    return false;
}

struct bytes value_map_string(struct bytes value, struct bytes key)
{
    struct bytes found, text;
    if (!value_map_get(value, key, &found) || !value_string(found, &text))
        return (struct bytes){NULL, 0};
    return text;
}

bool value_string(struct bytes value, struct bytes *text_out)
{
    struct value_head head;
    if (!head_of(value, &head) || head.kind != VALUE_STRING)
        return false;
    *text_out = head.bytes;
    return true;
}

bool value_integer(struct bytes value, int64_t *integer_out)
{
    struct value_head head;
    if (!head_of(value, &head))
        return false;
    if (head.kind == VALUE_INTEGER) {
        *integer_out = head.integer;
        return true;
    }
    if (head.kind != VALUE_FLOAT || !(head.real >= -0x1p63 && head.real < 0x1p63) ||
        (double)(int64_t)head.real != head.real)
        return false;
    *integer_out = (int64_t)head.real;
    return true;
}
