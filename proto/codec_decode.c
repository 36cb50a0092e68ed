/* Bytes from outside become a message struct, or an error.
 *
 * 1. The struct is filled in the arena and copied out at the end, so an error leaves no trace.
 * 2. Encoders write fields in the order of their keys; the search for a field begins behind the
 *    last one found, so the usual message costs one comparison per field.
 */
#include <assert.h>

#include "proto/codec.h"
#include "proto/codec_field.h"
#include "proto/value_head.h"

struct decoder {
    struct value_cursor cursor;
    struct arena *arena;
    struct pawl_diag *diag;
    const struct schema *schema; /* the message being read, for the errors */
    unsigned depth;              /* messages around this one */
};

static enum pawl_error fail(const struct decoder *decoder, const struct field *field,
                            enum pawl_error error, const char *what)
{
    if (field == NULL)
        return diag_fail(decoder->diag, error, "%s: %s", decoder->schema->name, what);
    return diag_fail(decoder->diag, error, "%s.%s: %s", decoder->schema->name, field->name, what);
}

static inline enum pawl_error head_take(struct decoder *decoder, const struct field *field,
                                        enum value_kind kind, const char *what,
                                        struct value_head *head_out)
{
    if (head_next(&decoder->cursor, head_out) != PAWL_OK || head_out->kind != kind)
        return fail(decoder, field, PAWL_E_INVALID, what);
    return PAWL_OK;
}

static enum pawl_error unsigned_take_wide(struct decoder *decoder, const struct field *field,
                                          uint64_t max, uint64_t *number_out)
{
    uint64_t number;
    if (head_next_unsigned(&decoder->cursor, &number) != PAWL_OK)
        return fail(decoder, field, PAWL_E_INVALID, "expected an unsigned integer");
    if (number > max)
        return fail(decoder, field, PAWL_E_INVALID, "the number is too large");
    *number_out = number;
    return PAWL_OK;
}

/* max: one of a type's, so what one byte says is never above it. */
static ALWAYS_INLINE enum pawl_error unsigned_take(struct decoder *decoder,
                                                   const struct field *field, uint64_t max,
                                                   uint64_t *number_out)
{
    if (decoder->cursor.at == decoder->cursor.end || *decoder->cursor.at >= 0x80)
        return unsigned_take_wide(decoder, field, max, number_out);
    *number_out = *decoder->cursor.at++;
    return PAWL_OK;
}

static enum pawl_error bool_decode(struct decoder *decoder, const struct field *field, bool *out)
{
    struct value_head head;
    TRY(head_take(decoder, field, VALUE_BOOL, "expected a boolean", &head));
    *out = head.boolean;
    return PAWL_OK;
}

static enum pawl_error u8_decode(struct decoder *decoder, const struct field *field, uint8_t *out)
{
    uint64_t number;
    TRY(unsigned_take(decoder, field, UINT8_MAX, &number));
    *out = (uint8_t)number;
    return PAWL_OK;
}

static enum pawl_error u32_decode(struct decoder *decoder, const struct field *field, uint32_t *out)
{
    uint64_t number;
    TRY(unsigned_take(decoder, field, UINT32_MAX, &number));
    *out = (uint32_t)number;
    return PAWL_OK;
}

static enum pawl_error i64_decode(struct decoder *decoder, const struct field *field, int64_t *out)
{
    struct value_head head;
    TRY(head_take(decoder, field, VALUE_INTEGER, "expected a 64-bit integer", &head));
    *out = head.integer;
    return PAWL_OK;
}

static enum pawl_error string_decode(struct decoder *decoder, const struct field *field,
                                     struct bytes *out)
{
    struct value_head head;
    TRY(head_take(decoder, field, VALUE_STRING, "expected a string", &head));
    if (head.bytes.size > field_bytes_max(field))
        return fail(decoder, field, PAWL_E_LIMIT, "too long");
    if (!utf8_is_valid(head.bytes))
        return fail(decoder, field, PAWL_E_INVALID, "not UTF-8");
    *out = head.bytes;
    return PAWL_OK;
}

static enum pawl_error binary_decode(struct decoder *decoder, const struct field *field,
                                     struct bytes *out)
{
    struct value_head head;
    TRY(head_take(decoder, field, VALUE_BINARY, "expected binary", &head));
    if (head.bytes.size > field_bytes_max(field))
        return fail(decoder, field, PAWL_E_LIMIT, "too long");
    *out = head.bytes;
    return PAWL_OK;
}

static enum pawl_error value_decode(struct decoder *decoder, const struct field *field,
                                    struct bytes *out)
{
    struct value_limits limits = value_limits_default;
    limits.bytes_max = field_bytes_max(field);
    struct pawl_diag detail;
    const enum pawl_error error = value_check_next(&decoder->cursor, &limits, out, &detail);
    return error == PAWL_OK ? PAWL_OK : fail(decoder, field, error, detail.text);
}

