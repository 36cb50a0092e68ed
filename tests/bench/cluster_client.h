/* The client of a cluster without machines: the real core of libpawl, a program that keeps C
 * three-step workflows open and waits for their results, and a worker that completes each step at
 * once with its input.
 */
#ifndef PAWL_BENCH_CLUSTER_CLIENT_H
#define PAWL_BENCH_CLUSTER_CLIENT_H

#include "tests/bench/cluster.h"

enum { DIALS_MAX = 16 };

struct cluster_client {
    struct cluster *cluster;
    struct client_core *core;
    struct random random;
    struct mailbox inbox;
    const struct post *post; /* what this round delivers */
    struct buffer input;     /* of every workflow */
    /* Requests that wait for the end of the frames, and their bodies */
    struct client_request *requests;
    size_t request_count, request_capacity;
    struct buffer bodies;
    uint64_t dialled[DIALS_MAX]; /* connections that are up from the next turn on */
    uint32_t dialled_slots[DIALS_MAX];
    size_t dialled_count;
    uint64_t connection_count;
    uint64_t next_token;
    bool is_deployed;
    unsigned start_count;                  /* to start in the next turn */
    uint64_t started, ended, acknowledged; /* workflows; workflows; reports */
    uint64_t frames, bytes;                /* sent */
};

struct cluster_client *cluster_client_new(struct cluster *cluster, struct random random);
void cluster_client_free(struct cluster_client *client);
/* Deploy, and offer to work on this many steps at once. */
void cluster_client_begin(struct cluster_client *client, unsigned concurrency,
                          unsigned payload_bytes);
/* Open so many workflows more in the next turn; each is followed by another when it ends. */
void cluster_client_start(struct cluster_client *client, unsigned count);
/* One turn. */
void cluster_client_round(struct cluster_client *client);

#endif
