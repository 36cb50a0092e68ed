#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "node/descriptors.h"
#include "proto/limits.h"

static void test_raise_takes_what_the_system_allows(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max / 2;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(descriptors_raise() == (size_t)limit.rlim_max);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur == limit.rlim_max);
}

static void test_clients_max_leaves_half_to_the_log(void **state)
{
    (void)state;
    assert_int_equal(descriptors_clients_max(256), 128);
    assert_int_equal(descriptors_clients_max(1024), 512);
    assert_int_equal(descriptors_clients_max(1 << 20), CLIENT_CONNECTIONS_MAX);
    assert_int_equal(descriptors_clients_max(SIZE_MAX), CLIENT_CONNECTIONS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raise_takes_what_the_system_allows),
        cmocka_unit_test(test_clients_max_leaves_half_to_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
