#include "fake_node.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/client_messages.h"
#include "proto/limits.h"
#include "wire/wire.h"

enum { SESSIONS = 64, TERM = 3 };

struct workflow {
    struct workflow *next_ready;
    struct id128 request;
    char id[64];
    char type[64];
    struct buffer input, output;
    uint64_t index;   /* fence of the hand-out; 0: not handed out */
    uint64_t session; /* index + 1 of whom it was handed to */
    bool is_ended, has_failed;
    uint64_t waiter_connection, waiter_correlation; /* of its result */
};

struct session {
    struct id128 id;
    uint64_t connection, attachment;
    uint32_t credit, used;
    char types[8][64];
    size_t type_count;
};

struct fake_node {
    struct fake_options options;
    struct wire *wire;
    pthread_t thread;
    int stop_fd;
    uint16_t port;
    struct arena arena;
    struct buffer frame;
    struct workflow **workflows;
    size_t workflow_count, workflow_capacity;
    struct workflow *ready_first, *ready_last;
    struct session sessions[SESSIONS];
    size_t session_count;
    uint64_t index;
    uint64_t request_count;
    _Atomic uint64_t starts, reports, goodbyes, attaches, stale;
};

static void tell(struct fake_node *node, uint64_t connection, uint8_t type,
                 const struct schema *schema, const void *message)
{
    buffer_reset(&node->frame);
    codec_encode(schema, message, &node->frame);
    assert(!node->frame.is_failed);
    (void)wire_send(node->wire, connection, type, buffer_bytes(&node->frame));
}

static void answer(struct fake_node *node, uint64_t connection, uint64_t correlation,
                   enum pawl_error error, struct bytes value)
{
    const struct msg_response response = {.correlation = correlation,
                                          .error = (uint32_t)error,
                                          .answer = value,
                                          .index = node->index};
    tell(node, connection, FRAME_RESPONSE, &schema_response, &response);
}

static void greet(struct fake_node *node, uint64_t connection)
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", node->port);
    struct msg_member member = {.node = 1, .client_address = bytes_string(address)};
    const struct msg_welcome welcome = {.version = 1,
                                        .cluster = {{7}},
                                        .node = 1,
                                        .heartbeat_ms = 100,
                                        .backoff_ms_max = 50,
                                        .members = {.elements = &member, .count = 1}};
    tell(node, connection, FRAME_WELCOME, &schema_welcome, &welcome);
    const struct msg_leader leader = {
        .term = TERM, .node = 1, .client_address = bytes_string(address)};
    tell(node, connection, FRAME_LEADER, &schema_leader, &leader);
}

/* Steps */

static void hand_out(struct fake_node *node, struct session *session, struct workflow *workflow)
{
    struct msg_handout handout = {
        .fence = {.term = TERM, .index = workflow->index, .ordinal = 1},
        .run = workflow->request,
        .step = 1,
        .attempt = 1,
        .type = bytes_string(workflow->type),
        .workflow_id = bytes_string(workflow->id),
        .idempotency_key = bytes_string(workflow->id),
        .input = buffer_bytes(&workflow->input),
    };
    const struct msg_handouts handouts = {.term = TERM,
                                          .attachment = session->attachment,
                                          .handouts = {.elements = &handout, .count = 1}};
    tell(node, session->connection, FRAME_HANDOUTS, &schema_handouts, &handouts);
}

static bool serves(const struct session *session, const struct workflow *workflow)
{
    for (size_t i = 0; i < session->type_count; i++)
        if (strcmp(session->types[i], workflow->type) == 0)
            return session->connection != 0 && session->used < session->credit;
    return false;
}

static void dispatch(struct fake_node *node)
{
    while (node->ready_first != NULL) {
        struct workflow *workflow = node->ready_first;
        size_t at = 0;
        while (at < node->session_count && !serves(&node->sessions[at], workflow))
            at++;
        if (at == node->session_count)
            return;
        node->ready_first = workflow->next_ready;
        workflow->index = ++node->index;
        workflow->session = at + 1;
        node->sessions[at].used++;
        hand_out(node, &node->sessions[at], workflow);
    }
}

