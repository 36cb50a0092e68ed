#include "proto/value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <msgpack.h>

#include "proto/json.h"
#include "proto/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A view of a literal that may hold NULs. */
#define B(text)   BYTES_LITERAL(text)
#define ROW(text) BYTES_INITIAL(text)

static const struct {
    const char *name;
    struct bytes bytes;
    enum pawl_error error;
} checks[] = {
    {"nil", ROW("\xc0"), PAWL_OK},
    {"longest head of a small number", ROW("\xcf\0\0\0\0\0\0\0\1"), PAWL_OK},
    {"float32", ROW("\xca\x3f\x80\0\0"), PAWL_OK},
    {"infinity", ROW("\xcb\x7f\xf0\0\0\0\0\0\0"), PAWL_OK},
    {"map in map", ROW("\x81\xa1k\x81\xa1k\x01"), PAWL_OK},
    {"one key in two maps", ROW("\x92\x81\xa1k\x01\x81\xa1k\x01"), PAWL_OK},
    {"one key inside and outside", ROW("\x82\xa1k\x81\xa1m\x01\xa1m\x01"), PAWL_OK},
    {"empty key", ROW("\x81\xa0\x01"), PAWL_OK},
    {"binary that is not UTF-8", ROW("\xc4\x01\xff"), PAWL_OK},

    {"nothing", {NULL, 0}, PAWL_E_INVALID},
    {"the byte that is never used", ROW("\xc1"), PAWL_E_INVALID},
    {"fixext 1", ROW("\xd4\x01\x01"), PAWL_E_INVALID},
    {"fixext 16", ROW("\xd8\x01ponmlkjihgponmlk"), PAWL_E_INVALID},
    {"ext 8", ROW("\xc7\x01\x01\x01"), PAWL_E_INVALID},
    {"ext 32", ROW("\xc9\0\0\0\0\x01"), PAWL_E_INVALID},
    {"ext inside", ROW("\x91\xd4\x01\x01"), PAWL_E_INVALID},
    {"bytes left over", ROW("\x01\x01"), PAWL_E_INVALID},
    {"bytes left over after an array", ROW("\x91\x01\xc0"), PAWL_E_INVALID},
    {"integer key", ROW("\x81\x01\x01"), PAWL_E_INVALID},
    {"nil key", ROW("\x81\xc0\x01"), PAWL_E_INVALID},
    {"binary key", ROW("\x81\xc4\x01k\x01"), PAWL_E_INVALID},
    {"map key", ROW("\x81\x80\x01"), PAWL_E_INVALID},
    {"duplicate key", ROW("\x82\xa1k\x01\xa1k\x02"), PAWL_E_INVALID},
    {"duplicate key in another encoding", ROW("\x82\xa1k\x01\xd9\x01k\x02"), PAWL_E_INVALID},
    {"duplicate key inside", ROW("\x91\x82\xa1k\x01\xa1k\x02"), PAWL_E_INVALID},
    {"duplicate empty key", ROW("\x82\xa0\x01\xa0\x02"), PAWL_E_INVALID},
    {"duplicate key around a map", ROW("\x82\xa1k\x81\xa1m\x01\xa1k\x02"), PAWL_E_INVALID},
    {"key not UTF-8", ROW("\x81\xa1\xff\x01"), PAWL_E_INVALID},
    {"text not UTF-8", ROW("\xa1\xff"), PAWL_E_INVALID},
    {"NaN", ROW("\xcb\x7f\xf8\0\0\0\0\0\0"), PAWL_E_INVALID},
    {"negative signalling NaN", ROW("\xcb\xff\xf0\0\0\0\0\0\1"), PAWL_E_INVALID},
    {"NaN in 32 bits", ROW("\xca\x7f\xc0\0\0"), PAWL_E_INVALID},
    {"array bomb", ROW("\xdd\xff\xff\xff\xff\xc0"), PAWL_E_INVALID},
    {"array bomb of 16 bits", ROW("\xdc\xff\xff\xc0\xc0\xc0"), PAWL_E_INVALID},
    {"map bomb", ROW("\xdf\x7f\xff\xff\xff\xc0"), PAWL_E_INVALID},
    {"map with room for half of it", ROW("\x82\xa1k\x01"), PAWL_E_INVALID},
    {"text bomb", ROW("\xdb\xff\xff\xff\xff\xc0"), PAWL_E_INVALID},
    {"binary bomb", ROW("\xc6\xff\xff\xff\xff\xc0"), PAWL_E_INVALID},
};

