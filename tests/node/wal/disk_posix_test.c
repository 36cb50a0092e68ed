/* The real disk port, alone and under the log, in a directory of its own. */
#include "tests/node/wal/check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/disk_posix.h"
#include "node/wal/wal.h"
#include "tests/node/wal/buffered.h"

static char directory[64];
static struct disk_posix *disk;
static struct disk_port port;

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/pawl-wal-XXXXXX");
    if (mkdtemp(directory) == NULL || disk_posix_open(directory, &disk, NULL) != PAWL_OK)
        return -1;
    port = disk_posix_port(disk);
    return 0;
}

static int setup_without_direct_open(void **state)
{
    buffered_set(BUFFERED_OPEN);
    return setup(state);
}

static int setup_without_direct_writes(void **state)
{
    buffered_set(BUFFERED_WRITE);
    return setup(state);
}

static void remove_one(void *user, const char *name)
{
    (void)user;
    port.remove(port.self, name);
}

static int teardown(void **state)
{
    (void)state;
    port.list(port.self, remove_one, NULL);
    disk_posix_close(disk);
    buffered_set(BUFFERED_NOT);
    return rmdir(directory);
}

static void count_one(void *user, const char *name)
{
    assert_string_equal(name, "b");
    ++*(int *)user;
}

/* Whole blocks go another way than other bytes, and are the same file. */
static void test_disk_posix_blocks_and_bytes_are_read_as_they_were_written(void **state)
{
    (void)state;
    enum { BLOCKS = 3 };
    const size_t block = port.block_bytes;
    struct disk_file *file;
    size_t size = 0;
    assert_true(block > 0);
    uint8_t *written = aligned_alloc(block, BLOCKS * block), *read = malloc(BLOCKS * block);
    assert_non_null(written);
    assert_non_null(read);
    assert_int_equal(port.open(port.self, "a", true, &file), 0);
    for (int round = 0; round < 4; round++) {
        memset(written, 'a' + round, BLOCKS * block);
        assert_int_equal(port.write(port.self, file, 0, written, BLOCKS * block), 0);
        memcpy(written + block - 3, "seam of blocks", 14);
        assert_int_equal(port.write(port.self, file, block - 3, "seam of blocks", 14), 0);
        memset(written + 2 * block, 'A' + round, block);
        assert_int_equal(port.write(port.self, file, 2 * block, written + 2 * block, block), 0);
        assert_int_equal(port.read(port.self, file, 0, read, BLOCKS * block, &size), 0);
        assert_int_equal(size, BLOCKS * block);
        assert_memory_equal(read, written, size);
        assert_int_equal(port.sync(port.self, file), 0);
    }
    assert_int_equal(port.close(port.self, file), 0);
    free(written);
    free(read);
}

