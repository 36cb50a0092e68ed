/* What nodes say to each other, and the entry that a leader's decision becomes.
 *
 * A raft message travels with what the host adds to it: the payloads of its entries, the cluster's
 * clock, this node's wall clock and its free disk space.
 */
#ifndef PAWL_PROTO_PEER_MESSAGES_H
#define PAWL_PROTO_PEER_MESSAGES_H

#include "proto/codec.h"
#include "proto/rows.h"

struct msg_peer_hello {
    uint32_t version_min, version_max;
    struct id128 cluster;
    uint64_t from, to; /* node ids; 0 while bootstrapping */
    struct bytes name;
};

struct msg_raft_entry {
    uint64_t term;
    uint8_t kind; /* raft's */
    struct bytes payload;
};

struct msg_raft {
    uint32_t partition;
    uint64_t from, to;
    uint8_t kind; /* raft's */
    uint64_t term;
    uint64_t previous_index, previous_term, commit_index;
    uint64_t round;
    bool is_rejected;
    uint64_t match_index, hint_index, hint_term;
    struct list entries;    /* struct msg_raft_entry; not in the schema */
    uint64_t clock_us;      /* the cluster's clock as the sender knows it */
    uint64_t wall_us;       /* the sender's wall clock */
    uint64_t free_bytes;    /* of the sender's data directory */
    bool is_withheld;       /* append reply: the sender's vote is withheld */
    uint64_t cut_index;     /* append: every member's store has everything up to here */
    uint64_t flushed_index; /* the sender's store has everything up to here */
};

/* Bootstrap: "reach every one of these peers and tell me". */
struct msg_probe {
    struct list peers; /* struct bytes: peer addresses */
    bool is_relayed;   /* asked by a peer: answer for yourself only */
};
struct msg_probed {
    uint32_t error; /* enum pawl_error */
    struct bytes detail;
    struct bytes name, client_address;
    struct id128 cluster; /* the one it already belongs to */
};
/* Bootstrap: "this is your cluster, write it down and begin". */
struct msg_form {
    struct id128 cluster;
    uint64_t node;       /* the receiver's id */
    struct list members; /* struct msg_member */
};
struct msg_formed {
    uint32_t error;
    struct bytes detail;
};

extern const struct schema schema_peer_hello, schema_raft, schema_probe, schema_probed, schema_form,
    schema_formed;
extern const struct schema *const peer_schemas[]; /* NULL at the end */

/* The frame of a raft message, in parts one behind the other, of which the payloads are where they
 * were: its fields behind their size (4 bytes, little-endian), then its entries, each a head of
 * fixed layout and its payload. The fields are in a buffer, the rest in the arena. PAWL_E_INVALID
 * (fields that nobody would take), PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error raft_message_encode(const struct msg_raft *message, struct arena *arena,
                                             struct buffer *fields, struct bytes **parts_out,
                                             size_t *part_count_out);
/* Payloads are views into the frame; the array of entries is in the arena. PAWL_E_INVALID,
 * PAWL_E_LIMIT (more than APPEND_ENTRIES_MAX entries), PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error raft_message_decode(struct bytes frame, struct arena *arena,
                                             struct msg_raft *message_out);

/* The payload of a command entry: what one decision changed, and when. */
struct entry {
    uint64_t clock_us; /* cluster time of the decision */
    struct row_write *writes;
    size_t write_count;
};
/* Append the payload to out; keys have at most ROW_KEY_BYTES_MAX bytes. An error shows in
 * out->is_failed. */
void entry_encode(const struct entry *entry, struct buffer *out);
/* The same to where there is room for it: how many bytes, and the bytes. */
size_t entry_bytes(const struct entry *entry);
void entry_put(const struct entry *entry, uint8_t *out);
/* Only the clock, for who does not need the writes. PAWL_E_INVALID. */
MUST_USE enum pawl_error entry_clock(struct bytes payload, uint64_t *clock_us_out);
/* Keys and values are views into payload; the write array is in the arena. PAWL_E_INVALID,
 * PAWL_E_LIMIT (more than DECISION_WRITES_MAX writes), PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error entry_decode(struct bytes payload, struct arena *arena,
                                      struct entry *entry_out);

#endif
