/* Raft consensus as a pure function: raft_step(raft, input) -> outputs.
 *
 * 1. The same inputs give the same outputs, bit for bit. No clock, randomness, I/O, thread or log line.
 *    Time arrives in every input; randomness is a generator seeded in the configuration.
 * 2. The core knows entries by (index, term, kind, size). Payloads stay with the host, which finds
 *    them by index when it encodes an append message or persists a range.
 * 3. The host carries out the outputs of one step in their order. Persisting is asynchronous: the host
 *    reports it with RAFT_IN_SYNCED, and the core itself holds back every vote and acknowledgement
 *    until what it promises is durable.
 * 4. PreVote and CheckQuorum are always on. Proposals are never forwarded.
 * 5. Bytes from a peer are checked by raft_step: a message that no correct peer sends is dropped and
 *    counted, never asserted on.
 *
 * Source: Ongaro, "Consensus: Bridging Theory and Practice" (thesis), sections named below.
 */
#ifndef RAFT_RAFT_H
#define RAFT_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAFT_MEMBERS_MAX 9

typedef uint64_t raft_term;
typedef uint64_t raft_index; /* the first entry is 1; 0 is "before the log" */
typedef uint64_t raft_node;  /* 0 is "nobody" */

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

enum raft_entry_kind { RAFT_ENTRY_NOOP = 1, RAFT_ENTRY_COMMAND = 2, RAFT_ENTRY_CONFIGURATION = 3 };

struct raft_entry {
    raft_term term;
    uint32_t bytes; /* size of the payload, for windows and limits */
    uint8_t kind;   /* enum raft_entry_kind */
};

/* Who votes. While old_count > 0 the configuration is joint: every quorum needs a majority of both
 * sets (thesis 4.3). Learners are replicated to and never counted. */
struct raft_configuration {
    raft_node voters[RAFT_MEMBERS_MAX];
    raft_node old_voters[RAFT_MEMBERS_MAX];
    raft_node learners[RAFT_MEMBERS_MAX];
    uint8_t voter_count, old_voter_count, learner_count;
};

struct raft_options {
    raft_node self;
    struct raft_configuration configuration;
    uint64_t seed;                    /* of the election jitter; different on every node */
    uint32_t heartbeat_ms;            /* 50 */
    uint32_t election_timeout_ms_min; /* 300: drawn afresh from [min, max] each time */
    uint32_t election_timeout_ms_max; /* 600 */
    uint32_t append_bytes_max;        /* payload bytes in one append message; one entry always fits */
    uint32_t append_entries_max;
    uint32_t window_messages_max; /* in flight to one follower in replicate state */
    uint32_t window_bytes_max;
    uint64_t uncommitted_bytes_max; /* RAFT_FULL past it; one proposal is always admitted */
};

/* What survived the last life of this node, as the log's recovery found it. */
struct raft_restored {
    raft_term term;
    raft_node vote;
    raft_index base_index; /* the entry before the first one kept; 0 for a whole log */
    raft_term base_term;
    const struct raft_entry *entries; /* entries[0] is base_index + 1; borrowed for the call */
    size_t entry_count;
    raft_index commit_index;    /* known committed (the flushed index of the store); at least base_index */
    bool is_vote_withheld;      /* the log lost its end: no vote and no acknowledgement until
                                   RAFT_IN_READMIT (architecture: durability) */
};

enum raft_message_kind {
    RAFT_MSG_PRE_VOTE = 1,
    RAFT_MSG_PRE_VOTE_REPLY,
    RAFT_MSG_VOTE,
    RAFT_MSG_VOTE_REPLY,
    RAFT_MSG_APPEND,       /* with no entries it is the heartbeat */
    RAFT_MSG_APPEND_REPLY,
};

/* One message between two nodes. Which fields mean something depends on kind. */
struct raft_message {
    uint8_t kind; /* enum raft_message_kind */
    raft_node from, to;
    raft_term term; /* the sender's; in a pre-vote the term it would campaign in */
    /* votes: the candidate's last entry. append: the entry before the first one sent. */
    raft_index previous_index;
    raft_term previous_term;
    /* append */
    raft_index commit_index;
    const struct raft_entry *entries; /* entries[0] is previous_index + 1; borrowed */
    size_t entry_count;
    uint64_t round; /* read round and liveness: rises, echoed by the reply (thesis 6.4) */
    /* replies */
    bool is_rejected;
    raft_index match_index;   /* append accepted: durable on the follower up to here */
    raft_index hint_index;    /* append rejected: retry with previous_index at most this ... */
    raft_term hint_term;      /* ... the follower's term there (conflict-term backtracking) */
    bool is_withheld;         /* append: the sender's vote is withheld. What it acknowledged before is
                                 void; match_index is 0; hint_index of an accepted append is how far
                                 it has been filled */
};

enum raft_input_kind {
    RAFT_IN_TICK,    /* time has passed; send one at raft_deadline() */
    RAFT_IN_MESSAGE, /* message: from a peer, already decoded */
    RAFT_IN_PROPOSE, /* entries: to append; leaders only */
    RAFT_IN_READ,    /* begin a read round; leaders only */
    RAFT_IN_SYNCED,  /* synced: everything handed out in RAFT_OUT_PERSIST up to this one is durable */
    RAFT_IN_CUT,     /* index: the host has cut its log up to here; forget those entries */
    RAFT_IN_PEER_LOST, /* node: the connection to it broke and a new one fails. Only a hint, which may be
                          wrong: of the leader it brings the campaign forward, else it does nothing */
    RAFT_IN_READMIT, /* index: a node whose vote was withheld may take part again, once every other voter
                        has told its term (they are asked), and a leader of a term no lower has filled
                        its log up to here and up to a commit of that term, durably. Messages from
                        before the loss must not be delivered, neither from this node nor to it */
};

