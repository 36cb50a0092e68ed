/* wf_handout: what was sent, rebuilt from rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "world.h"

static const char definition[] =
    "document: { dsl: '1.0.3', namespace: test, name: one, version: '1.0.0' }\n"
    "timeout: { after: PT5S }\n"
    "do: [ { a: { call: a.one, with: { n: '${ .n }' }, metadata: { pawl: { atMostOnce: true } } } "
    "} ]\n";

static void setup(struct world *world)
{
    static const uint8_t input[] = {0x81, 0xa1, 'n', 0x07};
    const struct bytes type = BYTES_LITERAL("a.one");
    struct command deploy = {
        .kind = CMD_DEPLOY, .request = world_id(1), .deploy = {.source = bytes_string(definition)}};
    struct command start = {.kind = CMD_START,
                            .request = world_id(2),
                            .start = {.namespace_name = BYTES_LITERAL("test"),
                                      .definition = BYTES_LITERAL("one"),
                                      .workflow_id = BYTES_LITERAL("w"),
                                      .input = bytes_of(input, sizeof input)}};
    world_init(world);
    assert_int_equal(dispatch_session_put(world->dispatch, world_id(5), &type, 1, 2), PAWL_OK);
    assert_int_equal(world_decide(world, &deploy)->rejection, PAWL_OK);
    assert_int_equal(world_decide(world, &start)->handout_count, 1);
}

static void test_handout_that_is_out_is_rebuilt_as_it_was_sent(void **state)
{
    (void)state;
    struct world world;
    struct arena arena = {.limit = 0};
    struct msg_handout rebuilt;
    struct buffer sent = {.limit = 0}, again = {.limit = 0};
    setup(&world);
    struct view view = world_view(&world);
    const struct world_handout *handout = &world.handouts[0];
    assert_int_equal(wf_handout(&view, handout->session, &handout->handout.fence, &arena, &rebuilt),
                     PAWL_OK);
    codec_encode(&schema_handout, &handout->handout, &sent);
    codec_encode(&schema_handout, &rebuilt, &again);
    assert_true(bytes_equal(buffer_bytes(&sent), buffer_bytes(&again)));
    assert_true(rebuilt.is_at_most_once);
    assert_int_equal(rebuilt.deadline_ms, world.now_us / 1000 + 5000);
    buffer_done(&sent);
    buffer_done(&again);
    arena_done(&arena);
    world_done(&world);
}

static void test_handout_that_has_ended_is_not_found(void **state)
{
    (void)state;
    struct world world;
    struct arena arena = {.limit = 0};
    struct msg_handout rebuilt;
    setup(&world);
    struct view view = world_view(&world);
    const struct world_handout handout = world.handouts[0];
    struct command report = {.kind = CMD_STEP_REPORT,
                             .request = world_id(3),
                             .session = handout.session,
                             .report = {.run = handout.handout.run,
                                        .step = handout.handout.step,
                                        .fence = handout.handout.fence,
                                        .outcome = REPORT_COMPLETED}};
    assert_int_equal(world_decide(&world, &report)->rejection, PAWL_OK);
    assert_int_equal(wf_handout(&view, handout.session, &handout.handout.fence, &arena, &rebuilt),
                     PAWL_E_NOT_FOUND);
    arena_done(&arena);
    world_done(&world);
}

static void test_report_of_another_session_is_stale(void **state)
{
    (void)state;
    struct world world;
    setup(&world);
    const struct world_handout handout = world.handouts[0];
    struct command report = {.kind = CMD_STEP_REPORT,
                             .request = world_id(3),
                             .session = world_id(6),
                             .report = {.run = handout.handout.run,
                                        .step = handout.handout.step,
                                        .fence = handout.handout.fence,
                                        .outcome = REPORT_COMPLETED}};
    assert_int_equal(world_decide(&world, &report)->rejection, PAWL_E_STALE);
    report.session = handout.session;
    report.report.step = 99;
    assert_int_equal(world_decide(&world, &report)->rejection, PAWL_E_STALE);
    report.report.run = world_id(77);
    assert_int_equal(world_decide(&world, &report)->rejection, PAWL_E_NOT_FOUND);
    assert_int_equal(world.decision.write_count, 0);
    world_done(&world);
}

static void test_commands_name_the_run_that_orders_them(void **state)
{
    (void)state;
    struct arena arena = {.limit = 0};
    const struct id128 run = world_id(8);
    struct command report = {.kind = CMD_STEP_REPORT, .report = {.run = run}};
    struct command timer = {.kind = CMD_TIMER_FIRE, .timer_key = key_timer(&arena, 1, run, 2)};
    struct command damaged = {.kind = CMD_TIMER_FIRE, .timer_key = BYTES_LITERAL("x")};
    struct command dispatch = {.kind = CMD_DISPATCH};
    assert_true(id128_equal(command_run(&report), run));
    assert_true(id128_equal(command_run(&timer), run));
    assert_true(id128_is_none(command_run(&damaged)));
    assert_true(id128_is_none(command_run(&dispatch)));
    arena_done(&arena);
}

/* A decision that hands out steps must fit into an entry, however large they are. */
static void test_ready_steps_that_are_large_are_handed_out_in_parts(void **state)
{
    enum { STEPS = 8, ARGUMENT_BYTES = 300 << 10 };
    (void)state;
    static uint8_t input[ARGUMENT_BYTES + 8] = {0x81, 0xa1, 'n', 0xdb};
    struct world world;
    const struct bytes type = BYTES_LITERAL("a.one");
    struct command command = {.kind = CMD_START,
                              .start = {.namespace_name = BYTES_LITERAL("test"),
                                        .definition = BYTES_LITERAL("one"),
                                        .input = bytes_of(input, sizeof input)}};
    be32_put(input + 4, ARGUMENT_BYTES);
    memset(input + 8, 'x', ARGUMENT_BYTES);
    setup(&world);
    dispatch_session_remove(world.dispatch, world_id(5));
    for (uint64_t i = 0; i < STEPS; i++) {
        command.request = world_id(100 + i);
        assert_int_equal(world_decide(&world, &command)->readied_count, 1);
    }
    assert_int_equal(dispatch_session_put(world.dispatch, world_id(6), &type, 1, STEPS + 1),
                     PAWL_OK);
    command = (struct command){.kind = CMD_DISPATCH, .type = type};
    size_t out_count = 0, decision_count = 0;
    bool has_more = true;
    for (; has_more; decision_count++) {
        const struct decision *decision = world_decide(&world, &command);
        size_t bytes = 0;
        for (size_t i = 0; i < decision->write_count; i++)
            bytes += decision->writes[i].value.size;
        assert_true(bytes < DECISION_BYTES_MAX);
        assert_true(decision->handout_count > 0);
        out_count += decision->handout_count;
        has_more = decision->has_more;
    }
    assert_int_equal(out_count, STEPS);
    assert_in_range(decision_count, 2, 3);
    world_done(&world);
}

