/* Thousands of rows against a sorted array, so that the tree has several levels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/store/memory_rows.h"
#include "tests/sim/random.h"

enum { ROWS = 6000, KEY_BYTES = 12 };

struct model {
    struct random random;
    struct row_tree tree;
    struct memory_row *rows[ROWS]; /* ascending */
    bool is_in[ROWS];
    size_t count;
};

static struct memory_row *row_make(struct random *random, uint64_t number)
{
    struct memory_row *row = calloc(1, sizeof *row + KEY_BYTES);
    assert_non_null(row);
    row->key_size = KEY_BYTES;
    /* The first half shares its first eight bytes, so that whole keys must be compared. */
    be64_put(row->key, number < ROWS / 2 ? 7 : number);
    be32_put(row->key + 8, number < ROWS / 2 ? (uint32_t)number : (uint32_t)random_u64(random));
    row->prefix = row_prefix(memory_row_key(row));
    return row;
}

static void model_open(struct model *model, uint64_t seed)
{
    *model = (struct model){.count = 0};
    random_seed(&model->random, seed);
    for (size_t i = 0; i < ROWS; i++)
        model->rows[i] = row_make(&model->random, i < ROWS / 2 ? i : i * 3);
}

static void model_close(struct model *model)
{
    row_tree_done(&model->tree);
    for (size_t i = 0; i < ROWS; i++)
        free(model->rows[i]);
}

static void toggle(struct model *model, size_t at)
{
    if (model->is_in[at])
        row_tree_erase(&model->tree, model->rows[at]);
    else
        assert_true(row_tree_insert(&model->tree, model->rows[at]));
    model->count = model->is_in[at] ? model->count - 1 : model->count + 1;
    model->is_in[at] = !model->is_in[at];
}

static void whole_compare(const struct model *model)
{
    assert_int_equal(row_tree_check(&model->tree), model->count);
    struct tree_cursor cursor = row_tree_seek(&model->tree, bytes_of(NULL, 0));
    for (size_t i = 0; i < ROWS; i++) {
        if (!model->is_in[i])
            continue;
        assert_ptr_equal(row_tree_at(cursor), model->rows[i]);
        row_tree_next(&cursor);
    }
    assert_null(row_tree_at(cursor));
}

/* At a row's own key, or just after it. */
static void seek_compare(struct model *model)
{
    size_t at = (size_t)random_below(&model->random, ROWS);
    bool is_after = random_chance(&model->random, 500000);
    uint8_t bound[KEY_BYTES + 1] = {0};
    memcpy(bound, model->rows[at]->key, KEY_BYTES);
    struct bytes key = bytes_of(bound, is_after ? KEY_BYTES + 1 : KEY_BYTES);
    size_t next = is_after ? at + 1 : at, last = next;
    while (next < ROWS && !model->is_in[next])
        next++;
    while (last > 0 && !model->is_in[last - 1])
        last--;
    assert_ptr_equal(row_tree_at(row_tree_seek(&model->tree, key)),
                     next < ROWS ? model->rows[next] : NULL);
    if (is_after || !model->is_in[at])
        return;
    struct memory_row *before, *after;
    for (next++; next < ROWS && !model->is_in[next];)
        next++;
    row_tree_around(&model->tree, model->rows[at], &before, &after);
    assert_ptr_equal(before, last > 0 ? model->rows[last - 1] : NULL);
    assert_ptr_equal(after, next < ROWS ? model->rows[next] : NULL);
}

static void test_row_tree_random_changes_agree_with_array(void **state)
{
    (void)state;
    static struct model model;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        model_open(&model, seed);
        for (size_t i = 0; i < 20000; i++) {
            toggle(&model, (size_t)random_below(&model.random, ROWS));
            seek_compare(&model);
            if (i % 1000 == 0)
                whole_compare(&model);
        }
        whole_compare(&model);
        model_close(&model);
    }
}

static void test_row_tree_rising_and_falling_orders_fill_and_empty(void **state)
{
    (void)state;
    static struct model model;
    for (unsigned order = 0; order < 4; order++) {
        bool is_filled_back = (order & 1) != 0, is_emptied_back = (order & 2) != 0;
        model_open(&model, 1);
        for (size_t i = 0; i < ROWS; i++)
            toggle(&model, is_filled_back ? ROWS - 1 - i : i);
        whole_compare(&model);
        for (size_t i = 0; i < ROWS; i++) {
            toggle(&model, is_emptied_back ? ROWS - 1 - i : i);
            if (i % 500 == 0)
                whole_compare(&model);
        }
        whole_compare(&model);
        assert_null(model.tree.root);
        model_close(&model);
    }
}

static size_t leaf_count(const struct row_tree *tree)
{
    size_t count = 0;
    const struct tree_node *last = NULL;
    struct tree_cursor cursor = row_tree_seek(tree, bytes_of(NULL, 0));
    for (; row_tree_at(cursor) != NULL; row_tree_next(&cursor)) {
        count += cursor.leaf != last ? 1 : 0;
        last = cursor.leaf;
    }
    return count;
}

static void test_row_tree_leaves_are_full_after_rising_keys_and_join_after_erasing(void **state)
{
    (void)state;
    static struct model model;
    model_open(&model, 1);
    for (size_t i = 0; i < ROWS; i++)
        toggle(&model, i);
    assert_true(leaf_count(&model.tree) < ROWS / 30);
    for (size_t i = 0; i < ROWS; i++)
        if (i % 60 != 0)
            toggle(&model, i);
    whole_compare(&model);
    assert_true(leaf_count(&model.tree) < 20);
    model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_tree_random_changes_agree_with_array),
        cmocka_unit_test(test_row_tree_leaves_are_full_after_rising_keys_and_join_after_erasing),
        cmocka_unit_test(test_row_tree_rising_and_falling_orders_fill_and_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
