/* Sessions: attachments, leases, and the hand-outs that are out.
 *
 * 1. What is out is rows (TABLE_HANDOUT); leases and attachments are soft state of the leader.
 * 2. Only what carries the leader's term and a session's newest attachment is decided.
 * 3. A session that is gone past its grace loses its leases: one logged command for each.
 */
#include <assert.h>
#include <stdlib.h>

#include "node/mutant.h"
#include "node/partition.h"

enum { SESSIONS_MAX = 4096, ROWS_PER_SCAN = 128, LOST_PER_TURN = 128, AGAIN_US = 10000 };

/* What an attach said, kept until this leader is active and has found what the session misses. */
struct attach_copy {
    struct arena arena;
    struct msg_attach attach;
    uint64_t index; /* applied when it was taken: later hand-outs are sent when they commit */
};

static uint64_t grace_us(const struct partition *partition)
{
    const struct replica_options *options = &partition->replica->options;
    return (2 * (uint64_t)options->election_timeout_ms_max + RECONNECT_BACKOFF_MS_MAX) * 1000;
}

static uint64_t lease_end_us(const struct partition *partition)
{
    return partition->replica->now_us + (uint64_t)SESSION_LEASE_MS * 1000;
}

static struct session *session_find(const struct partition *partition, struct id128 id)
{
    return id_map_get(&partition->session_map, id);
}

static void set_expiry(struct partition *partition, struct session *session, uint64_t expires_us)
{
    session->expires_us = expires_us;
    if (expires_us < partition->session_due_us)
        partition->session_due_us = expires_us;
}

/* NULL: no memory. */
static struct session *session_new(struct partition *partition, struct id128 id)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL || !id_map_put(&partition->session_map, id, session)) {
        free(session);
        return NULL;
    }
    session->id = id;
    set_expiry(partition, session, partition->replica->now_us + grace_us(partition));
    session->previous = partition->sessions_last;
    if (partition->sessions_last != NULL)
        partition->sessions_last->next = session;
    else
        partition->sessions = session;
    partition->sessions_last = session;
    partition->session_count++;
    return session;
}

static void attach_free(struct attach_copy *copy)
{
    if (copy != NULL)
        arena_done(&copy->arena);
    free(copy);
}

static void forget_attach(struct partition *partition, struct session *session)
{
    attach_free(session->attach);
    partition->searching_count -= session->is_searching;
    session->attach = NULL;
    session->is_attaching = session->is_searching = false;
}

static void session_free(struct partition *partition, struct session *session)
{
    if (session->previous != NULL)
        session->previous->next = session->next;
    else
        partition->sessions = session->next;
    if (session->next != NULL)
        session->next->previous = session->previous;
    else
        partition->sessions_last = session->previous;
    partition->session_count--;
    partition->lost_count -= session->is_lost;
    id_map_remove(&partition->session_map, session->id);
    dispatch_session_remove(partition->dispatch, session->id);
    forget_attach(partition, session);
    free(session);
}

/* ---- sending steps ---- */

static size_t encode_handout(const struct partition *partition, uint64_t attachment,
                             const struct msg_handout *handout, struct buffer *out)
{
    struct msg_handout copy = *handout;
    const struct msg_handouts message = {.partition = partition->number,
                                         .term = partition->term,
                                         .attachment = attachment,
                                         .handouts = {.elements = &copy, .count = 1}};
    return clients_encode(&schema_handouts, &message, out);
}

static void send_handout(struct partition *partition, const struct session *session,
                         const struct msg_handout *handout)
{
    const struct links_port *links = &partition->replica->options.links;
    struct buffer *frame = &partition->replica->frame;
    buffer_reset(frame);
    if (encode_handout(partition, session->attachment, handout, frame) > 0)
        (void)links->client_send(links->self, session->connection, FRAME_HANDOUTS,
                                 buffer_bytes(frame));
}

size_t sessions_encode_handout(const struct partition *partition,
                               const struct decision_handout *handout, struct buffer *out,
                               uint64_t *attachment_out)
{
    const struct session *session = session_find(partition, handout->session);
    *attachment_out = session != NULL ? session->attachment : 0;
    return encode_handout(partition, *attachment_out, &handout->handout, out);
}

