/* The core of libpawl: client_step(client, input) -> outputs. Pure: no sockets, clocks or threads,
 * so the simulator runs it as it is.
 *
 * 1. It keeps connections to up to two nodes, learns all members and every leader, and attaches to
 *    the leader.
 * 2. A request is sent at most once per attachment, and again under the next one until it is
 *    answered, its deadline passes or it is cancelled. Its request id never changes. (BUSY and
 *    NOT_READY end a sending without effect; the next one may follow under the same attachment.)
 * 3. A hand-out is taken only under the newest attachment and held until its report is answered;
 *    every attach lists what is held.
 * 4. After its deadline a request that may have taken effect is answered PAWL_E_TIMEOUT (unknown),
 *    one that never did by what stood in its way: PAWL_E_NO_LEADER, PAWL_E_NOT_BOOTSTRAPPED,
 *    PAWL_E_BUSY or PAWL_E_NOT_READY.
 * 5. One session at a time: its id is drawn by the caller, random, never stored. A goodbye ends it;
 *    the next one's id follows from the seed.
 *
 * Source: docs/architecture.md, "Attachment".
 */
#ifndef PAWL_CLIENT_CORE_H
#define PAWL_CLIENT_CORE_H

#include "proto/client_messages.h"

struct client_core;

struct client_options {
    struct bytes nodes;   /* "host:port,host:port"; client addresses */
    struct bytes name;    /* of the program */
    struct id128 session; /* fresh random */
    uint64_t seed;        /* random; of the reconnect jitter and of later sessions */
};

/* A request to send: its body is encoded already. */
struct client_request {
    uint64_t token; /* the caller's name for it; unique among the unanswered */
    enum request_kind kind;
    struct id128 request;   /* mutating kinds */
    struct bytes body;      /* copied */
    uint64_t deadline_ms;   /* on the clock of now_ms; 0: none */
    struct msg_fence fence; /* REQUEST_REPORT: the hand-out that it ends */
};

enum client_input_kind {
    CLIENT_IN_TICK,
    CLIENT_IN_DIALLED, /* connection: a CLIENT_OUT_DIAL of this slot succeeded */
    CLIENT_IN_CLOSED,  /* connection, or the dial of slot when connection is 0; body: why, may be
                          empty */
    CLIENT_IN_FRAME,   /* connection, type, body */
    CLIENT_IN_REQUEST,
    CLIENT_IN_CANCEL,  /* token: answered PAWL_E_CANCELLED */
    CLIENT_IN_WORKER,  /* what this session offers from now on; attaches again when it changes */
    CLIENT_IN_DROP,    /* fence: the hand-out's handler is gone without a report; no longer held */
    CLIENT_IN_GOODBYE, /* no more hand-outs; leases end at once */
};

struct client_input {
    enum client_input_kind kind;
    uint64_t now_ms; /* monotonic */
    uint64_t connection;
    uint32_t slot;
    uint8_t type;
    struct bytes body;
    struct client_request request;
    uint64_t token;
    struct {
        const struct bytes *types;
        size_t type_count;
        uint32_t credit;
    } worker;
    struct msg_fence fence;
};

enum client_output_kind {
    CLIENT_OUT_DIAL,  /* address, slot; slot is never used again. A dial that was given up may still
                         succeed */
    CLIENT_OUT_SEND,  /* connection, type, body */
    CLIENT_OUT_CLOSE, /* connection */
    CLIENT_OUT_ANSWER,  /* token, error, detail, answer, index */
    CLIENT_OUT_HANDOUT, /* handout: run its handler */
    CLIENT_OUT_LEADER,  /* leader: for people and event callbacks */
};

struct client_output {
    enum client_output_kind kind;
    uint64_t connection;
    uint32_t slot;
    struct bytes address;
    uint8_t type;
    struct bytes body;
    uint64_t token;
    enum pawl_error error;
    struct bytes detail, answer;
    uint64_t index;
    struct msg_handout handout;
    struct msg_leader leader;
};

struct client_outputs {
    const struct client_output *output; /* borrowed until the next client_step */
    size_t count;
};

/* PAWL_E_INVALID: the node list is not one. PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error client_new(const struct client_options *options, uint64_t now_ms,
                                    struct client_core **core_out, struct pawl_diag *diag);
void client_free(struct client_core *core);
/* PAWL_E_NO_MEMORY; PAWL_E_BUSY: too many unanswered requests; PAWL_E_LIMIT: a request larger than
 * a frame, or an offer past its limits. Nothing happened then. Answers and hand-outs are views into
 * the input's body. */
MUST_USE enum pawl_error client_step(struct client_core *core, const struct client_input *input,
                                     struct client_outputs *outputs_out);
/* When the next CLIENT_IN_TICK is due. */
uint64_t client_deadline(const struct client_core *core);
bool client_is_attached(const struct client_core *core);
void client_check(const struct client_core *core);

#endif
