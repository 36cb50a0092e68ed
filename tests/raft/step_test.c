/* One core, stepped by hand: what it refuses, its limits, its windows, its copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/raft.h"

static struct raft_options options_of(uint32_t voter_count)
{
    struct raft_options options = {
        .self = 1,
        .seed = 1,
        .heartbeat_ms = 50,
        .election_timeout_ms_min = 300,
        .election_timeout_ms_max = 600,
        .append_bytes_max = 100,
        .append_entries_max = 4,
        .window_messages_max = 3,
        .window_bytes_max = 250,
        .uncommitted_bytes_max = 1000,
        .configuration.voter_count = (uint8_t)voter_count,
    };
    for (uint32_t i = 0; i < voter_count; i++)
        options.configuration.voters[i] = i + 1;
    return options;
}

static struct raft *new_core(uint32_t voter_count)
{
    const struct raft_options options = options_of(voter_count);
    struct raft *raft = raft_new(&options, &(struct raft_restored){0}, 0);
    assert_non_null(raft);
    return raft;
}

static struct raft_outputs step(struct raft *raft, struct raft_input input)
{
    struct raft_outputs outputs;
    assert_int_equal(raft_step(raft, &input, &outputs), RAFT_OK);
    raft_check(raft);
    return outputs;
}

static enum raft_error refused(struct raft *raft, struct raft_input input)
{
    struct raft_outputs outputs;
    uint64_t digest = raft_digest(raft);
    enum raft_error error = raft_step(raft, &input, &outputs);
    assert_int_equal(outputs.count, 0);
    assert_int_equal(raft_digest(raft), digest);
    return error;
}

static const struct raft_output *find(const struct raft_outputs *outputs,
                                      enum raft_output_kind kind)
{
    for (size_t i = 0; i < outputs->count; i++) {
        if (outputs->output[i].kind == kind)
            return &outputs->output[i];
    }
    return NULL;
}

static size_t count_appends_to(const struct raft_outputs *outputs, raft_node to)
{
    size_t count = 0;
    for (size_t i = 0; i < outputs->count; i++)
        count += outputs->output[i].kind == RAFT_OUT_SEND && outputs->output[i].message.to == to;
    return count;
}

static struct raft_outputs tick(struct raft *raft)
{
    return step(raft, (struct raft_input){.kind = RAFT_IN_TICK, .now_ms = raft_deadline(raft)});
}

static struct raft_outputs sync(struct raft *raft, const struct raft_outputs *outputs)
{
    const struct raft_output *persist = find(outputs, RAFT_OUT_PERSIST);
    assert_non_null(persist);
    return step(raft,
                (struct raft_input){.kind = RAFT_IN_SYNCED, .synced = persist->persist.token});
}

static struct raft_outputs take(struct raft *raft, struct raft_message message)
{
    message.to = 1;
    return step(raft, (struct raft_input){.kind = RAFT_IN_MESSAGE, .message = message});
}

static struct raft_input proposal(const struct raft_entry *entries, size_t entry_count)
{
    return (struct raft_input){.kind = RAFT_IN_PROPOSE,
                               .propose = {.entries = entries, .entry_count = entry_count}};
}

static struct raft *new_leader_of_three(void)
{
    struct raft *raft = new_core(3);
    (void)tick(raft);
    struct raft_outputs outputs =
        take(raft, (struct raft_message){.kind = RAFT_MSG_PRE_VOTE_REPLY, .from = 2, .term = 1});
    (void)sync(raft, &outputs);
    outputs = take(raft, (struct raft_message){.kind = RAFT_MSG_VOTE_REPLY, .from = 2, .term = 1});
    assert_int_equal(raft_role(raft), RAFT_LEADER);
    (void)sync(raft, &outputs);
    for (raft_node node = 2; node <= 3; node++)
        (void)take(raft,
                   (struct raft_message){
                       .kind = RAFT_MSG_APPEND_REPLY, .from = node, .term = 1, .match_index = 1});
    assert_int_equal(raft_commit_index(raft), 1);
    return raft;
}

static struct raft *new_leader_of_one(void)
{
    struct raft *raft = new_core(1);
    struct raft_outputs outputs = tick(raft);
    outputs = sync(raft, &outputs);
    (void)sync(raft, &outputs);
    assert_int_equal(raft_role(raft), RAFT_LEADER);
    return raft;
}

static void test_new_contradictory_options_refused(void **state)
{
    (void)state;
    const struct raft_restored empty = {0};
    for (int i = 0; i < 9; i++) {
        struct raft_options options = options_of(3);
        options.self = i == 0 ? 0 : i == 1 ? 4 : 1;
        options.heartbeat_ms = i == 2 ? 300 : i == 3 ? 0 : 50;
        options.election_timeout_ms_max = i == 4 ? 299 : 600;
        options.append_entries_max = i == 5 ? 0 : 4;
        options.window_messages_max = i == 6 ? 0 : 3;
        options.window_bytes_max = i == 7 ? 0 : 250;
        options.configuration.voters[1] = i == 8 ? 1 : 2;
        assert_null(raft_new(&options, &empty, 0));
    }
}

static void test_new_contradictory_log_refused(void **state)
{
    (void)state;
    static const struct raft_entry rising[] = {{1, 0, RAFT_ENTRY_COMMAND},
                                               {2, 0, RAFT_ENTRY_COMMAND}};
    static const struct raft_entry falling[] = {{2, 0, RAFT_ENTRY_COMMAND},
                                                {1, 0, RAFT_ENTRY_COMMAND}};
    static const struct raft_entry kindless[] = {{1, 0, 0}};
    const struct raft_restored restored[] = {
        {.term = 2, .entries = falling, .entry_count = 2},
        {.term = 1, .entries = rising, .entry_count = 2},
        {.term = 1, .entries = kindless, .entry_count = 1},
        {.term = 2, .entries = rising, .entry_count = 2, .commit_index = 3},
        {.term = 2, .base_index = 4, .base_term = 1, .commit_index = 3},
        {.term = 2, .base_index = 4},
        {.term = 2, .base_term = 1},
        {.term = 2,
         .base_index = 4,
         .base_term = 2,
         .commit_index = 4,
         .entries = rising,
         .entry_count = 2},
    };
    const struct raft_options options = options_of(3);
    for (size_t i = 0; i < sizeof restored / sizeof *restored; i++)
        assert_null(raft_new(&options, &restored[i], 0));
}

static void test_step_follower_refuses_proposals_and_reads(void **state)
{
    (void)state;
    static const struct raft_entry entry = {.kind = RAFT_ENTRY_COMMAND, .bytes = 1};
    struct raft *raft = new_core(3);
    assert_int_equal(refused(raft, proposal(&entry, 1)), RAFT_NOT_LEADER);
    assert_int_equal(refused(raft, (struct raft_input){.kind = RAFT_IN_READ}), RAFT_NOT_LEADER);
    raft_free(raft);
}

static void test_propose_one_batch_is_one_append_to_each(void **state)
{
    (void)state;
    static const struct raft_entry entries[4] = {{.kind = RAFT_ENTRY_COMMAND, .bytes = 10},
                                                 {.kind = RAFT_ENTRY_COMMAND, .bytes = 20},
                                                 {.kind = RAFT_ENTRY_CONFIGURATION, .bytes = 30},
                                                 {.kind = RAFT_ENTRY_COMMAND, .bytes = 40}};
    struct raft *raft = new_leader_of_three();
    struct raft_outputs outputs = step(raft, proposal(entries, 4));
    assert_int_equal(outputs.count, 3);
    const struct raft_persist *persist = &outputs.output[0].persist;
    assert_int_equal(outputs.output[0].kind, RAFT_OUT_PERSIST);
    assert_int_equal(persist->first_index, 2);
    assert_int_equal(persist->last_index, 5);
    assert_false(persist->has_hard_state);
    for (size_t i = 1; i < 3; i++) {
        const struct raft_message *append = &outputs.output[i].message;
        assert_int_equal(append->previous_index, 1);
        assert_int_equal(append->entry_count, 4);
        assert_int_equal(append->entries[2].term, 1);
        assert_int_equal(append->entries[2].kind, RAFT_ENTRY_CONFIGURATION);
        assert_int_equal(append->entries[3].bytes, 40);
    }
    raft_free(raft);
}

static void test_propose_respects_both_windows(void **state)
{
    (void)state;
    static const struct raft_entry large = {.kind = RAFT_ENTRY_COMMAND, .bytes = 300};
    struct raft_entry small[13];
    for (size_t i = 0; i < 13; i++)
        small[i] = (struct raft_entry){.kind = RAFT_ENTRY_COMMAND};
    struct raft *raft = new_leader_of_three();
    /* 13 entries of 4 to a message are four messages, and three may be in flight. */
    struct raft_outputs outputs = step(raft, proposal(small, 13));
    assert_int_equal(count_appends_to(&outputs, 2), 3);
    outputs =
        take(raft, (struct raft_message){
                       .kind = RAFT_MSG_APPEND_REPLY, .from = 2, .term = 1, .match_index = 5});
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    (void)take(raft, (struct raft_message){
                         .kind = RAFT_MSG_APPEND_REPLY, .from = 2, .term = 1, .match_index = 14});
    /* One entry past every limit of bytes still leaves, alone. */
    outputs = step(raft, proposal(&large, 1));
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    outputs = step(raft, proposal(small, 1));
    assert_int_equal(count_appends_to(&outputs, 2), 0);
    outputs =
        take(raft, (struct raft_message){
                       .kind = RAFT_MSG_APPEND_REPLY, .from = 2, .term = 1, .match_index = 15});
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    raft_free(raft);
}