/* A map of one text of `bytes` bytes under "n", as input and as what the worker makes of it. */
static struct bytes large_value(struct arena *arena, uint16_t bytes, uint8_t fill)
{
    uint8_t *value = arena_room(arena, bytes + 6u);
    assert_non_null(value);
    memcpy(value, "\x81\xa1n\xda", 4);
    value[4] = (uint8_t)(bytes >> 8);
    value[5] = (uint8_t)bytes;
    memset(value + 6, fill, bytes);
    return bytes_of(value, bytes + 6u);
}

static size_t written_bytes(const struct decision *decision)
{
    size_t bytes = 0;
    for (size_t i = 0; i < decision->write_count; i++)
        bytes += decision->writes[i].value.size;
    return bytes;
}

static void assert_rebuilt(struct world *world, const struct world_handout *handout,
                           struct bytes input)
{
    struct arena arena = {.limit = 0};
    struct msg_handout rebuilt;
    struct view view = world_view(world);
    assert_true(bytes_equal(handout->handout.input, input));
    assert_int_equal(wf_handout(&view, handout->session, &handout->handout.fence, &arena, &rebuilt),
                     PAWL_OK);
    assert_true(bytes_equal(rebuilt.input, input));
    arena_done(&arena);
}

/* What a run receives and hands on as it is, is written once; the next session gets it as well. */
static void test_large_values_that_are_handed_on_are_written_once(void **state)
{
    static const char two[] =
        "document: { dsl: '1.0.3', namespace: test, name: two, version: '1.0.0' }\n"
        "do:\n"
        "  - a: { call: a.one, with: { n: '${ .n }' } }\n"
        "  - b: { call: a.one }\n";
    enum { LARGE = 20000 };
    (void)state;
    struct world world;
    struct arena arena = {.limit = 0};
    const struct bytes input = large_value(&arena, LARGE, 'i');
    const struct bytes output = large_value(&arena, LARGE, 'o');
    const struct command deploy = {
        .kind = CMD_DEPLOY, .request = world_id(50), .deploy = {.source = bytes_string(two)}};
    const struct command start = {.kind = CMD_START,
                                  .request = world_id(51),
                                  .start = {.namespace_name = BYTES_LITERAL("test"),
                                            .definition = BYTES_LITERAL("two"),
                                            .input = input}};
    setup(&world);
    assert_int_equal(world_decide(&world, &deploy)->rejection, PAWL_OK);
    assert_in_range(written_bytes(world_decide(&world, &start)), LARGE, LARGE + 1000);
    const struct world_handout first = world.handouts[world.handout_count - 1];
    assert_rebuilt(&world, &first, input);
    const struct command report = {.kind = CMD_STEP_REPORT,
                                   .request = world_id(52),
                                   .session = first.session,
                                   .report = {.run = first.handout.run,
                                              .step = first.handout.step,
                                              .fence = first.handout.fence,
                                              .outcome = REPORT_COMPLETED,
                                              .output = output}};
    assert_in_range(written_bytes(world_decide(&world, &report)), LARGE, LARGE + 1000);
    const struct world_handout second = world.handouts[world.handout_count - 1];
    assert_rebuilt(&world, &second, output);
    const struct command lost = {.kind = CMD_LEASE_LOST,
                                 .lease = {second.session, second.handout.fence}};
    assert_in_range(written_bytes(world_decide(&world, &lost)), 1, 1000);
    assert_rebuilt(&world, &world.handouts[world.handout_count - 1], output);
    assert_int_equal(world.handouts[world.handout_count - 1].handout.attempt, 2);
    arena_done(&arena);
    world_done(&world);
}

