/* Damage at rest, errors and full disks: nothing synced goes silently, and nothing crashes. */
#include "tests/node/wal/check.h"

#include "tests/node/wal/suites.h"

static void test_wal_flip_of_any_byte_is_noticed_or_harmless(void **state)
{
    (void)state;
    check_right(suite_flips(1));
}

static void test_wal_file_of_any_shorter_length_is_noticed(void **state)
{
    (void)state;
    check_right(suite_lengths(1));
}

static void test_wal_lost_sector_before_the_newest_group_is_noticed(void **state)
{
    (void)state;
    check_right(suite_lost_sectors(1));
}

static void test_wal_lost_segment_is_noticed(void **state)
{
    (void)state;
    check_right(suite_lost_segments(1));
}

static void test_wal_misplaced_sector_is_noticed(void **state)
{
    (void)state;
    check_right(suite_misplaced_sectors(1));
}

static void test_wal_power_cut_in_recovery_from_damage_forgets_neither(void **state)
{
    (void)state;
    check_right(suite_damage_then_power_cuts(1));
}

static void test_wal_error_at_any_call_is_final_and_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        check_right(suite_errors(seed, 24));
}

static void test_wal_no_space_at_any_write_refuses_one_group(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        check_right(suite_full_writes(seed, 24));
}

static void test_wal_disk_of_any_size_refuses_and_recovers(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        check_right(suite_full_disk(seed, 30));
}

static void test_wal_segment_used_again_shows_nothing_old(void **state)
{
    (void)state;
    check_right(suite_reuse(1));
    check_right(suite_reuse_power_cuts(1));
}

static void test_wal_power_cut_between_aligned_records_leaves_no_stale_one(void **state)
{
    (void)state;
    check_right(suite_aligned_power_cuts(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_flip_of_any_byte_is_noticed_or_harmless),
        cmocka_unit_test(test_wal_file_of_any_shorter_length_is_noticed),
        cmocka_unit_test(test_wal_lost_sector_before_the_newest_group_is_noticed),
        cmocka_unit_test(test_wal_lost_segment_is_noticed),
        cmocka_unit_test(test_wal_misplaced_sector_is_noticed),
        cmocka_unit_test(test_wal_power_cut_in_recovery_from_damage_forgets_neither),
        cmocka_unit_test(test_wal_error_at_any_call_is_final_and_loses_nothing),
        cmocka_unit_test(test_wal_no_space_at_any_write_refuses_one_group),
        cmocka_unit_test(test_wal_disk_of_any_size_refuses_and_recovers),
        cmocka_unit_test(test_wal_segment_used_again_shows_nothing_old),
        cmocka_unit_test(test_wal_power_cut_between_aligned_records_leaves_no_stale_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
