/* What only the store on a disk can meet: damage, a full disk, other clusters, kills. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/store/rows_lmdb.h"
#include "node/store/rows_sum.h"
#include "proto/limits.h"
#include "tests/node/store/scratch.h"

static const struct rows_sum_key sum_key = {"of one cluster"};

struct fixture {
    struct scratch scratch;
    struct rows_lmdb *store;
    struct rows_port rows;
    struct pawl_diag diag;
};

static struct rows_lmdb_options usual(const struct fixture *fixture)
{
    return (struct rows_lmdb_options){.path = fixture->scratch.path,
                                      .map_bytes = (uint64_t)1 << 30,
                                      .partition_count = 1,
                                      .sum_key = sum_key};
}

static enum pawl_error open_with(struct fixture *fixture, const struct rows_lmdb_options *options)
{
    fixture->diag.text[0] = 0;
    enum pawl_error error = rows_lmdb_open(options, &fixture->store, &fixture->diag);
    if (error == PAWL_OK)
        fixture->rows = rows_lmdb_port(fixture->store);
    else
        assert_true(fixture->diag.text[0] != 0);
    return error;
}

static void open_usual(struct fixture *fixture)
{
    struct rows_lmdb_options options = usual(fixture);
    assert_int_equal(open_with(fixture, &options), PAWL_OK);
}

static enum pawl_error put(struct fixture *fixture, uint64_t index, struct bytes key,
                           struct bytes value)
{
    struct rows_mark mark = {.index = index, .term = 1};
    struct row_write write = {.table = TABLE_VALUE, .key = key, .value = value};
    return fixture->rows.flush(fixture->rows.self, 0, &mark, &write, 1, &fixture->diag);
}

static enum pawl_error get(struct fixture *fixture, struct bytes key, struct buffer *value_out)
{
    struct rows_snapshot *snapshot;
    struct bytes value;
    TRY(fixture->rows.snapshot_open(fixture->rows.self, 0, &snapshot));
    enum pawl_error error =
        fixture->rows.get(fixture->rows.self, snapshot, TABLE_VALUE, key, &value);
    buffer_reset(value_out);
    if (error == PAWL_OK)
        buffer_append(value_out, value.data, value.size);
    fixture->rows.snapshot_close(fixture->rows.self, snapshot);
    return error;
}

static void expect(struct fixture *fixture, struct bytes key, struct bytes value)
{
    struct buffer found = {.data = NULL};
    assert_int_equal(get(fixture, key, &found), PAWL_OK);
    assert_true(bytes_equal(buffer_bytes(&found), value));
    buffer_done(&found);
}

static uint64_t mark_index(struct fixture *fixture)
{
    struct rows_snapshot *snapshot;
    assert_int_equal(fixture->rows.snapshot_open(fixture->rows.self, 0, &snapshot), PAWL_OK);
    uint64_t index = fixture->rows.snapshot_mark(fixture->rows.self, snapshot).index;
    fixture->rows.snapshot_close(fixture->rows.self, snapshot);
    return index;
}

static void data_path(const struct fixture *fixture, char path_out[128])
{
    scratch_file(&fixture->scratch, "data.mdb", path_out);
}

static void test_rows_lmdb_missing_directory_is_io(void **state)
{
    (void)state;
    struct fixture fixture;
    scratch_make(&fixture.scratch);
    struct rows_lmdb_options options = usual(&fixture);
    options.path = "/tmp/pawl-store-that-is-not-there";
    assert_int_equal(open_with(&fixture, &options), PAWL_E_IO);
    assert_non_null(strstr(fixture.diag.text, options.path));
    scratch_remove(&fixture.scratch);
}

static void test_rows_lmdb_file_of_something_else_is_corrupt(void **state)
{
    (void)state;
    struct fixture fixture;
    char path[128];
    scratch_make(&fixture.scratch);
    data_path(&fixture, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 5000; i++)
        fputs("not a store ", file);
    fclose(file);
    struct rows_lmdb_options options = usual(&fixture);
    assert_int_equal(open_with(&fixture, &options), PAWL_E_CORRUPT);
    scratch_remove(&fixture.scratch);
}

static void test_rows_lmdb_file_cut_short_is_corrupt(void **state)
{
    (void)state;
    static const size_t kept_bytes[] = {100, 5000, 20000};
    static uint8_t value[100000];
    for (size_t i = 0; i < sizeof kept_bytes / sizeof kept_bytes[0]; i++) {
        struct fixture fixture;
        char path[128];
        scratch_make(&fixture.scratch);
        open_usual(&fixture);
        assert_int_equal(put(&fixture, 1, BYTES_LITERAL("key"), bytes_of(value, sizeof value)),
                         PAWL_OK);
        rows_lmdb_close(fixture.store);
        data_path(&fixture, path);
        assert_int_equal(truncate(path, (off_t)kept_bytes[i]), 0);
        struct rows_lmdb_options options = usual(&fixture);
        assert_int_equal(open_with(&fixture, &options), PAWL_E_CORRUPT);
        scratch_remove(&fixture.scratch);
    }
}

static void test_rows_lmdb_other_sum_key_is_wrong_cluster(void **state)
{
    (void)state;
    struct fixture fixture;
    scratch_make(&fixture.scratch);
    open_usual(&fixture);
    rows_lmdb_close(fixture.store);
    struct rows_lmdb_options options = usual(&fixture);
    options.sum_key.byte[0] ^= 1;
    assert_int_equal(open_with(&fixture, &options), PAWL_E_WRONG_CLUSTER);
    scratch_remove(&fixture.scratch);
}

static void test_rows_lmdb_more_partitions_keep_the_first(void **state)
{
    (void)state;
    struct fixture fixture;
    scratch_make(&fixture.scratch);
    open_usual(&fixture);
    assert_int_equal(put(&fixture, 5, BYTES_LITERAL("key"), BYTES_LITERAL("value")), PAWL_OK);
    rows_lmdb_close(fixture.store);
    struct rows_lmdb_options options = usual(&fixture);
    options.partition_count = 8;
    assert_int_equal(open_with(&fixture, &options), PAWL_OK);
    expect(&fixture, BYTES_LITERAL("key"), BYTES_LITERAL("value"));
    struct rows_snapshot *snapshot;
    struct bytes value;
    assert_int_equal(fixture.rows.snapshot_open(fixture.rows.self, 7, &snapshot), PAWL_OK);
    assert_int_equal(fixture.rows.snapshot_mark(fixture.rows.self, snapshot).index, 0);
    assert_int_equal(
        fixture.rows.get(fixture.rows.self, snapshot, TABLE_VALUE, BYTES_LITERAL("key"), &value),
        PAWL_E_NOT_FOUND);
    fixture.rows.snapshot_close(fixture.rows.self, snapshot);
    rows_lmdb_close(fixture.store);
    scratch_remove(&fixture.scratch);
}

static void test_rows_lmdb_largest_and_smallest_rows_come_back(void **state)
{
    (void)state;
    static uint8_t value[VALUE_BYTES_MAX];
    uint8_t key[ROW_KEY_BYTES_MAX];
    memset(key, 0xff, sizeof key);
    memset(value, 'v', sizeof value);
    const struct row rows[] = {
        {bytes_of(key, sizeof key), bytes_of(value, sizeof value)},
        {bytes_of(key, sizeof key), bytes_of(value, 0)},
        {BYTES_LITERAL("\0"), bytes_of(value, sizeof value)},
        {BYTES_LITERAL("\0"), bytes_of(value, 1)},
    };
    struct fixture fixture;
    scratch_make(&fixture.scratch);
    open_usual(&fixture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(put(&fixture, i + 1, rows[i].key, rows[i].value), PAWL_OK);
        expect(&fixture, rows[i].key, rows[i].value);
    }
    rows_lmdb_close(fixture.store);
    scratch_remove(&fixture.scratch);
}

/* Change one byte of the file where it says "precious". */
static void damage(const struct fixture *fixture)
{
    char path[128];
    data_path(fixture, path);
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    struct stat stat;
    assert_int_equal(fstat(file, &stat), 0);
    uint8_t *content = malloc((size_t)stat.st_size);
    assert_non_null(content);
    assert_int_equal(pread(file, content, (size_t)stat.st_size, 0), stat.st_size);
    size_t count = 0;
    for (off_t at = 0; at + 8 < stat.st_size; at++) {
        if (memcmp(content + at, "precious", 8) != 0)
            continue;
        assert_int_equal(pwrite(file, "q", 1, at + 7), 1);
        count++;
    }
    assert_true(count > 0);
    free(content);
    close(file);
}

