#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/resource.h>

#include "node/runner.h"
#include "node/store/rows_map.h"

enum { PATIENCE_MS = 30000 };

struct bed {
    struct rows_map *rows;
    struct runner *runner;
    struct jobs_port port;
};

static struct runner_options options_of(const struct bed *bed)
{
    return (struct runner_options){.rows = rows_map_port(bed->rows)};
}

static void bed_open(struct bed *bed)
{
    bed->rows = rows_map_new(&(struct rows_map_options){.partition_count = 1});
    assert_non_null(bed->rows);
    const struct runner_options options = options_of(bed);
    assert_int_equal(runner_new(&options, &bed->runner), PAWL_OK);
    bed->port = runner_port(bed->runner);
}

static void bed_close(struct bed *bed)
{
    runner_free(bed->runner);
    rows_map_free(bed->rows);
}

static void submit_loads(const struct bed *bed, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct job *job = job_new(JOB_LOAD, 0);
        assert_non_null(job);
        job->load.token = i;
        bed->port.submit(bed->port.self, job);
    }
}

static bool is_readable(const struct bed *bed, int wait_ms)
{
    struct pollfd fd = {.fd = runner_fd(bed->runner), .events = POLLIN};
    return poll(&fd, 1, wait_ms) == 1;
}

static size_t take_in_order(const struct bed *bed, size_t from)
{
    size_t count = 0;
    for (struct job *job = runner_take(bed->runner), *next; job != NULL; job = next, count++) {
        next = job->next;
        assert_int_equal(job->error, PAWL_OK);
        assert_int_equal(job->load.token, from + count);
        job_free(job);
    }
    return count;
}

static void test_runner_finished_jobs_are_told_by_the_descriptor(void **state)
{
    enum { LOADS = 500 };
    struct bed bed;
    (void)state;
    bed_open(&bed);
    assert_null(runner_take(bed.runner));
    submit_loads(&bed, LOADS);
    for (size_t taken = 0; taken < LOADS;) {
        assert_true(is_readable(&bed, PATIENCE_MS));
        const size_t count = take_in_order(&bed, taken);
        assert_true(count > 0);
        taken += count;
    }
    assert_false(is_readable(&bed, 0));
    bed_close(&bed);
}

static void test_runner_free_finishes_what_was_submitted(void **state)
{
    struct bed bed;
    (void)state;
    bed_open(&bed);
    submit_loads(&bed, 100);
    bed_close(&bed); /* what was lost would be a leak */
}

static void test_runner_without_a_descriptor_is_refused(void **state)
{
    struct bed bed;
    struct rlimit before, none;
    struct runner *runner = NULL;
    (void)state;
    bed_open(&bed);
    const struct runner_options options = options_of(&bed);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(runner_new(&options, &runner), PAWL_E_NO_MEMORY);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(runner);
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runner_finished_jobs_are_told_by_the_descriptor),
        cmocka_unit_test(test_runner_free_finishes_what_was_submitted),
        cmocka_unit_test(test_runner_without_a_descriptor_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
