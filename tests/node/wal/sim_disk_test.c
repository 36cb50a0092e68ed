/* The simulated disk must be as bad as it says, and no worse: the other tests stand on it. */
#include "tests/node/wal/check.h"

#include <errno.h>
#include <string.h>

#include "tests/sim/disk.h"

static struct sim_disk *disk;
static struct disk_port port;

static int setup(void **state)
{
    (void)state;
    disk = sim_disk_new(3);
    port = sim_disk_port(disk);
    return disk != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    sim_disk_free(disk);
    return 0;
}

static bool keep_none(void *user, size_t number)
{
    (void)user;
    (void)number;
    return false;
}

static bool keep_all(void *user, size_t number)
{
    (void)user;
    (void)number;
    return true;
}

static bool keep_but(void *user, size_t number)
{
    return number != *(const size_t *)user;
}

static struct disk_file *file_new(const char *name)
{
    struct disk_file *file = NULL;
    assert_int_equal(port.open(port.self, name, true, &file), 0);
    return file;
}

static void write_all(struct disk_file *file, uint64_t offset, uint8_t byte, size_t size)
{
    uint8_t bytes[4096];
    memset(bytes, byte, sizeof bytes);
    assert_int_equal(port.write(port.self, file, offset, bytes, size), 0);
}

static void test_sim_disk_crash_loses_what_was_not_synced(void **state)
{
    (void)state;
    struct disk_file *file = file_new("a");
    write_all(file, 0, 1, 1024);
    assert_int_equal(port.sync(port.self, file), 0);
    assert_int_equal(port.sync_directory(port.self), 0);
    assert_int_equal(sim_disk_volatile_count(disk), 0);
    write_all(file, 500, 2, 1000);
    assert_int_equal(sim_disk_volatile_count(disk), 4); /* three sectors and the size */
    port.close(port.self, file);
    sim_disk_crash_keeping(disk, keep_none, NULL);
    struct bytes content = sim_disk_content(disk, "a");
    assert_int_equal(content.size, 1024);
    for (size_t i = 0; i < content.size; i++)
        assert_int_equal(content.data[i], 1);
}

static void test_sim_disk_crash_keeps_single_sectors(void **state)
{
    (void)state;
    struct disk_file *file = file_new("a");
    write_all(file, 0, 1, 1536);
    port.sync(port.self, file);
    port.sync_directory(port.self);
    write_all(file, 0, 2, 1536);
    port.close(port.self, file);
    size_t lost = 1;
    sim_disk_crash_keeping(disk, keep_but, &lost);
    struct bytes content = sim_disk_content(disk, "a");
    for (size_t i = 0; i < content.size; i++)
        assert_int_equal(content.data[i], i / 512 == 1 ? 1 : 2);
}

static void test_sim_disk_names_are_volatile_until_the_directory_is_synced(void **state)
{
    (void)state;
    struct disk_file *file = file_new("a");
    write_all(file, 0, 1, 10);
    port.sync(port.self, file);
    port.close(port.self, file);
    struct sim_disk *lost = sim_disk_clone(disk);
    sim_disk_crash_keeping(lost, keep_none, NULL);
    assert_null(sim_disk_content(lost, "a").data);
    sim_disk_free(lost);

    port.sync_directory(port.self);
    assert_int_equal(port.rename(port.self, "a", "b"), 0);
    assert_null(sim_disk_content(disk, "a").data);
    struct sim_disk *kept = sim_disk_clone(disk);
    sim_disk_crash_keeping(kept, keep_all, NULL);
    assert_int_equal(sim_disk_content(kept, "b").size, 10);
    sim_disk_free(kept);
    sim_disk_crash_keeping(disk, keep_none, NULL);
    assert_int_equal(sim_disk_content(disk, "a").size, 10);
    assert_null(sim_disk_content(disk, "b").data);
}

static void test_sim_disk_kill_loses_nothing(void **state)
{
    (void)state;
    struct disk_file *file = file_new("a");
    write_all(file, 0, 4, 700);
    port.close(port.self, file);
    assert_int_equal(port.open(port.self, "a", false, &file), 0);
    uint8_t byte = 0;
    size_t size = 0;
    assert_int_equal(port.read(port.self, file, 699, &byte, 1, &size), 0);
    assert_int_equal(byte, 4);
    port.close(port.self, file);
}

