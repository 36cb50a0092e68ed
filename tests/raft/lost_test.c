/* One follower that is told that its leader's process is gone: when it campaigns, what ends the
 * hurry, and what the hint does not do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/raft.h"

enum { HEARTBEAT_MS = 50, TIMEOUT_MS_MIN = 300, TIMEOUT_MS_MAX = 600 };

static struct raft_outputs step(struct raft *raft, struct raft_input input)
{
    struct raft_outputs outputs;
    assert_int_equal(raft_step(raft, &input, &outputs), RAFT_OK);
    raft_check(raft);
    return outputs;
}

static void take(struct raft *raft, struct raft_message message, uint64_t now_ms)
{
    message.to = 1;
    (void)step(raft,
               (struct raft_input){.kind = RAFT_IN_MESSAGE, .now_ms = now_ms, .message = message});
}

static void hear_leader(struct raft *raft, raft_node leader, raft_term term, uint64_t now_ms)
{
    take(raft, (struct raft_message){.kind = RAFT_MSG_APPEND, .from = leader, .term = term},
         now_ms);
}

static void lose(struct raft *raft, raft_node node, uint64_t now_ms)
{
    const struct raft_outputs outputs =
        step(raft, (struct raft_input){.kind = RAFT_IN_PEER_LOST, .now_ms = now_ms, .node = node});
    assert_int_equal(outputs.count, 0);
}

static struct raft_outputs tick(struct raft *raft)
{
    return step(raft, (struct raft_input){.kind = RAFT_IN_TICK, .now_ms = raft_deadline(raft)});
}

/* Node 1 of three voters, or with a learner as node 4, follows node 2 in term 1; it was heard at 0.
 */
static struct raft *new_follower(uint64_t seed, raft_node self, bool is_vote_withheld)
{
    const struct raft_options options = {
        .self = self,
        .seed = seed,
        .heartbeat_ms = HEARTBEAT_MS,
        .election_timeout_ms_min = TIMEOUT_MS_MIN,
        .election_timeout_ms_max = TIMEOUT_MS_MAX,
        .append_bytes_max = 100,
        .append_entries_max = 4,
        .window_messages_max = 3,
        .window_bytes_max = 250,
        .uncommitted_bytes_max = 1000,
        .configuration = {.voters = {1, 2, 3},
                          .voter_count = 3,
                          .learners = {4},
                          .learner_count = 1},
    };
    const struct raft_restored restored = {.is_vote_withheld = is_vote_withheld};
    struct raft *raft = raft_new(&options, &restored, 0);
    assert_non_null(raft);
    const struct raft_message append = {.kind = RAFT_MSG_APPEND, .from = 2, .to = self, .term = 1};
    const struct raft_outputs outputs =
        step(raft, (struct raft_input){.kind = RAFT_IN_MESSAGE, .message = append});
    for (size_t i = 0; i < outputs.count; i++) {
        if (outputs.output[i].kind != RAFT_OUT_PERSIST)
            continue;
        const struct raft_synced token = outputs.output[i].persist.token;
        (void)step(raft, (struct raft_input){.kind = RAFT_IN_SYNCED, .synced = token});
        break;
    }
    assert_int_equal(raft_leader(raft), 2);
    return raft;
}

static void test_lost_leader_first_wait_is_at_most_a_heartbeat(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX, most = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct raft *raft = new_follower(seed, 1, false);
        lose(raft, 2, 10);
        const uint64_t wait_ms = raft_deadline(raft) - 10;
        least = wait_ms < least ? wait_ms : least;
        most = wait_ms > most ? wait_ms : most;
        (void)tick(raft);
        assert_int_equal(raft_role(raft), RAFT_PRE_CANDIDATE);
        assert_int_equal(raft_current_term(raft), 1);
        raft_free(raft);
    }
    assert_in_range(least, 0, 2);
    assert_in_range(most, HEARTBEAT_MS - 2, HEARTBEAT_MS);
}

/* Nobody answers: each wait is longer than the one before, and the third campaign on waits as
 * usual. */
