#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/store/memory.h"
#include "node/store/memory_rows.h"
#include "proto/limits.h"

enum { BIG = 1 << 20 };

static const struct bytes no_bytes = {NULL, 0};

struct fixture {
    struct memory *memory;
    struct arena arena;
    struct memory_missing missing; /* of the last read */
};

static void open_with(struct fixture *fixture, size_t clean_bytes_max, uint64_t flushed_index)
{
    *fixture = (struct fixture){
        .memory = memory_new(&(struct memory_options){.clean_bytes_max = clean_bytes_max})};
    assert_non_null(fixture->memory);
    assert_int_equal(memory_reset(fixture->memory, flushed_index), PAWL_OK);
}

static void done(struct fixture *fixture)
{
    memory_check(fixture->memory);
    memory_free(fixture->memory);
    arena_done(&fixture->arena);
}

static void put(struct fixture *fixture, uint64_t index, const char *key, const char *value)
{
    struct row_write write = {.table = TABLE_READY,
                              .is_deleted = value == NULL,
                              .key = bytes_string(key),
                              .value = bytes_string(value)};
    assert_int_equal(memory_write(fixture->memory, index, &write, 1), PAWL_OK);
    memory_check(fixture->memory);
}

static void put_flushed(struct fixture *fixture, uint64_t index, const char *key, const char *value)
{
    put(fixture, index, key, value);
    memory_commit(fixture->memory, index);
    memory_flushed(fixture->memory, index);
    memory_check(fixture->memory);
}

/* The value, "absent" or "not loaded". */
static const char *get_at(struct fixture *fixture, enum memory_level level, const char *key)
{
    struct memory_reader reader = {
        .memory = fixture->memory, .level = level, .arena = &fixture->arena};
    struct view view = memory_view(&reader);
    struct bytes value;
    enum pawl_error error = view.get(view.self, TABLE_READY, bytes_string(key), &value);
    assert_int_equal(reader.missing_count, error == PAWL_E_NOT_LOADED ? 1 : 0);
    if (reader.missing_count > 0)
        fixture->missing = reader.missing[0];
    if (error == PAWL_E_NOT_LOADED)
        return "not loaded";
    if (error == PAWL_E_NOT_FOUND)
        return "absent";
    assert_int_equal(error, PAWL_OK);
    return arena_string(&fixture->arena, value);
}

#define EXPECT(fixture, level, key, text) assert_string_equal(get_at(fixture, level, key), text)
#define EXPECT_BOTH(fixture, key, text)                                                            \
    EXPECT(fixture, MEMORY_COMMITTED, key, text);                                                  \
    EXPECT(fixture, MEMORY_HEAD, key, text)

/* The keys of [begin, end), one after the other, "not loaded" as "begin..end" of what is missing.
 */
static const char *scan(struct fixture *fixture, const char *begin, const char *end, size_t row_max)
{
    struct memory_reader reader = {
        .memory = fixture->memory, .level = MEMORY_HEAD, .arena = &fixture->arena};
    struct view view = memory_view(&reader);
    struct row rows[8];
    size_t count = 0;
    assert_true(row_max <= 8);
    enum pawl_error error = view.scan(view.self, TABLE_READY, bytes_string(begin),
                                      bytes_string(end), row_max, rows, &count);
    char *text = arena_alloc(&fixture->arena, 512);
    if (error == PAWL_E_NOT_LOADED) {
        fixture->missing = reader.missing[0];
        assert_true(fixture->missing.is_range);
        snprintf(text, 512, "%.*s..%.*s", (int)fixture->missing.begin.size,
                 (const char *)fixture->missing.begin.data, (int)fixture->missing.end.size,
                 (const char *)fixture->missing.end.data);
        return text;
    }
    assert_int_equal(error, PAWL_OK);
    for (size_t i = 0; i < count; i++)
        strncat(text, (const char *)rows[i].key.data, rows[i].key.size);
    return text;
}

