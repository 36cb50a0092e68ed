/* A message struct becomes a msgpack map. Fields leave in the order of their keys, so equal structs
 * have equal bytes. */
#include <assert.h>

#include "proto/codec_loops.h"

/* --- where the next bytes go --- */

/* The most that a field takes beside the content of its texts, elements and fields. */
enum { FIELD_BYTES_MAX = 2 + PACK_AT_BYTES_MAX };
/* The head of a message. */
enum { MESSAGE_HEAD_MAX = 3 };

/* Everything before `at` is content, and there shall be room for so much more; a buffer with less
 * than that below its limit counts as full. The place to go on, NULL: failed. */
static inline uint8_t *room_make(struct buffer *out, const uint8_t *at, size_t room)
{
    out->size = (size_t)(at - out->data);
    if (buffer_extend(out, room) == NULL)
        return NULL;
    out->size -= room;
    return out->data + out->size;
}

/* --- what takes no fixed room --- */

static ALWAYS_INLINE uint8_t *content_head(enum field_kind kind, size_t size, uint8_t *at)
{
    if (kind == FIELD_STRING)
        return pack_at_string_head(at, size);
    if (kind == FIELD_BINARY)
        return pack_at_binary_head(at, size);
    assert(size > 0 && "a value has bytes");
    return at;
}

uint8_t *content_encode(struct encoder *encoder, const struct field *field,
                        const struct bytes *content, uint8_t *at)
{
    const size_t size = content->size;
    encoder->out->is_failed |= size > field_bytes_max(field);
    at = content_head(field->kind, size, at);
    at = room_make(encoder->out, at, size + encoder->room);
    if (at == NULL)
        return NULL;
    if (size > 0)
        memcpy(at, content->data, size);
    return at + size;
}

uint8_t *list_encode(struct encoder *encoder, const struct field *field, const struct list *list,
                     uint8_t *at)
{
    const size_t element_bytes = field_element_bytes(field);
    const uint8_t *element = list->elements;
    encoder->out->is_failed |= list->count > field_count_max(field);
    at = pack_at_array(at, (uint32_t)list->count);
    if (field_is_fixed(field))
        at = room_make(encoder->out, at, list->count * PACK_AT_BYTES_MAX + encoder->room);
    for (size_t i = 0; i < list->count && at != NULL; i++, element += element_bytes)
        at = element_encode(encoder, field, element, element_measure(field, element), at);
    return at;
}

/* --- messages --- */

/* The map's head at offset `head`, where one byte is left for it: the number of fields is known
 * only now. A longer head moves what lies between it and `at`. */
static inline uint8_t *message_head_put(struct buffer *out, size_t head, uint8_t *at,
                                        uint32_t count)
{
    if (count < 16) {
        out->data[head] = (uint8_t)(0x80 | count);
        return at;
    }
    uint8_t packed[PACK_AT_BYTES_MAX];
    const size_t more = (size_t)(pack_at_map(packed, count) - packed) - 1;
    uint8_t *rest = out->data + head + 1;
    memmove(rest + more, rest, (size_t)(at - rest));
    memcpy(out->data + head, packed, 1 + more);
    return at + more;
}

/* The encoder becomes that of this message; its room is again what it was. */
static uint8_t *message_encode(struct encoder *encoder, const struct schema *schema,
                               const void *message, uint8_t *at)
{
    const size_t own_room = MESSAGE_HEAD_MAX + (size_t)schema->field_count * FIELD_BYTES_MAX;
    encoder->room += own_room;
    encoder->count = encoder->zero_count = 0;
    at = room_make(encoder->out, at, encoder->room);
    if (at == NULL)
        return NULL;
    const size_t head = (size_t)(at - encoder->out->data);
    at = schema->loops != NULL
             ? schema->loops->encode(encoder, message, at + 1)
             : fields_encode(schema->fields, schema->field_count, encoder, message, at + 1);
    encoder->room -= own_room;
    return at != NULL ? message_head_put(encoder->out, head, at, encoder->count) : NULL;
}

uint8_t *nested_encode(struct encoder *encoder, const struct schema *schema, const void *message,
                       uint8_t *at)
{
    const uint32_t count = encoder->count, zero_count = encoder->zero_count;
    encoder->depth++;
    encoder->out->is_failed |= encoder->depth == MESSAGE_DEPTH_MAX;
    at = message_encode(encoder, schema, message, at);
    encoder->depth--;
    encoder->is_nested_zero = encoder->count == encoder->zero_count;
    encoder->count = count;
    encoder->zero_count = zero_count;
    return at;
}

/* So most messages that say nothing are known at once. Others have what nobody wrote between their
 * members. */
static bool is_zero(const uint8_t *memory, size_t size)
{
    for (; size >= 8; memory += 8, size -= 8)
        if (le64_get(memory) != 0)
            return false;
    for (; size > 0; memory++, size--)
        if (*memory != 0)
            return false;
    return true;
}

uint8_t *nested_field_encode(struct encoder *encoder, const struct field *field,
                             const void *message, uint8_t *at)
{
    if (!field->is_required && is_zero(message, field->schema->struct_bytes))
        return at;
    const size_t begin = (size_t)(at - encoder->out->data);
    at = nested_encode(encoder, field->schema, message, pack_at_unsigned(at, field->key));
    if (at == NULL)
        return NULL;
    if (encoder->is_nested_zero && !field->is_required)
        return encoder->out->data + begin;
    encoder->zero_count += encoder->is_nested_zero;
    encoder->count++;
    return at;
}

void codec_encode(const struct schema *schema, const void *message, struct buffer *out)
{
    struct encoder encoder = {.out = out};
    uint8_t *at = buffer_extend(out, FIELD_BYTES_MAX);
    if (at != NULL)
        at = message_encode(&encoder, schema, message, at);
    if (at != NULL)
        out->size = (size_t)(at - out->data);
}

struct bytes codec_encode_in(struct arena *arena, const struct schema *schema, const void *message)
{
    enum { ROOM_FIRST = 4096, ROOM_GROWTH = 16 };
    for (size_t room = ROOM_FIRST; room <= BUFFER_BYTES_MAX; room *= ROOM_GROWTH) {
        uint8_t *at = arena_room(arena, room);
        struct buffer out = {.data = at, .capacity = room, .limit = room};
        if (at == NULL)
            break;
        codec_encode(schema, message, &out);
        arena_shrink(arena, room, out.is_failed ? 0 : out.size);
        if (!out.is_failed)
            return buffer_bytes(&out);
    }
    return bytes_of(NULL, 0);
}