/* Names one RAFT_OUT_PERSIST. A late report of an entry that was overwritten since then counts for
 * nothing: the entry at `index` must still have `index_term`, and `term` must still be the term (the
 * write of a new term names the whole log again). */
struct raft_synced {
    raft_term term; /* of the hard state that was written */
    raft_node vote;
    raft_index index; /* last entry of the log when it was handed out, by this persist or earlier */
    raft_term index_term;
};

struct raft_input {
    enum raft_input_kind kind;
    uint64_t now_ms; /* the host's monotonic clock; never runs back */
    union {
        struct raft_message message;
        struct {
            const struct raft_entry *entries; /* the terms are filled in by the core */
            size_t entry_count;
        } propose;
        struct raft_synced synced;
        raft_index index;
        raft_node node;
    };
};

enum raft_output_kind {
    RAFT_OUT_PERSIST,   /* append to the log: hard state and entries; then report RAFT_IN_SYNCED */
    RAFT_OUT_SEND,      /* message; the host adds the payloads of entries, by index */
    RAFT_OUT_COMMITTED, /* index: everything up to it is committed; rises */
    RAFT_OUT_ROLE,      /* role, term or leader changed; comes before anything done in the new role */
    RAFT_OUT_READ_STARTED,   /* read.round for this RAFT_IN_READ */
    RAFT_OUT_READ_CONFIRMED, /* read.round and every earlier round: this node led when they began */
    RAFT_OUT_READMITTED,     /* the withheld vote is back */
};

struct raft_persist {
    raft_term term;
    raft_node vote;
    bool has_hard_state;       /* term or vote differ from the last persist */
    raft_index truncate_index; /* drop entries from here on first; 0: nothing */
    raft_index first_index;    /* entries to write: first..last; first > last: none */
    raft_index last_index;
    struct raft_synced token; /* give it back in RAFT_IN_SYNCED */
};

struct raft_output {
    enum raft_output_kind kind;
    union {
        struct raft_persist persist;
        struct raft_message message; /* entries borrowed from the core until the next raft_step */
        raft_index index;
        struct {
            enum raft_role role;
            raft_term term;
            raft_node leader; /* 0: nobody known */
        } role;
        struct {
            uint64_t round;
            raft_index index; /* commit index that a read of this round must have applied; of a
                                 confirmation, the present one, at least that of every round in it */
        } read;
    };
};

/* Borrowed from the core until the next raft_step on it. */
struct raft_outputs {
    const struct raft_output *output;
    size_t count;
};

enum raft_error {
    RAFT_OK = 0,
    RAFT_NOT_LEADER,    /* proposals and reads; nothing happened */
    RAFT_NOT_READY,     /* read: no entry of this term is committed yet; nothing happened */
    RAFT_FULL,          /* uncommitted_bytes_max is reached; nothing happened */
    RAFT_DROPPED,       /* a message no correct peer sends; nothing happened */
    RAFT_NO_MEMORY,
};

struct raft;

/* A follower with no leader. NULL: no memory, or options that contradict each other. */
struct raft *raft_new(const struct raft_options *options, const struct raft_restored *restored,
                      uint64_t now_ms);
void raft_free(struct raft *raft);
/* An independent copy in the same state; for explicit-state checks. */
struct raft *raft_clone(const struct raft *raft);
/* A 64-bit digest of the whole state; equal states have equal digests. */
uint64_t raft_digest(const struct raft *raft);

/* Take one input. outputs_out is set in every case, to none on an error. A proposal's entries get the
 * indexes raft_last_index() + 1 and on; its RAFT_OUT_PERSIST and RAFT_OUT_SENDs are in the outputs. */
enum raft_error raft_step(struct raft *raft, const struct raft_input *input,
                          struct raft_outputs *outputs_out);

/* When the next RAFT_IN_TICK is due, on the clock of now_ms. Later is safe, only slower. */
uint64_t raft_deadline(const struct raft *raft);

enum raft_role raft_role(const struct raft *raft);
raft_term raft_current_term(const struct raft *raft);
raft_node raft_leader(const struct raft *raft);
raft_index raft_last_index(const struct raft *raft);
raft_index raft_first_index(const struct raft *raft); /* first entry kept; last + 1 when none is */
raft_index raft_commit_index(const struct raft *raft);
raft_index raft_stable_index(const struct raft *raft); /* durable on this node */
/* Term of the entry at index; 0 when it is not kept and is not the base. */
raft_term raft_term_at(const struct raft *raft, raft_index index);
/* The lowest index that every voter and learner is known to hold; leaders only, else 0. Falls to 0
 * when a member tells that its vote is withheld. */
raft_index raft_match_index_min(const struct raft *raft);
const struct raft_configuration *raft_configuration(const struct raft *raft);
/* What is known of one member, for status pages. False: not a leader, or no such member. */
struct raft_progress {
    raft_index match_index, next_index;
    bool is_replicating; /* else probing */
    uint64_t last_heard_ms;
};
bool raft_progress_of(const struct raft *raft, raft_node node, struct raft_progress *progress_out);

/* Assert every invariant of the state. Cheap enough for each step of a simulation. */
void raft_check(const struct raft *raft);

#endif
