#include "proto/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>

#include <cmocka.h>

#include "proto/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void test_arena_alloc_is_zeroed_and_aligned_also_after_a_reset(void **state)
{
    (void)state;
    struct arena arena = {0};
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 5000; size += 37) {
            uint8_t *at = arena_alloc(&arena, size);
            assert_non_null(at);
            assert_int_equal((uintptr_t)at % alignof(max_align_t), 0);
            assert_true(is_zero(at, size));
            memset(at, 0xff, size);
        }
        arena_reset(&arena);
        assert_int_equal(arena.used, 0);
    }
    arena_done(&arena);
}

static void test_arena_reset_keeps_the_largest_chunk_that_may_be_kept(void **state)
{
    (void)state;
    static const struct {
        size_t sizes[2];
        int kept; /* the allocation whose memory the next command begins with */
    } rows[] = {
        {{16, 16000}, 1},
        {{16, ARENA_KEPT_BYTES_MAX}, 1},
        {{16, ARENA_KEPT_BYTES_MAX + 1}, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena arena = {0};
        const void *given[2];
        for (int k = 0; k < 2; k++) {
            given[k] = arena_alloc(&arena, rows[i].sizes[k]);
            assert_non_null(given[k]);
        }
        arena_reset(&arena);
        assert_int_equal(arena.used, 0);
        assert_ptr_equal(arena_alloc(&arena, 16), given[rows[i].kept]);
        arena_done(&arena);
        assert_null(arena.chunks);
    }
}

static void test_arena_alloc_past_the_limit_is_null_and_harmless(void **state)
{
    (void)state;
    struct arena arena = {.limit = 1024};
    assert_non_null(arena_alloc(&arena, 1000));
    assert_false(arena.is_past_limit);
    assert_null(arena_alloc(&arena, 100));
    assert_true(arena.is_past_limit);
    volatile size_t largest = SIZE_MAX; /* else the compiler sees it and objects */
    assert_null(arena_alloc(&arena, largest));
    assert_non_null(arena_alloc(&arena, 16));
    arena_reset(&arena);
    assert_false(arena.is_past_limit);
    assert_non_null(arena_alloc(&arena, 1024));
    assert_null(arena_alloc(&arena, 1));
    arena_done(&arena);
}

static void test_arena_array_of_an_overflowing_size_is_null(void **state)
{
    (void)state;
    static const struct {
        size_t count, size;
    } rows[] = {
        {SIZE_MAX, 2}, {SIZE_MAX / 2, 2},        {SIZE_MAX / 16 + 1, 16},
        {2, SIZE_MAX}, {ARENA_BYTES_MAX + 1, 1},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_null(arena_array(&arena, rows[i].count, rows[i].size));
    assert_non_null(arena_array(&arena, 10, 24));
    assert_int_equal(arena.used, 240);
    arena_done(&arena);
}

static void test_arena_copies_are_the_callers_own(void **state)
{
    (void)state;
    struct arena arena = {0};
    char source[] = "hello";
    const struct bytes copy = arena_copy(&arena, bytes_string(source));
    const char *text = arena_string(&arena, bytes_string(source));
    source[0] = 'j';
    assert_true(bytes_equal(copy, bytes_string("hello")));
    assert_string_equal(text, "hello");
    assert_string_equal(arena_string(&arena, (struct bytes){NULL, 0}), "");
    assert_null(arena_copy(&arena, (struct bytes){NULL, 0}).data);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_alloc_is_zeroed_and_aligned_also_after_a_reset),
        cmocka_unit_test(test_arena_reset_keeps_the_largest_chunk_that_may_be_kept),
        cmocka_unit_test(test_arena_alloc_past_the_limit_is_null_and_harmless),
        cmocka_unit_test(test_arena_array_of_an_overflowing_size_is_null),
        cmocka_unit_test(test_arena_copies_are_the_callers_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
