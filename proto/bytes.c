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

void id128_format(struct id128 id, char text_out[37])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text_out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[id.byte[i] >> 4];
        *at++ = digits[id.byte[i] & 15];
    }
    *at = '\0';
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
