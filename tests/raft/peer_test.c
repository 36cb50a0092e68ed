#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/peer.h"
#include "raft/prng.h"

enum { CAPACITY = 4 };

struct fixture {
    struct raft_flight flights[CAPACITY];
    struct raft_peer peer;
};

static void make(struct fixture *fixture)
{
    *fixture = (struct fixture){.peer.window.capacity = CAPACITY};
    fixture->peer.window.flights = fixture->flights;
    raft_peer_reset(&fixture->peer, 11, 5);
}

static void test_peer_reset_probes_with_nothing_known(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture);
    assert_int_equal(fixture.peer.match_index, 0);
    assert_int_equal(fixture.peer.next_index, 11);
    assert_false(fixture.peer.is_replicating);
    assert_false(fixture.peer.is_probe_out);
    assert_int_equal(fixture.peer.last_heard_ms, 5);
}

static void test_peer_matched_never_moves_back(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture);
    raft_peer_matched(&fixture.peer, 20);
    assert_int_equal(fixture.peer.match_index, 20);
    assert_int_equal(fixture.peer.next_index, 21);
    raft_peer_matched(&fixture.peer, 15);
    assert_int_equal(fixture.peer.match_index, 20);
    assert_int_equal(fixture.peer.next_index, 21);
}

static void test_window_is_full_by_messages_or_bytes(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture);
    struct raft_window *window = &fixture.peer.window;
    assert_false(raft_window_is_full(window, 1));
    raft_window_push(window, 11, 100);
    assert_true(raft_window_is_full(window, 100));
    assert_false(raft_window_is_full(window, 101));
    for (raft_index index = 12; index < 11 + CAPACITY; index++)
        raft_window_push(window, index, 0);
    assert_true(raft_window_is_full(window, UINT64_MAX));
}

static void test_window_frees_what_an_acknowledgement_covers(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture);
    struct raft_window *window = &fixture.peer.window;
    raft_peer_replicate(&fixture.peer);
    raft_window_push(window, 12, 10);
    raft_window_push(window, 15, 20);
    raft_window_push(window, 16, 30);
    fixture.peer.next_index = 17;
    raft_peer_matched(&fixture.peer, 11);
    assert_int_equal(window->count, 3);
    raft_peer_matched(&fixture.peer, 15);
    assert_int_equal(window->count, 1);
    assert_int_equal(window->bytes, 30);
    raft_peer_matched(&fixture.peer, 30);
    assert_int_equal(window->count, 0);
    assert_int_equal(window->bytes, 0);
}

static void test_window_leaving_replication_empties_it(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture);
    raft_peer_replicate(&fixture.peer);
    raft_window_push(&fixture.peer.window, 12, 10);
    raft_peer_probe(&fixture.peer, 11);
    assert_int_equal(fixture.peer.window.count, 0);
    assert_int_equal(fixture.peer.window.bytes, 0);
}

/* The byte count is the sum of what is in flight, whatever happens. */
static void test_window_bytes_are_the_sum(void **state)
{
    (void)state;
    struct fixture fixture;
    struct raft_prng prng = {.state = 7};
    make(&fixture);
    struct raft_peer *peer = &fixture.peer;
    for (int i = 0; i < 20000; i++) {
        uint64_t what = raft_prng_between(&prng, 0, 9);
        if (what < 6 && peer->window.count < CAPACITY) {
            peer->next_index += raft_prng_between(&prng, 1, 3);
            raft_window_push(&peer->window, peer->next_index - 1, raft_prng_between(&prng, 0, 50));
        } else if (what < 9) {
            raft_peer_matched(peer,
                              raft_prng_between(&prng, peer->match_index, peer->next_index - 1));
        } else {
            raft_peer_probe(peer, peer->match_index + 1);
            raft_peer_replicate(peer);
        }
        uint64_t bytes = 0;
        for (uint32_t at = 0; at < peer->window.count; at++)
            bytes += peer->window.flights[(peer->window.first + at) % CAPACITY].bytes;
        assert_int_equal(bytes, peer->window.bytes);
        assert_true(peer->match_index < peer->next_index);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_reset_probes_with_nothing_known),
        cmocka_unit_test(test_peer_matched_never_moves_back),
        cmocka_unit_test(test_window_is_full_by_messages_or_bytes),
        cmocka_unit_test(test_window_frees_what_an_acknowledgement_covers),
        cmocka_unit_test(test_window_leaving_replication_empties_it),
        cmocka_unit_test(test_window_bytes_are_the_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
