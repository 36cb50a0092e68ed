#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/partition.h"
#include "tests/node/single.h"
#include "workflow/state.h"

static const char definition[] =
    "document: { dsl: '1.0.3', namespace: default, name: one, version: '1.0.0' }\n"
    "do:\n"
    "  - work: { call: a.work, with: { n: 1 } }\n";

static int begin(void **state)
{
    struct single *single = malloc(sizeof *single);
    if (single == NULL)
        return -1;
    single_begin(single);
    single_deploy(single, 1, definition);
    *state = single;
    return 0;
}

static int end(void **state)
{
    single_end(*state);
    free(*state);
    return 0;
}

static void start(struct single *single, uint64_t connection, uint64_t attachment,
                  uint64_t correlation, uint8_t request)
{
    const struct msg_start message = {.definition = BYTES_LITERAL("one")};
    single_request(single, connection, attachment, correlation, request, REQUEST_START,
                   &schema_start, &message);
}

static void test_start_asked_again_without_room_gets_its_answer(void **state)
{
    struct single *single = *state;
    single_attach(single, 1, 1, 1);
    start(single, 1, 1, 1, 11);
    assert_int_equal(single->answers[1].error, PAWL_OK);
    single->free_bytes = 1;
    start(single, 1, 1, 2, 12);
    assert_true(single->answers[2].is_here);
    single_sleep(single, 1000000);
    assert_true(replica_status(single->replica).is_out_of_space);

    start(single, 1, 1, 3, 11);
    start(single, 1, 1, 4, 13);
    assert_true(single->answers[3].is_here);
    assert_int_equal(single->answers[3].error, PAWL_OK);
    assert_true(single->answers[4].is_here);
    assert_int_equal(single->answers[4].error, PAWL_E_DISK_FULL);
}

static void test_request_outside_the_newest_attachment_is_rejected_without_effect(void **state)
{
    static const struct {
        uint64_t connection, attachment;
    } outside[] = {{1, 1}, {1, 2}, {2, 1}, {2, 3}};
    struct single *single = *state;
    single_attach(single, 1, 1, 1);
    single_attach(single, 2, 1, 2);
    const uint64_t decided = replica_status(single->replica).decision_count;
    for (uint64_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        start(single, outside[i].connection, outside[i].attachment, 1 + i, (uint8_t)(11 + i));
        assert_true(single->answers[1 + i].is_here);
        assert_int_equal(single->answers[1 + i].error, PAWL_E_NOT_ATTACHED);
    }
    assert_int_equal(replica_status(single->replica).decision_count, decided);
    start(single, 2, 2, 10, 11);
    assert_int_equal(single->answers[10].error, PAWL_OK);
}

static void test_session_that_asks_keeps_its_lease_and_a_silent_one_loses_it(void **state)
{
    enum { SLEEP_US = SESSION_HEARTBEAT_MS * 900, SLEEPS = SESSION_LEASE_MS * 1000 / SLEEP_US + 2 };
    struct single *single = *state;
    single_attach(single, 1, 1, 1);
    for (uint64_t i = 0; i < SLEEPS; i++) {
        single_sleep(single, SLEEP_US);
        start(single, 1, 1, 1 + i, (uint8_t)(11 + i));
        assert_true(single->answers[1 + i].is_here);
        assert_int_equal(single->answers[1 + i].error, PAWL_OK);
    }
    for (int i = 0; i < SLEEPS; i++)
        single_sleep(single, SLEEP_US);
    start(single, 1, 1, 30, 40);
    assert_int_equal(single->answers[30].error, PAWL_E_NOT_ATTACHED);
}

