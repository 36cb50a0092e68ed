#include "node/cluster/peers.h"

#include <stdlib.h>

#include "node/say.h"

enum {
    DIAL_TIMEOUT_MS = 1000,
    BACKOFF_MS_MIN = 20,
    BACKOFF_MS_MAX = 500,
    HELLO_MS = 1000,
    SILENCE_MS = 3000,
    AT_ONCE_MS = 1000, /* how often a connection that broke may be dialled again at once */
    ACCEPTED_MAX = 64,
};

struct peer {
    const struct msg_member *member;
    uint64_t connection; /* dialled; 0: none */
    bool is_connected;   /* the dial succeeded */
    bool is_up;          /* its hello has answered ours */
    bool is_refusing;    /* the last dial failed, and nothing was heard since */
    uint64_t due_us;     /* of the next dial */
    uint64_t at_once_us; /* none is made at once before */
    uint32_t backoff_ms;
    uint64_t dialled_us;
    uint64_t heard_us;
};

struct peers {
    struct wire *wire;
    const struct identity *identity;
    uint64_t tag;
    struct peer peer[MEMBERS_MAX];
    size_t peer_count;
    struct accepted {
        uint64_t connection;
        uint64_t node; /* 0: no hello yet */
        uint64_t since_us;
    } accepted[ACCEPTED_MAX];
    size_t accepted_count;
    struct arena arena;
    struct buffer frame;
};

struct peers *peers_new(struct wire *wire, const struct identity *identity, uint64_t tag)
{
    struct peers *peers = calloc(1, sizeof *peers);
    if (peers == NULL)
        return NULL;
    *peers = (struct peers){.wire = wire, .identity = identity, .tag = tag};
    for (size_t i = 0; i < identity->member_count; i++)
        if (identity->members[i].node != identity->node)
            peers->peer[peers->peer_count++] =
                (struct peer){.member = &identity->members[i], .backoff_ms = BACKOFF_MS_MIN};
    return peers;
}

void peers_free(struct peers *peers)
{
    if (peers == NULL)
        return;
    arena_done(&peers->arena);
    buffer_done(&peers->frame);
    free(peers);
}

/* ---- dialling ---- */

static void say_hello(struct peers *peers, uint64_t connection, uint64_t to)
{
    const struct msg_peer_hello hello = {.version_min = PROTOCOL_VERSION,
                                         .version_max = PROTOCOL_VERSION,
                                         .cluster = peers->identity->cluster,
                                         .from = peers->identity->node,
                                         .to = to};
    buffer_reset(&peers->frame);
    codec_encode(&schema_peer_hello, &hello, &peers->frame);
    if (!peers->frame.is_failed)
        (void)wire_send(peers->wire, connection, FRAME_PEER_HELLO, buffer_bytes(&peers->frame));
}

static void peer_down(struct peer *peer, uint64_t now_us)
{
    peer->connection = 0;
    peer->is_connected = peer->is_up = false;
    peer->due_us = now_us + (uint64_t)peer->backoff_ms * 1000;
    peer->backoff_ms =
        peer->backoff_ms * 2 < BACKOFF_MS_MAX ? peer->backoff_ms * 2 : BACKOFF_MS_MAX;
}

static void dial(struct peers *peers, struct peer *peer, uint64_t now_us)
{
    peer->connection =
        wire_dial(peers->wire, peer->member->peer_address, peers->tag, DIAL_TIMEOUT_MS);
    peer->dialled_us = peer->heard_us = now_us;
    if (peer->connection == 0)
        peer_down(peer, now_us);
}

/* When the connection is given up. What is heard over the other direction proves nothing before its
 * hello has come. */
static uint64_t patience_end_us(const struct peer *peer)
{
    return peer->is_up ? peer->heard_us + (uint64_t)SILENCE_MS * 1000
                       : peer->dialled_us + (uint64_t)HELLO_MS * 1000;
}

/* A connection that has not said hello in time is none of a peer. */
static uint64_t silence_end_us(const struct accepted *accepted)
{
    return accepted->node != 0 ? UINT64_MAX : accepted->since_us + (uint64_t)HELLO_MS * 1000;
}

static void close_accepted(struct peers *peers, struct accepted *accepted)
{
    wire_close(peers->wire, accepted->connection);
    *accepted = peers->accepted[--peers->accepted_count];
}

static void close_silent(struct peers *peers, uint64_t now_us)
{
    for (size_t i = peers->accepted_count; i > 0; i--)
        if (silence_end_us(&peers->accepted[i - 1]) < now_us)
            close_accepted(peers, &peers->accepted[i - 1]);
}