static enum pawl_error id_decode(struct decoder *decoder, const struct field *field,
                                 struct id128 *out)
{
    static const uint8_t usual_head[] = {0xc4, sizeof out->byte};
    const uint8_t *at = decoder->cursor.at;
    if ((size_t)(decoder->cursor.end - at) >= sizeof usual_head + sizeof out->byte &&
        memcmp(at, usual_head, sizeof usual_head) == 0) {
        memcpy(out->byte, at + sizeof usual_head, sizeof out->byte);
        decoder->cursor.at += sizeof usual_head + sizeof out->byte;
        return PAWL_OK;
    }
    struct value_head head;
    TRY(head_take(decoder, field, VALUE_BINARY, "expected an id", &head));
    if (head.bytes.size != sizeof out->byte)
        return fail(decoder, field, PAWL_E_INVALID, "an id has 16 bytes");
    memcpy(out->byte, head.bytes.data, sizeof out->byte);
    return PAWL_OK;
}

static enum pawl_error message_decode(struct decoder *decoder, const struct schema *schema,
                                      uint8_t *message);

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
        return unsigned_take(decoder, field, UINT64_MAX, at);
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
        return message_decode(decoder, field->schema, at);
    }
    return PAWL_E_INTERNAL;
}

static enum pawl_error list_decode(struct decoder *decoder, const struct field *field,
                                   struct list *list)
{
    struct value_head head;
    TRY(head_take(decoder, field, VALUE_ARRAY, "expected a list", &head));
    if (head.count > field_count_max(field))
        return fail(decoder, field, PAWL_E_LIMIT, "too many elements");
    if (head.count == 0)
        return PAWL_OK;
    const size_t element_bytes = field_element_bytes(field);
    uint8_t *elements = arena_array(decoder->arena, head.count, element_bytes);
    if (elements == NULL)
        return fail(decoder, field, PAWL_E_NO_MEMORY, "no memory for the list");
    for (uint32_t i = 0; i < head.count; i++)
        TRY(element_decode(decoder, field, elements + i * element_bytes));
    *list = (struct list){elements, head.count};
    return PAWL_OK;
}

/* Where the decoder is among the fields of a schema. Each that it has passed was seen, or was not
 * needed, or is missing so far. A bit stands for a field, by its place in the schema. */
struct progress {
    const struct field *field, *end;
    uint64_t bit; /* of field */
    uint64_t seen, missing;
};

static ALWAYS_INLINE void progress_pass(struct progress *progress)
{
    progress->missing |= progress->field->is_required ? progress->bit : 0;
    progress->bit <<= 1;
    progress->field++;
}

static enum pawl_error required_check(const struct decoder *decoder, const struct schema *schema,
                                      struct progress progress)
{
    while (progress.field != progress.end)
        progress_pass(&progress);
    const uint64_t missing = progress.missing & ~progress.seen;
    if (missing == 0)
        return PAWL_OK;
    size_t first = 0;
    while ((missing >> first & 1) == 0)
        first++;
    return fail(decoder, &schema->fields[first], PAWL_E_INVALID, "missing");
}

static enum pawl_error fields_decode(struct decoder *decoder, const struct schema *schema,
                                     uint32_t pair_count, uint8_t *message)
{
    const struct field *const fields = schema->fields;
    struct progress progress = {.field = fields, .end = fields + schema->field_count, .bit = 1};
    for (; pair_count > 0; pair_count--) {
        uint64_t key;
        TRY(unsigned_take(decoder, NULL, UINT64_MAX, &key));
        if (progress.field > fields && progress.field[-1].key >= key) { /* out of order */
            progress.field = fields;
            progress.bit = 1;
        }
        while (progress.field != progress.end && progress.field->key < key)
            progress_pass(&progress);
        const struct field *field = progress.field;
        if (field == progress.end || field->key != key) {
            if (value_skip(&decoder->cursor) != PAWL_OK)
                return fail(decoder, NULL, PAWL_E_INVALID, "cut short");
            continue;
        }
        if ((progress.seen & progress.bit) != 0)
            return fail(decoder, field, PAWL_E_INVALID, "given twice");
        progress.seen |= progress.bit;
        if (field->is_list)
            TRY(list_decode(decoder, field, (void *)(message + field->offset)));
        else
            TRY(element_decode(decoder, field, message + field->offset));
    }
    return required_check(decoder, schema, progress);
}

static enum pawl_error message_decode(struct decoder *decoder, const struct schema *schema,
                                      uint8_t *message)
{
    const struct schema *outer = decoder->schema;
    struct value_head head;
    assert(schema->field_count <= SCHEMA_FIELDS_MAX);
    decoder->schema = schema;
    if (decoder->depth == MESSAGE_DEPTH_MAX)
        return fail(decoder, NULL, PAWL_E_LIMIT, "nested too deeply");
    TRY(head_take(decoder, NULL, VALUE_MAP, "expected a message", &head));
    decoder->depth++;
    TRY(fields_decode(decoder, schema, head.count, message));
    decoder->depth--;
    decoder->schema = outer;
    return PAWL_OK;
}

enum pawl_error codec_decode(const struct schema *schema, struct bytes in, struct arena *arena,
                             void *message_out, struct pawl_diag *diag)
{
    struct decoder decoder = {
        .cursor = value_cursor_of(in), .arena = arena, .diag = diag, .schema = schema};
    uint8_t *message = arena_alloc(arena, schema->struct_bytes);
    if (message == NULL)
        return fail(&decoder, NULL, PAWL_E_NO_MEMORY, "no memory for the message");
    TRY(message_decode(&decoder, schema, message));
    if (decoder.cursor.at != decoder.cursor.end)
        return fail(&decoder, NULL, PAWL_E_INVALID, "bytes left over");
    memcpy(message_out, message, schema->struct_bytes);
    return PAWL_OK;
}
