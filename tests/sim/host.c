#include "tests/sim/host.h"

#include <assert.h>
#include <stdlib.h>

#include "tests/sim/must.h"
#include "tests/sim/sim.h"

/* Every host believes that it was booted long before the simulation began. */
enum { MONOTONIC_ORIGIN_MS = 1000000 };

uint64_t host_now_ms(const struct host *host)
{
    return MONOTONIC_ORIGIN_MS + host->index * 7919 + host->sim->events.now_us / 1000;
}

void host_begin(struct sim *sim, uint32_t index, struct actor actor_take)
{
    struct host *host = &sim->hosts[index];
    *host = (struct host){
        .sim = sim,
        .index = index,
        .random = random_fork(&sim->root, 100 + index),
        .actor = actor_take,
    };
}

void host_done(struct host *host)
{
    client_free(host->core);
    host->core = NULL;
    if (host->actor.free != NULL)
        host->actor.free(host->actor.self);
}

void host_boot(struct host *host)
{
    char nodes[SIM_NODES_MAX * 8] = "";
    struct pawl_diag diag;
    for (uint32_t i = 0; i < host->sim->plan.node_count; i++)
        snprintf(nodes + strlen(nodes), sizeof nodes - strlen(nodes), "%sn%u:1", i > 0 ? "," : "",
                 (unsigned)i + 1);
    host->session = random_id(&host->random);
    const struct client_options options = {
        .nodes = bytes_string(nodes),
        .name = BYTES_LITERAL("sim"),
        .session = host->session,
        .seed = random_u64(&host->random),
    };
    enum pawl_error error = client_new(&options, host_now_ms(host), &host->core, &diag);
    assert(error == PAWL_OK);
    host->life++;
    host->is_up = true;
    host->is_leaving = false;
    host->tick_at_us = 0;
    host_input(host, &(struct client_input){.kind = CLIENT_IN_TICK});
    host->actor.begin(host->actor.self);
}

void host_crash(struct host *host)
{
    assert(!host->is_feeding);
    host->is_up = false;
    host->life++;
    client_free(host->core);
    host->core = NULL;
    network_host_gone(host->sim, host->index);
}

/* "n3:1" is node 2 of the table. */
static uint32_t node_of_address(const struct sim *sim, struct bytes address)
{
    uint32_t number = address.size > 1 ? (uint32_t)(address.data[1] - '0') : 0;
    assert(number >= 1 && number <= sim->plan.node_count);
    return number - 1;
}

static void carry_out(struct host *host, const struct client_output *output)
{
    struct sim *sim = host->sim;
    switch (output->kind) {
    case CLIENT_OUT_DIAL:
        network_dial(sim, host->index, output->slot, node_of_address(sim, output->address));
        break;
    case CLIENT_OUT_SEND:
        events_stir(&sim->events, output->type ^ output->body.size << 8);
        network_send(sim, output->connection, TO_NODE, output->type, output->body);
        break;
    case CLIENT_OUT_CLOSE:
        network_close(sim, output->connection, TO_NODE);
        break;
    case CLIENT_OUT_ANSWER:
        host->actor.answer(host->actor.self, output);
        break;
    case CLIENT_OUT_HANDOUT:
        host->actor.handout(host->actor.self, &output->handout);
        break;
    case CLIENT_OUT_LEADER:
        break;
    }
}

static void schedule_tick(struct host *host)
{
    uint64_t deadline_ms = client_deadline(host->core);
    if (deadline_ms == UINT64_MAX)
        return;
    uint64_t now_ms = host_now_ms(host), now_us = host->sim->events.now_us;
    uint64_t at_us = deadline_ms <= now_ms ? now_us + 1000
                                           : now_us + (deadline_ms - now_ms) * 1000 - now_us % 1000;
    if (host->tick_at_us > now_us && host->tick_at_us <= at_us)
        return;
    host->tick_at_us = at_us;
    events_put(&host->sim->events, (struct event){.at_us = at_us,
                                                  .kind = EVENT_HOST_TICK,
                                                  .life = host->life,
                                                  .target = host->index});
}

