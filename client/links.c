/* Connections to nodes. Two ready ones are wanted: the leader, and one more that hears of the next
 * leader. */
#include <stdio.h>

#include "client/state.h"

enum {
    LINKS_WANTED = 2,
    DIAL_SLOW_MS =
        300, /* a dial that has taken this long no longer keeps others from being tried */
    DIAL_GIVE_UP_MS = 10000,
    WELCOME_MS = 3000, /* from the connection to the welcome */
    STABLE_MS = 1000,  /* a link that lived this long was no failure of its address */
    HEARTBEAT_MS_MIN = 10,
    HEARTBEAT_MS_MAX = 60000,
    BACKOFF_MS_MAX = 60000,
};

struct link *link_find(struct client_core *core, uint64_t connection)
{
    for (size_t i = 0; i < LINKS_MAX; i++)
        if (core->links[i].state >= LINK_GREETING && core->links[i].connection == connection)
            return &core->links[i];
    return NULL;
}

static bool is_to_leader(const struct client_core *core, const struct link *link)
{
    const struct address *address = &core->addresses.at[link->address];
    if (core->leader.node == 0)
        return false;
    if (link->state == LINK_READY && link->node != 0)
        return link->node == core->leader.node;
    return address->node == core->leader.node ||
           bytes_equal(address_text(address), core->leader.client_address);
}

static bool is_to_seed(const struct client_core *core, const struct link *link)
{
    return core->addresses.at[link->address].is_seed;
}

struct link *link_leader(struct client_core *core)
{
    for (size_t i = 0; i < LINKS_MAX; i++)
        if (core->links[i].state == LINK_READY && is_to_leader(core, &core->links[i]))
            return &core->links[i];
    return NULL;
}

bool links_reach_leader(const struct client_core *core)
{
    for (size_t i = 0; i < LINKS_MAX; i++)
        if (core->links[i].state == LINK_READY && is_to_leader(core, &core->links[i]))
            return true;
    return false;
}

struct link *link_any(struct client_core *core)
{
    struct link *any = NULL;
    for (size_t i = 0; i < LINKS_MAX; i++)
        if (core->links[i].state == LINK_READY && (any == NULL || !is_to_seed(core, any)))
            any = &core->links[i];
    return any;
}

static struct link *link_of_slot(struct client_core *core, uint32_t slot)
{
    for (size_t i = 0; i < LINKS_MAX; i++)
        if (core->links[i].state == LINK_DIALLING && core->links[i].slot == slot)
            return &core->links[i];
    return NULL;
}

static void trouble_note(struct client_core *core, const struct link *link, struct bytes trouble)
{
    struct bytes address = address_text(&core->addresses.at[link->address]);
    if (trouble.size > 0)
        snprintf(core->trouble, sizeof core->trouble, "%.*s: %.*s", (int)address.size,
                 (const char *)address.data, (int)(trouble.size < 120 ? trouble.size : 120),
                 (const char *)trouble.data);
}

void link_lost(struct client_core *core, struct link *link, struct bytes trouble)
{
    bool was_stable = link->state == LINK_READY && core->now_ms >= link->since_ms + STABLE_MS;
    core->is_settled = false;
    uint64_t connection = link->connection;
    trouble_note(core, link, trouble);
    if (was_stable)
        core->addresses.at[link->address].fail_count = 0;
    address_failed(core, link->address);
    link->state = LINK_NONE;
    requests_unask(&core->requests, connection);
    if (core->attachment.state != ATTACHMENT_NONE && core->attachment.connection == connection)
        attachment_leave(core, 0);
}

void link_close(struct client_core *core, struct link *link, const char *trouble)
{
    outbox_add(&core->outbox, CLIENT_OUT_CLOSE)->connection = link->connection;
    link_lost(core, link, bytes_string(trouble));
}

void dial_failed(struct client_core *core, uint32_t slot, struct bytes trouble)
{
    struct link *link = link_of_slot(core, slot);
    if (link != NULL)
        link_lost(core, link, trouble);
}

void link_dialled(struct client_core *core, uint32_t slot, uint64_t connection)
{
    struct link *link = link_of_slot(core, slot);
    if (link == NULL) {
        outbox_add(&core->outbox, CLIENT_OUT_CLOSE)->connection = connection;
        return;
    }
    link->state = LINK_GREETING;
    link->connection = connection;
    link->since_ms = link->heard_ms = core->now_ms;
    const struct msg_hello hello = {
        .version_min = PROTOCOL_VERSION,
        .version_max = PROTOCOL_VERSION,
        .cluster = core->cluster,
        .session = core->session,
        .name = bytes_of(core->name, core->name_bytes),
    };
    if (!outbox_send(&core->outbox, connection, FRAME_HELLO, &schema_hello, &hello))
        link_close(core, link, "out of memory");
}

