#include "proto/bytes.h"

#include <stdlib.h>

#include "proto/limits.h"

void buffer_done(struct buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->size = buffer->capacity = 0;
    buffer->is_failed = false;
}

void buffer_reset(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->is_failed = false;
}

static bool buffer_grow(struct buffer *buffer, size_t needed)
{
    size_t limit = buffer->limit != 0 ? buffer->limit : BUFFER_BYTES_MAX;
    if (needed > limit)
        return false;
    size_t capacity = buffer->capacity != 0 ? buffer->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    if (capacity > limit)
        capacity = limit;
    uint8_t *data = realloc(buffer->data, capacity);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *buffer_extend_slowly(struct buffer *buffer, size_t size)
{
    if (buffer->is_failed)
        return NULL;
    if (size > SIZE_MAX / 4 || !buffer_grow(buffer, buffer->size + size)) {
        buffer->is_failed = true;
        return NULL;
    }
    uint8_t *at = buffer->data + buffer->size;
    buffer->size += size;
    return at;
}

/* The 8 digits of 4 bytes, in one word: their halves are spread over it, then each becomes its
 * digit. */
static void hex_put(uint8_t digits[8], const uint8_t bytes[4])
{
    uint64_t halves = be32_get(bytes);
    halves = (halves | halves << 16) & 0x0000ffff0000ffffu;
    halves = (halves | halves << 8) & 0x00ff00ff00ff00ffu;
    halves = (halves | halves << 4) & 0x0f0f0f0f0f0f0f0fu;
    const uint64_t letters = (halves + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
    be64_put(digits, halves + 0x3030303030303030u + letters * ('a' - '0' - 10));
}

void id128_format(struct id128 id, char text_out[37])
{
    uint8_t digits[32];
    for (size_t i = 0; i < 4; i++)
        hex_put(digits + 8 * i, id.byte + 4 * i);
    memcpy(text_out, digits, 8);
    memcpy(text_out + 9, digits + 8, 4);
    memcpy(text_out + 14, digits + 12, 4);
    memcpy(text_out + 19, digits + 16, 4);
    memcpy(text_out + 24, digits + 20, 12);
    text_out[8] = text_out[13] = text_out[18] = text_out[23] = '-';
    text_out[36] = '\0';
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool id128_parse(struct bytes text, struct id128 *id_out)
{
    struct id128 id;
    int digit_count = 0;
    if (text.size != 32 && text.size != 36)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.size == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) {
            if (text.data[i] != '-')
                return false;
            continue;
        }
        int digit = hex_digit(text.data[i]);
        if (digit < 0)
            return false;
        uint8_t *byte = &id.byte[digit_count / 2];
        *byte = (uint8_t)(digit_count % 2 == 0 ? digit << 4 : *byte | digit);
        digit_count++;
    }
    *id_out = id;
    return true;
}
