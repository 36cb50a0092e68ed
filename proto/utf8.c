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

static inline uint64_t high_bits_of_four(const uint8_t *at)
{
    uint32_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes & 0x80808080u;
}

static inline uint64_t high_bits_of_eight(const uint8_t *at)
{
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes & 0x8080808080808080u;
}

static inline bool is_ascii(const uint8_t *eight)
{
    return high_bits_of_eight(eight) == 0;
}

/* The last step overlaps the one before it, so that no size needs a tail of single bytes. */
static inline bool all_is_ascii(struct bytes text)
{
    uint64_t high = 0;
    if (text.size >= 8) {
        for (size_t i = 0; i < text.size - 8; i += 8)
            high |= high_bits_of_eight(text.data + i);
        high |= high_bits_of_eight(text.data + text.size - 8);
    } else if (text.size >= 4) {
        high = high_bits_of_four(text.data) | high_bits_of_four(text.data + text.size - 4);
    } else {
        for (size_t i = 0; i < text.size; i++)
            high |= text.data[i] & 0x80u;
    }
    return high == 0;
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
    return all_is_ascii(text) || utf8_valid_size(text) == text.size;
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
