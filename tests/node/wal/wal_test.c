/* The log through its header: what each call guarantees. */
#include "tests/node/wal/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/wal/crc32c.h"
#include "node/wal/format.h"
#include "tests/node/wal/world.h"

enum { SEGMENT_BYTES = 4096 };

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_init(&world, 1, SEGMENT_BYTES, 1);
    return world_open(&world) == PAWL_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    int is_leaking = sim_disk_figures(world.disk).open_count != 0;
    world_done(&world);
    return is_leaking ? -1 : 0;
}

static void must(enum pawl_error error)
{
    if (error != PAWL_OK)
        fail_msg("%s: %s", pawl_error_name(error), world.diag.text);
}

static void entries(uint32_t partition, size_t count, uint32_t bytes)
{
    for (size_t i = 0; i < count; i++)
        must(world_append_entry(&world, partition, bytes));
}

static void reopen(void)
{
    world_close(&world);
    must(world_open(&world));
    check_right(world_check(&world));
}

static const struct wal_partition *found(uint32_t partition)
{
    for (size_t i = 0; i < world.recovery.partition_count; i++)
        if (world.recovery.partitions[i].partition == partition)
            return &world.recovery.partitions[i];
    fail_msg("partition %u is not there", partition);
    return NULL;
}

static enum pawl_error append_state(enum wal_record_kind kind, uint32_t partition, uint64_t term,
                                    uint64_t vote)
{
    return world_append(
        &world,
        &(struct model_record){.kind = kind, .partition = partition, .term = term, .vote = vote});
}

static enum pawl_error append_at(enum wal_record_kind kind, uint32_t partition, uint64_t index,
                                 uint64_t term)
{
    return world_append(
        &world,
        &(struct model_record){.kind = kind, .partition = partition, .index = index, .term = term});
}

static enum pawl_error read_status(uint32_t partition, uint64_t first, uint64_t last,
                                   size_t bytes_max, size_t *count_out)
{
    struct arena arena = {0};
    struct wal_entry *read;
    enum pawl_error error =
        wal_read(world.wal, partition, first, last, bytes_max, &arena, &read, count_out);
    arena_done(&arena);
    return error;
}

/* --- opening --- */

static void test_wal_open_empty_directory_begins_a_log(void **state)
{
    (void)state;
    assert_int_equal(world.recovery.health, WAL_HEALTHY);
    assert_int_equal(world.recovery.partition_count, 0);
    assert_int_equal(world.recovery.incarnation, 0);
    assert_int_equal(wal_figures(world.wal).segment_count, 1);
    reopen();
}

static void test_wal_open_of_another_owner_is_wrong_cluster(void **state)
{
    (void)state;
    world_close(&world);
    world.options.cluster.byte[5] = 9;
    assert_int_equal(world_open(&world), PAWL_E_WRONG_CLUSTER);
    world.options.cluster.byte[5] = 0;
    world.options.node++;
    assert_int_equal(world_open(&world), PAWL_E_WRONG_CLUSTER);
}

static void test_wal_open_with_bad_segment_size_is_invalid(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 2048, 4097, (uint64_t)2 << 30};
    world_close(&world);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        world.options.segment_bytes = sizes[i];
        assert_int_equal(world_open(&world), PAWL_E_INVALID);
    }
}

static void test_wal_open_of_newer_format_is_version(void **state)
{
    (void)state;
    world_close(&world);
    struct bytes content = sim_disk_content(world.disk, "segment-00000000000000000001");
    uint8_t *copy = malloc(content.size);
    assert_non_null(copy);
    memcpy(copy, content.data, content.size);
    le32_put(copy + 8, WAL_VERSION + 1);
    le32_put(copy + WAL_SECTOR_BYTES - 4, wal_crc32c(0, copy, WAL_SECTOR_BYTES - 4));
    assert_true(
        sim_disk_put(world.disk, "segment-00000000000000000001", bytes_of(copy, content.size)));
    free(copy);
    assert_int_equal(world_open(&world), PAWL_E_VERSION);
}