static void test_propose_uncommitted_limit_is_given_back(void **state)
{
    (void)state;
    static const struct raft_entry huge = {.kind = RAFT_ENTRY_COMMAND, .bytes = 5000};
    static const struct raft_entry tiny = {.kind = RAFT_ENTRY_COMMAND, .bytes = 1};
    struct raft *raft = new_leader_of_one();
    for (int i = 0; i < 3; i++) {
        struct raft_outputs outputs = step(raft, proposal(&huge, 1));
        struct raft_outputs kept = outputs;
        const struct raft_input input = {.kind = RAFT_IN_SYNCED,
                                         .synced = find(&kept, RAFT_OUT_PERSIST)->persist.token};
        assert_int_equal(refused(raft, proposal(&tiny, 1)), RAFT_FULL);
        (void)step(raft, input);
        assert_int_equal(raft_commit_index(raft), raft_last_index(raft));
    }
    raft_free(raft);
}

static void test_propose_nothing_does_nothing(void **state)
{
    (void)state;
    struct raft *raft = new_leader_of_one();
    struct raft_outputs outputs = step(raft, proposal(NULL, 0));
    assert_int_equal(outputs.count, 0);
    raft_free(raft);
}

static void test_leader_of_one_commits_by_its_own_sync_only(void **state)
{
    (void)state;
    static const struct raft_entry entry = {.kind = RAFT_ENTRY_COMMAND, .bytes = 1};
    struct raft *raft = new_leader_of_one();
    struct raft_outputs outputs = step(raft, proposal(&entry, 1));
    assert_null(find(&outputs, RAFT_OUT_COMMITTED));
    outputs = sync(raft, &outputs);
    assert_non_null(find(&outputs, RAFT_OUT_COMMITTED));
    assert_int_equal(find(&outputs, RAFT_OUT_COMMITTED)->index, 2);
    raft_free(raft);
}

