/* The client core against a scripted node: what goes in is a call, what comes out is a line of
 * text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "client/core.h"
#include "proto/limits.h"

enum { TOKENS = 4096 };

struct rig {
    struct client_core *core;
    uint64_t now_ms;
    struct buffer film;           /* what came out since the last expect */
    uint64_t correlation[TOKENS]; /* of the last sending, by token: a body is its token as text */
    struct arena arena;
    struct buffer frame;
};

static void say(struct rig *rig, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct rig *rig, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    buffer_append(&rig->film, line, strlen(line));
}

static const struct id128 first_session = {{1}};

static void say_attach(struct rig *rig, struct bytes body)
{
    struct msg_attach attach;
    assert_int_equal(codec_decode(&schema_attach, body, &rig->arena, &attach, NULL), PAWL_OK);
    say(rig, "attach %llu term %llu credit %u", (unsigned long long)attach.attachment,
        (unsigned long long)attach.term, attach.credit);
    if (!id128_equal(attach.session, first_session))
        say(rig, " in a new session");
    const struct bytes *type = attach.types.elements;
    for (size_t i = 0; i < attach.types.count; i++)
        say(rig, " %.*s", (int)type[i].size, (const char *)type[i].data);
    const struct msg_fence *fence = attach.held.elements;
    for (size_t i = 0; i < attach.held.count; i++)
        say(rig, " held %llu.%u", (unsigned long long)fence[i].index, fence[i].ordinal);
}

static void say_request(struct rig *rig, struct bytes body)
{
    struct msg_request request;
    assert_int_equal(codec_decode(&schema_request, body, &rig->arena, &request, NULL), PAWL_OK);
    char *text = arena_string(&rig->arena, request.body);
    rig->correlation[atoi(text)] = request.correlation;
    say(rig, "request %s kind %u attachment %llu", text, request.kind,
        (unsigned long long)request.attachment);
}

static void say_send(struct rig *rig, const struct client_output *output)
{
    struct msg_hello hello;
    struct msg_heartbeat heartbeat;
    say(rig, "%llu> ", (unsigned long long)output->connection);
    switch ((enum frame_type)output->type) {
    case FRAME_HELLO:
        assert_int_equal(codec_decode(&schema_hello, output->body, &rig->arena, &hello, NULL),
                         PAWL_OK);
        say(rig, "hello%s", id128_is_none(hello.cluster) ? "" : " to its cluster");
        break;
    case FRAME_ATTACH:
        say_attach(rig, output->body);
        break;
    case FRAME_REQUEST:
        say_request(rig, output->body);
        break;
    case FRAME_HEARTBEAT:
        assert_int_equal(
            codec_decode(&schema_heartbeat, output->body, &rig->arena, &heartbeat, NULL), PAWL_OK);
        say(rig, "heartbeat %llu", (unsigned long long)heartbeat.attachment);
        break;
    case FRAME_GOODBYE:
        say(rig, "goodbye");
        break;
    case FRAME_WELCOME:
    case FRAME_LEADER:
    case FRAME_ATTACHED:
    case FRAME_RESPONSE:
    case FRAME_HANDOUTS:
    case FRAME_PEER_HELLO:
    case FRAME_PEER_RAFT:
    case FRAME_PEER_PROBE:
    case FRAME_PEER_PROBED:
    case FRAME_PEER_FORM:
    case FRAME_PEER_FORMED:
        fail_msg("a client sends no frame of type %u", output->type);
    }
    say(rig, "\n");
}

static void say_output(struct rig *rig, const struct client_output *output)
{
    switch (output->kind) {
    case CLIENT_OUT_DIAL:
        say(rig, "dial %u %.*s\n", output->slot, (int)output->address.size,
            (const char *)output->address.data);
        break;
    case CLIENT_OUT_SEND:
        say_send(rig, output);
        break;
    case CLIENT_OUT_CLOSE:
        say(rig, "close %llu\n", (unsigned long long)output->connection);
        break;
    case CLIENT_OUT_ANSWER:
        say(rig, "answer %llu %s%s%.*s\n", (unsigned long long)output->token,
            pawl_error_name(output->error), output->detail.size > 0 ? ": " : "",
            (int)output->detail.size, (const char *)output->detail.data);
        break;
    case CLIENT_OUT_HANDOUT:
        say(rig, "handout %llu.%u\n", (unsigned long long)output->handout.fence.index,
            output->handout.fence.ordinal);
        break;
    case CLIENT_OUT_LEADER:
        say(rig, "leader %llu term %llu\n", (unsigned long long)output->leader.node,
            (unsigned long long)output->leader.term);
        break;
    }
}