static void test_wal_open_with_one_damaged_header_copy_repairs_it(void **state)
{
    (void)state;
    entries(0, 3, 50);
    must(world_sync(&world));
    world_close(&world);
    for (unsigned copy = 0; copy < 2; copy++) {
        assert_true(sim_disk_flip(world.disk, "segment-00000000000000000001", 512 * copy + 20, 3));
        reopen();
        world_close(&world);
    }
    reopen();
}

static void test_wal_open_with_both_header_copies_damaged_is_corrupt(void **state)
{
    (void)state;
    world_close(&world);
    for (unsigned copy = 0; copy < 2; copy++)
        assert_true(sim_disk_flip(world.disk, "segment-00000000000000000001", 512 * copy + 20, 3));
    assert_int_equal(world_open(&world), PAWL_E_CORRUPT);
}

static void test_wal_open_with_larger_segments_uses_them_from_the_next_on(void **state)
{
    (void)state;
    entries(0, 4, 500);
    must(world_sync(&world));
    world_close(&world);
    world.options.segment_bytes = 2 * SEGMENT_BYTES;
    must(world_open(&world));
    entries(0, 1, 5000);
    must(world_sync(&world));
    reopen();
    assert_int_equal(found(0)->last_index, 5);
}

static void test_wal_open_leaves_unknown_files_alone(void **state)
{
    (void)state;
    world_close(&world);
    const char *const names[] = {"README", "segment-1", "segment-0000000000000000000x",
                                 "spare-99999999999999999999"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_true(sim_disk_put(world.disk, names[i], BYTES_LITERAL("something")));
    reopen();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(sim_disk_content(world.disk, names[i]).data);
}

/* --- appending and syncing --- */

static void test_wal_sync_makes_a_group_durable_with_one_write_and_one_sync(void **state)
{
    (void)state;
    entries(0, 1, 10);
    must(world_sync(&world));
    struct sim_disk_figures before = sim_disk_figures(world.disk);
    must(append_state(WAL_HARD_STATE, 0, 1, 2));
    entries(0, 3, 200);
    entries(1, 2, 100);
    must(world_sync(&world));
    struct sim_disk_figures after = sim_disk_figures(world.disk);
    assert_int_equal(after.writes - before.writes, 1);
    assert_int_equal(after.syncs - before.syncs, 1);
    assert_int_equal(after.changes - before.changes, 2);
    assert_int_equal(wal_figures(world.wal).sync_count, 2);
    reopen();
    assert_int_equal(found(0)->last_index, 4);
}

static void test_wal_sync_of_nothing_touches_nothing(void **state)
{
    (void)state;
    struct sim_disk_figures before = sim_disk_figures(world.disk);
    must(world_sync(&world));
    assert_int_equal(sim_disk_figures(world.disk).changes, before.changes);
}

static void test_wal_close_without_sync_forgets_the_group(void **state)
{
    (void)state;
    entries(0, 2, 50);
    must(world_sync(&world));
    entries(0, 2, 50);
    world.count = world.synced;
    reopen();
    assert_int_equal(found(0)->last_index, 2);
}

static void test_wal_append_out_of_order_is_invalid(void **state)
{
    (void)state;
    entries(0, 3, 10);
    assert_int_equal(append_at(WAL_ENTRY, 0, 3, 1), PAWL_E_INVALID);
    assert_int_equal(append_at(WAL_ENTRY, 0, 5, 1), PAWL_E_INVALID);
    assert_int_equal(append_at(WAL_ENTRY, 1, 2, 1), PAWL_E_INVALID);
    assert_int_equal(append_at(WAL_TRUNCATE, 0, 5, 0), PAWL_E_INVALID);
    assert_int_equal(append_at(WAL_TRUNCATE, 0, 0, 0), PAWL_E_INVALID);
    must(world_sync(&world));
    reopen();
    assert_int_equal(world.recovery.partition_count, 1);
}

static void test_wal_append_larger_than_a_segment_is_limit(void **state)
{
    (void)state;
    uint32_t room = SEGMENT_BYTES - WAL_DATA_OFFSET - WAL_RECORD_HEADER_BYTES;
    assert_int_equal(world_append_entry(&world, 0, room), PAWL_E_LIMIT);
    uint32_t most = room - (uint32_t)wal_record_bytes(WAL_STATE_BODY_BYTES);
    assert_int_equal(world_append_entry(&world, 0, most + 1), PAWL_E_LIMIT);
    must(world_append_entry(&world, 0, most));
    /* A partition more, and its state record would leave too little room for the one before. */
    assert_int_equal(world_append_entry(&world, 1, 1), PAWL_E_LIMIT);
    must(world_sync(&world));
    must(world_append_entry(&world, 1, 1));
    must(world_sync(&world));
    reopen();
}

static void test_wal_group_over_the_rest_of_a_segment_goes_to_the_next_whole(void **state)
{
    (void)state;
    entries(0, 2, 900);
    must(world_sync(&world));
    entries(0, 2, 900);
    must(world_sync(&world));
    assert_int_equal(wal_figures(world.wal).segment_count, 2);
    assert_int_equal(wal_figures(world.wal).sync_count, 2);
    check_right(world_check_reads(&world));
    reopen();
}

static void test_wal_group_larger_than_a_segment_goes_to_several(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        must(append_state(WAL_HARD_STATE, 0, (uint64_t)i + 1, 1));
        entries(0, 2, 900);
        entries(1, 1, 300);
    }
    must(world_sync(&world));
    assert_true(wal_figures(world.wal).segment_count >= 5);
    check_right(world_check_reads(&world));
    reopen();
}