/* Load a range from a snapshot in which it holds these keys, each with the value "loaded". */
static enum pawl_error load(struct fixture *fixture, uint64_t label, const char *begin,
                            const char *end, const char *one_letter_keys)
{
    struct memory_missing missing = {.table = TABLE_READY,
                                     .is_range = true,
                                     .begin = bytes_string(begin),
                                     .end = bytes_string(end)};
    struct row rows[32];
    size_t count = strlen(one_letter_keys);
    assert_true(count <= 32);
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct row){bytes_of(one_letter_keys + i, 1), BYTES_LITERAL("loaded")};
    enum pawl_error error = memory_loaded(fixture->memory, label, &missing, rows, count, no_bytes);
    memory_check(fixture->memory);
    return error;
}

static enum pawl_error load_key(struct fixture *fixture, uint64_t label, const char *key,
                                bool is_there)
{
    struct memory_missing missing = {.table = TABLE_READY, .begin = bytes_string(key)};
    struct row row = {bytes_string(key), BYTES_LITERAL("loaded")};
    enum pawl_error error =
        memory_loaded(fixture->memory, label, &missing, &row, is_there ? 1 : 0, no_bytes);
    memory_check(fixture->memory);
    return error;
}

static void test_memory_get_in_new_store_is_absent_in_old_one_not_loaded(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 0);
    EXPECT_BOTH(&fixture, "a", "absent");
    done(&fixture);
    open_with(&fixture, BIG, 10);
    EXPECT_BOTH(&fixture, "a", "not loaded");
    assert_false(fixture.missing.is_range);
    assert_int_equal(fixture.missing.table, TABLE_READY);
    assert_true(bytes_equal(fixture.missing.begin, BYTES_LITERAL("a")));
    done(&fixture);
}

static void test_memory_head_is_seen_at_head_only_until_it_is_committed(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 0);
    put(&fixture, 1, "a", "one");
    put(&fixture, 2, "a", "two");
    EXPECT(&fixture, MEMORY_COMMITTED, "a", "absent");
    EXPECT(&fixture, MEMORY_HEAD, "a", "two");
    memory_commit(fixture.memory, 1);
    EXPECT(&fixture, MEMORY_COMMITTED, "a", "one");
    put(&fixture, 3, "a", NULL);
    EXPECT(&fixture, MEMORY_HEAD, "a", "absent");
    EXPECT(&fixture, MEMORY_COMMITTED, "a", "one");
    memory_commit(fixture.memory, 3);
    EXPECT_BOTH(&fixture, "a", "absent");
    done(&fixture);
}

static void test_memory_two_writes_of_a_key_in_one_entry_leave_the_second(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 0);
    put(&fixture, 1, "a", "one");
    put(&fixture, 1, "a", "two");
    EXPECT(&fixture, MEMORY_HEAD, "a", "two");
    assert_int_equal(memory_figures(fixture.memory).version_count, 1);
    done(&fixture);
}

static void test_memory_write_that_cannot_be_is_invalid(void **state)
{
    (void)state;
    static const uint8_t key[ROW_KEY_BYTES_MAX + 1];
    const struct row_write writes[] = {
        {.table = TABLE_COUNT, .key = BYTES_LITERAL("a")},
        {.table = TABLE_READY, .key = bytes_of(key, 0)},
        {.table = TABLE_READY, .key = bytes_of(key, sizeof key)},
    };
    struct fixture fixture;
    open_with(&fixture, BIG, 0);
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        struct row_write pair[2] = {{.table = TABLE_READY, .key = BYTES_LITERAL("b")}, writes[i]};
        assert_int_equal(memory_write(fixture.memory, 1, pair, 2), PAWL_E_INVALID);
    }
    assert_int_equal(memory_figures(fixture.memory).row_count, 0);
    done(&fixture);
}

static void test_memory_deleted_row_stays_known_after_its_flush(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 10);
    assert_int_equal(load(&fixture, 10, "m", NULL, "m"), PAWL_OK);
    put(&fixture, 11, "m", NULL);
    put(&fixture, 11, "a", NULL);
    memory_commit(fixture.memory, 11);
    memory_flushed(fixture.memory, 11);
    EXPECT_BOTH(&fixture, "m", "absent");
    EXPECT_BOTH(&fixture, "a", "absent");
    assert_int_equal(memory_figures(fixture.memory).row_count, 1); /* the range knows m */
    done(&fixture);
}

