#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/entry_cache.h"
#include "node/id_map.h"
#include "raft/raft.h"

/* Its payload is full of its term. */
static void push(struct entry_cache *cache, uint64_t term, size_t size)
{
    uint8_t *room = entry_cache_room(cache, size);
    assert_non_null(room);
    memset(room, (int)(term % 251), size);
    assert_true(entry_cache_push(cache, term, RAFT_ENTRY_COMMAND, size));
}

static void assert_full_of(struct bytes payload, uint64_t term, size_t size)
{
    assert_int_equal(payload.size, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(payload.data[i], term % 251);
}

static void test_cache_pushed_entries_are_found_by_index(void **state)
{
    (void)state;
    struct entry_cache cache;
    entry_cache_init(&cache, 11);
    for (uint64_t i = 0; i < 1000; i++)
        push(&cache, i, i % 100);
    assert_null(entry_cache_get(&cache, 10));
    assert_null(entry_cache_get(&cache, 1011));
    for (uint64_t i = 0; i < 1000; i++) {
        const struct cached_entry *entry = entry_cache_get(&cache, 11 + i);
        assert_int_equal(entry->term, i);
        assert_full_of(entry->payload, i, i % 100);
    }
    entry_cache_done(&cache);
}

static void test_cache_truncated_end_is_written_again(void **state)
{
    (void)state;
    struct entry_cache cache;
    entry_cache_init(&cache, 1);
    for (int i = 0; i < 10; i++)
        push(&cache, 1, 100);
    entry_cache_truncate(&cache, 6);
    assert_int_equal(cache.last_index, 5);
    assert_int_equal(cache.bytes, 500);
    push(&cache, 2, 7);
    assert_int_equal(entry_cache_get(&cache, 6)->term, 2);
    entry_cache_done(&cache);
}

static void test_cache_trim_keeps_what_is_not_applied_whatever_it_weighs(void **state)
{
    (void)state;
    struct entry_cache cache;
    entry_cache_init(&cache, 1);
    for (int i = 0; i < 10; i++)
        push(&cache, 1, 1000);
    entry_cache_trim(&cache, 4, 0);
    assert_int_equal(cache.first_index, 5);
    assert_non_null(entry_cache_get(&cache, 5));
    entry_cache_trim(&cache, 10, 3000);
    assert_int_equal(cache.first_index, 8);
    entry_cache_done(&cache);
}

/* Larger than what else stands in one piece of memory. */
enum { LARGE_BYTES = 100000 };

static void test_cache_overwritten_payload_stays_until_what_overwrote_it_leaves(void **state)
{
    (void)state;
    struct entry_cache cache;
    entry_cache_init(&cache, 1);
    for (uint64_t term = 1; term <= 4; term++)
        push(&cache, term, LARGE_BYTES);
    const struct bytes overwritten = entry_cache_get(&cache, 4)->payload;
    entry_cache_truncate(&cache, 3);
    push(&cache, 5, LARGE_BYTES);
    push(&cache, 6, LARGE_BYTES);
    entry_cache_truncate(&cache, 4);
    push(&cache, 7, 10);
    entry_cache_trim(&cache, 2, 0);
    assert_int_equal(cache.first_index, 3);
    assert_full_of(overwritten, 4, LARGE_BYTES);
    assert_full_of(entry_cache_get(&cache, 3)->payload, 5, LARGE_BYTES);
    entry_cache_trim(&cache, 4, 0);
    assert_ptr_equal(cache.chunks, cache.chunks_last); /* the others have left */
    assert_int_equal(cache.bytes, 0);
    entry_cache_done(&cache);
}

static void test_cache_room_that_is_not_used_is_given_again(void **state)
{
    (void)state;
    struct entry_cache cache;
    entry_cache_init(&cache, 1);
    push(&cache, 1, 100);
    uint8_t *room = entry_cache_room(&cache, 500);
    assert_ptr_equal(entry_cache_room(&cache, 500), room);
    assert_non_null(entry_cache_room(&cache, LARGE_BYTES));
    push(&cache, 2, 100);
    assert_int_equal(cache.bytes, 200);
    assert_full_of(entry_cache_get(&cache, 1)->payload, 1, 100);
    assert_full_of(entry_cache_get(&cache, 2)->payload, 2, 100);
    entry_cache_done(&cache);
}

static void test_cache_entry_without_payload_needs_no_room(void **state)
{
    (void)state;
    struct entry_cache cache;
    entry_cache_init(&cache, 1);
    assert_true(entry_cache_push(&cache, 1, RAFT_ENTRY_NOOP, 0));
    assert_int_equal(entry_cache_get(&cache, 1)->payload.size, 0);
    entry_cache_trim(&cache, 1, 0);
    entry_cache_done(&cache);
}

static void test_id_map_agrees_with_a_plain_table_over_many_changes(void **state)
{
    (void)state;
    enum { KEYS = 512, CHANGES = 100000 };
    static int values[KEYS];
    bool is_there[KEYS] = {false};
    struct id_map map = {0};
    uint64_t random = 1;
    for (int i = 0; i < CHANGES; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const unsigned key = (unsigned)(random >> 33) % KEYS;
        if ((random >> 62) != 0) {
            assert_true(id_map_put(&map, id_of_number(key), &values[key]));
            is_there[key] = true;
        } else {
            id_map_remove(&map, id_of_number(key));
            is_there[key] = false;
        }
        const unsigned other = (unsigned)(random >> 20) % KEYS;
        assert_ptr_equal(id_map_get(&map, id_of_number(other)),
                         is_there[other] ? &values[other] : NULL);
    }
    id_map_done(&map);
}

/* Connections are numbered one after the other. */
static void test_id_map_keys_that_follow_each_other_are_spread(void **state)
{
    (void)state;
    enum { KEYS = 4096, REACH_MAX = 64 };
    static int value;
    struct id_map map = {0};
    for (unsigned key = 0; key < KEYS; key++)
        assert_true(id_map_put(&map, id_of_number(key), &value));
    assert_in_range(id_map_reach(&map), 1, REACH_MAX);
    id_map_done(&map);
}

/* A stranger who knows the places of one map knows nothing of those of another. */
static void test_id_map_keys_that_meet_under_one_seed_part_under_another(void **state)
{
    (void)state;
    enum { KEYS = 4096, MEETING = 32, SLOTS_MIN = 16 };
    static int value;
    struct id_map other = {.seed = 0x5eed};
    unsigned meeting = 0;
    for (unsigned key = 0; key < KEYS && meeting < MEETING; key++) {
        struct id_map alone = {0};
        assert_true(id_map_put(&alone, id_of_number(key), &value));
        const bool is_meeting = alone.slots[SLOTS_MIN - 1].value != NULL;
        id_map_done(&alone);
        if (!is_meeting)
            continue;
        assert_true(id_map_put(&other, id_of_number(key), &value));
        meeting++;
    }
    assert_int_equal(meeting, MEETING);
    assert_in_range(id_map_reach(&other), 1, MEETING / 2);
    id_map_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache_pushed_entries_are_found_by_index),
        cmocka_unit_test(test_cache_truncated_end_is_written_again),
        cmocka_unit_test(test_cache_trim_keeps_what_is_not_applied_whatever_it_weighs),
        cmocka_unit_test(test_cache_overwritten_payload_stays_until_what_overwrote_it_leaves),
        cmocka_unit_test(test_cache_room_that_is_not_used_is_given_again),
        cmocka_unit_test(test_cache_entry_without_payload_needs_no_room),
        cmocka_unit_test(test_id_map_agrees_with_a_plain_table_over_many_changes),
        cmocka_unit_test(test_id_map_keys_that_follow_each_other_are_spread),
        cmocka_unit_test(test_id_map_keys_that_meet_under_one_seed_part_under_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
