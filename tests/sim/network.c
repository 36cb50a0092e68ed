#include "tests/sim/network.h"

#include <stdlib.h>

#include "tests/sim/must.h"
#include "tests/sim/sim.h"

enum {
    DELAY_US_MIN = 50,
    DELAY_US_MAX = 500,
    HELD_US = 20000, /* how often bytes held back by a cut try again */
    REFUSED_US = 1000,
    LOST_US_MAX = 20000, /* until a process that is gone is noticed */
    DIAL_TIMEOUT_US = 1000000,
};

static uint32_t delay_us(struct sim *sim)
{
    return (uint32_t)random_between(&sim->network.random, DELAY_US_MIN, DELAY_US_MAX);
}

void network_begin(struct sim *sim)
{
    sim->network.random = random_fork(&sim->root, 2);
    network_heal(sim);
}

void network_done(struct network *network)
{
    for (size_t i = 0; i < network->connection_count; i++)
        for (int side = 0; side < 2; side++) {
            struct stream *stream = &network->connections[i].streams[side];
            for (size_t at = stream->begin; at < stream->end; at++)
                free(stream->queue[at].frame);
            free(stream->queue);
        }
    free(network->connections);
}

void network_heal(struct sim *sim)
{
    struct network *network = &sim->network;
    for (size_t from = 0; from < SIM_NODES_MAX; from++)
        for (size_t to = 0; to < SIM_NODES_MAX; to++)
            network->links[from][to] =
                (struct peer_link){.delay_us_min = DELAY_US_MIN, .delay_us_max = DELAY_US_MAX};
    memset(network->is_host_cut, 0, sizeof network->is_host_cut);
    for (size_t i = 0; i < network->connection_count; i++)
        if (network->connections[i].is_silent)
            network_break(sim, network->connections[i].number);
}

/* ---- peers ---- */

static void peer_frame_put(struct sim *sim, uint32_t from, uint32_t to, struct packet *frame_take)
{
    const struct peer_link *link = &sim->network.links[from][to];
    uint64_t at_us = sim->events.now_us +
                     random_between(&sim->network.random, link->delay_us_min, link->delay_us_max);
    events_put(&sim->events, (struct event){.at_us = at_us,
                                            .kind = EVENT_PEER_FRAME,
                                            .life = sim->nodes[to].life,
                                            .target = to,
                                            .detail = from,
                                            .frame = frame_take});
}

void network_peer_send(struct sim *sim, uint32_t from, uint32_t to, uint8_t type, struct bytes body)
{
    struct network *network = &sim->network;
    const struct peer_link *link = &network->links[from][to];
    if (link->is_cut)
        return;
    if (link->loss_ppm > 0 && random_chance(&network->random, link->loss_ppm)) {
        totals_count(&sim->totals, TOTAL_FRAMES_LOST);
        return;
    }
    if (link->double_ppm > 0 && random_chance(&network->random, link->double_ppm))
        peer_frame_put(sim, from, to, packet_new(type, body));
    peer_frame_put(sim, from, to, packet_new(type, body));
}

void network_peer_lost(struct sim *sim, uint32_t to, uint32_t lost, uint64_t until_us)
{
    const uint64_t at_us = random_between(&sim->network.random, sim->events.now_us, until_us);
    events_put(&sim->events, (struct event){.at_us = at_us,
                                            .kind = EVENT_PEER_LOST,
                                            .life = sim->nodes[to].life,
                                            .target = to,
                                            .detail = lost});
}

/* A cut holds the news back as it does everything else. */
static void tell_peers(struct sim *sim, uint32_t lost)
{
    for (uint32_t to = 0; to < sim->plan.node_count; to++)
        if (to != lost && !sim->network.links[to][lost].is_cut &&
            !sim->network.links[lost][to].is_cut)
            network_peer_lost(sim, to, lost, sim->events.now_us + LOST_US_MAX);
}

/* ---- connections ---- */

static struct connection_sim *connection_get(struct sim *sim, uint64_t number)
{
    return number == 0 || number > sim->network.connection_count
               ? NULL
               : &sim->network.connections[number - 1];
}

static bool is_cut(const struct sim *sim, uint32_t host, uint32_t node)
{
    return sim->network.is_host_cut[host][node];
}

void network_dial(struct sim *sim, uint32_t host, uint32_t slot, uint32_t node)
{
    uint64_t wait_us = delay_us(sim) + delay_us(sim);
    if (is_cut(sim, host, node))
        wait_us = DIAL_TIMEOUT_US;
    else if (!sim->nodes[node].is_up)
        wait_us = REFUSED_US;
    events_put(&sim->events, (struct event){.at_us = sim->events.now_us + wait_us,
                                            .kind = EVENT_DIAL,
                                            .life = sim->hosts[host].life,
                                            .target = host,
                                            .detail = (uint64_t)slot << 32 | node});
}

