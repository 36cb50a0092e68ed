/* Peer: what a leader knows of one member, and how much it may have in flight to it.
 *
 * 1. match_index < next_index. Everything up to match_index is durable there.
 * 2. Probing: at most one append with entries is out, and next_index stays until it is answered.
 *    Replicating: next_index runs ahead, with a window of messages and bytes behind it.
 * 3. The window counts exactly the messages in it; leaving replication empties it.
 * 4. A peer whose vote is withheld is probed, has match 0, and counts in no quorum. Its probe is
 *    sent again only when it is old and an answer shows that the peer lives.
 */
#ifndef RAFT_PEER_H
#define RAFT_PEER_H

#include "raft/raft.h"

struct raft_flight {
    raft_index last_index; /* of the entries in the message */
    uint64_t bytes;
};

struct raft_window {
    struct raft_flight *flights; /* a ring, oldest at first */
    uint32_t capacity;
    uint32_t first;
    uint32_t count;
    uint64_t bytes;
};

struct raft_peer {
    raft_index match_index;
    raft_index next_index;
    bool is_replicating;
    bool is_probe_out; /* probing: an append with entries waits for its answer */
    bool is_probe_old; /* it has been out for a heartbeat or longer, so it may be lost */
    bool is_withheld;
    uint64_t last_heard_ms;
    uint64_t round; /* the latest read round that it has answered */
    struct raft_window window;
};

/* Begin to lead it: probe at next_index. */
void raft_peer_reset(struct raft_peer *peer, raft_index next_index, uint64_t now_ms);
void raft_peer_probe(struct raft_peer *peer, raft_index next_index);
/* A heartbeat is due: a probe that is out was sent before it. */
void raft_peer_age(struct raft_peer *peer);
void raft_peer_replicate(struct raft_peer *peer);
/* match_index is durable there: frees what it covers of the window. */
void raft_peer_matched(struct raft_peer *peer, raft_index match_index);

/* Full once either limit is reached: the last message may pass the limit of bytes, so one always
 * fits. */
bool raft_window_is_full(const struct raft_window *window, uint64_t bytes_max);
void raft_window_push(struct raft_window *window, raft_index last_index, uint64_t bytes);
void raft_window_clear(struct raft_window *window);

#endif
