/* The index of one partition against a plain array, with marks, settling and rolling back. */
#include "tests/node/wal/check.h"

#include <string.h>

#include "node/wal/index.h"
#include "tests/sim/random.h"

enum { ENTRIES_MAX = 4096 };

struct model {
    uint64_t base_index, base_term, last;
    uint64_t term[ENTRIES_MAX];
    uint32_t offset[ENTRIES_MAX];
};

static void check_same(const struct wal_index *index, const struct model *model)
{
    assert_int_equal(wal_index_last(index), model->last);
    assert_int_equal(wal_index_term(index, model->base_index), model->base_term);
    assert_null(wal_index_find(index, model->base_index));
    assert_null(wal_index_find(index, model->last + 1));
    assert_int_equal(wal_index_term(index, model->last + 1), 0);
    for (uint64_t i = model->base_index + 1; i <= model->last; i++) {
        assert_int_equal(wal_index_find(index, i)->offset, model->offset[i]);
        assert_int_equal(wal_index_term(index, i), model->term[i]);
    }
}

static void step_add(struct wal_index *index, struct model *model, struct random *random)
{
    uint64_t count = random_below(random, 20);
    for (uint64_t i = 0; i < count && model->last + 1 < ENTRIES_MAX; i++) {
        uint64_t before =
            model->last > model->base_index ? model->term[model->last] : model->base_term;
        uint64_t term = before + (random_below(random, 5) == 0);
        struct wal_place place = {.offset = (uint32_t)random_u64(random)};
        assert_int_equal(wal_index_reserve(index), PAWL_OK);
        wal_index_add(index, term, &place);
        model->last++;
        model->term[model->last] = term;
        model->offset[model->last] = place.offset;
    }
}

static void step_change(struct wal_index *index, struct model *model, struct random *random)
{
    uint64_t kept = model->last - model->base_index;
    uint64_t draw = random_below(random, 12);
    if (draw == 0) {
        model->base_index = model->last = random_below(random, ENTRIES_MAX / 2);
        model->base_term = random_below(random, 9);
        assert_int_equal(wal_index_reset(index, model->base_index, model->base_term), PAWL_OK);
    } else if (draw < 4) {
        uint64_t from = model->base_index + 1 + random_below(random, kept + 1);
        model->last = from - 1;
        assert_int_equal(wal_index_truncate(index, from), PAWL_OK);
    } else {
        step_add(index, model, random);
    }
}

static void step_cut(struct wal_index *index, struct model *model, struct random *random)
{
    uint64_t to = model->base_index + random_below(random, model->last - model->base_index + 1);
    wal_index_cut(index, to);
    if (to > model->base_index)
        model->base_term = model->term[to];
    model->base_index = to;
    check_same(index, model);
}

static void test_wal_index_is_the_model_over_groups_kept_and_undone(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct random random;
        struct wal_index index = {0};
        static struct model model, before;
        random_seed(&random, seed);
        model = (struct model){0};
        for (int group = 0; group < 60; group++) {
            before = model;
            wal_index_mark_set(&index);
            for (uint64_t i = random_below(&random, 6); i > 0; i--)
                step_change(&index, &model, &random);
            check_same(&index, &model);
            if (random_below(&random, 3) == 0) {
                wal_index_rollback(&index);
                model = before;
                check_same(&index, &model);
            } else {
                wal_index_settle(&index);
            }
            if (random_below(&random, 4) == 0)
                step_cut(&index, &model, &random);
        }
        wal_index_done(&index);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_index_is_the_model_over_groups_kept_and_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
