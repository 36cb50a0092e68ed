#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/cluster_clock.h"

enum { SECOND = 1000000 };
static const uint64_t long_us = UINT64_MAX / 4;

static void test_clock_of_a_follower_advances_by_the_monotonic_clock(void **state)
{
    (void)state;
    struct cluster_clock clock;
    cluster_clock_init(&clock, 1000 * SECOND, 5 * SECOND);
    assert_int_equal(cluster_clock_read(&clock, 7 * SECOND), 1002 * SECOND);
}

static void test_clock_observing_an_old_stamp_does_not_run_back(void **state)
{
    (void)state;
    struct cluster_clock clock;
    cluster_clock_init(&clock, 1000 * SECOND, 5 * SECOND);
    cluster_clock_observe(&clock, 900 * SECOND, 6 * SECOND);
    assert_int_equal(cluster_clock_read(&clock, 6 * SECOND), 1001 * SECOND);
    cluster_clock_observe(&clock, 2000 * SECOND, 7 * SECOND);
    assert_int_equal(cluster_clock_read(&clock, 7 * SECOND), 2000 * SECOND);
}

static void test_clock_leading_without_a_quorum_of_walls_keeps_to_the_monotonic_clock(void **state)
{
    (void)state;
    struct cluster_clock clock;
    cluster_clock_init(&clock, 1000 * SECOND, 0);
    cluster_clock_wall(&clock, 1, 5000 * (uint64_t)SECOND, 0);
    assert_false(cluster_clock_lead(&clock, SECOND, 2, long_us));
    assert_int_equal(cluster_clock_read(&clock, SECOND), 1001 * SECOND);
}

static void test_clock_leading_slews_by_a_tenth_towards_the_lower_median(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t wall_ahead_us[3];
        uint64_t want_us; /* after one second */
    } cases[] = {
        {"all agree", {0, 0, 0}, 1 * SECOND},
        {"one is a year ahead", {0, 0, (int64_t)365 * 86400 * SECOND}, 1 * SECOND},
        {"one is a year behind", {-(int64_t)365 * 86400 * SECOND / 1000, 0, 0}, 1 * SECOND},
        {"two are a second ahead", {0, SECOND, SECOND}, SECOND + SECOND / 10},
        {"two are a second behind", {0, -SECOND, -SECOND}, SECOND - SECOND / 10},
        {"two are a little ahead", {0, 1000, 1000}, SECOND + 1000},
    };
    const uint64_t begin_us = 1000000 * (uint64_t)SECOND;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cluster_clock clock;
        cluster_clock_init(&clock, begin_us, 0);
        for (uint64_t node = 0; node < 3; node++)
            cluster_clock_wall(&clock, node + 1, begin_us + (uint64_t)cases[i].wall_ahead_us[node],
                               0);
        if (cluster_clock_lead(&clock, SECOND, 2, long_us) ||
            cluster_clock_read(&clock, SECOND) != begin_us + cases[i].want_us)
            fail_msg("%s", cases[i].name);
    }
}

static void test_clock_far_behind_jumps_forward_to_the_median_and_never_back(void **state)
{
    (void)state;
    struct cluster_clock clock;
    cluster_clock_init(&clock, 0, 0);
    cluster_clock_wall(&clock, 1, 1000 * (uint64_t)SECOND, 0);
    cluster_clock_wall(&clock, 2, 1001 * (uint64_t)SECOND, 0);
    assert_true(cluster_clock_lead(&clock, SECOND, 2, long_us));
    assert_int_equal(cluster_clock_read(&clock, SECOND), 1001 * (uint64_t)SECOND);
    cluster_clock_wall(&clock, 1, 5 * SECOND, SECOND);
    cluster_clock_wall(&clock, 2, 5 * SECOND, SECOND);
    assert_false(cluster_clock_lead(&clock, 2 * SECOND, 2, long_us));
    assert_true(cluster_clock_read(&clock, 2 * SECOND) >= 1001 * (uint64_t)SECOND);
}

static void test_clock_hearing_a_bare_quorum_is_not_pushed_by_a_minority(void **state)
{
    (void)state;
    struct cluster_clock clock;
    const uint64_t begin_us = 1000000 * (uint64_t)SECOND, year_us = 365 * 86400 * (uint64_t)SECOND;
    cluster_clock_init(&clock, begin_us, 0);
    cluster_clock_wall(&clock, 1, begin_us, 0);
    cluster_clock_wall(&clock, 2, begin_us + year_us, 0);
    cluster_clock_wall(&clock, 3, begin_us + 2 * year_us, 0);
    assert_false(cluster_clock_lead(&clock, SECOND, 3, long_us));
    assert_int_equal(cluster_clock_read(&clock, SECOND), begin_us + SECOND);
}

static void test_clock_forgets_walls_not_heard_lately(void **state)
{
    (void)state;
    struct cluster_clock clock;
    cluster_clock_init(&clock, 0, 0);
    cluster_clock_wall(&clock, 1, 1000 * (uint64_t)SECOND, 0);
    cluster_clock_wall(&clock, 2, 1000 * (uint64_t)SECOND, 0);
    assert_false(cluster_clock_lead(&clock, 20 * SECOND, 2, 10 * SECOND));
    assert_int_equal(cluster_clock_read(&clock, 20 * SECOND), 20 * SECOND);
}

static void test_clock_watch_tells_of_a_clock_that_stays_far_off_and_of_its_return(void **state)
{
    (void)state;
    const struct {
        uint64_t at_us;
        int64_t ahead_us;
        bool is_off;
    } looks[] = {
        {100 * SECOND, 0, false},
        {101 * SECOND, -9 * (int64_t)SECOND, false}, /* not for long yet */
        {101 * SECOND + 500000, -9 * (int64_t)SECOND, false},
        {101 * SECOND + 600000, 500000, false}, /* it was nothing */
        {103 * SECOND, 2 * (int64_t)SECOND, false},
        {104 * SECOND, 2 * (int64_t)SECOND, true},
        {105 * SECOND, -2 * (int64_t)SECOND, true},
        {106 * SECOND, 1000000, true}, /* a second is not far */
        {107 * SECOND, 0, false},
    };
    struct cluster_clock clock;
    struct clock_watch watch = {0};
    cluster_clock_init(&clock, 1000 * (uint64_t)SECOND, 0);
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        const uint64_t now_us = cluster_clock_read(&clock, looks[i].at_us);
        clock_watch_look(&watch, &clock, now_us + (uint64_t)looks[i].ahead_us, looks[i].at_us);
        assert_int_equal(watch.off_us, looks[i].ahead_us);
        assert_int_equal(watch.is_off, looks[i].is_off);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_of_a_follower_advances_by_the_monotonic_clock),
        cmocka_unit_test(test_clock_observing_an_old_stamp_does_not_run_back),
        cmocka_unit_test(test_clock_leading_without_a_quorum_of_walls_keeps_to_the_monotonic_clock),
        cmocka_unit_test(test_clock_leading_slews_by_a_tenth_towards_the_lower_median),
        cmocka_unit_test(test_clock_far_behind_jumps_forward_to_the_median_and_never_back),
        cmocka_unit_test(test_clock_hearing_a_bare_quorum_is_not_pushed_by_a_minority),
        cmocka_unit_test(test_clock_forgets_walls_not_heard_lately),
        cmocka_unit_test(test_clock_watch_tells_of_a_clock_that_stays_far_off_and_of_its_return),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
