/* The small parts of the engine that are functions of their arguments alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/json.h"
#include "workflow/decide.h"
#include "workflow/duration.h"
#include "workflow/problem.h"
#include "workflow/time.h"
#include "workflow/version.h"

static void test_duration_that_is_right_is_read_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        uint64_t us;
    } rows[] = {
        {"\"PT1S\"", 1000000},
        {"\"PT0.2S\"", 200000},
        {"\"PT0,25S\"", 250000},
        {"\"PT1H30M\"", (uint64_t)5400 * 1000000},
        {"\"P1DT1S\"", (uint64_t)86401 * 1000000},
        {"\"P2W\"", (uint64_t)14 * 86400 * 1000000},
        {"\"PT0.5M\"", 30000000},
        {"\"PT0.0000001S\"", 0},
        {"\"P36600D\"", (uint64_t)36600 * 86400 * 1000000},
        {"{\"seconds\":1,\"milliseconds\":5}", 1005000},
        {"{\"days\":1,\"hours\":1,\"minutes\":1}", (uint64_t)90060 * 1000000},
        {"{\"seconds\":0}", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer value = {.limit = 0};
        uint64_t us = 7;
        const char *problem = "";
        assert_int_equal(json_read(bytes_string(rows[i].json), NULL, &value, NULL), PAWL_OK);
        if (!duration_read(buffer_bytes(&value), &us, &problem))
            fail_msg("%s: %s", rows[i].json, problem);
        assert_int_equal(us, rows[i].us);
        buffer_done(&value);
    }
}

static void test_duration_that_is_wrong_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\"\"",
        "\"P\"",
        "\"PT\"",
        "\"1S\"",
        "\"PT1\"",
        "\"PT1X\"",
        "\"PT1.5M1S\"",
        "\"PT1S1M\"",
        "\"P1Y\"",
        "\"P1M\"",
        "\"PT-1S\"",
        "\"P1DT\"",
        "\"PT1.S\"",
        "\"P1S\"",
        "\"P99999999999999999999D\"",
        "\"P40000D\"",
        "5",
        "{}",
        "{\"seconds\":-1}",
        "{\"seconds\":1.5}",
        "{\"years\":1}",
        "{\"days\":40000}",
        "null",
        "[]",
        "\"PT1S \"",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer value = {.limit = 0};
        uint64_t us = 7;
        const char *problem = NULL;
        assert_int_equal(json_read(bytes_string(rows[i]), NULL, &value, NULL), PAWL_OK);
        if (duration_read(buffer_bytes(&value), &us, &problem))
            fail_msg("%s was taken", rows[i]);
        assert_non_null(problem);
        assert_int_equal(us, 7);
        buffer_done(&value);
    }
}

static void test_versions_compare_as_semver_says(void **state)
{
    (void)state;
    static const char *const ascending[] = {"0.0.1",
                                            "1.0.0-1",
                                            "1.0.0-2",
                                            "1.0.0-10",
                                            "1.0.0-alpha",
                                            "1.0.0-alpha.1",
                                            "1.0.0-alpha.beta",
                                            "1.0.0-beta.2",
                                            "1.0.0-beta.11",
                                            "1.0.0-rc.1",
                                            "1.0.0",
                                            "1.0.0+a",
                                            "1.0.0+b",
                                            "1.0.1",
                                            "1.2.0",
                                            "1.10.0",
                                            "2.0.0",
                                            "10.0.0"};
    const size_t count = sizeof ascending / sizeof ascending[0];
    for (size_t i = 0; i < count; i++) {
        assert_true(version_is_valid(bytes_string(ascending[i])));
        for (size_t k = 0; k < count; k++) {
            int order = version_compare(bytes_string(ascending[i]), bytes_string(ascending[k]));
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
}

static void test_version_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"",       "1",          "1.0",       "1.0.0.0",  "01.0.0",
                                       "1.0.0-", "1.0.0-a..b", "1.0.0+",    "1.0.0-a+", "v1.0.0",
                                       "1.0.x",  "1.0.0 ",     "1.0.0-a_b", "1.0.0+a+b"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (version_is_valid(bytes_string(rows[i])))
            fail_msg("'%s' was taken", rows[i]);
}

static void test_times_are_written_in_utc(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {(uint64_t)951782400 * 1000000, "2000-02-29T00:00:00.000Z"},
        {(uint64_t)1700000000 * 1000000 + 123456, "2023-11-14T22:13:20.123Z"},
        {(uint64_t)4107542399 * 1000000 + 999999, "2100-02-28T23:59:59.999Z"},
        {(uint64_t)4107542400 * 1000000, "2100-03-01T00:00:00.000Z"},
        {UINT64_MAX, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[25];
        time_format(rows[i].us, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_backoff_grows_as_its_kind_says(void **state)
{
    (void)state;
    static const struct {
        enum backoff_kind kind;
        double factor;
        uint64_t max_us;
        uint64_t wanted[4]; /* of retries 1 to 4, with a delay of 100 */
    } rows[] = {
        {BACKOFF_CONSTANT, 2, 1000000, {100, 100, 100, 100}},
        {BACKOFF_LINEAR, 2, 1000000, {100, 200, 300, 400}},
        {BACKOFF_EXPONENTIAL, 2, 1000000, {100, 200, 400, 800}},
        {BACKOFF_EXPONENTIAL, 1.5, 1000000, {100, 150, 225, 337}},
        {BACKOFF_EXPONENTIAL, 10, 5000, {100, 1000, 5000, 5000}},
        {BACKOFF_LINEAR, 2, 250, {100, 200, 250, 250}},
        {BACKOFF_CONSTANT, 2, 50, {50, 50, 50, 50}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint32_t n = 0; n < 4; n++)
            assert_int_equal(
                wf_backoff_us(rows[i].kind, 100, rows[i].factor, rows[i].max_us, n + 1),
                rows[i].wanted[n]);
    assert_int_equal(wf_backoff_us(BACKOFF_EXPONENTIAL, 1000, 2, DURATION_US_MAX, UINT32_MAX),
                     DURATION_US_MAX);
    assert_int_equal(wf_backoff_us(BACKOFF_EXPONENTIAL, 0, 2, DURATION_US_MAX, UINT32_MAX), 0);
}