static void test_wal_empty_and_zero_payloads_come_back(void **state)
{
    (void)state;
    entries(0, 2, 0);
    must(world_append(
        &world, &(struct model_record){
                    .kind = WAL_ENTRY, .index = 3, .term = 1, .bytes = 2000, .is_zeros = true}));
    must(world_sync(&world));
    reopen();
}

/* --- states --- */

static void test_wal_newest_hard_state_of_each_partition_wins(void **state)
{
    (void)state;
    must(append_state(WAL_HARD_STATE, 0, 1, 1));
    must(append_state(WAL_HARD_STATE, 2, 4, 2));
    must(append_state(WAL_HARD_STATE, 0, 5, 3));
    must(world_sync(&world));
    reopen();
    assert_int_equal(world.recovery.partition_count, 2);
    assert_int_equal(found(0)->term, 5);
    assert_int_equal(found(0)->vote, 3);
    assert_int_equal(found(2)->term, 4);
    assert_int_equal(found(2)->vote, 2);
}

static void test_wal_truncation_takes_the_end_away(void **state)
{
    (void)state;
    entries(0, 5, 40);
    must(world_sync(&world));
    must(append_at(WAL_TRUNCATE, 0, 3, 0));
    assert_int_equal(wal_term_at(world.wal, 0, 3), 0);
    must(append_at(WAL_ENTRY, 0, 3, 7));
    must(world_sync(&world));
    assert_int_equal(wal_term_at(world.wal, 0, 2), 1);
    assert_int_equal(wal_term_at(world.wal, 0, 3), 7);
    reopen();
    assert_int_equal(found(0)->last_index, 3);
    assert_int_equal(wal_term_at(world.wal, 0, 3), 7);
}

static void test_wal_start_empties_a_partition(void **state)
{
    (void)state;
    entries(0, 3, 40);
    must(world_sync(&world));
    must(append_at(WAL_START, 0, 100, 9));
    must(world_sync(&world));
    assert_int_equal(wal_term_at(world.wal, 0, 2), 0);
    assert_int_equal(wal_term_at(world.wal, 0, 100), 9);
    entries(0, 2, 40);
    must(world_sync(&world));
    reopen();
    assert_int_equal(found(0)->base_index, 100);
    assert_int_equal(found(0)->base_term, 9);
    assert_int_equal(found(0)->last_index, 102);
}

static void test_wal_incarnation_and_its_vote_come_back(void **state)
{
    (void)state;
    must(append_state(WAL_INCARNATION, 0, 3, 1));
    must(world_sync(&world));
    reopen();
    assert_int_equal(found(0)->incarnation, 3);
    assert_true(found(0)->is_vote_withheld);
    assert_int_equal(world.recovery.incarnation, 3);
    must(append_state(WAL_INCARNATION, 0, 3, 0));
    must(world_sync(&world));
    reopen();
    assert_false(found(0)->is_vote_withheld);
}

