#include "tests/node/store/memory_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/store/table_place.h"

static const struct bytes no_bytes = {NULL, 0};

/* One of each place: in order, by key, and not in memory at all. */
static enum row_table table_of(size_t table)
{
    static const enum row_table tables[MODEL_TABLES] = {TABLE_WORKFLOW, TABLE_STEP, TABLE_JOURNAL};
    return tables[table];
}

static struct bytes model_key_bytes(const struct model_key *key)
{
    return bytes_of(key->key, key->key_size);
}

/* Keys that share prefixes, begin each other, hold zeros, or are as long as they may be. */
static void key_draw(struct random *random, struct model_key *key)
{
    static const uint8_t letters[] = {0x00, 0x01, 'a', 0xff};
    bool is_long = random_chance(random, 50000);
    key->key_size = is_long ? ROW_KEY_BYTES_MAX : (size_t)random_between(random, 1, 12);
    for (size_t i = 0; i < key->key_size; i++)
        key->key[i] = i < 7 && random_chance(random, 700000)
                          ? 'a'
                          : letters[random_below(random, sizeof letters)];
}

static int key_order(const void *a, const void *b)
{
    return bytes_compare(model_key_bytes(a), model_key_bytes(b));
}

static bool keys_have(const struct model_key *keys, size_t count, const struct model_key *key)
{
    for (size_t i = 0; i < count; i++)
        if (key_order(&keys[i], key) == 0)
            return true;
    return false;
}

static void keys_draw(struct model *model)
{
    for (size_t table = 0; table < MODEL_TABLES; table++) {
        struct model_key *keys = model->keys[table];
        for (size_t i = 0; i < MODEL_KEYS; i++) {
            do
                key_draw(&model->random, &keys[i]);
            while (keys_have(keys, i, &keys[i]));
        }
        qsort(keys, MODEL_KEYS, sizeof keys[0], key_order);
        for (size_t i = 0; i < MODEL_KEYS; i++)
            keys[i].changes = calloc(MODEL_CHANGES, sizeof keys[i].changes[0]);
    }
}

/* What the key held as of index; NULL: nothing. */
static const struct model_change *key_at(const struct model_key *key, uint64_t index)
{
    for (size_t i = key->change_count; i-- > 0;)
        if (key->changes[i].index <= index)
            return key->changes[i].is_deleted ? NULL : &key->changes[i];
    return NULL;
}

static struct bytes change_value(const struct model_change *change)
{
    return bytes_of(change->value, change->size);
}

/* Only what is true now matters once nothing older can be asked for. */
static void key_trim(const struct model *model, struct model_key *key)
{
    size_t gone = 0;
    while (gone + 1 < key->change_count && key->changes[gone + 1].index <= model->flushed)
        gone++;
    key->change_count -= gone;
    memmove(key->changes, key->changes + gone, key->change_count * sizeof key->changes[0]);
}

static void key_change(const struct model *model, struct model_key *key,
                       const struct model_change *change)
{
    struct model_change *last = key->change_count > 0 ? &key->changes[key->change_count - 1] : NULL;
    if (last != NULL && last->index == change->index) {
        *last = *change;
        return;
    }
    if (key->change_count == MODEL_CHANGES)
        key_trim(model, key);
    assert_true(key->change_count < MODEL_CHANGES);
    key->changes[key->change_count++] = *change;
}

/* The store holds exactly what was true at its mark. */
static void store_check(struct model *model)
{
    struct rows_snapshot *snapshot;
    assert_int_equal(model->rows.snapshot_open(model->rows.self, 0, &snapshot), PAWL_OK);
    uint64_t index = model->rows.snapshot_mark(model->rows.self, snapshot).index;
    for (size_t table = 0; table < MODEL_TABLES; table++) {
        for (size_t i = 0; i < MODEL_KEYS; i++) {
            const struct model_key *key = &model->keys[table][i];
            const struct model_change *change = key_at(key, index);
            struct bytes value;
            enum pawl_error error = model->rows.get(model->rows.self, snapshot, table_of(table),
                                                    model_key_bytes(key), &value);
            assert_int_equal(error, change == NULL ? PAWL_E_NOT_FOUND : PAWL_OK);
            assert_true(change == NULL || bytes_equal(value, change_value(change)));
        }
    }
    model->rows.snapshot_close(model->rows.self, snapshot);
}