static void make_ready(struct fake_node *node, struct workflow *workflow)
{
    workflow->next_ready = NULL;
    if (node->ready_first == NULL)
        node->ready_first = workflow;
    else
        node->ready_last->next_ready = workflow;
    node->ready_last = workflow;
}

/* Requests */

static struct workflow *workflow_find(struct fake_node *node, struct id128 request, struct bytes id)
{
    if (id128_is_none(request)) { /* the id of a workflow ends in its number */
        const uint8_t *dash = id.size > 0 ? memrchr(id.data, '#', id.size) : NULL;
        char number[16] = {0};
        if (dash != NULL)
            memcpy(number, dash + 1, (size_t)(id.data + id.size - dash - 1));
        size_t at = dash != NULL ? strtoull(number, NULL, 10) : node->workflow_count;
        return at < node->workflow_count ? node->workflows[at] : NULL;
    }
    for (size_t i = node->workflow_count; i-- > 0;)
        if (id128_equal(node->workflows[i]->request, request))
            return node->workflows[i];
    return NULL;
}

static struct workflow *workflow_new(struct fake_node *node, const struct msg_request *request,
                                     const struct msg_start *start)
{
    if (node->workflow_count == node->workflow_capacity) {
        node->workflow_capacity = node->workflow_capacity * 2 + 64;
        node->workflows = realloc(node->workflows, node->workflow_capacity * sizeof(void *));
    }
    struct workflow *workflow = calloc(1, sizeof *workflow);
    node->workflows[node->workflow_count] = workflow;
    snprintf(workflow->id, sizeof workflow->id, "%.*s#%zu", (int)start->workflow_id.size,
             (const char *)start->workflow_id.data, node->workflow_count);
    node->workflow_count++;
    workflow->request = request->request;
    snprintf(workflow->type, sizeof workflow->type, "%.*s", (int)start->definition.size,
             (const char *)start->definition.data);
    buffer_append(&workflow->input, start->input.data, start->input.size);
    make_ready(node, workflow);
    return workflow;
}

static void take_start(struct fake_node *node, uint64_t connection,
                       const struct msg_request *request)
{
    struct msg_start start;
    struct buffer value = {0};
    node->starts++;
    enum pawl_error error = codec_decode(&schema_start, request->body, &node->arena, &start, NULL);
    if (error == PAWL_OK)
        error = node->options.start_error;
    if (error != PAWL_OK) {
        answer(node, connection, request->correlation, error, (struct bytes){NULL, 0});
        return;
    }
    /* Only a request that may be sent twice needs to be looked for. */
    struct workflow *workflow = NULL;
    if (node->options.close_every != 0 || node->options.busy_every != 0)
        workflow = workflow_find(node, request->request, (struct bytes){NULL, 0});
    if (workflow == NULL)
        workflow = workflow_new(node, request, &start);
    pack_map(&value, 2);
    pack_text(&value, "workflowId");
    pack_text(&value, workflow->id);
    pack_text(&value, "existing");
    pack_bool(&value, false);
    answer(node, connection, request->correlation, PAWL_OK, buffer_bytes(&value));
    buffer_done(&value);
}

static void tell_result(struct fake_node *node, struct workflow *workflow)
{
    struct buffer value = {0};
    if (!workflow->is_ended || workflow->waiter_connection == 0)
        return;
    pack_map(&value, 2);
    pack_text(&value, "status");
    pack_text(&value, workflow->has_failed ? "failed" : "completed");
    pack_text(&value, "output");
    if (workflow->output.size > 0)
        pack_value(&value, buffer_bytes(&workflow->output));
    else
        pack_null(&value);
    answer(node, workflow->waiter_connection, workflow->waiter_correlation,
           workflow->has_failed ? PAWL_E_WORKFLOW_FAILED : PAWL_OK, buffer_bytes(&value));
    buffer_done(&value);
    workflow->waiter_connection = 0;
}