static enum pawl_error rig_try(struct rig *rig, struct client_input input)
{
    struct client_outputs outputs;
    input.now_ms = rig->now_ms;
    enum pawl_error error = client_step(rig->core, &input, &outputs);
    for (size_t i = 0; i < outputs.count; i++)
        say_output(rig, &outputs.output[i]);
    client_check(rig->core);
    arena_reset(&rig->arena);
    return error;
}

static void rig_step(struct rig *rig, struct client_input input)
{
    assert_int_equal(rig_try(rig, input), PAWL_OK);
}

static void expect(struct rig *rig, const char *expected)
{
    buffer_append(&rig->film, "", 1);
    assert_string_equal((const char *)rig->film.data, expected);
    buffer_reset(&rig->film);
}

static void rig_open(struct rig *rig, const char *nodes)
{
    struct pawl_diag diag;
    const struct client_options options = {.nodes = bytes_string(nodes),
                                           .name = BYTES_LITERAL("test"),
                                           .session = first_session,
                                           .seed = 1};
    *rig = (struct rig){.now_ms = 1000};
    assert_int_equal(client_new(&options, rig->now_ms, &rig->core, &diag), PAWL_OK);
}

static void rig_close(struct rig *rig)
{
    expect(rig, "");
    client_free(rig->core);
    buffer_done(&rig->film);
    buffer_done(&rig->frame);
    arena_done(&rig->arena);
}

static void tick(struct rig *rig)
{
    rig_step(rig, (struct client_input){.kind = CLIENT_IN_TICK});
}

/* Let time pass to the next deadline and no further; the test says how far that may be. */
static void tick_due(struct rig *rig, uint64_t at_most_ms)
{
    uint64_t due_ms = client_deadline(rig->core);
    assert_in_range(due_ms, rig->now_ms, rig->now_ms + at_most_ms);
    rig->now_ms = due_ms;
    tick(rig);
}

static void dialled(struct rig *rig, uint32_t slot, uint64_t connection)
{
    rig_step(rig, (struct client_input){
                      .kind = CLIENT_IN_DIALLED, .slot = slot, .connection = connection});
}

static void dial_lost(struct rig *rig, uint32_t slot, const char *reason)
{
    rig_step(rig, (struct client_input){
                      .kind = CLIENT_IN_CLOSED, .slot = slot, .body = bytes_string(reason)});
}

static void lost(struct rig *rig, uint64_t connection)
{
    rig_step(rig, (struct client_input){.kind = CLIENT_IN_CLOSED, .connection = connection});
}

static void hear(struct rig *rig, uint64_t connection, uint8_t type, const struct schema *schema,
                 const void *message)
{
    buffer_reset(&rig->frame);
    codec_encode(schema, message, &rig->frame);
    assert_false(rig->frame.is_failed);
    rig_step(rig, (struct client_input){.kind = CLIENT_IN_FRAME,
                                        .connection = connection,
                                        .type = type,
                                        .body = buffer_bytes(&rig->frame)});
}

static void hear_welcome(struct rig *rig, uint64_t connection, uint64_t node)
{
    struct msg_member members[] = {
        {.node = 1, .client_address = BYTES_LITERAL("n1:1")},
        {.node = 2, .client_address = BYTES_LITERAL("n2:1")},
        {.node = 3, .client_address = BYTES_LITERAL("n3:1")},
    };
    const struct msg_welcome welcome = {.version = 1,
                                        .cluster = {{9}},
                                        .node = node,
                                        .heartbeat_ms = 100,
                                        .backoff_ms_max = 500,
                                        .members = {.elements = members, .count = 3}};
    hear(rig, connection, FRAME_WELCOME, &schema_welcome, &welcome);
}

