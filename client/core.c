#include "client/core.h"

#include <assert.h>
#include <stdlib.h>

#include "client/state.h"

/* Chance: SplitMix64 (Steele, Lea, Flood, 2014), seeded by the caller. */
uint64_t core_random(struct client_core *core, uint64_t bound)
{
    uint64_t mixed = core->random += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return (mixed ^ (mixed >> 31)) % bound;
}

uint64_t core_backoff_ms(struct client_core *core, uint64_t base_ms, uint32_t count,
                         uint64_t max_ms)
{
    uint64_t whole_ms = base_ms;
    for (uint32_t i = 0; i < count && whole_ms < max_ms; i++)
        whole_ms *= 2;
    whole_ms = earlier(whole_ms, max_ms);
    return whole_ms - core_random(core, whole_ms / 2 + 1);
}

enum pawl_error client_new(const struct client_options *options, uint64_t now_ms,
                           struct client_core **core_out, struct pawl_diag *diag)
{
    struct client_core *core = calloc(1, sizeof *core);
    if (core == NULL)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for a client");
    enum pawl_error error = addresses_init(&core->addresses, options->nodes, diag);
    if (error != PAWL_OK) {
        free(core);
        return error;
    }
    core->session = options->session;
    core->random = options->seed;
    core->now_ms = now_ms;
    core->heartbeat_ms = SESSION_HEARTBEAT_MS;
    core->slot_next = 1;
    core->name_bytes = options->name.size < NAME_BYTES_MAX ? options->name.size : NAME_BYTES_MAX;
    if (core->name_bytes > 0)
        memcpy(core->name, options->name.data, core->name_bytes);
    requests_init(&core->requests);
    *core_out = core;
    return PAWL_OK;
}

void client_free(struct client_core *core)
{
    if (core == NULL)
        return;
    requests_done(&core->requests);
    outbox_done(&core->outbox);
    arena_done(&core->arena);
    arena_done(&core->offer.arena);
    held_done(&core->held);
    free(core);
}

/* An answer to a heartbeat needs no more than to be heard. */
static void frame_take(struct client_core *core, struct link *link, uint8_t type, struct bytes body)
{
    link->heard_ms = core->now_ms;
    if (core->attachment.connection == link->connection)
        core->attachment.heartbeats_unheard = 0;
    if (link->state == LINK_GREETING || type == FRAME_WELCOME) {
        if (type == FRAME_WELCOME)
            link_welcome(core, link, body);
        else
            link_close(core, link, "it does not greet first");
    } else if (type == FRAME_LEADER) {
        leader_take(core, link, body);
    } else if (type == FRAME_ATTACHED) {
        attached_take(core, link, body);
    } else if (type == FRAME_RESPONSE) {
        response_take(core, link, body);
    } else if (type == FRAME_HANDOUTS) {
        handouts_take(core, link, body);
    }
}

static void closed_take(struct client_core *core, const struct client_input *input)
{
    struct link *link = input->connection == 0 ? NULL : link_find(core, input->connection);
    if (link != NULL)
        link_lost(core, link, input->body);
    else if (input->connection == 0)
        dial_failed(core, input->slot, input->body);
}

static void cancel_take(struct client_core *core, uint64_t token)
{
    struct request *request = requests_find_token(&core->requests, token);
    if (request != NULL)
        request_answer(core, request, PAWL_E_CANCELLED, NULL);
}

