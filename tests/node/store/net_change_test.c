#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/store/net_change.h"
#include "tests/sim/random.h"

enum { ENTRIES = 24, WRITES = 6, TABLES = 3, KEYS = 9 };

static const enum row_table tables[TABLES] = {TABLE_STEP, TABLE_READY, TABLE_INCIDENT};

static void net_change_of(struct net_change *change, const struct entry *entries, size_t count,
                          uint64_t seed, const struct row_write **writes, size_t *write_count)
{
    net_change_begin(change, seed);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(net_change_add(change, &entries[i]), PAWL_OK);
    assert_int_equal(net_change_end(change, writes, write_count), PAWL_OK);
}

/* ---- in words ---- */

/* Entries are separated by ';', writes by ' ': "+a=1" is a new row, "a=1" a changed one, "-a" a
 * deleted one; a key in capitals is of the journal. */
static void parse(const char *text, struct entry *entry, struct arena *arena)
{
    *entry = (struct entry){.writes = arena_array(arena, WRITES, sizeof *entry->writes)};
    assert_non_null(entry->writes);
    while (*text != 0 && *text != ';') {
        struct row_write *write = &entry->writes[entry->write_count++];
        assert_true(entry->write_count <= WRITES);
        write->is_new = *text == '+';
        write->is_deleted = *text == '-';
        text += write->is_new || write->is_deleted;
        write->table = *text >= 'A' && *text <= 'Z' ? TABLE_JOURNAL : TABLE_STEP;
        write->key = bytes_of(text++, 1);
        if (*text == '=') {
            write->value = bytes_of(++text, 1);
            text++;
        }
        text += *text == ' ';
    }
}

static const char *told(struct net_change *change, const char *text, struct arena *arena)
{
    struct entry entries[8];
    size_t count = 0, write_count;
    for (const char *at = text; at != NULL; at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL)
        parse(at, &entries[count++], arena);
    const struct row_write *writes;
    net_change_of(change, entries, count, 7, &writes, &write_count);
    char *out = arena_alloc(arena, 256);
    for (size_t i = 0; i < write_count; i++) {
        const size_t at = strlen(out);
        snprintf(out + at, 256 - at, "%s%s%.*s%s%.*s", i == 0 ? "" : " ",
                 writes[i].is_deleted ? "-"
                 : writes[i].is_new   ? "+"
                                      : "",
                 (int)writes[i].key.size, (const char *)writes[i].key.data,
                 writes[i].is_deleted ? "" : "=", (int)writes[i].value.size,
                 (const char *)writes[i].value.data);
    }
    return out;
}

static void test_net_change_of_entries_is_as_told(void **state)
{
    (void)state;
    static const struct {
        const char *entries, *change;
    } rows[] = {
        {"", ""},
        {"a=1", "a=1"},
        {"b=1;a=2;b=3", "a=2 b=3"},
        {"a=1;-a", "-a"},
        {"+a=1;-a", ""},
        {"+a=1;-a;+a=2", "+a=2"},
        {"+a=1;a=2", "+a=2"},
        {"-a;+a=1", "a=1"},
        {"-a;+a=1;-a", "-a"},
        {"+a=1 b=2;-a c=3;-c", "b=2 -c"},
        {"+A=1 b=1;+B=2 a=1;+C=3", "a=1 b=1 +A=1 +B=2 +C=3"},
        {"+B=1 b=1;+A=2", "b=1 +A=2 +B=1"}, /* keys that do not rise are sorted like others */
        {"+A=1;-A", ""},
    };
    struct net_change change = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena = {0};
        assert_string_equal(told(&change, rows[i].entries, &arena), rows[i].change);
        arena_done(&arena);
    }
    net_change_done(&change);
}

/* Keys of all lengths around those that are compared without a look at the key: some end in zeros,
 * some begin like others. */
static void test_net_change_of_alike_keys_tells_them_apart(void **state)
{
    (void)state;
    enum { LENGTHS = 44, LETTERS = 2, WRITE_COUNT = LENGTHS * LETTERS };
    static uint8_t key[LENGTHS][LETTERS][LENGTHS];
    struct row_write write[WRITE_COUNT];
    struct net_change change = {0};
    for (size_t i = 0; i < LENGTHS; i++)
        for (size_t letter = 0; letter < LETTERS; letter++) {
            key[i][letter][i] = (uint8_t)letter;
            write[letter * LENGTHS + (LENGTHS - 1 - i)] =
                (struct row_write){.table = TABLE_STEP, .key = bytes_of(key[i][letter], i + 1)};
        }
    const struct entry once[] = {{.writes = write, .write_count = WRITE_COUNT},
                                 {.writes = write, .write_count = WRITE_COUNT}};
    const struct row_write *writes;
    size_t count;
    net_change_of(&change, once, 2, 7, &writes, &count);
    assert_int_equal(count, WRITE_COUNT);
    for (size_t i = 1; i < count; i++)
        assert_true(bytes_compare(writes[i - 1].key, writes[i].key) < 0);
    net_change_done(&change);
}

