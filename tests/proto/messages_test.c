/* The catalogue as a whole: every table fits its struct, and every field of it travels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proto/client_messages.h"
#include "proto/limits.h"
#include "proto/peer_messages.h"

static const struct schema *const *const catalogues[] = {client_schemas, peer_schemas};

typedef void schema_check(const struct schema *schema);

static void every_schema(schema_check *check)
{
    for (size_t i = 0; i < sizeof catalogues / sizeof catalogues[0]; i++)
        for (const struct schema *const *schema = catalogues[i]; *schema != NULL; schema++)
            check(*schema);
}

static void sound_and_documented(const struct schema *schema)
{
    if (!schema_is_sound(schema))
        fail_msg("%s is not sound", schema->name);
    for (size_t i = 0; i < schema->field_count; i++)
        if (schema->fields[i].meaning == NULL || schema->fields[i].meaning[0] == '\0')
            fail_msg("%s.%s has no meaning", schema->name, schema->fields[i].name);
}

static void test_messages_are_sound_and_documented(void **state)
{
    (void)state;
    every_schema(sound_and_documented);
}

static void message_fill(const struct schema *schema, uint8_t *message, struct arena *arena);

/* Something other than zero for one element of a field. */
static void element_fill(const struct field *field, void *at, struct arena *arena)
{
    switch ((enum field_kind)field->kind) {
    case FIELD_BOOL:
        *(bool *)at = true;
        return;
    case FIELD_U8:
        *(uint8_t *)at = UINT8_MAX - field->key;
        return;
    case FIELD_U32:
        *(uint32_t *)at = UINT32_MAX - field->key;
        return;
    case FIELD_U64:
        *(uint64_t *)at = UINT64_MAX - field->key;
        return;
    case FIELD_I64:
        *(int64_t *)at = INT64_MIN + field->key;
        return;
    case FIELD_STRING:
    case FIELD_BINARY:
        *(struct bytes *)at = BYTES_LITERAL("x");
        return;
    case FIELD_VALUE:
        *(struct bytes *)at = value_empty_map;
        return;
    case FIELD_ID:
        *(struct id128 *)at = (struct id128){{field->key, 1}};
        return;
    case FIELD_MESSAGE:
        message_fill(field->schema, at, arena);
        return;
    }
}

static void message_fill(const struct schema *schema, uint8_t *message, struct arena *arena)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct field *field = &schema->fields[i];
        void *at = message + field->offset;
        if (field->is_list) {
            struct list list = {arena_alloc(arena, 1024), 1};
            assert_non_null(list.elements);
            element_fill(field, list.elements, arena);
            memcpy(at, &list, sizeof list);
        } else {
            element_fill(field, at, arena);
        }
    }
}

static void every_field_travels(const struct schema *schema)
{
    struct arena arena = {0};
    struct buffer first = {0}, second = {0};
    struct pawl_diag diag = {.text = ""};
    struct value_head head;
    uint8_t *message = arena_alloc(&arena, schema->struct_bytes);
    uint8_t *again = arena_alloc(&arena, schema->struct_bytes);
    message_fill(schema, message, &arena);
    codec_encode(schema, message, &first);
    assert_false(first.is_failed);
    struct value_cursor cursor = value_cursor_of(buffer_bytes(&first));
    assert_int_equal(value_next(&cursor, &head), PAWL_OK);
    assert_int_equal(head.count, schema->field_count);
    if (codec_decode(schema, buffer_bytes(&first), &arena, again, &diag) != PAWL_OK)
        fail_msg("%s: %s", schema->name, diag.text);
    codec_encode(schema, again, &second);
    assert_true(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    buffer_done(&first);
    buffer_done(&second);
    arena_done(&arena);
}

static void test_messages_carry_each_of_their_fields(void **state)
{
    (void)state;
    every_schema(every_field_travels);
}

/* Many payloads are inside an answer, each with as many values as one may have. */
static void test_answer_may_have_more_values_than_a_payload(void **state)
{
    enum { COUNT = VALUE_NODES_MAX * 2 };
    struct buffer answer = {0}, encoded = {0};
    struct arena arena = {0};
    struct msg_response out;
    struct msg_start start;
    (void)state;
    pack_array(&answer, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        pack_unsigned(&answer, 1);
    const struct msg_response response = {.correlation = 1, .answer = buffer_bytes(&answer)};
    codec_encode(&schema_response, &response, &encoded);
    assert_int_equal(codec_decode(&schema_response, buffer_bytes(&encoded), &arena, &out, NULL),
                     PAWL_OK);
    assert_int_equal(out.answer.size, answer.size);

    const struct msg_start too_many = {.definition = BYTES_LITERAL("one"),
                                       .input = buffer_bytes(&answer)};
    buffer_reset(&encoded);
    codec_encode(&schema_start, &too_many, &encoded);
    assert_int_equal(codec_decode(&schema_start, buffer_bytes(&encoded), &arena, &start, NULL),
                     PAWL_E_LIMIT);
    buffer_done(&answer);
    buffer_done(&encoded);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_sound_and_documented),
        cmocka_unit_test(test_messages_carry_each_of_their_fields),
        cmocka_unit_test(test_answer_may_have_more_values_than_a_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