static void test_memory_load_goes_under_the_head_and_not_over_the_window(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 10);
    put(&fixture, 11, "w", "window");
    memory_commit(fixture.memory, 11);
    put(&fixture, 12, "h", "head");
    put(&fixture, 12, "x", NULL);
    assert_int_equal(load_key(&fixture, 10, "w", true), PAWL_OK);
    assert_int_equal(load_key(&fixture, 10, "h", true), PAWL_OK);
    assert_int_equal(load(&fixture, 10, "x", NULL, "xy"), PAWL_OK);
    EXPECT_BOTH(&fixture, "w", "window");
    EXPECT(&fixture, MEMORY_HEAD, "h", "head");
    EXPECT(&fixture, MEMORY_COMMITTED, "h", "loaded");
    EXPECT(&fixture, MEMORY_HEAD, "x", "absent");
    EXPECT(&fixture, MEMORY_COMMITTED, "x", "loaded");
    assert_string_equal(scan(&fixture, "x", NULL, 8), "y");
    done(&fixture);
}

static void test_memory_load_of_an_absent_key_is_known(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 10);
    assert_int_equal(load_key(&fixture, 10, "a", false), PAWL_OK);
    EXPECT_BOTH(&fixture, "a", "absent");
    EXPECT_BOTH(&fixture, "b", "not loaded");
    done(&fixture);
}

static void test_memory_scan_needs_only_what_it_reaches(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 10);
    assert_int_equal(load(&fixture, 10, "b", "f", "bcd"), PAWL_OK);
    assert_int_equal(load(&fixture, 10, "k", "m", "k"), PAWL_OK);
    static const struct {
        const char *begin, *end;
        size_t row_max;
        const char *found;
    } rows[] = {
        {"b", "f", 8, "bcd"},  {"b", NULL, 3, "bcd"}, {"b", NULL, 4, "f..k"}, {"c", "d", 8, "c"},
        {"b", "h", 8, "f..h"}, {NULL, "f", 8, "..b"}, {"g", "z", 8, "g..k"},  {"m", NULL, 1, "m.."},
        {"k", "m", 8, "k"},    {"e", "f", 8, ""},     {"f", "c", 8, ""},      {"b", NULL, 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(scan(&fixture, rows[i].begin, rows[i].end, rows[i].row_max),
                            rows[i].found);
    done(&fixture);
}

static void test_memory_load_as_far_as_it_was_read_covers_that_far(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 10);
    struct memory_missing missing = {
        .table = TABLE_READY, .is_range = true, .begin = BYTES_LITERAL("a")};
    struct row row = {BYTES_LITERAL("c"), BYTES_LITERAL("loaded")};
    assert_int_equal(memory_loaded(fixture.memory, 10, &missing, &row, 1, BYTES_LITERAL("d")),
                     PAWL_OK);
    EXPECT_BOTH(&fixture, "b", "absent");
    EXPECT_BOTH(&fixture, "d", "not loaded");
    assert_string_equal(scan(&fixture, "a", NULL, 8), "d..");
    done(&fixture);
}

static void test_memory_scan_takes_rows_deleted_for_good_out_of_its_way(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 0);
    for (char key = 'a'; key <= 'z'; key++)
        put(&fixture, 1, (char[]){key, 0}, "value");
    for (char key = 'a'; key < 'z'; key++)
        put(&fixture, 2, (char[]){key, 0}, NULL);
    memory_commit(fixture.memory, 1);
    assert_string_equal(scan(&fixture, NULL, NULL, 8), "z");
    assert_int_equal(row_tree_check(&fixture.memory->trees[TABLE_READY]), 26);
    memory_commit(fixture.memory, 2);
    assert_string_equal(scan(&fixture, NULL, NULL, 8), "z");
    assert_int_equal(row_tree_check(&fixture.memory->trees[TABLE_READY]), 1);
    put(&fixture, 3, "c", "again");
    assert_string_equal(scan(&fixture, NULL, NULL, 8), "cz");
    done(&fixture);
}

static void test_memory_load_older_than_the_start_is_stale(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 10);
    assert_int_equal(load_key(&fixture, 9, "a", true), PAWL_E_STALE);
    EXPECT_BOTH(&fixture, "a", "not loaded");
    done(&fixture);
}

static void test_memory_load_older_than_an_evicted_change_is_stale(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, 0, 10);
    put_flushed(&fixture, 11, "a", "new");
    EXPECT_BOTH(&fixture, "a", "not loaded");
    assert_int_equal(load_key(&fixture, 10, "a", true), PAWL_E_STALE);
    assert_int_equal(load_key(&fixture, 11, "a", true), PAWL_OK);
    done(&fixture);
}