/* A node that has not told of others, so that the test has one connection. */
static void hear_welcome_alone(struct rig *rig, uint64_t connection)
{
    const struct msg_welcome welcome = {
        .version = 1, .cluster = {{9}}, .node = 1, .heartbeat_ms = 100, .backoff_ms_max = 500};
    hear(rig, connection, FRAME_WELCOME, &schema_welcome, &welcome);
}

static void hear_leader(struct rig *rig, uint64_t connection, uint64_t term, uint64_t node)
{
    static const char *const addresses[] = {"", "n1:1", "n2:1", "n3:1"};
    const struct msg_leader leader = {
        .term = term, .node = node, .client_address = bytes_string(addresses[node])};
    hear(rig, connection, FRAME_LEADER, &schema_leader, &leader);
}

static void hear_attached(struct rig *rig, uint64_t connection, uint64_t term, uint64_t attachment,
                          enum pawl_error error)
{
    const struct msg_attached attached = {
        .term = term, .attachment = attachment, .error = (uint32_t)error};
    hear(rig, connection, FRAME_ATTACHED, &schema_attached, &attached);
}

static void hear_response(struct rig *rig, uint64_t connection, int token, enum pawl_error error)
{
    const struct msg_response response = {
        .correlation = rig->correlation[token], .error = (uint32_t)error, .index = 7};
    hear(rig, connection, FRAME_RESPONSE, &schema_response, &response);
}

static void hear_handout(struct rig *rig, uint64_t connection, uint64_t term, uint64_t attachment,
                         uint64_t index)
{
    struct msg_handout handout = {.fence = {.term = term, .index = index, .ordinal = 1},
                                  .run = {{3}},
                                  .step = 1,
                                  .attempt = 1,
                                  .type = BYTES_LITERAL("charge")};
    const struct msg_handouts handouts = {
        .term = term, .attachment = attachment, .handouts = {.elements = &handout, .count = 1}};
    hear(rig, connection, FRAME_HANDOUTS, &schema_handouts, &handouts);
}

static struct client_input request_of(int token, enum request_kind kind, uint64_t deadline_ms)
{
    static char body[16];
    snprintf(body, sizeof body, "%d", token);
    return (struct client_input){.kind = CLIENT_IN_REQUEST,
                                 .request = {.token = (uint64_t)token,
                                             .kind = kind,
                                             .request = {{(uint8_t)token, 1}},
                                             .body = bytes_string(body),
                                             .deadline_ms = deadline_ms}};
}

static void ask(struct rig *rig, int token, enum request_kind kind)
{
    rig_step(rig, request_of(token, kind, 0));
}

static void report(struct rig *rig, int token, uint64_t term, uint64_t index)
{
    struct client_input input = request_of(token, REQUEST_REPORT, 0);
    input.request.fence = (struct msg_fence){.term = term, .index = index, .ordinal = 1};
    rig_step(rig, input);
}

static void offer(struct rig *rig, uint32_t credit)
{
    const struct bytes types[] = {BYTES_LITERAL("charge")};
    rig_step(rig,
             (struct client_input){.kind = CLIENT_IN_WORKER,
                                   .worker = {.types = types, .type_count = 1, .credit = credit}});
}

/* One node, connected as connection 1, leading in term 5, attached as 1. */
static void rig_attach(struct rig *rig)
{
    rig_open(rig, "n1:1");
    tick(rig);
    dialled(rig, 1, 1);
    hear_welcome_alone(rig, 1);
    hear_leader(rig, 1, 5, 1);
    hear_attached(rig, 1, 5, 1, PAWL_OK);
    expect(rig, "dial 1 n1:1\n"
                "1> hello\n"
                "leader 1 term 5\n"
                "1> attach 1 term 5 credit 0\n");
    assert_true(client_is_attached(rig->core));
}

static void test_new_bad_node_lists_are_refused(void **state)
{
    (void)state;
    static const char *const lists[] = {"", ",", "n1:1,", "n1", ":1", "n1:", "n1:1,,n2:1", " "};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct client_core *core = NULL;
        struct pawl_diag diag = {0};
        const struct client_options options = {.nodes = bytes_string(lists[i])};
        assert_int_equal(client_new(&options, 0, &core, &diag), PAWL_E_INVALID);
        assert_true(diag.text[0] != '\0');
        assert_null(core);
    }
}

