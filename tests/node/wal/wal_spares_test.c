/* Spares are made in slices, and the log goes on between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/node/wal/world.h"

enum { SPARES = 8, SEGMENT_BYTES = 1 << 20 };

static struct world world;

/* The last spare of all, a fresh one, is in the making. */
static void begin_last_spare(void)
{
    while (wal_figures(world.wal).spare_count < SPARES - 1)
        assert_int_equal(wal_prepare(world.wal, &world.diag), PAWL_OK);
    assert_int_equal(wal_prepare(world.wal, &world.diag), PAWL_OK);
}

static void append(uint32_t bytes)
{
    assert_int_equal(world_append_entry(&world, 0, bytes), PAWL_OK);
    assert_int_equal(world_sync(&world), PAWL_OK);
}

static void test_wal_retire_while_a_fresh_spare_is_made_keeps_room_for_it(void **state)
{
    (void)state;
    world_init(&world, 1, SEGMENT_BYTES, SPARES);
    assert_int_equal(world_open(&world), PAWL_OK);
    begin_last_spare();
    append(SEGMENT_BYTES / 2 + 1000);
    append(SEGMENT_BYTES / 2 + 1000); /* a new segment: one of the spares */
    begin_last_spare();
    append(10);
    assert_int_equal(world_cut(&world, 0, 2), PAWL_OK);
    for (int i = 0; i < 20; i++)
        assert_int_equal(wal_prepare(world.wal, &world.diag), PAWL_OK);
    assert_int_equal(wal_figures(world.wal).spare_count, SPARES);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_retire_while_a_fresh_spare_is_made_keeps_room_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