void peers_tick(struct peers *peers, uint64_t now_us)
{
    close_silent(peers, now_us);
    for (size_t i = 0; i < peers->peer_count; i++) {
        struct peer *peer = &peers->peer[i];
        if (peer->connection != 0 && now_us > patience_end_us(peer)) {
            wire_close(peers->wire, peer->connection);
            peer_down(peer, now_us);
        }
        if (peer->connection == 0 && peer->due_us <= now_us)
            dial(peers, peer, now_us);
    }
}

uint64_t peers_deadline_us(const struct peers *peers)
{
    uint64_t deadline_us = UINT64_MAX;
    for (size_t i = 0; i < peers->peer_count; i++) {
        const struct peer *peer = &peers->peer[i];
        const uint64_t due_us = peer->connection == 0 ? peer->due_us : patience_end_us(peer) + 1;
        if (due_us < deadline_us)
            deadline_us = due_us;
    }
    for (size_t i = 0; i < peers->accepted_count; i++)
        if (silence_end_us(&peers->accepted[i]) < deadline_us)
            deadline_us = silence_end_us(&peers->accepted[i]) + 1;
    return deadline_us;
}

void peers_send(struct peers *peers, uint64_t node, uint8_t type, const struct bytes *parts,
                size_t part_count)
{
    for (size_t i = 0; i < peers->peer_count; i++)
        if (peers->peer[i].member->node == node && peers->peer[i].is_up)
            (void)wire_send_parts(peers->wire, peers->peer[i].connection, type, parts, part_count);
}

/* ---- events ---- */

static struct peer *peer_of_connection(struct peers *peers, uint64_t connection)
{
    for (size_t i = 0; i < peers->peer_count; i++)
        if (peers->peer[i].connection == connection)
            return &peers->peer[i];
    return NULL;
}

static struct peer *peer_of_node(struct peers *peers, uint64_t node)
{
    for (size_t i = 0; i < peers->peer_count; i++)
        if (peers->peer[i].member->node == node)
            return &peers->peer[i];
    return NULL;
}

static struct accepted *accepted_of(struct peers *peers, uint64_t connection)
{
    for (size_t i = 0; i < peers->accepted_count; i++)
        if (peers->accepted[i].connection == connection)
            return &peers->accepted[i];
    return NULL;
}

/* Who has been silent for longest gives way: a peer says hello at once. */
static void make_room(struct peers *peers)
{
    struct accepted *oldest = &peers->accepted[0];
    for (size_t i = 1; i < peers->accepted_count; i++)
        if (silence_end_us(&peers->accepted[i]) < silence_end_us(oldest))
            oldest = &peers->accepted[i];
    if (oldest->node == 0)
        close_accepted(peers, oldest);
}

/* NULL: no room; the connection is closed. */
static struct accepted *add_accepted(struct peers *peers, uint64_t connection, uint64_t now_us)
{
    if (peers->accepted_count == ACCEPTED_MAX)
        make_room(peers);
    if (peers->accepted_count == ACCEPTED_MAX) {
        wire_close(peers->wire, connection);
        return NULL;
    }
    struct accepted *accepted = &peers->accepted[peers->accepted_count++];
    *accepted = (struct accepted){.connection = connection, .since_us = now_us};
    return accepted;
}

static void forget_accepted(struct peers *peers, struct accepted *accepted)
{
    *accepted = peers->accepted[--peers->accepted_count];
}

/* A node has one connection to this one, the newest. What still arrives over an older one may be
 * from before its restart. */
static void close_older(struct peers *peers, uint64_t node)
{
    for (size_t i = peers->accepted_count; i > 0; i--)
        if (peers->accepted[i - 1].node == node)
            close_accepted(peers, &peers->accepted[i - 1]);
}

/* It takes no connection, and the one over which it was heard has ended. */
static bool is_lost(const struct peers *peers, const struct peer *peer)
{
    for (size_t i = 0; i < peers->accepted_count; i++)
        if (peers->accepted[i].node == peer->member->node)
            return false;
    return peer->is_refusing;
}

static bool read_hello(struct peers *peers, const struct wire_event *event,
                       struct msg_peer_hello *hello_out)
{
    arena_reset(&peers->arena);
    return event->type == FRAME_PEER_HELLO &&
           codec_decode(&schema_peer_hello, event->body, &peers->arena, hello_out, NULL) ==
               PAWL_OK &&
           id128_equal(hello_out->cluster, peers->identity->cluster) &&
           hello_out->to == peers->identity->node && hello_out->version_min <= PROTOCOL_VERSION &&
           hello_out->version_max >= PROTOCOL_VERSION;
}