static void test_request_before_any_leader_is_sent_once_attached(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, "n1:1");
    ask(&rig, 1, REQUEST_START);
    dialled(&rig, 1, 1);
    hear_welcome_alone(&rig, 1);
    hear_leader(&rig, 1, 5, 1);
    expect(&rig, "dial 1 n1:1\n"
                 "1> hello\n"
                 "leader 1 term 5\n"
                 "1> attach 1 term 5 credit 0\n");
    hear_attached(&rig, 1, 5, 1, PAWL_OK);
    expect(&rig, "1> request 1 kind 1 attachment 1\n");
    hear_response(&rig, 1, 1, PAWL_E_EXISTS);
    expect(&rig, "answer 1 EXISTS\n");
    hear_response(&rig, 1, 1, PAWL_OK); /* a second answer finds nothing */
    rig_close(&rig);
}

static void test_lost_connection_resends_under_the_next_attachment(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig);
    ask(&rig, 1, REQUEST_START);
    expect(&rig, "1> request 1 kind 1 attachment 1\n");
    uint64_t old = rig.correlation[1];
    lost(&rig, 1);
    assert_false(client_is_attached(rig.core));
    tick_due(&rig, 50);
    dialled(&rig, 2, 2);
    hear_welcome_alone(&rig, 2);
    expect(&rig, "dial 2 n1:1\n"
                 "2> hello to its cluster\n"
                 "2> attach 2 term 5 credit 0\n");
    hear_attached(&rig, 2, 5, 1, PAWL_OK); /* of the older attach: not heard */
    expect(&rig, "");
    hear_attached(&rig, 2, 5, 2, PAWL_OK);
    expect(&rig, "2> request 1 kind 1 attachment 2\n");
    uint64_t correlation = rig.correlation[1];
    assert_true(correlation != old);
    rig.correlation[1] = old;
    hear_response(&rig, 2, 1, PAWL_OK); /* the answer to the first sending counts no more */
    expect(&rig, "");
    rig.correlation[1] = correlation;
    hear_response(&rig, 2, 1, PAWL_OK);
    expect(&rig, "answer 1 OK\n");
    rig_close(&rig);
}

static void test_higher_term_wins_at_once_and_the_new_leader_is_dialled(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, "n1:1");
    tick(&rig);
    dialled(&rig, 1, 1);
    hear_welcome(&rig, 1, 1);
    buffer_reset(&rig.film);
    /* The second connection went to n2 or n3, by lot. */
    dialled(&rig, 2, 2);
    hear_welcome(&rig, 2, 2);
    hear_leader(&rig, 1, 5, 1);
    hear_attached(&rig, 1, 5, 1, PAWL_OK);
    ask(&rig, 1, REQUEST_START);
    buffer_reset(&rig.film);
    hear_leader(&rig, 2, 4, 2); /* an older term is no news */
    expect(&rig, "");
    hear_leader(&rig, 2, 6, 3);
    assert_false(client_is_attached(rig.core));
    buffer_append(&rig.film, "", 1);
    assert_non_null(strstr((const char *)rig.film.data, "leader 3 term 6\ndial 3 n3:1\n"));
    buffer_reset(&rig.film);
    dialled(&rig, 3, 3);
    hear_welcome(&rig, 3, 3);
    buffer_append(&rig.film, "", 1);
    assert_non_null(strstr((const char *)rig.film.data, "3> attach 2 term 6"));
    buffer_reset(&rig.film);
    hear_attached(&rig, 3, 6, 2, PAWL_OK);
    expect(&rig, "3> request 1 kind 1 attachment 2\n");
    rig_close(&rig);
}

