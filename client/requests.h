/* Requests: what was asked and is not answered yet, each in exactly one list.
 *
 * 1. Correlations are never used twice, so the answer to an earlier sending finds nothing.
 * 2. What is sent counts against a window of requests and bytes, smaller than what a node takes.
 * 3. deadline_ms is never later than the earliest moment at which a request needs attention.
 */
#ifndef PAWL_CLIENT_REQUESTS_H
#define PAWL_CLIENT_REQUESTS_H

#include "client/core.h"

enum request_place {
    REQUESTS_WAITING, /* to be sent under the attachment */
    REQUESTS_RESULTS, /* the same, for those that are answered only when a workflow has ended */
    REQUESTS_UNBOUND, /* to be sent to any node */
    REQUESTS_DELAYED, /* until retry_at_ms, then where it belongs */
    REQUESTS_SENT,    /* under the present attachment */
    REQUESTS_ASKED,   /* unbound, on `connection` */
    REQUEST_PLACES,
};

struct request {
    struct request *next, *previous;
    enum request_place place;
    uint32_t slot;
    uint64_t token;
    uint64_t correlation; /* of the last sending; 0: none counts any more */
    uint64_t connection;  /* asked: where */
    uint64_t sent_ms;     /* the last time */
    uint64_t deadline_ms; /* UINT64_MAX: none */
    uint64_t retry_at_ms;
    enum request_kind kind;
    uint32_t retry_count;
    struct id128 id;
    struct msg_fence fence;
    bool is_ambiguous;     /* an earlier sending may have taken effect */
    enum pawl_error error; /* of the last answer that made it try again; 0: none */
    size_t body_bytes;
    uint8_t body[];
};

struct request_list {
    struct request *first, *last;
    size_t count;
};

struct requests {
    struct request_list lists[REQUEST_PLACES];
    struct request **slots;
    uint32_t *vacant; /* free slots */
    uint32_t slot_count, vacant_count;
    size_t count;
    size_t sent_bytes;
    size_t results_sent;
    uint64_t correlation_next;
    uint64_t deadline_ms;
};

void requests_init(struct requests *requests);
void requests_done(struct requests *requests);

/* PAWL_E_BUSY: too many. PAWL_E_LIMIT: larger than a frame takes. PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error requests_add(struct requests *requests,
                                      const struct client_request *request);
void requests_remove(struct requests *requests, struct request *request);
void requests_move(struct requests *requests, struct request *request, enum request_place place);
/* Where it waits to be sent. */
enum request_place request_home(const struct request *request);

struct request *requests_find_token(const struct requests *requests, uint64_t token);
/* The request whose last sending has this correlation; NULL: none. */
struct request *requests_find_correlation(const struct requests *requests, uint64_t correlation);

/* The window lets it be sent now. */
bool requests_have_room(const struct requests *requests, const struct request *request);
/* It is being sent, with a fresh correlation; place is REQUESTS_SENT or REQUESTS_ASKED. */
void requests_sent(struct requests *requests, struct request *request, enum request_place place,
                   uint64_t connection);
/* Nothing that was sent under the attachment counts any more; all of it waits again, oldest first.
 */
void requests_unsend(struct requests *requests);
/* The same for what was asked on one connection. */
void requests_unask(struct requests *requests, uint64_t connection);
/* Try again at retry_at_ms. */
void requests_delay(struct requests *requests, struct request *request, uint64_t retry_at_ms);
/* Whatever is due leaves the delayed list; deadline_ms is computed afresh. */
void requests_wake(struct requests *requests, uint64_t now_ms);

void requests_check(const struct requests *requests);

#endif