static struct connection_sim *connection_add(struct sim *sim, uint32_t host, uint32_t node)
{
    struct network *network = &sim->network;
    if (network->connection_count == network->connection_capacity) {
        network->connection_capacity = network->connection_capacity * 2 + 16;
        network->connections = must_resize(network->connections, network->connection_capacity *
                                                                     sizeof *network->connections);
    }
    struct connection_sim *connection = &network->connections[network->connection_count++];
    *connection = (struct connection_sim){
        .number = network->connection_count,
        .host = host,
        .host_life = sim->hosts[host].life,
        .node = node,
        .node_life = sim->nodes[node].life,
        .is_host_open = true,
        .is_node_open = true,
    };
    return connection;
}

void network_dialled(struct sim *sim, const struct event *event)
{
    const uint32_t host = (uint32_t)event->target;
    const uint32_t slot = (uint32_t)(event->detail >> 32);
    const uint32_t node = (uint32_t)event->detail;
    if (!sim->hosts[host].is_up || sim->hosts[host].life != event->life)
        return;
    if (!sim->nodes[node].is_up || is_cut(sim, host, node)) {
        host_dial_failed(sim, host, slot);
        return;
    }
    host_dialled(sim, host, slot, connection_add(sim, host, node)->number);
}

static void stream_put(struct sim *sim, struct connection_sim *connection, enum direction direction,
                       struct packet *frame_take)
{
    struct stream *stream = &connection->streams[direction];
    if (stream->end == stream->capacity) {
        stream->capacity = stream->capacity * 2 + 8;
        stream->queue = must_resize(stream->queue, stream->capacity * sizeof *stream->queue);
    }
    uint64_t at_us = sim->events.now_us + delay_us(sim);
    if (at_us < stream->last_us)
        at_us = stream->last_us;
    stream->last_us = at_us;
    stream->queue[stream->end++] = (struct frame_due){frame_take, at_us};
    events_put(&sim->events, (struct event){.at_us = at_us,
                                            .kind = EVENT_CONNECTION,
                                            .target = connection->number,
                                            .detail = direction});
}

static bool is_open(const struct connection_sim *connection, enum direction from_other_side)
{
    return from_other_side == TO_NODE ? connection->is_host_open : connection->is_node_open;
}

bool network_send(struct sim *sim, uint64_t number, enum direction direction, uint8_t type,
                  struct bytes body)
{
    struct connection_sim *connection = connection_get(sim, number);
    if (connection == NULL || !is_open(connection, direction))
        return false;
    stream_put(sim, connection, direction, packet_new(type, body));
    return true;
}

void network_close(struct sim *sim, uint64_t number, enum direction direction)
{
    struct connection_sim *connection = connection_get(sim, number);
    if (connection == NULL || !is_open(connection, direction))
        return;
    stream_put(sim, connection, direction, NULL);
    if (direction == TO_NODE)
        connection->is_host_open = false;
    else
        connection->is_node_open = false;
}

static void stream_lose(struct stream *stream)
{
    for (size_t at = stream->begin; at < stream->end; at++)
        free(stream->queue[at].frame);
    stream->begin = stream->end = 0;
}

/* What one side is told of the end. Its own close needs no telling. */
static void tell_node(struct sim *sim, struct connection_sim *connection)
{
    struct sim_node *node = &sim->nodes[connection->node];
    if (!connection->is_node_open)
        return;
    connection->is_node_open = false;
    if (node->is_up && node->life == connection->node_life)
        sim_node_connection_closed(sim, connection->node, connection->number);
}

static void tell_host(struct sim *sim, struct connection_sim *connection)
{
    const struct host *host = &sim->hosts[connection->host];
    const uint32_t index = connection->host, life = connection->host_life;
    const uint64_t number = connection->number;
    if (!connection->is_host_open)
        return;
    connection->is_host_open = false;
    if (host->is_up && host->life == life)
        host_connection_closed(sim, index, number);
}

void network_break(struct sim *sim, uint64_t number)
{
    struct connection_sim *connection = connection_get(sim, number);
    if (connection == NULL)
        return;
    connection->is_silent = false;
    stream_lose(&connection->streams[TO_NODE]);
    stream_lose(&connection->streams[TO_HOST]);
    /* The end travels as an empty queue's end: each side hears of it a little later. */
    if (connection->is_node_open)
        stream_put(sim, connection, TO_NODE, NULL);
    if (connection->is_host_open)
        stream_put(sim, connection, TO_HOST, NULL);
}

