#include <stdio.h>
#include "proto/codec.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

struct inner { uint64_t number; struct bytes name; };
static const struct field inner_fields[] = {
    FIELD(struct inner, number, 1, FIELD_U64),
    FIELD(struct inner, name, 2, FIELD_STRING, .max = 10),
};
static const struct schema inner_schema = SCHEMA("inner", struct inner, inner_fields);
struct outer { struct list items; struct inner inner; struct bytes value; struct id128 id; };
static const struct field outer_fields[] = {
    FIELD(struct outer, items, 1, FIELD_MESSAGE, .is_list = true, .schema = &inner_schema),
    FIELD(struct outer, inner, 2, FIELD_MESSAGE, .schema = &inner_schema),
    FIELD(struct outer, value, 3, FIELD_VALUE, .is_required = true),
    FIELD(struct outer, id, 4, FIELD_ID),
};
static const struct schema outer_schema = SCHEMA("outer", struct outer, outer_fields);

static void test_codec_round_trip(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer out = {0};
    struct inner items[2] = {{1, bytes_string("a")}, {0, {0}}};
    struct outer in = {.items = {items, 2}, .inner = {5, bytes_string("xyz")}, .value = value_null, .id = {{1,2}}};
    assert_true(schema_is_sound(&outer_schema));
    codec_encode(&outer_schema, &in, &out);
    assert_false(out.is_failed);
    struct outer back;
    struct pawl_diag diag;
    enum pawl_error e = codec_decode(&outer_schema, buffer_bytes(&out), &arena, &back, &diag);
    if (e) printf("%s\n", diag.text);
    assert_int_equal(e, 0);
    assert_int_equal(back.items.count, 2);
    assert_int_equal(back.inner.number, 5);
    assert_int_equal(back.id.byte[1], 2);
    for (size_t i = 0; i < out.size; i++)
        assert_int_equal(codec_decode(&outer_schema, bytes_of(out.data, i), &arena, &back, &diag), PAWL_E_INVALID);
    struct buffer map = {0};
    pack_map(&map, 70000);
    for (int i = 0; i < 70000; i++) { char t[16]; snprintf(t, 16, "%d", i % 69999); pack_text(&map, t); pack_integer(&map, i); }
    struct value_limits l = {1u<<30, 10, 1u<<30};
    assert_int_equal(value_check(buffer_bytes(&map), &l, &diag), PAWL_E_INVALID);
    printf("%s\n", diag.text);
    buffer_done(&map);
    arena_done(&arena);
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_codec_round_trip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
