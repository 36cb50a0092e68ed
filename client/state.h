/* The state of a client core, and what its parts say to each other. Private to the core.
 *
 * core.c        inputs, ticks, the public calls
 * addresses.c   which nodes there are and when each may be dialled again
 * links.c       connections: dialling, greeting, keeping two
 * attachment.c  the leader, attaching, heartbeats
 * held.h        the fences held
 * sending.c     requests out, answers in
 */
#ifndef PAWL_CLIENT_STATE_H
#define PAWL_CLIENT_STATE_H

#include "client/core.h"
#include "client/held.h"
#include "client/outbox.h"
#include "client/requests.h"
#include "proto/limits.h"

enum {
    ADDRESSES_MAX = 32,
    LINKS_MAX = 8,       /* dials that are slow to fail do not count against the two wanted */
    PARTITION_FIRST = 0, /* the one partition there is */
};

struct address {
    uint8_t text[NAME_BYTES_MAX];
    size_t size;   /* 0: a free place */
    uint64_t node; /* 0: not known which */
    bool is_seed;  /* from the options; never forgotten */
    uint32_t fail_count;
    uint64_t dial_at_ms; /* not before */
};

struct addresses {
    struct address at[ADDRESSES_MAX];
    uint32_t backoff_ms_max;
};

enum link_state { LINK_NONE, LINK_DIALLING, LINK_GREETING, LINK_READY };

struct link {
    enum link_state state;
    uint32_t slot;       /* names the dial */
    uint64_t connection; /* greeting, ready */
    size_t address;      /* index */
    uint64_t node;       /* ready */
    uint64_t since_ms;   /* in this state */
    uint64_t heard_ms;   /* last frame */
};

enum attachment_state { ATTACHMENT_NONE, ATTACHMENT_ASKED, ATTACHMENT_HELD };

struct attachment {
    enum attachment_state state;
    uint64_t number; /* of the last attach sent */
    uint64_t term;
    uint64_t connection;
    uint64_t asked_ms;
    uint64_t retry_at_ms; /* no attach before */
    uint32_t fail_count;
    uint64_t heartbeat_at_ms;
    uint32_t heartbeats_unheard; /* sent since the leader was last heard */
};

struct offer {
    struct arena arena;
    struct bytes *types;
    size_t type_count;
    uint32_t credit;
    bool is_changed;     /* since the last attach */
    bool is_goodbye_due; /* to be said as soon as it is attached */
};

struct client_core {
    struct id128 session;
    struct id128 cluster; /* learnt; none: any */
    uint8_t name[NAME_BYTES_MAX];
    size_t name_bytes;
    uint64_t random;
    uint64_t now_ms;
    uint32_t heartbeat_ms;
    /* Links and attachment are as they should be, and need no look before settled_until_ms. */
    bool is_settled;
    uint64_t settled_until_ms;

    struct addresses addresses;
    struct link links[LINKS_MAX];
    uint32_t slot_next;

    struct msg_leader leader; /* its address is in leader_address */
    uint8_t leader_address[NAME_BYTES_MAX];
    struct attachment attachment;
    struct offer offer;
    struct held held;

    struct requests requests;
    struct outbox outbox;
    struct arena arena; /* of one step */

    char trouble[256]; /* the last failed connection, for people */
};

/* [0, bound): bound > 0. */
uint64_t core_random(struct client_core *core, uint64_t bound);
/* base << count, at most max, less a random part of up to a half. */
uint64_t core_backoff_ms(struct client_core *core, uint64_t base_ms, uint32_t count,
                         uint64_t max_ms);
static inline uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

/* addresses.c */

/* PAWL_E_INVALID: text is no "host:port,host:port". */
MUST_USE enum pawl_error addresses_init(struct addresses *addresses, struct bytes text,
                                        struct pawl_diag *diag);
struct bytes address_text(const struct address *address);
/* The place of this address, made if need be; ADDRESSES_MAX: no place, or not an address. */
size_t address_learn(struct addresses *addresses, struct bytes text, uint64_t node);
/* Forget what is neither a seed, nor in this list, nor linked. */
void addresses_keep(struct client_core *core, const struct list *members);
void address_failed(struct client_core *core, size_t address);

/* links.c */

struct link *link_find(struct client_core *core, uint64_t connection);
/* The ready link to the leader; NULL: none. */
struct link *link_leader(struct client_core *core);
bool links_reach_leader(const struct client_core *core);
/* Any ready link; NULL: none. */
struct link *link_any(struct client_core *core);
void link_dialled(struct client_core *core, uint32_t slot, uint64_t connection);
/* It is gone: whatever counted on it waits again. trouble: why, may be empty. */
void link_lost(struct client_core *core, struct link *link, struct bytes trouble);
/* End it from this side. */
void link_close(struct client_core *core, struct link *link, const char *trouble);
void link_welcome(struct client_core *core, struct link *link, struct bytes body);
/* Close what waits too long, dial what is wanted. */
void links_tick(struct client_core *core);
uint64_t links_deadline(const struct client_core *core);
/* A dial that ended before it was a connection. */
void dial_failed(struct client_core *core, uint32_t slot, struct bytes trouble);

/* attachment.c */

void leader_take(struct client_core *core, struct link *link, struct bytes body);
/* Leave the attachment; the next attach comes after delay_ms. */
void attachment_leave(struct client_core *core, uint64_t delay_ms);
void attachment_retry(struct client_core *core);
void attached_take(struct client_core *core, struct link *link, struct bytes body);
void handouts_take(struct client_core *core, struct link *link, struct bytes body);
/* The leader has heard what was sent under the attachment at sent_ms: a heartbeat would have said
 * no more. */
void attachment_heard(struct client_core *core, uint64_t sent_ms);
/* Attach if that is wanted and possible, send a due heartbeat, give a silent leader up. */
void attachment_tick(struct client_core *core);
uint64_t attachment_deadline(const struct client_core *core);
void goodbye_send(struct client_core *core);
MUST_USE enum pawl_error offer_set(struct client_core *core, const struct client_input *input);

/* sending.c */

void request_answer(struct client_core *core, struct request *request, enum pawl_error error,
                    const struct msg_response *response);
void response_take(struct client_core *core, struct link *link, struct bytes body);
/* Send what may be sent now. */
void requests_pump(struct client_core *core);
/* Answer what is past its deadline; wake what is delayed. */
void requests_tick(struct client_core *core);

#endif