/* The deletion of d leaves no row behind; only the range tells of it, and then the range goes. */
static void test_memory_load_older_than_a_deletion_in_a_lost_range_is_stale(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, 500, 10);
    assert_int_equal(load(&fixture, 10, "c", "f", "de"), PAWL_OK);
    put_flushed(&fixture, 11, "d", NULL);
    assert_int_equal(load_key(&fixture, 10, "x", true), PAWL_OK);
    EXPECT_BOTH(&fixture, "d", "absent");
    char wide[] = "0123456789";
    for (size_t i = 0; wide[i] != 0; i++)
        assert_int_equal(load_key(&fixture, 11, (char[]){wide[i], 0}, true), PAWL_OK);
    EXPECT_BOTH(&fixture, "e", "not loaded");
    EXPECT_BOTH(&fixture, "d", "not loaded");
    assert_int_equal(load_key(&fixture, 10, "d", true), PAWL_E_STALE);
    assert_int_equal(load_key(&fixture, 11, "d", false), PAWL_OK);
    done(&fixture);
}

/* The same after the tombstone stood outside any range, was covered later, and was evicted inside.
 */
static void test_memory_load_older_than_an_evicted_tombstone_is_stale(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, 700, 10);
    put_flushed(&fixture, 11, "d", NULL);
    assert_int_equal(load(&fixture, 11, "c", "f", "e"), PAWL_OK);
    assert_int_equal(load(&fixture, 11, "f", "g", "f"), PAWL_OK);
    for (char key = '0'; key <= '9'; key++) {
        EXPECT_BOTH(&fixture, "e", "loaded");
        EXPECT_BOTH(&fixture, "f", "loaded");
        assert_int_equal(load_key(&fixture, 10, (char[]){key, 0}, true), PAWL_OK);
    }
    EXPECT_BOTH(&fixture, "d", "absent");
    for (char key = '0'; key <= '9'; key++)
        assert_int_equal(load_key(&fixture, 11, (char[]){key, 0}, true), PAWL_OK);
    EXPECT_BOTH(&fixture, "d", "not loaded");
    assert_int_equal(load_key(&fixture, 10, "d", true), PAWL_E_STALE);
    done(&fixture);
}

static void test_memory_eviction_is_by_use_and_never_touches_what_was_just_loaded(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, 800, 10);
    assert_int_equal(load_key(&fixture, 10, "a", true), PAWL_OK);
    assert_int_equal(load_key(&fixture, 10, "b", true), PAWL_OK);
    assert_int_equal(load_key(&fixture, 10, "c", true), PAWL_OK);
    assert_true(memory_figures(fixture.memory).clean_bytes <= 800);
    assert_int_equal(load(&fixture, 10, "k", NULL, "klmnopqrstuvwxyz"), PAWL_OK);
    assert_true(memory_figures(fixture.memory).clean_bytes > 800);
    assert_string_equal(scan(&fixture, "k", NULL, 8), "klmnopqr");
    EXPECT_BOTH(&fixture, "a", "not loaded");
    assert_int_equal(load_key(&fixture, 10, "b", true), PAWL_OK);
    EXPECT_BOTH(&fixture, "r", "loaded");
    EXPECT_BOTH(&fixture, "s", "not loaded");
    memory_flushed(fixture.memory, 10);
    assert_true(memory_figures(fixture.memory).clean_bytes <= 800);
    done(&fixture);
}

static void test_memory_row_that_is_read_survives_a_flush_that_fills_memory(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, 800, 0);
    put_flushed(&fixture, 1, "a", "value");
    put_flushed(&fixture, 2, "b", "value");
    EXPECT_BOTH(&fixture, "a", "value");
    uint64_t index = 2;
    for (char key = 'c'; key <= 'z'; key++)
        put(&fixture, ++index, (char[]){key, 0}, "value");
    memory_commit(fixture.memory, index);
    memory_flushed(fixture.memory, index);
    assert_true(memory_figures(fixture.memory).clean_bytes <= 800);
    EXPECT(&fixture, MEMORY_HEAD, "b", "not loaded");
    EXPECT(&fixture, MEMORY_HEAD, "c", "not loaded");
    EXPECT_BOTH(&fixture, "a", "value");
    EXPECT_BOTH(&fixture, "z", "value"); /* the newest stay */
    done(&fixture);
}

