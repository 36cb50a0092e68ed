#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "proto/peer_messages.h"

static struct bytes text(const char *characters)
{
    return bytes_string(characters);
}

/* The parts of a frame, one behind the other. */
static struct buffer frame_of(const struct msg_raft *message)
{
    struct arena arena = {0};
    struct buffer fields = {0}, frame = {0};
    struct bytes *parts;
    size_t part_count;
    assert_int_equal(raft_message_encode(message, &arena, &fields, &parts, &part_count), PAWL_OK);
    for (size_t i = 0; i < part_count; i++)
        buffer_append(&frame, parts[i].data, parts[i].size);
    assert_false(frame.is_failed);
    buffer_done(&fields);
    arena_done(&arena);
    return frame;
}

static struct msg_raft sample(struct msg_raft_entry entries[3])
{
    entries[0] = (struct msg_raft_entry){.term = 1, .kind = 2, .payload = text("first")};
    entries[1] = (struct msg_raft_entry){.term = UINT64_MAX, .kind = 1};
    entries[2] = (struct msg_raft_entry){.term = 3, .kind = 255, .payload = text("third")};
    return (struct msg_raft){
        .from = 1, .to = 2, .kind = 3, .term = 4, .commit_index = 5, .entries = {entries, 3}};
}

static void test_raft_message_round_trips(void **state)
{
    (void)state;
    for (size_t count = 0; count <= 3; count++) {
        struct msg_raft_entry entries[3];
        struct msg_raft message = sample(entries), back;
        struct arena arena = {0};
        message.entries.count = count;
        struct buffer frame = frame_of(&message);
        assert_int_equal(raft_message_decode(buffer_bytes(&frame), &arena, &back), PAWL_OK);
        assert_true(back.from == 1 && back.to == 2 && back.kind == 3);
        assert_true(back.term == 4 && back.commit_index == 5 && back.match_index == 0);
        assert_int_equal(back.entries.count, count);
        const struct msg_raft_entry *entry = back.entries.elements;
        for (size_t i = 0; i < count; i++) {
            assert_true(entry[i].term == entries[i].term && entry[i].kind == entries[i].kind);
            assert_true(bytes_equal(entry[i].payload, entries[i].payload));
        }
        buffer_done(&frame);
        arena_done(&arena);
    }
}

static void test_raft_message_cut_short_inside_an_entry_is_invalid(void **state)
{
    (void)state;
    enum { HEAD_BYTES = 13 };
    struct msg_raft_entry entries[3];
    struct msg_raft message = sample(entries), back;
    struct buffer frame = frame_of(&message);
    const size_t third = frame.size - HEAD_BYTES - entries[2].payload.size;
    const size_t second = third - HEAD_BYTES;
    const size_t first = second - HEAD_BYTES - entries[0].payload.size;
    for (size_t size = 0; size < frame.size; size++) {
        struct arena arena = {0};
        const bool is_whole = size == first || size == second || size == third;
        assert_int_equal(raft_message_decode(bytes_of(frame.data, size), &arena, &back),
                         is_whole ? PAWL_OK : PAWL_E_INVALID);
        arena_done(&arena);
    }
    buffer_done(&frame);
}

static void test_raft_message_of_too_many_entries_is_a_limit(void **state)
{
    (void)state;
    struct msg_raft_entry *entries = calloc(APPEND_ENTRIES_MAX + 1, sizeof *entries);
    assert_non_null(entries);
    for (size_t over = 0; over <= 1; over++) {
        struct arena arena = {0};
        struct msg_raft back;
        const struct msg_raft message = {
            .from = 1, .to = 2, .kind = 3, .entries = {entries, APPEND_ENTRIES_MAX + over}};
        struct buffer frame = frame_of(&message);
        assert_int_equal(raft_message_decode(buffer_bytes(&frame), &arena, &back),
                         over ? PAWL_E_LIMIT : PAWL_OK);
        buffer_done(&frame);
        arena_done(&arena);
    }
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raft_message_round_trips),
        cmocka_unit_test(test_raft_message_cut_short_inside_an_entry_is_invalid),
        cmocka_unit_test(test_raft_message_of_too_many_entries_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