/* More rows than an empty change has room for, and then fewer. */
static void test_net_change_of_many_rows_grows_and_serves_again(void **state)
{
    (void)state;
    enum { ROWS = 5000 };
    struct net_change change = {0};
    struct row_write *write = calloc(ROWS, sizeof *write);
    uint8_t(*key)[4] = calloc(ROWS, sizeof *key);
    for (uint32_t i = 0; i < ROWS; i++) {
        be32_put(key[i], i * 2654435761u);
        write[i] = (struct row_write){.table = TABLE_STEP, .key = bytes_of(key[i], 4)};
    }
    for (size_t wanted = ROWS; wanted > 0; wanted /= 7) {
        const struct entry entry = {.writes = write, .write_count = wanted};
        const struct row_write *writes;
        size_t count;
        net_change_of(&change, &entry, 1, wanted, &writes, &count);
        assert_int_equal(count, wanted);
        for (size_t i = 1; i < count; i++)
            assert_true(bytes_compare(writes[i - 1].key, writes[i].key) < 0);
    }
    net_change_done(&change);
    free(key);
    free(write);
}

/* ---- against a table of all rows ---- */

struct model_row {
    uint8_t key[2];
    bool is_there, was_there, is_written;
    uint8_t value;
};

static void key_of(size_t number, uint8_t key[2])
{
    key[0] = (uint8_t)('a' + number / 3);
    key[1] = (uint8_t)('a' + number % 3);
}

static void random_entry(struct random *random, struct model_row model[TABLES][KEYS],
                         struct entry *entry, struct arena *arena)
{
    *entry = (struct entry){.writes = arena_array(arena, WRITES, sizeof *entry->writes)};
    const size_t count = (size_t)random_below(random, WRITES + 1);
    for (size_t i = 0; i < count; i++) {
        const size_t table = (size_t)random_below(random, TABLES);
        struct model_row *row = &model[table][random_below(random, KEYS)];
        uint8_t *value = arena_alloc(arena, 1);
        *value = row->value = (uint8_t)random_below(random, 256);
        const bool was_there = row->is_there;
        row->is_there = !random_chance(random, 400000);
        row->is_written = true;
        entry->writes[entry->write_count++] =
            (struct row_write){.table = (uint8_t)tables[table],
                               .is_deleted = !row->is_there,
                               .is_new = !was_there && random_chance(random, 700000),
                               .key = bytes_of(row->key, sizeof row->key),
                               .value = bytes_of(value, row->is_there ? 1 : 0)};
    }
}

/* Every write of the result is true, in order, and every row that differs is in it. */
static void compare(struct model_row model[TABLES][KEYS], const struct row_write *writes,
                    size_t count)
{
    size_t at = 0;
    for (size_t table = 0; table < TABLES; table++)
        for (size_t i = 0; i < KEYS; i++) {
            const struct model_row *row = &model[table][i];
            const bool is_told = at < count && writes[at].table == tables[table] &&
                                 bytes_equal(writes[at].key, bytes_of(row->key, 2));
            if (!is_told) {
                assert_false(row->is_written && (row->is_there || row->was_there));
                continue;
            }
            assert_true(row->is_written);
            assert_int_equal(writes[at].is_deleted, !row->is_there);
            assert_true(!writes[at].is_new || !row->was_there);
            if (row->is_there)
                assert_true(bytes_equal(writes[at].value, bytes_of(&row->value, 1)));
            at++;
        }
    assert_int_equal(at, count);
}

static void test_net_change_of_random_entries_agrees_with_a_table(void **state)
{
    (void)state;
    struct net_change change = {0};
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct random random;
        struct model_row model[TABLES][KEYS];
        memset(model, 0, sizeof model);
        struct entry entries[ENTRIES];
        struct arena arena = {0};
        const struct row_write *writes;
        size_t count;
        random_seed(&random, seed);
        for (size_t table = 0; table < TABLES; table++)
            for (size_t i = 0; i < KEYS; i++) {
                key_of(i, model[table][i].key);
                model[table][i].is_there = model[table][i].was_there =
                    random_chance(&random, 500000);
            }
        for (size_t i = 0; i < ENTRIES; i++)
            random_entry(&random, model, &entries[i], &arena);
        net_change_of(&change, entries, ENTRIES, seed, &writes, &count);
        compare(model, writes, count);
        arena_done(&arena);
    }
    net_change_done(&change);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_net_change_of_entries_is_as_told),
        cmocka_unit_test(test_net_change_of_alike_keys_tells_them_apart),
        cmocka_unit_test(test_net_change_of_many_rows_grows_and_serves_again),
        cmocka_unit_test(test_net_change_of_random_entries_agrees_with_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
