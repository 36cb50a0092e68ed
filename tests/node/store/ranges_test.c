/* Covered ranges against one flag for each key: keys are one byte, or one byte and a zero after it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/store/ranges.h"
#include "tests/sim/random.h"

enum { BYTES = 40, POINTS = 2 * BYTES };

/* The i-th of all keys that the test uses, ascending; POINTS: the table's end. */
static struct bytes point(size_t i, uint8_t room[2])
{
    room[0] = (uint8_t)(i / 2);
    room[1] = 0;
    return i == POINTS ? bytes_of(NULL, 0) : bytes_of(room, 1 + i % 2);
}

struct model {
    struct random random;
    struct range_list list;
    bool is_covered[POINTS];
};

static void cover(struct model *model, size_t begin, size_t end)
{
    uint8_t begin_room[2], end_room[2];
    struct bytes from = begin == 0 ? bytes_of(NULL, 0) : point(begin, begin_room);
    assert_true(ranges_add(&model->list, from, point(end, end_room), 0));
    for (size_t i = begin; i < end; i++)
        model->is_covered[i] = true;
}

/* Cut a key of one byte; what is asked for stays, of its own range only. */
static void cut(struct model *model, size_t at, struct range_keep keep)
{
    uint8_t room[2];
    ranges_cut(&model->list, point(at, room), keep);
    model->is_covered[at] = false;
    for (size_t i = at; !keep.before && i-- > 0 && model->is_covered[i];)
        model->is_covered[i] = false;
    for (size_t i = at + 1; !keep.after && i < POINTS && model->is_covered[i]; i++)
        model->is_covered[i] = false;
}

static void compare(const struct model *model)
{
    ranges_check(&model->list);
    for (size_t i = 0; i < POINTS; i++) {
        uint8_t room[2];
        const struct range *range = ranges_find(&model->list, point(i, room));
        assert_true((range != NULL) == model->is_covered[i]);
    }
}

static void test_ranges_random_changes_agree_with_flags(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct model model = {.list = {.count = 0}};
        random_seed(&model.random, seed);
        for (size_t i = 0; i < 1000; i++) {
            size_t begin = (size_t)random_below(&model.random, POINTS);
            size_t longest = random_chance(&model.random, 50000) ? POINTS : 6;
            size_t end = begin + (size_t)random_between(&model.random, 1, longest);
            size_t at = (size_t)random_below(&model.random, BYTES) * 2;
            struct range_keep keep = {random_chance(&model.random, 500000),
                                      random_chance(&model.random, 500000)};
            if (random_chance(&model.random, 500000))
                cover(&model, begin, end < POINTS ? end : POINTS);
            else if (model.is_covered[at])
                cut(&model, at, keep);
            compare(&model);
        }
        ranges_done(&model.list);
    }
}

static void test_ranges_touching_are_joined_with_the_newer_facts(void **state)
{
    (void)state;
    struct range_list list = {.count = 0};
    assert_true(ranges_add(&list, BYTES_LITERAL("a"), BYTES_LITERAL("b"), 1));
    list.range[0].deleted_index = 9;
    assert_true(ranges_add(&list, BYTES_LITERAL("c"), BYTES_LITERAL("d"), 2));
    assert_int_equal(list.count, 2);
    assert_int_equal(ranges_oldest(&list), 0);
    assert_true(ranges_add(&list, BYTES_LITERAL("b"), BYTES_LITERAL("c"), 3));
    assert_int_equal(list.count, 1);
    assert_int_equal(list.range[0].used, 3);
    assert_int_equal(list.range[0].deleted_index, 9);
    ranges_done(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_random_changes_agree_with_flags),
        cmocka_unit_test(test_ranges_touching_are_joined_with_the_newer_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
