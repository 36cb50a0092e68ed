/* The network: frames between nodes, and connections of clients.
 *
 * 1. Peer frames may be lost, doubled, late and out of order.
 * 2. Inside a connection bytes keep their order and none is lost or doubled; it may break at any
 * moment with everything that is under way, or fall silent without either side being told.
 * 3. Nodes hear of it when the process of another is gone, and now and then when it is not.
 * 4. A cut between two endpoints stops peer frames; it holds back a connection's bytes until it
 * heals or the connection breaks.
 */
#ifndef PAWL_SIM_NETWORK_H
#define PAWL_SIM_NETWORK_H

#include "tests/sim/events.h"
#include "tests/sim/plan.h"

struct sim;

struct peer_link { /* one direction */
    bool is_cut;
    uint32_t loss_ppm, double_ppm;
    uint32_t delay_us_min, delay_us_max;
};

enum direction { TO_NODE, TO_HOST };

struct stream { /* one direction of a connection */
    struct frame_due {
        struct packet *frame; /* NULL: the end, the other side has closed */
        uint64_t at_us;
    } * queue;
    size_t begin, end, capacity;
    uint64_t last_us;
};

struct connection_sim {
    uint64_t number; /* its place in the table, plus 1 */
    uint32_t host, host_life;
    uint32_t node, node_life;
    bool is_host_open, is_node_open; /* that side has not closed it nor been told of its end */
    bool is_silent;                  /* nothing arrives any more, nobody is told */
    struct stream streams[2];
};

struct network {
    struct random random;
    struct peer_link links[SIM_NODES_MAX][SIM_NODES_MAX];
    bool is_host_cut[SIM_HOSTS_MAX][SIM_NODES_MAX];
    struct connection_sim *connections;
    size_t connection_count, connection_capacity;
};

void network_begin(struct sim *sim);
void network_done(struct network *network);
/* Every link and every cut as on a good day; silent connections break. */
void network_heal(struct sim *sim);

void network_peer_send(struct sim *sim, uint32_t from, uint32_t to, uint8_t type,
                       struct bytes body);
/* A node is told, at some moment until then, that another one takes no connection any more. */
void network_peer_lost(struct sim *sim, uint32_t to, uint32_t lost, uint64_t until_us);
/* A host dials a node; the outcome comes as an EVENT_DIAL. */
void network_dial(struct sim *sim, uint32_t host, uint32_t slot, uint32_t node);
void network_dialled(struct sim *sim, const struct event *event);
/* False: there is no such open connection. */
bool network_send(struct sim *sim, uint64_t connection, enum direction direction, uint8_t type,
                  struct bytes body);
/* One side closes; the other is told after what is under way. */
void network_close(struct sim *sim, uint64_t connection, enum direction direction);
/* Both sides are told that it is gone; what was under way is lost. */
void network_break(struct sim *sim, uint64_t connection);
void network_deliver(struct sim *sim, const struct event *event);
/* A process is gone: its connections break. */
void network_node_gone(struct sim *sim, uint32_t node);
void network_host_gone(struct sim *sim, uint32_t host);
/* A machine has lost its power: the other sides hear nothing until it is back. */
void network_node_dark(struct sim *sim, uint32_t node);
void network_node_back(struct sim *sim, uint32_t node);
/* The connections of a host fall silent. */
void network_host_silent(struct sim *sim, uint32_t host);
/* They speak again, and what was sent meanwhile arrives. */
void network_host_resume(struct sim *sim, uint32_t host);
void network_host_break(struct sim *sim, uint32_t host);

#endif
