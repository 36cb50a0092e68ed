#include "client/requests.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/limits.h"

enum {
    REQUESTS_MAX = 1 << 16, /* unanswered; a correlation carries the slot in 16 bits */
    SLOT_BITS = 16,
    HEAD_BYTES_MAX = 256, /* of a request beside its body */
    /* Below what a node takes from one connection. Waiting for results must not keep the reports
     * out that they wait for. */
    WINDOW_REQUESTS = CONNECTION_REQUESTS_MAX - 24,
    WINDOW_RESULTS = WINDOW_REQUESTS / 2,
};
static const size_t window_bytes = CONNECTION_OUTPUT_MAX / 2;

void requests_init(struct requests *requests)
{
    *requests = (struct requests){.correlation_next = 1, .deadline_ms = UINT64_MAX};
}

void requests_done(struct requests *requests)
{
    for (uint32_t i = 0; i < requests->slot_count; i++)
        free(requests->slots[i]);
    free(requests->slots);
    free(requests->vacant);
}

static void list_append(struct requests *requests, struct request *request,
                        enum request_place place)
{
    struct request_list *list = &requests->lists[place];
    request->place = place;
    request->next = NULL;
    request->previous = list->last;
    if (list->last != NULL)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
    list->count++;
}

static void list_remove(struct requests *requests, struct request *request)
{
    struct request_list *list = &requests->lists[request->place];
    if (request->previous != NULL)
        request->previous->next = request->next;
    else
        list->first = request->next;
    if (request->next != NULL)
        request->next->previous = request->previous;
    else
        list->last = request->previous;
    list->count--;
}

static void list_prepend(struct requests *requests, struct request *request,
                         enum request_place place)
{
    struct request_list *list = &requests->lists[place];
    request->place = place;
    request->previous = NULL;
    request->next = list->first;
    if (list->first != NULL)
        list->first->previous = request;
    else
        list->last = request;
    list->first = request;
    list->count++;
}

static bool slots_grow(struct requests *requests)
{
    uint32_t count = requests->slot_count == 0 ? 64 : requests->slot_count * 2;
    struct request **slots = realloc(requests->slots, count * sizeof(struct request *));
    if (slots == NULL)
        return false;
    requests->slots = slots;
    uint32_t *vacant = realloc(requests->vacant, count * sizeof *vacant);
    if (vacant == NULL)
        return false;
    requests->vacant = vacant;
    for (uint32_t slot = count; slot-- > requests->slot_count;) {
        slots[slot] = NULL;
        vacant[requests->vacant_count++] = slot;
    }
    requests->slot_count = count;
    return true;
}

static void deadline_lower(struct requests *requests, uint64_t at_ms)
{
    if (at_ms < requests->deadline_ms)
        requests->deadline_ms = at_ms;
}

enum request_place request_home(const struct request *request)
{
    switch (request->kind) {
    case REQUEST_STATUS:
    case REQUEST_INIT:
        return REQUESTS_UNBOUND;
    case REQUEST_RESULT:
        return REQUESTS_RESULTS;
    case REQUEST_START:
    case REQUEST_REPORT:
    case REQUEST_DEPLOY:
    case REQUEST_SHOW:
    case REQUEST_LIST:
    case REQUEST_HISTORY:
    case REQUEST_DEFINITION_LIST:
    case REQUEST_DEFINITION_SHOW:
        break;
    }
    return REQUESTS_WAITING;
}

enum pawl_error requests_add(struct requests *requests, const struct client_request *given)
{
    if (given->body.size > FRAME_BYTES_MAX - HEAD_BYTES_MAX)
        return PAWL_E_LIMIT;
    if (requests->count == REQUESTS_MAX)
        return PAWL_E_BUSY;
    if (requests->vacant_count == 0 && !slots_grow(requests))
        return PAWL_E_NO_MEMORY;
    struct request *request = malloc(sizeof *request + given->body.size);
    if (request == NULL)
        return PAWL_E_NO_MEMORY;
    *request = (struct request){
        .slot = requests->vacant[--requests->vacant_count],
        .token = given->token,
        .kind = given->kind,
        .id = given->request,
        .fence = given->fence,
        .deadline_ms = given->deadline_ms == 0 ? UINT64_MAX : given->deadline_ms,
        .body_bytes = given->body.size,
    };
    if (given->body.size > 0)
        memcpy(request->body, given->body.data, given->body.size);
    requests->slots[request->slot] = request;
    requests->count++;
    list_append(requests, request, request_home(request));
    deadline_lower(requests, request->deadline_ms);
    return PAWL_OK;
}

/* It is sent no more: give its part of the window back. */
static void window_leave(struct requests *requests, struct request *request)
{
    request->correlation = 0;
    if (request->place != REQUESTS_SENT)
        return;
    requests->sent_bytes -= request->body_bytes;
    requests->results_sent -= request->kind == REQUEST_RESULT;
}

