/* The codec's two loops over the fields of a message, for schemas whose messages are met all the
 * time: over a table that the compiler sees they unroll, and a field becomes the few instructions
 * that its kind takes.
 *
 * static const struct field pair_fields[] = {...};
 * SCHEMA_LOOPS(pair)
 * const struct schema schema_pair =
 *     SCHEMA("pair", struct pair, pair_fields, .loops = &pair_loops);
 *
 * A schema without loops of its own goes through the same two, with its table in hand.
 */
#ifndef PAWL_PROTO_CODEC_LOOPS_H
#define PAWL_PROTO_CODEC_LOOPS_H

#include "proto/codec_field.h"
#include "proto/pack_at.h"

/* A message being written. */
struct encoder {
    struct buffer *out;
    size_t room;         /* what fields of it, and of the messages around it, may still take: behind
                          * every place where one begins there is so much */
    unsigned depth;      /* messages around it */
    uint32_t count;      /* fields written */
    uint32_t zero_count; /* of them, those that say nothing and are required */
    bool is_nested_zero; /* the message written last inside it says nothing */
};

/* A message being read. */
struct decoder {
    struct value_cursor cursor;
    struct arena *arena;
    struct pawl_diag *diag;
    const struct schema *schema; /* the message being read, for the errors */
    unsigned depth;              /* messages around this one */
    uint32_t pair_count;         /* of the message, still to be read */
    uint64_t seen, required;     /* its fields: a bit for each, by its place */
};

struct schema_loops {
    /* All fields that say something, behind `at`; the place behind them, NULL: failed. */
    uint8_t *(*encode)(struct encoder *encoder, const uint8_t *message, uint8_t *at);
    /* Pairs as long as they come in the order of the fields; any others are left. */
    enum pawl_error (*decode)(struct decoder *decoder, uint8_t *message);
};

#define SCHEMA_LOOPS(name)                                                                         \
    static uint8_t *name##_encode(struct encoder *encoder, const uint8_t *message, uint8_t *at)    \
    {                                                                                              \
        return fields_encode(name##_fields, sizeof name##_fields / sizeof name##_fields[0],        \
                             encoder, message, at);                                                \
    }                                                                                              \
    static enum pawl_error name##_decode(struct decoder *decoder, uint8_t *message)                \
    {                                                                                              \
        return fields_decode(name##_fields, sizeof name##_fields / sizeof name##_fields[0],        \
                             decoder, message);                                                    \
    }                                                                                              \
    static const struct schema_loops name##_loops = {name##_encode, name##_decode};

#ifdef __clang__
#define UNROLLED
#else
#define UNROLLED _Pragma("GCC unroll 64")
#endif

/* --- writing --- */

/* What takes no fixed room: content behind its head, the elements of a list, the fields of a
 * message. They begin and end at a place with the encoder's room. */
uint8_t *content_encode(struct encoder *encoder, const struct field *field,
                        const struct bytes *content, uint8_t *at);
uint8_t *list_encode(struct encoder *encoder, const struct field *field, const struct list *list,
                     uint8_t *at);
uint8_t *nested_encode(struct encoder *encoder, const struct schema *schema, const void *message,
                       uint8_t *at);
/* A field that is a message, from its key on, or nothing when it says nothing. */
uint8_t *nested_field_encode(struct encoder *encoder, const struct field *field,
                             const void *message, uint8_t *at);

/* What the head of an element says: its number, the bytes of a text; of an id only whether it is
 * one. Zero: nothing is said when nothing must be. Of a message only its fields tell. */
static ALWAYS_INLINE uint64_t element_measure(const struct field *field, const void *at)
{
    switch ((enum field_kind)field->kind) {
    case FIELD_BOOL:
        return *(const bool *)at;
    case FIELD_U8:
        return *(const uint8_t *)at;
    case FIELD_U32:
        return *(const uint32_t *)at;
    case FIELD_U64:
        return *(const uint64_t *)at;
    case FIELD_I64:
        return (uint64_t) * (const int64_t *)at;
    case FIELD_STRING:
    case FIELD_BINARY:
    case FIELD_VALUE:
        return ((const struct bytes *)at)->size;
    case FIELD_ID:
        return !id128_is_none(*(const struct id128 *)at);
    case FIELD_MESSAGE:
        break;
    }
    return 0;
}

static ALWAYS_INLINE uint64_t field_measure(const struct field *field, const void *at)
{
    return field->is_list ? ((const struct list *)at)->count : element_measure(field, at);
}

/* An element whose measure is known. */
static ALWAYS_INLINE uint8_t *element_encode(struct encoder *encoder, const struct field *field,
                                             const void *value, uint64_t measure, uint8_t *at)
{
    switch ((enum field_kind)field->kind) {
    case FIELD_BOOL:
        return pack_at_bool(at, measure != 0);
    case FIELD_U8:
    case FIELD_U32:
    case FIELD_U64:
        return pack_at_unsigned(at, measure);
    case FIELD_I64:
        return pack_at_integer(at, (int64_t)measure);
    case FIELD_ID:
        return pack_at_id(at, *(const struct id128 *)value);
    case FIELD_STRING:
    case FIELD_BINARY:
    case FIELD_VALUE:
        return content_encode(encoder, field, value, at);
    case FIELD_MESSAGE:
        return nested_encode(encoder, field->schema, value, at);
    }
    return NULL;
}

