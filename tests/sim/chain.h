/* The chain: what the cluster has committed, as the simulator itself saw it happen, and the checks
 * of consensus against it.
 *
 *   election safety        at most one leader per term
 *   log matching           two logs that agree on an entry's term agree on everything before it
 *   leader completeness    a new leader holds every committed entry
 *   state machine safety   an index has one entry, on every node, for ever
 *   commit                 never moves back in a life; a store never moves back at all
 *   promises               what a node has acknowledged or voted, it still knows in its next life
 *   rows                   a store flushed up to an index is exactly the chain applied up to that
 *                          index, the window over it is the chain up to the applied index, and what
 *                          a leader holds in memory does not differ from it
 *   clock                  the cluster's clock in the entries never runs back
 *
 * The chain applies each entry to rows of its own and keeps a snapshot of every index, so that any
 * answer can be compared with what was true as of its index.
 */
#ifndef PAWL_SIM_CHAIN_H
#define PAWL_SIM_CHAIN_H

#include "node/replica.h"
#include "node/store/rows_map.h"
#include "tests/sim/events.h"
#include "tests/sim/plan.h"

struct sim;
struct sim_node;

struct chain_entry {
    uint64_t term;
    uint64_t commit_term; /* of the node that was the first to know it committed */
    uint64_t hash;        /* of the payload */
    uint64_t clock_us;
    uint64_t committed_at_us; /* true time */
    struct rows_snapshot *after;
    struct rows_sum sums[TABLE_COUNT];
};

struct written { /* an entry as a node wrote it to its log; an index may have had several */
    struct written *next;
    uint64_t term;
    size_t size;
    uint8_t payload[];
};

struct shadow {    /* what a node has promised to others */
    uint64_t life; /* of the node, when the figures below began */
    uint64_t commit_index;
    uint64_t checked_index; /* its log was compared with the chain up to here */
    uint64_t vote_term;     /* the newest term in which it granted a vote, and to whom */
    uint64_t vote;
    uint64_t ack_index, ack_term; /* newest accepted append: the entry acknowledged */
    uint64_t flushed_index;
};

struct chain {
    struct chain_entry *entries; /* entries[0] is index 0: nothing */
    size_t count, capacity;      /* entries, index 0 included */
    struct written **written;    /* by index */
    size_t written_capacity;
    struct rows_map *rows;
    struct rows_port port;
    struct arena arena;
    uint32_t *leaders; /* by term: node id, 0: nobody */
    size_t leader_capacity;
    struct shadow shadows[SIM_NODES_MAX];
};

void chain_begin(struct chain *chain);
void chain_done(struct chain *chain);
static inline uint64_t chain_last_index(const struct chain *chain)
{
    return chain->count - 1;
}
/* The rows as of an index; index <= last. */
struct rows_snapshot *chain_snapshot(const struct chain *chain, uint64_t index);

/* Called by the nodes */
void chain_node_writes(struct chain *chain, struct sim *sim, const struct sim_node *node,
                       const struct job *append);
void chain_peer_sends(struct chain *chain, struct sim *sim, const struct sim_node *node,
                      struct bytes body);
void chain_node_turned(struct chain *chain, struct sim *sim, struct sim_node *node);
void chain_node_ends(struct chain *chain, const struct sim_node *node);
void chain_node_boots(struct chain *chain, struct sim *sim, struct sim_node *node,
                      const struct replica_restored *restored);
void chain_node_flushed(struct chain *chain, struct sim *sim, struct sim_node *node);
/* The whole state of all nodes. */
void chain_check(struct chain *chain, struct sim *sim);

#endif