/* --- reading --- */

static void test_wal_read_takes_windows_by_bytes(void **state)
{
    (void)state;
    entries(0, 10, 100);
    must(world_sync(&world));
    static const struct {
        size_t bytes_max, count;
    } rows[] = {{0, 1}, {99, 1}, {100, 1}, {199, 1}, {200, 2}, {999, 9}, {1000, 10}, {5000, 10}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t count = 0;
        must(read_status(0, 1, 10, rows[i].bytes_max, &count));
        assert_int_equal(count, rows[i].count);
    }
}

static void test_wal_read_of_what_is_not_there_is_not_found(void **state)
{
    (void)state;
    entries(0, 3, 10);
    must(world_sync(&world));
    static const struct {
        uint32_t partition;
        uint64_t first, last;
    } rows[] = {{0, 0, 2}, {0, 1, 4}, {0, 4, 4}, {0, 3, 2}, {1, 1, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t count = 0;
        assert_int_equal(read_status(rows[i].partition, rows[i].first, rows[i].last, 1000, &count),
                         PAWL_E_NOT_FOUND);
    }
    uint32_t bytes;
    uint8_t kind;
    assert_false(wal_entry_shape(world.wal, 0, 4, &bytes, &kind));
    assert_false(wal_entry_shape(world.wal, 1, 1, &bytes, &kind));
    assert_int_equal(wal_term_at(world.wal, 1, 1), 0);
}

static void test_wal_read_shows_the_group_in_the_making(void **state)
{
    (void)state;
    entries(0, 2, 70);
    must(world_sync(&world));
    entries(0, 2, 70);
    must(append_at(WAL_TRUNCATE, 0, 4, 0));
    must(append_at(WAL_ENTRY, 0, 4, 2));
    check_right(world_check_reads(&world));
    must(world_sync(&world));
    check_right(world_check_reads(&world));
}

static void test_wal_read_of_damaged_bytes_is_corrupt(void **state)
{
    (void)state;
    entries(0, 3, 300);
    must(world_sync(&world));
    assert_true(sim_disk_flip(world.disk, "segment-00000000000000000001", 1024 + 500, 1));
    size_t count = 0;
    assert_int_equal(read_status(0, 1, 3, 1000, &count), PAWL_E_CORRUPT);
    must(read_status(0, 1, 1, 1000, &count));
    must(read_status(0, 3, 3, 1000, &count));
}

static void test_wal_read_error_is_io(void **state)
{
    (void)state;
    entries(0, 1, 300);
    must(world_sync(&world));
    sim_disk_fail_at(world.disk, SIM_DISK_READ, 1, EIO);
    size_t count = 0;
    assert_int_equal(read_status(0, 1, 1, 1000, &count), PAWL_E_IO);
}

/* --- cutting --- */

static void test_wal_cut_recycles_segments_and_keeps_every_state(void **state)
{
    (void)state;
    must(append_state(WAL_HARD_STATE, 0, 3, 2));
    must(append_state(WAL_HARD_STATE, 1, 8, 4));
    must(append_at(WAL_START, 1, 50, 6));
    must(append_state(WAL_INCARNATION, 1, 2, 1));
    for (int i = 0; i < 20; i++) {
        entries(0, 1, 700);
        must(world_sync(&world));
    }
    assert_true(wal_figures(world.wal).segment_count > 5);
    must(world_cut(&world, 0, 19));
    assert_int_equal(wal_figures(world.wal).segment_count, 1);
    reopen();
    assert_int_equal(found(0)->term, 3);
    assert_int_equal(found(0)->vote, 2);
    assert_true(found(0)->base_index >= 16 && found(0)->base_index <= 19);
    assert_int_equal(found(0)->last_index, 20);
    assert_int_equal(found(1)->term, 8);
    assert_int_equal(found(1)->vote, 4);
    assert_int_equal(found(1)->base_index, 50);
    assert_int_equal(found(1)->base_term, 6);
    assert_int_equal(found(1)->incarnation, 2);
    assert_true(found(1)->is_vote_withheld);
}

static void test_wal_cut_keeps_what_another_partition_needs(void **state)
{
    (void)state;
    entries(1, 1, 10);
    for (int i = 0; i < 10; i++) {
        entries(0, 1, 700);
        must(world_sync(&world));
    }
    uint64_t before = wal_figures(world.wal).segment_count;
    must(world_cut(&world, 0, 10));
    assert_int_equal(wal_figures(world.wal).segment_count, before);
    assert_int_equal(wal_term_at(world.wal, 0, 9), 0);
    assert_int_equal(wal_term_at(world.wal, 0, 10), 1);
    must(world_cut(&world, 1, 1));
    assert_int_equal(wal_figures(world.wal).segment_count, 1);
    reopen();
}

static void test_wal_cut_with_a_group_in_the_making_waits_for_the_next_one(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        entries(0, 1, 700);
        must(world_sync(&world));
    }
    uint64_t before = wal_figures(world.wal).segment_count;
    entries(0, 1, 10);
    must(world_cut(&world, 0, 9));
    assert_int_equal(wal_figures(world.wal).segment_count, before);
    must(world_sync(&world));
    must(world_cut(&world, 0, 9));
    assert_true(wal_figures(world.wal).segment_count < before);
    reopen();
}

