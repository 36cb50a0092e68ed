/* Connections to the other nodes. A node sends over the connections it dials and hears over those
 * it accepts.
 *
 * 1. A connection begins with a hello both ways: the same cluster, the node ids that both expect.
 * Anything else closes it.
 * 2. What cannot be sent is dropped: Raft sends again.
 * 3. A connection that breaks after it was up is dialled again at once: the answer tells whether
 * the peer's process is gone (refused) or only the connection.
 * 4. A peer that is silent for SILENCE_MS, or has not answered our hello for HELLO_MS, is dialled
 * again.
 */
#ifndef PAWL_NODE_CLUSTER_PEERS_H
#define PAWL_NODE_CLUSTER_PEERS_H

#include "node/cluster/identity.h"
#include "proto/peer_messages.h"
#include "wire/wire.h"

struct peers;

/* identity and wire live longer than peers. tag: of the dials. NULL: no memory. */
struct peers *peers_new(struct wire *wire, const struct identity *identity, uint64_t tag);
void peers_free(struct peers *peers);

/* Dial who should be dialled; call it once a turn. */
void peers_tick(struct peers *peers, uint64_t now_us);
uint64_t peers_deadline_us(const struct peers *peers);

void peers_send(struct peers *peers, uint64_t node, uint8_t type, const struct bytes *parts,
                size_t part_count);

enum peers_news {
    PEERS_NOTHING,
    PEERS_FRAME, /* of a known node, for the replica */
    PEERS_LOST,  /* a known node has no connection to this one and takes none: most likely its
                    process  is gone. Everything that it has sent was delivered before */
};

/* Events of peer connections, dialled or accepted. node_out: whose news it is. */
enum peers_news peers_event(struct peers *peers, const struct wire_event *event, uint64_t now_us,
                            uint64_t *node_out);

#endif
