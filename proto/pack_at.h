/* Inside the encoder: one number or head, written at a place that has room for it. msgpack-c packs
 * and chooses the shortest form; its callback melts into plain stores.
 *
 * Each pack_at_... returns the place behind what it wrote.
 */
#ifndef PAWL_PROTO_PACK_AT_H
#define PAWL_PROTO_PACK_AT_H

#include <msgpack/pack.h>

#include "proto/bytes.h"

enum { PACK_AT_BYTES_MAX = 2 + sizeof(struct id128) }; /* of any one of them */

static inline int pack_at_write(void *data, const char *bytes, size_t size)
{
    uint8_t **at = data;
    memcpy(*at, bytes, size);
    *at += size;
    return 0;
}

static inline uint8_t *pack_at_bool(uint8_t *at, bool boolean)
{
    msgpack_packer packer = {.data = &at, .callback = pack_at_write};
    if (boolean)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
    return at;
}

static inline uint8_t *pack_at_integer(uint8_t *at, int64_t integer)
{
    msgpack_packer packer = {.data = &at, .callback = pack_at_write};
    msgpack_pack_int64(&packer, integer);
    return at;
}

static inline uint8_t *pack_at_unsigned(uint8_t *at, uint64_t integer)
{
    msgpack_packer packer = {.data = &at, .callback = pack_at_write};
    msgpack_pack_uint64(&packer, integer);
    return at;
}

static inline uint8_t *pack_at_string_head(uint8_t *at, size_t size)
{
    msgpack_packer packer = {.data = &at, .callback = pack_at_write};
    msgpack_pack_str(&packer, size);
    return at;
}

static inline uint8_t *pack_at_binary_head(uint8_t *at, size_t size)
{
    msgpack_packer packer = {.data = &at, .callback = pack_at_write};
    msgpack_pack_bin(&packer, size);
    return at;
}

static inline uint8_t *pack_at_id(uint8_t *at, struct id128 id)
{
    at = pack_at_binary_head(at, sizeof id.byte);
    memcpy(at, id.byte, sizeof id.byte);
    return at + sizeof id.byte;
}

static inline uint8_t *pack_at_array(uint8_t *at, uint32_t count)
{
    msgpack_packer packer = {.data = &at, .callback = pack_at_write};
    msgpack_pack_array(&packer, count);
    return at;
}

static inline uint8_t *pack_at_map(uint8_t *at, uint32_t count)
{
    msgpack_packer packer = {.data = &at, .callback = pack_at_write};
    msgpack_pack_map(&packer, count);
    return at;
}

#endif
