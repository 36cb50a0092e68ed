/* Bytes: a view never owns, a buffer always does.
 *
 * 1. struct bytes is a view; it lives as long as what it points into.
 * 2. struct buffer owns its memory; it grows by doubling and refuses to pass its limit.
 * 3. A buffer that fails once stays failed (is_failed) until it is reset, so that a row of appends
 *    is checked once, at its end.
 */
#ifndef PAWL_PROTO_BYTES_H
#define PAWL_PROTO_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

/* A view of a string literal, without its NUL; and the same as the initializer of a static. */
#define BYTES_LITERAL(text) ((struct bytes)BYTES_INITIAL(text))
#define BYTES_INITIAL(text)                                                                        \
    {                                                                                              \
        (const uint8_t *)("" text), sizeof(text) - 1                                               \
    }

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){(const uint8_t *)data, size};
}

/* A view of a NUL-terminated string; NULL is the empty view. */
static inline struct bytes bytes_string(const char *text)
{
    return text == NULL ? (struct bytes){NULL, 0} : bytes_of(text, strlen(text));
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* <0, 0, >0 as memcmp; a prefix sorts before what it begins. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

static inline bool bytes_have_prefix(struct bytes whole, struct bytes prefix)
{
    return whole.size >= prefix.size &&
           (prefix.size == 0 || memcmp(whole.data, prefix.data, prefix.size) == 0);
}

struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t limit;   /* bytes; 0: BUFFER_BYTES_MAX of limits.h */
    bool is_failed; /* an append found no memory or passed the limit; the content is incomplete */
};

/* A zeroed struct buffer is an empty buffer; buffer_done gives its memory back and empties it. */
void buffer_done(struct buffer *buffer);
/* Forget the content, keep the memory. */
void buffer_reset(struct buffer *buffer);
/* Inside buffer_extend: what has no room yet. */
uint8_t *buffer_extend_slowly(struct buffer *buffer, size_t size);
/* Room for size more bytes at the end, which count as content at once; NULL on failure. */
static inline uint8_t *buffer_extend(struct buffer *buffer, size_t size)
{
    if (buffer->is_failed || size > buffer->capacity - buffer->size)
        return buffer_extend_slowly(buffer, size);
    uint8_t *at = buffer->data + buffer->size;
    buffer->size += size;
    return at;
}

/* Append; on failure nothing is appended and is_failed is set. */
static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    uint8_t *at = size > 0 ? buffer_extend(buffer, size) : NULL;
    if (at != NULL)
        memcpy(at, data, size);
}

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return (struct bytes){buffer->data, buffer->size};
}

/* Big-endian integers, so that keys sort as numbers; little-endian ones for records; and their
 * readers. No alignment is asked for. */
static inline void be32_put(uint8_t *out, uint32_t number)
{
    number = htobe32(number);
    memcpy(out, &number, sizeof number);
}

static inline uint32_t be32_get(const uint8_t *in)
{
    uint32_t number;
    memcpy(&number, in, sizeof number);
    return be32toh(number);
}

static inline void be64_put(uint8_t *out, uint64_t number)
{
    number = htobe64(number);
    memcpy(out, &number, sizeof number);
}

static inline uint64_t be64_get(const uint8_t *in)
{
    uint64_t number;
    memcpy(&number, in, sizeof number);
    return be64toh(number);
}

static inline void le16_put(uint8_t *out, uint16_t number)
{
    number = htole16(number);
    memcpy(out, &number, sizeof number);
}

static inline uint16_t le16_get(const uint8_t *in)
{
    uint16_t number;
    memcpy(&number, in, sizeof number);
    return le16toh(number);
}

static inline void le32_put(uint8_t *out, uint32_t number)
{
    number = htole32(number);
    memcpy(out, &number, sizeof number);
}

static inline uint32_t le32_get(const uint8_t *in)
{
    uint32_t number;
    memcpy(&number, in, sizeof number);
    return le32toh(number);
}

static inline void le64_put(uint8_t *out, uint64_t number)
{
    number = htole64(number);
    memcpy(out, &number, sizeof number);
}

static inline uint64_t le64_get(const uint8_t *in)
{
    uint64_t number;
    memcpy(&number, in, sizeof number);
    return le64toh(number);
}

/* A 128-bit identifier: request ids, run ids, session ids, cluster ids. All zero means "none". */
struct id128 {
    uint8_t byte[16];
};

static inline bool id128_equal(struct id128 a, struct id128 b)
{
    return memcmp(a.byte, b.byte, 16) == 0;
}

static inline bool id128_is_none(struct id128 a)
{
    static const struct id128 none;
    return memcmp(a.byte, none.byte, 16) == 0;
}

static inline struct bytes id128_bytes(const struct id128 *id)
{
    return bytes_of(id->byte, 16);
}

/* As 8-4-4-4-12 hexadecimal digits; text_out takes 37 bytes with the NUL. */
void id128_format(struct id128 id, char text_out[37]);
/* From that form, with or without hyphens, either case. False: not an id, id_out untouched. */
bool id128_parse(struct bytes text, struct id128 *id_out);

#endif
