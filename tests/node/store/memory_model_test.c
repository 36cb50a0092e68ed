#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/node/store/memory_model.h"

struct run {
    size_t clean_bytes_max;
    bool is_store_new;
};

static void test_memory_random_steps_agree_with_history(void **state)
{
    (void)state;
    enum { SEEDS = 18, STEPS = 3000 };
    static const struct run runs[] = {
        {0, false}, {600, true}, {2000, false}, {4000, true}, {9000, false}, {1 << 20, false},
    };
    size_t missed_count = 0, stale_count = 0, evicted_count = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const struct run *run = &runs[seed % (sizeof runs / sizeof runs[0])];
        static struct model model;
        print_message("seed %llu\n", (unsigned long long)seed);
        model_open(&model, seed, run->clean_bytes_max, run->is_store_new);
        model.restarts_per_million = 1000;
        for (size_t i = 0; i < STEPS; i++)
            model_step(&model);
        missed_count += model.missed_count;
        stale_count += model.stale_count;
        evicted_count += model.evicted_count;
        model_close(&model);
    }
    /* The runs must have met what they are for. */
    assert_true(missed_count > 1000 && stale_count > 100 && evicted_count > 1000);
}

/* In a new store every absence of a table that is in order is known, and without eviction and a
 * change of role nothing of it is ever missed. */
static void test_memory_new_store_without_eviction_never_misses(void **state)
{
    (void)state;
    static struct model model;
    model_open(&model, 7, (size_t)1 << 20, true);
    model.table_count = 1;
    model.is_role_kept = true;
    for (size_t i = 0; i < 8000; i++)
        model_step(&model);
    assert_int_equal(model.missed_count, 0);
    model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_random_steps_agree_with_history),
        cmocka_unit_test(test_memory_new_store_without_eviction_never_misses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