static void memory_begin(struct model *model)
{
    model->memory = memory_new(&model->options);
    assert_non_null(model->memory);
    assert_int_equal(memory_reset(model->memory, model->flushed), PAWL_OK);
}

/* A store with something in it before memory begins. */
static void store_fill(struct model *model)
{
    struct row_write writes[MODEL_TABLES * MODEL_KEYS];
    size_t count = 0;
    for (size_t table = 0; table < MODEL_TABLES; table++) {
        for (size_t i = 0; i < MODEL_KEYS; i++) {
            if (random_chance(&model->random, 400000))
                continue;
            struct model_key *key = &model->keys[table][i];
            key_change(model, key, &(struct model_change){.index = 1, .size = 3, .value = "old"});
            writes[count++] = (struct row_write){.table = (uint8_t)table_of(table),
                                                 .key = model_key_bytes(key),
                                                 .value = BYTES_LITERAL("old")};
        }
    }
    struct rows_mark mark = {.index = 1, .term = 1};
    assert_int_equal(model->rows.flush(model->rows.self, 0, &mark, writes, count, NULL), PAWL_OK);
    model->flushed = model->committed = model->written = 1;
}

void model_open(struct model *model, uint64_t seed, size_t clean_bytes_max, bool is_store_new)
{
    *model = (struct model){.table_count = MODEL_TABLES,
                            .options = {.clean_bytes_max = clean_bytes_max, .hash_seed = seed}};
    random_seed(&model->random, seed);
    keys_draw(model);
    model->map = rows_map_new(&(struct rows_map_options){.partition_count = 1});
    assert_non_null(model->map);
    model->rows = rows_map_port(model->map);
    if (!is_store_new)
        store_fill(model);
    memory_begin(model);
}

static void snapshot_drop(struct model *model, size_t at)
{
    if (model->snapshots[at] != NULL)
        model->rows.snapshot_close(model->rows.self, model->snapshots[at]);
    model->snapshots[at] = NULL;
}

void model_close(struct model *model)
{
    for (size_t i = 0; i < MODEL_SNAPSHOTS; i++)
        snapshot_drop(model, i);
    memory_free(model->memory);
    rows_map_free(model->map);
    arena_done(&model->arena);
    arena_done(&model->sealed_arena);
    net_change_done(&model->change);
    for (size_t table = 0; table < MODEL_TABLES; table++)
        for (size_t i = 0; i < MODEL_KEYS; i++)
            free(model->keys[table][i].changes);
}

static struct model_key *key_any(struct model *model, size_t *table_out)
{
    *table_out = (size_t)random_below(&model->random, model->table_count);
    return &model->keys[*table_out][random_below(&model->random, MODEL_KEYS)];
}

static void change_draw(struct model *model, uint64_t index, struct model_change *change)
{
    *change = (struct model_change){.index = index};
    change->is_deleted = random_chance(&model->random, 400000);
    change->size = (uint8_t)random_below(&model->random, sizeof change->value + 1);
    random_fill(&model->random, change->value, change->size);
}

/* A leader's entry goes to the head; a follower's is committed as it is written. */
static void step_write(struct model *model)
{
    uint64_t index = ++model->written;
    size_t count = (size_t)random_below(&model->random, 6);
    struct row_write writes[6];
    struct model_change changes[6];
    for (size_t i = 0; i < count; i++) {
        size_t table;
        struct model_key *key = key_any(model, &table);
        change_draw(model, index, &changes[i]);
        changes[i].is_new = key_at(key, index - 1) == NULL && random_chance(&model->random, 700000);
        key_change(model, key, &changes[i]);
        writes[i] = (struct row_write){.table = (uint8_t)table_of(table),
                                       .is_deleted = changes[i].is_deleted,
                                       .is_new = changes[i].is_new,
                                       .key = model_key_bytes(key),
                                       .value = change_value(&changes[i])};
    }
    assert_int_equal(memory_write(model->memory, index, writes, count), PAWL_OK);
}

static void step_commit(struct model *model)
{
    model->committed = random_between(&model->random, model->committed, model->written);
    memory_commit(model->memory, model->committed);
}

static void lose_head(struct model *model)
{
    model->written = model->committed;
    for (size_t table = 0; table < MODEL_TABLES; table++) {
        for (size_t i = 0; i < MODEL_KEYS; i++) {
            struct model_key *key = &model->keys[table][i];
            while (key->change_count > 0 &&
                   key->changes[key->change_count - 1].index > model->committed)
                key->change_count--;
        }
    }
}