static void test_memory_eviction_of_the_last_row_keeps_the_absences_after_it(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, 0, 0);
    put_flushed(&fixture, 1, "m", "value");
    EXPECT_BOTH(&fixture, "m", "not loaded");
    EXPECT_BOTH(&fixture, "n", "absent");
    EXPECT_BOTH(&fixture, "l", "not loaded");
    done(&fixture);
}

/* Keys that rise with time: the old ones leave from the front, and the next key's absence stays
 * known. */
static void test_memory_eviction_of_rising_keys_keeps_one_range_to_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, 4000, 0);
    for (uint64_t i = 1; i <= 500; i++) {
        char key[16];
        snprintf(key, sizeof key, "%08d", (int)i);
        EXPECT(&fixture, MEMORY_HEAD, key, "absent");
        put_flushed(&fixture, i, key, "value");
    }
    assert_true(memory_figures(fixture.memory).row_count < 50);
    assert_int_equal(fixture.memory->ranges[TABLE_READY].count, 1);
    EXPECT_BOTH(&fixture, "00000001", "not loaded");
    done(&fixture);
}

static enum pawl_error get_in(struct fixture *fixture, enum row_table table, const char *key)
{
    struct memory_reader reader = {
        .memory = fixture->memory, .level = MEMORY_HEAD, .arena = &fixture->arena};
    struct view view = memory_view(&reader);
    struct bytes value;
    return view.get(view.self, table, bytes_string(key), &value);
}

static void test_memory_keeps_nothing_of_the_journal(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 0);
    const struct row_write writes[] = {
        {.table = TABLE_JOURNAL, .key = BYTES_LITERAL("a"), .value = BYTES_LITERAL("event")},
        {.table = TABLE_READY, .key = BYTES_LITERAL("a"), .value = BYTES_LITERAL("ready")},
    };
    assert_int_equal(memory_write(fixture.memory, 1, writes, 2), PAWL_OK);
    assert_int_equal(memory_figures(fixture.memory).row_count, 1);
    assert_int_equal(get_in(&fixture, TABLE_JOURNAL, "a"), PAWL_E_NOT_LOADED);
    EXPECT(&fixture, MEMORY_HEAD, "a", "ready");
    done(&fixture);
}

/* Rows that are found by their keys only: no order, no ranges, and no trace of a deletion that is
 * flushed, except that older loads are refused. */
static void test_memory_row_by_key_leaves_with_its_deletion(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 10);
    const struct row_write born = {
        .table = TABLE_STEP, .key = BYTES_LITERAL("a"), .value = BYTES_LITERAL("step")};
    const struct row_write dead = {
        .table = TABLE_STEP, .is_deleted = true, .key = BYTES_LITERAL("a")};
    const struct memory_missing missing = {.table = TABLE_STEP, .begin = BYTES_LITERAL("a")};
    const struct row row = {BYTES_LITERAL("a"), BYTES_LITERAL("step")};
    assert_int_equal(memory_write(fixture.memory, 11, &born, 1), PAWL_OK);
    assert_null(fixture.memory->trees[TABLE_STEP].root);
    memory_commit(fixture.memory, 11);
    memory_flushed(fixture.memory, 11);
    assert_int_equal(get_in(&fixture, TABLE_STEP, "a"), PAWL_OK);
    assert_int_equal(memory_write(fixture.memory, 12, &dead, 1), PAWL_OK);
    assert_int_equal(get_in(&fixture, TABLE_STEP, "a"), PAWL_E_NOT_FOUND);
    memory_commit(fixture.memory, 12);
    memory_flushed(fixture.memory, 12);
    assert_int_equal(memory_figures(fixture.memory).row_count, 0);
    assert_int_equal(get_in(&fixture, TABLE_STEP, "a"), PAWL_E_NOT_LOADED);
    assert_int_equal(memory_loaded(fixture.memory, 11, &missing, &row, 1, no_bytes), PAWL_E_STALE);
    assert_int_equal(memory_loaded(fixture.memory, 12, &missing, NULL, 0, no_bytes), PAWL_OK);
    assert_int_equal(get_in(&fixture, TABLE_STEP, "a"), PAWL_E_NOT_FOUND);
    done(&fixture);
}

