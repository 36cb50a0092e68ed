/* Definitions that ask for too much: the task faults, as the definition's author can see and catch.
 * No decision is refused for it, since it would be asked for again and again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "proto/peer_messages.h"
#include "proto/value.h"
#include "world.h"

#define HEAD "document: { dsl: '1.0.3', namespace: test, name: one, version: '1.0.0' }\ndo: "

static const struct greed {
    const char *name;
    const char *first, *repeated;
    int count;
    const char *middle, *closing; /* the closing as often as the repeated */
    const char *last;
} greeds[] = {
    {"many costly expressions", "[ { a: { set: { all: [ ", "'${ last(range(20000)) }', ", 20,
     "1 ] } } } ]", "", ""},
    {"costly expressions whose memory adds up", "[ { a: { set: { all: [ ",
     "'${ last(range(11000) | 1.1e300 | tostring) }', ", 200, "1 ] } } } ]", "", ""},
    {"many large parts", "[ { a: { set: { all: [ ", "'${ . }', ", 80, "1 ] } } } ]", "", ""},
    {"many large parts of a text", "[ { a: { set: { all: '", "${ .t } and ", 80, "' } } } ]", "",
     ""},
    {"large arguments", "[ { a: { call: a.one, with: { all: [ ", "'${ . }', ", 80, "1 ] } } } ]",
     "", ""},
    {"an error whose texts are all large",
     "[ { a: { raise: { error: { type: '${ .t }', title: '${ .t }', detail: '${ .t }', instance: "
     "'${ .t }', status: 500 } } } } ]",
     "", 0, "", "", ""},
};

static void text_add(struct buffer *out, const char *text)
{
    const struct bytes bytes = bytes_string(text);
    buffer_append(out, bytes.data, bytes.size);
}

static void definition_write(const struct greed *greed, struct buffer *out)
{
    text_add(out, HEAD);
    text_add(out, greed->first);
    for (int i = 0; i < greed->count; i++)
        text_add(out, greed->repeated);
    text_add(out, greed->middle);
    for (int i = 0; i < greed->count; i++)
        text_add(out, greed->closing);
    text_add(out, greed->last);
}

/* {t: a text}, nearly as large as a value may be. */
static void input_write(struct buffer *out)
{
    const uint32_t size = VALUE_BYTES_MAX - 64;
    pack_map(out, 1);
    pack_text(out, "t");
    pack_string_head(out, size);
    uint8_t *text = buffer_extend(out, size);
    assert_non_null(text);
    memset(text, 'x', size);
}

static void decide(struct world *world, struct command command)
{
    command.request = world_id(world->index + 100);
    const struct decision *decision = world_decide(world, &command);
    const struct entry entry = {.writes = decision->writes, .write_count = decision->write_count};
    if (decision->rejection != PAWL_OK)
        fail_msg("refused: %s", decision->diag.text);
    assert_true(entry_bytes(&entry) <= ENTRY_BYTES_MAX);
}

/* Every timer that is due now. */
static void go_on(struct world *world)
{
    const struct world_row *timer;
    while ((timer = world_first(world, TABLE_TIMER)) != NULL &&
           timer_key_due_us(timer->key) <= world->now_us) {
        uint8_t key[ROW_KEY_BYTES_MAX];
        memcpy(key, timer->key.data, timer->key.size);
        decide(world, (struct command){.kind = CMD_TIMER_FIRE,
                                       .timer_key = bytes_of(key, timer->key.size)});
    }
}

static void start(struct world *world, struct bytes source, struct bytes input)
{
    decide(world, (struct command){.kind = CMD_DEPLOY, .deploy = {.source = source}});
    decide(world, (struct command){.kind = CMD_START,
                                   .start = {.namespace_name = BYTES_LITERAL("test"),
                                             .definition = BYTES_LITERAL("one"),
                                             .workflow_id = BYTES_LITERAL("w"),
                                             .input = input}});
    go_on(world);
}