static void test_wal_cut_of_unknown_partition_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(world_cut(&world, 2, 1), PAWL_E_NOT_FOUND);
}

static void test_wal_cut_beyond_the_last_entry_cuts_all(void **state)
{
    (void)state;
    entries(0, 3, 10);
    must(world_sync(&world));
    must(wal_cut(world.wal, 0, 1000, &world.diag));
    entries(0, 2, 10);
    must(world_sync(&world));
    assert_int_equal(wal_term_at(world.wal, 0, 2), 0);
    assert_int_equal(wal_term_at(world.wal, 0, 4), 1);
    world.cut[0] = 3;
    reopen();
}

/* --- blanks --- */

static void test_wal_prepare_keeps_spares_and_reuses_segments(void **state)
{
    (void)state;
    must(wal_prepare(world.wal, &world.diag));
    assert_int_equal(wal_figures(world.wal).spare_count, 1);
    struct sim_disk_figures before = sim_disk_figures(world.disk);
    must(wal_prepare(world.wal, &world.diag));
    assert_int_equal(sim_disk_figures(world.disk).changes, before.changes);
    for (int i = 0; i < 5; i++) {
        entries(0, 1, 700);
        must(world_sync(&world));
    }
    assert_int_equal(wal_figures(world.wal).spare_count, 0);
    must(world_cut(&world, 0, 5));
    sim_disk_set_full(world.disk, true); /* a used segment has its blocks */
    must(wal_prepare(world.wal, &world.diag));
    assert_int_equal(wal_figures(world.wal).spare_count, 1);
    reopen();
    assert_int_equal(wal_figures(world.wal).spare_count, 1);
}

static void test_wal_prepare_on_a_full_disk_is_no_harm(void **state)
{
    (void)state;
    sim_disk_set_full(world.disk, true);
    assert_int_equal(wal_prepare(world.wal, &world.diag), PAWL_E_DISK_FULL);
    entries(0, 2, 100);
    must(world_sync(&world));
    sim_disk_set_full(world.disk, false);
    must(wal_prepare(world.wal, &world.diag));
    reopen();
}

static void test_wal_prepare_of_large_segments_takes_several_calls(void **state)
{
    (void)state;
    enum { LARGE_BYTES = 1 << 20, SLICES = 16 };
    world_close(&world);
    world.options.segment_bytes = LARGE_BYTES;
    must(world_open(&world));
    must(wal_prepare(world.wal, &world.diag));
    assert_int_equal(wal_figures(world.wal).spare_count, 0);
    reopen(); /* forgets what was half made */
    for (int call = 1; call <= SLICES; call++) {
        assert_int_equal(wal_figures(world.wal).spare_count, 0);
        must(wal_prepare(world.wal, &world.diag));
    }
    assert_int_equal(wal_figures(world.wal).spare_count, 1);
    /* Rolls take the spare, then what is half made, which is finished at once. */
    for (int i = 0; i < 8; i++) {
        entries(0, 1, LARGE_BYTES / 2);
        must(world_sync(&world));
        if (i == 5)
            must(wal_prepare(world.wal, &world.diag));
    }
    check_right(world_check_reads(&world));
    reopen();
    must(world_cut(&world, 0, 8));
    must(wal_prepare(world.wal, &world.diag)); /* of a used one */
    sim_disk_fail_at(world.disk, SIM_DISK_WRITE, 1, ENOSPC);
    assert_int_equal(wal_prepare(world.wal, &world.diag), PAWL_E_DISK_FULL);
    for (int call = 1; call <= SLICES; call++)
        must(wal_prepare(world.wal, &world.diag));
    assert_int_equal(wal_figures(world.wal).spare_count, 1);
    reopen();
}