static void test_memory_reset_forgets_all_and_refuses_older_loads(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 10);
    put_flushed(&fixture, 11, "a", "clean");
    put(&fixture, 12, "b", "window");
    memory_commit(fixture.memory, 12);
    put(&fixture, 13, "c", "head");
    assert_int_equal(memory_reset(fixture.memory, 11), PAWL_OK);
    memory_check(fixture.memory);
    assert_int_equal(memory_figures(fixture.memory).row_count, 0);
    EXPECT_BOTH(&fixture, "a", "not loaded");
    assert_int_equal(load_key(&fixture, 10, "a", true), PAWL_E_STALE);
    put(&fixture, 12, "b", "window again");
    memory_commit(fixture.memory, 12);
    assert_int_equal(load_key(&fixture, 12, "b", true), PAWL_OK); /* flushed, not heard of yet */
    memory_flushed(fixture.memory, 12);
    EXPECT_BOTH(&fixture, "b", "window again");
    done(&fixture);
}

static void test_memory_ranges_are_bounded_and_the_used_one_stays(void **state)
{
    (void)state;
    struct fixture fixture;
    open_with(&fixture, BIG, 10);
    for (int i = 0; i < MEMORY_RANGES_MAX + 100; i++) {
        char begin[16], end[16];
        snprintf(begin, sizeof begin, "%06d", i);
        snprintf(end, sizeof end, "%06d!", i);
        struct memory_missing missing = {.table = TABLE_READY,
                                         .is_range = true,
                                         .begin = bytes_string(begin),
                                         .end = bytes_string(end)};
        assert_int_equal(memory_loaded(fixture.memory, 10, &missing, NULL, 0, no_bytes), PAWL_OK);
        EXPECT_BOTH(&fixture, "000000", "absent");
    }
    memory_check(fixture.memory);
    assert_int_equal(fixture.memory->ranges[TABLE_READY].count, MEMORY_RANGES_MAX);
    EXPECT_BOTH(&fixture, "000001", "not loaded");
    done(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_get_in_new_store_is_absent_in_old_one_not_loaded),
        cmocka_unit_test(test_memory_head_is_seen_at_head_only_until_it_is_committed),
        cmocka_unit_test(test_memory_two_writes_of_a_key_in_one_entry_leave_the_second),
        cmocka_unit_test(test_memory_write_that_cannot_be_is_invalid),
        cmocka_unit_test(test_memory_deleted_row_stays_known_after_its_flush),
        cmocka_unit_test(test_memory_load_goes_under_the_head_and_not_over_the_window),
        cmocka_unit_test(test_memory_load_of_an_absent_key_is_known),
        cmocka_unit_test(test_memory_scan_needs_only_what_it_reaches),
        cmocka_unit_test(test_memory_load_as_far_as_it_was_read_covers_that_far),
        cmocka_unit_test(test_memory_scan_takes_rows_deleted_for_good_out_of_its_way),
        cmocka_unit_test(test_memory_load_older_than_the_start_is_stale),
        cmocka_unit_test(test_memory_load_older_than_an_evicted_change_is_stale),
        cmocka_unit_test(test_memory_load_older_than_a_deletion_in_a_lost_range_is_stale),
        cmocka_unit_test(test_memory_load_older_than_an_evicted_tombstone_is_stale),
        cmocka_unit_test(test_memory_eviction_is_by_use_and_never_touches_what_was_just_loaded),
        cmocka_unit_test(test_memory_row_that_is_read_survives_a_flush_that_fills_memory),
        cmocka_unit_test(test_memory_eviction_of_the_last_row_keeps_the_absences_after_it),
        cmocka_unit_test(test_memory_eviction_of_rising_keys_keeps_one_range_to_the_end),
        cmocka_unit_test(test_memory_keeps_nothing_of_the_journal),
        cmocka_unit_test(test_memory_row_by_key_leaves_with_its_deletion),
        cmocka_unit_test(test_memory_reset_forgets_all_and_refuses_older_loads),
        cmocka_unit_test(test_memory_ranges_are_bounded_and_the_used_one_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
