/* Inside the encoder: one number or head, written at a place that has room for it, in its shortest
 * form. The usual ones are written in place, msgpack-c packs the others.
 *
 * Each pack_at_... returns the place behind what it wrote.
 */
#ifndef PAWL_PROTO_PACK_AT_H
#define PAWL_PROTO_PACK_AT_H

#include "proto/bytes.h"

enum { PACK_AT_BYTES_MAX = 2 + sizeof(struct id128) }; /* of any one of them */

uint8_t *pack_at_bool(uint8_t *at, bool boolean);
uint8_t *pack_at_integer(uint8_t *at, int64_t integer);
uint8_t *pack_at_unsigned_wide(uint8_t *at, uint64_t integer);
uint8_t *pack_at_string_head_wide(uint8_t *at, size_t size);
uint8_t *pack_at_binary_head_wide(uint8_t *at, size_t size);
uint8_t *pack_at_array(uint8_t *at, uint32_t count);
uint8_t *pack_at_map(uint8_t *at, uint32_t count);

static inline uint8_t *pack_at_unsigned(uint8_t *at, uint64_t integer)
{
    if (integer >= 0x80)
        return pack_at_unsigned_wide(at, integer);
    *at = (uint8_t)integer;
    return at + 1;
}

static inline uint8_t *pack_at_string_head(uint8_t *at, size_t size)
{
    if (size >= 0x20)
        return pack_at_string_head_wide(at, size);
    *at = (uint8_t)(0xa0 | size);
    return at + 1;
}

static inline uint8_t *pack_at_binary_head(uint8_t *at, size_t size)
{
    if (size > UINT8_MAX)
        return pack_at_binary_head_wide(at, size);
    at[0] = 0xc4;
    at[1] = (uint8_t)size;
    return at + 2;
}

static inline uint8_t *pack_at_id(uint8_t *at, struct id128 id)
{
    at[0] = 0xc4;
    at[1] = sizeof id.byte;
    memcpy(at + 2, id.byte, sizeof id.byte);
    return at + 2 + sizeof id.byte;
}

#endif