static void test_leader_probes_with_one_append_at_a_time(void **state)
{
    (void)state;
    static const struct raft_entry entry = {.kind = RAFT_ENTRY_COMMAND, .bytes = 1};
    const struct raft_message refusal = {.kind = RAFT_MSG_APPEND_REPLY,
                                         .from = 2,
                                         .term = 1,
                                         .is_rejected = true,
                                         .hint_index = 1,
                                         .hint_term = 1};
    struct raft *raft = new_leader_of_three();
    struct raft_outputs outputs = step(raft, proposal(&entry, 1));
    outputs = step(raft, proposal(&entry, 1));
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    /* The first was lost, so what came after it is refused, and tried again from there, once. */
    outputs = take(raft, refusal);
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    outputs = take(raft, refusal);
    assert_int_equal(count_appends_to(&outputs, 2), 0);
    outputs = step(raft, proposal(&entry, 1));
    assert_int_equal(count_appends_to(&outputs, 2), 0);
    assert_int_equal(count_appends_to(&outputs, 3), 1);
    outputs =
        take(raft, (struct raft_message){
                       .kind = RAFT_MSG_APPEND_REPLY, .from = 2, .term = 1, .match_index = 3});
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    raft_free(raft);
}

static void test_leader_answers_of_withheld_votes_do_not_keep_it(void **state)
{
    (void)state;
    struct raft *raft = new_leader_of_three();
    uint64_t begin_ms = raft_deadline(raft);
    for (uint64_t now_ms = begin_ms; now_ms <= begin_ms + 700; now_ms += 50) {
        (void)step(raft, (struct raft_input){.kind = RAFT_IN_TICK, .now_ms = now_ms});
        if (raft_role(raft) == RAFT_LEADER)
            (void)take(raft, (struct raft_message){.kind = RAFT_MSG_APPEND_REPLY,
                                                   .from = 2,
                                                   .term = 1,
                                                   .is_withheld = true,
                                                   .hint_index = 1});
    }
    assert_int_equal(raft_role(raft), RAFT_FOLLOWER);
    raft_free(raft);
}

