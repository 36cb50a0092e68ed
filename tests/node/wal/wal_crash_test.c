/* Power cuts and kills at every call of short traces, in the style of ALICE (Pillai et al., OSDI
 * 2014). */
#include "tests/node/wal/check.h"

#include "tests/node/wal/suites.h"

enum { SEEDS = 4, STEPS = 24 };

static void test_wal_power_cut_at_any_call_keeps_what_was_synced(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        check_right(suite_power_cuts(seed, STEPS));
}

static void test_wal_second_power_cut_in_recovery_keeps_what_was_synced(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS * 4; seed++)
        check_right(suite_power_cuts_twice(seed, STEPS));
}

static void test_wal_kill_at_any_call_then_power_cut_keeps_what_was_found(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS * 16; seed++)
        check_right(suite_kills(seed, STEPS));
}

static void test_wal_over_many_lives_keeps_what_was_synced(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++)
        check_right(suite_lives(seed, STEPS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_power_cut_at_any_call_keeps_what_was_synced),
        cmocka_unit_test(test_wal_second_power_cut_in_recovery_keeps_what_was_synced),
        cmocka_unit_test(test_wal_kill_at_any_call_then_power_cut_keeps_what_was_found),
        cmocka_unit_test(test_wal_over_many_lives_keeps_what_was_synced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