static void take_report(struct fake_node *node, uint64_t connection,
                        const struct msg_request *request)
{
    struct msg_report report;
    node->reports++;
    enum pawl_error error =
        codec_decode(&schema_report, request->body, &node->arena, &report, NULL);
    assert(error == PAWL_OK);
    struct workflow *workflow = workflow_find(node, report.run, (struct bytes){NULL, 0});
    if (workflow == NULL || workflow->index != report.fence.index) {
        node->stale++;
        answer(node, connection, request->correlation, PAWL_E_STALE, (struct bytes){NULL, 0});
        return;
    }
    if (!workflow->is_ended) {
        workflow->is_ended = true;
        workflow->has_failed = report.outcome == REPORT_FAILED;
        struct bytes output = workflow->has_failed ? (struct bytes){NULL, 0} : report.output;
        buffer_append(&workflow->output, output.data, output.size);
        if (workflow->session > 0 && node->sessions[workflow->session - 1].used > 0)
            node->sessions[workflow->session - 1].used--;
    }
    answer(node, connection, request->correlation, PAWL_OK, value_empty_map);
    tell_result(node, workflow);
}

static void take_result(struct fake_node *node, uint64_t connection,
                        const struct msg_request *request)
{
    struct msg_target target;
    enum pawl_error error =
        codec_decode(&schema_target, request->body, &node->arena, &target, NULL);
    assert(error == PAWL_OK);
    struct workflow *workflow = workflow_find(node, target.run, target.workflow_id);
    if (workflow == NULL) {
        answer(node, connection, request->correlation, PAWL_E_NOT_FOUND, (struct bytes){NULL, 0});
        return;
    }
    workflow->waiter_connection = connection;
    workflow->waiter_correlation = request->correlation;
    tell_result(node, workflow);
}

static void take_other(struct fake_node *node, uint64_t connection,
                       const struct msg_request *request)
{
    struct buffer value = {0};
    pack_map(&value, 1);
    pack_text(&value, "kind");
    pack_integer(&value, request->kind);
    answer(node, connection, request->correlation, PAWL_OK, buffer_bytes(&value));
    buffer_done(&value);
}

/* False: the connection was closed instead. */
static bool is_let_through(struct fake_node *node, uint64_t connection,
                           const struct msg_request *request)
{
    uint64_t number = ++node->request_count;
    if (node->options.busy_every != 0 && number % node->options.busy_every == 0) {
        answer(node, connection, request->correlation, PAWL_E_BUSY, (struct bytes){NULL, 0});
        return false;
    }
    if (node->options.close_every != 0 && number % node->options.close_every == 0) {
        wire_close(node->wire, connection);
        return false;
    }
    return true;
}

static void take_request(struct fake_node *node, uint64_t connection, struct bytes body)
{
    struct msg_request request;
    enum pawl_error error = codec_decode(&schema_request, body, &node->arena, &request, NULL);
    assert(error == PAWL_OK);
    if (!is_let_through(node, connection, &request))
        return;
    if (request.kind == REQUEST_START)
        take_start(node, connection, &request);
    else if (request.kind == REQUEST_REPORT)
        take_report(node, connection, &request);
    else if (request.kind == REQUEST_RESULT)
        take_result(node, connection, &request);
    else
        take_other(node, connection, &request);
}

/* Sessions */

static struct session *session_of(struct fake_node *node, struct id128 id)
{
    for (size_t i = 0; i < node->session_count; i++)
        if (id128_equal(node->sessions[i].id, id))
            return &node->sessions[i];
    assert(node->session_count < SESSIONS);
    node->sessions[node->session_count].id = id;
    return &node->sessions[node->session_count++];
}

static bool is_listed(const struct msg_attach *attach, uint64_t index)
{
    const struct msg_fence *fence = attach->held.elements;
    for (size_t i = 0; i < attach->held.count; i++)
        if (fence[i].index == index)
            return true;
    return false;
}

static void take_attach(struct fake_node *node, uint64_t connection, struct bytes body)
{
    struct msg_attach attach;
    enum pawl_error error = codec_decode(&schema_attach, body, &node->arena, &attach, NULL);
    assert(error == PAWL_OK);
    struct session *session = session_of(node, attach.session);
    node->attaches++;
    session->connection = connection;
    session->attachment = attach.attachment;
    session->credit = attach.credit;
    session->type_count = 0;
    const struct bytes *type = attach.types.elements;
    for (size_t i = 0; i < attach.types.count && i < 8; i++)
        snprintf(session->types[session->type_count++], 64, "%.*s", (int)type[i].size,
                 (const char *)type[i].data);
    const struct msg_attached attached = {.term = TERM, .attachment = attach.attachment};
    tell(node, connection, FRAME_ATTACHED, &schema_attached, &attached);
    for (size_t i = 0; i < node->workflow_count; i++) {
        struct workflow *workflow = node->workflows[i];
        if (workflow->session == (uint64_t)(session - node->sessions) + 1 && !workflow->is_ended &&
            !is_listed(&attach, workflow->index))
            hand_out(node, session, workflow);
    }
}

