/* The leader of the partition, and the attachment to it.
 *
 * Only the newest attachment counts: leaving it makes every answer and hand-out of it void, and
 * what was sent under it waits for the next one.
 */

#include "client/mutant.h"
#include "client/state.h"

enum {
    RETRY_MS_MIN = 20,
    HEARTBEATS_UNHEARD_MAX = 3, /* then the leader is given up */
};

/* The leader */

void leader_take(struct client_core *core, struct link *link, struct bytes body)
{
    struct msg_leader news;
    if (codec_decode(&schema_leader, body, &core->arena, &news, NULL) != PAWL_OK) {
        link_close(core, link, "a message that is not one");
        return;
    }
    bool is_news = news.term > core->leader.term ||
                   (news.term == core->leader.term && core->leader.node == 0 && news.node != 0);
    if (news.partition != PARTITION_FIRST || !is_news)
        return;
    size_t size = news.client_address.size;
    if (size > 0)
        memcpy(core->leader_address, news.client_address.data, size);
    news.client_address = bytes_of(core->leader_address, size);
    core->leader = news;
    if (news.node != 0)
        address_learn(&core->addresses, news.client_address, news.node);
    core->attachment.fail_count = 0;
    attachment_leave(core, 0);
    outbox_add(&core->outbox, CLIENT_OUT_LEADER)->leader = news;
}

/* The attachment */

void attachment_leave(struct client_core *core, uint64_t delay_ms)
{
    core->is_settled = false;
    core->attachment.state = ATTACHMENT_NONE;
    core->attachment.retry_at_ms = core->now_ms + delay_ms;
    requests_unsend(&core->requests);
}

void attachment_retry(struct client_core *core)
{
    uint64_t delay_ms = core_backoff_ms(core, RETRY_MS_MIN, core->attachment.fail_count,
                                        core->addresses.backoff_ms_max);
    core->attachment.fail_count++;
    attachment_leave(core, delay_ms);
}

static bool is_attach_wanted(const struct client_core *core, const struct link *link)
{
    const struct attachment *attachment = &core->attachment;
    if (attachment->state == ATTACHMENT_NONE)
        return core->now_ms >= attachment->retry_at_ms;
    return core->offer.is_changed || attachment->term != core->leader.term ||
           attachment->connection != link->connection;
}

/* What the old session holds is void: its leases end with its goodbye, or, if that was lost, when
 * its time is over. A hand-out of it that was forgotten here must never come again under its fence.
 */
static void session_renew(struct client_core *core)
{
    for (size_t i = 0; i < sizeof core->session.byte; i++)
        core->session.byte[i] = (uint8_t)core_random(core, 256);
    core->offer.is_goodbye_due = false;
}

static void attach(struct client_core *core, struct link *link)
{
    struct attachment *attachment = &core->attachment;
    attachment_leave(core, 0);
    if (core->offer.is_goodbye_due)
        session_renew(core);
    struct msg_attach message = {
        .partition = PARTITION_FIRST,
        .term = core->leader.term,
        .attachment = attachment->number + 1,
        .session = core->session,
        .credit = core->offer.credit,
        .types = {.elements = core->offer.types, .count = core->offer.type_count},
        .held = {.elements = held_first(&core->held), .count = core->held.count},
    };
    if (CLIENT_MUTANT(HELD_LIST_EMPTY))
        message.held.count = 0;
    if (!outbox_send(&core->outbox, link->connection, FRAME_ATTACH, &schema_attach, &message)) {
        attachment_retry(core);
        return;
    }
    core->offer.is_changed = false;
    attachment->state = ATTACHMENT_ASKED;
    attachment->number++;
    attachment->term = core->leader.term;
    attachment->connection = link->connection;
    attachment->asked_ms = core->now_ms;
    attachment->heartbeats_unheard = 0;
}

static bool is_newest(const struct client_core *core, const struct link *link, uint64_t term,
                      uint64_t number)
{
    const struct attachment *attachment = &core->attachment;
    return attachment->state != ATTACHMENT_NONE && attachment->connection == link->connection &&
           attachment->term == term && attachment->number == number;
}

void attached_take(struct client_core *core, struct link *link, struct bytes body)
{
    struct msg_attached attached;
    struct attachment *attachment = &core->attachment;
    if (codec_decode(&schema_attached, body, &core->arena, &attached, NULL) != PAWL_OK) {
        link_close(core, link, "a message that is not one");
        return;
    }
    if (attached.partition != PARTITION_FIRST || attachment->state != ATTACHMENT_ASKED ||
        attachment->connection != link->connection || attachment->number != attached.attachment)
        return;
    if (attached.error != PAWL_OK || attached.term != attachment->term) {
        attachment_retry(core);
        return;
    }
    attachment->state = ATTACHMENT_HELD;
    attachment->fail_count = 0;
    attachment->heartbeat_at_ms = core->now_ms + core->heartbeat_ms;
    core->addresses.at[link->address].fail_count = 0;
    if (core->offer.is_goodbye_due)
        goodbye_send(core);
}

