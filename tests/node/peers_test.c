#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <poll.h>
#include <time.h>

#include "node/cluster/peers.h"
#include "proto/peer_messages.h"

enum { TAG_LISTENER = 1, TAG_DIAL = 2, SILENT_COUNT = 200, PATIENCE_S = 30, TICK_US = 10000 };

/* Node 1 with its peers, and a stranger's wire that dials it. */
struct pair {
    struct wire *node, *stranger, *listener; /* the last one only where node 2 is dialled */
    struct identity identity;
    struct peers *peers;
    char address[32];
    uint64_t now_us;
    uint64_t older; /* a connection of the stranger */
    size_t accepted_count, hello_count, heard_count, older_closed_count;
    size_t dialled_count, dial_closed_count, lost_count;
};

static int begin(void **state)
{
    static const struct wire_options options;
    struct pair *pair = calloc(1, sizeof *pair);
    uint16_t port;
    assert_non_null(pair);
    assert_int_equal(wire_new(&options, &pair->node, NULL), PAWL_OK);
    assert_int_equal(wire_new(&options, &pair->stranger, NULL), PAWL_OK);
    assert_int_equal(wire_listen(pair->node, "127.0.0.1:0", TAG_LISTENER, &port, NULL), PAWL_OK);
    snprintf(pair->address, sizeof pair->address, "127.0.0.1:%u", (unsigned)port);
    pair->identity = (struct identity){.cluster = {{7}}, .node = 1, .member_count = 2};
    for (uint64_t i = 0; i < 2; i++)
        pair->identity.members[i] =
            (struct msg_member){.node = i + 1, .peer_address = bytes_string(pair->address)};
    pair->peers = peers_new(pair->node, &pair->identity, TAG_DIAL);
    assert_non_null(pair->peers);
    *state = pair;
    return 0;
}

static int end(void **state)
{
    struct pair *pair = *state;
    wire_free(pair->stranger);
    if (pair->listener != NULL)
        wire_free(pair->listener);
    wire_free(pair->node);
    peers_free(pair->peers);
    free(pair);
    return 0;
}

static void take(struct pair *pair)
{
    const struct wire_event *events;
    size_t count = wire_take(pair->node, &events);
    for (size_t i = 0; i < count; i++) {
        uint64_t node = 0;
        pair->accepted_count += events[i].kind == WIRE_ACCEPTED;
        pair->dialled_count += events[i].kind == WIRE_DIALLED;
        pair->dial_closed_count += events[i].kind == WIRE_CLOSED && events[i].tag == TAG_DIAL;
        const enum peers_news news = peers_event(pair->peers, &events[i], ++pair->now_us, &node);
        pair->heard_count += news == PEERS_FRAME && node == 2;
        pair->lost_count += news == PEERS_LOST && node == 2;
    }
    if (pair->listener != NULL || pair->dialled_count > 0)
        peers_tick(pair->peers, pair->now_us += TICK_US);
    wire_flush(pair->node);
    count = wire_take(pair->stranger, &events);
    for (size_t i = 0; i < count; i++) {
        pair->hello_count += events[i].kind == WIRE_FRAME && events[i].type == FRAME_PEER_HELLO;
        pair->older_closed_count +=
            events[i].kind == WIRE_CLOSED && events[i].connection == pair->older;
    }
    wire_flush(pair->stranger);
}

static void wait_for(struct pair *pair, const size_t *counter, size_t wanted)
{
    const time_t deadline = time(NULL) + PATIENCE_S;
    while (*counter < wanted) {
        struct pollfd fds[2] = {{.fd = wire_fd(pair->node), .events = POLLIN},
                                {.fd = wire_fd(pair->stranger), .events = POLLIN}};
        assert_true(time(NULL) < deadline);
        (void)poll(fds, 2, 1000);
        take(pair);
    }
}

static uint64_t dial(struct pair *pair)
{
    return wire_dial(pair->stranger, bytes_string(pair->address), TAG_DIAL, 5000);
}

static uint64_t dial_as_node_2(struct pair *pair)
{
    const struct msg_peer_hello hello = {.version_min = PROTOCOL_VERSION,
                                         .version_max = PROTOCOL_VERSION,
                                         .cluster = pair->identity.cluster,
                                         .from = 2,
                                         .to = 1};
    struct buffer frame = {0};
    const uint64_t connection = dial(pair);
    codec_encode(&schema_peer_hello, &hello, &frame);
    assert_true(wire_send(pair->stranger, connection, FRAME_PEER_HELLO, buffer_bytes(&frame)));
    buffer_done(&frame);
    return connection;
}

static void test_peers_silent_connections_do_not_keep_a_node_out(void **state)
{
    struct pair *pair = *state;
    for (size_t i = 0; i < SILENT_COUNT; i++)
        assert_true(dial(pair) != 0);
    wait_for(pair, &pair->accepted_count, SILENT_COUNT);
    (void)dial_as_node_2(pair);
    wait_for(pair, &pair->hello_count, 1);
}

static void test_peers_newer_connection_of_a_node_replaces_the_older(void **state)
{
    struct pair *pair = *state;
    pair->older = dial_as_node_2(pair);
    wait_for(pair, &pair->hello_count, 1);
    const uint64_t newer = dial_as_node_2(pair);
    wait_for(pair, &pair->hello_count, 2);
    wait_for(pair, &pair->older_closed_count, 1);
    assert_true(wire_send(pair->stranger, newer, FRAME_PEER_RAFT, BYTES_LITERAL("new")));
    wire_flush(pair->stranger);
    wait_for(pair, &pair->heard_count, 1);
}

/* Node 2 listens, is dialled, and has dialled. */
static void link_both_ways(struct pair *pair)
{
    static const struct wire_options options;
    static char address[32];
    uint16_t port;
    assert_int_equal(wire_new(&options, &pair->listener, NULL), PAWL_OK);
    assert_int_equal(wire_listen(pair->listener, "127.0.0.1:0", TAG_LISTENER, &port, NULL),
                     PAWL_OK);
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)port);
    pair->identity.members[1].peer_address = bytes_string(address);
    pair->older = dial_as_node_2(pair);
    wait_for(pair, &pair->hello_count, 1);
    wait_for(pair, &pair->dialled_count, 1);
}

static void stop_listening(struct pair *pair)
{
    wire_free(pair->listener);
    pair->listener = NULL;
    wait_for(pair, &pair->dial_closed_count, 2); /* it broke, and then it was refused */
}

static void test_peers_refused_while_the_peer_is_heard_is_not_lost(void **state)
{
    struct pair *pair = *state;
    link_both_ways(pair);
    stop_listening(pair);
    assert_int_equal(pair->lost_count, 0);
    wire_close(pair->stranger, pair->older);
    wait_for(pair, &pair->lost_count, 1);
}

static void test_peers_closed_and_then_refused_is_lost(void **state)
{
    struct pair *pair = *state;
    link_both_ways(pair);
    wire_close(pair->stranger, pair->older);
    wait_for(pair, &pair->older_closed_count, 1);
    assert_int_equal(pair->lost_count, 0);
    stop_listening(pair);
    wait_for(pair, &pair->lost_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(test_peers_silent_connections_do_not_keep_a_node_out),
        TEST(test_peers_newer_connection_of_a_node_replaces_the_older),
        TEST(test_peers_refused_while_the_peer_is_heard_is_not_lost),
        TEST(test_peers_closed_and_then_refused_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