static void test_lost_leader_waits_grow_to_the_usual_ones(void **state)
{
    (void)state;
    static const struct {
        uint64_t least_ms, most_ms;
    } waits[] = {{50, 100}, {100, 200}, {300, 600}, {300, 600}};
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct raft *raft = new_follower(seed, 1, false);
        lose(raft, 2, 10);
        for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
            const uint64_t before_ms = raft_deadline(raft);
            (void)tick(raft);
            assert_in_range(raft_deadline(raft) - before_ms, waits[i].least_ms, waits[i].most_ms);
        }
        raft_free(raft);
    }
}

static void test_lost_leader_heard_again_is_waited_for_as_usual(void **state)
{
    (void)state;
    for (raft_node leader = 2; leader <= 3; leader++) {
        struct raft *raft = new_follower(leader, 1, false);
        lose(raft, 2, 10);
        hear_leader(raft, leader, leader - 1, 12); /* itself, or the next one */
        assert_in_range(raft_deadline(raft) - 12, TIMEOUT_MS_MIN, TIMEOUT_MS_MAX);
        raft_free(raft);
    }
}

static void test_lost_leader_told_again_changes_nothing(void **state)
{
    (void)state;
    struct raft *raft = new_follower(7, 1, false);
    lose(raft, 2, 10);
    const uint64_t due_ms = raft_deadline(raft);
    const uint64_t digest = raft_digest(raft);
    lose(raft, 2, 10);
    assert_int_equal(raft_digest(raft), digest);
    assert_int_equal(raft_deadline(raft), due_ms);
    raft_free(raft);
}

static void test_lost_leader_vote_given_begins_the_usual_wait(void **state)
{
    (void)state;
    struct raft *raft = new_follower(7, 1, false);
    lose(raft, 2, 10);
    take(raft, (struct raft_message){.kind = RAFT_MSG_VOTE, .from = 3, .term = 2}, 12);
    assert_int_equal(raft_current_term(raft), 2);
    assert_in_range(raft_deadline(raft) - 12, TIMEOUT_MS_MIN, TIMEOUT_MS_MAX);
    raft_free(raft);
}

/* A follower that was not told is deaf to campaigns, however many others were. */
static void test_lost_leader_of_another_follower_is_still_followed_here(void **state)
{
    (void)state;
    struct raft *raft = new_follower(7, 1, false);
    take(raft, (struct raft_message){.kind = RAFT_MSG_VOTE, .from = 3, .term = 2}, 12);
    assert_int_equal(raft_current_term(raft), 1);
    assert_int_equal(raft_leader(raft), 2);
    raft_free(raft);
}

static void test_lost_peer_that_does_not_lead_or_concern_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        raft_node self, lost;
        bool is_vote_withheld;
    } rows[] = {
        {1, 3, false},                               /* another follower */
        {1, 0, false}, {1, 9, false}, {1, 1, false}, /* nobody, a stranger, itself */
        {4, 2, false},                               /* a learner campaigns never */
        {1, 2, true},                                /* nor does a node whose vote is withheld */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct raft *raft = new_follower(7, rows[i].self, rows[i].is_vote_withheld);
        const uint64_t digest = raft_digest(raft);
        lose(raft, rows[i].lost, 0);
        assert_int_equal(raft_digest(raft), digest);
        raft_free(raft);
    }
}

static void test_lost_leader_unknown_changes_nothing(void **state)
{
    (void)state;
    struct raft *raft = new_follower(7, 1, false);
    (void)tick(raft);
    assert_int_equal(raft_leader(raft), 0);
    const uint64_t digest = raft_digest(raft);
    lose(raft, 2, 0);
    lose(raft, 0, 0);
    assert_int_equal(raft_digest(raft), digest);
    raft_free(raft);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_leader_first_wait_is_at_most_a_heartbeat),
        cmocka_unit_test(test_lost_leader_waits_grow_to_the_usual_ones),
        cmocka_unit_test(test_lost_leader_heard_again_is_waited_for_as_usual),
        cmocka_unit_test(test_lost_leader_told_again_changes_nothing),
        cmocka_unit_test(test_lost_leader_vote_given_begins_the_usual_wait),
        cmocka_unit_test(test_lost_leader_of_another_follower_is_still_followed_here),
        cmocka_unit_test(test_lost_peer_that_does_not_lead_or_concern_changes_nothing),
        cmocka_unit_test(test_lost_leader_unknown_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