static void test_command_of_an_older_attachment_that_waited_for_rows_is_never_decided(void **state)
{
    struct single *single = *state;
    single_restart(single);
    single_attach(single, 1, 1, 1);
    single->holds_loads = true;
    start(single, 1, 1, 1, 11);
    assert_int_equal(replica_status(single->replica).waiting_count, 1);

    single_attach(single, 2, 1, 2);
    single->holds_loads = false;
    single_settle(single);
    assert_int_equal(replica_status(single->replica).waiting_count, 0);
    assert_int_equal(replica_status(single->replica).decision_count, 0);
    assert_int_equal(single->answers[1].error, PAWL_E_NOT_ATTACHED);

    start(single, 2, 2, 2, 11);
    assert_true(single->answers[2].is_here);
    assert_int_equal(single->answers[2].error, PAWL_OK);
}

static void test_command_that_waited_for_rows_is_decided_once_they_are_loaded(void **state)
{
    struct single *single = *state;
    single_restart(single);
    single_attach(single, 1, 1, 1);
    start(single, 1, 1, 1, 11);
    assert_true(single->answers[1].is_here);
    assert_int_equal(single->answers[1].error, PAWL_OK);
    assert_true(replica_status(single->replica).load_count > 0);
    assert_int_equal(single->answers[1].count, 1);
}

static void test_handout_leaves_under_the_attachment_of_when_it_is_committed(void **state)
{
    static const struct {
        uint64_t connection, attachment; /* when it is committed */
    } then[] = {{2, 1}, {3, 2}};
    for (size_t i = 0; i < sizeof then / sizeof then[0]; i++) {
        struct single *single = *state;
        single_attach(single, 1, 1, 1);
        single_attach_worker(single, 2, 2, 1, "a.work");
        single->holds_appends = true;
        start(single, 1, 1, 1, 11);
        if (then[i].attachment != 1)
            single_attach_worker(single, then[i].connection, 2, then[i].attachment, "a.work");
        assert_int_equal(single->handouts.count, 0);
        single->holds_appends = false;
        single_settle(single);
        assert_int_equal(single->handouts.count, 1);
        assert_int_equal(single->handouts.connection, then[i].connection);
        assert_int_equal(single->handouts.attachment, then[i].attachment);
        (void)end(state);
        assert_int_equal(begin(state), 0);
    }
}

static void test_worker_whose_attach_is_refused_gets_nothing(void **state)
{
    struct single *single = *state;
    single_attach(single, 1, 1, 1);
    single_attach_worker(single, 2, 2, 1, "a.work");
    single_attach_worker(single, 2, 2, 2, ""); /* no type at all */
    start(single, 1, 1, 1, 11);
    assert_int_equal(single->handouts.count, 0);
    single_attach_worker(single, 2, 2, 3, "a.work");
    assert_int_equal(single->handouts.count, 1);
    assert_int_equal(single->handouts.attachment, 3);
}

static void ask_result(struct single *single, uint64_t connection, uint64_t correlation)
{
    /* The workflow's id is the id of the request that started it. */
    const struct msg_target target = {.workflow_id =
                                          BYTES_LITERAL("00000000-0000-0000-0000-00000000000b")};
    single_request(single, connection, 1, correlation, 0, REQUEST_RESULT, &schema_target, &target);
}

static void test_result_of_an_open_run_is_forgotten_with_its_connection(void **state)
{
    struct single *single = *state;
    single_attach(single, 1, 1, 1);
    single_attach(single, 2, 2, 1);
    start(single, 1, 1, 1, 11);
    for (uint64_t i = 0; i < 10; i++)
        ask_result(single, 1 + i % 2, 10 + i);
    assert_int_equal(replica_status(single->replica).result_count, 10);
    single_close(single, 1);
    assert_int_equal(replica_status(single->replica).result_count, 5);
    single_close(single, 2);
    assert_int_equal(replica_status(single->replica).result_count, 0);
    for (uint64_t i = 0; i < 10; i++)
        assert_false(single->answers[10 + i].is_here);
}

