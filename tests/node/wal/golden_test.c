/* The bytes of format version 1, kept for ever: what wrote them once must be read by every later
 * version, and while this is the version that is written, the same history must give the same
 * bytes. */
#include "tests/node/wal/check.h"

#include <stdio.h>
#include <string.h>

#include "tests/node/wal/world.h"

enum { SEGMENT_BYTES = 4096, SEGMENTS = 2 };

static struct world world;

static const char *golden_path(unsigned segment, char out[64])
{
    snprintf(out, 64, "tests/vectors/log-v1/segment-%020u", segment);
    return out;
}

static struct bytes golden_load(unsigned segment)
{
    char path[64];
    FILE *file = fopen(golden_path(segment, path), "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    static uint8_t bytes[SEGMENT_BYTES];
    assert_int_equal(fread(bytes, 1, SEGMENT_BYTES, file), SEGMENT_BYTES);
    fclose(file);
    return bytes_of(bytes, SEGMENT_BYTES);
}

static void take(const struct model_record *record)
{
    assert_int_equal(world_append(&world, record), PAWL_OK);
}

/* Every kind of record, two partitions, two segments. */
static void history(void)
{
    take(&(struct model_record){.kind = WAL_START, .partition = 1, .index = 40, .term = 3});
    take(&(struct model_record){.kind = WAL_HARD_STATE, .partition = 0, .term = 2, .vote = 7});
    take(&(struct model_record){.kind = WAL_INCARNATION, .partition = 0, .term = 1, .vote = 1});
    assert_int_equal(world_sync(&world), PAWL_OK);
    for (uint64_t i = 1; i <= 5; i++) {
        take(&(struct model_record){.kind = WAL_ENTRY,
                                    .partition = 0,
                                    .index = i,
                                    .term = 2,
                                    .bytes = (uint32_t)(i * 90),
                                    .is_zeros = i == 4});
        take(&(struct model_record){
            .kind = WAL_ENTRY, .partition = 1, .index = 40 + i, .term = 3 + i / 3, .bytes = 33});
        assert_int_equal(world_sync(&world), PAWL_OK);
    }
    take(&(struct model_record){.kind = WAL_TRUNCATE, .partition = 0, .index = 5});
    take(&(struct model_record){
        .kind = WAL_ENTRY, .partition = 0, .index = 5, .term = 4, .bytes = 800});
    assert_int_equal(world_sync(&world), PAWL_OK);
}

static void test_wal_golden_files_are_what_is_written(void **state)
{
    (void)state;
    world_init(&world, 1, SEGMENT_BYTES, 0);
    assert_int_equal(world_open(&world), PAWL_OK);
    history();
    assert_int_equal(wal_figures(world.wal).segment_count, SEGMENTS);
    world_close(&world);
    for (unsigned segment = 1; segment <= SEGMENTS; segment++) {
        char name[40];
        snprintf(name, sizeof name, "segment-%020u", segment);
        struct bytes golden = golden_load(segment);
        assert_true(bytes_equal(golden, sim_disk_content(world.disk, name)));
    }
    world_done(&world);
}

static void test_wal_golden_files_are_read(void **state)
{
    (void)state;
    /* The history, for the model; then its disk is replaced. */
    world_init(&world, 1, SEGMENT_BYTES, 0);
    assert_int_equal(world_open(&world), PAWL_OK);
    history();
    world_close(&world);
    sim_disk_free(world.disk);
    world.disk = sim_disk_new(2);
    assert_non_null(world.disk);
    world.options.disk = sim_disk_port(world.disk);
    for (unsigned segment = 1; segment <= SEGMENTS; segment++) {
        char name[40];
        snprintf(name, sizeof name, "segment-%020u", segment);
        struct bytes golden = golden_load(segment);
        assert_true(sim_disk_put(world.disk, name, golden));
    }
    assert_int_equal(world_open(&world), PAWL_OK);
    check_right(world_check(&world));
    check_right(world_go_on(&world));
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_golden_files_are_what_is_written),
        cmocka_unit_test(test_wal_golden_files_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