static void test_not_leader_waits_for_news_and_attaches_again(void **state)
{
    (void)state;
    static const enum pawl_error errors[] = {PAWL_E_NOT_LEADER, PAWL_E_NO_LEADER,
                                             PAWL_E_NOT_ATTACHED, PAWL_E_UNKNOWN_OUTCOME};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct rig rig;
        rig_attach(&rig);
        ask(&rig, 1, REQUEST_START);
        ask(&rig, 2, REQUEST_SHOW);
        hear_response(&rig, 1, 1, errors[i]);
        expect(&rig, "1> request 1 kind 1 attachment 1\n"
                     "1> request 2 kind 4 attachment 1\n");
        hear_response(&rig, 1, 2, PAWL_OK); /* of the attachment that was left */
        expect(&rig, "");
        hear_leader(&rig, 1, 6, 1);
        hear_attached(&rig, 1, 6, 2, PAWL_OK);
        buffer_append(&rig.film, "", 1);
        const char *film = (const char *)rig.film.data;
        assert_non_null(strstr(film, "leader 1 term 6\n1> attach 2 term 6 credit 0\n"));
        assert_non_null(strstr(film, "1> request 1 kind 1 attachment 2\n"));
        assert_non_null(strstr(film, "1> request 2 kind 4 attachment 2\n"));
        buffer_reset(&rig.film);
        rig_close(&rig);
    }
}

static void test_refused_attach_is_tried_again_with_backoff(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, "n1:1");
    tick(&rig);
    dialled(&rig, 1, 1);
    hear_welcome_alone(&rig, 1);
    hear_leader(&rig, 1, 5, 1);
    buffer_reset(&rig.film);
    for (uint64_t attachment = 1; attachment < 8; attachment++) {
        hear_attached(&rig, 1, 5, attachment, PAWL_E_NOT_READY);
        expect(&rig, "");
        uint64_t before_ms = rig.now_ms;
        tick_due(&rig, 500);
        assert_true(rig.now_ms > before_ms);
        char expected[64];
        snprintf(expected, sizeof expected, "1> attach %llu term 5 credit 0\n",
                 (unsigned long long)attachment + 1);
        expect(&rig, expected);
    }
    rig_close(&rig);
}

static void test_busy_is_tried_again_under_the_same_attachment(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig);
    ask(&rig, 1, REQUEST_START);
    expect(&rig, "1> request 1 kind 1 attachment 1\n");
    for (int i = 0; i < 3; i++) {
        hear_response(&rig, 1, 1, i == 1 ? PAWL_E_NOT_READY : PAWL_E_BUSY);
        expect(&rig, "");
        tick_due(&rig, 1000);
        expect(&rig, "1> request 1 kind 1 attachment 1\n");
    }
    hear_response(&rig, 1, 1, PAWL_OK);
    expect(&rig, "answer 1 OK\n");
    rig_close(&rig);
}

static void test_deadline_says_what_may_have_happened(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig);
    rig_step(&rig, request_of(1, REQUEST_START, rig.now_ms + 40));
    rig_step(&rig, request_of(2, REQUEST_START, rig.now_ms + 40));
    hear_response(&rig, 1, 2, PAWL_E_BUSY);
    buffer_reset(&rig.film);
    rig.now_ms += 40;
    tick(&rig);
    expect(&rig, "answer 2 BUSY\nanswer 1 TIMEOUT\n");
    lost(&rig, 1);
    rig_step(&rig, request_of(3, REQUEST_START, rig.now_ms + 5));
    rig.now_ms += 5;
    tick(&rig);
    expect(&rig, "answer 3 NO_LEADER\n");
    rig_close(&rig);
}

static void test_deadline_without_a_leader_names_the_trouble(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, "n1:1");
    rig_step(&rig, request_of(1, REQUEST_START, rig.now_ms + 10));
    dial_lost(&rig, 1, "Connection refused");
    rig.now_ms += 10;
    tick(&rig);
    expect(&rig, "dial 1 n1:1\nanswer 1 NO_LEADER: n1:1: Connection refused\n");
    rig_close(&rig);
}

static void test_node_without_a_cluster_is_named(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, "n1:1");
    rig_step(&rig, request_of(1, REQUEST_START, rig.now_ms + 10));
    dialled(&rig, 1, 1);
    const struct msg_welcome welcome = {.version = 1};
    hear(&rig, 1, FRAME_WELCOME, &schema_welcome, &welcome);
    ask(&rig, 2, REQUEST_INIT);
    buffer_reset(&rig.film);
    rig.now_ms += 10;
    tick(&rig);
    expect(&rig, "answer 1 NOT_BOOTSTRAPPED\n");
    hear_response(&rig, 1, 2, PAWL_E_BUSY); /* answered as it is */
    expect(&rig, "answer 2 BUSY\n");
    rig_close(&rig);
}

