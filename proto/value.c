#include "proto/value.h"

#include "proto/limits.h"

const struct value_limits value_limits_default = {
    .bytes_max = VALUE_BYTES_MAX, .depth_max = VALUE_DEPTH_MAX, .nodes_max = VALUE_NODES_MAX};
const struct bytes value_null = {(const uint8_t[]){0xc0}, 1};
const struct bytes value_empty_map = {(const uint8_t[]){0x80}, 1};

enum { FORM_INVALID = 0xff };

/* Bytes of the argument after the first byte, for the forms 0xc0 to 0xdf. */
static const uint8_t argument_sizes[32] = {
    0,
    FORM_INVALID,
    0,
    0, /* nil, never used, false, true */
    1,
    2,
    4, /* bin */
    FORM_INVALID,
    FORM_INVALID,
    FORM_INVALID, /* ext */
    4,
    8, /* float */
    1,
    2,
    4,
    8, /* uint */
    1,
    2,
    4,
    8, /* int */
    FORM_INVALID,
    FORM_INVALID,
    FORM_INVALID,
    FORM_INVALID,
    FORM_INVALID, /* fixext */
    1,
    2,
    4, /* str */
    2,
    4, /* array */
    2,
    4, /* map */
};

static inline uint64_t argument_get(const uint8_t *at, size_t size)
{
    uint64_t argument = 0;
    for (size_t i = 0; i < size; i++)
        argument = argument << 8 | at[i];
    return argument;
}

static inline enum pawl_error take_bytes(struct value_cursor *cursor, const uint8_t *at,
                                         uint64_t size, enum value_kind kind,
                                         struct value_head *head_out)
{
    if (size > (size_t)(cursor->end - at))
        return PAWL_E_INVALID;
    head_out->kind = kind;
    head_out->bytes = bytes_of(at, (size_t)size);
    cursor->at = at + size;
    return PAWL_OK;
}

/* An element takes a byte at least and a pair two: a count past that is a lie. */
static inline enum pawl_error take_count(struct value_cursor *cursor, const uint8_t *at,
                                         uint64_t count, enum value_kind kind,
                                         struct value_head *head_out)
{
    const size_t left = (size_t)(cursor->end - at);
    if (count > (kind == VALUE_MAP ? left / 2 : left))
        return PAWL_E_INVALID;
    head_out->kind = kind;
    head_out->count = (uint32_t)count;
    cursor->at = at;
    return PAWL_OK;
}

static inline enum pawl_error take_integer(struct value_cursor *cursor, const uint8_t *at,
                                           int64_t integer, struct value_head *head_out)
{
    head_out->kind = VALUE_INTEGER;
    head_out->integer = integer;
    cursor->at = at;
    return PAWL_OK;
}

static inline enum pawl_error take_unsigned(struct value_cursor *cursor, const uint8_t *at,
                                            uint64_t integer, struct value_head *head_out)
{
    if (integer <= INT64_MAX)
        return take_integer(cursor, at, (int64_t)integer, head_out);
    head_out->kind = VALUE_UNSIGNED;
    head_out->unsigned_integer = integer;
    cursor->at = at;
    return PAWL_OK;
}

static inline enum pawl_error take_bool(struct value_cursor *cursor, const uint8_t *at,
                                        bool boolean, struct value_head *head_out)
{
    head_out->kind = VALUE_BOOL;
    head_out->boolean = boolean;
    cursor->at = at;
    return PAWL_OK;
}

static inline enum pawl_error take_float(struct value_cursor *cursor, const uint8_t *at,
                                         double real, struct value_head *head_out)
{
    head_out->kind = VALUE_FLOAT;
    head_out->real = real;
    cursor->at = at;
    return PAWL_OK;
}

static double float32_of(uint64_t bits)
{
    const uint32_t narrow = (uint32_t)bits;
    float real;
    memcpy(&real, &narrow, sizeof real);
    return (double)real;
}

static double float64_of(uint64_t bits)
{
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

/* The forms 0xc0 to 0xdf: a first byte, an argument, and what it announces. */
static enum pawl_error next_wide(struct value_cursor *cursor, struct value_head *head_out)
{
    const uint8_t form = *cursor->at;
    const uint8_t *at = cursor->at + 1;
    const uint8_t size = argument_sizes[form - 0xc0];
    if (size == FORM_INVALID || size > (size_t)(cursor->end - at))
        return PAWL_E_INVALID;
    const uint64_t argument = argument_get(at, size);
    at += size;
    switch (form) {
    case 0xc0:
        head_out->kind = VALUE_NULL;
        cursor->at = at;
        return PAWL_OK;
    case 0xc2:
    case 0xc3:
        return take_bool(cursor, at, form == 0xc3, head_out);
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return take_bytes(cursor, at, argument, VALUE_BINARY, head_out);
    case 0xca:
        return take_float(cursor, at, float32_of(argument), head_out);
    case 0xcb:
        return take_float(cursor, at, float64_of(argument), head_out);
    case 0xd0:
        return take_integer(cursor, at, (int8_t)argument, head_out);
    case 0xd1:
        return take_integer(cursor, at, (int16_t)argument, head_out);
    case 0xd2:
        return take_integer(cursor, at, (int32_t)argument, head_out);
    case 0xd3:
        return take_integer(cursor, at, (int64_t)argument, head_out);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return take_bytes(cursor, at, argument, VALUE_STRING, head_out);
    case 0xdc:
    case 0xdd:
        return take_count(cursor, at, argument, VALUE_ARRAY, head_out);
    case 0xde:
    case 0xdf:
        return take_count(cursor, at, argument, VALUE_MAP, head_out);
    default: /* 0xcc to 0xcf */
        return take_unsigned(cursor, at, argument, head_out);
    }
}

static inline enum pawl_error next(struct value_cursor *cursor, struct value_head *head_out)
{
    if (cursor->at == cursor->end)
        return PAWL_E_INVALID;
    const uint8_t *at = cursor->at;
    const uint8_t first = *at++;
    if (first < 0x80)
        return take_integer(cursor, at, first, head_out);
    if (first < 0x90)
        return take_count(cursor, at, first & 0x0f, VALUE_MAP, head_out);
    if (first < 0xa0)
        return take_count(cursor, at, first & 0x0f, VALUE_ARRAY, head_out);
    if (first < 0xc0)
        return take_bytes(cursor, at, first & 0x1f, VALUE_STRING, head_out);
    if (first >= 0xe0)
        return take_integer(cursor, at, (int8_t)first, head_out);
    return next_wide(cursor, head_out);
}

enum pawl_error value_next(struct value_cursor *cursor, struct value_head *head_out)
{
    return next(cursor, head_out);
}

enum pawl_error value_skip(struct value_cursor *cursor)
{
    struct value_cursor ahead = *cursor;
    uint64_t pending = 1; /* values still to be stepped over; each takes a byte at least */
    while (pending > 0) {
        struct value_head head;
        TRY(next(&ahead, &head));
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
    return next(&cursor, head_out) == PAWL_OK;
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
    if (next(&cursor, &map) != PAWL_OK || map.kind != VALUE_MAP)
        return false;
    for (uint32_t i = 0; i < map.count; i++) {
        struct value_head head;
        if (next(&cursor, &head) != PAWL_OK || head.kind != VALUE_STRING)
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