/* It was refused, or it broke. */
static void dialled_closed(struct peer *peer, uint64_t now_us)
{
    const bool is_at_once = peer->is_up && now_us >= peer->at_once_us;
    peer->is_refusing = !peer->is_connected;
    peer_down(peer, now_us);
    if (!is_at_once)
        return;
    peer->due_us = now_us;
    peer->at_once_us = now_us + (uint64_t)AT_ONCE_MS * 1000;
}

static void dialled_event(struct peers *peers, struct peer *peer, const struct wire_event *event,
                          uint64_t now_us)
{
    struct msg_peer_hello hello;
    switch (event->kind) {
    case WIRE_DIALLED:
        peer->is_connected = true;
        peer->is_refusing = false;
        say_hello(peers, peer->connection, peer->member->node);
        return;
    case WIRE_FRAME:
        if (read_hello(peers, event, &hello) && hello.from == peer->member->node) {
            peer->is_up = true;
            peer->backoff_ms = BACKOFF_MS_MIN;
            peer->heard_us = now_us;
            return;
        }
        say(SAY_WARNING, "a peer is not who it should be", "address=%.*s",
            (int)peer->member->peer_address.size, (const char *)peer->member->peer_address.data);
        wire_close(peers->wire, peer->connection);
        peer->backoff_ms = BACKOFF_MS_MAX;
        peer_down(peer, now_us);
        return;
    case WIRE_CLOSED:
        dialled_closed(peer, now_us);
        return;
    case WIRE_ACCEPTED:
        return;
    }
}

/* A node that starts again is dialled at once, not after what is left of the back-off. */
static void note_alive(struct peers *peers, uint64_t node, uint64_t now_us)
{
    struct peer *peer = peer_of_node(peers, node);
    peer->heard_us = now_us;
    peer->is_refusing = false;
    if (peer->connection == 0)
        peer->due_us = now_us;
}

static enum peers_news accepted_frame(struct peers *peers, struct accepted *accepted,
                                      const struct wire_event *event, uint64_t now_us,
                                      uint64_t *node_out)
{
    struct msg_peer_hello hello;
    if (accepted->node != 0) {
        peer_of_node(peers, accepted->node)->heard_us = now_us;
        *node_out = accepted->node;
        return PEERS_FRAME;
    }
    if (!read_hello(peers, event, &hello) || peer_of_node(peers, hello.from) == NULL) {
        close_accepted(peers, accepted);
        return PEERS_NOTHING;
    }
    close_older(peers, hello.from); /* may move what accepted points at */
    accepted_of(peers, event->connection)->node = hello.from;
    say_hello(peers, event->connection, hello.from);
    note_alive(peers, hello.from, now_us);
    return PEERS_NOTHING;
}

/* The node whose connection this was; NULL: of none that is known. */
static struct peer *accepted_closed(struct peers *peers, struct accepted *accepted)
{
    struct peer *peer = peer_of_node(peers, accepted->node);
    forget_accepted(peers, accepted);
    return peer;
}

static enum peers_news lost_news(struct peers *peers, const struct peer *peer, uint64_t *node_out)
{
    if (peer == NULL || !is_lost(peers, peer))
        return PEERS_NOTHING;
    *node_out = peer->member->node;
    return PEERS_LOST;
}

enum peers_news peers_event(struct peers *peers, const struct wire_event *event, uint64_t now_us,
                            uint64_t *node_out)
{
    struct peer *peer = peer_of_connection(peers, event->connection);
    if (peer != NULL) {
        dialled_event(peers, peer, event, now_us);
        return event->kind == WIRE_CLOSED ? lost_news(peers, peer, node_out) : PEERS_NOTHING;
    }
    struct accepted *accepted = accepted_of(peers, event->connection);
    switch (event->kind) {
    case WIRE_ACCEPTED:
        (void)add_accepted(peers, event->connection, now_us);
        return PEERS_NOTHING;
    case WIRE_FRAME:
        if (accepted == NULL) /* it was accepted before this node began to run */
            accepted = add_accepted(peers, event->connection, now_us);
        return accepted != NULL ? accepted_frame(peers, accepted, event, now_us, node_out)
                                : PEERS_NOTHING;
    case WIRE_CLOSED:
        if (accepted == NULL)
            return PEERS_NOTHING;
        return lost_news(peers, accepted_closed(peers, accepted), node_out);
    case WIRE_DIALLED:
        return PEERS_NOTHING;
    }
    return PEERS_NOTHING;
}