static void test_status_needs_no_leader_and_moves_to_another_node(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, "n1:1");
    tick(&rig);
    dialled(&rig, 1, 1);
    hear_welcome_alone(&rig, 1);
    buffer_reset(&rig.film);
    ask(&rig, 1, REQUEST_STATUS);
    expect(&rig, "1> request 1 kind 10 attachment 0\n");
    lost(&rig, 1);
    tick_due(&rig, 50);
    dialled(&rig, 2, 2);
    hear_welcome_alone(&rig, 2);
    expect(&rig, "dial 2 n1:1\n"
                 "2> hello to its cluster\n"
                 "2> request 1 kind 10 attachment 0\n");
    hear_response(&rig, 2, 1, PAWL_E_NOT_LEADER);
    expect(&rig, "answer 1 NOT_LEADER\n");
    rig_close(&rig);
}

static void test_handouts_are_held_until_their_report_is_answered(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig);
    offer(&rig, 3);
    expect(&rig, "1> attach 2 term 5 credit 3 charge\n");
    offer(&rig, 3);                 /* no change, no attach */
    hear_handout(&rig, 1, 5, 2, 9); /* before it is attached */
    expect(&rig, "");
    hear_attached(&rig, 1, 5, 2, PAWL_OK);
    hear_handout(&rig, 1, 5, 2, 10);
    hear_handout(&rig, 1, 5, 2, 11);
    hear_handout(&rig, 1, 5, 2, 11); /* held already */
    hear_handout(&rig, 1, 5, 1, 12); /* of an older attachment */
    expect(&rig, "handout 10.1\nhandout 11.1\n");
    report(&rig, 1, 5, 10);
    lost(&rig, 1);
    tick_due(&rig, 50);
    dialled(&rig, 2, 2);
    hear_welcome_alone(&rig, 2);
    expect(&rig, "1> request 1 kind 2 attachment 2\n"
                 "dial 2 n1:1\n"
                 "2> hello to its cluster\n"
                 "2> attach 3 term 5 credit 3 charge held 10.1 held 11.1\n");
    hear_attached(&rig, 2, 5, 3, PAWL_OK);
    hear_response(&rig, 2, 1, PAWL_E_STALE);
    expect(&rig, "2> request 1 kind 2 attachment 3\n"
                 "answer 1 STALE\n");
    offer(&rig, 2);
    expect(&rig, "2> attach 4 term 5 credit 2 charge held 11.1\n");
    hear_attached(&rig, 2, 5, 4, PAWL_OK);
    rig_step(&rig, (struct client_input){.kind = CLIENT_IN_DROP,
                                         .fence = {.term = 5, .index = 11, .ordinal = 1}});
    offer(&rig, 1);
    expect(&rig, "2> attach 5 term 5 credit 1 charge\n");
    rig_close(&rig);
}

static void test_report_given_up_stays_held(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig);
    offer(&rig, 3);
    hear_attached(&rig, 1, 5, 2, PAWL_OK);
    hear_handout(&rig, 1, 5, 2, 10);
    report(&rig, 1, 5, 10);
    rig_step(&rig, (struct client_input){.kind = CLIENT_IN_CANCEL, .token = 1});
    buffer_reset(&rig.film);
    offer(&rig, 1);
    expect(&rig, "1> attach 3 term 5 credit 1 charge held 10.1\n");
    rig_close(&rig);
}

static void test_goodbye_ends_the_session_and_a_new_offer_begins_another(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig);
    offer(&rig, 3);
    rig_step(&rig, (struct client_input){.kind = CLIENT_IN_GOODBYE});
    expect(&rig, "1> attach 2 term 5 credit 3 charge\n"); /* said once it is attached */
    hear_attached(&rig, 1, 5, 2, PAWL_OK);
    expect(&rig, "1> goodbye\n");
    tick_due(&rig, 50);
    expect(&rig, "1> attach 3 term 5 credit 0 in a new session\n");
    hear_attached(&rig, 1, 5, 3, PAWL_OK);
    hear_handout(&rig, 1, 5, 2, 10);
    expect(&rig, "");
    rig_close(&rig);
}

