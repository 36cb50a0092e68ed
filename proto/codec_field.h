/* Inside the codec: how each kind of field lies in a message struct. */
#ifndef PAWL_PROTO_CODEC_FIELD_H
#define PAWL_PROTO_CODEC_FIELD_H

#include "proto/codec.h"
#include "proto/limits.h"

/* Bytes of one element of the field's kind in memory. */
size_t field_element_bytes(const struct field *field);

/* For what stands in a loop over the fields and once more in one over a list. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Its elements are written whole by their head: no bytes and no fields of their own follow. */
static inline bool field_is_fixed(const struct field *field)
{
    return field->kind < FIELD_STRING || field->kind == FIELD_ID;
}

/* Bytes of a string, binary or value: a list's max counts its elements instead. */
static inline size_t field_bytes_max(const struct field *field)
{
    return field->max != 0 && !field->is_list ? field->max : FRAME_BYTES_MAX;
}

static inline size_t field_count_max(const struct field *field)
{
    return field->max != 0 ? field->max : FRAME_BYTES_MAX;
}

#endif
