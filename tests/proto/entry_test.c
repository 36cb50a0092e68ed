#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "proto/peer_messages.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define ROW(text)       BYTES_INITIAL(text)

static struct entry entry_sample(void)
{
    static struct row_write writes[] = {
        {.table = TABLE_META, .is_new = true, .key = ROW("k"), .value = ROW("v")},
        {.table = TABLE_COUNT - 1, .is_deleted = true, .key = ROW("\0\xff")},
        {.table = TABLE_STEP, .key = ROW("empty"), .value = ROW("")},
    };
    return (struct entry){UINT64_MAX, writes, COUNT_OF(writes)};
}

static void test_entry_round_trips(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer out = {0};
    const struct entry sample = entry_sample();
    struct entry back;
    entry_encode(&sample, &out);
    assert_int_equal(entry_decode(buffer_bytes(&out), &arena, &back), PAWL_OK);
    assert_true(back.clock_us == sample.clock_us);
    assert_int_equal(back.write_count, sample.write_count);
    for (size_t i = 0; i < back.write_count; i++) {
        assert_int_equal(back.writes[i].table, sample.writes[i].table);
        assert_int_equal(back.writes[i].is_deleted, sample.writes[i].is_deleted);
        assert_int_equal(back.writes[i].is_new, sample.writes[i].is_new);
        assert_true(bytes_equal(back.writes[i].key, sample.writes[i].key));
        assert_true(bytes_equal(back.writes[i].value, sample.writes[i].value));
    }
    arena_done(&arena);
    buffer_done(&out);
}

static void test_entry_without_writes_round_trips(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer out = {0};
    const struct entry sample = {.clock_us = 5};
    struct entry back;
    entry_encode(&sample, &out);
    assert_int_equal(entry_decode(buffer_bytes(&out), &arena, &back), PAWL_OK);
    assert_int_equal(back.write_count, 0);
    assert_true(back.clock_us == 5);
    arena_done(&arena);
    buffer_done(&out);
}

static void test_entry_cut_short_anywhere_is_invalid(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer out = {0};
    const struct entry sample = entry_sample();
    struct entry back = {.clock_us = 4711};
    entry_encode(&sample, &out);
    for (size_t size = 0; size < out.size; size++) {
        uint8_t *exact = malloc(size);
        assert_true(size == 0 || exact != NULL);
        memcpy(exact, out.data, size);
        assert_int_equal(entry_decode(bytes_of(exact, size), &arena, &back), PAWL_E_INVALID);
        assert_int_equal(back.clock_us, 4711);
        free(exact);
    }
    arena_done(&arena);
    buffer_done(&out);
}

#define HEAD(count)                                                                                \
    "\x01"                                                                                         \
    "\x05\0\0\0\0\0\0\0" count
#define ONE HEAD("\x01\0\0\0")

static const struct {
    const char *name;
    struct bytes payload;
} bad[] = {
    {"another version", ROW("\x02"
                            "\x05\0\0\0\0\0\0\0"
                            "\0\0\0\0")},
    {"half a clock", ROW("\x01\x05\0")},
    {"no write", ROW(ONE)},
    {"unknown table", ROW(ONE "\x7f\0\x01\0\0\0\0\0k")},
    {"unknown flag", ROW(ONE "\0\x04\x01\0\0\0\0\0k")},
    {"empty key", ROW(ONE "\0\0\0\0\x01\0\0\0v")},
    {"deleted with a value", ROW(ONE "\0\x01\x01\0\x01\0\0\0kv")},
    {"key past the end", ROW(ONE "\0\0\x02\0\0\0\0\0k")},
    {"value past the end", ROW(ONE "\0\0\x01\0\xff\xff\xff\xffkv")},
    {"bytes left over", ROW(HEAD("\0\0\0\0") "\0")},
    {"bomb", ROW(HEAD("\xff\xff\xff\xff") "\0\0\x01\0\0\0\0\0k")},
};

static void test_entry_decode_of_anything_else_is_invalid(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct arena arena = {0};
        struct entry entry = {.clock_us = 4711};
        if (entry_decode(bad[i].payload, &arena, &entry) != PAWL_E_INVALID)
            fail_msg("%s", bad[i].name);
        assert_int_equal(entry.clock_us, 4711);
        arena_done(&arena);
    }
}

static void test_entry_clock_is_that_of_the_entry(void **state)
{
    (void)state;
    struct buffer out = {0};
    const struct entry sample = entry_sample();
    uint64_t clock_us = 0;
    entry_encode(&sample, &out);
    assert_int_equal(entry_clock(buffer_bytes(&out), &clock_us), PAWL_OK);
    assert_true(clock_us == sample.clock_us);
    assert_int_equal(entry_clock(BYTES_LITERAL("\x01"), &clock_us), PAWL_E_INVALID);
    buffer_done(&out);
}

static void test_entry_decode_of_too_many_writes_is_a_limit(void **state)
{
    (void)state;
    for (uint32_t count = DECISION_WRITES_MAX; count <= DECISION_WRITES_MAX + 1; count++) {
        struct arena arena = {0};
        struct buffer payload = {0};
        struct entry entry;
        struct row_write *writes = calloc(count, sizeof *writes);
        assert_non_null(writes);
        for (uint32_t i = 0; i < count; i++)
            writes[i] = (struct row_write){.is_deleted = true, .key = BYTES_LITERAL("k")};
        entry_encode(&(struct entry){.writes = writes, .write_count = count}, &payload);
        free(writes);
        assert_int_equal(entry_decode(buffer_bytes(&payload), &arena, &entry),
                         count <= DECISION_WRITES_MAX ? PAWL_OK : PAWL_E_LIMIT);
        arena_done(&arena);
        buffer_done(&payload);
    }
}

static void test_entry_decode_of_a_long_key_is_invalid(void **state)
{
    (void)state;
    static const uint8_t key[ROW_KEY_BYTES_MAX + 1];
    for (size_t size = ROW_KEY_BYTES_MAX; size <= ROW_KEY_BYTES_MAX + 1; size++) {
        struct arena arena = {0};
        struct buffer payload = {0};
        struct row_write write = {.key = bytes_of(key, size), .is_deleted = true};
        const struct entry long_key = {0, &write, 1};
        struct entry entry;
        entry_encode(&long_key, &payload);
        assert_int_equal(entry_decode(buffer_bytes(&payload), &arena, &entry),
                         size <= ROW_KEY_BYTES_MAX ? PAWL_OK : PAWL_E_INVALID);
        arena_done(&arena);
        buffer_done(&payload);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry_round_trips),
        cmocka_unit_test(test_entry_without_writes_round_trips),
        cmocka_unit_test(test_entry_cut_short_anywhere_is_invalid),
        cmocka_unit_test(test_entry_decode_of_anything_else_is_invalid),
        cmocka_unit_test(test_entry_clock_is_that_of_the_entry),
        cmocka_unit_test(test_entry_decode_of_too_many_writes_is_a_limit),
        cmocka_unit_test(test_entry_decode_of_a_long_key_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
