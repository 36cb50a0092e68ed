/* Commands that wait for rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/waiting.h"

static struct waiting *add(struct waiting_list *list, uint64_t correlation)
{
    const struct command command = {.kind = CMD_START, .request = id_of_number(correlation)};
    struct waiting *waiting =
        waiting_add(list, &command, (struct origin){.correlation = correlation});
    assert_non_null(waiting);
    return waiting;
}

/* The next that is awake is decided. */
static void assert_awake(struct waiting_list *list, uint64_t correlation)
{
    struct waiting *waiting = waiting_take_awake(list);
    assert_non_null(waiting);
    assert_int_equal(waiting->origin.correlation, correlation);
    waiting_remove(list, waiting);
    waiting_check(list);
}

static void test_those_that_miss_one_row_wait_for_one_load_and_wake_in_order(void **state)
{
    (void)state;
    const struct bytes key = BYTES_LITERAL("a"), other = BYTES_LITERAL("b");
    struct waiting_list list;
    waiting_init(&list, 1);
    assert_int_equal(waiting_row_load(&list, TABLE_LATEST, key), 0);
    assert_true(waiting_set_load(&list, add(&list, 1), 7));
    waiting_note_row(&list, 7, TABLE_LATEST, key);
    assert_int_equal(waiting_row_load(&list, TABLE_LATEST, key), 7);
    assert_int_equal(waiting_row_load(&list, TABLE_LATEST, other), 0);
    assert_int_equal(waiting_row_load(&list, TABLE_WORKFLOW, key), 0);
    assert_true(waiting_set_load(&list, add(&list, 2), 8));
    assert_true(waiting_set_load(&list, add(&list, 3), 7));
    assert_true(waiting_set_load(&list, add(&list, 4), 7));
    waiting_check(&list);
    assert_true(waiting_wake(&list, 7));
    assert_false(waiting_wake(&list, 7));
    assert_int_equal(waiting_row_load(&list, TABLE_LATEST, key), 0); /* it is over */
    assert_awake(&list, 1);
    assert_awake(&list, 3);
    assert_awake(&list, 4);
    assert_null(waiting_take_awake(&list));
    assert_true(waiting_wake(&list, 8));
    assert_awake(&list, 2);
    assert_int_equal(list.count, 0);
    waiting_clear(&list);
}

static void test_one_that_misses_another_row_after_its_load_waits_anew(void **state)
{
    (void)state;
    struct waiting_list list;
    waiting_init(&list, 2);
    struct waiting *first = add(&list, 1), *second = add(&list, 2);
    assert_true(waiting_set_load(&list, first, 7) && waiting_set_load(&list, second, 7));
    assert_true(waiting_wake(&list, 7));
    assert_ptr_equal(waiting_take_awake(&list), first);
    assert_true(waiting_set_load(&list, first, 9));
    waiting_check(&list);
    assert_awake(&list, 2);
    assert_true(waiting_wake(&list, 9));
    assert_awake(&list, 1);
    waiting_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_those_that_miss_one_row_wait_for_one_load_and_wake_in_order),
        cmocka_unit_test(test_one_that_misses_another_row_after_its_load_waits_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
