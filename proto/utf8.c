/* UTF-8 as RFC 3629 has it.
 *
 * ASCII goes by eight bytes at a time; anything else is checked one sequence at a time against the
 * well-formed byte ranges (Unicode, table 3-7), which leave no overlong form and no surrogate.
 */
#include "proto/value.h"

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The length of the well-formed sequence of two or more bytes at `at`, or 0. */
static size_t sequence_size(const uint8_t *at, size_t left)
{
    const uint8_t first = at[0];
    if (first < 0xc2 || first > 0xf4)
        return 0;
    const size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (left < size)
        return 0;
    const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if (!is_continuation(at[i]))
            return 0;
    return size;
}

static bool is_ascii(const uint8_t eight[8])
{
    uint64_t bytes;
    memcpy(&bytes, eight, sizeof bytes);
    return (bytes & 0x8080808080808080u) == 0;
}

static size_t ascii_prefix(const uint8_t *at, size_t size)
{
    size_t i = 0;
    while (size - i >= 8 && is_ascii(at + i))
        i += 8;
    if (size >= 8 && size - i < 8 && is_ascii(at + size - 8))
        return size;
    while (i < size && at[i] < 0x80)
        i++;
    return i;
}

size_t utf8_valid_size(struct bytes text)
{
    size_t i = 0;
    while (i < text.size) {
        i += ascii_prefix(text.data + i, text.size - i);
        if (i == text.size)
            break;
        const size_t size = sequence_size(text.data + i, text.size - i);
        if (size == 0)
            break;
        i += size;
    }
    return i;
}

bool utf8_is_valid(struct bytes text)
{
    return utf8_valid_size(text) == text.size;
}

struct bytes utf8_cut(struct bytes text, size_t size_max)
{
    if (text.size <= size_max)
        return text;
    size_t size = size_max;
    while (size > 0 && is_continuation(text.data[size]))
        size--;
    return bytes_of(text.data, size);
}
