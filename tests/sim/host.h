/* A host: a program that uses the cluster through the real client core. What it wants, its actor
 * says; this file carries the core's outputs to the network and the network's events to the core.
 *
 * 1. One core per life; a crash frees it, a new life has a new session.
 * 2. The actor's calls may come from inside host_input; the core's outputs are copied before they
 * are acted on.
 */
#ifndef PAWL_SIM_HOST_H
#define PAWL_SIM_HOST_H

#include "client/core.h"
#include "tests/sim/events.h"
#include "tests/sim/random.h"

struct sim;

struct actor { /* what a host is there for */
    void *self;
    void (*begin)(void *self); /* a new life of the host has begun */
    void (*timer)(void *self, uint64_t detail);
    void (*answer)(void *self, const struct client_output *answer);
    void (*handout)(void *self, const struct msg_handout *handout);
    void (*free)(void *self);
};

struct host {
    struct sim *sim;
    uint32_t index;
    uint32_t life;
    bool is_up;
    bool is_leaving; /* has said goodbye: what it still reports is none of its business */
    struct client_core *core;
    struct random random;
    uint64_t tick_at_us; /* 0: none put */
    struct id128 session;
    struct actor actor;
    struct host_feed *feed; /* inputs that came while another was being taken */
    bool is_feeding;
};

void host_begin(struct sim *sim, uint32_t index, struct actor actor_take);
void host_done(struct host *host);
/* A new life; and the end of one, without a word to anybody. */
void host_boot(struct host *host);
void host_crash(struct host *host);

uint64_t host_now_ms(const struct host *host);
void host_input(struct host *host, struct client_input *input);
/* The actor's timer: comes back as actor.timer in this life. */
void host_timer(struct host *host, uint64_t after_us, uint64_t detail);

/* From the event loop and the network */
void host_tick(struct sim *sim, const struct event *event);
void host_actor_event(struct sim *sim, const struct event *event);
void host_dialled(struct sim *sim, uint32_t host, uint32_t slot, uint64_t connection);
void host_dial_failed(struct sim *sim, uint32_t host, uint32_t slot);
void host_frame(struct sim *sim, uint32_t host, uint64_t connection, const struct packet *frame);
void host_connection_closed(struct sim *sim, uint32_t host, uint64_t connection);

#endif