static void test_error_types_of_every_spelling_become_one(void **state)
{
    (void)state;
    static const char *const same[] = {
        "timeout",
        "https://serverlessworkflow.io/spec/1.0.0/errors/timeout",
        "https://serverlessworkflow.io/spec/1.0.3/errors/timeout",
        "https://serverlessworkflow.io/dsl/errors/types/timeout",
        "http://serverlessworkflow.io/dsl/errors/types/timeout",
        "https://open-workflow-specification.org/spec/1.0.0/errors/timeout",
        "https://open-workflow-specification.org/dsl/errors/types/timeout",
    };
    static const char *const others[] = {
        "",
        "timeouts",
        "https://example.com/errors/timeout",
        "https://serverlessworkflow.io/errors/timeout",
        "https://serverlessworkflow.io/spec/1.0.0/errors/other",
        "https://serverlessworkflow.io/spec",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        assert_true(problem_is(problem_type_canonical(bytes_string(same[i])), PROBLEM_TIMEOUT));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_true(
            bytes_equal(problem_type_canonical(bytes_string(others[i])), bytes_string(others[i])));
}

static void test_standard_problems_know_their_status(void **state)
{
    (void)state;
    static const int64_t statuses[] = {400, 400, 400, 401, 403, 408, 500, 500, 408};
    for (int kind = PROBLEM_CONFIGURATION; kind <= PROBLEM_OUTCOME_UNKNOWN; kind++) {
        struct problem problem = problem_of((enum problem_kind)kind);
        assert_int_equal(problem.status, statuses[kind]);
        assert_true(problem_is(problem.type, (enum problem_kind)kind));
    }
}

static void test_schemas_of_rows_are_sound(void **state)
{
    (void)state;
    const struct schema *const schemas[] = {
        &schema_instance,     &schema_step_row,       &schema_undo_row,    &schema_timer_row,
        &schema_workflow_row, &schema_definition_row, &schema_handout_row, &schema_request_row,
        &schema_incident_row, &schema_journal_record};
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        assert_true(schema_is_sound(schemas[i]));
    for (uint8_t kind = 1; kind < EV_COUNT; kind++)
        assert_string_not_equal(event_name(kind), "unknown");
    assert_string_equal(event_name(EV_COUNT), "unknown");
}

static void test_keys_split_into_what_they_were_made_of(void **state)
{
    (void)state;
    struct arena arena = {.limit = 0};
    const struct id128 run = {.byte = {1, 2, 3}}, session = {.byte = {9, 8}};
    const struct msg_fence fence = {.partition = 3, .term = 4, .index = 5, .ordinal = 6};
    struct id128 run_read, session_read;
    struct msg_fence fence_read;
    uint32_t number;
    uint64_t due_us;
    struct bytes ready = key_ready(&arena, BYTES_LITERAL("a.b"), 77, run, 12);
    assert_true(bytes_have_prefix(ready, key_ready_prefix(&arena, BYTES_LITERAL("a.b"))));
    assert_true(key_ready_parse(ready, &run_read, &number));
    assert_true(id128_equal(run_read, run));
    assert_int_equal(number, 12);
    struct bytes timer = key_timer(&arena, 99, run, 13);
    assert_true(key_timer_parse(timer, &due_us, &run_read, &number));
    assert_int_equal(timer_key_due_us(timer), 99);
    assert_int_equal(number, 13);
    struct bytes handout = key_handout(&arena, session, &fence);
    assert_true(bytes_have_prefix(handout, handout_key_prefix(&session)));
    assert_true(handout_key_parse(handout, &session_read, &fence_read));
    assert_true(fence_equal(&fence_read, &fence));
    assert_true(id128_equal(session_read, session));
    assert_false(handout_key_parse(timer, &session_read, &fence_read));
    assert_false(key_timer_parse(handout, &due_us, &run_read, &number));
    assert_false(key_ready_parse(BYTES_LITERAL("a"), &run_read, &number));
    assert_true(bytes_equal(key_end(&arena, BYTES_LITERAL("a\xff\xff")), BYTES_LITERAL("b")));
    assert_int_equal(key_end(&arena, BYTES_LITERAL("\xff")).size, 0);
    arena_done(&arena);
}

static struct bytes row_of(struct buffer *buffer, const struct schema *schema, const void *row)
{
    buffer_reset(buffer);
    codec_encode(schema, row, buffer);
    return buffer_bytes(buffer);
}

static void test_record_says_once_what_its_events_share(void **state)
{
    (void)state;
    struct arena arena = {.limit = 0};
    struct buffer buffer = {.limit = 0};
    struct journal_event events[] = {
        {.kind = EV_STEP_SCHEDULED,
         .task = BYTES_LITERAL("/do/0/a"),
         .type = BYTES_LITERAL("a.a"),
         .step = 1,
         .attempt = 2},
        {.kind = EV_STEP_HANDED_OUT, .is_same = true},
        {.kind = EV_LEASE_LOST, .is_same = true},
        {.kind = EV_WORKFLOW_FAULTED},
    };
    struct journal_record record = {.run = {{1}}, .time_us = 3, .events = {events, 4}}, read;
    struct bytes row = row_of(&buffer, &schema_journal_record, &record);
    assert_int_equal(journal_record_read(row, &arena, &read), PAWL_OK);
    assert_int_equal(read.events.count, 4);
    const struct journal_event *event = read.events.elements;
    for (size_t i = 0; i < 3; i++) {
        assert_true(bytes_equal(event[i].task, events[0].task));
        assert_true(bytes_equal(event[i].type, events[0].type));
        assert_int_equal(event[i].step, 1);
        assert_int_equal(event[i].attempt, 2);
    }
    assert_int_equal(event[3].step, 0);
    row.size--;
    assert_int_equal(journal_record_read(row, &arena, &read), PAWL_E_CORRUPT);
    buffer_done(&buffer);
    arena_done(&arena);
}

static void test_record_of_a_step_handed_out_at_once_is_read_as_two_events(void **state)
{
    (void)state;
    struct arena arena = {.limit = 0};
    struct buffer buffer = {.limit = 0};
    struct journal_event events[] = {
        {.kind = EV_STEP_SCHEDULED,
         .task = BYTES_LITERAL("/do/0/a"),
         .type = BYTES_LITERAL("a.a"),
         .step = 1,
         .attempt = 2,
         .fence = {.term = 3, .index = 4},
         .session = {{5}},
         .detail = BYTES_LITERAL("undo")},
        {.kind = EV_STEP_ABANDONED, .is_same = true},
    };
    struct journal_record record = {.run = {{1}}, .events = {events, 2}}, read;
    struct bytes row = row_of(&buffer, &schema_journal_record, &record);
    assert_int_equal(journal_record_read(row, &arena, &read), PAWL_OK);
    assert_int_equal(read.events.count, 3);
    const struct journal_event *event = read.events.elements;
    assert_int_equal(event[0].kind, EV_STEP_SCHEDULED);
    assert_int_equal(event[0].fence.index, 0);
    assert_true(id128_is_none(event[0].session));
    assert_true(bytes_equal(event[0].detail, events[0].detail));
    assert_int_equal(event[1].kind, EV_STEP_HANDED_OUT);
    assert_true(fence_equal(&event[1].fence, &events[0].fence));
    assert_true(id128_equal(event[1].session, events[0].session));
    assert_int_equal(event[1].detail.size, 0);
    assert_int_equal(event[2].kind, EV_STEP_ABANDONED);
    for (size_t i = 0; i < 3; i++) {
        assert_true(bytes_equal(event[i].task, events[0].task));
        assert_int_equal(event[i].step, 1);
        assert_int_equal(event[i].attempt, 2);
    }
    buffer_done(&buffer);
    arena_done(&arena);
}

static void test_header_without_a_workflow_id_has_that_of_its_request(void **state)
{
    (void)state;
    struct arena arena = {.limit = 0};
    struct buffer buffer = {.limit = 0};
    struct instance named = {.request = {{0xab, 1}}, .workflow_id = BYTES_LITERAL("w1")}, read;
    struct instance unnamed = {.request = {{0xab, 1}}};
    struct bytes row = row_of(&buffer, &schema_instance, &named);
    assert_int_equal(instance_read(row, &arena, &read), PAWL_OK);
    assert_false(read.is_unnamed);
    assert_true(bytes_equal(read.workflow_id, named.workflow_id));
    row = row_of(&buffer, &schema_instance, &unnamed);
    assert_int_equal(instance_read(row, &arena, &read), PAWL_OK);
    assert_true(read.is_unnamed);
    assert_true(
        bytes_equal(read.workflow_id, BYTES_LITERAL("ab010000-0000-0000-0000-000000000000")));
    row.size--;
    assert_int_equal(instance_read(row, &arena, &read), PAWL_E_CORRUPT);
    buffer_done(&buffer);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration_that_is_right_is_read_exactly),
        cmocka_unit_test(test_duration_that_is_wrong_is_refused),
        cmocka_unit_test(test_versions_compare_as_semver_says),
        cmocka_unit_test(test_version_that_is_none_is_refused),
        cmocka_unit_test(test_times_are_written_in_utc),
        cmocka_unit_test(test_backoff_grows_as_its_kind_says),
        cmocka_unit_test(test_error_types_of_every_spelling_become_one),
        cmocka_unit_test(test_standard_problems_know_their_status),
        cmocka_unit_test(test_schemas_of_rows_are_sound),
        cmocka_unit_test(test_keys_split_into_what_they_were_made_of),
        cmocka_unit_test(test_record_says_once_what_its_events_share),
        cmocka_unit_test(test_record_of_a_step_handed_out_at_once_is_read_as_two_events),
        cmocka_unit_test(test_header_without_a_workflow_id_has_that_of_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