/* Entries go to a node whose vote is withheld one message at a time, however often it answers. */
static void test_leader_fills_a_withheld_node_once_for_each_news(void **state)
{
    (void)state;
    struct raft *raft = new_leader_of_three();
    const struct raft_message at_first = {
        .kind = RAFT_MSG_APPEND_REPLY, .from = 2, .term = 1, .is_withheld = true, .hint_index = 1};
    struct raft_message further = at_first;
    further.hint_index = 5;
    struct raft_entry entries[6];
    for (size_t i = 0; i < 6; i++)
        entries[i] = (struct raft_entry){1, 10, RAFT_ENTRY_COMMAND};
    struct raft_outputs outputs = step(raft, proposal(entries, 6));
    outputs = take(raft, at_first);
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    outputs = take(raft, at_first); /* an answer to a heartbeat, or the network said it twice */
    assert_int_equal(count_appends_to(&outputs, 2), 0);

    outputs = tick(raft); /* a heartbeat later the entries may be lost */
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    assert_int_equal(find(&outputs, RAFT_OUT_SEND)->message.entry_count, 0);
    outputs = take(raft, at_first);
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    assert_int_equal(find(&outputs, RAFT_OUT_SEND)->message.entry_count, 4);
    outputs = take(raft, at_first);
    assert_int_equal(count_appends_to(&outputs, 2), 0);

    outputs = take(raft, further);
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    outputs = take(raft, further);
    assert_int_equal(count_appends_to(&outputs, 2), 0);
    (void)tick(raft);
    outputs = take(raft, at_first); /* an old one, late */
    assert_int_equal(count_appends_to(&outputs, 2), 0);
    raft_free(raft);
}

static void test_candidate_waits_for_its_disk(void **state)
{
    (void)state;
    struct raft *raft = new_core(3);
    (void)tick(raft);
    struct raft_outputs written =
        take(raft, (struct raft_message){.kind = RAFT_MSG_PRE_VOTE_REPLY, .from = 2, .term = 1});
    const struct raft_synced token = find(&written, RAFT_OUT_PERSIST)->persist.token;
    for (int i = 0; i < 5; i++) {
        struct raft_outputs outputs = tick(raft);
        assert_int_equal(outputs.count, 0);
    }
    struct raft_outputs outputs =
        step(raft, (struct raft_input){.kind = RAFT_IN_SYNCED, .synced = token});
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    assert_int_equal(find(&outputs, RAFT_OUT_SEND)->message.kind, RAFT_MSG_VOTE);
    raft_free(raft);
}

