/* Hostile messages: a core drops what no correct peer sends, does nothing else about it, and goes
 * on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/prng.h"
#include "raft/raft.h"

static const struct raft_options options = {
    .self = 1,
    .configuration = {.voters = {1, 2, 3}, .voter_count = 3},
    .seed = 1,
    .heartbeat_ms = 50,
    .election_timeout_ms_min = 300,
    .election_timeout_ms_max = 600,
    .append_bytes_max = 1000,
    .append_entries_max = 16,
    .window_messages_max = 4,
    .window_bytes_max = 4000,
    .uncommitted_bytes_max = 10000,
};

#define COMMAND(term_of_it)                                                                        \
    {                                                                                              \
        .term = (term_of_it), .bytes = 10, .kind = RAFT_ENTRY_COMMAND                              \
    }

/* Entries 1..5 of the terms 1 1 2 2 4, of which 1 to 3 are committed; term 4. */
static struct raft *follower(void)
{
    static const struct raft_entry entries[] = {COMMAND(1), COMMAND(1), COMMAND(2), COMMAND(2),
                                                COMMAND(4)};
    const struct raft_restored restored = {
        .term = 4, .entries = entries, .entry_count = 5, .commit_index = 3};
    struct raft *raft = raft_new(&options, &restored, 0);
    assert_non_null(raft);
    return raft;
}

static enum raft_error take(struct raft *raft, const struct raft_message *message,
                            struct raft_outputs *outputs)
{
    const struct raft_input input = {.kind = RAFT_IN_MESSAGE, .now_ms = 10, .message = *message};
    return raft_step(raft, &input, outputs);
}

static void sync_all(struct raft *raft, const struct raft_outputs *outputs)
{
    struct raft_outputs ignored;
    for (size_t i = 0; i < outputs->count; i++) {
        if (outputs->output[i].kind != RAFT_OUT_PERSIST)
            continue;
        const struct raft_input input = {
            .kind = RAFT_IN_SYNCED, .now_ms = 10, .synced = outputs->output[i].persist.token};
        assert_int_equal(raft_step(raft, &input, &ignored), RAFT_OK);
        return;
    }
}

/* The leader of term 5, with the no-op 6; node 2 voted for it. */
static struct raft *leader(void)
{
    struct raft *raft = follower();
    struct raft_outputs outputs;
    const struct raft_input tick = {.kind = RAFT_IN_TICK, .now_ms = raft_deadline(raft)};
    assert_int_equal(raft_step(raft, &tick, &outputs), RAFT_OK);
    const struct raft_message pre_vote = {
        .kind = RAFT_MSG_PRE_VOTE_REPLY, .from = 2, .to = 1, .term = 5};
    assert_int_equal(take(raft, &pre_vote, &outputs), RAFT_OK);
    sync_all(raft, &outputs);
    const struct raft_message vote = {.kind = RAFT_MSG_VOTE_REPLY, .from = 2, .to = 1, .term = 5};
    assert_int_equal(take(raft, &vote, &outputs), RAFT_OK);
    assert_int_equal(raft_role(raft), RAFT_LEADER);
    return raft;
}

static void assert_dropped(struct raft *raft, const struct raft_message *message)
{
    struct raft_outputs outputs;
    const struct raft_input tick = {.kind = RAFT_IN_TICK, .now_ms = 10}; /* moves the clock */
    assert_int_equal(raft_step(raft, &tick, &outputs), RAFT_OK);
    uint64_t digest = raft_digest(raft);
    assert_int_equal(take(raft, message, &outputs), RAFT_DROPPED);
    assert_int_equal(outputs.count, 0);
    assert_int_equal(raft_digest(raft), digest);
    raft_check(raft);
}