/* It has attached anew since the frame was encoded. */
static void send_anew(struct partition *partition, const struct session *session,
                      struct bytes frame)
{
    struct msg_handouts message;
    if (codec_decode(&schema_handouts, frame, &partition->replica->turn_arena, &message, NULL) ==
        PAWL_OK)
        send_handout(partition, session, message.handouts.elements);
}

void sessions_hand_out(struct partition *partition, struct id128 id, uint64_t attachment,
                       struct bytes frame)
{
    const struct links_port *links = &partition->replica->options.links;
    const struct session *session = session_find(partition, id);
    if (session == NULL || !session->is_attached)
        return; /* it attaches again and is found not to hold it, or it loses the lease */
    if (session->attachment == attachment)
        (void)links->client_send(links->self, session->connection, FRAME_HANDOUTS, frame);
    else
        send_anew(partition, session, frame);
}

/* ---- attaching ---- */

static int fence_order(const void *a, const void *b)
{
    const struct msg_fence *x = a, *y = b;
    if (x->term != y->term)
        return x->term < y->term ? -1 : 1;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

/* What an attach says that the session holds, in order. False: no memory. */
static bool held_sorted(const struct msg_attach *attach, struct arena *arena,
                        struct msg_fence **held_out)
{
    const size_t count = attach->held.count;
    struct msg_fence *held = arena_array(arena, count, sizeof *held);
    *held_out = held;
    if (count == 0)
        return true;
    if (held == NULL)
        return false;
    memcpy(held, attach->held.elements, count * sizeof *held);
    qsort(held, count, sizeof *held, fence_order);
    return true;
}

static bool holds(const struct msg_fence *held, size_t count, const struct msg_fence *fence)
{
    return count > 0 && bsearch(fence, held, count, sizeof *held, fence_order) != NULL;
}

static void add_resend(struct partition *partition, const struct session *session,
                       const struct msg_fence *fence)
{
    struct resend *resend = calloc(1, sizeof *resend);
    if (resend == NULL)
        return; /* the lease ends it */
    *resend = (struct resend){.session = session->id,
                              .attachment = session->attachment,
                              .fence = *fence,
                              .round = partition->started_round + 1};
    if (partition->resends == NULL)
        partition->resends_last_next = &partition->resends;
    *partition->resends_last_next = resend;
    partition->resends_last_next = &resend->next;
    partition->wants_round = true;
}

/* Recorded for the session up to index, and not in its list: it never arrived. False: that is being
 * loaded. */
static bool find_missing(struct partition *partition, const struct session *session,
                         const struct msg_attach *attach, uint64_t index)
{
    struct arena *arena = &partition->replica->scratch; /* a turn may see thousands of attaches */
    struct memory_reader reader = {
        .memory = partition->memory, .level = MEMORY_COMMITTED, .arena = arena};
    const struct view view = memory_view(&reader);
    const size_t row_max = SESSION_CREDIT_MAX;
    arena_reset(arena);
    struct row *rows = arena_array(arena, row_max, sizeof *rows);
    struct msg_fence *held;
    const struct bytes begin = handout_key_prefix(&session->id);
    struct id128 after = session->id;
    size_t count = 0;
    for (int i = 15; i >= 0 && ++after.byte[i] == 0; i--)
        continue;
    if (rows == NULL || !held_sorted(attach, arena, &held))
        return false;
    enum pawl_error error =
        view.scan(view.self, TABLE_HANDOUT, begin, id128_bytes(&after), row_max, rows, &count);
    if (error == PAWL_E_NOT_LOADED)
        commands_own_load(partition, &partition->handout_load, &reader);
    if (error != PAWL_OK)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct id128 id;
        struct msg_fence fence;
        if (handout_key_parse(rows[i].key, &id, &fence) && fence.index <= index &&
            !holds(held, attach->held.count, &fence))
            add_resend(partition, session, &fence);
    }
    return true;
}

static void reply(struct partition *partition, uint64_t connection, const struct msg_attach *attach,
                  enum pawl_error error)
{
    const struct msg_attached message = {.partition = partition->number,
                                         .term = partition->term,
                                         .attachment = attach->attachment,
                                         .error = (uint32_t)error};
    clients_send(partition->replica, connection, FRAME_ATTACHED, &schema_attached, &message);
}

