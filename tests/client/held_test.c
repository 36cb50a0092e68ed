/* Held fences against a plain set of numbers, in every order of coming and going. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "client/held.h"
#include "proto/limits.h"

enum { NUMBERS = 600, ROUNDS = 60000 };

static uint32_t random_next(uint32_t *state)
{
    return (*state = *state * 1103515245 + 12345) >> 8;
}

static struct msg_fence fence_of(uint32_t number)
{
    return (struct msg_fence){
        .term = 1 + number / 300, .index = 10 + number / 3, .ordinal = number % 3};
}

static void holds_what_is_set(const struct held *held, const bool is_set[NUMBERS])
{
    size_t at = 0;
    held_check(held);
    for (uint32_t number = 0; number < NUMBERS; number++) {
        const struct msg_fence fence = fence_of(number);
        if (!is_set[number])
            continue;
        assert_true(at < held->count);
        assert_memory_equal(&held_first(held)[at++], &fence, sizeof fence);
    }
    assert_int_equal(at, held->count);
}

static void test_held_any_order_is_a_sorted_set(void **state)
{
    (void)state;
    struct held held = {0};
    bool is_set[NUMBERS] = {false};
    uint32_t random = 7;
    for (size_t round = 0; round < ROUNDS; round++) {
        const uint32_t number = random_next(&random) % NUMBERS;
        const struct msg_fence fence = fence_of(number);
        if (random_next(&random) % 2 == 0) {
            assert_int_equal(held_add(&held, &fence), !is_set[number]);
            is_set[number] = true;
        } else {
            held_remove(&held, &fence);
            is_set[number] = false;
        }
        if (round % 50 == 0)
            holds_what_is_set(&held, is_set);
    }
    held_clear(&held);
    assert_null(held_first(&held));
    held_done(&held);
}

/* As a worker does: new ones behind, old ones in front. */
static void test_held_in_order_keeps_its_memory(void **state)
{
    (void)state;
    struct held held = {0};
    for (uint32_t number = 0; number < 100000; number++) {
        const struct msg_fence fence = {.term = 1, .index = number},
                               old = {.term = 1, .index = number - 40};
        assert_true(held_add(&held, &fence));
        if (number >= 40)
            held_remove(&held, &old);
        held_check(&held);
    }
    assert_int_equal(held.count, 40);
    assert_true(held.capacity <= 128);
    held_done(&held);
}

static void test_held_past_the_limit_is_refused(void **state)
{
    (void)state;
    struct held held = {0};
    struct msg_fence fence = {.term = 1};
    for (uint32_t i = 0; i < SESSION_CREDIT_MAX; i++) {
        fence.index = i;
        assert_true(held_add(&held, &fence));
    }
    fence.index = SESSION_CREDIT_MAX;
    assert_false(held_add(&held, &fence));
    held_done(&held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_any_order_is_a_sorted_set),
        cmocka_unit_test(test_held_in_order_keeps_its_memory),
        cmocka_unit_test(test_held_past_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
