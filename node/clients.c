/* Connections of clients and their frames. Bytes from a client are checked here; a frame no correct
 * client sends closes its connection.
 */
#include <stdlib.h>

#include "node/partition.h"

size_t clients_encode(const struct schema *schema, const void *message, struct buffer *out)
{
    const size_t before = out->size;
    codec_encode(schema, message, out);
    if (out->is_failed) {
        out->is_failed = false;
        out->size = before;
    }
    return out->size - before;
}

void clients_send(struct replica *replica, uint64_t connection, uint8_t type,
                  const struct schema *schema, const void *message)
{
    if (connection == 0)
        return;
    buffer_reset(&replica->frame);
    if (clients_encode(schema, message, &replica->frame) > 0)
        (void)replica->options.links.client_send(replica->options.links.self, connection, type,
                                                 buffer_bytes(&replica->frame));
}

struct connection *clients_find(const struct replica *replica, uint64_t number)
{
    return id_map_get(&replica->connection_map, id_of_number(number));
}

static size_t encode_response(struct origin origin, enum pawl_error error, struct bytes detail,
                              struct bytes answer, uint64_t index, struct buffer *out)
{
    if (error != PAWL_OK && (detail.size == 0 || !utf8_is_valid(detail)))
        detail = bytes_string(pawl_error_text(error));
    const struct msg_response response = {.correlation = origin.correlation,
                                          .error = (uint32_t)error,
                                          .detail =
                                              error == PAWL_OK ? (struct bytes){NULL, 0} : detail,
                                          .answer = answer,
                                          .index = index};
    return clients_encode(&schema_response, &response, out);
}

size_t clients_encode_response(struct origin origin, enum pawl_error error, struct bytes detail,
                               struct bytes answer, uint64_t index, enum pawl_error otherwise,
                               struct buffer *out)
{
    const struct bytes none = {NULL, 0};
    const size_t bytes = encode_response(origin, error, detail, answer, index, out);
    return bytes > 0 ? bytes
                     : encode_response(origin, error != PAWL_OK ? error : otherwise, none, none,
                                       index, out);
}

void clients_respond_with(struct replica *replica, struct origin origin, struct bytes frame)
{
    struct connection *connection = clients_find(replica, origin.connection);
    if (connection == NULL)
        return; /* the client is gone */
    connection->unanswered--;
    if (frame.size > 0) /* else there was no memory for it */
        (void)replica->options.links.client_send(replica->options.links.self, origin.connection,
                                                 FRAME_RESPONSE, frame);
}

void clients_respond(struct replica *replica, struct origin origin, enum pawl_error error,
                     struct bytes detail, struct bytes answer, uint64_t index)
{
    if (origin.connection == 0)
        return; /* an internal command */
    buffer_reset(&replica->frame);
    (void)clients_encode_response(origin, error, detail, answer, index, PAWL_E_LIMIT,
                                  &replica->frame);
    clients_respond_with(replica, origin, buffer_bytes(&replica->frame));
}

/* ---- connections ---- */

static struct connection *open_connection(struct replica *replica, uint64_t number)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL ||
        !id_map_put(&replica->connection_map, id_of_number(number), connection)) {
        free(connection);
        return NULL;
    }
    connection->number = number;
    connection->next = replica->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    replica->connections = connection;
    return connection;
}

static void close_connection(struct replica *replica, struct connection *connection)
{
    reads_connection_closed(&replica->partition, connection);
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        replica->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    id_map_remove(&replica->connection_map, id_of_number(connection->number));
    free(connection);
}

void clients_closed(struct replica *replica, uint64_t number)
{
    struct connection *connection = clients_find(replica, number);
    if (connection == NULL)
        return;
    sessions_connection_closed(&replica->partition, connection);
    close_connection(replica, connection);
}

static void refuse(struct replica *replica, struct connection *connection)
{
    const uint64_t number = connection->number;
    clients_closed(replica, number);
    replica->options.links.client_close(replica->options.links.self, number);
}

void clients_done(struct replica *replica)
{
    while (replica->connections != NULL)
        close_connection(replica, replica->connections);
    id_map_done(&replica->connection_map);
}

/* ---- who leads ---- */

