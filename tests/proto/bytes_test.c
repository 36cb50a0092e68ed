#include "proto/bytes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "proto/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void test_bytes_compare_sorts_a_prefix_first(void **state)
{
    (void)state;
    const struct {
        const char *a, *b;
        int order;
    } rows[] = {
        {"", "", 0},    {"", "a", -1},   {"a", "ab", -1},
        {"b", "ab", 1}, {"ab", "ab", 0}, {"\xff", "a", 1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct bytes a = bytes_string(rows[i].a), b = bytes_string(rows[i].b);
        const int order = bytes_compare(a, b);
        assert_int_equal((order > 0) - (order < 0), rows[i].order);
        assert_int_equal(bytes_equal(a, b), rows[i].order == 0);
    }
    assert_true(bytes_equal((struct bytes){NULL, 0}, bytes_string("")));
    assert_int_equal(bytes_string(NULL).size, 0);
}

static void test_bytes_have_prefix_of_nothing_always(void **state)
{
    (void)state;
    assert_true(bytes_have_prefix(bytes_string("abc"), bytes_string("ab")));
    assert_true(bytes_have_prefix(bytes_string("abc"), (struct bytes){NULL, 0}));
    assert_false(bytes_have_prefix(bytes_string("ab"), bytes_string("abc")));
    assert_false(bytes_have_prefix(bytes_string("abc"), bytes_string("b")));
}

static void test_integers_in_bytes_round_trip(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 1, 0x0123456789abcdef, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        uint8_t bytes[8];
        be64_put(bytes, numbers[i]);
        assert_true(be64_get(bytes) == numbers[i]);
        le64_put(bytes, numbers[i]);
        assert_true(le64_get(bytes) == numbers[i]);
        be32_put(bytes, (uint32_t)numbers[i]);
        assert_int_equal(be32_get(bytes), (uint32_t)numbers[i]);
        le32_put(bytes, (uint32_t)numbers[i]);
        assert_int_equal(le32_get(bytes), (uint32_t)numbers[i]);
    }
    uint8_t bytes[8];
    be64_put(bytes, 0x0123456789abcdef);
    assert_memory_equal(bytes, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
    le64_put(bytes, 0x0123456789abcdef);
    assert_memory_equal(bytes, "\xef\xcd\xab\x89\x67\x45\x23\x01", 8);
}

static void test_buffer_grows_and_keeps_its_content(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    for (int i = 0; i < 10000; i++) {
        const uint8_t byte = (uint8_t)i;
        buffer_append(&buffer, &byte, 1);
    }
    assert_int_equal(buffer.size, 10000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(buffer.data[i], (uint8_t)i);
    buffer_done(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.size, 0);
}

static void test_buffer_at_its_limit_takes_the_last_byte_and_no_more(void **state)
{
    (void)state;
    static const size_t limits[] = {1, 7, 255, 256, 257, 1000};
    static const uint8_t zeros[1024];
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct buffer buffer = {.limit = limits[i]};
        buffer_append(&buffer, zeros, limits[i]);
        assert_false(buffer.is_failed);
        buffer_append(&buffer, NULL, 0);
        assert_false(buffer.is_failed);
        assert_null(buffer_extend(&buffer, 1));
        assert_true(buffer.is_failed);
        assert_int_equal(buffer.size, limits[i]);
        buffer_done(&buffer);
    }
}

static void test_buffer_that_failed_stays_failed_until_it_is_reset(void **state)
{
    (void)state;
    struct buffer buffer = {.limit = 4};
    buffer_append(&buffer, "abcde", 5);
    assert_true(buffer.is_failed);
    buffer_append(&buffer, "a", 1);
    assert_int_equal(buffer.size, 0);
    buffer_reset(&buffer);
    buffer_append(&buffer, "a", 1);
    assert_false(buffer.is_failed);
    assert_int_equal(buffer.size, 1);
    buffer_done(&buffer);
}

static void test_buffer_extend_of_an_absurd_size_fails(void **state)
{
    (void)state;
    static const size_t sizes[] = {BUFFER_BYTES_MAX + 1, SIZE_MAX / 4, SIZE_MAX / 2, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buffer buffer = {0};
        buffer_append(&buffer, "abc", 3);
        assert_null(buffer_extend(&buffer, sizes[i]));
        assert_true(buffer.is_failed);
        buffer_done(&buffer);
    }
}

static void test_id128_format_and_parse_agree(void **state)
{
    (void)state;
    const struct id128 id = {{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba,
                              0x98, 0x76, 0x54, 0x32, 0x10}};
    static const char *const forms[] = {
        "01234567-89ab-cdef-fedc-ba9876543210",
        "01234567-89AB-CDEF-FEDC-BA9876543210",
        "0123456789abcdeffedcba9876543210",
    };
    char text[37];
    id128_format(id, text);
    assert_string_equal(text, forms[0]);
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct id128 parsed;
        assert_true(id128_parse(bytes_string(forms[i]), &parsed));
        assert_true(id128_equal(parsed, id));
    }
}

static void test_id128_parse_of_anything_else_leaves_the_id(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "0",
        "0123456789abcdeffedcba987654321",
        "0123456789abcdeffedcba98765432100",
        "0123456789abcdeffedcba987654321g",
        "01234567-89ab-cdef-fedc-ba987654321",
        "01234567089ab-cdef-fedc-ba9876543210",
        "012345678-9ab-cdef-fedc-ba9876543210",
        "01234567-89ab-cdef-fedc-ba98765432-0",
        " 123456789abcdeffedcba9876543210",
        "{1234567-89ab-cdef-fedc-ba987654321}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct id128 id = {{42}};
        assert_false(id128_parse(bytes_string(texts[i]), &id));
        assert_int_equal(id.byte[0], 42);
    }
}

static void test_id128_of_zeros_is_none(void **state)
{
    (void)state;
    struct id128 id = {{0}};
    assert_true(id128_is_none(id));
    id.byte[15] = 1;
    assert_false(id128_is_none(id));
    assert_false(id128_equal(id, (struct id128){{0}}));
    assert_int_equal(id128_bytes(&id).size, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_compare_sorts_a_prefix_first),
        cmocka_unit_test(test_bytes_have_prefix_of_nothing_always),
        cmocka_unit_test(test_integers_in_bytes_round_trip),
        cmocka_unit_test(test_buffer_grows_and_keeps_its_content),
        cmocka_unit_test(test_buffer_at_its_limit_takes_the_last_byte_and_no_more),
        cmocka_unit_test(test_buffer_that_failed_stays_failed_until_it_is_reset),
        cmocka_unit_test(test_buffer_extend_of_an_absurd_size_fails),
        cmocka_unit_test(test_id128_format_and_parse_agree),
        cmocka_unit_test(test_id128_parse_of_anything_else_leaves_the_id),
        cmocka_unit_test(test_id128_of_zeros_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