static bool keep_attach(struct partition *partition, struct session *session,
                        const struct msg_attach *attach)
{
    struct attach_copy *copy = calloc(1, sizeof *copy);
    if (copy == NULL)
        return false;
    struct bytes *types = arena_array(&copy->arena, attach->types.count, sizeof *types);
    const struct bytes *from = attach->types.elements;
    copy->attach = *attach;
    for (size_t i = 0; types != NULL && i < attach->types.count; i++)
        types[i] = arena_copy(&copy->arena, from[i]);
    copy->attach.types.elements = types;
    const struct bytes held =
        arena_copy(&copy->arena,
                   bytes_of(attach->held.elements, attach->held.count * sizeof(struct msg_fence)));
    union {
        const uint8_t *bytes;
        void *fences;
    } alias = {.bytes = held.data};
    copy->attach.held.elements = alias.fences;
    forget_attach(partition, session);
    session->attach = copy;
    return true;
}

/* Nothing more is handed to it until it attaches again. */
static void withdraw(struct partition *partition, struct session *session)
{
    session->is_attached = false;
    if (dispatch_session_put(partition->dispatch, session->id, NULL, 0, 0) != PAWL_OK)
        dispatch_session_remove(partition->dispatch, session->id);
}

static void complete_attach(struct partition *partition, struct session *session,
                            const struct msg_attach *attach)
{
    const uint32_t credit =
        attach->credit < SESSION_CREDIT_MAX ? attach->credit : SESSION_CREDIT_MAX;
    const struct bytes *types = attach->types.elements;
    const enum pawl_error error =
        dispatch_session_put(partition->dispatch, session->id, types, attach->types.count, credit);
    set_expiry(partition, session, lease_end_us(partition));
    if (error != PAWL_OK) {
        withdraw(partition, session);
        reply(partition, session->connection, attach,
              error == PAWL_E_INVALID ? PAWL_E_INVALID : PAWL_E_BUSY);
        return;
    }
    session->is_attached = true;
    reply(partition, session->connection, attach, PAWL_OK);
    const uint64_t index = partition->applied_index;
    if (!find_missing(partition, session, attach, index) &&
        keep_attach(partition, session, attach)) {
        session->is_searching = true; /* without memory for it, the lease ends what it misses */
        partition->searching_count++;
        session->attach->index = index;
    }
    for (size_t i = 0; i < attach->types.count && credit > 0; i++)
        dispatch_type_waits(partition->dispatch, types[i], true);
}

void sessions_attach(struct partition *partition, const struct msg_attach *attach,
                     struct connection *connection)
{
    if (partition->role != RAFT_LEADER || attach->term != partition->term) {
        reply(partition, connection->number, attach, PAWL_E_NOT_LEADER);
        return;
    }
    struct session *session = session_find(partition, attach->session);
    if (session == NULL && partition->session_count < SESSIONS_MAX)
        session = session_new(partition, attach->session);
    if (session == NULL) {
        reply(partition, connection->number, attach, PAWL_E_BUSY);
        return;
    }
    if (session->is_lost || attach->attachment <= session->attachment) {
        reply(partition, connection->number, attach, PAWL_E_STALE);
        return;
    }
    session->attachment = attach->attachment;
    session->connection = connection->number;
    session->is_attached = false;
    connection->session = session->id;
    forget_attach(partition, session);
    if (partition->is_active)
        complete_attach(partition, session, attach);
    else if (keep_attach(partition, session, attach))
        session->is_attaching = true;
    else
        reply(partition, connection->number, attach, PAWL_E_NO_MEMORY);
}

bool sessions_is_newest(const struct partition *partition, struct id128 id, uint64_t attachment)
{
    const struct session *session = session_find(partition, id);
    return session != NULL && session->attachment == attachment;
}

bool sessions_hear(struct partition *partition, const struct connection *connection, uint64_t term,
                   uint64_t attachment)
{
    struct session *session = session_find(partition, connection->session);
    const bool is_attached = partition->is_active && term == partition->term && session != NULL &&
                             session->is_attached && session->connection == connection->number &&
                             session->attachment == attachment;
    if (is_attached)
        set_expiry(partition, session, lease_end_us(partition));
    return is_attached || (NODE_MUTANT(ATTACHMENT_UNCHECKED) && session != NULL);
}

void sessions_heartbeat(struct partition *partition, const struct msg_heartbeat *heartbeat,
                        struct connection *connection)
{
    if (sessions_hear(partition, connection, heartbeat->term, heartbeat->attachment))
        clients_send(partition->replica, connection->number, FRAME_HEARTBEAT, &schema_heartbeat,
                     heartbeat);
}