static void test_new_offer_while_a_goodbye_is_due_begins_another_session(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig);
    offer(&rig, 3);
    hear_attached(&rig, 1, 5, 2, PAWL_OK);
    hear_handout(&rig, 1, 5, 2, 10);
    offer(&rig, 4);
    rig_step(&rig, (struct client_input){.kind = CLIENT_IN_GOODBYE}); /* held is forgotten */
    buffer_reset(&rig.film);
    offer(&rig, 5);
    expect(&rig, "1> attach 4 term 5 credit 5 in a new session charge\n");
    rig_close(&rig);
}

static void test_silent_leader_is_given_up_after_three_heartbeats(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig);
    const struct msg_heartbeat echo = {.term = 5, .attachment = 1};
    for (int i = 0; i < 5; i++) {
        tick_due(&rig, 100);
        expect(&rig, "1> heartbeat 1\n");
        hear(&rig, 1, FRAME_HEARTBEAT, &schema_heartbeat, &echo);
    }
    tick_due(&rig, 100);
    tick_due(&rig, 100);
    tick_due(&rig, 100);
    expect(&rig, "1> heartbeat 1\n1> heartbeat 1\n1> heartbeat 1\n");
    tick_due(&rig, 100);
    expect(&rig, "close 1\n");
    tick_due(&rig, 50);
    expect(&rig, "dial 2 n1:1\n");
    rig_close(&rig);
}

static void test_answered_request_is_as_good_as_a_heartbeat(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig); /* a heartbeat would be due after 100 ms */
    rig.now_ms += 60;
    ask(&rig, 1, REQUEST_START);
    rig.now_ms += 30;
    hear_response(&rig, 1, 1, PAWL_OK);
    expect(&rig, "1> request 1 kind 1 attachment 1\nanswer 1 OK\n");
    rig.now_ms += 69;
    tick(&rig);
    expect(&rig, "");
    rig.now_ms += 1; /* 100 ms after it was sent */
    tick(&rig);
    expect(&rig, "1> heartbeat 1\n");
    rig_close(&rig);
}

static void test_paused_process_does_not_give_the_leader_up(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig);
    rig.now_ms += 3600000;
    tick(&rig);
    expect(&rig, "1> heartbeat 1\n");
    rig_close(&rig);
}

static void test_refused_greeting_backs_off(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, "n1:1");
    tick(&rig);
    uint64_t pause_ms = 0;
    for (uint32_t i = 1; i < 12; i++) {
        buffer_reset(&rig.film);
        dialled(&rig, i, i);
        const struct msg_welcome welcome = {.error = PAWL_E_VERSION};
        hear(&rig, i, FRAME_WELCOME, &schema_welcome, &welcome);
        uint64_t before_ms = rig.now_ms;
        tick_due(&rig, 500);
        pause_ms = rig.now_ms - before_ms;
        assert_true(pause_ms >= 10);
    }
    assert_true(pause_ms >= 250);
    buffer_reset(&rig.film);
    rig_close(&rig);
}

static void test_mute_node_is_closed(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, "n1:1");
    tick(&rig);
    dialled(&rig, 1, 1);
    tick_due(&rig, 5000);
    expect(&rig, "dial 1 n1:1\n1> hello\nclose 1\n");
    rig_close(&rig);
}

static void test_frames_that_are_none_close_the_connection(void **state)
{
    (void)state;
    static const uint8_t types[] = {FRAME_WELCOME, FRAME_LEADER, FRAME_ATTACHED, FRAME_RESPONSE,
                                    FRAME_HANDOUTS};
    for (size_t i = 0; i < sizeof types; i++) {
        struct rig rig;
        rig_attach(&rig);
        rig_step(&rig, (struct client_input){.kind = CLIENT_IN_FRAME,
                                             .connection = 1,
                                             .type = types[i],
                                             .body = BYTES_LITERAL("\xc1rubbish")});
        expect(&rig, "close 1\n");
        rig_close(&rig);
    }
}

static void test_slow_dial_does_not_keep_others_from_being_tried(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, "a:1, b:1, c:1");
    tick(&rig);
    buffer_reset(&rig.film); /* two of the three; neither gets anywhere */
    tick_due(&rig, 300);
    assert_true(rig.film.size > 0); /* the third */
    buffer_reset(&rig.film);
    dialled(&rig, 3, 1);
    expect(&rig, "1> hello\n");
    rig_close(&rig);
}

