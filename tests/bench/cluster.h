/* A cluster without machines: three nodes of the real replica, log, store (LMDB), Raft and engine,
 * and one client on the real core of libpawl, in one thread and in virtual time. Nothing fails and
 * nothing is lost.
 *
 * 1. Time passes in rounds. In a round the frames sent in the one before are delivered, the client
 * and then each node take one turn, then each node's jobs run; they are heard of in the next round.
 * 2. The same options do exactly the same, however fast the machine is.
 */
#ifndef PAWL_BENCH_CLUSTER_H
#define PAWL_BENCH_CLUSTER_H

#include "client/core.h"
#include "node/replica.h"
#include "node/store/rows_lmdb.h"
#include "tests/bench/actor.h"
#include "tests/bench/mailbox.h"
#include "tests/bench/memory_disk.h"
#include "tests/sim/random.h"

enum { CLUSTER_NODES = 3 };

struct cluster;

struct cluster_jobs { /* a queue */
    struct job *first, **last_next;
};

struct cluster_node {
    struct cluster *cluster;
    uint64_t id;            /* from 1 */
    enum actor first_actor; /* its WORK_TURN */
    struct random random;
    struct memory_disk *disk;
    struct wal *wal;
    char store_path[80];
    struct rows_lmdb *store;
    struct engine *engine; /* of its reader */
    struct replica *replica;
    struct mailbox from_peers, from_clients;
    struct cluster_jobs waiting[WORK_COUNT], done;
    struct replica_input *inputs;
    size_t input_count, input_capacity;
    /* Ever: */
    uint64_t peer_frames, peer_bytes, client_frames, client_bytes; /* sent */
    uint64_t flushed_rows, flush_count, spare_bytes;
};

struct cluster_client;

struct cluster {
    uint64_t now_us, round_us;
    char directory[64];
    struct cluster_node nodes[CLUSTER_NODES];
    struct cluster_client *client;
    struct tally tallies[ACTOR_COUNT];
};

/* Three nodes of which one leads. Ends the process when that cannot be. */
void cluster_open(struct cluster *cluster, uint64_t seed);
void cluster_close(struct cluster *cluster);
/* One round; the client's turn first, when there is one. */
void cluster_round(struct cluster *cluster);
/* NULL: nobody leads. */
struct cluster_node *cluster_leader(struct cluster *cluster);
/* From now on the leader's work is the leader's, and that of the others in the order of their ids.
 */
void cluster_name_actors(struct cluster *cluster);

#endif