/* Outputs are borrowed until the core's next step, and an actor that hears an answer asks the next
 * thing at once: its request waits until the outputs are carried out. */
struct host_feed {
    struct host_feed *next;
    struct client_input input;
    uint8_t body[];
};

static void feed_later(struct host *host, const struct client_input *input)
{
    struct bytes body = input->kind == CLIENT_IN_REQUEST ? input->request.body : input->body;
    struct host_feed *feed = must_alloc(sizeof *feed + body.size);
    feed->input = *input;
    if (body.size > 0)
        memcpy(feed->body, body.data, body.size);
    if (input->kind == CLIENT_IN_REQUEST)
        feed->input.request.body = bytes_of(feed->body, body.size);
    else
        feed->input.body = bytes_of(feed->body, body.size);
    struct host_feed **end = &host->feed;
    while (*end != NULL)
        end = &(*end)->next;
    *end = feed;
}

static void step(struct host *host, struct client_input *input)
{
    struct client_outputs outputs;
    input->now_ms = host_now_ms(host);
    enum pawl_error error = client_step(host->core, input, &outputs);
    if (error != PAWL_OK) {
        sim_fail(host->sim, "client", "host %u: an input was refused: %s", (unsigned)host->index,
                 pawl_error_name(error));
        return;
    }
    for (size_t i = 0; i < outputs.count; i++)
        carry_out(host, &outputs.output[i]);
    client_check(host->core);
}

void host_input(struct host *host, struct client_input *input)
{
    if (host->is_feeding) {
        feed_later(host, input);
        return;
    }
    host->is_feeding = true;
    step(host, input);
    while (host->feed != NULL) {
        struct host_feed *feed = host->feed;
        host->feed = feed->next;
        step(host, &feed->input);
        free(feed);
    }
    host->is_feeding = false;
    schedule_tick(host);
}

void host_timer(struct host *host, uint64_t after_us, uint64_t detail)
{
    events_put(&host->sim->events, (struct event){.at_us = host->sim->events.now_us + after_us,
                                                  .kind = EVENT_ACTOR,
                                                  .life = host->life,
                                                  .target = host->index,
                                                  .detail = detail});
}

void host_tick(struct sim *sim, const struct event *event)
{
    struct host *host = &sim->hosts[event->target];
    if (!host->is_up || host->life != event->life || event->at_us != host->tick_at_us)
        return;
    host->tick_at_us = 0;
    host_input(host, &(struct client_input){.kind = CLIENT_IN_TICK});
}

void host_actor_event(struct sim *sim, const struct event *event)
{
    struct host *host = &sim->hosts[event->target];
    if (host->is_up && host->life == event->life)
        host->actor.timer(host->actor.self, event->detail);
}

void host_dialled(struct sim *sim, uint32_t index, uint32_t slot, uint64_t connection)
{
    host_input(
        &sim->hosts[index],
        &(struct client_input){.kind = CLIENT_IN_DIALLED, .slot = slot, .connection = connection});
}

void host_dial_failed(struct sim *sim, uint32_t index, uint32_t slot)
{
    host_input(&sim->hosts[index], &(struct client_input){.kind = CLIENT_IN_CLOSED, .slot = slot});
}

void host_frame(struct sim *sim, uint32_t index, uint64_t connection, const struct packet *frame)
{
    host_input(&sim->hosts[index], &(struct client_input){.kind = CLIENT_IN_FRAME,
                                                          .connection = connection,
                                                          .type = frame->type,
                                                          .body = packet_body(frame)});
}

void host_connection_closed(struct sim *sim, uint32_t index, uint64_t connection)
{
    host_input(&sim->hosts[index],
               &(struct client_input){.kind = CLIENT_IN_CLOSED, .connection = connection});
}
