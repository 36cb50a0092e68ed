/* What is going to happen: events in the order (virtual microsecond, sequence number).
 *
 * 1. Virtual time is a number; nothing ever waits. Two events of one microsecond happen in the
 * order in which they were put.
 * 2. An event names whom it is for and in which life; the dead do not get the mail of their former
 * lives.
 * 3. The hash runs over every event that was taken: equal seeds have equal hashes.
 */
#ifndef PAWL_SIM_EVENTS_H
#define PAWL_SIM_EVENTS_H

#include "proto/bytes.h"

enum sim_event_kind {
    EVENT_NODE_BOOT,   /* target: node */
    EVENT_NODE_TURN,   /* target: node */
    EVENT_NODE_LANE,   /* target: node, detail: enum sim_lane; its jobs are through */
    EVENT_NODE_ERRAND, /* target: node, detail: ticket of a job */
    EVENT_PEER_FRAME,  /* target: node, detail: from which; frame */
    EVENT_PEER_LOST,   /* target: node, detail: which; its connection broke, a new one fails */
    EVENT_DIAL,        /* target: host, detail: slot and node */
    EVENT_CONNECTION,  /* target: connection, detail: direction; its next frames are due */
    EVENT_HOST_BOOT,   /* target: host */
    EVENT_HOST_END,    /* target: host; it has said goodbye */
    EVENT_HOST_TICK,   /* target: host: its core's deadline */
    EVENT_ACTOR,       /* target: host, detail: the actor's own */
    EVENT_FAULT_BEGIN, /* target: fault */
    EVENT_FAULT_END,   /* target: fault */
    EVENT_CHECK,       /* the whole state */
    EVENT_HEAL,        /* the fault phase is over */
};

struct packet; /* a heap block; the event owns it */

struct event {
    uint64_t at_us;
    uint64_t sequence;
    enum sim_event_kind kind;
    uint32_t life;
    uint64_t target, detail;
    struct packet *frame;
};

struct packet {
    uint32_t size;
    uint8_t type;
    uint8_t data[];
};

struct packet *packet_new(uint8_t type, struct bytes body);
struct packet *packet_copy(const struct packet *frame);
static inline struct bytes packet_body(const struct packet *frame)
{
    return (struct bytes){frame->data, frame->size};
}

struct events {
    struct event *heap;
    size_t count, capacity;
    uint64_t now_us;
    uint64_t sequence;
    uint64_t hash;
};

void events_done(struct events *events);
/* The event's sequence number is drawn here; an event for the past happens now. Its frame is taken.
 */
void events_put(struct events *events, struct event event);
/* The next event; time moves on to it. False: nothing is going to happen. */
bool events_take(struct events *events, struct event *event_out);
/* Stir a number into the hash. */
void events_stir(struct events *events, uint64_t number);

#endif
