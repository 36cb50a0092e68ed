/* Both implementations of the rows port against one plain model: flushes, reads and scans of
 * snapshots that are held over later flushes, reopening, and the sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/store/rows_lmdb.h"
#include "node/store/rows_map.h"
#include "node/store/rows_sum.h"
#include "tests/node/store/scratch.h"
#include "tests/sim/random.h"

enum { PARTITIONS = 2, TABLES = 3, KEYS = 200, SNAPSHOTS = 4, VALUE_MAX = 40 };

static const struct rows_sum_key sum_key = {"the key of all sums of this test"};
static const struct bytes no_bytes = {NULL, 0};

struct model_row {
    bool is_there;
    uint8_t size;
    uint8_t value[VALUE_MAX];
};

struct model_state {
    struct rows_mark mark;
    struct model_row rows[TABLES][KEYS];
};

struct model_key {
    uint8_t byte[24];
    size_t size;
};

/* A store of either kind. */
struct subject {
    struct rows_port rows;
    struct rows_map *map;
    struct rows_lmdb *lmdb;
    struct scratch scratch;
};

struct held {
    struct rows_snapshot *snapshot;
    struct model_state state;
    uint32_t partition;
};

struct model {
    struct random random;
    struct subject subject;
    struct model_key keys[TABLES][KEYS]; /* ascending */
    struct model_state partitions[PARTITIONS];
    struct held held[SNAPSHOTS];
};

static void lmdb_open(struct subject *subject)
{
    struct rows_lmdb_options options = {.path = subject->scratch.path,
                                        .map_bytes = (uint64_t)1 << 30,
                                        .partition_count = PARTITIONS,
                                        .sum_key = sum_key};
    struct pawl_diag diag;
    assert_int_equal(rows_lmdb_open(&options, &subject->lmdb, &diag), PAWL_OK);
    subject->rows = rows_lmdb_port(subject->lmdb);
}

static void subject_open(struct subject *subject, bool is_lmdb)
{
    if (is_lmdb) {
        scratch_make(&subject->scratch);
        lmdb_open(subject);
        return;
    }
    subject->map =
        rows_map_new(&(struct rows_map_options){.partition_count = PARTITIONS, .sum_key = sum_key});
    assert_non_null(subject->map);
    subject->rows = rows_map_port(subject->map);
}

static void subject_close(struct subject *subject)
{
    rows_map_free(subject->map);
    if (subject->lmdb == NULL)
        return;
    rows_lmdb_close(subject->lmdb);
    scratch_remove(&subject->scratch);
}

static void subject_reopen(struct subject *subject)
{
    if (subject->lmdb != NULL) {
        rows_lmdb_close(subject->lmdb);
        lmdb_open(subject);
        return;
    }
    struct rows_map *clone = rows_map_clone(subject->map);
    assert_non_null(clone);
    rows_map_free(subject->map);
    subject->map = clone;
    subject->rows = rows_map_port(clone);
}

static struct bytes key_bytes(const struct model_key *key)
{
    return bytes_of(key->byte, key->size);
}

static int key_order(const void *a, const void *b)
{
    return bytes_compare(key_bytes(a), key_bytes(b));
}

static void keys_draw(struct model *model)
{
    for (size_t table = 0; table < TABLES; table++) {
        for (size_t i = 0; i < KEYS; i++) {
            struct model_key *key = &model->keys[table][i];
            be64_put(key->byte, random_below(&model->random, 4));
            be64_put(key->byte + 8, random_u64(&model->random));
            key->size = (size_t)random_between(&model->random, 10, 16);
        }
        qsort(model->keys[table], KEYS, sizeof model->keys[table][0], key_order);
    }
}

static void row_draw(struct random *random, struct model_row *row)
{
    *row = (struct model_row){.is_there = random_chance(random, 600000)};
    if (!row->is_there)
        return;
    row->size = (uint8_t)random_below(random, VALUE_MAX + 1);
    random_fill(random, row->value, row->size);
}

