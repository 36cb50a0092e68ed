#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

#include "node/runner.h"
#include "node/store/rows_map.h"
#include "tests/sim/disk.h"

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

/* ---- a log on a disk that is full ---- */

struct log_bed {
    struct sim_disk *disk;
    struct arena arena;
    struct wal *wal;
    struct bed bed;
};

static void log_open(struct log_bed *log)
{
    const struct wal_options options = {.disk = sim_disk_port(log->disk),
                                        .node = 1,
                                        .salt = 1,
                                        .segment_bytes = 16384,
                                        .spare_segments = 1};
    struct wal_recovery recovery;
    assert_int_equal(wal_open(&options, &log->arena, &recovery, &log->wal, NULL), PAWL_OK);
    assert_int_equal(recovery.health, WAL_HEALTHY);
}

static void log_bed_open(struct log_bed *log)
{
    *log = (struct log_bed){.disk = sim_disk_new(1)};
    assert_non_null(log->disk);
    log_open(log);
    log->bed.rows = rows_map_new(&(struct rows_map_options){.partition_count = 1});
    assert_non_null(log->bed.rows);
}

static void log_bed_run(struct log_bed *log)
{
    struct runner_options options = options_of(&log->bed);
    options.wal = log->wal;
    options.disk = sim_disk_port(log->disk);
    assert_int_equal(runner_new(&options, &log->bed.runner), PAWL_OK);
    log->bed.port = runner_port(log->bed.runner);
}

static void log_bed_close(struct log_bed *log)
{
    rows_map_free(log->bed.rows);
    wal_close(log->wal);
    sim_disk_free(log->disk);
    arena_done(&log->arena);
}

/* An entry a job. */
static void submit_appends(const struct log_bed *log, uint64_t count)
{
    for (uint64_t index = 1; index <= count; index++) {
        struct job *job = job_new(JOB_LOG_APPEND, 0);
        assert_non_null(job);
        job->append.records = arena_array(&job->arena, 1, sizeof *job->append.records);
        assert_non_null(job->append.records);
        job->append.record_count = 1;
        job->append.records[0] = (struct wal_record){
            .kind = WAL_ENTRY, .entry = {.index = index, .term = 1, .kind = RAFT_ENTRY_NOOP}};
        log->bed.port.submit(log->bed.port.self, job);
    }
}

static void test_runner_log_waits_while_the_disk_is_full(void **state)
{
    struct log_bed log;
    (void)state;
    log_bed_open(&log);
    sim_disk_fail_at(log.disk, SIM_DISK_WRITE, 1, ENOSPC);
    log_bed_run(&log);
    submit_appends(&log, 1);
    assert_true(is_readable(&log.bed, PATIENCE_MS));
    struct job *job = runner_take(log.bed.runner);
    assert_int_equal(job->error, PAWL_OK);
    assert_null(job->next);
    job_free(job);
    runner_free(log.bed.runner);
    assert_true(sim_disk_has_failed(log.disk));
    assert_int_equal(wal_term_at(log.wal, 0, 1), 1);
    log_bed_close(&log);
}

static void test_runner_stopped_while_the_disk_is_full_writes_nothing_more(void **state)
{
    enum { APPENDS = 600 }; /* more than one group */
    struct log_bed log;
    (void)state;
    log_bed_open(&log);
    sim_disk_set_full(log.disk, true);
    log_bed_run(&log);
    submit_appends(&log, APPENDS);
    runner_free(log.bed.runner); /* what was not written would be a leak */
    uint64_t last = 0;
    while (wal_term_at(log.wal, 0, last + 1) == 1)
        last++;
    wal_close(log.wal);
    log_open(&log);
    assert_true(last < APPENDS);
    assert_int_equal(wal_term_at(log.wal, 0, last), last == 0 ? 0 : 1);
    assert_int_equal(wal_term_at(log.wal, 0, last + 1), 0);
    log_bed_close(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runner_finished_jobs_are_told_by_the_descriptor),
        cmocka_unit_test(test_runner_free_finishes_what_was_submitted),
        cmocka_unit_test(test_runner_without_a_descriptor_is_refused),
        cmocka_unit_test(test_runner_log_waits_while_the_disk_is_full),
        cmocka_unit_test(test_runner_stopped_while_the_disk_is_full_writes_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