static uint32_t within(uint32_t given, uint32_t least, uint32_t most)
{
    return given < least ? least : given > most ? most : given;
}

static void members_learn(struct client_core *core, const struct msg_welcome *welcome)
{
    const struct msg_member *member = welcome->members.elements;
    if (welcome->members.count == 0)
        return;
    addresses_keep(core, &welcome->members);
    for (size_t i = 0; i < welcome->members.count; i++)
        address_learn(&core->addresses, member[i].client_address, member[i].node);
}

/* Another link leads to the same node, under another name for it. */
static bool is_double(const struct client_core *core, const struct link *link)
{
    for (size_t i = 0; i < LINKS_MAX; i++) {
        const struct link *other = &core->links[i];
        if (other != link && other->state == LINK_READY && link->node != 0 &&
            other->node == link->node)
            return true;
    }
    return false;
}

static size_t ready_count(const struct client_core *core)
{
    size_t count = 0;
    for (size_t i = 0; i < LINKS_MAX; i++)
        count += core->links[i].state == LINK_READY;
    return count;
}

/* More than two are ready: the newest goes, but rather one that does not lead to the leader, and
 * rather one that the options do not name. */
static void surplus_close(struct client_core *core, struct link *newest)
{
    struct link *victim = newest;
    if (ready_count(core) <= LINKS_WANTED)
        return;
    for (size_t i = 0; i < LINKS_MAX; i++) {
        struct link *link = &core->links[i];
        if (link->state != LINK_READY || is_to_leader(core, link))
            continue;
        if (is_to_leader(core, victim) || (is_to_seed(core, victim) && !is_to_seed(core, link)))
            victim = link;
    }
    core->addresses.at[victim->address].fail_count = 0;
    link_close(core, victim, NULL);
}

static void link_ready(struct client_core *core, struct link *link,
                       const struct msg_welcome *welcome)
{
    link->state = LINK_READY;
    link->since_ms = core->now_ms;
    link->node = welcome->node;
    core->addresses.at[link->address].node = welcome->node;
    if (!id128_is_none(welcome->cluster))
        core->cluster = welcome->cluster;
    core->heartbeat_ms = welcome->heartbeat_ms == 0
                             ? SESSION_HEARTBEAT_MS
                             : within(welcome->heartbeat_ms, HEARTBEAT_MS_MIN, HEARTBEAT_MS_MAX);
    if (welcome->backoff_ms_max != 0)
        core->addresses.backoff_ms_max =
            within(welcome->backoff_ms_max, HEARTBEAT_MS_MIN, BACKOFF_MS_MAX);
    members_learn(core, welcome);
    if (is_double(core, link))
        link_close(core, link, NULL);
    else
        surplus_close(core, link);
}

void link_welcome(struct client_core *core, struct link *link, struct bytes body)
{
    struct msg_welcome welcome;
    if (link->state != LINK_GREETING ||
        codec_decode(&schema_welcome, body, &core->arena, &welcome, NULL) != PAWL_OK) {
        link_close(core, link, "its answer to the greeting is not one");
        return;
    }
    if (welcome.error == 0) {
        link_ready(core, link, &welcome);
        return;
    }
    enum pawl_error error = pawl_error_from_wire(welcome.error);
    outbox_add(&core->outbox, CLIENT_OUT_CLOSE)->connection = link->connection;
    link_lost(core, link,
              welcome.detail.size > 0 ? welcome.detail : bytes_string(pawl_error_text(error)));
}

/* Dialling */

/* Links that count against the two wanted. */
static size_t hopeful_count(const struct client_core *core)
{
    size_t count = 0;
    for (size_t i = 0; i < LINKS_MAX; i++) {
        const struct link *link = &core->links[i];
        count += link->state >= LINK_GREETING ||
                 (link->state == LINK_DIALLING && core->now_ms < link->since_ms + DIAL_SLOW_MS);
    }
    return count;
}

static bool is_linked(const struct client_core *core, size_t address)
{
    uint64_t node = core->addresses.at[address].node;
    for (size_t i = 0; i < LINKS_MAX; i++) {
        const struct link *link = &core->links[i];
        if (link->state != LINK_NONE &&
            (link->address == address ||
             (node != 0 && core->addresses.at[link->address].node == node)))
            return true;
    }
    return false;
}