static void test_sim_disk_crash_after_counts_changes(void **state)
{
    (void)state;
    sim_disk_crash_after(disk, 2);
    struct disk_file *file = file_new("a");
    write_all(file, 0, 1, 10);
    assert_false(sim_disk_is_dark(disk));
    assert_int_equal(port.sync(port.self, file), EIO);
    assert_true(sim_disk_is_dark(disk));
    assert_int_equal(port.write(port.self, file, 0, "x", 1), EIO);
    assert_int_equal(port.sync_directory(port.self), EIO);
    port.close(port.self, file);
    sim_disk_crash_keeping(disk, keep_all, NULL);
    assert_false(sim_disk_is_dark(disk));
    assert_int_equal(sim_disk_content(disk, "a").data[0], 1);
}

static void test_sim_disk_faults_strike_once_at_their_call(void **state)
{
    (void)state;
    struct disk_file *file = file_new("a");
    sim_disk_fail_at(disk, SIM_DISK_SYNC, 2, EIO);
    assert_int_equal(port.sync(port.self, file), 0);
    write_all(file, 0, 1, 10);
    assert_false(sim_disk_has_failed(disk));
    assert_int_equal(port.sync(port.self, file), EIO);
    assert_true(sim_disk_has_failed(disk));
    assert_true(sim_disk_volatile_count(disk) > 1);
    assert_int_equal(port.sync(port.self, file), 0);
    port.close(port.self, file);
}

static void test_sim_disk_space_is_refused_for_new_blocks_only(void **state)
{
    (void)state;
    uint8_t bytes[2048] = {1};
    uint64_t free_bytes = 0;
    struct disk_file *file = file_new("a");
    sim_disk_set_capacity(disk, 1024);
    assert_int_equal(port.write(port.self, file, 0, bytes, 2048), ENOSPC);
    assert_int_equal(port.write(port.self, file, 0, bytes, 1024), 0);
    assert_int_equal(port.free_bytes(port.self, &free_bytes), 0);
    assert_int_equal(free_bytes, 0);
    sim_disk_set_capacity(disk, 0);
    sim_disk_set_full(disk, true);
    assert_int_equal(port.write(port.self, file, 100, bytes, 924), 0);
    assert_int_equal(port.write(port.self, file, 100, bytes, 925), ENOSPC);
    sim_disk_set_full(disk, false);
    assert_int_equal(port.write(port.self, file, 100, bytes, 925), 0);
    port.close(port.self, file);
}

static void test_sim_disk_clone_goes_its_own_way(void **state)
{
    (void)state;
    struct disk_file *file = file_new("a");
    write_all(file, 0, 7, 100);
    port.close(port.self, file);
    struct sim_disk *clone = sim_disk_clone(disk);
    assert_int_equal(sim_disk_volatile_count(clone), sim_disk_volatile_count(disk));
    assert_true(sim_disk_flip(clone, "a", 50, 0));
    assert_int_equal(sim_disk_content(clone, "a").data[50], 6);
    assert_int_equal(sim_disk_content(disk, "a").data[50], 7);
    sim_disk_free(clone);
}

static void test_sim_disk_same_seed_does_the_same(void **state)
{
    (void)state;
    struct sim_disk *twin[2];
    for (int i = 0; i < 2; i++) {
        twin[i] = sim_disk_new(99);
        struct disk_port twin_port = sim_disk_port(twin[i]);
        struct disk_file *file;
        uint8_t bytes[4096];
        memset(bytes, 9, sizeof bytes);
        assert_int_equal(twin_port.open(twin_port.self, "a", true, &file), 0);
        twin_port.sync_directory(twin_port.self);
        twin_port.write(twin_port.self, file, 0, bytes, sizeof bytes);
        twin_port.close(twin_port.self, file);
        sim_disk_crash(twin[i]);
    }
    assert_true(bytes_equal(sim_disk_content(twin[0], "a"), sim_disk_content(twin[1], "a")));
    sim_disk_free(twin[0]);
    sim_disk_free(twin[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sim_disk_crash_loses_what_was_not_synced),
        TEST(test_sim_disk_crash_keeps_single_sectors),
        TEST(test_sim_disk_names_are_volatile_until_the_directory_is_synced),
        TEST(test_sim_disk_kill_loses_nothing),
        TEST(test_sim_disk_crash_after_counts_changes),
        TEST(test_sim_disk_faults_strike_once_at_their_call),
        TEST(test_sim_disk_space_is_refused_for_new_blocks_only),
        TEST(test_sim_disk_clone_goes_its_own_way),
        TEST(test_sim_disk_same_seed_does_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