/* Sometimes many writes, sometimes none; often only the last keys, as when keys rise with time. */
static void step_flush(struct model *model)
{
    static struct row_write writes[TABLES * KEYS];
    uint32_t partition = (uint32_t)random_below(&model->random, PARTITIONS);
    struct model_state *state = &model->partitions[partition];
    uint32_t per_million = (uint32_t)random_below(&model->random, 300000);
    size_t first = random_chance(&model->random, 500000) ? KEYS - 10 : 0, count = 0;
    for (size_t table = 0; table < TABLES; table++) {
        for (size_t i = first; i < KEYS; i++) {
            if (!random_chance(&model->random, per_million))
                continue;
            struct model_row *row = &state->rows[table][i];
            bool is_kept = random_chance(&model->random, 100000);
            if (!is_kept)
                row_draw(&model->random, row);
            writes[count++] = (struct row_write){.table = (uint8_t)table,
                                                 .is_deleted = !row->is_there,
                                                 .key = key_bytes(&model->keys[table][i]),
                                                 .value = bytes_of(row->value, row->size)};
        }
    }
    state->mark.index += random_between(&model->random, 1, 100);
    state->mark.term = random_u64(&model->random);
    state->mark.clock_us = random_u64(&model->random);
    struct rows_port *rows = &model->subject.rows;
    assert_int_equal(rows->flush(rows->self, partition, &state->mark, writes, count, NULL),
                     PAWL_OK);
}

static void held_close(struct model *model, struct held *held)
{
    struct rows_port *rows = &model->subject.rows;
    if (held->snapshot != NULL)
        rows->snapshot_close(rows->self, held->snapshot);
    held->snapshot = NULL;
}

static void step_hold(struct model *model)
{
    struct rows_port *rows = &model->subject.rows;
    struct held *held = &model->held[random_below(&model->random, SNAPSHOTS)];
    held_close(model, held);
    held->partition = (uint32_t)random_below(&model->random, PARTITIONS);
    held->state = model->partitions[held->partition];
    assert_int_equal(rows->snapshot_open(rows->self, held->partition, &held->snapshot), PAWL_OK);
}

static struct held *held_any(struct model *model)
{
    struct held *held = &model->held[random_below(&model->random, SNAPSHOTS)];
    return held->snapshot == NULL ? NULL : held;
}

static void step_get(struct model *model)
{
    struct held *held = held_any(model);
    if (held == NULL)
        return;
    struct rows_view rows_view = {.rows = &model->subject.rows, .snapshot = held->snapshot};
    struct view view = rows_view_of(&rows_view);
    size_t table = (size_t)random_below(&model->random, TABLES);
    size_t at = (size_t)random_below(&model->random, KEYS);
    const struct model_row *row = &held->state.rows[table][at];
    struct bytes value;
    enum pawl_error error =
        view.get(view.self, (enum row_table)table, key_bytes(&model->keys[table][at]), &value);
    assert_int_equal(error, row->is_there ? PAWL_OK : PAWL_E_NOT_FOUND);
    assert_true(!row->is_there || bytes_equal(value, bytes_of(row->value, row->size)));
}

static void step_mark(struct model *model)
{
    struct held *held = held_any(model);
    if (held == NULL)
        return;
    struct rows_port *rows = &model->subject.rows;
    struct rows_mark mark = rows->snapshot_mark(rows->self, held->snapshot);
    assert_int_equal(mark.index, held->state.mark.index);
    assert_int_equal(mark.term, held->state.mark.term);
    assert_int_equal(mark.clock_us, held->state.mark.clock_us);
}

/* At a key, just after it, inside it, or the table's edge. */
static struct bytes bound_draw(struct model *model, size_t table, uint8_t room[25])
{
    const struct model_key *key = &model->keys[table][random_below(&model->random, KEYS)];
    memcpy(room, key->byte, key->size);
    room[key->size] = 0;
    switch (random_below(&model->random, 4)) {
    case 0:
        return no_bytes;
    case 1:
        return bytes_of(room, key->size);
    case 2:
        return bytes_of(room, key->size + 1);
    default:
        return bytes_of(room, (size_t)random_between(&model->random, 1, key->size));
    }
}

static bool is_inside(struct bytes key, struct bytes begin, struct bytes end)
{
    return bytes_compare(key, begin) >= 0 && (end.size == 0 || bytes_compare(key, end) < 0);
}

static void scan_compare(const struct model *model, const struct held *held, size_t table,
                         struct bytes begin, struct bytes end, bool is_backward, size_t row_max,
                         const struct row *rows, size_t count)
{
    size_t expected = 0;
    for (size_t i = 0; i < KEYS && expected < row_max; i++) {
        size_t at = is_backward ? KEYS - 1 - i : i;
        const struct model_row *row = &held->state.rows[table][at];
        struct bytes key = key_bytes(&model->keys[table][at]);
        if (!row->is_there || !is_inside(key, begin, end))
            continue;
        assert_true(expected < count);
        assert_true(bytes_equal(rows[expected].key, key));
        assert_true(bytes_equal(rows[expected].value, bytes_of(row->value, row->size)));
        expected++;
    }
    assert_int_equal(expected, count);
}

