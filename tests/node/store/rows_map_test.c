#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/store/rows_map.h"

static struct rows_map *map_new(void)
{
    struct rows_map *map = rows_map_new(&(struct rows_map_options){.partition_count = 1});
    assert_non_null(map);
    return map;
}

static enum pawl_error put(struct rows_map *map, uint64_t index)
{
    struct rows_port rows = rows_map_port(map);
    struct rows_mark mark = {.index = index};
    struct row_write write = {
        .table = TABLE_META, .key = BYTES_LITERAL("key"), .value = BYTES_LITERAL("value")};
    return rows.flush(rows.self, 0, &mark, &write, 1, NULL);
}

static uint64_t mark_index(struct rows_map *map)
{
    struct rows_port rows = rows_map_port(map);
    struct rows_snapshot *snapshot;
    assert_int_equal(rows.snapshot_open(rows.self, 0, &snapshot), PAWL_OK);
    uint64_t index = rows.snapshot_mark(rows.self, snapshot).index;
    rows.snapshot_close(rows.self, snapshot);
    return index;
}

static void test_rows_map_faults_befall_one_flush(void **state)
{
    (void)state;
    static const struct {
        enum rows_map_fault fault;
        enum pawl_error error;
        uint64_t index; /* of the store afterwards */
    } rows[] = {
        {ROWS_MAP_SOUND, PAWL_OK, 2},
        {ROWS_MAP_DISK_FULL, PAWL_E_DISK_FULL, 1},
        {ROWS_MAP_LOST, PAWL_E_IO, 1},
        {ROWS_MAP_UNHEARD, PAWL_E_IO, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rows_map *map = map_new();
        assert_int_equal(put(map, 1), PAWL_OK);
        rows_map_fail_next(map, rows[i].fault);
        assert_int_equal(put(map, 2), rows[i].error);
        assert_int_equal(mark_index(map), rows[i].index);
        assert_int_equal(put(map, 3), PAWL_OK);
        assert_int_equal(mark_index(map), 3);
        rows_map_free(map);
    }
}

static void test_rows_map_clone_goes_its_own_way(void **state)
{
    (void)state;
    struct rows_map *map = map_new();
    assert_int_equal(put(map, 1), PAWL_OK);
    struct rows_map *clone = rows_map_clone(map);
    assert_non_null(clone);
    assert_int_equal(put(map, 2), PAWL_OK);
    assert_int_equal(mark_index(clone), 1);
    assert_int_equal(put(clone, 5), PAWL_OK);
    rows_map_free(map);
    assert_int_equal(mark_index(clone), 5);
    rows_map_free(clone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_map_faults_befall_one_flush),
        cmocka_unit_test(test_rows_map_clone_goes_its_own_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