static void take_goodbye(struct fake_node *node, struct bytes body)
{
    struct msg_goodbye goodbye;
    enum pawl_error error = codec_decode(&schema_goodbye, body, &node->arena, &goodbye, NULL);
    assert(error == PAWL_OK);
    struct session *session = session_of(node, goodbye.session);
    uint64_t number = (uint64_t)(session - node->sessions) + 1;
    session->credit = session->used = 0;
    node->goodbyes++;
    for (size_t i = 0; i < node->workflow_count; i++)
        if (node->workflows[i]->session == number && !node->workflows[i]->is_ended) {
            node->workflows[i]->session = 0;
            make_ready(node, node->workflows[i]);
        }
}

static void take_frame(struct fake_node *node, const struct wire_event *event)
{
    if (event->type == FRAME_HELLO)
        greet(node, event->connection);
    else if (event->type == FRAME_ATTACH)
        take_attach(node, event->connection, event->body);
    else if (event->type == FRAME_REQUEST)
        take_request(node, event->connection, event->body);
    else if (event->type == FRAME_HEARTBEAT)
        (void)wire_send(node->wire, event->connection, FRAME_HEARTBEAT, event->body);
    else if (event->type == FRAME_GOODBYE)
        take_goodbye(node, event->body);
}

static void closed(struct fake_node *node, uint64_t connection)
{
    for (size_t i = 0; i < node->session_count; i++)
        if (node->sessions[i].connection == connection)
            node->sessions[i].connection = 0;
    for (size_t i = 0; i < node->workflow_count; i++)
        if (node->workflows[i]->waiter_connection == connection)
            node->workflows[i]->waiter_connection = 0;
}

static void *run(void *self)
{
    struct fake_node *node = self;
    for (;;) {
        struct pollfd pollers[2] = {{.fd = wire_fd(node->wire), .events = POLLIN},
                                    {.fd = node->stop_fd, .events = POLLIN}};
        if (poll(pollers, 2, -1) < 0 || pollers[1].revents != 0)
            return NULL;
        const struct wire_event *events;
        size_t count = wire_take(node->wire, &events);
        for (size_t i = 0; i < count; i++) {
            arena_reset(&node->arena);
            if (events[i].kind == WIRE_FRAME)
                take_frame(node, &events[i]);
            else if (events[i].kind == WIRE_CLOSED)
                closed(node, events[i].connection);
        }
        dispatch(node);
        wire_flush(node->wire);
    }
}

struct fake_node *fake_node_new(const struct fake_options *options, uint16_t port,
                                uint16_t *port_out)
{
    struct fake_node *node = calloc(1, sizeof *node);
    struct pawl_diag diag;
    char address[32];
    if (options != NULL)
        node->options = *options;
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    if (wire_new(NULL, &node->wire, &diag) != PAWL_OK ||
        wire_listen(node->wire, address, 0, &node->port, &diag) != PAWL_OK)
        abort();
    node->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (pthread_create(&node->thread, NULL, run, node) != 0)
        abort();
    *port_out = node->port;
    return node;
}

void fake_node_free(struct fake_node *node)
{
    (void)!write(node->stop_fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_join(node->thread, NULL);
    wire_free(node->wire);
    close(node->stop_fd);
    for (size_t i = 0; i < node->workflow_count; i++) {
        buffer_done(&node->workflows[i]->input);
        buffer_done(&node->workflows[i]->output);
        free(node->workflows[i]);
    }
    free(node->workflows);
    arena_done(&node->arena);
    buffer_done(&node->frame);
    free(node);
}

struct fake_counts fake_node_counts(struct fake_node *node)
{
    return (struct fake_counts){.starts = node->starts,
                                .reports = node->reports,
                                .goodbyes = node->goodbyes,
                                .attaches = node->attaches,
                                .stale = node->stale};
}