static void step_scan(struct model *model)
{
    struct held *held = held_any(model);
    if (held == NULL)
        return;
    struct rows_view rows_view = {.rows = &model->subject.rows, .snapshot = held->snapshot};
    struct view view = rows_view_of(&rows_view);
    uint8_t begin_room[25], end_room[25];
    size_t table = (size_t)random_below(&model->random, TABLES);
    struct bytes begin = bound_draw(model, table, begin_room);
    struct bytes end = bound_draw(model, table, end_room);
    bool is_backward = random_chance(&model->random, 500000);
    size_t row_max = (size_t)random_below(&model->random, KEYS + 1), count = 0;
    struct row rows[KEYS];
    enum pawl_error error =
        is_backward
            ? view.scan_back(view.self, (enum row_table)table, begin, end, row_max, rows, &count)
            : view.scan(view.self, (enum row_table)table, begin, end, row_max, rows, &count);
    assert_int_equal(error, PAWL_OK);
    scan_compare(model, held, table, begin, end, is_backward, row_max, rows, count);
}

static void model_sums(const struct model *model, uint32_t partition,
                       struct rows_sum sums_out[TABLE_COUNT])
{
    memset(sums_out, 0, TABLE_COUNT * sizeof sums_out[0]);
    for (size_t table = 0; table < TABLES; table++) {
        for (size_t i = 0; i < KEYS; i++) {
            const struct model_row *row = &model->partitions[partition].rows[table][i];
            const struct row_place place = {partition, (uint8_t)table,
                                            key_bytes(&model->keys[table][i])};
            uint8_t digest[ROW_DIGEST_BYTES];
            if (!row->is_there)
                continue;
            row_digest(&sum_key, &place, bytes_of(row->value, row->size), digest);
            rows_sum_add(&sums_out[table], digest);
        }
    }
}

/* The sums that flushes kept, those counted afresh, and the model's. */
static void step_sums(struct model *model)
{
    uint32_t partition = (uint32_t)random_below(&model->random, PARTITIONS);
    struct rows_port *rows = &model->subject.rows;
    struct rows_sum kept[TABLE_COUNT], counted[TABLE_COUNT], expected[TABLE_COUNT];
    struct rows_snapshot *snapshot;
    assert_int_equal(rows->sums(rows->self, partition, kept), PAWL_OK);
    assert_int_equal(rows->snapshot_open(rows->self, partition, &snapshot), PAWL_OK);
    assert_int_equal(rows_sums_count(rows, snapshot, partition, &sum_key, counted), PAWL_OK);
    rows->snapshot_close(rows->self, snapshot);
    model_sums(model, partition, expected);
    for (size_t table = 0; table < TABLE_COUNT; table++) {
        assert_true(rows_sum_equal(&kept[table], &expected[table]));
        assert_true(rows_sum_equal(&counted[table], &expected[table]));
    }
}

static void step_reopen(struct model *model)
{
    for (size_t i = 0; i < SNAPSHOTS; i++)
        held_close(model, &model->held[i]);
    subject_reopen(&model->subject);
}

static void model_step(struct model *model)
{
    static const struct {
        unsigned weight;
        void (*step)(struct model *model);
    } steps[] = {
        {10, step_flush}, {5, step_hold}, {40, step_get},   {4, step_mark},
        {40, step_scan},  {3, step_sums}, {1, step_reopen},
    };
    unsigned total = 0, at = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        total += steps[i].weight;
    uint64_t drawn = random_below(&model->random, total);
    while (drawn >= steps[at].weight)
        drawn -= steps[at++].weight;
    steps[at].step(model);
}

static void run(bool is_lmdb, uint64_t seed_count, size_t step_count)
{
    for (uint64_t seed = 1; seed <= seed_count; seed++) {
        static struct model model;
        model = (struct model){.subject = {.map = NULL}};
        print_message("seed %llu\n", (unsigned long long)seed);
        random_seed(&model.random, seed);
        keys_draw(&model);
        subject_open(&model.subject, is_lmdb);
        for (size_t i = 0; i < step_count; i++)
            model_step(&model);
        step_reopen(&model);
        for (uint32_t i = 0; i < PARTITIONS; i++)
            step_sums(&model);
        subject_close(&model.subject);
    }
}

static void test_rows_map_random_steps_agree_with_model(void **state)
{
    (void)state;
    run(false, 16, 3000);
}

static void test_rows_lmdb_random_steps_agree_with_model(void **state)
{
    (void)state;
    run(true, 4, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_map_random_steps_agree_with_model),
        cmocka_unit_test(test_rows_lmdb_random_steps_agree_with_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
