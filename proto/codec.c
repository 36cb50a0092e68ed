#include "proto/codec.h"

#include "proto/codec_field.h"

size_t field_element_bytes(const struct field *field)
{
    switch ((enum field_kind)field->kind) {
    case FIELD_BOOL:
        return sizeof(bool);
    case FIELD_U8:
        return sizeof(uint8_t);
    case FIELD_U32:
        return sizeof(uint32_t);
    case FIELD_U64:
    case FIELD_I64:
        return sizeof(uint64_t);
    case FIELD_STRING:
    case FIELD_BINARY:
    case FIELD_VALUE:
        return sizeof(struct bytes);
    case FIELD_ID:
        return sizeof(struct id128);
    case FIELD_MESSAGE:
        return field->schema->struct_bytes;
    }
    return 0;
}

/* Bytes of a field in the struct. */
static size_t field_bytes(const struct field *field)
{
    return field->is_list ? sizeof(struct list) : field_element_bytes(field);
}

static bool fields_overlap(const struct field *a, const struct field *b)
{
    return a->offset < b->offset + field_bytes(b) && b->offset < a->offset + field_bytes(a);
}

static bool field_is_sound(const struct schema *schema, const struct field *field, unsigned depth);

static bool schema_is_sound_at(const struct schema *schema, unsigned depth)
{
    if (depth == MESSAGE_DEPTH_MAX || schema->name == NULL || schema->struct_bytes == 0 ||
        schema->field_count > SCHEMA_FIELDS_MAX)
        return false;
    for (size_t i = 0; i < schema->field_count; i++) {
        if (i > 0 && schema->fields[i].key <= schema->fields[i - 1].key)
            return false;
        if (!field_is_sound(schema, &schema->fields[i], depth))
            return false;
        for (size_t j = 0; j < i; j++)
            if (fields_overlap(&schema->fields[i], &schema->fields[j]))
                return false;
    }
    return true;
}

static bool field_is_sound(const struct schema *schema, const struct field *field, unsigned depth)
{
    if (field->name == NULL || field->kind > FIELD_MESSAGE ||
        (field->kind == FIELD_MESSAGE) != (field->schema != NULL))
        return false;
    if (field->kind == FIELD_MESSAGE && !schema_is_sound_at(field->schema, depth + 1))
        return false;
    return field->offset + field_bytes(field) <= schema->struct_bytes;
}

bool schema_is_sound(const struct schema *schema)
{
    return schema_is_sound_at(schema, 0);
}
