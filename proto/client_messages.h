/* What clients and workers say to a node and hear from it. One frame carries one message.
 *
 * 1. Everything mutating carries a request id, drawn by the caller and kept over its retries.
 * 2. (term, attachment) name the attachment a message belongs to; what belongs to an older one has
 * no effect on either side.
 * 3. Answers are values (maps), so that every tool can print them.
 */
#ifndef PAWL_PROTO_CLIENT_MESSAGES_H
#define PAWL_PROTO_CLIENT_MESSAGES_H

#include "proto/codec.h"

#define PROTOCOL_VERSION 1

enum frame_type {
    FRAME_HELLO = 1,     /* client -> node, first on every connection */
    FRAME_WELCOME = 2,   /* node -> client, its answer */
    FRAME_LEADER = 3,    /* node -> client: who leads a partition, when it changes */
    FRAME_ATTACH = 4,    /* client -> leader */
    FRAME_ATTACHED = 5,  /* leader -> client */
    FRAME_REQUEST = 6,   /* client -> node */
    FRAME_RESPONSE = 7,  /* node -> client */
    FRAME_HANDOUTS = 8,  /* leader -> worker */
    FRAME_HEARTBEAT = 9, /* client -> leader: the session lives; and the answer to it */
    FRAME_GOODBYE = 10,  /* worker -> leader: gone for good, leases end at once */

    FRAME_PEER_HELLO = 32, /* node -> node, first on every peer connection, both ways */
    FRAME_PEER_RAFT = 33,
    FRAME_PEER_PROBE = 34, /* bootstrap: do you reach all of these? */
    FRAME_PEER_PROBED = 35,
    FRAME_PEER_FORM = 36, /* bootstrap: this is your cluster, write it down */
    FRAME_PEER_FORMED = 37,
};

/* The fence of one hand-out: unique, rising in (term, index, ordinal). */
struct msg_fence {
    uint32_t partition;
    uint64_t term;
    uint64_t index;
    uint32_t ordinal;
};

struct msg_hello {
    uint32_t version_min, version_max;
    struct id128 cluster; /* none: any cluster */
    struct id128 session;
    struct bytes name; /* of the program, for people */
};

struct msg_member {
    uint64_t node;
    struct bytes name;
    struct bytes peer_address;   /* host:port */
    struct bytes client_address; /* host:port */
};

struct msg_welcome {
    uint32_t version;
    struct id128 cluster; /* none: not bootstrapped */
    uint64_t node;
    struct bytes name;
    uint32_t heartbeat_ms;   /* send FRAME_HEARTBEAT this often while attached */
    uint32_t backoff_ms_max; /* longest pause between two dials */
    struct list members;     /* struct msg_member */
    uint32_t error;          /* enum pawl_error: the connection is refused and will be closed */
    struct bytes detail;
};

struct msg_leader {
    uint32_t partition;
    uint64_t term;
    uint64_t node; /* 0: nobody known */
    struct bytes client_address;
};

struct msg_attach {
    uint32_t partition;
    uint64_t term;
    uint64_t attachment; /* rises with every attach of the session */
    struct id128 session;
    uint32_t credit;   /* steps it takes at once; 0: no worker, or draining */
    struct list types; /* struct bytes: step types it serves */
    struct list held;  /* struct msg_fence: received, report not yet acknowledged */
};

struct msg_attached {
    uint32_t partition;
    uint64_t term;
    uint64_t attachment;
    uint32_t error; /* enum pawl_error: NOT_LEADER, NOT_READY, STALE (an older attachment) */
};

enum request_kind {
    REQUEST_START = 1,   /* msg_start -> {run, workflowId, existing} */
    REQUEST_REPORT = 2,  /* msg_report -> {} */
    REQUEST_DEPLOY = 3,  /* msg_deploy -> {namespace, name, version, existing, warnings[]} */
    REQUEST_SHOW = 4,    /* msg_target -> the instance */
    REQUEST_LIST = 5,    /* msg_list -> {instances[], next} */
    REQUEST_HISTORY = 6, /* msg_target -> {events[]} */
    REQUEST_RESULT = 7,  /* msg_target: answered when the instance has ended */
    REQUEST_DEFINITION_LIST = 8, /* msg_list -> {definitions[]} */
    REQUEST_DEFINITION_SHOW = 9, /* msg_definition -> the definition */
    REQUEST_STATUS =
        10, /* empty; any node, no attachment -> the node and what it knows of the cluster */
    REQUEST_INIT = 11, /* msg_init; a node without a cluster -> {cluster, members[]} */
};

