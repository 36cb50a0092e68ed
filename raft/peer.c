#include "raft/peer.h"

#include <assert.h>

bool raft_window_is_full(const struct raft_window *window, uint64_t bytes_max)
{
    return window->count == window->capacity || window->bytes >= bytes_max;
}

void raft_window_push(struct raft_window *window, raft_index last_index, uint64_t bytes)
{
    assert(window->count < window->capacity);
    uint32_t at = (window->first + window->count) % window->capacity;
    window->flights[at] = (struct raft_flight){last_index, bytes};
    window->count++;
    window->bytes += bytes;
}

static void window_free_up_to(struct raft_window *window, raft_index index)
{
    while (window->count > 0 && window->flights[window->first].last_index <= index) {
        window->bytes -= window->flights[window->first].bytes;
        window->first = (window->first + 1) % window->capacity;
        window->count--;
    }
}

void raft_window_clear(struct raft_window *window)
{
    window->first = 0;
    window->count = 0;
    window->bytes = 0;
}

void raft_peer_reset(struct raft_peer *peer, raft_index next_index, uint64_t now_ms)
{
    *peer = (struct raft_peer){.last_heard_ms = now_ms, .window = peer->window};
    raft_peer_probe(peer, next_index);
}

void raft_peer_probe(struct raft_peer *peer, raft_index next_index)
{
    assert(next_index > peer->match_index);
    peer->is_replicating = false;
    peer->is_probe_out = false;
    peer->is_probe_old = false;
    peer->next_index = next_index;
    raft_window_clear(&peer->window);
}

void raft_peer_age(struct raft_peer *peer)
{
    peer->is_probe_old = peer->is_probe_out;
}

void raft_peer_replicate(struct raft_peer *peer)
{
    peer->is_replicating = true;
    peer->is_probe_out = false;
    peer->is_probe_old = false;
}

void raft_peer_matched(struct raft_peer *peer, raft_index match_index)
{
    if (match_index <= peer->match_index)
        return;
    peer->match_index = match_index;
    if (peer->next_index <= match_index)
        peer->next_index = match_index + 1;
    window_free_up_to(&peer->window, match_index);
}
