/* Requests out and answers in. */
#include "client/state.h"

enum { RETRY_MS_MIN = 5, RETRY_MS_MAX = 1000 };

void request_answer(struct client_core *core, struct request *request, enum pawl_error error,
                    const struct msg_response *response)
{
    struct client_output *output = outbox_add(&core->outbox, CLIENT_OUT_ANSWER);
    output->token = request->token;
    output->error = error;
    if (response != NULL) {
        output->detail = response->detail;
        output->answer = response->answer;
        output->index = response->index;
    }
    /* A report that was given up may still be on its way: its fence stays held, for the step was
     * run. */
    bool is_given_up = error == PAWL_E_TIMEOUT || error == PAWL_E_CANCELLED;
    if (request->kind == REQUEST_REPORT && !is_given_up)
        held_remove(&core->held, &request->fence);
    requests_remove(&core->requests, request);
}

/* What to do about an answer that the caller is spared. */
enum reaction { REACT_ANSWER, REACT_DELAY, REACT_REATTACH };

static enum reaction reaction_to(enum pawl_error error)
{
    if (error == PAWL_E_BUSY || error == PAWL_E_NOT_READY)
        return REACT_DELAY;
    if (error == PAWL_E_NOT_LEADER || error == PAWL_E_NO_LEADER || error == PAWL_E_NOT_ATTACHED ||
        error == PAWL_E_UNKNOWN_OUTCOME)
        return REACT_REATTACH;
    return REACT_ANSWER;
}

static void request_delay(struct client_core *core, struct request *request)
{
    uint64_t delay_ms = core_backoff_ms(core, RETRY_MS_MIN, request->retry_count, RETRY_MS_MAX);
    request->retry_count++;
    requests_delay(&core->requests, request, core->now_ms + delay_ms);
}

void response_take(struct client_core *core, struct link *link, struct bytes body)
{
    struct msg_response response;
    if (codec_decode(&schema_response, body, &core->arena, &response, NULL) != PAWL_OK) {
        link_close(core, link, "a message that is not one");
        return;
    }
    struct request *request = requests_find_correlation(&core->requests, response.correlation);
    if (request == NULL || request->connection != link->connection)
        return;
    enum pawl_error error = pawl_error_from_wire(response.error);
    if (request->place == REQUESTS_SENT && error == PAWL_OK)
        attachment_heard(core, request->sent_ms);
    if (request->place == REQUESTS_ASKED || reaction_to(error) == REACT_ANSWER) {
        request_answer(core, request, error, &response);
        return;
    }
    request->error = error;
    request->is_ambiguous |= pawl_error_outcome(error) == PAWL_OUTCOME_UNKNOWN;
    if (reaction_to(error) == REACT_DELAY) {
        request_delay(core, request);
    } else {
        requests_move(&core->requests, request, request_home(request));
        attachment_retry(core);
    }
}

static bool request_send(struct client_core *core, struct request *request,
                         enum request_place place, uint64_t connection)
{
    bool is_bound = place == REQUESTS_SENT;
    requests_sent(&core->requests, request, place, connection);
    request->sent_ms = core->now_ms;
    const struct msg_request message = {
        .correlation = request->correlation,
        .partition = PARTITION_FIRST,
        .term = is_bound ? core->attachment.term : 0,
        .attachment = is_bound ? core->attachment.number : 0,
        .request = request->id,
        .kind = (uint8_t)request->kind,
        .body = bytes_of(request->body, request->body_bytes),
    };
    if (outbox_send(&core->outbox, connection, FRAME_REQUEST, &schema_request, &message))
        return true;
    request_delay(core, request);
    return false;
}

static void pump(struct client_core *core, enum request_place from)
{
    for (struct request *at = core->requests.lists[from].first; at != NULL;) {
        struct request *next = at->next;
        if (!requests_have_room(&core->requests, at) ||
            !request_send(core, at, REQUESTS_SENT, core->attachment.connection))
            return;
        at = next;
    }
}

void requests_pump(struct client_core *core)
{
    struct request *unbound = core->requests.lists[REQUESTS_UNBOUND].first;
    struct link *any = unbound != NULL ? link_any(core) : NULL;
    for (struct request *at = unbound; at != NULL && any != NULL;) {
        struct request *next = at->next;
        (void)request_send(core, at, REQUESTS_ASKED, any->connection);
        at = next;
    }
    if (core->attachment.state != ATTACHMENT_HELD)
        return;
    pump(core, REQUESTS_WAITING);
    pump(core, REQUESTS_RESULTS);
}

/* The error of a request that is given up: unknown if it may have taken effect, else what stood in
 * its way. */
static enum pawl_error given_up(struct client_core *core, const struct request *request)
{
    bool is_out = request->place == REQUESTS_SENT || request->place == REQUESTS_ASKED;
    if (is_out || request->is_ambiguous)
        return PAWL_E_TIMEOUT;
    if (request->error == PAWL_E_BUSY || request->error == PAWL_E_NOT_READY)
        return request->error;
    if (link_any(core) != NULL && id128_is_none(core->cluster))
        return PAWL_E_NOT_BOOTSTRAPPED;
    return PAWL_E_NO_LEADER;
}

static void requests_expire(struct client_core *core)
{
    const struct msg_response trouble = {.detail = bytes_string(core->trouble)};
    for (size_t place = 0; place < REQUEST_PLACES; place++) {
        for (struct request *at = core->requests.lists[place].first; at != NULL;) {
            struct request *next = at->next;
            if (at->deadline_ms <= core->now_ms) {
                enum pawl_error error = given_up(core, at);
                request_answer(core, at, error, error == PAWL_E_NO_LEADER ? &trouble : NULL);
            }
            at = next;
        }
    }
}

void requests_tick(struct client_core *core)
{
    if (core->now_ms < core->requests.deadline_ms)
        return;
    requests_expire(core);
    requests_wake(&core->requests, core->now_ms);
}
