/* Bytes from outside become a message struct, or an error.
 *
 * 1. The struct is filled in the arena and copied out at the end, so an error leaves no trace.
 * 2. Encoders write fields in the order of their keys: one pass over the fields takes them all of
 *    the usual message. What it leaves is looked up pair by pair.
 */
#include <assert.h>

#include "proto/codec_loops.h"
#include "proto/value_head.h"

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

enum pawl_error unsigned_decode_wide(struct decoder *decoder, const struct field *field,
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

enum pawl_error bool_decode(struct decoder *decoder, const struct field *field, bool *out)
{
    struct value_head head;
    TRY(head_take(decoder, field, VALUE_BOOL, "expected a boolean", &head));
    *out = head.boolean;
    return PAWL_OK;
}

enum pawl_error i64_decode(struct decoder *decoder, const struct field *field, int64_t *out)
{
    struct value_head head;
    TRY(head_take(decoder, field, VALUE_INTEGER, "expected a 64-bit integer", &head));
    *out = head.integer;
    return PAWL_OK;
}

enum pawl_error string_decode(struct decoder *decoder, const struct field *field, struct bytes *out)
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

enum pawl_error binary_decode(struct decoder *decoder, const struct field *field, struct bytes *out)
{
    struct value_head head;
    TRY(head_take(decoder, field, VALUE_BINARY, "expected binary", &head));
    if (head.bytes.size > field_bytes_max(field))
        return fail(decoder, field, PAWL_E_LIMIT, "too long");
    *out = head.bytes;
    return PAWL_OK;
}

enum pawl_error value_decode(struct decoder *decoder, const struct field *field, struct bytes *out)
{
    struct value_limits limits = value_limits_default;
    if (field->max == 0) /* an answer: values are inside it, and many of them */
        limits = (struct value_limits){.depth_max = VALUE_STACK_MAX, .nodes_max = FRAME_BYTES_MAX};
    limits.bytes_max = field_bytes_max(field);
    struct pawl_diag detail;
    const enum pawl_error error = value_check_next(&decoder->cursor, &limits, out, &detail);
    return error == PAWL_OK ? PAWL_OK : fail(decoder, field, error, detail.text);
}

enum pawl_error id_decode(struct decoder *decoder, const struct field *field, struct id128 *out)
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

enum pawl_error list_decode(struct decoder *decoder, const struct field *field, struct list *list)
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

static const struct field *field_find(const struct schema *schema, uint64_t key)
{
    const struct field *const end = schema->fields + schema->field_count;
    for (const struct field *field = schema->fields; field != end; field++)
        if (field->key == key)
            return field;
    return NULL;
}

/* The pairs that did not come in the order of the fields. */
static enum pawl_error rest_decode(struct decoder *decoder, const struct schema *schema,
                                   uint8_t *message)
{
    for (; decoder->pair_count > 0; decoder->pair_count--) {
        uint64_t key;
        TRY(unsigned_decode(decoder, NULL, UINT64_MAX, &key));
        const struct field *field = field_find(schema, key);
        if (field == NULL) {
            if (value_skip(&decoder->cursor) != PAWL_OK)
                return fail(decoder, NULL, PAWL_E_INVALID, "cut short");
            continue;
        }
        const uint64_t bit = (uint64_t)1 << (field - schema->fields);
        if ((decoder->seen & bit) != 0)
            return fail(decoder, field, PAWL_E_INVALID, "given twice");
        decoder->seen |= bit;
        TRY(field_decode(decoder, field, message));
    }
    return PAWL_OK;
}

static enum pawl_error required_check(const struct decoder *decoder)
{
    const uint64_t missing = decoder->required & ~decoder->seen;
    if (missing == 0)
        return PAWL_OK;
    size_t first = 0;
    while ((missing >> first & 1) == 0)
        first++;
    return fail(decoder, &decoder->schema->fields[first], PAWL_E_INVALID, "missing");
}

static enum pawl_error message_decode(struct decoder *decoder, uint8_t *message)
{
    const struct schema *schema = decoder->schema;
    struct value_head head;
    assert(schema->field_count <= SCHEMA_FIELDS_MAX);
    if (decoder->depth == MESSAGE_DEPTH_MAX)
        return fail(decoder, NULL, PAWL_E_LIMIT, "nested too deeply");
    TRY(head_take(decoder, NULL, VALUE_MAP, "expected a message", &head));
    decoder->pair_count = head.count;
    decoder->seen = 0;
    if (schema->loops != NULL)
        TRY(schema->loops->decode(decoder, message));
    else
        TRY(fields_decode(schema->fields, schema->field_count, decoder, message));
    if (decoder->pair_count > 0 && !schema->is_beginning)
        TRY(rest_decode(decoder, schema, message));
    return required_check(decoder);
}

enum pawl_error nested_decode(struct decoder *decoder, const struct schema *schema, void *out)
{
    const struct schema *outer = decoder->schema;
    const uint32_t pair_count = decoder->pair_count;
    const uint64_t seen = decoder->seen, required = decoder->required;
    decoder->schema = schema;
    decoder->depth++;
    TRY(message_decode(decoder, out));
    decoder->depth--;
    decoder->schema = outer;
    decoder->pair_count = pair_count;
    decoder->seen = seen;
    decoder->required = required;
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
    TRY(message_decode(&decoder, message));
    if (decoder.cursor.at != decoder.cursor.end && !schema->is_beginning)
        return fail(&decoder, NULL, PAWL_E_INVALID, "bytes left over");
    memcpy(message_out, message, schema->struct_bytes);
    return PAWL_OK;
}
