/* A message struct becomes a msgpack map. Fields leave in the order of their keys, so equal structs
 * have equal bytes. */
#include <assert.h>

#include "proto/codec.h"
#include "proto/codec_field.h"
#include "proto/pack_at.h"

static bool message_is_zero(const struct schema *schema, const uint8_t *message);

static const struct list *list_at(const void *at)
{
    return at;
}

static const struct bytes *bytes_at(const void *at)
{
    return at;
}

static inline bool element_is_zero(const struct field *field, const void *at)
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

static inline bool field_is_zero(const struct field *field, const uint8_t *message)
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

/* --- where the next bytes go --- */

/* The most that is written before the buffer is looked at again: a key and an element's head. A
 * buffer with less room than that below its limit counts as full. */
enum { RUN_BYTES_MAX = 2 * PACK_AT_BYTES_MAX };

static uint8_t *run_make_room(struct buffer *out)
{
    if (buffer_extend(out, RUN_BYTES_MAX) == NULL)
        return NULL;
    out->size -= RUN_BYTES_MAX;
    return out->data + out->size;
}

/* The end of the content, with room for a run; NULL: failed. */
static inline uint8_t *run_begin(struct buffer *out)
{
    if (out->is_failed || out->capacity - out->size < RUN_BYTES_MAX)
        return run_make_room(out);
    return out->data + out->size;
}

/* Everything before `at` is content. */
static inline void run_end(struct buffer *out, const uint8_t *at)
{
    out->size = (size_t)(at - out->data);
}

/* As run_end and run_begin, when there may be room as it is. */
static inline uint8_t *run_go_on(struct buffer *out, uint8_t *at)
{
    if ((size_t)(at - out->data) + RUN_BYTES_MAX <= out->capacity)
        return at;
    run_end(out, at);
    return run_make_room(out);
}

/* --- elements and fields --- */

/* The head of an element, or the whole of one that has a fixed shape. */
static ALWAYS_INLINE uint8_t *head_put(const struct field *field, const void *value, uint8_t *at)
{
    switch ((enum field_kind)field->kind) {
    case FIELD_BOOL:
        return pack_at_bool(at, *(const bool *)value);
    case FIELD_U8:
        return pack_at_unsigned(at, *(const uint8_t *)value);
    case FIELD_U32:
        return pack_at_unsigned(at, *(const uint32_t *)value);
    case FIELD_U64:
        return pack_at_unsigned(at, *(const uint64_t *)value);
    case FIELD_I64:
        return pack_at_integer(at, *(const int64_t *)value);
    case FIELD_STRING:
        return pack_at_string_head(at, bytes_at(value)->size);
    case FIELD_BINARY:
        return pack_at_binary_head(at, bytes_at(value)->size);
    case FIELD_ID:
        return pack_at_id(at, *(const struct id128 *)value);
    case FIELD_VALUE:
    case FIELD_MESSAGE:
        return at;
    }
    return at;
}

/* What follows the head of an element that has no fixed shape. */
static void rest_encode(const struct field *field, const void *value, unsigned depth,
                        struct buffer *out)
{
    if (field->kind == FIELD_MESSAGE) {
        message_encode(field->schema, value, depth + 1, out);
        return;
    }
    const struct bytes *content = bytes_at(value);
    assert(content->size > 0 || field->kind != FIELD_VALUE);
    out->is_failed |= content->size > field_bytes_max(field);
    buffer_append(out, content->data, content->size);
}

static void list_encode(const struct field *field, const struct list *list, unsigned depth,
                        struct buffer *out)
{
    const size_t element_bytes = field_element_bytes(field);
    const uint8_t *element = list->elements;
    const bool is_fixed = field_is_fixed(field);
    out->is_failed |= list->count > field_count_max(field);
    for (size_t i = 0; i < list->count; i++, element += element_bytes) {
        uint8_t *at = run_begin(out);
        if (at == NULL)
            return;
        run_end(out, head_put(field, element, at));
        if (!is_fixed)
            rest_encode(field, element, depth, out);
    }
}

/* A key and its value behind `at`; the place behind them, NULL: failed. */
static ALWAYS_INLINE uint8_t *field_encode(const struct field *field, const uint8_t *message,
                                           unsigned depth, uint8_t *at, struct buffer *out)
{
    const uint8_t *value = message + field->offset;
    at = run_go_on(out, at);
    if (at == NULL)
        return NULL;
    at = pack_at_unsigned(at, field->key);
    if (field->is_list)
        at = pack_at_array(at, (uint32_t)list_at(value)->count);
    else
        at = head_put(field, value, at);
    if (!field->is_list && field_is_fixed(field))
        return at;
    run_end(out, at);
    if (field->is_list)
        list_encode(field, list_at(value), depth, out);
    else
        rest_encode(field, value, depth, out);
    return out->is_failed ? NULL : out->data + out->size;
}

/* --- messages --- */

/* The map's head at `head`, where one byte is left for it: the number of fields is known only now.
 * A longer head moves what follows it. */
static inline void message_head_put(struct buffer *out, size_t head, uint32_t count)
{
    uint8_t packed[PACK_AT_BYTES_MAX];
    const size_t more = (size_t)(pack_at_map(packed, count) - packed) - 1;
    if (more > 0) {
        if (buffer_extend(out, more) == NULL)
            return;
        uint8_t *rest = out->data + head + 1;
        memmove(rest + more, rest, out->size - more - head - 1);
        memcpy(rest, packed + 1, more);
    }
    out->data[head] = packed[0];
}

static void message_encode(const struct schema *schema, const uint8_t *message, unsigned depth,
                           struct buffer *out)
{
    const struct field *const end = schema->fields + schema->field_count;
    uint32_t count = 0;
    out->is_failed |= depth == MESSAGE_DEPTH_MAX;
    uint8_t *at = run_begin(out);
    const size_t head = out->size;
    if (at == NULL)
        return;
    at++;
    for (const struct field *field = schema->fields; field != end; field++) {
        if (!field->is_required && field_is_zero(field, message))
            continue;
        at = field_encode(field, message, depth, at, out);
        if (at == NULL)
            return;
        count++;
    }
    run_end(out, at);
    message_head_put(out, head, count);
}

void codec_encode(const struct schema *schema, const void *message, struct buffer *out)
{
    message_encode(schema, message, 0, out);
}
