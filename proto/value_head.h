/* Inside the readers of values: one head of msgpack, inlined where it is read most often.
 *
 * The short forms are decided here, those with an argument in head_next_wide. The cursor does not
 * move on an error, and a count is never larger than the bytes that remain can hold.
 */
#ifndef PAWL_PROTO_VALUE_HEAD_H
#define PAWL_PROTO_VALUE_HEAD_H

#include "proto/value.h"

/* The forms 0xc0 to 0xdf; there is a byte at the cursor, and it is one of them. */
MUST_USE enum pawl_error head_next_wide(struct value_cursor *cursor, struct value_head *head_out);

static inline enum pawl_error head_integer(struct value_cursor *cursor, const uint8_t *at,
                                           int64_t integer, struct value_head *head_out)
{
    head_out->kind = VALUE_INTEGER;
    head_out->integer = integer;
    cursor->at = at;
    return PAWL_OK;
}

static inline enum pawl_error head_bytes(struct value_cursor *cursor, const uint8_t *at,
                                         size_t size, enum value_kind kind,
                                         struct value_head *head_out)
{
    if (size > (size_t)(cursor->end - at))
        return PAWL_E_INVALID;
    head_out->kind = kind;
    head_out->bytes = bytes_of(at, size);
    cursor->at = at + size;
    return PAWL_OK;
}

/* An element takes a byte at least and a pair two: a count past that is a lie. */
static inline enum pawl_error head_count(struct value_cursor *cursor, const uint8_t *at,
                                         uint32_t count, enum value_kind kind,
                                         struct value_head *head_out)
{
    const size_t left = (size_t)(cursor->end - at);
    if (count > (kind == VALUE_MAP ? left / 2 : left))
        return PAWL_E_INVALID;
    head_out->kind = kind;
    head_out->count = count;
    cursor->at = at;
    return PAWL_OK;
}

static inline enum pawl_error head_next(struct value_cursor *cursor, struct value_head *head_out)
{
    if (cursor->at == cursor->end)
        return PAWL_E_INVALID;
    const uint8_t *at = cursor->at;
    const uint8_t first = *at++;
    if (first < 0x80)
        return head_integer(cursor, at, first, head_out);
    if (first < 0x90)
        return head_count(cursor, at, first & 0x0f, VALUE_MAP, head_out);
    if (first < 0xa0)
        return head_count(cursor, at, first & 0x0f, VALUE_ARRAY, head_out);
    if (first < 0xc0)
        return head_bytes(cursor, at, first & 0x1f, VALUE_STRING, head_out);
    if (first >= 0xe0)
        return head_integer(cursor, at, (int8_t)first, head_out);
    return head_next_wide(cursor, head_out);
}

/* The next head as a number that is not negative; PAWL_E_INVALID for any other. The forms 0xcc to
 * 0xcf have 1, 2, 4 and 8 bytes of argument. */
static inline enum pawl_error head_next_unsigned(struct value_cursor *cursor, uint64_t *number_out)
{
    if (cursor->end - cursor->at > 8 && (*cursor->at & 0xfc) == 0xcc) {
        const unsigned bytes = 1u << (*cursor->at & 3);
        *number_out = be64_get(cursor->at + 1) >> (64 - 8 * bytes);
        cursor->at += 1 + bytes;
        return PAWL_OK;
    }
    struct value_head head;
    struct value_cursor ahead = *cursor;
    TRY(head_next(&ahead, &head));
    const bool is_integer = head.kind == VALUE_INTEGER && head.integer >= 0;
    if (!is_integer && head.kind != VALUE_UNSIGNED)
        return PAWL_E_INVALID;
    *number_out = head.unsigned_integer;
    cursor->at = ahead.at;
    return PAWL_OK;
}

#endif