static void dial(struct client_core *core, size_t address)
{
    for (size_t i = 0; i < LINKS_MAX; i++) {
        struct link *link = &core->links[i];
        if (link->state != LINK_NONE)
            continue;
        *link = (struct link){.state = LINK_DIALLING,
                              .slot = core->slot_next++,
                              .address = address,
                              .since_ms = core->now_ms};
        struct client_output *output = outbox_add(&core->outbox, CLIENT_OUT_DIAL);
        output->slot = link->slot;
        output->address = address_text(&core->addresses.at[address]);
        return;
    }
}

static bool has_vacancy(const struct client_core *core)
{
    for (size_t i = 0; i < LINKS_MAX; i++)
        if (core->links[i].state == LINK_NONE)
            return true;
    return false;
}

static bool is_leader_linked(const struct client_core *core)
{
    for (size_t i = 0; i < LINKS_MAX; i++)
        if (core->links[i].state != LINK_NONE && is_to_leader(core, &core->links[i]))
            return true;
    return false;
}

/* The leader's address, not linked; ADDRESSES_MAX: none is needed or known. */
static size_t leader_address(const struct client_core *core)
{
    if (core->leader.node == 0 || is_leader_linked(core))
        return ADDRESSES_MAX;
    for (size_t i = 0; i < ADDRESSES_MAX; i++) {
        const struct address *address = &core->addresses.at[i];
        if (address->size > 0 && !is_linked(core, i) &&
            (address->node == core->leader.node ||
             bytes_equal(address_text(address), core->leader.client_address)))
            return i;
    }
    return ADDRESSES_MAX;
}

/* An address to try: of those that are due, one that failed least, by lot. */
static size_t candidate(struct client_core *core)
{
    size_t best = ADDRESSES_MAX, tied = 0;
    for (size_t i = 0; i < ADDRESSES_MAX; i++) {
        const struct address *address = &core->addresses.at[i];
        if (address->size == 0 || address->dial_at_ms > core->now_ms || is_linked(core, i))
            continue;
        if (best < ADDRESSES_MAX && address->fail_count > core->addresses.at[best].fail_count)
            continue;
        bool is_better =
            best == ADDRESSES_MAX || address->fail_count < core->addresses.at[best].fail_count;
        tied = is_better ? 1 : tied + 1;
        if (is_better || core_random(core, tied) == 0)
            best = i;
    }
    return best;
}

static void links_expire(struct client_core *core)
{
    for (size_t i = 0; i < LINKS_MAX; i++) {
        struct link *link = &core->links[i];
        if (link->state == LINK_GREETING && core->now_ms >= link->since_ms + WELCOME_MS)
            link_close(core, link, "it does not answer the greeting");
        else if (link->state == LINK_DIALLING && core->now_ms >= link->since_ms + DIAL_GIVE_UP_MS)
            link_lost(core, link, BYTES_LITERAL("no connection in time"));
    }
}

void links_tick(struct client_core *core)
{
    links_expire(core);
    size_t leader = leader_address(core);
    if (leader < ADDRESSES_MAX && core->addresses.at[leader].dial_at_ms <= core->now_ms)
        dial(core, leader);
    while (hopeful_count(core) < LINKS_WANTED && has_vacancy(core)) {
        size_t next = candidate(core);
        if (next == ADDRESSES_MAX)
            return;
        dial(core, next);
    }
}

static uint64_t link_deadline(const struct client_core *core, const struct link *link)
{
    switch (link->state) {
    case LINK_DIALLING:
        return core->now_ms < link->since_ms + DIAL_SLOW_MS ? link->since_ms + DIAL_SLOW_MS
                                                            : link->since_ms + DIAL_GIVE_UP_MS;
    case LINK_GREETING:
        return link->since_ms + WELCOME_MS;
    case LINK_NONE:
    case LINK_READY:
        break;
    }
    return UINT64_MAX;
}

uint64_t links_deadline(const struct client_core *core)
{
    uint64_t deadline_ms = UINT64_MAX;
    for (size_t i = 0; i < LINKS_MAX; i++)
        deadline_ms = earlier(deadline_ms, link_deadline(core, &core->links[i]));
    if (!has_vacancy(core))
        return deadline_ms;
    size_t leader = leader_address(core);
    if (leader < ADDRESSES_MAX)
        deadline_ms = earlier(deadline_ms, core->addresses.at[leader].dial_at_ms);
    if (hopeful_count(core) >= LINKS_WANTED)
        return deadline_ms;
    for (size_t i = 0; i < ADDRESSES_MAX; i++)
        if (core->addresses.at[i].size > 0 && !is_linked(core, i))
            deadline_ms = earlier(deadline_ms, core->addresses.at[i].dial_at_ms);
    return deadline_ms;
}