void handouts_take(struct client_core *core, struct link *link, struct bytes body)
{
    struct msg_handouts handouts;
    if (codec_decode(&schema_handouts, body, &core->arena, &handouts, NULL) != PAWL_OK) {
        link_close(core, link, "a message that is not one");
        return;
    }
    bool is_current = core->attachment.state == ATTACHMENT_HELD &&
                      is_newest(core, link, handouts.term, handouts.attachment);
    if (!is_current && !CLIENT_MUTANT(OLD_HANDOUT_TAKEN))
        return;
    if (!outbox_reserve(&core->outbox, handouts.handouts.count + LINKS_MAX)) {
        link_close(core, link, "out of memory");
        return;
    }
    const struct msg_handout *handout = handouts.handouts.elements;
    for (size_t i = 0; i < handouts.handouts.count; i++) {
        /* Not held, it is sent again after the next attach. */
        if (held_add(&core->held, &handout[i].fence))
            outbox_add(&core->outbox, CLIENT_OUT_HANDOUT)->handout = handout[i];
    }
}

void attachment_heard(struct client_core *core, uint64_t sent_ms)
{
    const uint64_t next_ms = sent_ms + core->heartbeat_ms;
    if (next_ms > core->attachment.heartbeat_at_ms)
        core->attachment.heartbeat_at_ms = next_ms;
}

static void heartbeat(struct client_core *core, struct link *link)
{
    struct attachment *attachment = &core->attachment;
    if (attachment->heartbeats_unheard >= HEARTBEATS_UNHEARD_MAX) {
        link_close(core, link, "the leader is silent");
        return;
    }
    const struct msg_heartbeat message = {
        .partition = PARTITION_FIRST, .term = attachment->term, .attachment = attachment->number};
    if (!outbox_send(&core->outbox, link->connection, FRAME_HEARTBEAT, &schema_heartbeat,
                     &message)) {
        link_close(core, link, "out of memory");
        return;
    }
    attachment->heartbeats_unheard++;
    attachment->heartbeat_at_ms = core->now_ms + core->heartbeat_ms;
}

/* When an attach that was not answered is given up. */
static uint64_t asked_deadline(const struct client_core *core)
{
    const struct attachment *attachment = &core->attachment;
    return attachment->asked_ms + (uint64_t)HEARTBEATS_UNHEARD_MAX * core->heartbeat_ms;
}

void attachment_tick(struct client_core *core)
{
    struct attachment *attachment = &core->attachment;
    struct link *link = link_leader(core);
    if (link == NULL)
        return;
    if (is_attach_wanted(core, link))
        attach(core, link);
    else if (attachment->state == ATTACHMENT_ASKED && core->now_ms >= asked_deadline(core))
        link_close(core, link, "the leader does not answer");
    else if (attachment->state == ATTACHMENT_HELD && core->now_ms >= attachment->heartbeat_at_ms)
        heartbeat(core, link);
}

uint64_t attachment_deadline(const struct client_core *core)
{
    if (!links_reach_leader(core))
        return UINT64_MAX;
    switch (core->attachment.state) {
    case ATTACHMENT_NONE:
        return core->attachment.retry_at_ms;
    case ATTACHMENT_ASKED:
        return asked_deadline(core);
    case ATTACHMENT_HELD:
        break;
    }
    return core->attachment.heartbeat_at_ms;
}

/* The offer */

static bool offer_is(const struct offer *offer, const struct client_input *input)
{
    bool is_equal =
        offer->credit == input->worker.credit && offer->type_count == input->worker.type_count;
    for (size_t i = 0; is_equal && i < offer->type_count; i++)
        is_equal = bytes_equal(offer->types[i], input->worker.types[i]);
    return is_equal;
}

enum pawl_error offer_set(struct client_core *core, const struct client_input *input)
{
    struct offer *offer = &core->offer;
    size_t count = input->worker.type_count;
    if (count > SESSION_TYPES_MAX || input->worker.credit > SESSION_CREDIT_MAX)
        return PAWL_E_LIMIT;
    if (offer_is(offer, input))
        return PAWL_OK;
    struct arena arena = {0};
    struct bytes *types = arena_array(&arena, count, sizeof *types);
    bool has_memory = types != NULL;
    for (size_t i = 0; has_memory && i < count; i++) {
        types[i] = arena_copy(&arena, input->worker.types[i]);
        has_memory = types[i].size == input->worker.types[i].size;
    }
    if (!has_memory) {
        arena_done(&arena);
        return PAWL_E_NO_MEMORY;
    }
    arena_done(&offer->arena);
    *offer = (struct offer){.arena = arena,
                            .types = types,
                            .type_count = count,
                            .credit = input->worker.credit,
                            .is_changed = true,
                            .is_goodbye_due = offer->is_goodbye_due};
    return PAWL_OK;
}

void goodbye_send(struct client_core *core)
{
    struct offer *offer = &core->offer;
    const struct msg_goodbye message = {.session = core->session};
    offer->credit = 0;
    offer->type_count = 0;
    held_clear(&core->held);
    if (core->attachment.state == ATTACHMENT_ASKED) {
        offer->is_goodbye_due = true; /* said once it is attached */
        return;
    }
    struct link *link = link_find(core, core->attachment.connection);
    if (core->attachment.state == ATTACHMENT_HELD && link != NULL &&
        !outbox_send(&core->outbox, link->connection, FRAME_GOODBYE, &schema_goodbye, &message))
        link_close(core, link, "out of memory");
    session_renew(core);
    attachment_retry(core); /* what is still asked begins a new session */
}