static void test_follower_answers_heartbeats_while_its_disk_writes(void **state)
{
    (void)state;
    static const struct raft_entry entry = {.term = 1, .kind = RAFT_ENTRY_NOOP};
    struct raft_message append = {
        .kind = RAFT_MSG_APPEND, .from = 2, .term = 1, .entries = &entry, .entry_count = 1};
    struct raft *raft = new_core(3);
    struct raft_outputs outputs = take(raft, append);
    assert_null(find(&outputs, RAFT_OUT_SEND));
    append.previous_index = append.previous_term = 1;
    append.entry_count = 0;
    append.round = 3;
    outputs = take(raft, append);
    const struct raft_output *answer = find(&outputs, RAFT_OUT_SEND);
    assert_non_null(answer);
    assert_false(answer->message.is_rejected);
    assert_int_equal(answer->message.match_index, 0);
    assert_int_equal(answer->message.round, 3);
    raft_free(raft);
}

static void test_follower_vote_waits_longer_and_leader_of_the_term_has_it(void **state)
{
    (void)state;
    struct raft *raft = new_core(3);
    uint64_t now_ms = raft_deadline(raft) - 1;
    (void)step(raft, (struct raft_input){
                         .kind = RAFT_IN_MESSAGE,
                         .now_ms = now_ms,
                         .message = {.kind = RAFT_MSG_VOTE, .from = 2, .to = 1, .term = 1}});
    assert_true(raft_deadline(raft) >= now_ms + 300);
    (void)take(raft, (struct raft_message){.kind = RAFT_MSG_APPEND, .from = 2, .term = 2});
    struct raft_outputs outputs =
        take(raft, (struct raft_message){.kind = RAFT_MSG_VOTE, .from = 3, .term = 2});
    assert_true(find(&outputs, RAFT_OUT_SEND)->message.is_rejected);
    assert_null(find(&outputs, RAFT_OUT_PERSIST));
    raft_free(raft);
}

static void test_leader_gap_in_ticks_sends_one_heartbeat(void **state)
{
    (void)state;
    struct raft *raft = new_leader_of_three();
    uint64_t later_ms = raft_deadline(raft) + 10000;
    struct raft_outputs outputs =
        step(raft, (struct raft_input){.kind = RAFT_IN_TICK, .now_ms = later_ms});
    assert_int_equal(raft_role(raft), RAFT_LEADER);
    assert_int_equal(count_appends_to(&outputs, 2), 1);
    outputs = step(raft, (struct raft_input){.kind = RAFT_IN_TICK, .now_ms = later_ms});
    assert_int_equal(outputs.count, 0);
    /* Nobody answers: it steps down within the longest election timeout of waking up. */
    (void)step(raft, (struct raft_input){.kind = RAFT_IN_TICK, .now_ms = later_ms + 300});
    (void)step(raft, (struct raft_input){.kind = RAFT_IN_TICK, .now_ms = later_ms + 600});
    assert_int_equal(raft_role(raft), RAFT_FOLLOWER);
    raft_free(raft);
}

/* A host that always ticks late is slower, and still elects. */
static void test_follower_coarse_ticks_still_campaign(void **state)
{
    (void)state;
    struct raft *raft = new_core(3);
    for (uint64_t now_ms = 2000; now_ms <= 8000; now_ms += 2000)
        (void)step(raft, (struct raft_input){.kind = RAFT_IN_TICK, .now_ms = now_ms});
    assert_int_equal(raft_role(raft), RAFT_PRE_CANDIDATE);
    raft_free(raft);
}

static void test_follower_timeout_is_drawn_afresh_within_its_bounds(void **state)
{
    (void)state;
    struct raft *raft = new_core(3);
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    uint64_t before_ms = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t due_ms = raft_deadline(raft);
        uint64_t drawn = due_ms - before_ms;
        least = drawn < least ? drawn : least;
        most = drawn > most ? drawn : most;
        before_ms = due_ms;
        (void)tick(raft);
    }
    assert_in_range(least, 300, 330);
    assert_in_range(most, 570, 600);
    raft_free(raft);
}

