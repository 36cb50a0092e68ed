/* Packing: values appended to a buffer by msgpack-c's packer, which chooses the shortest forms. */
#include <msgpack/pack.h>

#include "proto/value.h"

static int buffer_write(void *data, const char *bytes, size_t size)
{
    buffer_append(data, bytes, size);
    return 0;
}

static inline msgpack_packer packer_of(struct buffer *buffer)
{
    return (msgpack_packer){.data = buffer, .callback = buffer_write};
}

void pack_null(struct buffer *buffer)
{
    msgpack_packer packer = packer_of(buffer);
    msgpack_pack_nil(&packer);
}

void pack_bool(struct buffer *buffer, bool boolean)
{
    msgpack_packer packer = packer_of(buffer);
    if (boolean)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
}

void pack_integer(struct buffer *buffer, int64_t integer)
{
    msgpack_packer packer = packer_of(buffer);
    msgpack_pack_int64(&packer, integer);
}

void pack_unsigned(struct buffer *buffer, uint64_t integer)
{
    msgpack_packer packer = packer_of(buffer);
    msgpack_pack_uint64(&packer, integer);
}

void pack_float(struct buffer *buffer, double real)
{
    msgpack_packer packer = packer_of(buffer);
    if (real != real)
        msgpack_pack_nil(&packer);
    else
        msgpack_pack_double(&packer, real);
}

void pack_string_head(struct buffer *buffer, uint32_t size)
{
    msgpack_packer packer = packer_of(buffer);
    msgpack_pack_str(&packer, size);
}

void pack_string(struct buffer *buffer, struct bytes text)
{
    msgpack_packer packer = packer_of(buffer);
    msgpack_pack_str(&packer, text.size);
    buffer_append(buffer, text.data, text.size);
}

void pack_text(struct buffer *buffer, const char *text)
{
    pack_string(buffer, bytes_string(text));
}

void pack_binary(struct buffer *buffer, struct bytes bytes)
{
    msgpack_packer packer = packer_of(buffer);
    msgpack_pack_bin(&packer, bytes.size);
    buffer_append(buffer, bytes.data, bytes.size);
}

void pack_array(struct buffer *buffer, uint32_t count)
{
    msgpack_packer packer = packer_of(buffer);
    msgpack_pack_array(&packer, count);
}

void pack_map(struct buffer *buffer, uint32_t count)
{
    msgpack_packer packer = packer_of(buffer);
    msgpack_pack_map(&packer, count);
}

void pack_value(struct buffer *buffer, struct bytes value)
{
    buffer_append(buffer, value.data, value.size);
}
