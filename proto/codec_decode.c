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
static inline enum pawl_error unsigned_take(struct decoder *decoder, const struct field *field,
                                            uint64_t max, uint64_t *number_out)
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
    struct value_head head;
    TRY(head_take(decoder, field, VALUE_BINARY, "expected an id", &head));
    if (head.bytes.size != sizeof out->byte)
        return fail(decoder, field, PAWL_E_INVALID, "an id has 16 bytes");
    memcpy(out->byte, head.bytes.data, sizeof out->byte);
    return PAWL_OK;
}

static enum pawl_error message_decode(struct decoder *decoder, const struct schema *schema,
                                      uint8_t *message);

static enum pawl_error element_decode(struct decoder *decoder, const struct field *field, void *at)
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

/* What a field consists of in the struct: one element, or those of its list. */
struct elements {
    uint8_t *at;
    size_t count;
    size_t element_bytes;
};

/* The head of the list at `at`, and zeroed room for its elements. */
static enum pawl_error list_take(struct decoder *decoder, const struct field *field, void *at,
                                 struct elements *elements_out)
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
    *(struct list *)at = (struct list){elements, head.count};
    *elements_out = (struct elements){elements, head.count, element_bytes};
    return PAWL_OK;
}

static enum pawl_error field_decode(struct decoder *decoder, const struct field *field,
                                    uint8_t *message)
{
    struct elements elements = {.at = message + field->offset, .count = 1};
    if (field->is_list) {
        elements.count = 0;
        TRY(list_take(decoder, field, message + field->offset, &elements));
    }
    for (; elements.count > 0; elements.count--, elements.at += elements.element_bytes)
        TRY(element_decode(decoder, field, elements.at));
    return PAWL_OK;
}

/* Where the decoder is among the fields of a schema: each that it has passed was seen, or was not
 * needed, or is missing so far. A bit stands for a field, by its place in the schema. */
struct progress {
    const struct field *field;
    uint64_t bit; /* of field */
    uint64_t seen, missing;
};

static inline void progress_move(struct progress *progress, const struct field *end, uint64_t key)
{
    for (; progress->field != end && progress->field->key < key; progress->field++) {
        progress->missing |= progress->field->is_required ? progress->bit : 0;
        progress->bit <<= 1;
    }
}

/* The field with this key, NULL: the schema knows none. Begins again when keys are out of order. */
static inline const struct field *progress_find(struct progress *progress,
                                                const struct schema *schema, uint64_t key)
{
    const struct field *end = schema->fields + schema->field_count;
    if (progress->field > schema->fields && progress->field[-1].key >= key) {
        progress->field = schema->fields;
        progress->bit = 1;
    }
    progress_move(progress, end, key);
    return progress->field != end && progress->field->key == key ? progress->field : NULL;
}

static enum pawl_error required_check(const struct decoder *decoder, const struct schema *schema,
                                      struct progress *progress)
{
    progress_move(progress, schema->fields + schema->field_count, UINT64_MAX);
    const uint64_t missing = progress->missing & ~progress->seen;
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
    struct progress progress = {.field = schema->fields, .bit = 1};
    for (uint32_t i = 0; i < pair_count; i++) {
        uint64_t key;
        TRY(unsigned_take(decoder, NULL, UINT64_MAX, &key));
        const struct field *field = progress_find(&progress, schema, key);
        if (field == NULL) {
            if (value_skip(&decoder->cursor) != PAWL_OK)
                return fail(decoder, NULL, PAWL_E_INVALID, "cut short");
            continue;
        }
        if ((progress.seen & progress.bit) != 0)
            return fail(decoder, field, PAWL_E_INVALID, "given twice");
        TRY(field_decode(decoder, field, message));
        progress.seen |= progress.bit;
    }
    return required_check(decoder, schema, &progress);
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