void sessions_connection_closed(struct partition *partition, const struct connection *connection)
{
    struct session *session = session_find(partition, connection->session);
    if (session == NULL || session->connection != connection->number)
        return;
    const uint64_t expires_us = partition->replica->now_us + grace_us(partition);
    session->connection = 0;
    forget_attach(partition, session);
    if (expires_us < session->expires_us)
        set_expiry(partition, session, expires_us);
    withdraw(partition, session);
}

void sessions_goodbye(struct partition *partition, struct id128 id)
{
    struct session *session = session_find(partition, id);
    if (session != NULL)
        set_expiry(partition, session, partition->replica->now_us);
}

/* ---- a term's beginning and end ---- */

void sessions_begin(struct partition *partition)
{
    buffer_reset(&partition->activation_cursor);
    dispatch_clear(partition->dispatch);
}

void sessions_end(struct partition *partition)
{
    while (partition->sessions != NULL)
        session_free(partition, partition->sessions);
    while (partition->resends != NULL) {
        struct resend *resend = partition->resends;
        partition->resends = resend->next;
        free(resend);
    }
    dispatch_clear(partition->dispatch);
}

/* One recorded hand-out: its session exists, attached or not yet, and has a slot less. However many
 * sessions there are: a hand-out without one would never be taken back. */
static void recall(struct partition *partition, struct id128 id)
{
    struct session *session = session_find(partition, id);
    if (session == NULL)
        session = session_new(partition, id);
    assert(session != NULL); /* without memory for what is out a node cannot lead */
    if (!dispatch_session_has(partition->dispatch, id) &&
        dispatch_session_put(partition->dispatch, id, NULL, 0, 0) != PAWL_OK)
        return; /* its slots are not counted then: it may be offered more than it takes */
    dispatch_take(partition->dispatch, id);
}

/* Read on in the table of hand-outs; true: to its end. */
static bool recall_handouts(struct partition *partition)
{
    struct buffer *cursor = &partition->activation_cursor;
    struct row rows[ROWS_PER_SCAN];
    size_t count = ROWS_PER_SCAN;
    while (count == ROWS_PER_SCAN) {
        struct memory_reader reader = {.memory = partition->memory,
                                       .level = MEMORY_HEAD,
                                       .arena = &partition->replica->turn_arena};
        const struct view view = memory_view(&reader);
        enum pawl_error error = view.scan(view.self, TABLE_HANDOUT, buffer_bytes(cursor),
                                          (struct bytes){NULL, 0}, ROWS_PER_SCAN, rows, &count);
        if (error == PAWL_E_NOT_LOADED)
            commands_own_load(partition, &partition->handout_load, &reader);
        if (error != PAWL_OK)
            return false;
        for (size_t i = 0; i < count; i++) {
            struct id128 id;
            struct msg_fence fence;
            if (handout_key_parse(rows[i].key, &id, &fence))
                recall(partition, id);
        }
        if (count > 0) { /* the next scan begins right after the last key */
            buffer_reset(cursor);
            buffer_append(cursor, rows[count - 1].key.data, rows[count - 1].key.size);
            buffer_append(cursor, "", 1);
        }
    }
    return true;
}

void sessions_activate(struct partition *partition)
{
    if (partition->is_active || partition->role != RAFT_LEADER)
        return;
    consensus_remember(partition);
    const bool is_ready =
        !consensus_is_remembering(partition) &&
        (partition->applied_index >= partition->noop_index || NODE_MUTANT(DECIDE_BEFORE_NOOP));
    if (!is_ready || !recall_handouts(partition))
        return;
    partition->is_active = true;
    const uint64_t expires_us = partition->replica->now_us + grace_us(partition);
    for (struct session *s = partition->sessions; s != NULL; s = s->next) {
        set_expiry(partition, s, expires_us);
        if (s->is_attaching) {
            struct attach_copy *kept = s->attach;
            s->attach = NULL;
            s->is_attaching = false;
            complete_attach(partition, s, &kept->attach);
            attach_free(kept);
        }
    }
}

/* ---- what is due ---- */