static void test_learner_neither_campaigns_nor_counts(void **state)
{
    (void)state;
    struct raft_options options = options_of(2);
    options.configuration.learners[0] = 3;
    options.configuration.learner_count = 1;
    options.self = 3;
    struct raft *raft = raft_new(&options, &(struct raft_restored){0}, 0);
    assert_non_null(raft);
    for (int i = 0; i < 5; i++) {
        struct raft_outputs outputs = tick(raft);
        assert_int_equal(outputs.count, 0);
    }
    raft_free(raft);
}

/* Node 3 has a term of its own, in which this node may have voted for it before it lost its log. */
static void test_withheld_vote_is_not_back_in_a_term_below_what_it_was_told(void **state)
{
    (void)state;
    static const struct raft_entry noops[] = {{.term = 6, .kind = RAFT_ENTRY_NOOP},
                                              {.term = 8, .kind = RAFT_ENTRY_NOOP}};
    const struct raft_options options = options_of(3);
    struct raft *raft = raft_new(&options, &(struct raft_restored){.is_vote_withheld = true}, 0);
    assert_non_null(raft);
    struct raft_message append = {.kind = RAFT_MSG_APPEND,
                                  .from = 2,
                                  .term = 6,
                                  .commit_index = 1,
                                  .entries = noops,
                                  .entry_count = 1};
    struct raft_outputs outputs = take(raft, append);
    struct raft_synced token = find(&outputs, RAFT_OUT_PERSIST)->persist.token;
    outputs = take(raft, (struct raft_message){.kind = RAFT_MSG_VOTE, .from = 3, .term = 7});
    assert_int_equal(raft_current_term(raft), 6);
    (void)step(raft, (struct raft_input){.kind = RAFT_IN_SYNCED, .synced = token});
    outputs = step(raft, (struct raft_input){.kind = RAFT_IN_READMIT});
    assert_int_equal(outputs.count, 0);
    append.term = 8;
    append.previous_index = 1;
    append.previous_term = 6;
    append.commit_index = 2;
    append.entries = &noops[1];
    outputs = take(raft, append);
    outputs = sync(raft, &outputs);
    assert_int_equal(find(&outputs, RAFT_OUT_PERSIST)->persist.vote, 1);
    outputs = sync(raft, &outputs);
    assert_non_null(find(&outputs, RAFT_OUT_READMITTED));
    raft_free(raft);
}

static void test_cut_forgets_entries_and_keeps_answers(void **state)
{
    (void)state;
    struct raft *raft = new_leader_of_three();
    assert_int_equal(raft_match_index_min(raft), 1);
    (void)step(raft, (struct raft_input){.kind = RAFT_IN_CUT, .index = 1});
    assert_int_equal(raft_first_index(raft), 2);
    assert_int_equal(raft_term_at(raft, 1), 1);
    assert_int_equal(raft_term_at(raft, 0), 0);
    struct raft_outputs outputs = step(raft, (struct raft_input){.kind = RAFT_IN_READ});
    assert_int_equal(find(&outputs, RAFT_OUT_READ_STARTED)->read.index, 1);
    raft_free(raft);
}

/* Cut although a follower needs what is gone: it waits, and everything else goes on. */
static void test_cut_before_a_follower_is_survived(void **state)
{
    (void)state;
    static const struct raft_entry entries[3] = {
        {.kind = RAFT_ENTRY_COMMAND}, {.kind = RAFT_ENTRY_COMMAND}, {.kind = RAFT_ENTRY_COMMAND}};
    struct raft *raft = new_leader_of_three();
    struct raft_outputs outputs = step(raft, proposal(entries, 3));
    (void)sync(raft, &outputs);
    (void)take(raft, (struct raft_message){
                         .kind = RAFT_MSG_APPEND_REPLY, .from = 2, .term = 1, .match_index = 4});
    assert_int_equal(raft_commit_index(raft), 4);
    (void)step(raft, (struct raft_input){.kind = RAFT_IN_CUT, .index = 4});
    for (int i = 0; i < 3; i++) {
        outputs = take(raft, (struct raft_message){.kind = RAFT_MSG_APPEND_REPLY,
                                                   .from = 3,
                                                   .term = 1,
                                                   .is_rejected = true,
                                                   .hint_index = 1,
                                                   .hint_term = 1});
        assert_int_equal(count_appends_to(&outputs, 3), 0);
    }
    outputs = tick(raft);
    assert_int_equal(count_appends_to(&outputs, 3), 1);
    raft_free(raft);
}