static void assert_faulted(struct world *world, const struct greed *greed)
{
    struct arena arena = {.limit = 0};
    struct buffer body = {.limit = 0};
    struct bytes answer = {NULL, 0};
    struct id128 run;
    struct pawl_diag diag;
    const struct msg_target target = {.run = world_run(world, "test", "w")};
    const struct view view = world_view(world);
    codec_encode(&schema_target, &target, &body);
    if (wf_query(world->engine, &view, REQUEST_RESULT, buffer_bytes(&body), &arena, &answer, &run,
                 &diag) != PAWL_E_WORKFLOW_FAILED)
        fail_msg("%s: it did not end in a fault", greed->name);
    const struct bytes type = value_map_string(answer, BYTES_LITERAL("type"));
    assert_true(bytes_equal(
        type, BYTES_LITERAL("https://serverlessworkflow.io/spec/1.0.0/errors/expression")));
    buffer_done(&body);
    arena_done(&arena);
}

static void run(const struct greed *greed)
{
    struct world world;
    struct buffer source = {.limit = 0}, input = {.limit = 0};
    definition_write(greed, &source);
    input_write(&input);
    world_init(&world);
    start(&world, buffer_bytes(&source), buffer_bytes(&input));
    assert_faulted(&world, greed);
    buffer_done(&source);
    buffer_done(&input);
    world_done(&world);
}

static void test_task_that_asks_for_too_much_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof greeds / sizeof greeds[0]; i++)
        run(&greeds[i]);
}

/* ---- what is shown of a run ---- */

static void report_completed(struct world *world, struct bytes output)
{
    assert_true(world->handout_count > 0);
    const struct world_handout *last = &world->handouts[world->handout_count - 1];
    decide(world, (struct command){.kind = CMD_STEP_REPORT,
                                   .session = last->session,
                                   .report = {.run = last->handout.run,
                                              .step = last->handout.step,
                                              .fence = last->handout.fence,
                                              .outcome = REPORT_COMPLETED,
                                              .output = output}});
    go_on(world);
}

static void test_run_with_much_to_compensate_is_shown_in_one_frame(void **state)
{
    static const char definition[] =
        HEAD "[ { next: { set: '${ { i: ((.i // 0) + 1) } }' } }, { one: { call: a.one, metadata: "
             "{ pawl: { compensate: { call: u.one, with: { was: '${ $output.t }' } } } }, output: "
             "{ as: '${ { i: $input.i, t: .t } }' } } }, { again: { switch: [ { more: { when: '.i "
             "< 12', "
             "then: next } } ] } }, { last: { call: a.one } } ]";
    enum { CALLS = 12 };
    const struct bytes types[] = {BYTES_LITERAL("a.one"), BYTES_LITERAL("u.one")};
    struct world world;
    struct buffer output = {.limit = 0}, body = {.limit = 0};
    struct arena arena = {.limit = 0};
    struct bytes answer = {NULL, 0}, shown, input;
    struct id128 run;
    struct pawl_diag diag;
    (void)state;
    input_write(&output);
    world_init(&world);
    assert_int_equal(dispatch_session_put(world.dispatch, world_id(5), types, 2, 1), PAWL_OK);
    start(&world, bytes_string(definition), value_empty_map);
    for (int i = 0; i < CALLS; i++)
        report_completed(&world, buffer_bytes(&output));

    const struct msg_target target = {.run = world_run(&world, "test", "w")};
    const struct view view = world_view(&world);
    codec_encode(&schema_target, &target, &body);
    assert_int_equal(wf_query(world.engine, &view, REQUEST_SHOW, buffer_bytes(&body), &arena,
                              &answer, &run, &diag),
                     PAWL_OK);
    assert_true(answer.size < ENTRY_BYTES_MAX);
    assert_true(value_map_get(answer, BYTES_LITERAL("compensations"), &shown));
    struct value_cursor at = value_cursor_of(shown);
    struct value_head head;
    assert_int_equal(value_next(&at, &head), PAWL_OK);
    assert_int_equal(head.count, CALLS);
    size_t with_input = 0;
    for (int i = 0; i < CALLS; i++) {
        struct bytes one;
        assert_int_equal(value_take(&at, &one), PAWL_OK);
        with_input += value_map_get(one, BYTES_LITERAL("input"), &input);
    }
    assert_in_range(with_input, 1, CALLS - 1);
    buffer_done(&output);
    buffer_done(&body);
    arena_done(&arena);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_task_that_asks_for_too_much_faults),
        cmocka_unit_test(test_run_with_much_to_compensate_is_shown_in_one_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
