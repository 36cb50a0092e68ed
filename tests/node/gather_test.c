#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gather.h"

/* Turns that follow each other after period_us, with frames of so many clients each. Returns how
 * long the last one asks for. */
static uint64_t pause_after(struct gather *gather, uint64_t *now_us, uint64_t period_us,
                            uint64_t client_count)
{
    uint64_t next_us = 0;
    for (int i = 0; i < 100; i++) {
        *now_us += period_us;
        next_us = gather_turn(gather, *now_us, client_count);
    }
    assert_true(next_us >= *now_us);
    return next_us - *now_us;
}

static void test_gather_pauses_only_for_many_clients(void **state)
{
    static const struct {
        uint64_t period_us, client_count, pause_us;
    } rows[] = {
        {.period_us = 100, .client_count = 0, .pause_us = 0},
        {.period_us = 400, .client_count = 1, .pause_us = 0}, /* one, or a few by turns */
        {.period_us = 200, .client_count = 1, .pause_us = 1000},
        {.period_us = 1100, .client_count = 6, .pause_us = 1000},
        {.period_us = 1100, .client_count = 4, .pause_us = 0},
        {.period_us = 50000, .client_count = 100, .pause_us = 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gather gather = {0};
        uint64_t now_us = 123456789;
        assert_int_equal(pause_after(&gather, &now_us, rows[i].period_us, rows[i].client_count),
                         rows[i].pause_us);
    }
}

static void test_gather_ends_when_the_many_are_silent(void **state)
{
    struct gather gather = {0};
    uint64_t now_us = 1;
    (void)state;
    assert_true(pause_after(&gather, &now_us, 1100, 8) > 0);
    now_us += 50000;
    assert_int_equal(gather_turn(&gather, now_us, 1), now_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gather_pauses_only_for_many_clients),
        cmocka_unit_test(test_gather_ends_when_the_many_are_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