struct msg_request {
    uint64_t
        correlation; /* drawn by the client, unique on its connection; the response echoes it */
    uint32_t partition;
    uint64_t term, attachment; /* 0: without attachment (status, init) */
    struct id128 request;      /* mutating requests; kept over retries */
    uint8_t kind;              /* enum request_kind */
    struct bytes body;         /* binary: the encoded message of that kind */
};

struct msg_response {
    uint64_t correlation;
    uint32_t error;      /* enum pawl_error, 0: success */
    struct bytes detail; /* for people, when it failed */
    struct bytes answer; /* value */
    uint64_t index;      /* the answer is as of this log index */
};

enum conflict_policy {
    ON_CONFLICT_FAIL = 0,
    ON_CONFLICT_USE_EXISTING = 1,
    ON_CONFLICT_TERMINATE = 2
};
enum reuse_policy { ON_REUSE_ALLOW = 0, ON_REUSE_ALLOW_IF_FAILED = 1, ON_REUSE_REJECT = 2 };

struct msg_start {
    struct bytes namespace_name; /* empty: "default" */
    struct bytes definition;
    struct bytes version;     /* empty: the newest */
    struct bytes workflow_id; /* empty: the request id as text */
    struct bytes input;       /* value; empty: null */
    uint8_t on_conflict, on_reuse;
};

enum report_outcome { REPORT_COMPLETED = 1, REPORT_FAILED = 2 };

struct msg_fault {
    struct bytes type; /* a URI, or the last segment of a standard one ("communication") */
    uint32_t status;   /* HTTP-like; 0: the type's own */
    struct bytes title, detail;
    bool is_final;           /* no retry, whatever the policy says */
    uint64_t retry_after_ms; /* at least this long before the next attempt; 0: the policy's delay */
};

struct msg_report {
    struct id128 run;
    uint32_t step;
    struct msg_fence fence;
    uint8_t outcome;     /* enum report_outcome */
    struct bytes output; /* value */
    struct msg_fault fault;
};

struct msg_deploy {
    struct bytes source; /* YAML or JSON text */
};

struct msg_target {
    struct bytes namespace_name;
    struct bytes workflow_id; /* this, its newest run ... */
    struct id128 run;         /* ... or exactly this run */
};

struct msg_list {
    struct bytes namespace_name;
    struct bytes definition; /* empty: all */
    struct bytes status;     /* empty: all */
    uint32_t limit;          /* 0: 50; at most 1000 */
    struct bytes after;      /* `next` of the page before */
};

struct msg_definition {
    struct bytes namespace_name, name, version; /* version empty: the newest */
};

struct msg_init {
    struct list peers; /* struct bytes: peer addresses of all nodes, this one included */
};

struct msg_handout {
    struct msg_fence fence;
    struct id128 run;
    uint32_t step;
    uint32_t attempt; /* from 1 */
    struct bytes type;
    struct bytes namespace_name, workflow_id;
    struct bytes idempotency_key; /* the same over all attempts of the step */
    struct bytes input;           /* value */
    uint64_t deadline_ms;         /* since 1970 UTC, cluster clock; 0: none */
    bool is_at_most_once;
};

struct msg_handouts {
    uint32_t partition;
    uint64_t term, attachment;
    struct list handouts; /* struct msg_handout */
};

struct msg_heartbeat {
    uint32_t partition;
    uint64_t term, attachment;
};

struct msg_goodbye {
    struct id128 session;
};

extern const struct schema schema_fence, schema_hello, schema_member, schema_welcome, schema_leader,
    schema_attach, schema_attached, schema_request, schema_response, schema_start, schema_fault,
    schema_report, schema_deploy, schema_target, schema_list, schema_definition, schema_init,
    schema_handout, schema_handouts, schema_heartbeat, schema_goodbye;

/* Every schema of client and peer messages, NULL at the end; for the reference page and for tests.
 */
extern const struct schema *const client_schemas[];

#endif