static void test_session_that_attaches_again_gets_just_what_it_does_not_hold(void **state)
{
    enum { STEPS = 40 };
    struct single *single = *state;
    struct msg_fence held[STEPS / 2];
    single_attach(single, 1, 1, 1);
    single_attach_holder(single, 2, 2, 1, "a.work", STEPS, NULL, 0);
    for (uint8_t i = 0; i < STEPS; i++)
        start(single, 1, 1, i, (uint8_t)(11 + i));
    assert_int_equal(single->handouts.count, STEPS);
    for (size_t i = 0; i < STEPS / 2; i++) /* every other one, in no order */
        held[i] = single->handouts.fences[2 * (i * 7 % (STEPS / 2))];
    struct single_handouts before = single->handouts;
    single->handouts.count = 0;
    single_attach_holder(single, 3, 2, 2, "a.work", STEPS, held, STEPS / 2);
    assert_int_equal(single->handouts.count, STEPS / 2);
    for (size_t i = 0; i < STEPS / 2; i++)
        assert_memory_equal(&single->handouts.fences[i], &before.fences[2 * i + 1],
                            sizeof(struct msg_fence));
}

static void ask_list(struct single *single, uint64_t correlation)
{
    const struct msg_list list = {.limit = 10};
    single_request(single, 1, 1, correlation, 0, REQUEST_LIST, &schema_list, &list);
}

static void test_queries_beyond_four_wait_until_one_is_back(void **state)
{
    enum { QUERIES = 11 };
    struct single *single = *state;
    single_attach(single, 1, 1, 1);
    single->holds_queries = true;
    for (uint64_t i = 0; i < QUERIES; i++) {
        ask_list(single, 10 + i);
        assert_int_equal(single_held(single, JOB_QUERY), i < 4 ? i + 1 : 4);
    }
    single->holds_queries = false;
    single_settle(single);
    for (uint64_t i = 0; i < QUERIES; i++) {
        assert_int_equal(single->answers[10 + i].count, 1);
        assert_int_equal(single->answers[10 + i].error, PAWL_OK);
    }
}

static void start_large(struct single *single, uint64_t correlation, uint8_t request)
{
    enum { TEXT_BYTES = 200000, HEAD_BYTES = 5 };
    uint8_t *value = calloc(1, HEAD_BYTES + TEXT_BYTES);
    assert_non_null(value);
    memset(value, 'x', HEAD_BYTES + TEXT_BYTES);
    value[0] = 0xdb; /* a string of 32 bits of size */
    be32_put(value + 1, TEXT_BYTES);
    const struct msg_start message = {.definition = BYTES_LITERAL("one"),
                                      .input = bytes_of(value, HEAD_BYTES + TEXT_BYTES)};
    single_request(single, 1, 1, correlation, request, REQUEST_START, &schema_start, &message);
    free(value);
}

static void test_query_reads_the_window_it_was_given_however_much_is_flushed_since(void **state)
{
    struct single *single = *state;
    single_attach(single, 1, 1, 1);
    single->holds_flushes = true;
    start(single, 1, 1, 1, 11);
    const uint64_t index = replica_status(single->replica).last_index;
    single->holds_queries = true;
    ask_list(single, 2);
    assert_int_equal(single_held(single, JOB_QUERY), 1);
    single->holds_flushes = false;
    for (uint8_t i = 0; i < 20; i++)
        start_large(single, 3, (uint8_t)(12 + i));
    assert_true(replica_status(single->replica).flushed_index > index);
    assert_true(replica_entry_payload(single->replica, index).size > 0);

    single->holds_queries = false;
    single_settle(single);
    assert_int_equal(single->answers[2].error, PAWL_OK);
    start_large(single, 3, 99);
    assert_int_equal(replica_entry_payload(single->replica, index).size, 0);
}

/* More than any message may be. */
static struct bytes too_large(void)
{
    static uint8_t bytes[FRAME_BYTES_MAX + 1];
    return bytes_of(bytes, sizeof bytes);
}

