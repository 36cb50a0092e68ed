/* The schema-driven codec: one table per message drives the encoder, the decoder and the reference.
 *
 * 1. A message is a msgpack map with small unsigned keys. Unknown keys are skipped, numbers are
 *    never reused, a field that is absent has its zero value, zero values are not written (except
 *    required ones).
 * 2. Decoding is bounded: every count is checked against the bytes that remain before anything is
 *    allocated; messages nest at most MESSAGE_DEPTH_MAX deep. A known key twice, a wrong type, a
 *    missing required field or bytes left over are PAWL_E_INVALID.
 * 3. Decoded strings, binaries and values are views into the input; arrays and nested messages are
 *    in the arena.
 */
#ifndef PAWL_PROTO_CODEC_H
#define PAWL_PROTO_CODEC_H

#include "proto/arena.h"
#include "proto/value.h"

enum field_kind {
    FIELD_BOOL,    /* bool */
    FIELD_U8,      /* uint8_t; enums */
    FIELD_U32,     /* uint32_t */
    FIELD_U64,     /* uint64_t */
    FIELD_I64,     /* int64_t */
    FIELD_STRING,  /* struct bytes, UTF-8 */
    FIELD_BINARY,  /* struct bytes */
    FIELD_VALUE,   /* struct bytes: any value, checked; size 0 is absent */
    FIELD_ID,      /* struct id128: 16 bytes binary */
    FIELD_MESSAGE, /* an embedded struct of `schema` */
};

struct schema;
struct schema_loops;

struct field {
    uint8_t key;  /* on the wire; never reused */
    uint8_t kind; /* enum field_kind */
    bool is_required;
    bool is_list;    /* struct list: elements of `kind` */
    uint16_t offset; /* in the struct */
    uint32_t max; /* bytes of a string, binary or value; elements of a list (0: FRAME_BYTES_MAX) */
    const struct schema *schema; /* FIELD_MESSAGE */
    const char *name;
    const char *meaning; /* one line for the reference page */
};

struct schema {
    const char *name;
    const struct field *fields; /* ascending by key */
    uint8_t field_count;
    uint16_t struct_bytes;
    bool is_beginning; /* more may follow its fields, which is not looked at: to read only these */
    const struct schema_loops *loops; /* see codec_loops.h; NULL: the codec's own */
};

/* A list in a message struct. elements points to `count` elements of the field's kind. */
struct list {
    void *elements;
    size_t count;
};

/* FIELD(struct start, workflow_id, 2, FIELD_STRING, .is_required = true, .max = NAME_BYTES_MAX) */
#define FIELD(structure, member, key_, ...)                                                        \
    {                                                                                              \
        .key = (key_), .offset = offsetof(structure, member), .name = #member, .kind = __VA_ARGS__ \
    }
#define SCHEMA(name_, structure, fields_)                                                          \
    {                                                                                              \
        .name = (name_), .fields = (fields_),                                                      \
        .field_count = sizeof(fields_) / sizeof((fields_)[0]), .struct_bytes = sizeof(structure)   \
    }
/* Of the fields pair_fields, with SCHEMA_LOOPS(pair) of codec_loops.h: SCHEMA_LOOPED("pair", struct
 * pair, pair). */
#define SCHEMA_LOOPED(name_, structure, stem)                                                      \
    {                                                                                              \
        .name = (name_), .fields = stem##_fields,                                                  \
        .field_count = sizeof(stem##_fields) / sizeof(stem##_fields[0]),                           \
        .struct_bytes = sizeof(structure), .loops = &stem##_loops                                  \
    }

enum { SCHEMA_FIELDS_MAX = 64 };

/* What the codec relies on: fields ascending by key, at most SCHEMA_FIELDS_MAX, all inside the
 * struct and apart from each other, a sound schema wherever a message is embedded. For the tests of
 * message tables. */
bool schema_is_sound(const struct schema *schema);

/* Append message (a struct of schema) to out; an error shows in out->is_failed: no memory, or a
 * field past its max, which no receiver would take. A required FIELD_VALUE must not be empty. */
void codec_encode(const struct schema *schema, const void *message, struct buffer *out);
/* The same into the arena; data NULL: no memory, or a field past its max. */
struct bytes codec_encode_in(struct arena *arena, const struct schema *schema, const void *message);
/* Fill message_out (schema->struct_bytes). On an error it is untouched. PAWL_E_INVALID,
 * PAWL_E_LIMIT (a field's max), PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error codec_decode(const struct schema *schema, struct bytes in,
                                      struct arena *arena, void *message_out,
                                      struct pawl_diag *diag);

#endif
