#include "proto/pack_at.h"

#include <msgpack/pack.h>

/* What msgpack-c calls melts into plain stores. */
static inline int bytes_put(void *data, const char *bytes, size_t size)
{
    uint8_t **at = data;
    memcpy(*at, bytes, size);
    *at += size;
    return 0;
}

uint8_t *pack_at_bool(uint8_t *at, bool boolean)
{
    msgpack_packer packer = {.data = &at, .callback = bytes_put};
    if (boolean)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
    return at;
}

uint8_t *pack_at_integer(uint8_t *at, int64_t integer)
{
    msgpack_packer packer = {.data = &at, .callback = bytes_put};
    msgpack_pack_int64(&packer, integer);
    return at;
}

uint8_t *pack_at_unsigned_wide(uint8_t *at, uint64_t integer)
{
    msgpack_packer packer = {.data = &at, .callback = bytes_put};
    msgpack_pack_uint64(&packer, integer);
    return at;
}

uint8_t *pack_at_string_head_wide(uint8_t *at, size_t size)
{
    msgpack_packer packer = {.data = &at, .callback = bytes_put};
    msgpack_pack_str(&packer, size);
    return at;
}

uint8_t *pack_at_binary_head_wide(uint8_t *at, size_t size)
{
    msgpack_packer packer = {.data = &at, .callback = bytes_put};
    msgpack_pack_bin(&packer, size);
    return at;
}

uint8_t *pack_at_array(uint8_t *at, uint32_t count)
{
    msgpack_packer packer = {.data = &at, .callback = bytes_put};
    msgpack_pack_array(&packer, count);
    return at;
}

uint8_t *pack_at_map(uint8_t *at, uint32_t count)
{
    msgpack_packer packer = {.data = &at, .callback = bytes_put};
    msgpack_pack_map(&packer, count);
    return at;
}