static const struct msg_member *member_of(const struct replica *replica, uint64_t node)
{
    for (size_t i = 0; i < replica->options.member_count; i++)
        if (replica->options.members[i].node == node)
            return &replica->options.members[i];
    return NULL;
}

static void announce_to(struct replica *replica, const struct connection *connection)
{
    const struct partition *partition = &replica->partition;
    const struct msg_member *leader = member_of(replica, partition->leader);
    const struct msg_leader message = {.partition = partition->number,
                                       .term = partition->term,
                                       .node = leader != NULL ? leader->node : 0,
                                       .client_address = leader != NULL ? leader->client_address
                                                                        : (struct bytes){NULL, 0}};
    clients_send(replica, connection->number, FRAME_LEADER, &schema_leader, &message);
}

void clients_announce(struct replica *replica)
{
    for (const struct connection *c = replica->connections; c != NULL; c = c->next)
        if (c->is_greeted)
            announce_to(replica, c);
}

/* ---- frames ---- */

static enum pawl_error greet(struct replica *replica, struct connection *connection,
                             struct bytes body)
{
    struct msg_hello hello;
    TRY(codec_decode(&schema_hello, body, &replica->turn_arena, &hello, NULL));
    if (connection->is_greeted && !id128_equal(hello.session, connection->session))
        return PAWL_E_INVALID; /* else one connection could take every session there is */
    const struct replica_options *options = &replica->options;
    struct msg_welcome welcome = {.version = PROTOCOL_VERSION,
                                  .cluster = options->cluster,
                                  .node = options->node,
                                  .name = options->name,
                                  .heartbeat_ms = SESSION_HEARTBEAT_MS,
                                  .backoff_ms_max = RECONNECT_BACKOFF_MS_MAX};
    struct msg_member members[MEMBERS_MAX];
    memcpy(members, options->members, options->member_count * sizeof members[0]);
    welcome.members = (struct list){.elements = members, .count = options->member_count};
    if (hello.version_min > PROTOCOL_VERSION || hello.version_max < PROTOCOL_VERSION)
        welcome.error = PAWL_E_VERSION;
    else if (!id128_is_none(hello.cluster) && !id128_equal(hello.cluster, options->cluster))
        welcome.error = PAWL_E_WRONG_CLUSTER;
    if (welcome.error != 0)
        welcome.detail = bytes_string(pawl_error_text((enum pawl_error)welcome.error));
    clients_send(replica, connection->number, FRAME_WELCOME, &schema_welcome, &welcome);
    if (welcome.error != 0)
        return PAWL_OK; /* the client closes */
    connection->is_greeted = true;
    connection->session = hello.session;
    if (replica->partition.leader != 0)
        announce_to(replica, connection);
    return PAWL_OK;
}

static enum pawl_error command_decode(struct replica *replica, const struct msg_request *request,
                                      const struct connection *connection, struct command *out)
{
    struct arena *arena = &replica->turn_arena;
    *out = (struct command){.request = request->request, .session = connection->session};
    switch (request->kind) {
    case REQUEST_START:
        out->kind = CMD_START;
        return codec_decode(&schema_start, request->body, arena, &out->start, NULL);
    case REQUEST_REPORT:
        out->kind = CMD_STEP_REPORT;
        return codec_decode(&schema_report, request->body, arena, &out->report, NULL);
    case REQUEST_DEPLOY:
        out->kind = CMD_DEPLOY;
        return codec_decode(&schema_deploy, request->body, arena, &out->deploy, NULL);
    default:
        return PAWL_E_UNSUPPORTED;
    }
}

static bool is_read(uint8_t kind)
{
    return kind == REQUEST_SHOW || kind == REQUEST_LIST || kind == REQUEST_HISTORY ||
           kind == REQUEST_RESULT || kind == REQUEST_DEFINITION_LIST ||
           kind == REQUEST_DEFINITION_SHOW;
}

static void answer_error(struct replica *replica, struct origin origin, enum pawl_error error)
{
    const struct bytes none = {NULL, 0};
    clients_respond(replica, origin, error, none, none, 0);
}

