/* Ids of requests: all different, in more blocks than one, and those with a time in its order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "client/ids.h"

enum { COUNT = 5000 };

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id128));
}

static void test_ids_random_never_repeats(void **state)
{
    (void)state;
    static struct ids ids, others;
    static struct id128 drawn[2 * COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        drawn[i] = ids_random(&ids);
        drawn[COUNT + i] = ids_random(&others);
    }
    qsort(drawn, 2 * COUNT, sizeof drawn[0], compare);
    for (size_t i = 1; i < 2 * COUNT; i++)
        assert_true(compare(&drawn[i - 1], &drawn[i]) < 0);
}

static void test_ids_timed_is_a_uuid_of_version_7(void **state)
{
    (void)state;
    static struct ids ids;
    const uint64_t begin_ms = (uint64_t)time(NULL) * 1000;
    for (size_t i = 0; i < COUNT; i++) {
        const struct id128 id = ids_timed(&ids);
        uint64_t at_ms = 0;
        for (size_t byte = 0; byte < 6; byte++)
            at_ms = at_ms << 8 | id.byte[byte];
        assert_true(at_ms >= begin_ms && at_ms < begin_ms + 600000);
        assert_int_equal(id.byte[6] >> 4, 7);
        assert_int_equal(id.byte[8] >> 6, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_random_never_repeats),
        cmocka_unit_test(test_ids_timed_is_a_uuid_of_version_7),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
