/* Forming a cluster: `pawl cluster init` talks to one node that has none, which coordinates.
 *
 * 1. Every node of the list must reach every other one, and none may belong to a cluster of other
 * nodes, before anything is written.
 * 2. Asking again with the same list is harmless: it finishes what was begun, or says that it is
 * done.
 * 3. Node ids are 1, 2, ... in the order of the sorted peer addresses.
 *
 *   pawl -> coordinator: INIT [a, b, c]
 *   coordinator -> a, b, c: PROBE [a, b, c]    each probes the others and answers PROBED
 *   coordinator -> a, b, c: FORM cluster, id   each writes its identity and answers FORMED
 *   coordinator -> pawl: done
 */
#ifndef PAWL_NODE_CLUSTER_BOOTSTRAP_H
#define PAWL_NODE_CLUSTER_BOOTSTRAP_H

#include "node/cluster/identity.h"
#include "node/ports.h"
#include "wire/wire.h"

struct bootstrap;

struct bootstrap_options {
    struct wire *wire;
    const struct data_dir *dir;
    const struct identity *identity; /* the daemon's; its cluster is none until formed */
    struct bytes name;
    struct bytes client_address; /* advertised */
    struct entropy_port entropy;
    uint64_t tag; /* of the dials */
    /* This node's identity was written: the daemon begins to run. identity is borrowed. */
    void (*formed)(void *user, const struct identity *identity);
    void *user;
};

/* NULL: no memory. */
struct bootstrap *bootstrap_new(const struct bootstrap_options *options);
void bootstrap_free(struct bootstrap *bootstrap);

/* An event of a client connection while this node has no cluster, or of one that began then. */
void bootstrap_client_event(struct bootstrap *bootstrap, const struct wire_event *event,
                            uint64_t now_us);
/* An INIT request; answered over the connection when it is done. */
void bootstrap_init(struct bootstrap *bootstrap, uint64_t connection,
                    const struct msg_request *request, uint64_t now_us);
/* An event of an accepted peer connection whose first frame was PROBE or FORM, or of a dial with
 * our tag. */
void bootstrap_peer_event(struct bootstrap *bootstrap, const struct wire_event *event,
                          uint64_t now_us);
void bootstrap_tick(struct bootstrap *bootstrap, uint64_t now_us);
uint64_t bootstrap_deadline_us(const struct bootstrap *bootstrap);

#endif