/* Take back what a lost session holds; true: nothing is left. */
static bool take_back(struct partition *partition, const struct session *session)
{
    struct memory_reader reader = {.memory = partition->memory,
                                   .level = MEMORY_HEAD,
                                   .arena = &partition->replica->turn_arena};
    const struct view view = memory_view(&reader);
    struct row rows[LOST_PER_TURN];
    struct msg_fence fences[LOST_PER_TURN];
    struct id128 id, after = session->id;
    size_t count, fence_count = 0;
    for (int i = 15; i >= 0 && ++after.byte[i] == 0; i--)
        continue;
    enum pawl_error error = view.scan(view.self, TABLE_HANDOUT, handout_key_prefix(&session->id),
                                      id128_bytes(&after), LOST_PER_TURN, rows, &count);
    if (error == PAWL_E_NOT_LOADED)
        commands_own_load(partition, &partition->lost_load, &reader);
    if (error != PAWL_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (handout_key_parse(rows[i].key, &id, &fences[fence_count]))
            fence_count++;
    for (size_t i = 0; i < fence_count; i++) {
        const struct command command = {.kind = CMD_LEASE_LOST,
                                        .lease = {.session = session->id, .fence = fences[i]}};
        commands_take(partition, &command, (struct origin){0});
    }
    return fence_count == 0;
}

static void session_lost(struct partition *partition, struct session *session)
{
    if (!session->is_lost) {
        dispatch_session_remove(partition->dispatch, session->id);
        partition->lost_count++;
    }
    session->is_lost = true;
    session->is_attached = false;
    if (session->losses_waiting == 0 && take_back(partition, session)) {
        session_free(partition, session);
        return;
    }
    set_expiry(partition, session, partition->replica->now_us + AGAIN_US);
}

void sessions_loss_waits(struct partition *partition, struct id128 id, bool is_waiting)
{
    struct session *session = session_find(partition, id);
    assert(session != NULL); /* it stays until everything is taken back */
    session->losses_waiting += is_waiting ? 1 : -1;
}

/* All are looked at only when one may be due: seldom, since heartbeats put off what is known. */
void sessions_due(struct partition *partition)
{
    const uint64_t now_us = partition->replica->now_us;
    struct session *next;
    if (!partition->is_active || (partition->lost_count == 0 && partition->session_due_us > now_us))
        return;
    partition->session_due_us = UINT64_MAX;
    for (struct session *s = partition->sessions; s != NULL; s = next) {
        next = s->next;
        if (s->is_lost || s->expires_us <= now_us)
            session_lost(partition, s);
        else
            set_expiry(partition, s, s->expires_us);
    }
}

static void resend_one(struct partition *partition, struct resend *resend, bool *is_done_out)
{
    struct memory_reader reader = {
        .memory = partition->memory, .level = MEMORY_HEAD, .arena = &partition->replica->scratch};
    const struct view view = memory_view(&reader);
    const struct session *session = session_find(partition, resend->session);
    struct msg_handout handout;
    *is_done_out = true;
    if (session == NULL || !session->is_attached || session->attachment != resend->attachment)
        return; /* a newer attach has found it again */
    arena_reset(&partition->replica->scratch);
    enum pawl_error error =
        wf_handout(&view, resend->session, &resend->fence, &partition->replica->scratch, &handout);
    if (error == PAWL_E_NOT_LOADED) {
        commands_own_load(partition, &resend->load, &reader);
        *is_done_out = false;
    } else if (error == PAWL_OK) {
        send_handout(partition, session, &handout);
    }
}

/* What was recorded for some sessions had to be loaded first. */
static void search_again(struct partition *partition)
{
    struct session *s = partition->searching_count > 0 ? partition->sessions : NULL;
    for (; s != NULL && partition->handout_load == 0; s = s->next)
        if (s->is_searching && find_missing(partition, s, &s->attach->attach, s->attach->index))
            forget_attach(partition, s);
}

void sessions_resend(struct partition *partition)
{
    search_again(partition);
    struct resend **at = &partition->resends;
    while (*at != NULL) {
        struct resend *resend = *at;
        bool is_done = false;
        if (resend->round <= partition->confirmed_round && resend->load == 0)
            resend_one(partition, resend, &is_done);
        if (is_done) {
            *at = resend->next;
            free(resend);
        } else {
            at = &resend->next;
        }
    }
    partition->resends_last_next = at;
}

uint64_t sessions_deadline_us(const struct partition *partition)
{
    return partition->is_active ? partition->session_due_us : UINT64_MAX;
}

void sessions_extend(struct partition *partition, uint64_t gap_us)
{
    for (struct session *s = partition->sessions; s != NULL; s = s->next)
        s->expires_us += gap_us;
}