static void test_rows_lmdb_damaged_row_is_found_where_it_is_read(void **state)
{
    (void)state;
    struct fixture fixture;
    scratch_make(&fixture.scratch);
    open_usual(&fixture);
    assert_int_equal(put(&fixture, 1, BYTES_LITERAL("key"), BYTES_LITERAL("precious")), PAWL_OK);
    assert_int_equal(put(&fixture, 2, BYTES_LITERAL("other"), BYTES_LITERAL("cheap")), PAWL_OK);
    rows_lmdb_close(fixture.store);
    damage(&fixture);
    open_usual(&fixture);
    struct buffer found = {.data = NULL};
    assert_int_equal(get(&fixture, BYTES_LITERAL("key"), &found), PAWL_E_CORRUPT);
    expect(&fixture, BYTES_LITERAL("other"), BYTES_LITERAL("cheap"));
    assert_int_equal(put(&fixture, 3, BYTES_LITERAL("key"), BYTES_LITERAL("new")), PAWL_E_CORRUPT);
    assert_int_equal(mark_index(&fixture), 2);
    struct rows_snapshot *snapshot;
    struct row rows[4];
    size_t count;
    assert_int_equal(fixture.rows.snapshot_open(fixture.rows.self, 0, &snapshot), PAWL_OK);
    assert_int_equal(fixture.rows.scan(fixture.rows.self, snapshot, TABLE_VALUE, bytes_of(NULL, 0),
                                       bytes_of(NULL, 0), false, 4, rows, &count),
                     PAWL_E_CORRUPT);
    fixture.rows.snapshot_close(fixture.rows.self, snapshot);
    buffer_done(&found);
    rows_lmdb_close(fixture.store);
    scratch_remove(&fixture.scratch);
}

