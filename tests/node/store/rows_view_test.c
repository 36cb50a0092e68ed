/* A view with writes over a snapshot shows what the store would after flushing them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/store/rows_map.h"
#include "tests/sim/random.h"

enum { TABLES = 3, KEYS = 30, ROUNDS = 400, QUESTIONS = 40, ROWS_ASKED_MAX = 12 };

static const enum row_table tables[TABLES] = {TABLE_DEFINITION, TABLE_INSTANCE, TABLE_JOURNAL};

struct fixture {
    struct random random;
    struct arena arena;
    struct rows_map *before, *after;
};

static struct bytes digits(struct fixture *fixture, uint64_t number)
{
    char text[16];
    const int size = snprintf(text, sizeof text, "%02u", (unsigned)number);
    return arena_copy(&fixture->arena, bytes_of(text, (size_t)size));
}

/* Some rows of each table, ascending; with deletions they are changes. */
static size_t draw_writes(struct fixture *fixture, struct row_write *writes, uint32_t per_million,
                          bool has_deletions)
{
    size_t count = 0;
    for (size_t table = 0; table < TABLES; table++)
        for (unsigned key = 0; key < KEYS; key++) {
            if (!random_chance(&fixture->random, per_million))
                continue;
            writes[count++] = (struct row_write){
                .table = (uint8_t)tables[table],
                .key = digits(fixture, key),
                .is_deleted = has_deletions && random_chance(&fixture->random, 400000),
                .value = digits(fixture, random_below(&fixture->random, 1000))};
        }
    return count;
}

static struct rows_map *flushed(const struct rows_map *from, uint64_t index,
                                const struct row_write *writes, size_t count)
{
    const struct rows_map_options options = {.partition_count = 1};
    const struct rows_mark mark = {.index = index};
    struct rows_map *map = from == NULL ? rows_map_new(&options) : rows_map_clone(from);
    assert_non_null(map);
    const struct rows_port port = rows_map_port(map);
    assert_int_equal(port.flush(port.self, 0, &mark, writes, count, NULL), PAWL_OK);
    return map;
}

static void assert_same_row(struct fixture *fixture, const struct view *over,
                            const struct view *plain)
{
    const enum row_table table = tables[random_below(&fixture->random, TABLES)];
    const struct bytes key = digits(fixture, random_below(&fixture->random, KEYS));
    struct bytes value, wanted;
    const enum pawl_error error = plain->get(plain->self, table, key, &wanted);
    assert_int_equal(over->get(over->self, table, key, &value), error);
    assert_true(error != PAWL_OK || bytes_equal(value, wanted));
}

static void assert_same_rows(struct fixture *fixture, const struct view *over,
                             const struct view *plain)
{
    struct random *random = &fixture->random;
    const enum row_table table = tables[random_below(random, TABLES)];
    const struct bytes none = {NULL, 0};
    const struct bytes begin =
        random_chance(random, 200000) ? none : digits(fixture, random_below(random, KEYS));
    const struct bytes end =
        random_chance(random, 300000) ? none : digits(fixture, random_below(random, KEYS));
    const size_t row_max = random_below(random, ROWS_ASKED_MAX) + 1;
    const bool is_backward = random_chance(random, 500000);
    struct row rows[ROWS_ASKED_MAX], wanted[ROWS_ASKED_MAX];
    size_t count = 0, wanted_count = 0;
    if (end.size > 0 && bytes_compare(begin, end) > 0)
        return;
    enum pawl_error error = (is_backward ? plain->scan_back : plain->scan)(
        plain->self, table, begin, end, row_max, wanted, &wanted_count);
    assert_int_equal(error, PAWL_OK);
    error = (is_backward ? over->scan_back : over->scan)(over->self, table, begin, end, row_max,
                                                         rows, &count);
    assert_int_equal(error, PAWL_OK);
    assert_int_equal(count, wanted_count);
    for (size_t i = 0; i < count; i++) {
        assert_true(bytes_equal(rows[i].key, wanted[i].key));
        assert_true(bytes_equal(rows[i].value, wanted[i].value));
    }
}

static void compare_views(struct fixture *fixture, const struct row_write *writes, size_t count)
{
    const struct rows_port before = rows_map_port(fixture->before),
                           after = rows_map_port(fixture->after);
    struct rows_view over = {
        .rows = &before, .writes = writes, .write_count = count, .arena = &fixture->arena};
    struct rows_view plain = {.rows = &after};
    assert_int_equal(before.snapshot_open(before.self, 0, &over.snapshot), PAWL_OK);
    assert_int_equal(after.snapshot_open(after.self, 0, &plain.snapshot), PAWL_OK);
    const struct view over_view = rows_view_of(&over), plain_view = rows_view_of(&plain);
    for (int i = 0; i < QUESTIONS; i++) {
        assert_same_row(fixture, &over_view, &plain_view);
        assert_same_rows(fixture, &over_view, &plain_view);
    }
    before.snapshot_close(before.self, over.snapshot);
    after.snapshot_close(after.self, plain.snapshot);
}

static void test_view_with_writes_is_the_store_after_them(void **state)
{
    (void)state;
    struct fixture fixture = {.before = NULL};
    struct row_write rows[TABLES * KEYS], writes[TABLES * KEYS];
    random_seed(&fixture.random, 77);
    for (int round = 0; round < ROUNDS; round++) {
        const uint32_t share = (uint32_t)random_below(&fixture.random, 1000001);
        const size_t row_count = draw_writes(&fixture, rows, share, false);
        fixture.before = flushed(NULL, 1, rows, row_count);
        const size_t write_count =
            draw_writes(&fixture, writes, (uint32_t)random_below(&fixture.random, 1000001), true);
        fixture.after = flushed(fixture.before, 2, writes, write_count);
        compare_views(&fixture, writes, write_count);
        rows_map_free(fixture.before);
        rows_map_free(fixture.after);
        arena_reset(&fixture.arena);
    }
    arena_done(&fixture.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view_with_writes_is_the_store_after_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