void requests_move(struct requests *requests, struct request *request, enum request_place place)
{
    window_leave(requests, request);
    list_remove(requests, request);
    list_append(requests, request, place);
}

void requests_remove(struct requests *requests, struct request *request)
{
    window_leave(requests, request);
    list_remove(requests, request);
    requests->slots[request->slot] = NULL;
    requests->vacant[requests->vacant_count++] = request->slot;
    requests->count--;
    free(request);
}

struct request *requests_find_token(const struct requests *requests, uint64_t token)
{
    for (size_t place = 0; place < REQUEST_PLACES; place++)
        for (struct request *at = requests->lists[place].first; at != NULL; at = at->next)
            if (at->token == token)
                return at;
    return NULL;
}

struct request *requests_find_correlation(const struct requests *requests, uint64_t correlation)
{
    uint32_t slot = correlation & ((1u << SLOT_BITS) - 1);
    if (slot >= requests->slot_count || requests->slots[slot] == NULL)
        return NULL;
    struct request *request = requests->slots[slot];
    return request->correlation != 0 && request->correlation == correlation ? request : NULL;
}

bool requests_have_room(const struct requests *requests, const struct request *request)
{
    const struct request_list *sent = &requests->lists[REQUESTS_SENT];
    if (sent->count >= WINDOW_REQUESTS)
        return false;
    if (request->kind == REQUEST_RESULT && requests->results_sent >= WINDOW_RESULTS)
        return false;
    return sent->count == 0 || requests->sent_bytes + request->body_bytes <= window_bytes;
}

void requests_sent(struct requests *requests, struct request *request, enum request_place place,
                   uint64_t connection)
{
    list_remove(requests, request);
    list_append(requests, request, place);
    request->connection = connection;
    request->correlation = requests->correlation_next++ << SLOT_BITS | request->slot;
    if (place != REQUESTS_SENT)
        return;
    requests->sent_bytes += request->body_bytes;
    requests->results_sent += request->kind == REQUEST_RESULT;
}

static void unsend(struct requests *requests, struct request *request)
{
    window_leave(requests, request);
    request->is_ambiguous = true;
    list_remove(requests, request);
    list_prepend(requests, request, request_home(request));
}

void requests_unsend(struct requests *requests)
{
    for (struct request *at = requests->lists[REQUESTS_SENT].last; at != NULL;) {
        struct request *before = at->previous;
        unsend(requests, at);
        at = before;
    }
}

void requests_unask(struct requests *requests, uint64_t connection)
{
    for (struct request *at = requests->lists[REQUESTS_ASKED].last; at != NULL;) {
        struct request *before = at->previous;
        if (at->connection == connection)
            unsend(requests, at);
        at = before;
    }
}

void requests_delay(struct requests *requests, struct request *request, uint64_t retry_at_ms)
{
    requests_move(requests, request, REQUESTS_DELAYED);
    request->retry_at_ms = retry_at_ms;
    deadline_lower(requests, retry_at_ms);
}

void requests_wake(struct requests *requests, uint64_t now_ms)
{
    requests->deadline_ms = UINT64_MAX;
    for (struct request *at = requests->lists[REQUESTS_DELAYED].first; at != NULL;) {
        struct request *next = at->next;
        if (at->retry_at_ms <= now_ms)
            requests_move(requests, at, request_home(at));
        else
            deadline_lower(requests, at->retry_at_ms);
        at = next;
    }
    for (size_t place = 0; place < REQUEST_PLACES; place++)
        for (struct request *at = requests->lists[place].first; at != NULL; at = at->next)
            deadline_lower(requests, at->deadline_ms);
}

void requests_check(const struct requests *requests)
{
    size_t count = 0, sent_bytes = 0, results_sent = 0;
    for (size_t place = 0; place < REQUEST_PLACES; place++) {
        size_t listed = 0;
        for (struct request *at = requests->lists[place].first; at != NULL; at = at->next) {
            bool is_sent = place == REQUESTS_SENT || place == REQUESTS_ASKED;
            assert(at->place == place);
            assert(requests->slots[at->slot] == at);
            assert((at->correlation != 0) == is_sent);
            assert(at->deadline_ms >= requests->deadline_ms);
            assert(place != REQUESTS_DELAYED || at->retry_at_ms >= requests->deadline_ms);
            sent_bytes += place == REQUESTS_SENT ? at->body_bytes : 0;
            results_sent += place == REQUESTS_SENT && at->kind == REQUEST_RESULT;
            listed++;
        }
        assert(listed == requests->lists[place].count);
        count += listed;
    }
    assert(count == requests->count);
    assert(sent_bytes == requests->sent_bytes);
    assert(results_sent == requests->results_sent);
    assert(requests->vacant_count + count == requests->slot_count);
}