static int write_order(const struct row_write *a, const struct row_write *b)
{
    return a->table != b->table ? (int)a->table - (int)b->table : bytes_compare(a->key, b->key);
}

static struct row_write change_write(size_t table, const struct model_key *key,
                                     const struct model_change *change)
{
    return (struct row_write){.table = (uint8_t)table_of(table),
                              .is_deleted = change->is_deleted,
                              .is_new = change->is_new,
                              .key = model_key_bytes(key),
                              .value = change_value(change)};
}

/* What was written at index, as an entry. */
static struct entry entry_at(const struct model *model, uint64_t index, struct arena *arena)
{
    struct entry entry = {.writes =
                              arena_array(arena, MODEL_TABLES * MODEL_KEYS, sizeof *entry.writes)};
    assert_non_null(entry.writes);
    for (size_t table = 0; table < MODEL_TABLES; table++)
        for (size_t i = 0; i < MODEL_KEYS; i++) {
            const struct model_key *key = &model->keys[table][i];
            for (size_t k = 0; k < key->change_count; k++)
                if (key->changes[k].index == index)
                    entry.writes[entry.write_count++] = change_write(table, key, &key->changes[k]);
        }
    return entry;
}

static void step_seal(struct model *model)
{
    if (model->sealed_index != 0 || model->committed == 0)
        return;
    uint64_t index = random_between(&model->random, model->flushed, model->committed);
    arena_reset(&model->sealed_arena);
    const size_t count = (size_t)(index - model->flushed);
    net_change_begin(&model->change, model->options.hash_seed);
    for (size_t i = 0; i < count; i++) {
        const struct entry entry = entry_at(model, model->flushed + 1 + i, &model->sealed_arena);
        assert_int_equal(net_change_add(&model->change, &entry), PAWL_OK);
    }
    assert_int_equal(net_change_end(&model->change, &model->sealed, &model->sealed_count), PAWL_OK);
    for (size_t i = 1; i < model->sealed_count; i++)
        assert_true(write_order(&model->sealed[i - 1], &model->sealed[i]) < 0);
    model->sealed_index = index;
    model->is_sealed_written = false;
}

/* The store thread: the disk may be full, in which case the flush is given up. */
static void step_store(struct model *model)
{
    if (model->sealed_index == 0 || model->is_sealed_written)
        return;
    bool is_full = random_chance(&model->random, 200000);
    rows_map_fail_next(model->map, is_full ? ROWS_MAP_DISK_FULL : ROWS_MAP_SOUND);
    struct rows_mark mark = {.index = model->sealed_index, .term = 1};
    enum pawl_error error =
        model->rows.flush(model->rows.self, 0, &mark, model->sealed, model->sealed_count, NULL);
    assert_int_equal(error, is_full ? PAWL_E_DISK_FULL : PAWL_OK);
    if (is_full) {
        model->sealed_index = 0;
        return;
    }
    model->is_sealed_written = true;
    store_check(model);
}

static void step_flushed(struct model *model)
{
    if (!model->is_sealed_written)
        return;
    size_t row_count = memory_figures(model->memory).row_count;
    memory_flushed(model->memory, model->sealed_index);
    model->flushed = model->sealed_index;
    model->sealed_index = 0;
    model->is_sealed_written = false;
    struct memory_figures figures = memory_figures(model->memory);
    assert_true(figures.clean_bytes <= model->options.clean_bytes_max);
    model->evicted_count += row_count - figures.row_count;
}

/* What was committed is replayed; the head is gone. */
static void replay(struct model *model)
{
    lose_head(model);
    for (uint64_t index = model->flushed + 1; index <= model->committed; index++) {
        const struct entry entry = entry_at(model, index, &model->arena);
        assert_int_equal(memory_write(model->memory, index, entry.writes, entry.write_count),
                         PAWL_OK);
    }
    memory_commit(model->memory, model->committed);
}

/* What is flushed stays. */
static void step_restart(struct model *model)
{
    memory_free(model->memory);
    struct rows_snapshot *snapshot;
    assert_int_equal(model->rows.snapshot_open(model->rows.self, 0, &snapshot), PAWL_OK);
    model->flushed = model->rows.snapshot_mark(model->rows.self, snapshot).index;
    model->rows.snapshot_close(model->rows.self, snapshot);
    for (size_t i = 0; i < MODEL_SNAPSHOTS; i++)
        snapshot_drop(model, i);
    model->sealed_index = 0;
    model->is_sealed_written = false;
    memory_begin(model);
    replay(model);
}

