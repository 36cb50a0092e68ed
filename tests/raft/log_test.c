#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/log.h"
#include "raft/prng.h"

static void append(struct raft_log *log, raft_term term, uint32_t bytes)
{
    const struct raft_entry entry = {.term = term, .bytes = bytes, .kind = RAFT_ENTRY_COMMAND};
    assert_true(raft_log_reserve(log, 1, 1));
    raft_log_append(log, &entry);
}

static struct raft_log log_of(const raft_term *terms, size_t count)
{
    struct raft_log log;
    assert_true(raft_log_init(&log, 0, 0));
    for (size_t i = 0; i < count; i++)
        append(&log, terms[i], (uint32_t)i + 1);
    return log;
}

static void test_log_empty_has_only_its_base(void **state)
{
    (void)state;
    struct raft_log log;
    assert_true(raft_log_init(&log, 10, 3));
    assert_int_equal(log.last_index, 10);
    assert_int_equal(raft_log_term(&log, 10), 3);
    assert_int_equal(raft_log_term(&log, 9), 0);
    assert_int_equal(raft_log_term(&log, 11), 0);
    assert_int_equal(raft_log_last_term(&log), 3);
    assert_int_equal(raft_log_agreement(&log, 20, 9), 10);
    raft_log_done(&log);
}

static void test_log_truncate_brings_back_the_term_before(void **state)
{
    (void)state;
    static const raft_term terms[] = {1, 1, 2, 2, 5};
    struct raft_log log = log_of(terms, 5);
    raft_log_truncate(&log, 4);
    assert_int_equal(log.last_index, 3);
    assert_int_equal(raft_log_last_term(&log), 2);
    raft_log_truncate(&log, 3);
    assert_int_equal(raft_log_last_term(&log), 1);
    append(&log, 7, 1);
    assert_int_equal(raft_log_term(&log, 2), 1);
    assert_int_equal(raft_log_term(&log, 3), 7);
    raft_log_truncate(&log, 1);
    assert_int_equal(raft_log_last_term(&log), 0);
    raft_log_done(&log);
}

static void test_log_cut_keeps_the_term_of_the_base(void **state)
{
    (void)state;
    static const raft_term terms[] = {1, 1, 2, 2, 5};
    for (raft_index index = 0; index <= 5; index++) {
        struct raft_log log = log_of(terms, 5);
        raft_log_cut(&log, index);
        assert_int_equal(log.base_index, index);
        for (raft_index i = 1; i <= 5; i++)
            assert_int_equal(raft_log_term(&log, i), i >= index ? terms[i - 1] : 0);
        assert_int_equal(raft_log_last_term(&log), 5);
        append(&log, 6, 9);
        assert_int_equal(raft_log_term(&log, 6), 6);
        raft_log_done(&log);
    }
}

static void test_log_agreement_table(void **state)
{
    (void)state;
    static const raft_term terms[] = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
    static const struct {
        raft_index index;
        raft_term term;
        raft_index agreement;
    } rows[] = {
        {10, 6, 10}, {10, 5, 7}, {10, 4, 5}, {10, 3, 3}, {10, 1, 3},  {10, 0, 0},
        {6, 5, 6},   {6, 4, 5},  {5, 9, 5},  {4, 3, 3},  {20, 9, 10}, {0, 9, 0},
    };
    struct raft_log log = log_of(terms, 10);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(raft_log_agreement(&log, rows[i].index, rows[i].term), rows[i].agreement);
    raft_log_cut(&log, 4);
    assert_int_equal(raft_log_agreement(&log, 10, 3), 4);
    raft_log_done(&log);
}

static void test_log_is_covered_by_later_term_or_longer(void **state)
{
    (void)state;
    static const raft_term terms[] = {1, 2, 2};
    struct raft_log log = log_of(terms, 3);
    assert_true(raft_log_is_covered(&log, 3, 2));
    assert_true(raft_log_is_covered(&log, 4, 2));
    assert_true(raft_log_is_covered(&log, 1, 3));
    assert_false(raft_log_is_covered(&log, 2, 2));
    assert_false(raft_log_is_covered(&log, 9, 1));
    raft_log_done(&log);
}

static void test_log_memory_follows_what_is_kept(void **state)
{
    (void)state;
    enum { ENTRIES = 100000 };
    struct raft_log log;
    assert_true(raft_log_init(&log, 0, 0));
    for (int i = 0; i < ENTRIES; i++)
        append(&log, 1, 1);
    assert_true(log.slot_capacity >= ENTRIES);
    raft_log_cut(&log, ENTRIES - 10);
    assert_true(log.slot_capacity <= 128);
    assert_int_equal(raft_log_bytes(&log, ENTRIES - 9, ENTRIES), 10);
    assert_true(sizeof(struct raft_log_slot) <= 8);
    raft_log_done(&log);
}

/* Against an array that keeps everything. */
static void test_log_random_operations_match_a_model(void **state)
{
    (void)state;
    enum { STEPS = 20000, MODEL_MAX = STEPS + 1 };
    static struct raft_entry model[MODEL_MAX];
    struct raft_prng prng = {.state = 1};
    struct raft_log log;
    raft_index base = 0;
    raft_index last = 0;
    assert_true(raft_log_init(&log, 0, 0));
    for (int i = 0; i < STEPS; i++) {
        uint64_t what = raft_prng_between(&prng, 0, 99);
        if (what < 90) {
            raft_term term =
                (last == 0 ? 1 : model[last].term) + (raft_prng_between(&prng, 0, 9) == 0);
            model[++last] = (struct raft_entry){term, (uint32_t)i, RAFT_ENTRY_COMMAND};
            append(&log, term, (uint32_t)i);
        } else if (what < 96 && last > base) {
            last = raft_prng_between(&prng, base, last);
            raft_log_truncate(&log, last + 1);
        } else {
            base = raft_prng_between(&prng, base, last);
            raft_log_cut(&log, base);
        }
        assert_int_equal(log.base_index, base);
        assert_int_equal(log.last_index, last);
        raft_index at = raft_prng_between(&prng, base, last);
        assert_int_equal(raft_log_term(&log, at), at == 0 ? 0 : model[at].term);
        if (at > base)
            assert_int_equal(raft_log_entry_bytes(&log, at), model[at].bytes);
    }
    static struct raft_entry read[MODEL_MAX];
    struct raft_log copy;
    assert_true(raft_log_copy(&copy, &log));
    raft_log_done(&log);
    raft_log_read(&copy, base + 1, read, last - base);
    for (raft_index i = base + 1; i <= last; i++) {
        assert_int_equal(read[i - base - 1].term, model[i].term);
        assert_int_equal(read[i - base - 1].bytes, model[i].bytes);
    }
    raft_log_done(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_empty_has_only_its_base),
        cmocka_unit_test(test_log_truncate_brings_back_the_term_before),
        cmocka_unit_test(test_log_cut_keeps_the_term_of_the_base),
        cmocka_unit_test(test_log_agreement_table),
        cmocka_unit_test(test_log_is_covered_by_later_term_or_longer),
        cmocka_unit_test(test_log_memory_follows_what_is_kept),
        cmocka_unit_test(test_log_random_operations_match_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