static void test_disk_posix_files_do_what_the_port_says(void **state)
{
    (void)state;
    struct disk_file *file, *other;
    uint8_t bytes[8];
    size_t size = 0;
    uint64_t number = 0;
    assert_int_equal(port.open(port.self, "a", false, &file), ENOENT);
    assert_int_equal(port.open(port.self, "a", true, &file), 0);
    assert_int_equal(port.open(port.self, "a", true, &other), EEXIST);
    assert_int_equal(port.write(port.self, file, 1000, "12345", 5), 0);
    assert_int_equal(port.sync(port.self, file), 0);
    assert_int_equal(port.size(port.self, file, &number), 0);
    assert_int_equal(number, 1005);
    assert_int_equal(port.read(port.self, file, 1002, bytes, sizeof bytes, &size), 0);
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "345", 3);
    assert_int_equal(port.read(port.self, file, 1005, bytes, sizeof bytes, &size), 0);
    assert_int_equal(size, 0);
    assert_int_equal(port.close(port.self, file), 0);
    assert_int_equal(port.rename(port.self, "a", "b"), 0);
    assert_int_equal(port.rename(port.self, "a", "c"), ENOENT);
    assert_int_equal(port.sync_directory(port.self), 0);
    int count = 0;
    assert_int_equal(port.list(port.self, count_one, &count), 0);
    assert_int_equal(port.list(port.self, count_one, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(port.free_bytes(port.self, &number), 0);
    assert_true(number > 0);
    assert_int_equal(port.remove(port.self, "b"), 0);
    assert_int_equal(port.remove(port.self, "b"), ENOENT);
}

static void test_disk_posix_open_of_no_directory_is_io(void **state)
{
    (void)state;
    struct disk_posix *none;
    struct pawl_diag diag;
    assert_int_equal(disk_posix_open("/tmp/pawl-there-is-no-such-place", &none, &diag), PAWL_E_IO);
    assert_non_null(strstr(diag.text, "there-is-no-such-place"));
}

static enum pawl_error log_open(struct arena *arena, uint64_t salt, struct wal_recovery *recovery,
                                struct wal **wal_out)
{
    const struct wal_options options = {
        .disk = port, .node = 1, .salt = salt, .segment_bytes = 16384, .spare_segments = 1};
    return wal_open(&options, arena, recovery, wal_out, NULL);
}

/* Append for ever, one entry a group, and say each index that is durable; never returns. */
static void child_run(uint64_t salt, uint64_t first, int out)
{
    struct arena arena = {0};
    struct wal_recovery recovery;
    struct wal *wal;
    uint8_t payload[300];
    memset(payload, 5, sizeof payload);
    if (log_open(&arena, salt, &recovery, &wal) != PAWL_OK)
        _exit(1);
    for (uint64_t index = first;; index++) {
        const struct wal_record record = {
            .kind = WAL_ENTRY,
            .entry = {.index = index, .term = 1, .kind = 2, .payload = {payload, 300}}};
        if (wal_append(wal, &record) != PAWL_OK || wal_sync(wal, NULL) != PAWL_OK ||
            wal_prepare(wal, NULL) != PAWL_OK || wal_cut(wal, 0, index - 1, NULL) != PAWL_OK ||
            write(out, &index, sizeof index) != sizeof index)
            _exit(1);
    }
}

/* The last index that a child reports before it is killed. */
static uint64_t child_kill_after(uint64_t salt, uint64_t first, uint64_t reports)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        child_run(salt, first, ends[1]);
    close(ends[1]);
    uint64_t last = 0, index;
    for (uint64_t i = 0; i < reports; i++) {
        assert_int_equal(read(ends[0], &index, sizeof index), sizeof index);
        last = index;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    while (read(ends[0], &index, sizeof index) == sizeof index)
        last = index;
    close(ends[0]);
    return last;
}

static void test_wal_on_real_files_survives_kills(void **state)
{
    (void)state;
    uint64_t next = 1;
    for (uint64_t life = 1; life <= 5; life++) {
        uint64_t reported = child_kill_after(life * 2, next, 40 * life);
        struct arena arena = {0};
        struct wal_recovery recovery;
        struct wal *wal;
        assert_int_equal(log_open(&arena, life * 2 + 1, &recovery, &wal), PAWL_OK);
        assert_int_equal(recovery.health, WAL_HEALTHY);
        uint64_t last = recovery.partitions[0].last_index;
        assert_in_range(last, reported, reported + 1);
        next = last + 1;
        wal_close(wal);
        arena_done(&arena);
    }
}

/* The same where the system takes no direct writes: they go the way of all bytes. */
static void test_disk_posix_without_direct_writes_does_the_same(void **state)
{
    test_disk_posix_blocks_and_bytes_are_read_as_they_were_written(state);
    assert_true(buffered_refused() > 0);
    assert_int_equal(port.remove(port.self, "a"), 0);
    test_wal_on_real_files_survives_kills(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_disk_posix_files_do_what_the_port_says, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_disk_posix_blocks_and_bytes_are_read_as_they_were_written, setup, teardown),
        cmocka_unit_test(test_disk_posix_open_of_no_directory_is_io),
        cmocka_unit_test_setup_teardown(test_wal_on_real_files_survives_kills, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disk_posix_without_direct_writes_does_the_same,
                                        setup_without_direct_open, teardown),
        cmocka_unit_test_setup_teardown(test_disk_posix_without_direct_writes_does_the_same,
                                        setup_without_direct_writes, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