/* The role is lost and won again, whatever flush and whatever loads are under way. */
static void step_new_leader(struct model *model)
{
    if (model->is_role_kept)
        return;
    assert_int_equal(memory_reset(model->memory, model->flushed), PAWL_OK);
    replay(model);
}

static uint64_t level_index(const struct model *model, enum memory_level level)
{
    return level == MEMORY_HEAD ? model->written : model->committed;
}

/* As the loader does it: everything up to a bound, from a snapshot. The error of memory_loaded. */
static enum pawl_error load(struct model *model, struct rows_snapshot *snapshot,
                            const struct memory_missing *missing, size_t row_max)
{
    struct row rows[MODEL_KEYS];
    size_t count = 0;
    struct bytes covered_end = no_bytes;
    uint64_t label = model->rows.snapshot_mark(model->rows.self, snapshot).index;
    uint8_t after_last[ROW_KEY_BYTES_MAX + 1];
    if (missing->is_range) {
        assert_int_equal(model->rows.scan(model->rows.self, snapshot, missing->table,
                                          missing->begin, missing->end, false, row_max, rows,
                                          &count),
                         PAWL_OK);
        if (count == row_max) {
            struct bytes last = rows[count - 1].key;
            memcpy(after_last, last.data, last.size);
            after_last[last.size] = 0;
            covered_end = bytes_of(after_last, last.size + 1);
        }
    } else {
        rows[0].key = missing->begin;
        count = model->rows.get(model->rows.self, snapshot, missing->table, missing->begin,
                                &rows[0].value) == PAWL_OK
                    ? 1
                    : 0;
    }
    return memory_loaded(model->memory, label, missing, rows, count, covered_end);
}

/* From an old snapshot, sometimes; and then from a new one, which must do. */
static void load_missing(struct model *model, const struct memory_missing *missing)
{
    if (table_place(missing->table) == PLACE_STORE)
        return; /* no decision reads it */
    size_t row_max = (size_t)random_between(&model->random, 1, MODEL_KEYS);
    struct rows_snapshot *old = model->snapshots[random_below(&model->random, MODEL_SNAPSHOTS)];
    if (old != NULL && random_chance(&model->random, 700000)) {
        uint64_t label = model->rows.snapshot_mark(model->rows.self, old).index;
        enum pawl_error error = load(model, old, missing, row_max);
        memory_check(model->memory);
        assert_true(error == PAWL_OK || error == PAWL_E_STALE);
        assert_true(error == PAWL_OK || label < model->flushed);
        model->stale_count += error == PAWL_E_STALE ? 1 : 0;
        if (error == PAWL_OK || random_chance(&model->random, 500000))
            return;
    }
    struct rows_snapshot *snapshot;
    assert_int_equal(model->rows.snapshot_open(model->rows.self, 0, &snapshot), PAWL_OK);
    assert_int_equal(load(model, snapshot, missing, row_max), PAWL_OK);
    model->rows.snapshot_close(model->rows.self, snapshot);
}

static void step_get(struct model *model)
{
    size_t table;
    struct model_key *key = key_any(model, &table);
    enum memory_level level =
        random_chance(&model->random, 500000) ? MEMORY_HEAD : MEMORY_COMMITTED;
    const struct model_change *change = key_at(key, level_index(model, level));
    struct memory_reader reader = {.memory = model->memory, .level = level, .arena = &model->arena};
    struct view view = memory_view(&reader);
    struct bytes value;
    enum pawl_error error = view.get(view.self, table_of(table), model_key_bytes(key), &value);
    assert_true((reader.missing_count > 0) == (error == PAWL_E_NOT_LOADED));
    if (error != PAWL_E_NOT_LOADED) {
        assert_int_equal(error, change == NULL ? PAWL_E_NOT_FOUND : PAWL_OK);
        assert_true(change == NULL || bytes_equal(value, change_value(change)));
        return;
    }
    assert_int_equal(reader.missing[0].table, table_of(table));
    assert_false(reader.missing[0].is_range);
    assert_true(bytes_equal(reader.missing[0].begin, model_key_bytes(key)));
    model->missed_count++;
    load_missing(model, &reader.missing[0]);
}