static void deliver_one(struct sim *sim, uint64_t number, enum direction direction,
                        struct packet *frame_take)
{
    struct connection_sim *connection = connection_get(sim, number);
    if (frame_take == NULL) {
        if (direction == TO_NODE)
            tell_node(sim, connection);
        else
            tell_host(sim, connection);
        return;
    }
    if (direction == TO_NODE) {
        struct sim_node *node = &sim->nodes[connection->node];
        if (connection->is_node_open && node->is_up && node->life == connection->node_life) {
            sim_node_client_frame(sim, connection->node, number, frame_take);
            return;
        }
    } else {
        struct host *host = &sim->hosts[connection->host];
        if (connection->is_host_open && host->is_up && host->life == connection->host_life)
            host_frame(sim, connection->host, number, frame_take);
    }
    free(frame_take);
}

void network_deliver(struct sim *sim, const struct event *event)
{
    const enum direction direction = (enum direction)event->detail;
    const uint64_t number = event->target;
    for (;;) {
        /* A delivery may add connections, so the table is looked at afresh. */
        struct connection_sim *connection = connection_get(sim, number);
        struct stream *stream = &connection->streams[direction];
        if (stream->begin == stream->end)
            return;
        if (connection->is_silent)
            return;
        if (is_cut(sim, connection->host, connection->node)) {
            events_put(&sim->events, (struct event){.at_us = sim->events.now_us + HELD_US,
                                                    .kind = EVENT_CONNECTION,
                                                    .target = number,
                                                    .detail = direction});
            return;
        }
        struct frame_due due = stream->queue[stream->begin];
        if (due.at_us > sim->events.now_us)
            return;
        stream->begin++;
        if (stream->begin == stream->end)
            stream->begin = stream->end = 0;
        deliver_one(sim, number, direction, due.frame);
    }
}

static void each_connection(struct sim *sim, void (*act)(struct sim *sim, size_t at),
                            bool (*is_meant)(const struct connection_sim *connection, uint32_t of),
                            uint32_t of)
{
    for (size_t at = 0; at < sim->network.connection_count; at++)
        if (is_meant(&sim->network.connections[at], of))
            act(sim, at);
}

static bool is_of_node(const struct connection_sim *connection, uint32_t node)
{
    return connection->node == node && connection->is_node_open;
}

static bool is_of_host(const struct connection_sim *connection, uint32_t host)
{
    return connection->host == host && connection->is_host_open;
}

static bool is_dark_of_node(const struct connection_sim *connection, uint32_t node)
{
    return connection->node == node && connection->is_silent && !connection->is_node_open;
}

static void node_side_ends(struct sim *sim, size_t at)
{
    sim->network.connections[at].is_node_open = false;
    network_break(sim, sim->network.connections[at].number);
}

static void node_side_darkens(struct sim *sim, size_t at)
{
    sim->network.connections[at].is_node_open = false;
    sim->network.connections[at].is_silent = true;
}

static void host_side_ends(struct sim *sim, size_t at)
{
    sim->network.connections[at].is_host_open = false;
    network_break(sim, sim->network.connections[at].number);
}

static void falls_silent(struct sim *sim, size_t at)
{
    sim->network.connections[at].is_silent = true;
}

static void breaks(struct sim *sim, size_t at)
{
    network_break(sim, sim->network.connections[at].number);
}

void network_node_gone(struct sim *sim, uint32_t node)
{
    each_connection(sim, node_side_ends, is_of_node, node);
    tell_peers(sim, node);
}

void network_node_dark(struct sim *sim, uint32_t node)
{
    each_connection(sim, node_side_darkens, is_of_node, node);
}

void network_node_back(struct sim *sim, uint32_t node)
{
    each_connection(sim, breaks, is_dark_of_node, node);
}

void network_host_gone(struct sim *sim, uint32_t host)
{
    each_connection(sim, host_side_ends, is_of_host, host);
}

void network_host_silent(struct sim *sim, uint32_t host)
{
    each_connection(sim, falls_silent, is_of_host, host);
}

static void speaks_again(struct sim *sim, size_t at)
{
    struct connection_sim *connection = &sim->network.connections[at];
    if (!connection->is_silent || !connection->is_node_open)
        return; /* a machine without power stays silent */
    connection->is_silent = false;
    for (uint64_t direction = TO_NODE; direction <= TO_HOST; direction++)
        events_put(&sim->events, (struct event){.at_us = connection->streams[direction].last_us,
                                                .kind = EVENT_CONNECTION,
                                                .target = connection->number,
                                                .detail = direction});
}

void network_host_resume(struct sim *sim, uint32_t host)
{
    for (size_t at = 0; at < sim->network.connection_count; at++)
        if (sim->network.connections[at].host == host)
            speaks_again(sim, at);
}

void network_host_break(struct sim *sim, uint32_t host)
{
    each_connection(sim, breaks, is_of_host, host);
}