static size_t value_rows(const struct world *world)
{
    size_t count = 0;
    for (size_t i = 0; i < world->row_count; i++)
        count += world->rows[i].table == TABLE_VALUE;
    return count;
}

/* Large arguments of a step's own are a value while it is out, whoever has it. */
static void test_large_arguments_are_a_value_until_their_step_has_ended(void **state)
{
    static const char own[] =
        "document: { dsl: '1.0.3', namespace: test, name: own, version: '1.0.0' }\n"
        "do:\n"
        "  - a: { call: a.one, with: { n: '${ .n + \"iiiii\" }' } }\n";
    enum { LARGE = 20000 };
    (void)state;
    struct world world;
    struct arena arena = {.limit = 0};
    const struct bytes input = large_value(&arena, LARGE, 'i');
    const struct bytes arguments = large_value(&arena, LARGE + 5, 'i');
    const struct command deploy = {
        .kind = CMD_DEPLOY, .request = world_id(50), .deploy = {.source = bytes_string(own)}};
    const struct command start = {.kind = CMD_START,
                                  .request = world_id(51),
                                  .start = {.namespace_name = BYTES_LITERAL("test"),
                                            .definition = BYTES_LITERAL("own"),
                                            .input = input}};
    setup(&world);
    const size_t before = value_rows(&world);
    assert_int_equal(world_decide(&world, &deploy)->rejection, PAWL_OK);
    assert_int_equal(world_decide(&world, &start)->rejection, PAWL_OK);
    const struct world_handout first = world.handouts[world.handout_count - 1];
    assert_rebuilt(&world, &first, arguments);
    assert_int_equal(value_rows(&world), before + 2);
    const struct command lost = {.kind = CMD_LEASE_LOST,
                                 .lease = {first.session, first.handout.fence}};
    assert_in_range(written_bytes(world_decide(&world, &lost)), 1, 1000);
    const struct world_handout second = world.handouts[world.handout_count - 1];
    assert_rebuilt(&world, &second, arguments);
    const struct command report = {.kind = CMD_STEP_REPORT,
                                   .request = world_id(52),
                                   .session = second.session,
                                   .report = {.run = second.handout.run,
                                              .step = second.handout.step,
                                              .fence = second.handout.fence,
                                              .outcome = REPORT_COMPLETED}};
    assert_int_equal(world_decide(&world, &report)->rejection, PAWL_OK);
    assert_int_equal(value_rows(&world), before + 1);
    arena_done(&arena);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handout_that_is_out_is_rebuilt_as_it_was_sent),
        cmocka_unit_test(test_handout_that_has_ended_is_not_found),
        cmocka_unit_test(test_report_of_another_session_is_stale),
        cmocka_unit_test(test_ready_steps_that_are_large_are_handed_out_in_parts),
        cmocka_unit_test(test_large_values_that_are_handed_on_are_written_once),
        cmocka_unit_test(test_large_arguments_are_a_value_until_their_step_has_ended),
        cmocka_unit_test(test_commands_name_the_run_that_orders_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
