/* A message struct becomes a msgpack map. Fields leave in the order of their keys, so equal structs
 * have equal bytes. */
#include <assert.h>

#include "proto/codec.h"
#include "proto/codec_field.h"

static bool message_is_zero(const struct schema *schema, const uint8_t *message);

static const struct list *list_at(const void *at)
{
    return at;
}

static const struct bytes *bytes_at(const void *at)
{
    return at;
}

static bool element_is_zero(const struct field *field, const void *at)
{
    switch ((enum field_kind)field->kind) {
    case FIELD_BOOL:
        return !*(const bool *)at;
    case FIELD_U8:
        return *(const uint8_t *)at == 0;
    case FIELD_U32:
        return *(const uint32_t *)at == 0;
    case FIELD_U64:
        return *(const uint64_t *)at == 0;
    case FIELD_I64:
        return *(const int64_t *)at == 0;
    case FIELD_STRING:
    case FIELD_BINARY:
    case FIELD_VALUE:
        return bytes_at(at)->size == 0;
    case FIELD_ID:
        return id128_is_none(*(const struct id128 *)at);
    case FIELD_MESSAGE:
        return message_is_zero(field->schema, at);
    }
    return true;
}

static bool field_is_zero(const struct field *field, const uint8_t *message)
{
    const uint8_t *at = message + field->offset;
    return field->is_list ? list_at(at)->count == 0 : element_is_zero(field, at);
}

static bool message_is_zero(const struct schema *schema, const uint8_t *message)
{
    for (size_t i = 0; i < schema->field_count; i++)
        if (!field_is_zero(&schema->fields[i], message))
            return false;
    return true;
}

static void message_encode(const struct schema *schema, const uint8_t *message, unsigned depth,
                           struct buffer *out);

static void element_encode(const struct field *field, const void *at, unsigned depth,
                           struct buffer *out)
{
    switch ((enum field_kind)field->kind) {
    case FIELD_BOOL:
        pack_bool(out, *(const bool *)at);
        return;
    case FIELD_U8:
        pack_unsigned(out, *(const uint8_t *)at);
        return;
    case FIELD_U32:
        pack_unsigned(out, *(const uint32_t *)at);
        return;
    case FIELD_U64:
        pack_unsigned(out, *(const uint64_t *)at);
        return;
    case FIELD_I64:
        pack_integer(out, *(const int64_t *)at);
        return;
    case FIELD_STRING:
        out->is_failed |= bytes_at(at)->size > field_bytes_max(field);
        pack_string(out, *bytes_at(at));
        return;
    case FIELD_BINARY:
        out->is_failed |= bytes_at(at)->size > field_bytes_max(field);
        pack_binary(out, *bytes_at(at));
        return;
    case FIELD_VALUE:
        assert(bytes_at(at)->size > 0);
        out->is_failed |= bytes_at(at)->size > field_bytes_max(field);
        pack_value(out, *bytes_at(at));
        return;
    case FIELD_ID:
        pack_binary(out, id128_bytes(at));
        return;
    case FIELD_MESSAGE:
        message_encode(field->schema, at, depth + 1, out);
        return;
    }
}

static void list_encode(const struct field *field, const struct list *list, unsigned depth,
                        struct buffer *out)
{
    const size_t element_bytes = field_element_bytes(field);
    const uint8_t *elements = list->elements;
    if (list->count > field_count_max(field)) {
        out->is_failed = true;
        return;
    }
    pack_array(out, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++)
        element_encode(field, elements + i * element_bytes, depth, out);
}

static void field_encode(const struct field *field, const uint8_t *message, unsigned depth,
                         struct buffer *out)
{
    const uint8_t *at = message + field->offset;
    pack_unsigned(out, field->key);
    if (field->is_list)
        list_encode(field, list_at(at), depth, out);
    else
        element_encode(field, at, depth, out);
}

static void message_encode(const struct schema *schema, const uint8_t *message, unsigned depth,
                           struct buffer *out)
{
    uint64_t present = 0;
    uint32_t count = 0;
    assert(schema->field_count <= SCHEMA_FIELDS_MAX);
    if (depth == MESSAGE_DEPTH_MAX) {
        out->is_failed = true;
        return;
    }
    for (size_t i = 0; i < schema->field_count; i++) {
        if (!schema->fields[i].is_required && field_is_zero(&schema->fields[i], message))
            continue;
        present |= (uint64_t)1 << i;
        count++;
    }
    pack_map(out, count);
    for (size_t i = 0; i < schema->field_count; i++)
        if ((present >> i & 1) != 0)
            field_encode(&schema->fields[i], message, depth, out);
}

void codec_encode(const struct schema *schema, const void *message, struct buffer *out)
{
    message_encode(schema, message, 0, out);
}
