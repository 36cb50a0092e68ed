#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/arrivals.h"

enum { PATIENCE_US = HELLO_MS_MAX * 1000 };

static int make(void **state)
{
    *state = calloc(1, sizeof(struct arrivals));
    return *state == NULL;
}

static int give_back(void **state)
{
    free(*state);
    return 0;
}

static void test_arrivals_nobody_has_no_deadline(void **state)
{
    struct arrivals *arrivals = *state;
    assert_true(arrivals_deadline_us(arrivals) == UINT64_MAX);
    assert_int_equal(arrivals_take_late(arrivals, UINT64_MAX / 2), 0);
}

static void test_arrivals_silent_ones_are_late_in_their_order(void **state)
{
    struct arrivals *arrivals = *state;
    for (unsigned i = 0; i < 3; i++)
        assert_true(arrivals_add(arrivals, 10 + i, i));
    assert_int_equal(arrivals_deadline_us(arrivals), PATIENCE_US);
    assert_int_equal(arrivals_take_late(arrivals, PATIENCE_US - 1), 0);
    assert_int_equal(arrivals_take_late(arrivals, PATIENCE_US + 1), 10);
    assert_int_equal(arrivals_take_late(arrivals, PATIENCE_US + 1), 11);
    assert_int_equal(arrivals_take_late(arrivals, PATIENCE_US + 1), 0);
    assert_int_equal(arrivals_deadline_us(arrivals), PATIENCE_US + 2);
}

static void test_arrivals_who_has_spoken_is_never_late(void **state)
{
    struct arrivals *arrivals = *state;
    for (unsigned i = 1; i <= 5; i++)
        assert_true(arrivals_add(arrivals, 2 * i, 0));
    static const uint64_t spoken[] = {6, 2, 10, 7, 6};
    for (size_t i = 0; i < sizeof spoken / sizeof spoken[0]; i++)
        arrivals_remove(arrivals, spoken[i]);
    assert_int_equal(arrivals_take_late(arrivals, PATIENCE_US), 4);
    assert_int_equal(arrivals_take_late(arrivals, PATIENCE_US), 8);
    assert_int_equal(arrivals_take_late(arrivals, PATIENCE_US), 0);
}

static void test_arrivals_more_than_a_node_takes_find_no_room(void **state)
{
    struct arrivals *arrivals = *state;
    for (unsigned i = 1; i <= CONNECTIONS_MAX; i++)
        assert_true(arrivals_add(arrivals, i, 0));
    assert_false(arrivals_add(arrivals, CONNECTIONS_MAX + 1, 0));
    arrivals_remove(arrivals, 77);
    assert_true(arrivals_add(arrivals, CONNECTIONS_MAX + 2, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_arrivals_nobody_has_no_deadline, make, give_back),
        cmocka_unit_test_setup_teardown(test_arrivals_silent_ones_are_late_in_their_order, make,
                                        give_back),
        cmocka_unit_test_setup_teardown(test_arrivals_who_has_spoken_is_never_late, make,
                                        give_back),
        cmocka_unit_test_setup_teardown(test_arrivals_more_than_a_node_takes_find_no_room, make,
                                        give_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
