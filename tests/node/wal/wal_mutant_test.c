/* Each mutant of the log is a defect that some property must notice; without one, all properties
 * hold. This program compiles the log once more, with the mutants in. */
#include "tests/node/wal/check.h"

#include <string.h>

#include "node/wal/mutant.h"
#include "tests/node/wal/suites.h"

enum { STEPS = 24 };

/* Cheapest first. */
static const char *first_wrong(void)
{
    const char *wrong = suite_reuse(1);
    if (wrong == NULL)
        wrong = suite_reuse_power_cuts(1);
    if (wrong == NULL)
        wrong = suite_aligned_power_cuts(1);
    for (uint64_t seed = 1; wrong == NULL && seed <= 6; seed++)
        wrong = suite_kills(seed, STEPS);
    for (uint64_t seed = 1; wrong == NULL && seed <= 4; seed++)
        wrong = suite_errors(seed, STEPS);
    if (wrong == NULL)
        wrong = suite_lost_sectors(1);
    if (wrong == NULL)
        wrong = suite_flips(1);
    for (uint64_t seed = 1; wrong == NULL && seed <= 2; seed++)
        wrong = suite_power_cuts(seed, STEPS);
    return wrong;
}

static void test_wal_without_a_mutant_is_right(void **state)
{
    (void)state;
    wal_mutant_set(WAL_MUTANT_NONE);
    check_right(first_wrong());
}

static void test_wal_with_any_mutant_is_noticed(void **state)
{
    (void)state;
    for (int mutant = WAL_MUTANT_NONE + 1; mutant < WAL_MUTANT_END; mutant++) {
        wal_mutant_set((enum wal_mutant)mutant);
        const char *wrong = first_wrong();
        wal_mutant_set(WAL_MUTANT_NONE);
        if (wrong == NULL)
            fail_msg("the mutant %s lives", wal_mutant_name((enum wal_mutant)mutant));
        print_message("%s: %s\n", wal_mutant_name((enum wal_mutant)mutant), wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_without_a_mutant_is_right),
        cmocka_unit_test(test_wal_with_any_mutant_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