static void test_message_no_correct_peer_sends_is_dropped_by_follower(void **state)
{
    (void)state;
    static const struct raft_entry falling[] = {COMMAND(4), COMMAND(3)};
    static const struct raft_entry no_term[] = {COMMAND(0)};
    static const struct raft_entry from_later[] = {COMMAND(7)};
    static const struct raft_entry no_kind[] = {{.term = 5}};
    static const struct raft_entry bad_kind[] = {{.term = 5, .kind = 9}};
    static const struct raft_entry conflicting[] = {COMMAND(2)};
    static const struct raft_entry fine[] = {COMMAND(5)};
    static const struct raft_message messages[] = {
        /* from or to the wrong node */
        {.kind = RAFT_MSG_APPEND, .from = 9, .to = 1, .term = 5},
        {.kind = RAFT_MSG_APPEND, .from = 0, .to = 1, .term = 5},
        {.kind = RAFT_MSG_APPEND, .from = 1, .to = 1, .term = 5},
        {.kind = RAFT_MSG_APPEND, .from = 2, .to = 3, .term = 5},
        /* no kind, no term, a term past all terms, a term raised by more than a cluster's life */
        {.kind = 0, .from = 2, .to = 1, .term = 5},
        {.kind = 7, .from = 2, .to = 1, .term = 5},
        {.kind = 255, .from = 2, .to = 1, .term = 5},
        {.kind = RAFT_MSG_APPEND, .from = 2, .to = 1, .term = 0},
        {.kind = RAFT_MSG_VOTE_REPLY, .from = 2, .to = 1, .term = UINT64_MAX},
        {.kind = RAFT_MSG_PRE_VOTE_REPLY, .from = 2, .to = 1, .term = 0},
        {.kind = RAFT_MSG_APPEND, .from = 2, .to = 1, .term = UINT64_C(1) << 62},
        {.kind = RAFT_MSG_VOTE, .from = 2, .to = 1, .term = UINT64_C(1) << 33},
        /* candidates with a log that they cannot have */
        {.kind = RAFT_MSG_VOTE, .from = 2, .to = 1, .term = 5, .previous_index = 5},
        {.kind = RAFT_MSG_VOTE, .from = 2, .to = 1, .term = 5, .previous_term = 4},
        {.kind = RAFT_MSG_VOTE,
         .from = 2,
         .to = 1,
         .term = 5,
         .previous_index = 6,
         .previous_term = 5},
        {.kind = RAFT_MSG_PRE_VOTE,
         .from = 2,
         .to = 1,
         .term = 5,
         .previous_index = UINT64_MAX,
         .previous_term = 4},
        /* appends with a place that they cannot have */
        {.kind = RAFT_MSG_APPEND, .from = 2, .to = 1, .term = 5, .previous_index = 5},
        {.kind = RAFT_MSG_APPEND, .from = 2, .to = 1, .term = 5, .previous_term = 4},
        {.kind = RAFT_MSG_APPEND,
         .from = 2,
         .to = 1,
         .term = 5,
         .previous_index = 5,
         .previous_term = 6},
        {.kind = RAFT_MSG_APPEND,
         .from = 2,
         .to = 1,
         .term = 5,
         .previous_index = UINT64_MAX,
         .previous_term = 5},
        {.kind = RAFT_MSG_APPEND, .from = 2, .to = 1, .term = 5, .commit_index = UINT64_MAX},
        /* appends with entries that they cannot have */
        {.kind = RAFT_MSG_APPEND,
         .from = 2,
         .to = 1,
         .term = 5,
         .previous_index = 4,
         .previous_term = 2,
         .entries = falling,
         .entry_count = 2},
        {.kind = RAFT_MSG_APPEND,
         .from = 2,
         .to = 1,
         .term = 5,
         .entries = no_term,
         .entry_count = 1},
        {.kind = RAFT_MSG_APPEND,
         .from = 2,
         .to = 1,
         .term = 5,
         .entries = from_later,
         .entry_count = 1},
        {.kind = RAFT_MSG_APPEND,
         .from = 2,
         .to = 1,
         .term = 5,
         .entries = no_kind,
         .entry_count = 1},
        {.kind = RAFT_MSG_APPEND,
         .from = 2,
         .to = 1,
         .term = 5,
         .entries = bad_kind,
         .entry_count = 1},
        {.kind = RAFT_MSG_APPEND,
         .from = 2,
         .to = 1,
         .term = 5,
         .entries = fine,
         .entry_count = SIZE_MAX},
        /* what is committed would change */
        {.kind = RAFT_MSG_APPEND,
         .from = 2,
         .to = 1,
         .term = 5,
         .previous_index = 1,
         .previous_term = 1,
         .entries = conflicting,
         .entry_count = 1},
        {.kind = RAFT_MSG_APPEND,
         .from = 2,
         .to = 1,
         .term = 5,
         .previous_index = 2,
         .previous_term = 2},
        /* the log would fall in term after what is committed */
        {.kind = RAFT_MSG_APPEND,
         .from = 2,
         .to = 1,
         .term = 5,
         .previous_index = 9,
         .previous_term = 1},
    };
    struct raft *raft = follower();
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        assert_dropped(raft, &messages[i]);
    raft_free(raft);
}