static void test_progress_tells_of_members_to_a_leader_only(void **state)
{
    (void)state;
    struct raft_progress progress;
    struct raft *raft = new_core(3);
    assert_false(raft_progress_of(raft, 2, &progress));
    assert_int_equal(raft_match_index_min(raft), 0);
    raft_free(raft);
    raft = new_leader_of_three();
    assert_true(raft_progress_of(raft, 2, &progress));
    assert_int_equal(progress.match_index, 1);
    assert_int_equal(progress.next_index, 2);
    assert_true(progress.is_replicating);
    assert_true(raft_progress_of(raft, 1, &progress));
    assert_int_equal(progress.match_index, 1);
    assert_false(raft_progress_of(raft, 4, &progress));
    raft_free(raft);
}

static void test_clone_is_equal_and_independent(void **state)
{
    (void)state;
    static const struct raft_entry entry = {.kind = RAFT_ENTRY_COMMAND, .bytes = 1};
    struct raft *raft = new_leader_of_three();
    (void)step(raft, proposal(&entry, 1));
    struct raft *copy = raft_clone(raft);
    assert_non_null(copy);
    uint64_t digest = raft_digest(raft);
    assert_int_equal(raft_digest(copy), digest);
    (void)step(copy, proposal(&entry, 1));
    assert_int_equal(raft_digest(raft), digest);
    assert_int_not_equal(raft_digest(copy), digest);
    (void)step(raft, proposal(&entry, 1));
    assert_int_equal(raft_digest(raft), raft_digest(copy));
    raft_free(raft);
    (void)tick(copy);
    raft_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_contradictory_options_refused),
        cmocka_unit_test(test_new_contradictory_log_refused),
        cmocka_unit_test(test_step_follower_refuses_proposals_and_reads),
        cmocka_unit_test(test_propose_one_batch_is_one_append_to_each),
        cmocka_unit_test(test_propose_respects_both_windows),
        cmocka_unit_test(test_propose_uncommitted_limit_is_given_back),
        cmocka_unit_test(test_propose_nothing_does_nothing),
        cmocka_unit_test(test_leader_of_one_commits_by_its_own_sync_only),
        cmocka_unit_test(test_leader_probes_with_one_append_at_a_time),
        cmocka_unit_test(test_leader_answers_of_withheld_votes_do_not_keep_it),
        cmocka_unit_test(test_leader_fills_a_withheld_node_once_for_each_news),
        cmocka_unit_test(test_candidate_waits_for_its_disk),
        cmocka_unit_test(test_follower_answers_heartbeats_while_its_disk_writes),
        cmocka_unit_test(test_follower_vote_waits_longer_and_leader_of_the_term_has_it),
        cmocka_unit_test(test_leader_gap_in_ticks_sends_one_heartbeat),
        cmocka_unit_test(test_follower_coarse_ticks_still_campaign),
        cmocka_unit_test(test_follower_timeout_is_drawn_afresh_within_its_bounds),
        cmocka_unit_test(test_learner_neither_campaigns_nor_counts),
        cmocka_unit_test(test_withheld_vote_is_not_back_in_a_term_below_what_it_was_told),
        cmocka_unit_test(test_cut_forgets_entries_and_keeps_answers),
        cmocka_unit_test(test_cut_before_a_follower_is_survived),
        cmocka_unit_test(test_progress_tells_of_members_to_a_leader_only),
        cmocka_unit_test(test_clone_is_equal_and_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