/* However much was written while nothing was missing, no group then waits for a whole segment. */
static void test_wal_prepare_after_long_quiet_takes_one_slice(void **state)
{
    (void)state;
    enum { LARGE_BYTES = 1 << 20, SMALL_BYTES = 32 << 10 };
    world_close(&world);
    world.options.segment_bytes = LARGE_BYTES;
    must(world_open(&world));
    entries(0, 1, SMALL_BYTES); /* into the first large one */
    must(world_sync(&world));
    while (wal_figures(world.wal).spare_count == 0)
        must(wal_prepare(world.wal, &world.diag));
    while (wal_figures(world.wal).spare_count > 0) {
        entries(0, 1, SMALL_BYTES);
        must(world_sync(&world));
        if (wal_figures(world.wal).spare_count > 0)
            must(wal_prepare(world.wal, &world.diag));
    }
    must(wal_prepare(world.wal, &world.diag));
    assert_int_equal(wal_figures(world.wal).spare_count, 0);
    reopen();
}

static void test_wal_full_disk_uses_spares_then_refuses_then_recovers(void **state)
{
    (void)state;
    must(wal_prepare(world.wal, &world.diag));
    sim_disk_set_full(world.disk, true);
    size_t taken = 0;
    enum pawl_error error = PAWL_OK;
    while (error == PAWL_OK) {
        must(append_state(WAL_HARD_STATE, 0, taken + 1, 1));
        entries(0, 1, 700);
        error = world_sync(&world);
        taken += error == PAWL_OK;
    }
    assert_int_equal(error, PAWL_E_DISK_FULL);
    assert_int_equal(taken, 6); /* three in the first segment, three in the spare */
    check_right(world_check_reads(&world));
    assert_int_equal(world_last_index(&world, 0), 6);
    must(world_cut(&world, 0, 5)); /* frees a segment without writing a byte */
    must(wal_prepare(world.wal, &world.diag));
    entries(0, 1, 700);
    must(world_sync(&world));
    reopen();
    assert_int_equal(found(0)->term, 6);
}

static void test_wal_refused_group_is_undone_whole(void **state)
{
    (void)state;
    must(append_state(WAL_HARD_STATE, 0, 2, 1));
    entries(0, 6, 20);
    entries(1, 2, 20);
    must(world_sync(&world));
    sim_disk_fail_at(world.disk, SIM_DISK_WRITE, 1, ENOSPC);
    must(append_state(WAL_HARD_STATE, 0, 3, 2));
    must(append_at(WAL_TRUNCATE, 0, 5, 0));
    must(append_at(WAL_ENTRY, 0, 5, 3));
    must(append_at(WAL_TRUNCATE, 0, 3, 0));
    must(append_at(WAL_ENTRY, 0, 3, 4));
    must(append_at(WAL_START, 1, 70, 4));
    must(append_at(WAL_ENTRY, 1, 71, 4));
    must(append_at(WAL_ENTRY, 2, 1, 4));
    assert_int_equal(world_sync(&world), PAWL_E_DISK_FULL);
    check_right(world_check_reads(&world));
    assert_int_equal(wal_term_at(world.wal, 0, 6), 2);
    assert_int_equal(wal_term_at(world.wal, 1, 2), 1);
    assert_int_equal(wal_term_at(world.wal, 1, 71), 0);
    assert_int_equal(wal_term_at(world.wal, 2, 1), 0);
    must(append_at(WAL_ENTRY, 0, 7, 2));
    must(world_sync(&world));
    reopen();
    assert_int_equal(found(0)->term, 2);
}

