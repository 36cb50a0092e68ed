/* Changes: few rows and many are found alike, over a view that has some of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "workflow/changes.h"

enum { STORED = 7 }; /* every such number has a row in the view */

static struct bytes key_of(struct arena *arena, uint32_t number)
{
    uint8_t key[13] = "row number ";
    be32_put(key + 9, number);
    return arena_copy(arena, bytes_of(key, sizeof key));
}

static enum pawl_error view_get(void *self, enum row_table table, struct bytes key,
                                struct bytes *value_out)
{
    (void)self;
    (void)table;
    if (be32_get(key.data + 9) % STORED != 0)
        return PAWL_E_NOT_FOUND;
    *value_out = BYTES_LITERAL("stored");
    return PAWL_OK;
}

static const struct view view = {.get = view_get};

static bool reads_as(const struct changes *changes, uint32_t number, const char *expected)
{
    struct bytes value;
    enum pawl_error error =
        changes_get(changes, TABLE_VALUE, key_of(changes->arena, number), &value);
    if (expected == NULL)
        return error == PAWL_E_NOT_FOUND;
    return error == PAWL_OK && bytes_equal(value, bytes_string(expected));
}

/* Numbers up to count: written, written again, and every third taken back. */
static void changes_fill(struct changes *changes, uint32_t count)
{
    for (uint32_t i = 1; i <= count; i++) {
        struct bytes key = key_of(changes->arena, i);
        struct bytes value = BYTES_LITERAL("first");
        assert_int_equal(i % STORED == 0 ? changes_put(changes, TABLE_VALUE, key, value)
                                         : changes_put_new(changes, TABLE_VALUE, key, value),
                         PAWL_OK);
    }
    for (uint32_t i = 1; i <= count; i++) {
        struct bytes key = key_of(changes->arena, i);
        assert_int_equal(i % 3 == 0
                             ? changes_delete(changes, TABLE_VALUE, key)
                             : changes_put(changes, TABLE_VALUE, key, BYTES_LITERAL("second")),
                         PAWL_OK);
    }
}

static void writes_check(const struct changes *changes, uint32_t count)
{
    struct row_write *writes;
    size_t write_count, seen = 0;
    assert_int_equal(changes_writes(changes, &writes, &write_count), PAWL_OK);
    for (uint32_t i = 1; i <= count; i++) {
        if (i % 3 == 0 && i % STORED != 0) /* born and gone */
            continue;
        assert_true(seen < write_count);
        const struct row_write *write = &writes[seen++];
        assert_int_equal(be32_get(write->key.data + 9), i);
        assert_int_equal(write->is_deleted, i % 3 == 0);
        assert_int_equal(write->is_new, i % STORED != 0);
    }
    assert_int_equal(seen, write_count);
}

static void test_changes_lie_over_the_view(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 2, 15, 16, 17, 31, 32, 33, 64, 500};
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        struct arena arena = {.limit = 0};
        struct changes changes = {.view = &view, .arena = &arena};
        uint32_t count = counts[k];
        changes_fill(&changes, count);
        for (uint32_t i = 1; i <= count; i++)
            assert_true(reads_as(&changes, i, i % 3 == 0 ? NULL : "second"));
        for (uint32_t i = count + 1; i <= count + 30; i++)
            assert_true(reads_as(&changes, i, i % STORED == 0 ? "stored" : NULL));
        writes_check(&changes, count);
        arena_done(&arena);
    }
}

static void test_changes_of_one_key_in_two_tables_are_apart(void **state)
{
    (void)state;
    struct arena arena = {.limit = 0};
    struct changes changes = {.view = &view, .arena = &arena};
    struct bytes key = key_of(&arena, 1), value;
    assert_int_equal(changes_put_new(&changes, TABLE_STEP, key, BYTES_LITERAL("step")), PAWL_OK);
    assert_int_equal(changes_get(&changes, TABLE_VALUE, key, &value), PAWL_E_NOT_FOUND);
    assert_int_equal(changes_get(&changes, TABLE_STEP, key, &value), PAWL_OK);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_lie_over_the_view),
        cmocka_unit_test(test_changes_of_one_key_in_two_tables_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