/* Where a scan may begin or end: at a key, just after one, inside one, or at the table's edge. */
static struct bytes bound_draw(struct model *model, size_t table)
{
    if (random_chance(&model->random, 200000))
        return no_bytes;
    const struct model_key *key = &model->keys[table][random_below(&model->random, MODEL_KEYS)];
    uint8_t bound[ROW_KEY_BYTES_MAX + 1] = {0};
    memcpy(bound, key->key, key->key_size);
    size_t size = key->key_size;
    if (random_chance(&model->random, 300000))
        size++;
    else if (random_chance(&model->random, 300000))
        size = (size_t)random_between(&model->random, 1, size);
    return arena_copy(&model->arena, bytes_of(bound, size));
}

static bool is_inside(struct bytes key, struct bytes begin, struct bytes end)
{
    return bytes_compare(key, begin) >= 0 && (end.size == 0 || bytes_compare(key, end) < 0);
}

static void scan_compare(const struct model *model, size_t table, uint64_t index,
                         struct bytes begin, struct bytes end, size_t row_max,
                         const struct row *rows, size_t count)
{
    size_t expected = 0;
    for (size_t i = 0; i < MODEL_KEYS && expected < row_max; i++) {
        const struct model_key *key = &model->keys[table][i];
        const struct model_change *change = key_at(key, index);
        if (change == NULL || !is_inside(model_key_bytes(key), begin, end))
            continue;
        assert_true(expected < count);
        assert_true(bytes_equal(rows[expected].key, model_key_bytes(key)));
        assert_true(bytes_equal(rows[expected].value, change_value(change)));
        expected++;
    }
    assert_int_equal(expected, count);
}

static void step_scan(struct model *model)
{
    size_t table = (size_t)random_below(&model->random, model->table_count);
    struct bytes begin = bound_draw(model, table), end = bound_draw(model, table);
    size_t row_max = (size_t)random_below(&model->random, 12);
    enum memory_level level =
        random_chance(&model->random, 500000) ? MEMORY_HEAD : MEMORY_COMMITTED;
    struct memory_reader reader = {.memory = model->memory, .level = level, .arena = &model->arena};
    struct view view = memory_view(&reader);
    struct row rows[12];
    size_t count = 0;
    enum pawl_error error =
        view.scan(view.self, table_of(table), begin, end, row_max, rows, &count);
    if (error == PAWL_OK) {
        scan_compare(model, table, level_index(model, level), begin, end, row_max, rows, count);
        return;
    }
    assert_int_equal(error, PAWL_E_NOT_LOADED);
    assert_true((reader.missing_count > 0) && reader.missing[0].is_range);
    assert_int_equal(reader.missing[0].table, table_of(table));
    assert_true(is_inside(reader.missing[0].begin, begin, end));
    assert_true(end.size == 0 || (reader.missing[0].end.size != 0 &&
                                  bytes_compare(reader.missing[0].end, end) <= 0));
    model->missed_count++;
    load_missing(model, &reader.missing[0]);
}

static void step_snapshot(struct model *model)
{
    size_t at = (size_t)random_below(&model->random, MODEL_SNAPSHOTS);
    snapshot_drop(model, at);
    assert_int_equal(model->rows.snapshot_open(model->rows.self, 0, &model->snapshots[at]),
                     PAWL_OK);
}

/* Loaded though nothing was missed: a loader may come late, or bring more than was asked for. */
static void step_load_unasked(struct model *model)
{
    size_t table = (size_t)random_below(&model->random, model->table_count);
    struct memory_missing missing = {.table = table_of(table), .is_range = true};
    missing.begin = bound_draw(model, table);
    missing.end = bound_draw(model, table);
    if (missing.end.size != 0 && bytes_compare(missing.begin, missing.end) >= 0)
        return;
    load_missing(model, &missing);
}

static const struct {
    unsigned weight;
    void (*step)(struct model *model);
} steps[] = {
    {30, step_get},         {20, step_scan},      {20, step_write},  {10, step_commit},
    {3, step_seal},         {3, step_store},      {3, step_flushed}, {2, step_snapshot},
    {2, step_load_unasked}, {1, step_new_leader},
};

void model_step(struct model *model)
{
    unsigned total = 0, at = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        total += steps[i].weight;
    if (random_chance(&model->random, model->restarts_per_million)) {
        step_restart(model);
    } else {
        uint64_t drawn = random_below(&model->random, total);
        while (drawn >= steps[at].weight)
            drawn -= steps[at++].weight;
        steps[at].step(model);
    }
    memory_check(model->memory);
    arena_reset(&model->arena);
}