static void test_abandoned_dial_that_succeeds_is_closed(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, "n1:1");
    tick(&rig);
    rig.now_ms += 20000;
    tick(&rig);
    buffer_reset(&rig.film);
    dialled(&rig, 1, 1);
    expect(&rig, "close 1\n");
    rig_close(&rig);
}

static void test_second_name_of_a_linked_node_is_closed(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, "n1:1,alias:1");
    tick(&rig);
    dialled(&rig, 1, 1);
    dialled(&rig, 2, 2);
    hear_welcome_alone(&rig, 1);
    buffer_reset(&rig.film);
    hear_welcome_alone(&rig, 2);
    expect(&rig, "close 2\n");
    rig.now_ms += 1000;
    tick(&rig);
    rig_close(&rig);
}

static void test_window_leaves_room_for_reports_behind_results(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig);
    for (int token = 1; token <= 2000; token++)
        ask(&rig, token, REQUEST_RESULT);
    buffer_append(&rig.film, "", 1);
    size_t lines = 0;
    for (const uint8_t *at = rig.film.data; *at != '\0'; at++)
        lines += *at == '\n';
    assert_int_equal(lines, (CONNECTION_REQUESTS_MAX - 24) / 2);
    buffer_reset(&rig.film);
    report(&rig, 2001, 5, 10);
    expect(&rig, "1> request 2001 kind 2 attachment 1\n");
    hear_response(&rig, 1, 1, PAWL_OK);
    expect(&rig, "answer 1 OK\n1> request 501 kind 7 attachment 1\n");
    rig_close(&rig);
}

static void test_too_large_request_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_attach(&rig);
    uint8_t *body = calloc(1, FRAME_BYTES_MAX);
    struct client_input input = request_of(1, REQUEST_START, 0);
    input.request.body = bytes_of(body, FRAME_BYTES_MAX);
    assert_int_equal(rig_try(&rig, input), PAWL_E_LIMIT);
    free(body);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_bad_node_lists_are_refused),
        cmocka_unit_test(test_request_before_any_leader_is_sent_once_attached),
        cmocka_unit_test(test_lost_connection_resends_under_the_next_attachment),
        cmocka_unit_test(test_higher_term_wins_at_once_and_the_new_leader_is_dialled),
        cmocka_unit_test(test_not_leader_waits_for_news_and_attaches_again),
        cmocka_unit_test(test_refused_attach_is_tried_again_with_backoff),
        cmocka_unit_test(test_busy_is_tried_again_under_the_same_attachment),
        cmocka_unit_test(test_deadline_says_what_may_have_happened),
        cmocka_unit_test(test_deadline_without_a_leader_names_the_trouble),
        cmocka_unit_test(test_node_without_a_cluster_is_named),
        cmocka_unit_test(test_status_needs_no_leader_and_moves_to_another_node),
        cmocka_unit_test(test_handouts_are_held_until_their_report_is_answered),
        cmocka_unit_test(test_report_given_up_stays_held),
        cmocka_unit_test(test_goodbye_ends_the_session_and_a_new_offer_begins_another),
        cmocka_unit_test(test_new_offer_while_a_goodbye_is_due_begins_another_session),
        cmocka_unit_test(test_silent_leader_is_given_up_after_three_heartbeats),
        cmocka_unit_test(test_answered_request_is_as_good_as_a_heartbeat),
        cmocka_unit_test(test_paused_process_does_not_give_the_leader_up),
        cmocka_unit_test(test_refused_greeting_backs_off),
        cmocka_unit_test(test_mute_node_is_closed),
        cmocka_unit_test(test_frames_that_are_none_close_the_connection),
        cmocka_unit_test(test_slow_dial_does_not_keep_others_from_being_tried),
        cmocka_unit_test(test_abandoned_dial_that_succeeds_is_closed),
        cmocka_unit_test(test_second_name_of_a_linked_node_is_closed),
        cmocka_unit_test(test_window_leaves_room_for_reports_behind_results),
        cmocka_unit_test(test_too_large_request_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