static ALWAYS_INLINE uint8_t *field_encode(struct encoder *encoder, const struct field *field,
                                           const void *value, uint8_t *at)
{
    if (field->kind == FIELD_MESSAGE && !field->is_list)
        return nested_field_encode(encoder, field, value, at);
    const uint64_t measure = field_measure(field, value);
    if (measure == 0 && !field->is_required)
        return at;
    encoder->count++;
    if (field->is_required)
        encoder->zero_count += measure == 0;
    at = pack_at_unsigned(at, field->key);
    return field->is_list ? list_encode(encoder, field, value, at)
                          : element_encode(encoder, field, value, measure, at);
}

static ALWAYS_INLINE uint8_t *fields_encode(const struct field *fields, size_t field_count,
                                            struct encoder *encoder, const uint8_t *message,
                                            uint8_t *at)
{
    UNROLLED
    for (size_t i = 0; i < field_count; i++) {
        at = field_encode(encoder, &fields[i], message + fields[i].offset, at);
        if (at == NULL)
            return NULL;
    }
    return at;
}

/* --- reading --- */

enum pawl_error unsigned_decode_wide(struct decoder *decoder, const struct field *field,
                                     uint64_t max, uint64_t *number_out);
enum pawl_error bool_decode(struct decoder *decoder, const struct field *field, bool *out);
enum pawl_error i64_decode(struct decoder *decoder, const struct field *field, int64_t *out);
enum pawl_error string_decode(struct decoder *decoder, const struct field *field,
                              struct bytes *out);
enum pawl_error binary_decode(struct decoder *decoder, const struct field *field,
                              struct bytes *out);
enum pawl_error value_decode(struct decoder *decoder, const struct field *field, struct bytes *out);
enum pawl_error id_decode(struct decoder *decoder, const struct field *field, struct id128 *out);
enum pawl_error list_decode(struct decoder *decoder, const struct field *field, struct list *out);
enum pawl_error nested_decode(struct decoder *decoder, const struct schema *schema, void *out);

/* max: one of a type's, so what one byte says is never above it. */
static ALWAYS_INLINE enum pawl_error unsigned_decode(struct decoder *decoder,
                                                     const struct field *field, uint64_t max,
                                                     uint64_t *number_out)
{
    if (decoder->cursor.at == decoder->cursor.end || *decoder->cursor.at >= 0x80)
        return unsigned_decode_wide(decoder, field, max, number_out);
    *number_out = *decoder->cursor.at++;
    return PAWL_OK;
}

static ALWAYS_INLINE enum pawl_error u8_decode(struct decoder *decoder, const struct field *field,
                                               uint8_t *out)
{
    uint64_t number;
    TRY(unsigned_decode(decoder, field, UINT8_MAX, &number));
    *out = (uint8_t)number;
    return PAWL_OK;
}

static ALWAYS_INLINE enum pawl_error u32_decode(struct decoder *decoder, const struct field *field,
                                                uint32_t *out)
{
    uint64_t number;
    TRY(unsigned_decode(decoder, field, UINT32_MAX, &number));
    *out = (uint32_t)number;
    return PAWL_OK;
}

static ALWAYS_INLINE enum pawl_error element_decode(struct decoder *decoder,
                                                    const struct field *field, void *at)
{
    switch ((enum field_kind)field->kind) {
    case FIELD_BOOL:
        return bool_decode(decoder, field, at);
    case FIELD_U8:
        return u8_decode(decoder, field, at);
    case FIELD_U32:
        return u32_decode(decoder, field, at);
    case FIELD_U64:
        return unsigned_decode(decoder, field, UINT64_MAX, at);
    case FIELD_I64:
        return i64_decode(decoder, field, at);
    case FIELD_STRING:
        return string_decode(decoder, field, at);
    case FIELD_BINARY:
        return binary_decode(decoder, field, at);
    case FIELD_VALUE:
        return value_decode(decoder, field, at);
    case FIELD_ID:
        return id_decode(decoder, field, at);
    case FIELD_MESSAGE:
        return nested_decode(decoder, field->schema, at);
    }
    return PAWL_E_INTERNAL;
}

static ALWAYS_INLINE enum pawl_error field_decode(struct decoder *decoder,
                                                  const struct field *field, uint8_t *message)
{
    void *at = message + field->offset;
    return field->is_list ? list_decode(decoder, field, at) : element_decode(decoder, field, at);
}

static ALWAYS_INLINE uint64_t fields_required(const struct field *fields, size_t field_count)
{
    uint64_t required = 0;
    UNROLLED
    for (size_t i = 0; i < field_count; i++)
        required |= (uint64_t)fields[i].is_required << i;
    return required;
}

/* Keys are looked at in their one-byte form only: any other is left as well. */
static ALWAYS_INLINE enum pawl_error fields_decode(const struct field *fields, size_t field_count,
                                                   struct decoder *decoder, uint8_t *message)
{
    decoder->required = fields_required(fields, field_count);
    UNROLLED
    for (size_t i = 0; i < field_count; i++) {
        const struct field *field = &fields[i];
        if (decoder->cursor.at == decoder->cursor.end)
            return PAWL_OK;
        if (decoder->pair_count == 0 || *decoder->cursor.at != field->key || field->key >= 0x80)
            continue;
        decoder->cursor.at++;
        decoder->pair_count--;
        decoder->seen |= (uint64_t)1 << i;
        TRY(field_decode(decoder, field, message));
    }
    return PAWL_OK;
}

#endif
