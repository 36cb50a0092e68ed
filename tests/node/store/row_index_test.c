#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/store/memory_rows.h"
#include "tests/sim/random.h"

enum { ROWS = 3000, STEPS = 60000 };

/* Few hashes for many rows: they stand far from home, also over the end of the slots. */
static struct memory_row *row_new(struct random *random, uint32_t number)
{
    struct memory_row *row = calloc(1, sizeof *row + 4);
    assert_non_null(row);
    row->hash = random_below(random, 64) << 16 | random_below(random, 2) << 60;
    row->hash |= random_chance(random, 500000) ? (uint64_t)0xffffff << 16 : 0;
    row->table = TABLE_STEP;
    row->key_size = 4;
    be32_put(row->key, number);
    return row;
}

static void test_row_index_random_adds_and_removes_agree_with_a_list(void **state)
{
    (void)state;
    struct random random;
    struct row_index index = {.slots = NULL};
    static struct memory_row *rows[ROWS];
    static bool is_in[ROWS];
    random_seed(&random, 1);
    for (uint32_t i = 0; i < ROWS; i++)
        rows[i] = row_new(&random, i);
    for (size_t step = 0; step < STEPS; step++) {
        /* Few rows at first, most of them later. */
        const size_t at = (size_t)random_below(&random, 1 + ROWS * step / STEPS);
        struct memory_row *row = rows[at];
        assert_ptr_equal(row_index_find(&index, row->hash, TABLE_STEP, memory_row_key(row)),
                         is_in[at] ? row : NULL);
        assert_null(row_index_find(&index, row->hash, TABLE_VALUE, memory_row_key(row)));
        if (is_in[at]) {
            row_index_remove(&index, row);
        } else {
            assert_true(row_index_reserve(&index));
            row_index_add(&index, row);
        }
        is_in[at] = !is_in[at];
        if (step % 1000 == 0)
            row_index_check(&index);
    }
    row_index_check(&index);
    for (size_t i = 0; i < ROWS; i++) {
        assert_ptr_equal(row_index_find(&index, rows[i]->hash, TABLE_STEP, memory_row_key(rows[i])),
                         is_in[i] ? rows[i] : NULL);
    }
    row_index_done(&index);
    for (size_t i = 0; i < ROWS; i++)
        free(rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_index_random_adds_and_removes_agree_with_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
