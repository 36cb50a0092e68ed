#include "proto/value_head.h"

enum { FORM_INVALID = 0xff };

/* Bytes of the argument after the first byte, for the forms 0xc0 to 0xdf. */
static const uint8_t argument_sizes[32] = {
    [0x00] = 0,            /* nil */
    [0x01] = FORM_INVALID, /* never used */
    [0x02] = 0,            /* false */
    [0x03] = 0,            /* true */
    [0x04] = 1,            /* bin */
    [0x05] = 2,
    [0x06] = 4,
    [0x07] = FORM_INVALID, /* ext */
    [0x08] = FORM_INVALID,
    [0x09] = FORM_INVALID,
    [0x0a] = 4, /* float */
    [0x0b] = 8,
    [0x0c] = 1, /* uint */
    [0x0d] = 2,
    [0x0e] = 4,
    [0x0f] = 8,
    [0x10] = 1, /* int */
    [0x11] = 2,
    [0x12] = 4,
    [0x13] = 8,
    [0x14] = FORM_INVALID, /* fixext */
    [0x15] = FORM_INVALID,
    [0x16] = FORM_INVALID,
    [0x17] = FORM_INVALID,
    [0x18] = FORM_INVALID,
    [0x19] = 1, /* str */
    [0x1a] = 2,
    [0x1b] = 4,
    [0x1c] = 2, /* array */
    [0x1d] = 4,
    [0x1e] = 2, /* map */
    [0x1f] = 4,
};

static inline uint64_t argument_get(const uint8_t *at, size_t size)
{
    switch (size) {
    case 1:
        return at[0];
    case 2:
        return (uint64_t)at[0] << 8 | at[1];
    case 4:
        return be32_get(at);
    case 8:
        return be64_get(at);
    default:
        return 0;
    }
}

static enum pawl_error take_unsigned(struct value_cursor *cursor, const uint8_t *at,
                                     uint64_t integer, struct value_head *head_out)
{
    if (integer <= INT64_MAX)
        return head_integer(cursor, at, (int64_t)integer, head_out);
    head_out->kind = VALUE_UNSIGNED;
    head_out->unsigned_integer = integer;
    cursor->at = at;
    return PAWL_OK;
}

static enum pawl_error take_null(struct value_cursor *cursor, const uint8_t *at,
                                 struct value_head *head_out)
{
    head_out->kind = VALUE_NULL;
    cursor->at = at;
    return PAWL_OK;
}

static enum pawl_error take_bool(struct value_cursor *cursor, const uint8_t *at, bool boolean,
                                 struct value_head *head_out)
{
    head_out->kind = VALUE_BOOL;
    head_out->boolean = boolean;
    cursor->at = at;
    return PAWL_OK;
}

static enum pawl_error take_float(struct value_cursor *cursor, const uint8_t *at, double real,
                                  struct value_head *head_out)
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

enum pawl_error head_next_wide(struct value_cursor *cursor, struct value_head *head_out)
{
    const uint8_t form = *cursor->at;
    const uint8_t *at = cursor->at + 1;
    if (at != cursor->end && (form == 0xc4 || form == 0xd9)) /* the usual ids and texts */
        return head_bytes(cursor, at + 1, *at, form == 0xc4 ? VALUE_BINARY : VALUE_STRING,
                          head_out);
    const uint8_t size = argument_sizes[form & 0x1f];
    if (size == FORM_INVALID || size > (size_t)(cursor->end - at))
        return PAWL_E_INVALID;
    const uint64_t argument = argument_get(at, size);
    at += size;
    switch (form) {
    case 0xc0:
        return take_null(cursor, at, head_out);
    case 0xc2:
    case 0xc3:
        return take_bool(cursor, at, form == 0xc3, head_out);
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return head_bytes(cursor, at, (size_t)argument, VALUE_BINARY, head_out);
    case 0xca:
        return take_float(cursor, at, float32_of(argument), head_out);
    case 0xcb:
        return take_float(cursor, at, float64_of(argument), head_out);
    case 0xd0:
        return head_integer(cursor, at, (int8_t)argument, head_out);
    case 0xd1:
        return head_integer(cursor, at, (int16_t)argument, head_out);
    case 0xd2:
        return head_integer(cursor, at, (int32_t)argument, head_out);
    case 0xd3:
        return head_integer(cursor, at, (int64_t)argument, head_out);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return head_bytes(cursor, at, (size_t)argument, VALUE_STRING, head_out);
    case 0xdc:
    case 0xdd:
        return head_count(cursor, at, (uint32_t)argument, VALUE_ARRAY, head_out);
    case 0xde:
    case 0xdf:
        return head_count(cursor, at, (uint32_t)argument, VALUE_MAP, head_out);
    default: /* 0xcc to 0xcf */
        return take_unsigned(cursor, at, argument, head_out);
    }
}