static void take_command(struct replica *replica, const struct msg_request *request,
                         const struct connection *connection, struct origin origin)
{
    struct command command;
    enum pawl_error error = command_decode(replica, request, connection, &command);
    if (error == PAWL_OK && id128_is_none(request->request))
        error = PAWL_E_INVALID;
    if (error != PAWL_OK)
        answer_error(replica, origin, error);
    else
        commands_take(&replica->partition, &command, origin);
}

/* Forming clusters is not the replica's: it may have to finish what was cut short. */
static void pass_on_init(struct replica *replica, struct connection *connection,
                         const struct msg_request *request)
{
    connection->unanswered--;
    replica->options.init.take(replica->options.init.self, connection->number, request);
}

static enum pawl_error take_request(struct replica *replica, struct connection *connection,
                                    struct bytes body)
{
    struct msg_request request;
    TRY(codec_decode(&schema_request, body, &replica->turn_arena, &request, NULL));
    const struct origin origin = {.connection = connection->number,
                                  .correlation = request.correlation,
                                  .attachment = request.attachment};
    const struct bytes none = {NULL, 0};
    connection->unanswered++;
    if (connection->unanswered > CONNECTION_REQUESTS_MAX)
        answer_error(replica, origin, PAWL_E_BUSY);
    else if (request.kind == REQUEST_STATUS)
        clients_respond(replica, origin, PAWL_OK, none,
                        status_answer(replica, &replica->turn_arena), 0);
    else if (request.kind == REQUEST_INIT && replica->options.init.take != NULL)
        pass_on_init(replica, connection, &request);
    else if (request.partition != replica->partition.number)
        answer_error(replica, origin, PAWL_E_INVALID);
    else if (replica->partition.role != RAFT_LEADER)
        answer_error(replica, origin, PAWL_E_NOT_LEADER);
    else if (!sessions_hear(&replica->partition, connection, request.term, request.attachment))
        answer_error(replica, origin, PAWL_E_NOT_ATTACHED);
    else if (is_read(request.kind))
        reads_take(&replica->partition, (enum request_kind)request.kind, request.body, origin);
    else
        take_command(replica, &request, connection, origin);
    return PAWL_OK;
}

static enum pawl_error take_attach(struct replica *replica, struct connection *connection,
                                   struct bytes body)
{
    struct msg_attach attach;
    TRY(codec_decode(&schema_attach, body, &replica->turn_arena, &attach, NULL));
    if (attach.partition != replica->partition.number ||
        !id128_equal(attach.session, connection->session))
        return PAWL_E_INVALID;
    sessions_attach(&replica->partition, &attach, connection);
    return PAWL_OK;
}

static enum pawl_error take_frame(struct replica *replica, struct connection *connection,
                                  uint8_t type, struct bytes body)
{
    struct arena *arena = &replica->turn_arena;
    struct msg_heartbeat heartbeat;
    struct msg_goodbye goodbye;
    if (type == FRAME_HELLO)
        return greet(replica, connection, body);
    if (!connection->is_greeted)
        return PAWL_E_INVALID;
    switch (type) {
    case FRAME_ATTACH:
        return take_attach(replica, connection, body);
    case FRAME_REQUEST:
        return take_request(replica, connection, body);
    case FRAME_HEARTBEAT:
        TRY(codec_decode(&schema_heartbeat, body, arena, &heartbeat, NULL));
        sessions_heartbeat(&replica->partition, &heartbeat, connection);
        return PAWL_OK;
    case FRAME_GOODBYE:
        TRY(codec_decode(&schema_goodbye, body, arena, &goodbye, NULL));
        if (!id128_equal(goodbye.session, connection->session))
            return PAWL_E_INVALID;
        sessions_goodbye(&replica->partition, goodbye.session);
        return PAWL_OK;
    default:
        return PAWL_E_INVALID;
    }
}

void clients_frame(struct replica *replica, uint64_t number, uint8_t type, struct bytes body)
{
    struct connection *connection = clients_find(replica, number);
    if (connection == NULL && (connection = open_connection(replica, number)) == NULL) {
        replica->options.links.client_close(replica->options.links.self, number);
        return;
    }
    if (take_frame(replica, connection, type, body) != PAWL_OK)
        refuse(replica, connection);
}