static void test_value_check_of_any_bytes_accepts_values_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        struct pawl_diag diag = {.text = ""};
        const enum pawl_error error = value_check(checks[i].bytes, NULL, &diag);
        if (error != checks[i].error || (error != PAWL_OK && diag.text[0] == '\0'))
            fail_msg("%s: %s (%s)", checks[i].name, pawl_error_name(error), diag.text);
    }
}

static const struct {
    struct bytes bytes;
    enum value_kind kind;
    int64_t integer;
} heads[] = {
    {ROW("\xc0"), VALUE_NULL, 0},
    {ROW("\xc2"), VALUE_BOOL, 0},
    {ROW("\xc3"), VALUE_BOOL, 1},
    {ROW("\x00"), VALUE_INTEGER, 0},
    {ROW("\x7f"), VALUE_INTEGER, 127},
    {ROW("\xff"), VALUE_INTEGER, -1},
    {ROW("\xe0"), VALUE_INTEGER, -32},
    {ROW("\xcc\xff"), VALUE_INTEGER, 255},
    {ROW("\xcd\xff\xff"), VALUE_INTEGER, 65535},
    {ROW("\xce\xff\xff\xff\xff"), VALUE_INTEGER, 4294967295},
    {ROW("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), VALUE_INTEGER, INT64_MAX},
    {ROW("\xcf\x80\0\0\0\0\0\0\0"), VALUE_UNSIGNED, INT64_MIN},
    {ROW("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), VALUE_UNSIGNED, -1},
    {ROW("\xd0\x80"), VALUE_INTEGER, -128},
    {ROW("\xd1\x80\0"), VALUE_INTEGER, -32768},
    {ROW("\xd2\x80\0\0\0"), VALUE_INTEGER, -2147483648},
    {ROW("\xd3\x80\0\0\0\0\0\0\0"), VALUE_INTEGER, INT64_MIN},
    {ROW("\x90"), VALUE_ARRAY, 0},
    {ROW("\x80"), VALUE_MAP, 0},
};

static void test_value_next_of_each_form_tells_kind_and_content(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct value_cursor cursor = value_cursor_of(heads[i].bytes);
        struct value_head head = {.unsigned_integer = 0};
        assert_int_equal(value_next(&cursor, &head), PAWL_OK);
        assert_int_equal(head.kind, heads[i].kind);
        assert_ptr_equal(cursor.at, cursor.end);
        if (head.kind == VALUE_BOOL)
            assert_int_equal(head.boolean, heads[i].integer);
        else
            assert_true(head.integer == heads[i].integer);
    }
}

static void test_value_next_of_float32_widens(void **state)
{
    (void)state;
    struct value_cursor cursor = value_cursor_of(B("\xca\x3f\xc0\0\0"));
    struct value_head head;
    assert_int_equal(value_next(&cursor, &head), PAWL_OK);
    assert_int_equal(head.kind, VALUE_FLOAT);
    assert_true(head.real == 1.5);
}

/* One of everything, with heads of every size that fits a test. */
static void sample_pack(struct buffer *buffer)
{
    static const uint8_t zeros[70000];
    pack_map(buffer, 9);
    pack_text(buffer, "null");
    pack_null(buffer);
    pack_text(buffer, "bools");
    pack_array(buffer, 2);
    pack_bool(buffer, true);
    pack_bool(buffer, false);
    pack_text(buffer, "numbers");
    pack_array(buffer, 22);
    for (int64_t n = 1; n <= (int64_t)1 << 36; n <<= 4) {
        pack_integer(buffer, n);
        pack_integer(buffer, -n);
    }
    pack_unsigned(buffer, UINT64_MAX);
    pack_float(buffer, -0.0);
    pack_text(buffer, "a text of more than thirty-one bytes");
    pack_text(buffer, "a text that is longer than thirty-one bytes, too");
    pack_text(buffer, "str16");
    pack_string(buffer, bytes_of(zeros, 300));
    pack_text(buffer, "bin8");
    pack_binary(buffer, bytes_of(zeros, 3));
    pack_text(buffer, "bin16");
    pack_binary(buffer, bytes_of(zeros, 300));
    pack_text(buffer, "array16");
    pack_array(buffer, 20);
    for (int i = 0; i < 20; i++)
        pack_map(buffer, 0);
    pack_text(buffer, "float");
    pack_float(buffer, 0.1);
    assert_false(buffer->is_failed);
}

static void test_value_cut_short_anywhere_is_invalid(void **state)
{
    (void)state;
    struct buffer whole = {0};
    sample_pack(&whole);
    assert_int_equal(value_check(buffer_bytes(&whole), NULL, NULL), PAWL_OK);
    for (size_t size = 0; size < whole.size; size++) {
        /* Memory of just this size, so that a sanitizer sees one byte too many. */
        uint8_t *exact = malloc(size);
        assert_true(size == 0 || exact != NULL);
        memcpy(exact, whole.data, size);
        struct value_cursor cursor = value_cursor_of(bytes_of(exact, size));
        assert_int_equal(value_check(bytes_of(exact, size), NULL, NULL), PAWL_E_INVALID);
        assert_int_equal(value_skip(&cursor), PAWL_E_INVALID);
        assert_ptr_equal(cursor.at, exact);
        free(exact);
    }
    buffer_done(&whole);
}

static void test_value_take_splits_a_row_of_values(void **state)
{
    (void)state;
    const struct bytes row = B("\x92\x01\x81\xa1k\xc0\xa2hi\x05");
    struct value_cursor cursor = value_cursor_of(row);
    struct bytes value;
    assert_int_equal(value_take(&cursor, &value), PAWL_OK);
    assert_int_equal(value.size, 6);
    assert_int_equal(value_take(&cursor, &value), PAWL_OK);
    assert_true(bytes_equal(value, B("\xa2hi")));
    assert_int_equal(value_take(&cursor, &value), PAWL_OK);
    assert_int_equal(value_take(&cursor, &value), PAWL_E_INVALID);
    assert_true(bytes_equal(value, B("\x05")));
}

static void nested_pack(struct buffer *buffer, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        pack_array(buffer, 1);
    pack_null(buffer);
}

static void test_value_check_of_nesting_stops_at_the_limit(void **state)
{
    (void)state;
    static const struct value_limits boundless = {SIZE_MAX, UINT32_MAX, UINT32_MAX};
    const struct {
        size_t depth;
        const struct value_limits *limits;
        enum pawl_error error;
    } rows[] = {
        {VALUE_DEPTH_MAX, NULL, PAWL_OK},
        {VALUE_DEPTH_MAX + 1, NULL, PAWL_E_LIMIT},
        {1000000, NULL, PAWL_E_LIMIT},
        {VALUE_STACK_MAX, &boundless, PAWL_OK},
        {VALUE_STACK_MAX + 1, &boundless, PAWL_E_LIMIT},
        {1000000, &boundless, PAWL_E_LIMIT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer buffer = {0};
        nested_pack(&buffer, rows[i].depth);
        assert_int_equal(value_check(buffer_bytes(&buffer), rows[i].limits, NULL), rows[i].error);
        buffer_done(&buffer);
    }
}

static void test_value_skip_of_a_million_levels_needs_no_stack(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    nested_pack(&buffer, 1000000);
    struct value_cursor cursor = value_cursor_of(buffer_bytes(&buffer));
    assert_int_equal(value_skip(&cursor), PAWL_OK);
    assert_ptr_equal(cursor.at, cursor.end);
    assert_false(value_equal(buffer_bytes(&buffer), buffer_bytes(&buffer)));
    buffer_done(&buffer);
}

static void test_value_check_counts_nodes_and_bytes(void **state)
{
    (void)state;
    const struct bytes value = B("\x82\xa1k\x92\x01\x02\xa1m\x03"); /* 7 nodes, 9 bytes */
    const struct {
        struct value_limits limits;
        enum pawl_error error;
    } rows[] = {
        {{9, 2, 7}, PAWL_OK},      {{9, 2, 6}, PAWL_E_LIMIT}, {{8, 2, 7}, PAWL_E_LIMIT},
        {{9, 1, 7}, PAWL_E_LIMIT}, {{9, 0, 7}, PAWL_E_LIMIT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(value_check(value, &rows[i].limits, NULL), rows[i].error);
}

static void test_value_check_next_leaves_what_follows(void **state)
{
    (void)state;
    struct value_cursor cursor = value_cursor_of(B("\x91\xc0\xc1\xc1"));
    struct bytes value = {NULL, 0};
    assert_int_equal(value_check_next(&cursor, NULL, &value, NULL), PAWL_OK);
    assert_int_equal(value.size, 2);
    assert_int_equal(value_check_next(&cursor, NULL, &value, NULL), PAWL_E_INVALID);
    assert_int_equal(cursor.end - cursor.at, 2);
    assert_int_equal(value.size, 2);
}

/* A map of `count` keys, all different but the last one when it is to repeat key `repeated`. */
static void keys_pack(struct buffer *buffer, uint32_t count, uint32_t repeated)
{
    pack_map(buffer, count);
    for (uint32_t i = 0; i < count; i++) {
        char key[16];
        const uint32_t number = i == count - 1 ? repeated : i * 2654435761u;
        snprintf(key, sizeof key, "%08x", number);
        pack_text(buffer, key);
        pack_null(buffer);
    }
}

static void test_value_check_of_many_keys_finds_the_one_duplicate(void **state)
{
    (void)state;
    static const struct value_limits limits = {(size_t)8 << 20, 8, 1 << 20};
    static const uint32_t counts[] = {2, 3, 12, 13, 14, 32, 33, 34, 100, 65000};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        const uint32_t count = counts[i];
        struct buffer distinct = {0}, twice = {0};
        keys_pack(&distinct, count, 1); /* 1 is no product that small counts reach */
        keys_pack(&twice, count, (count / 2 - (count == 2)) * 2654435761u);
        assert_int_equal(value_check(buffer_bytes(&distinct), &limits, NULL), PAWL_OK);
        assert_int_equal(value_check(buffer_bytes(&twice), &limits, NULL), PAWL_E_INVALID);
        buffer_done(&distinct);
        buffer_done(&twice);
    }
}

static void test_value_check_of_open_maps_keeps_their_keys_apart(void **state)
{
    (void)state;
    /* 40 keys are open when the inner maps come, more than are held in place. */
    struct buffer buffer = {0};
    pack_map(&buffer, 41);
    for (int i = 0; i < 41; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        pack_text(&buffer, key);
        keys_pack(&buffer, 20, 1);
    }
    assert_int_equal(value_check(buffer_bytes(&buffer), NULL, NULL), PAWL_OK);
    buffer_done(&buffer);
}

static const struct {
    const char *a, *b;
    bool is_equal;
} equals[] = {
    {"null", "null", true},
    {"null", "false", false},
    {"1", "1.0", true},
    {"-0", "0", true},
    {"1", "\"1\"", false},
    {"1", "true", false},
    {"0", "false", false},
    {"9007199254740993", "9007199254740992.0", false},
    {"9007199254740992", "9007199254740992.0", true},
    {"9223372036854775807", "9223372036854775808.0", false},
    {"9223372036854775808", "9223372036854775808.0", true},
    {"18446744073709551615", "18446744073709551616.0", false},
    {"-9223372036854775808", "-9223372036854775808.0", true},
    {"18446744073709551615", "-1", false},
    {"1", "1.5", false},
    {"0.1", "0.1", true},
    {"\"a\"", "\"a\"", true},
    {"\"a\"", "\"b\"", false},
    {"\"\"", "\"\"", true},
    {"[]", "[]", true},
    {"[]", "{}", false},
    {"[1,2]", "[1,2]", true},
    {"[1,2]", "[2,1]", false},
    {"[1,2]", "[1]", false},
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
    {"{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}", false},
    {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
    {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
    {"{\"x\":{\"a\":[1,{}],\"b\":2},\"y\":0}", "{\"y\":0,\"x\":{\"b\":2.0,\"a\":[1,{}]}}", true},
    {"[{\"a\":1,\"b\":2},3]", "[{\"b\":2,\"a\":1},3]", true},
    {"[{\"a\":1,\"b\":2},3]", "[{\"b\":2,\"a\":1},4]", false},
    {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10}",
     "{\"j\":10,\"i\":9,\"h\":8,\"g\":7,\"f\":6,\"e\":5,\"d\":4,\"c\":3,\"b\":2,\"a\":1}", true},
    {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10}",
     "{\"j\":10,\"i\":9,\"h\":8,\"g\":7,\"f\":6,\"e\":5,\"d\":4,\"c\":3,\"b\":2,\"a\":0}", false},
};

static void test_value_equal_compares_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(equals); i++) {
        struct buffer a = {0}, b = {0};
        assert_int_equal(json_read(bytes_string(equals[i].a), NULL, &a, NULL), PAWL_OK);
        assert_int_equal(json_read(bytes_string(equals[i].b), NULL, &b, NULL), PAWL_OK);
        if (value_equal(buffer_bytes(&a), buffer_bytes(&b)) != equals[i].is_equal ||
            value_equal(buffer_bytes(&b), buffer_bytes(&a)) != equals[i].is_equal)
            fail_msg("%s and %s", equals[i].a, equals[i].b);
        buffer_done(&a);
        buffer_done(&b);
    }
}

static void test_value_equal_of_binary_and_text_differs(void **state)
{
    (void)state;
    assert_false(value_equal(B("\xc4\x01k"), B("\xa1k")));
    assert_true(value_equal(B("\xc4\x01k"), B("\xc5\0\x01k")));
    assert_false(value_equal((struct bytes){NULL, 0}, B("\xc0")));
}

static void test_value_equal_of_large_reversed_maps_is_not_quadratic(void **state)
{
    (void)state;
    const int count = 50000;
    struct buffer up = {0}, down = {0};
    pack_map(&up, (uint32_t)count);
    pack_map(&down, (uint32_t)count);
    for (int i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        pack_text(&up, key);
        pack_integer(&up, i);
        snprintf(key, sizeof key, "%d", count - 1 - i);
        pack_text(&down, key);
        pack_integer(&down, count - 1 - i);
    }
    assert_true(value_equal(buffer_bytes(&up), buffer_bytes(&down)));
    buffer_done(&up);
    buffer_done(&down);
}

static void test_value_map_get_finds_only_keys_of_maps(void **state)
{
    (void)state;
    const struct bytes map = B("\x83\xa1k\x81\xa1m\x01\xa1m\xa2hi\xa0\xc3");
    struct bytes found = {NULL, 0};
    assert_true(value_map_get(map, B("m"), &found));
    assert_true(bytes_equal(found, B("\xa2hi")));
    assert_true(value_map_get(map, (struct bytes){NULL, 0}, &found));
    assert_true(bytes_equal(found, B("\xc3")));
    assert_false(value_map_get(map, B("c"), &found));
    assert_false(value_map_get(B("\x92\xa1m\x01"), B("m"), &found));
    assert_false(value_map_get((struct bytes){NULL, 0}, B("m"), &found));
    assert_true(bytes_equal(value_map_string(map, B("m")), B("hi")));
    assert_int_equal(value_map_string(map, B("k")).size, 0);
    assert_int_equal(value_map_string(map, B("zz")).size, 0);
}

static void test_value_integer_takes_exact_numbers_only(void **state)
{
    (void)state;
    const struct {
        const char *json;
        bool is_integer;
        int64_t integer;
    } rows[] = {
        {"5", true, 5},
        {"5.0", true, 5},
        {"-0", true, 0},
        {"-9223372036854775808.0", true, INT64_MIN},
        {"9223372036854775808.0", false, 0},
        {"9223372036854775808", false, 0},
        {"5.5", false, 0},
        {"1e300", false, 0},
        {"\"5\"", false, 0},
        {"[5]", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer value = {0};
        int64_t integer = 0;
        assert_int_equal(json_read(bytes_string(rows[i].json), NULL, &value, NULL), PAWL_OK);
        assert_int_equal(value_integer(buffer_bytes(&value), &integer), rows[i].is_integer);
        assert_true(integer == rows[i].integer);
        buffer_done(&value);
    }
    int64_t untouched = 7;
    assert_false(value_integer(B("\xcb\x7f\xf0\0\0\0\0\0\0"), &untouched));
    assert_true(untouched == 7);
}

static void test_pack_of_integers_is_shortest_and_read_by_msgpack(void **state)
{
    (void)state;
    const struct {
        int64_t integer;
        size_t size;
    } rows[] = {
        {0, 1},      {127, 1},    {128, 2},        {255, 2},         {256, 3},
        {65535, 3},  {65536, 5},  {4294967295, 5}, {4294967296, 9},  {INT64_MAX, 9},
        {-1, 1},     {-32, 1},    {-33, 2},        {-128, 2},        {-129, 3},
        {-32768, 3}, {-32769, 5}, {INT32_MIN, 5},  {-2147483649, 9}, {INT64_MIN, 9},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer buffer = {0};
        msgpack_unpacked unpacked;
        size_t offset = 0;
        pack_integer(&buffer, rows[i].integer);
        assert_int_equal(buffer.size, rows[i].size);
        msgpack_unpacked_init(&unpacked);
        assert_int_equal(
            msgpack_unpack_next(&unpacked, (const char *)buffer.data, buffer.size, &offset),
            MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(unpacked.data.type, rows[i].integer < 0 ? MSGPACK_OBJECT_NEGATIVE_INTEGER
                                                                 : MSGPACK_OBJECT_POSITIVE_INTEGER);
        assert_true(unpacked.data.via.i64 == rows[i].integer);
        msgpack_unpacked_destroy(&unpacked);
        buffer_done(&buffer);
    }
}

static void test_pack_of_everything_is_read_whole_by_msgpack(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    msgpack_unpacked unpacked;
    size_t offset = 0;
    sample_pack(&buffer);
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(
        msgpack_unpack_next(&unpacked, (const char *)buffer.data, buffer.size, &offset),
        MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(offset, buffer.size);
    assert_int_equal(unpacked.data.via.map.size, 9);
    msgpack_unpacked_destroy(&unpacked);
    buffer_done(&buffer);
}

static void test_pack_float_of_nan_is_null_and_keeps_negative_zero(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    pack_float(&buffer, NAN);
    assert_true(bytes_equal(buffer_bytes(&buffer), value_null));
    buffer_reset(&buffer);
    pack_float(&buffer, -0.0);
    assert_true(bytes_equal(buffer_bytes(&buffer), B("\xcb\x80\0\0\0\0\0\0\0")));
    buffer_done(&buffer);
}

static void test_pack_past_the_buffers_limit_fails_once_and_stays_failed(void **state)
{
    (void)state;
    struct buffer buffer = {.limit = 4};
    pack_text(&buffer, "abc");
    assert_false(buffer.is_failed);
    pack_null(&buffer);
    assert_true(buffer.is_failed);
    pack_map(&buffer, 0);
    assert_int_equal(buffer.size, 4);
    buffer_reset(&buffer);
    pack_null(&buffer);
    assert_false(buffer.is_failed);
    buffer_done(&buffer);
}

static const struct {
    struct bytes text;
    size_t valid_size;
} texts[] = {
    {{NULL, 0}, 0},
    {ROW("plain text, long enough for the fast path"), 41},
    {ROW("\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"), 16},
    {ROW("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), 8},
    {ROW("a\0b"), 3},
    {ROW("abc\x80"), 3},          /* a continuation alone */
    {ROW("\xc0\x80"), 0},         /* overlong NUL */
    {ROW("\xc1\xbf"), 0},         /* overlong */
    {ROW("\xe0\x9f\xbf"), 0},     /* overlong */
    {ROW("\xf0\x8f\xbf\xbf"), 0}, /* overlong */
    {ROW("\xed\xa0\x80"), 0},     /* surrogate */
    {ROW("\xed\xbf\xbf"), 0},     /* surrogate */
    {ROW("\xf4\x90\x80\x80"), 0}, /* past U+10FFFF */
    {ROW("\xf5\x80\x80\x80"), 0},
    {ROW("\xff"), 0},
    {ROW("x\xe2\x82"), 1}, /* cut short */
    {ROW("\xe2\x82x"), 0},
    {ROW("\xf0\x9f\x98"), 0},
    {ROW("12345678\xff"), 8},
    {ROW("1234567\xffz"), 7},
};

static void test_utf8_valid_size_stops_at_the_first_bad_sequence(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(utf8_valid_size(texts[i].text), texts[i].valid_size);
        assert_int_equal(utf8_is_valid(texts[i].text), texts[i].valid_size == texts[i].text.size);
    }
}

static void test_utf8_cut_never_splits_a_character(void **state)
{
    (void)state;
    const struct bytes text = B("a\xc3\xa9\xe2\x82\xac");
    static const size_t sizes[] = {0, 1, 1, 3, 3, 3, 6, 6};
    for (size_t max = 0; max < COUNT_OF(sizes); max++)
        assert_int_equal(utf8_cut(text, max).size, sizes[max]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_check_of_any_bytes_accepts_values_only),
        cmocka_unit_test(test_value_next_of_each_form_tells_kind_and_content),
        cmocka_unit_test(test_value_next_of_float32_widens),
        cmocka_unit_test(test_value_cut_short_anywhere_is_invalid),
        cmocka_unit_test(test_value_take_splits_a_row_of_values),
        cmocka_unit_test(test_value_check_of_nesting_stops_at_the_limit),
        cmocka_unit_test(test_value_skip_of_a_million_levels_needs_no_stack),
        cmocka_unit_test(test_value_check_counts_nodes_and_bytes),
        cmocka_unit_test(test_value_check_next_leaves_what_follows),
        cmocka_unit_test(test_value_check_of_many_keys_finds_the_one_duplicate),
        cmocka_unit_test(test_value_check_of_open_maps_keeps_their_keys_apart),
        cmocka_unit_test(test_value_equal_compares_meaning),
        cmocka_unit_test(test_value_equal_of_binary_and_text_differs),
        cmocka_unit_test(test_value_equal_of_large_reversed_maps_is_not_quadratic),
        cmocka_unit_test(test_value_map_get_finds_only_keys_of_maps),
        cmocka_unit_test(test_value_integer_takes_exact_numbers_only),
        cmocka_unit_test(test_pack_of_integers_is_shortest_and_read_by_msgpack),
        cmocka_unit_test(test_pack_of_everything_is_read_whole_by_msgpack),
        cmocka_unit_test(test_pack_float_of_nan_is_null_and_keeps_negative_zero),
        cmocka_unit_test(test_pack_past_the_buffers_limit_fails_once_and_stays_failed),
        cmocka_unit_test(test_utf8_valid_size_stops_at_the_first_bad_sequence),
        cmocka_unit_test(test_utf8_cut_never_splits_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