static void test_response_that_no_receiver_would_take_says_only_its_error(void **state)
{
    static const struct {
        enum pawl_error error, otherwise, answered;
    } rows[] = {
        {PAWL_OK, PAWL_E_LIMIT, PAWL_E_LIMIT},
        {PAWL_OK, PAWL_E_UNKNOWN_OUTCOME, PAWL_E_UNKNOWN_OUTCOME},
        {PAWL_E_CONFLICT, PAWL_E_LIMIT, PAWL_E_CONFLICT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena = {0};
        struct buffer out = {0};
        struct msg_response response;
        const struct origin origin = {.connection = 1, .correlation = 7};
        buffer_append(&out, "before", 6);
        const size_t bytes = clients_encode_response(origin, rows[i].error, too_large(),
                                                     too_large(), 5, rows[i].otherwise, &out);
        assert_int_equal(out.size, 6 + bytes);
        assert_memory_equal(out.data, "before", 6);
        assert_int_equal(
            codec_decode(&schema_response, bytes_of(out.data + 6, bytes), &arena, &response, NULL),
            PAWL_OK);
        assert_int_equal(response.correlation, 7);
        assert_int_equal(response.error, rows[i].answered);
        assert_int_equal(response.answer.size, 0);
        assert_true(response.detail.size > 0);
        arena_done(&arena);
        buffer_done(&out);
    }
}

/* What is missing in memory does not tell which run an id stands for, be it the workflow's or that
 * of the request that started it: such a query reads what is committed, not what is stored. */
static void test_result_of_a_run_that_has_ended_is_not_that_of_the_store_behind(void **state)
{
    static const char waits[] =
        "document: { dsl: '1.0.3', namespace: default, name: waits, version: '1.0.0' }\n"
        "do: [ { rest: { wait: PT1H } } ]\n";
    const struct msg_start run = {.definition = BYTES_LITERAL("waits")};
    struct single *single = *state;
    single_deploy(single, 2, waits);
    single_attach(single, 1, 1, 1);
    single_request(single, 1, 1, 1, 11, REQUEST_START, &schema_start, &run);
    single_restart(single);
    single_attach(single, 1, 1, 1);
    start(single, 1, 1, 2, 12); /* loads that nothing stands under a workflow's id */
    single_settle(single);

    single->holds_flushes = true;
    single_sleep(single, (uint64_t)3601 * 1000 * 1000);
    single_sleep(single, 1000000);
    ask_result(single, 1, 3);
    assert_true(single->answers[3].is_here);
    assert_int_equal(single->answers[3].error, PAWL_OK);
    single->holds_flushes = false;
}

/* A timer that nothing can be made of, due at once, straight into the store. */
static void plant_damaged_timer(struct single *single)
{
    uint8_t key[28] = {0};
    key[7] = 1;
    const struct rows_port rows = rows_map_port(single->rows);
    struct rows_snapshot *snapshot;
    assert_int_equal(rows.snapshot_open(rows.self, 0, &snapshot), PAWL_OK);
    struct rows_mark mark = rows.snapshot_mark(rows.self, snapshot);
    rows.snapshot_close(rows.self, snapshot);
    mark.index++;
    const struct row_write write = {
        .table = TABLE_TIMER, .key = bytes_of(key, sizeof key), .value = BYTES_LITERAL("\xc1")};
    assert_int_equal(rows.flush(rows.self, 0, &mark, &write, 1, NULL), PAWL_OK);
}

static void test_timer_that_cannot_be_decided_does_not_hold_up_the_others(void **state)
{
    struct single *single = *state;
    single_attach(single, 1, 1, 1);
    start(single, 1, 1, 1, 11); /* its request expires in a day */
    single_settle(single);
    plant_damaged_timer(single);
    single_restart(single);
    const uint64_t before = replica_status(single->replica).decision_count;
    single_sleep(single, REQUEST_HORIZON_MS * 1000);
    single_sleep(single, 10000000);
    const struct replica_status status = replica_status(single->replica);
    assert_true(status.decision_count > before);
    assert_true(status.stuck_count > 0 && status.stuck_count < 10);
    assert_true(replica_deadline_us(single->replica) > single->now_us + 1000);
}

/* How many events of a kind the store's journal has. */
static size_t journal_count(struct single *single, enum event_kind kind)
{
    enum { RECORDS_MAX = 256 };
    const struct rows_port rows = rows_map_port(single->rows);
    const struct bytes all = {NULL, 0};
    struct row found[RECORDS_MAX];
    struct rows_snapshot *snapshot;
    struct arena arena = {0};
    size_t count, kind_count = 0;
    assert_int_equal(rows.snapshot_open(rows.self, 0, &snapshot), PAWL_OK);
    assert_int_equal(
        rows.scan(rows.self, snapshot, TABLE_JOURNAL, all, all, false, RECORDS_MAX, found, &count),
        PAWL_OK);
    for (size_t i = 0; i < count; i++) {
        struct journal_record record;
        assert_int_equal(journal_record_read(found[i].value, &arena, &record), PAWL_OK);
        const struct journal_event *events = record.events.elements;
        for (size_t k = 0; k < record.events.count; k++)
            kind_count += events[k].kind == kind;
    }
    rows.snapshot_close(rows.self, snapshot);
    arena_done(&arena);
    return kind_count;
}

static void test_clock_jump_of_the_cluster_is_an_event(void **state)
{
    struct single *single = *state;
    assert_int_equal(journal_count(single, EV_CLOCK_JUMPED), 0);
    const uint64_t before_us = replica_status(single->replica).clock_us;
    single->wall_us += (uint64_t)3600 * 1000 * 1000;
    single_sleep(single, 1000);
    single_settle(single);
    assert_true(replica_status(single->replica).clock_us >=
                before_us + (uint64_t)3600 * 1000 * 1000);
    assert_int_equal(journal_count(single, EV_CLOCK_JUMPED), 1);
    single_sleep(single, 1000000);
    assert_int_equal(journal_count(single, EV_CLOCK_JUMPED), 1);
}

static void test_clock_of_the_node_that_is_far_off_is_told(void **state)
{
    struct single *single = *state;
    single_sleep(single, 2000000);
    assert_false(replica_status(single->replica).is_clock_off);
    single->wall_us -= (uint64_t)3600 * 1000 * 1000; /* the cluster's never runs back */
    single_sleep(single, 1000);
    assert_false(replica_status(single->replica).is_clock_off);
    single_sleep(single, 2000000);
    assert_true(replica_status(single->replica).is_clock_off);
    assert_true(replica_status(single->replica).clock_off_us < -3500000000);
    single->wall_us += (uint64_t)3600 * 1000 * 1000;
    single_sleep(single, 1000);
    single_sleep(single, 2000000);
    assert_false(replica_status(single->replica).is_clock_off);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(test_start_asked_again_without_room_gets_its_answer),
        TEST(test_request_outside_the_newest_attachment_is_rejected_without_effect),
        TEST(test_session_that_asks_keeps_its_lease_and_a_silent_one_loses_it),
        TEST(test_command_of_an_older_attachment_that_waited_for_rows_is_never_decided),
        TEST(test_handout_leaves_under_the_attachment_of_when_it_is_committed),
        TEST(test_command_that_waited_for_rows_is_decided_once_they_are_loaded),
        TEST(test_worker_whose_attach_is_refused_gets_nothing),
        TEST(test_result_of_an_open_run_is_forgotten_with_its_connection),
        TEST(test_session_that_attaches_again_gets_just_what_it_does_not_hold),
        TEST(test_queries_beyond_four_wait_until_one_is_back),
        TEST(test_query_reads_the_window_it_was_given_however_much_is_flushed_since),
        TEST(test_response_that_no_receiver_would_take_says_only_its_error),
        TEST(test_result_of_a_run_that_has_ended_is_not_that_of_the_store_behind),
        TEST(test_clock_jump_of_the_cluster_is_an_event),
        TEST(test_clock_of_the_node_that_is_far_off_is_told),
        TEST(test_timer_that_cannot_be_decided_does_not_hold_up_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