static void test_rows_lmdb_too_many_snapshots_is_busy(void **state)
{
    (void)state;
    struct fixture fixture;
    scratch_make(&fixture.scratch);
    struct rows_lmdb_options options = usual(&fixture);
    options.readers_max = 2;
    assert_int_equal(open_with(&fixture, &options), PAWL_OK);
    struct rows_port *rows = &fixture.rows;
    struct rows_snapshot *snapshots[2], *one_more;
    assert_int_equal(rows->snapshot_open(rows->self, 0, &snapshots[0]), PAWL_OK);
    assert_int_equal(rows->snapshot_open(rows->self, 0, &snapshots[1]), PAWL_OK);
    assert_int_equal(rows->snapshot_open(rows->self, 0, &one_more), PAWL_E_BUSY);
    rows->snapshot_close(rows->self, snapshots[0]);
    assert_int_equal(rows->snapshot_open(rows->self, 0, &one_more), PAWL_OK);
    rows->snapshot_close(rows->self, snapshots[1]);
    rows->snapshot_close(rows->self, one_more);
    rows_lmdb_close(fixture.store);
    scratch_remove(&fixture.scratch);
}

static void test_rows_lmdb_reader_that_died_is_cleared(void **state)
{
    (void)state;
    struct fixture fixture;
    scratch_make(&fixture.scratch);
    open_usual(&fixture);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct fixture own = {.scratch = fixture.scratch};
        struct rows_snapshot *snapshot;
        struct rows_lmdb_options options = usual(&own);
        bool is_open = open_with(&own, &options) == PAWL_OK &&
                       own.rows.snapshot_open(own.rows.self, 0, &snapshot) == PAWL_OK;
        _exit(is_open ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(rows_lmdb_clear_readers(fixture.store), 1);
    assert_int_equal(rows_lmdb_clear_readers(fixture.store), 0);
    rows_lmdb_close(fixture.store);
    scratch_remove(&fixture.scratch);
}

/* A flush that finds no room leaves the store as it was; with room it goes on. */
static void fill_until_full(struct fixture *fixture, uint64_t *index)
{
    static uint8_t value[200000];
    enum pawl_error error = PAWL_OK;
    while (error == PAWL_OK) {
        uint8_t key[8];
        be64_put(key, *index + 1);
        memset(value, (int)*index, sizeof value);
        error = put(fixture, *index + 1, bytes_of(key, sizeof key), bytes_of(value, sizeof value));
        *index += error == PAWL_OK ? 1 : 0;
        assert_true(*index < 1000);
    }
    assert_int_equal(error, PAWL_E_DISK_FULL);
    assert_int_equal(mark_index(fixture), *index);
}

static void sums_expect_counted(struct fixture *fixture)
{
    struct rows_sum kept[TABLE_COUNT], counted[TABLE_COUNT];
    struct rows_snapshot *snapshot;
    struct rows_port *rows = &fixture->rows;
    assert_int_equal(rows->sums(rows->self, 0, kept), PAWL_OK);
    assert_int_equal(rows->snapshot_open(rows->self, 0, &snapshot), PAWL_OK);
    assert_int_equal(rows_sums_count(rows, snapshot, 0, &sum_key, counted), PAWL_OK);
    rows->snapshot_close(rows->self, snapshot);
    for (size_t i = 0; i < TABLE_COUNT; i++)
        assert_true(rows_sum_equal(&kept[i], &counted[i]));
}

static void test_rows_lmdb_full_map_is_disk_full_and_drops_the_flush(void **state)
{
    (void)state;
    struct fixture fixture;
    scratch_make(&fixture.scratch);
    struct rows_lmdb_options options = usual(&fixture);
    options.map_bytes = (uint64_t)4 << 20;
    assert_int_equal(open_with(&fixture, &options), PAWL_OK);
    uint64_t index = 0;
    fill_until_full(&fixture, &index);
    assert_true(index > 5);
    assert_int_equal(put(&fixture, ++index, BYTES_LITERAL("small"), BYTES_LITERAL("row")), PAWL_OK);
    sums_expect_counted(&fixture);
    rows_lmdb_close(fixture.store);
    scratch_remove(&fixture.scratch);
}

/* A file system of its own, of a few MiB, over the scratch directory; false: not allowed here. */
static bool small_disk_mount(const struct scratch *scratch)
{
    if (unshare(CLONE_NEWNS) != 0)
        return false;
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", scratch->path, "tmpfs", 0, "size=4m") == 0;
}

static void test_rows_lmdb_full_disk_drops_the_flush_and_goes_on_with_room(void **state)
{
    (void)state;
    struct fixture fixture;
    char ballast[128];
    scratch_make(&fixture.scratch);
    if (!small_disk_mount(&fixture.scratch)) {
        scratch_remove(&fixture.scratch);
        skip();
    }
    scratch_file(&fixture.scratch, "ballast", ballast);
    int file = open(ballast, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(posix_fallocate(file, 0, 2 << 20), 0);
    open_usual(&fixture);
    uint64_t index = 0;
    fill_until_full(&fixture, &index);
    fill_until_full(&fixture, &index);
    assert_true(index > 2);
    sums_expect_counted(&fixture);
    rows_lmdb_close(fixture.store);
    open_usual(&fixture);
    assert_int_equal(mark_index(&fixture), index);
    uint64_t index_when_full = index;
    assert_int_equal(ftruncate(file, 0), 0);
    fill_until_full(&fixture, &index);
    assert_true(index > index_when_full);
    sums_expect_counted(&fixture);
    rows_lmdb_close(fixture.store);
    close(file);
    assert_int_equal(umount(fixture.scratch.path), 0);
    scratch_remove(&fixture.scratch);
}

enum { FLUSH_ROWS = 50 };

/* Flush i sets every row to i. */
static enum pawl_error flush_number(struct fixture *fixture, uint64_t i)
{
    uint8_t keys[FLUSH_ROWS][8], value[8];
    struct row_write writes[FLUSH_ROWS];
    be64_put(value, i);
    for (uint64_t k = 0; k < FLUSH_ROWS; k++) {
        be64_put(keys[k], k);
        writes[k] = (struct row_write){
            .table = TABLE_VALUE, .key = bytes_of(keys[k], 8), .value = bytes_of(value, 8)};
    }
    struct rows_mark mark = {.index = i};
    return fixture->rows.flush(fixture->rows.self, 0, &mark, writes, FLUSH_ROWS, NULL);
}

/* One flush after the other, each told of when it is done, until the process is killed. */
static void flush_and_tell(struct fixture *fixture, int pipe)
{
    open_usual(fixture);
    for (uint64_t i = mark_index(fixture) + 1;; i++) {
        if (flush_number(fixture, i) != PAWL_OK)
            _exit(1);
        if (write(pipe, &i, sizeof i) != sizeof i)
            _exit(1);
    }
}

static void whole_flush_expect(struct fixture *fixture, uint64_t index)
{
    uint8_t value[8];
    be64_put(value, index);
    for (uint64_t k = 0; k < FLUSH_ROWS; k++) {
        uint8_t key[8];
        be64_put(key, k);
        expect(fixture, bytes_of(key, 8), bytes_of(value, 8));
    }
}

static void test_rows_lmdb_killed_in_a_flush_has_one_flush_whole(void **state)
{
    (void)state;
    struct fixture fixture;
    scratch_make(&fixture.scratch);
    uint64_t told = 0;
    for (int kills = 1; kills <= 12; kills++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            flush_and_tell(&fixture, pipes[1]);
        for (int i = 0; i < kills; i++)
            assert_int_equal(read(pipes[0], &told, sizeof told), sizeof told);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(pipes[0]);
        close(pipes[1]);
        open_usual(&fixture);
        assert_true(mark_index(&fixture) >= told);
        whole_flush_expect(&fixture, mark_index(&fixture));
        sums_expect_counted(&fixture);
        rows_lmdb_close(fixture.store);
    }
    scratch_remove(&fixture.scratch);
}

enum { FLUSHES = 100, READERS = 3 };

/* Every snapshot shows one whole flush; true in the end. */
static void *read_until_last_flush(void *user)
{
    struct fixture *fixture = user;
    struct rows_port *rows = &fixture->rows;
    uint64_t index = 0;
    while (index < FLUSHES) {
        struct rows_snapshot *snapshot;
        struct row found[FLUSH_ROWS];
        size_t count;
        if (rows->snapshot_open(rows->self, 0, &snapshot) != PAWL_OK)
            return NULL;
        index = rows->snapshot_mark(rows->self, snapshot).index;
        if (rows->scan(rows->self, snapshot, TABLE_VALUE, bytes_of(NULL, 0), bytes_of(NULL, 0),
                       false, FLUSH_ROWS, found, &count) != PAWL_OK)
            return NULL;
        if (count != (index == 0 ? 0 : FLUSH_ROWS))
            return NULL;
        for (size_t i = 0; i < count; i++)
            if (be64_get(found[i].value.data) != index)
                return NULL;
        rows->snapshot_close(rows->self, snapshot);
    }
    return fixture;
}

static void test_rows_lmdb_snapshots_on_threads_show_whole_flushes(void **state)
{
    (void)state;
    struct fixture fixture;
    pthread_t readers[READERS];
    scratch_make(&fixture.scratch);
    open_usual(&fixture);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_until_last_flush, &fixture), 0);
    for (uint64_t i = 1; i <= FLUSHES; i++)
        assert_int_equal(flush_number(&fixture, i), PAWL_OK);
    for (size_t i = 0; i < READERS; i++) {
        void *is_right;
        assert_int_equal(pthread_join(readers[i], &is_right), 0);
        assert_non_null(is_right);
    }
    rows_lmdb_close(fixture.store);
    scratch_remove(&fixture.scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_lmdb_missing_directory_is_io),
        cmocka_unit_test(test_rows_lmdb_file_of_something_else_is_corrupt),
        cmocka_unit_test(test_rows_lmdb_file_cut_short_is_corrupt),
        cmocka_unit_test(test_rows_lmdb_other_sum_key_is_wrong_cluster),
        cmocka_unit_test(test_rows_lmdb_more_partitions_keep_the_first),
        cmocka_unit_test(test_rows_lmdb_largest_and_smallest_rows_come_back),
        cmocka_unit_test(test_rows_lmdb_damaged_row_is_found_where_it_is_read),
        cmocka_unit_test(test_rows_lmdb_too_many_snapshots_is_busy),
        cmocka_unit_test(test_rows_lmdb_reader_that_died_is_cleared),
        cmocka_unit_test(test_rows_lmdb_full_map_is_disk_full_and_drops_the_flush),
        cmocka_unit_test(test_rows_lmdb_snapshots_on_threads_show_whole_flushes),
        cmocka_unit_test(test_rows_lmdb_killed_in_a_flush_has_one_flush_whole),
        cmocka_unit_test(test_rows_lmdb_full_disk_drops_the_flush_and_goes_on_with_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
