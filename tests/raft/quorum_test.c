#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/quorum.h"

static void test_members_contradictory_configuration_refused(void **state)
{
    (void)state;
    const struct raft_configuration refused[] = {
        {.voter_count = 0},
        {.voters = {1, 0}, .voter_count = 2},
        {.voters = {1, 1}, .voter_count = 2},
        {.voters = {1}, .voter_count = RAFT_MEMBERS_MAX + 1},
        {.voters = {1}, .voter_count = 1, .learners = {1}, .learner_count = 1},
        {.voters = {1},
         .voter_count = 1,
         .old_voters = {2},
         .old_voter_count = 1,
         .learners = {2},
         .learner_count = 1},
        {.voters = {1}, .voter_count = 1, .old_voters = {2, 2}, .old_voter_count = 2},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct raft_members members;
        assert_false(raft_members_init(&members, &refused[i]));
    }
}

static void test_members_slots_do_not_depend_on_order(void **state)
{
    (void)state;
    const struct raft_configuration one = {.voters = {3, 1, 2}, .voter_count = 3};
    const struct raft_configuration other = {
        .voters = {2, 3, 1}, .voter_count = 3, .old_voters = {1}, .old_voter_count = 1};
    struct raft_members a, b;
    assert_true(raft_members_init(&a, &one));
    assert_true(raft_members_init(&b, &other));
    for (raft_node node = 1; node <= 3; node++)
        assert_int_equal(raft_members_slot(&a, node), raft_members_slot(&b, node));
    assert_int_equal(raft_members_slot(&a, 4), -1);
    assert_int_equal(a.count, 3);
}

/* Slots are the nodes less one: all rows name the nodes 1, 2, ... */
static void test_quorum_table(void **state)
{
    (void)state;
    static const struct {
        struct raft_configuration configuration;
        uint64_t values[5];
        uint64_t value;
    } rows[] = {
        {{.voters = {1}, .voter_count = 1}, {7}, 7},
        {{.voters = {1, 2}, .voter_count = 2}, {7, 5}, 5},
        {{.voters = {1, 2, 3}, .voter_count = 3}, {7, 5, 6}, 6},
        {{.voters = {1, 2, 3}, .voter_count = 3}, {7, 0, 0}, 0},
        {{.voters = {1, 2, 3, 4}, .voter_count = 4}, {7, 7, 5, 4}, 5},
        {{.voters = {1, 2, 3, 4, 5}, .voter_count = 5}, {1, 2, 3, 4, 5}, 3},
        /* A learner counts for nothing. */
        {{.voters = {1, 2}, .voter_count = 2, .learners = {3, 4, 5}, .learner_count = 3},
         {2, 1, 9, 9, 9},
         1},
        /* Joint: the lower of both majorities, whichever it is. */
        {{.voters = {1, 2, 3}, .voter_count = 3, .old_voters = {3, 4, 5}, .old_voter_count = 3},
         {9, 9, 9, 2, 1},
         2},
        {{.voters = {1, 2, 3}, .voter_count = 3, .old_voters = {3, 4, 5}, .old_voter_count = 3},
         {2, 1, 9, 9, 9},
         2},
        {{.voters = {1, 2, 3}, .voter_count = 3, .old_voters = {4}, .old_voter_count = 1},
         {9, 9, 9, 0},
         0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct raft_members members;
        assert_true(raft_members_init(&members, &rows[i].configuration));
        assert_int_equal(raft_quorum_value(&members, rows[i].values), rows[i].value);
    }
}

/* A set is a quorum exactly when "has it" reaches a quorum's value: for every set of five. */
static void test_quorum_reached_agrees_with_value(void **state)
{
    (void)state;
    static const struct raft_configuration configurations[] = {
        {.voters = {1, 2, 3, 4, 5}, .voter_count = 5},
        {.voters = {1, 2, 3, 4}, .voter_count = 4, .learners = {5}, .learner_count = 1},
        {.voters = {1, 2, 3}, .voter_count = 3, .old_voters = {2, 4, 5}, .old_voter_count = 3},
        {.voters = {5}, .voter_count = 1, .old_voters = {1, 2, 3, 4}, .old_voter_count = 4},
    };
    for (size_t i = 0; i < sizeof configurations / sizeof *configurations; i++) {
        struct raft_members members;
        assert_true(raft_members_init(&members, &configurations[i]));
        for (raft_slots granted = 0; granted < 32; granted++) {
            uint64_t values[5];
            for (uint32_t slot = 0; slot < 5; slot++)
                values[slot] = (granted & raft_slots_of(slot)) != 0;
            assert_int_equal(raft_quorum_reached(&members, granted),
                             raft_quorum_value(&members, values) == 1);
        }
    }
}

/* A quorum of a joint configuration meets every quorum of either half. */
static void test_quorum_joint_meets_both_halves(void **state)
{
    (void)state;
    static const struct raft_configuration joint = {
        .voters = {1, 2, 3}, .voter_count = 3, .old_voters = {3, 4, 5}, .old_voter_count = 3};
    static const struct raft_configuration halves[] = {
        {.voters = {1, 2, 3}, .voter_count = 3, .learners = {4, 5}, .learner_count = 2},
        {.voters = {3, 4, 5}, .voter_count = 3, .learners = {1, 2}, .learner_count = 2},
    };
    struct raft_members whole, half;
    assert_true(raft_members_init(&whole, &joint));
    for (size_t i = 0; i < 2; i++) {
        assert_true(raft_members_init(&half, &halves[i]));
        for (raft_slots a = 0; a < 32; a++) {
            for (raft_slots b = 0; b < 32; b++) {
                if (raft_quorum_reached(&whole, a) && raft_quorum_reached(&half, b))
                    assert_true((a & b) != 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_contradictory_configuration_refused),
        cmocka_unit_test(test_members_slots_do_not_depend_on_order),
        cmocka_unit_test(test_quorum_table),
        cmocka_unit_test(test_quorum_reached_agrees_with_value),
        cmocka_unit_test(test_quorum_joint_meets_both_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