static void test_message_second_leader_of_a_term_is_dropped(void **state)
{
    (void)state;
    struct raft *raft = follower();
    struct raft_outputs outputs;
    struct raft_message append = {.kind = RAFT_MSG_APPEND,
                                  .from = 2,
                                  .to = 1,
                                  .term = 5,
                                  .previous_index = 5,
                                  .previous_term = 4};
    assert_int_equal(take(raft, &append, &outputs), RAFT_OK);
    assert_int_equal(raft_leader(raft), 2);
    append.from = 3;
    assert_dropped(raft, &append);
    raft_free(raft);
    raft = leader();
    assert_dropped(raft, &append);
    raft_free(raft);
}

/* A leader never takes back what it has shared in its own term. */
static void test_message_leader_that_contradicts_itself_is_dropped(void **state)
{
    (void)state;
    static const struct raft_entry five[] = {COMMAND(5)};
    static const struct raft_entry four[] = {COMMAND(4)};
    struct raft *raft = follower();
    struct raft_outputs outputs;
    struct raft_message append = {.kind = RAFT_MSG_APPEND,
                                  .from = 2,
                                  .to = 1,
                                  .term = 5,
                                  .previous_index = 5,
                                  .previous_term = 4,
                                  .entries = five,
                                  .entry_count = 1};
    assert_int_equal(take(raft, &append, &outputs), RAFT_OK);
    append.entries = four;
    assert_dropped(raft, &append);
    append.previous_index = 6;
    append.previous_term = 4;
    append.entries = five;
    assert_dropped(raft, &append);
    raft_free(raft);
}

static void test_message_impossible_answer_is_dropped_by_leader(void **state)
{
    (void)state;
    static const struct raft_message messages[] = {
        {.kind = RAFT_MSG_APPEND_REPLY, .from = 2, .to = 1, .term = 5, .match_index = 7},
        {.kind = RAFT_MSG_APPEND_REPLY, .from = 2, .to = 1, .term = 5, .hint_index = 7},
        {.kind = RAFT_MSG_APPEND_REPLY,
         .from = 2,
         .to = 1,
         .term = 5,
         .is_rejected = true,
         .hint_index = UINT64_MAX},
        {.kind = RAFT_MSG_APPEND_REPLY, .from = 2, .to = 1, .term = 5, .round = 1},
        {.kind = RAFT_MSG_APPEND_REPLY, .from = 4, .to = 1, .term = 5, .match_index = 6},
    };
    struct raft *raft = leader();
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        assert_dropped(raft, &messages[i]);
    assert_int_equal(raft_commit_index(raft), 3);
    raft_free(raft);
}

static void test_message_beyond_the_log_is_refused_with_a_hint(void **state)
{
    (void)state;
    struct raft *raft = follower();
    struct raft_outputs outputs;
    const struct raft_message append = {.kind = RAFT_MSG_APPEND,
                                        .from = 2,
                                        .to = 1,
                                        .term = 5,
                                        .previous_index = 90,
                                        .previous_term = 3};
    assert_int_equal(take(raft, &append, &outputs), RAFT_OK);
    const struct raft_message *answer = NULL;
    for (size_t i = 0; i < outputs.count; i++) {
        if (outputs.output[i].kind == RAFT_OUT_SEND)
            answer = &outputs.output[i].message;
    }
    assert_non_null(answer);
    assert_true(answer->is_rejected);
    assert_int_equal(answer->hint_index,
                     4); /* entry 5 is of term 4, later than the leader's there */
    assert_int_equal(answer->hint_term, 2);
    raft_free(raft);
}