/* --- recovery --- */

static void test_wal_torn_tail_is_cut_off_and_counted(void **state)
{
    (void)state;
    entries(0, 1, 100);
    must(world_sync(&world));
    size_t durable = world.count;
    entries(0, 1, 1400);
    must(world_sync(&world));
    world_close(&world);
    world.synced = durable;
    /* The newest group has lost the sector in its middle. */
    assert_true(sim_disk_zero_sector(world.disk, "segment-00000000000000000001", 3));
    must(world_open(&world));
    check_right(world_check(&world));
    assert_true(world.recovery.torn_bytes > 1400);
    assert_int_equal(found(0)->last_index, 1);
    reopen();
    assert_int_equal(world.recovery.torn_bytes, 0);
}

static void test_wal_damage_that_a_later_group_betrays_is_damaged(void **state)
{
    (void)state;
    must(append_state(WAL_HARD_STATE, 0, 5, 2));
    entries(0, 2, 100);
    must(world_sync(&world));
    entries(0, 1, 100);
    must(append_state(WAL_HARD_STATE, 0, 9, 1));
    must(world_sync(&world));
    world_close(&world);
    assert_true(sim_disk_flip(world.disk, "segment-00000000000000000001",
                              1024 + WAL_RECORD_HEADER_BYTES * 2 + 10, 0));
    must(world_open(&world));
    assert_int_equal(world.recovery.health, WAL_DAMAGED);
    assert_true(strlen(world.recovery.diag.text) > 0);
    assert_int_equal(found(0)->last_index, 0);
    assert_int_equal(found(0)->incarnation, 1);
    assert_true(found(0)->is_vote_withheld);
    assert_int_equal(found(0)->term, 9); /* never unlearnt */
}

static void test_wal_flip_in_the_newest_group_is_undecidable(void **state)
{
    (void)state;
    entries(0, 2, 100);
    must(world_sync(&world));
    entries(0, 1, 100);
    must(world_sync(&world));
    world_close(&world);
    uint64_t third = WAL_DATA_OFFSET + 2 * wal_record_bytes(100);
    assert_true(sim_disk_flip(world.disk, "segment-00000000000000000001", third + 60, 0));
    must(world_open(&world));
    assert_int_equal(world.recovery.health, WAL_UNDECIDABLE);
    assert_int_equal(found(0)->last_index, 2);
}

static void test_wal_short_segment_is_undecidable(void **state)
{
    (void)state;
    entries(0, 2, 100);
    must(world_sync(&world));
    world_close(&world);
    assert_true(sim_disk_shorten(world.disk, "segment-00000000000000000001", SEGMENT_BYTES - 512));
    must(world_open(&world));
    assert_int_equal(world.recovery.health, WAL_UNDECIDABLE);
    assert_int_equal(found(0)->last_index, 2);
    assert_int_equal(world.recovery.incarnation, 1);
}

static void test_wal_damage_after_damage_raises_the_incarnation_again(void **state)
{
    (void)state;
    for (uint64_t life = 1; life <= 3; life++) {
        entries(0, 1, 100);
        must(world_sync(&world));
        world_close(&world);
        char name[40];
        snprintf(name, sizeof name, "segment-%020u", (unsigned)life);
        assert_true(sim_disk_shorten(world.disk, name, SEGMENT_BYTES - 512));
        must(world_open(&world));
        assert_int_equal(world.recovery.health, WAL_UNDECIDABLE);
        assert_int_equal(world.recovery.incarnation, life);
        assert_int_equal(found(0)->last_index, life);
    }
}

static void test_wal_damage_on_a_full_disk_waits_for_space(void **state)
{
    (void)state;
    entries(0, 1, 100);
    must(world_sync(&world));
    world_close(&world);
    assert_true(sim_disk_shorten(world.disk, "segment-00000000000000000001", SEGMENT_BYTES - 512));
    sim_disk_set_full(world.disk, true);
    assert_int_equal(world_open(&world), PAWL_E_DISK_FULL);
    sim_disk_set_full(world.disk, false);
    must(world_open(&world));
    assert_int_equal(world.recovery.health, WAL_UNDECIDABLE);
}