static enum pawl_error input_take(struct client_core *core, const struct client_input *input)
{
    struct link *link;
    switch (input->kind) {
    case CLIENT_IN_TICK:
        return PAWL_OK;
    case CLIENT_IN_DIALLED:
        link_dialled(core, input->slot, input->connection);
        return PAWL_OK;
    case CLIENT_IN_CLOSED:
        closed_take(core, input);
        return PAWL_OK;
    case CLIENT_IN_FRAME:
        link = link_find(core, input->connection);
        if (link != NULL)
            frame_take(core, link, input->type, input->body);
        return PAWL_OK;
    case CLIENT_IN_REQUEST:
        return requests_add(&core->requests, &input->request);
    case CLIENT_IN_CANCEL:
        cancel_take(core, input->token);
        return PAWL_OK;
    case CLIENT_IN_WORKER:
        return offer_set(core, input);
    case CLIENT_IN_DROP:
        held_remove(&core->held, &input->fence);
        return PAWL_OK;
    case CLIENT_IN_GOODBYE:
        goodbye_send(core);
        return PAWL_OK;
    }
    return PAWL_E_INVALID;
}

/* Requests, answers and hand-outs come in thousands and change no link; if one ends a link or an
 * attachment all the same, that unsettles. */
static bool is_unsettling(const struct client_input *input)
{
    switch (input->kind) {
    case CLIENT_IN_REQUEST:
    case CLIENT_IN_CANCEL:
    case CLIENT_IN_DROP:
        return false;
    case CLIENT_IN_FRAME:
        return input->type != FRAME_RESPONSE && input->type != FRAME_HANDOUTS;
    case CLIENT_IN_TICK:
    case CLIENT_IN_DIALLED:
    case CLIENT_IN_CLOSED:
    case CLIENT_IN_WORKER:
    case CLIENT_IN_GOODBYE:
        break;
    }
    return true;
}

static void settle(struct client_core *core)
{
    if (core->is_settled && core->now_ms < core->settled_until_ms)
        return;
    links_tick(core);
    attachment_tick(core);
    core->is_settled = true;
    core->settled_until_ms = earlier(links_deadline(core), attachment_deadline(core));
}

enum pawl_error client_step(struct client_core *core, const struct client_input *input,
                            struct client_outputs *outputs_out)
{
    /* What a step may put out beside frames: one answer for each request, and dials and ends of
     * links. */
    enum { ROOM = 8 * LINKS_MAX };
    *outputs_out = (struct client_outputs){0};
    outbox_reset(&core->outbox);
    arena_reset(&core->arena);
    if (!outbox_reserve(&core->outbox, core->requests.count + ROOM))
        return PAWL_E_NO_MEMORY;
    if (input->now_ms > core->now_ms)
        core->now_ms = input->now_ms;
    if (is_unsettling(input))
        core->is_settled = false;
    TRY(input_take(core, input));
    settle(core);
    requests_tick(core);
    requests_pump(core);
    *outputs_out = outbox_finish(&core->outbox);
    return PAWL_OK;
}

uint64_t client_deadline(const struct client_core *core)
{
    return earlier(core->requests.deadline_ms, core->is_settled ? core->settled_until_ms : 0);
}

bool client_is_attached(const struct client_core *core)
{
    return core->attachment.state == ATTACHMENT_HELD;
}

static bool is_linked(const struct client_core *core, uint64_t connection)
{
    for (size_t i = 0; i < LINKS_MAX; i++)
        if (core->links[i].state == LINK_READY && core->links[i].connection == connection)
            return true;
    return false;
}

void client_check(const struct client_core *core)
{
    requests_check(&core->requests);
    assert(!core->is_settled || core->settled_until_ms <= links_deadline(core));
    assert(!core->is_settled || core->settled_until_ms <= attachment_deadline(core));
    bool is_attached = core->attachment.state == ATTACHMENT_HELD;
    assert(is_attached || core->requests.lists[REQUESTS_SENT].count == 0);
    assert(!is_attached || is_linked(core, core->attachment.connection));
    held_check(&core->held);
    for (size_t i = 0; i < LINKS_MAX; i++)
        for (size_t k = i + 1; k < LINKS_MAX; k++)
            assert(core->links[i].state < LINK_GREETING || core->links[k].state < LINK_GREETING ||
                   core->links[i].connection != core->links[k].connection);
}