static void test_message_before_the_base_is_taken_as_held(void **state)
{
    (void)state;
    static const struct raft_entry entries[] = {COMMAND(1), COMMAND(2), COMMAND(2)};
    struct raft *raft = follower();
    struct raft_outputs outputs;
    const struct raft_input cut = {.kind = RAFT_IN_CUT, .now_ms = 1, .index = 2};
    assert_int_equal(raft_step(raft, &cut, &outputs), RAFT_OK);
    assert_int_equal(raft_first_index(raft), 3);
    const struct raft_message append = {.kind = RAFT_MSG_APPEND,
                                        .from = 2,
                                        .to = 1,
                                        .term = 5,
                                        .previous_index = 1,
                                        .previous_term = 1,
                                        .commit_index = 4,
                                        .entries = entries,
                                        .entry_count = 3};
    assert_int_equal(take(raft, &append, &outputs), RAFT_OK);
    assert_int_equal(raft_last_index(raft), 5);
    assert_int_equal(raft_commit_index(raft), 4);
    raft_check(raft);
    raft_free(raft);
}

/* Every field near something that matters, in every combination that chance offers. */
static struct raft_message random_message(struct raft_prng *prng, struct raft_entry *entries)
{
    static const uint64_t edges[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 100, UINT64_MAX - 1, UINT64_MAX};
    uint64_t edge[7];
    for (size_t i = 0; i < 7; i++)
        edge[i] = raft_prng_between(prng, 0, 9) < 9
                      ? raft_prng_between(prng, 0, 7)
                      : edges[raft_prng_between(prng, 0, sizeof edges / sizeof *edges - 1)];
    size_t entry_count = raft_prng_between(prng, 0, 4);
    for (size_t i = 0; i < entry_count; i++)
        entries[i] = (struct raft_entry){.term = raft_prng_between(prng, 0, 8),
                                         .bytes = (uint32_t)raft_prng_between(prng, 0, 100),
                                         .kind = (uint8_t)raft_prng_between(prng, 0, 4)};
    return (struct raft_message){
        .kind = (uint8_t)raft_prng_between(prng, 0, 7),
        .from = raft_prng_between(prng, 0, 4),
        .to = raft_prng_between(prng, 0, 9) == 0 ? 2 : 1,
        .term = edge[0],
        .previous_index = edge[1],
        .previous_term = edge[2],
        .commit_index = edge[3],
        .entries = entries,
        .entry_count = entry_count,
        .round = edge[4],
        .is_rejected = raft_prng_between(prng, 0, 1) == 1,
        .match_index = edge[5],
        .hint_index = edge[6],
        .hint_term = raft_prng_between(prng, 0, 7),
        .is_withheld = raft_prng_between(prng, 0, 9) == 0,
    };
}

static void test_message_random_bytes_never_break_an_invariant(void **state)
{
    (void)state;
    enum { CORES = 2000, MESSAGES = 60 };
    struct raft_prng prng = {.state = 3};
    for (int i = 0; i < CORES; i++) {
        struct raft *raft = i % 2 == 0 ? follower() : leader();
        raft_index commit_index = raft_commit_index(raft);
        for (int j = 0; j < MESSAGES; j++) {
            struct raft_entry entries[4];
            struct raft_outputs outputs;
            struct raft_message message = random_message(&prng, entries);
            (void)take(raft, &message, &outputs);
            if (raft_prng_between(&prng, 0, 2) == 0)
                sync_all(raft, &outputs);
            raft_check(raft);
            assert_true(raft_commit_index(raft) >= commit_index);
            commit_index = raft_commit_index(raft);
        }
        raft_free(raft);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_no_correct_peer_sends_is_dropped_by_follower),
        cmocka_unit_test(test_message_second_leader_of_a_term_is_dropped),
        cmocka_unit_test(test_message_leader_that_contradicts_itself_is_dropped),
        cmocka_unit_test(test_message_impossible_answer_is_dropped_by_leader),
        cmocka_unit_test(test_message_beyond_the_log_is_refused_with_a_hint),
        cmocka_unit_test(test_message_before_the_base_is_taken_as_held),
        cmocka_unit_test(test_message_random_bytes_never_break_an_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