static void test_wal_error_of_a_sync_is_final(void **state)
{
    (void)state;
    entries(0, 1, 10);
    sim_disk_fail_at(world.disk, SIM_DISK_SYNC, 1, EIO);
    assert_int_equal(world_sync(&world), PAWL_E_IO);
    assert_int_equal(world_append_entry(&world, 0, 10), PAWL_E_IO);
    assert_int_equal(world_sync(&world), PAWL_E_IO);
    assert_int_equal(wal_cut(world.wal, 0, 1, &world.diag), PAWL_E_IO);
    assert_int_equal(wal_prepare(world.wal, &world.diag), PAWL_E_IO);
}

static void test_wal_full_disk_at_a_sync_is_final_too(void **state)
{
    (void)state;
    entries(0, 1, 10);
    sim_disk_fail_at(world.disk, SIM_DISK_SYNC, 1, ENOSPC);
    assert_int_equal(world_sync(&world), PAWL_E_IO);
    assert_int_equal(world_append_entry(&world, 0, 10), PAWL_E_IO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wal_open_empty_directory_begins_a_log),
        TEST(test_wal_open_of_another_owner_is_wrong_cluster),
        TEST(test_wal_open_with_bad_segment_size_is_invalid),
        TEST(test_wal_open_of_newer_format_is_version),
        TEST(test_wal_open_with_one_damaged_header_copy_repairs_it),
        TEST(test_wal_open_with_both_header_copies_damaged_is_corrupt),
        TEST(test_wal_open_with_larger_segments_uses_them_from_the_next_on),
        TEST(test_wal_open_leaves_unknown_files_alone),
        TEST(test_wal_sync_makes_a_group_durable_with_one_write_and_one_sync),
        TEST(test_wal_sync_of_nothing_touches_nothing),
        TEST(test_wal_close_without_sync_forgets_the_group),
        TEST(test_wal_append_out_of_order_is_invalid),
        TEST(test_wal_append_larger_than_a_segment_is_limit),
        TEST(test_wal_group_over_the_rest_of_a_segment_goes_to_the_next_whole),
        TEST(test_wal_group_larger_than_a_segment_goes_to_several),
        TEST(test_wal_empty_and_zero_payloads_come_back),
        TEST(test_wal_newest_hard_state_of_each_partition_wins),
        TEST(test_wal_truncation_takes_the_end_away),
        TEST(test_wal_start_empties_a_partition),
        TEST(test_wal_incarnation_and_its_vote_come_back),
        TEST(test_wal_read_takes_windows_by_bytes),
        TEST(test_wal_read_of_what_is_not_there_is_not_found),
        TEST(test_wal_read_shows_the_group_in_the_making),
        TEST(test_wal_read_of_damaged_bytes_is_corrupt),
        TEST(test_wal_read_error_is_io),
        TEST(test_wal_cut_recycles_segments_and_keeps_every_state),
        TEST(test_wal_cut_keeps_what_another_partition_needs),
        TEST(test_wal_cut_with_a_group_in_the_making_waits_for_the_next_one),
        TEST(test_wal_cut_of_unknown_partition_is_not_found),
        TEST(test_wal_cut_beyond_the_last_entry_cuts_all),
        TEST(test_wal_prepare_keeps_spares_and_reuses_segments),
        TEST(test_wal_prepare_on_a_full_disk_is_no_harm),
        TEST(test_wal_prepare_of_large_segments_takes_several_calls),
        TEST(test_wal_prepare_after_long_quiet_takes_one_slice),
        TEST(test_wal_full_disk_uses_spares_then_refuses_then_recovers),
        TEST(test_wal_refused_group_is_undone_whole),
        TEST(test_wal_torn_tail_is_cut_off_and_counted),
        TEST(test_wal_damage_that_a_later_group_betrays_is_damaged),
        TEST(test_wal_flip_in_the_newest_group_is_undecidable),
        TEST(test_wal_short_segment_is_undecidable),
        TEST(test_wal_damage_after_damage_raises_the_incarnation_again),
        TEST(test_wal_damage_on_a_full_disk_waits_for_space),
        TEST(test_wal_error_of_a_sync_is_final),
        TEST(test_wal_full_disk_at_a_sync_is_final_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
