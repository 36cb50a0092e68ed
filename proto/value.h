/* Values: one msgpack value as bytes, the form in which payloads travel, rest and are evaluated.
 *
 * 1. A value is null, boolean, integer (int64 or uint64), float64, string (UTF-8), binary, array,
 *    or map with string keys. No extension types, no duplicate keys.
 * 2. value_check makes bytes from outside into a value; every other function here takes checked
 *    values, and still never reads past their end.
 * 3. Encoding is canonical: shortest integers, shortest heads, float64 always, negative zero kept,
 *    no NaN.
 *
 * Source: the msgpack specification.
 */
#ifndef PAWL_PROTO_VALUE_H
#define PAWL_PROTO_VALUE_H

#include "proto/bytes.h"
#include "proto/error.h"

enum value_kind {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INTEGER,  /* fits int64 */
    VALUE_UNSIGNED, /* above INT64_MAX */
    VALUE_FLOAT,
    VALUE_STRING,
    VALUE_BINARY,
    VALUE_ARRAY,
    VALUE_MAP,
};

/* The first part of one value: a scalar whole, or the head of an array or map. */
struct value_head {
    enum value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        uint64_t unsigned_integer;
        double real;
        struct bytes bytes; /* string or binary: a view into the input */
        uint32_t count;     /* array: elements, map: pairs; they follow in the input */
    };
};

/* A place in encoded bytes. For checked values and, with every error looked at, for raw input. */
struct value_cursor {
    const uint8_t *at;
    const uint8_t *end;
};

static inline struct value_cursor value_cursor_of(struct bytes value)
{
    return (struct value_cursor){value.data,
                                 value.size == 0 ? value.data : value.data + value.size};
}

/* Read one head. PAWL_E_INVALID: truncated, an extension type, or a count that cannot fit into the
 * bytes that remain. The cursor does not move on an error. */
MUST_USE enum pawl_error value_next(struct value_cursor *cursor, struct value_head *head_out);
/* Step over one whole value, iteratively. Same errors. */
MUST_USE enum pawl_error value_skip(struct value_cursor *cursor);
/* The bytes of one whole value; the cursor moves past it. Same errors. */
MUST_USE enum pawl_error value_take(struct value_cursor *cursor, struct bytes *value_out);

struct value_limits {
    size_t bytes_max;
    uint32_t depth_max;
    uint32_t nodes_max;
};
extern const struct value_limits value_limits_default; /* VALUE_*_MAX of limits.h */

/* Accept bytes from outside as exactly one value. PAWL_E_INVALID: not msgpack, bytes left over, an
 * extension type, a key that is no string, a duplicate key, text that is not UTF-8, NaN.
 * PAWL_E_LIMIT: too large, too deep, too many nodes (a map's keys are nodes too). PAWL_E_NO_MEMORY.
 * limits NULL: value_limits_default; no value is ever deeper than VALUE_STACK_MAX. */
MUST_USE enum pawl_error value_check(struct bytes bytes, const struct value_limits *limits,
                                     struct pawl_diag *diag);
/* The same for the next value at a cursor, which moves past it; what follows is not looked at. */
MUST_USE enum pawl_error value_check_next(struct value_cursor *cursor,
                                          const struct value_limits *limits,
                                          struct bytes *value_out, struct pawl_diag *diag);

/* VALUE_NULL for no bytes at all. */
enum value_kind value_kind_of(struct bytes value);
/* The value at a key of a map; false when value is no map or has no such key. */
bool value_map_get(struct bytes value, struct bytes key, struct bytes *value_out);
/* Convenience over value_map_get: the string at key, or the empty view. */
struct bytes value_map_string(struct bytes value, struct bytes key);
/* The string's content; false when value is no string. */
bool value_string(struct bytes value, struct bytes *text_out);
/* Also from a float that is an exact integer. */
bool value_integer(struct bytes value, int64_t *integer_out);
/* Semantic equality: 1 equals 1.0, maps without regard to order. */
bool value_equal(struct bytes a, struct bytes b);

/* Appending to a buffer; msgpack-c packs. An error shows in buffer->is_failed. */
void pack_null(struct buffer *buffer);
void pack_bool(struct buffer *buffer, bool boolean);
void pack_integer(struct buffer *buffer, int64_t integer);
void pack_unsigned(struct buffer *buffer, uint64_t integer);
void pack_float(struct buffer *buffer, double real); /* NaN is no value: null, as in jq's output */
void pack_string(struct buffer *buffer, struct bytes text);
void pack_text(struct buffer *buffer, const char *text);     /* NUL-terminated */
void pack_string_head(struct buffer *buffer, uint32_t size); /* then size bytes of UTF-8 */
void pack_binary(struct buffer *buffer, struct bytes bytes);
void pack_array(struct buffer *buffer, uint32_t count);     /* then count values */
void pack_map(struct buffer *buffer, uint32_t count);       /* then count times key and value */
void pack_value(struct buffer *buffer, struct bytes value); /* an encoded value as it is */

extern const struct bytes value_null; /* the one-byte encoding of null */
extern const struct bytes value_empty_map;

/* UTF-8 without surrogates, overlong forms or code points past U+10FFFF. */
bool utf8_is_valid(struct bytes text);
/* The bytes before the first that makes it invalid; text.size when there is none. */
size_t utf8_valid_size(struct bytes text);
/* The longest prefix of at most size_max bytes that ends between two characters; for messages. */
struct bytes utf8_cut(struct bytes text, size_t size_max);

#endif
