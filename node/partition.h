/* The private state of a replica and of its partitions; only node/ looks inside.
 *
 * A turn runs in this order: peers' frames and finished jobs (consensus.c, flush.c), then clients'
 * frames (clients.c), then what is due (sessions.c, commands.c), then one proposal of everything
 * decided, then the answers (outcomes.c, reads.c). So no decision is made between two changes of
 * role in one turn.
 */
#ifndef PAWL_NODE_PARTITION_H
#define PAWL_NODE_PARTITION_H

#include "node/cluster_clock.h"
#include "node/entry_cache.h"
#include "node/id_map.h"
#include "node/replica.h"
#include "node/waiting.h"

/* A decided command until its answer and its effects may leave: they are encoded at once, so that
 * nothing else of the decision is kept. */
struct outcome {
    struct outcome *next;
    struct origin origin;
    uint64_t index;       /* leaves when this is committed ... */
    uint64_t round;       /* ... and, when not 0, this read round is confirmed */
    struct buffer frames; /* the response, unless nobody asked, then each hand-out's */
    size_t response_bytes;
    struct outgoing {
        struct id128 session;
        uint64_t attachment; /* under which its frame is encoded */
        size_t bytes;
    } * handouts;
    size_t handout_count;
    struct id128 *closed; /* runs that ended */
    size_t closed_count;
    struct arena arena; /* of handouts and closed */
};

struct outcome_queue {
    struct outcome *first, **last_next;
};

/* A read until its round is confirmed; then, for RESULT, until its run has ended. */
struct reading {
    struct reading *next, *previous;             /* previous: only among those that watch a run */
    struct reading *watch_next, *watch_previous; /* of its connection, while it watches */
    struct origin origin;
    enum request_kind kind;
    uint64_t round;
    uint64_t index;   /* what must be applied, and seen by a query */
    bool is_settled;  /* the window has nothing that the query would see */
    struct id128 run; /* RESULT: the run it waits for */
    size_t body_bytes;
    uint8_t body[];
};

struct reading_queue {
    struct reading *first, **last_next;
};

struct session {
    struct session *next, *previous; /* in the order of their appearance */
    struct id128 id;
    uint64_t connection; /* 0: not attached now */
    uint64_t attachment; /* the newest seen */
    uint64_t expires_us; /* monotonic; silent until then, it loses its leases */
    bool is_attached;
    bool is_attaching;       /* attach seen before this leader was active; answered when it is */
    bool is_lost;            /* its hand-outs are being taken back */
    uint32_t losses_waiting; /* commands that take one back and wait for rows */
    bool is_searching;       /* what was recorded for it is being loaded, to find what it misses */
    struct attach_copy *attach; /* while is_attaching or is_searching */
};

/* A hand-out that a session never received, to be sent again under its fence once a read round is
 * confirmed. */
struct resend {
    struct resend *next;
    struct id128 session;
    uint64_t attachment;
    struct msg_fence fence;
    uint64_t round;
    uint64_t load; /* token of the load it waits for; 0: none */
};

/* A query that the reader has. */
struct query_out {
    uint64_t token;          /* of its job */
    struct reading *reading; /* NULL: it was given up with the role */
    uint64_t window_index;   /* the job reads entries of the window behind this; UINT64_MAX: none */
};

/* No more queries than this are with the reader, and hold a window of their own, at once. */
enum { QUERIES_AT_ONCE = 4, CLOSINGS_MAX = 4096 };

struct partition {
    struct replica *replica;
    uint32_t number;
    struct raft *raft;
    struct memory *memory; /* the leader's; empty without the role */
    struct engine *engine;
    struct dispatch *dispatch;
    struct dispatch *nobody_free; /* no sessions: what is asked while nothing is handed out */
    struct entry_cache cache;
    struct cluster_clock clock;
    uint64_t jump_us; /* how far it has jumped here; to be put on record */
    struct clock_watch watch;
    bool is_vote_withheld;
    uint64_t incarnation;          /* of the log */
    struct raft_synced last_token; /* of the newest append handed out */
    bool is_readmission_asked;

    /* Role */
    enum raft_role role;
    uint64_t term, leader;
    bool is_active;      /* leads, and its no-op and the recorded hand-outs are known */
    uint64_t noop_index; /* of this leadership */
    uint64_t
        head_first; /* entries from here on were decided here and are in memory's head; 0: none */
    uint64_t cut_index_heard; /* the leader says that every member's store has all up to here */
    bool is_failed;           /* a committed entry cannot be read: this node has stopped */

    /* The window: entries that are committed and that the store does not have. Their payloads stay
     * in the cache; only a leader's memory knows their rows. */
    uint64_t flushed_index, applied_index; /* it begins behind the first and ends with the second */
    uint64_t remembered_index;             /* a leader's memory has the window up to here */
    size_t window_bytes;                   /* of payloads */
    struct net_change net_change;          /* of the flush under way */

    /* Decided in this turn, not proposed yet */
    struct raft_entry *batch;
    size_t batch_count, batch_capacity;
    size_t uncommitted_bytes;

    /* Waiting */
    struct outcome_queue decided; /* by index */
    struct outcome_queue quiet;   /* wrote nothing: by round */
    struct outcome *free_outcomes;
    size_t free_outcome_count;
    struct waiting_list waiting;
    struct reading_queue readings;  /* for their round, oldest first */
    struct reading_queue snapshots; /* for a flush, or for the reader */
    struct query_out queries[QUERIES_AT_ONCE];
    size_t query_count;
    struct id_map watched_runs;           /* run -> the first RESULT that waits for its end */
    size_t reading_count, watching_count; /* watching ones are counted in both */
    struct resend *resends, **resends_last_next;
    struct closing {
        struct id128 run;
        uint64_t index;
    } * closings;           /* the last CLOSINGS_MAX runs that ended while this node led; a ring */
    size_t closing_count;   /* ever */
    uint64_t started_round; /* the last; what comes now waits for the next */
    uint64_t confirmed_round, confirmed_index;
    uint64_t next_token;
    bool wants_round; /* something in this turn waits for a new read round */

    /* Duties of the leader */
    struct session *sessions, *sessions_last;
    struct id_map session_map;
    size_t session_count, lost_count, searching_count; /* of all; of those that are so */
    uint64_t session_due_us;                           /* no session expires before */
    uint64_t timer_load, handout_load, lost_load;      /* tokens of the loads under way; 0: none */
    struct buffer activation_cursor;
    struct buffer stuck_timer; /* timers before this key are passed over ... */
    uint64_t stuck_until_us;   /* ... until then: the last of them could not be decided */
    uint64_t stuck_count;      /* ever */

    /* Flush */
    bool is_flushing;
    uint64_t flush_index;  /* of the flush under way */
    uint64_t flush_due_us; /* 0: nothing to flush */
    uint64_t wanted_index; /* a snapshot reader waits for the store to have this; 0: none */
    uint64_t cut_index;
    bool is_store_full;  /* the last flush found no room */
    uint64_t free_bytes; /* of this node's disk; UINT64_MAX: not known */
    struct peer_space {
        uint64_t node;
        uint64_t free_bytes; /* as it said last */
        uint64_t flushed_index;
    } peer_spaces[MEMBERS_MAX];
    size_t peer_space_count;
    uint64_t flush_retry_us;

    /* Totals */
    uint64_t decision_count, rejection_count, load_count, flush_count, sync_count;
};

struct connection {
    uint64_t number;
    bool is_greeted;
    struct id128 session;
    uint32_t unanswered;
    struct reading *watching; /* its RESULTs of runs that have not ended */
    struct connection *next, *previous;
};

struct replica {
    struct replica_options options;
    struct partition partition;
    struct id_map connection_map;
    struct connection *connections;
    struct arena turn_arena;     /* reset at the end of each turn */
    struct arena decision_arena; /* reset before each decision */
    struct arena scratch;        /* reset by whoever uses it */
    struct buffer frame;         /* the frame being encoded */
    uint64_t now_us;             /* monotonic, of this turn */
    uint64_t last_turn_us;
    uint64_t seed[2];
    size_t jobs_out;
};

uint64_t replica_now_ms(const struct replica *replica);
/* The cluster's time; the leader's is slewed once a turn. */
uint64_t partition_clock_us(const struct partition *partition);
void partition_submit(struct partition *partition, struct job *job);

/* consensus.c: Raft's host */
void consensus_message(struct partition *partition, struct bytes body, uint64_t from);
void consensus_peer_lost(struct partition *partition, uint64_t node);
/* When the core wants a tick. A node whose clock is off lets others campaign first. */
uint64_t consensus_deadline_us(const struct partition *partition);
void consensus_tick(struct partition *partition);
/* What is committed and not applied, as far as the window takes it. */
void consensus_apply(struct partition *partition);
/* A new leader's memory gets the window in pieces, a turn each, so that heartbeats leave between
 * them. */
bool consensus_is_remembering(const struct partition *partition);
void consensus_remember(struct partition *partition);
/* The store has all up to flushed_index. */
void consensus_flushed(struct partition *partition);
void consensus_propose(struct partition *partition); /* the batch */
void consensus_read_round(
    struct partition *partition); /* gives outcomes, reads and resends that wait their round */
void consensus_appended(struct partition *partition, struct job *job);
void consensus_log_read(struct partition *partition, struct job *job);
void consensus_cut(struct partition *partition, uint64_t index);

/* commands.c: deciding */
void commands_take(struct partition *partition, const struct command *command,
                   struct origin origin);
void commands_due(struct partition *partition);
void commands_loaded(struct partition *partition, struct job *job);
void commands_fail_all(struct partition *partition, enum pawl_error error);
void commands_own_load(struct partition *partition, uint64_t *load,
                       const struct memory_reader *reader);
uint64_t commands_deadline_us(const struct partition *partition);

/* outcomes.c: answers and effects that wait */
/* What leaves of a decision when index is committed, and round (0: none) confirmed. NULL: no
 * memory.
 */
struct outcome *outcome_new(struct partition *partition, struct origin origin,
                            const struct decision *decision, uint64_t index, uint64_t round);
void outcomes_add(struct outcome_queue *queue, struct outcome *outcome);
void outcomes_release(struct partition *partition);
void outcomes_fail_all(struct partition *partition);
void outcomes_done(struct partition *partition);

/* reads.c: linearizable reads */
void reads_take(struct partition *partition, enum request_kind kind, struct bytes body,
                struct origin origin);
/* Answer what is due, as much as one turn may. */
void reads_confirmed(struct partition *partition);
bool reads_are_due(const struct partition *partition);
void reads_run_closed(struct partition *partition, struct id128 run, uint64_t index);
/* Queries that have waited for a flush or for others go to the reader. */
void reads_go_on(struct partition *partition);
void reads_queried(struct partition *partition, struct job *job);
/* Entries behind this are being read by queries; UINT64_MAX: none. */
uint64_t reads_window_index(const struct partition *partition);
void reads_connection_closed(struct partition *partition, struct connection *connection);
void reads_fail_all(struct partition *partition, enum pawl_error error);

/* sessions.c: attachments, leases, hand-outs to sessions */
void sessions_attach(struct partition *partition, const struct msg_attach *attach,
                     struct connection *connection);
void sessions_heartbeat(struct partition *partition, const struct msg_heartbeat *heartbeat,
                        struct connection *connection);
void sessions_goodbye(struct partition *partition, struct id128 session);
void sessions_connection_closed(struct partition *partition, const struct connection *connection);
/* The attachment is the session's newest. */
bool sessions_is_newest(const struct partition *partition, struct id128 session,
                        uint64_t attachment);
/* A frame of a session's newest attachment: its lease begins anew. False: it is none. */
bool sessions_hear(struct partition *partition, const struct connection *connection, uint64_t term,
                   uint64_t attachment);
/* Append the frame of a hand-out to out, as it is for its session's attachment of now; its bytes,
 * or 0 when no receiver would take it. */
size_t sessions_encode_handout(const struct partition *partition,
                               const struct decision_handout *handout, struct buffer *out,
                               uint64_t *attachment_out);
/* Send that frame, if the session is attached. */
void sessions_hand_out(struct partition *partition, struct id128 session, uint64_t attachment,
                       struct bytes frame);
void sessions_begin(struct partition *partition); /* became leader */
void sessions_activate(
    struct partition *partition);               /* find recorded hand-outs, then answer attaches */
void sessions_end(struct partition *partition); /* lost the role */
void sessions_due(struct partition *partition);
void sessions_resend(struct partition *partition);
/* A command that takes back one of the session's hand-outs begins or ends to wait for rows. */
void sessions_loss_waits(struct partition *partition, struct id128 session, bool is_waiting);
uint64_t sessions_deadline_us(const struct partition *partition);
void sessions_extend(struct partition *partition, uint64_t gap_us);

/* space.c: what the members say of their disks */
void space_heard(struct partition *partition, const struct msg_raft *message);
/* Every member's store has everything up to here, as far as this node has heard; so may the log be
 * cut. A node that loses the end of its log keeps its store, and can be filled from there. */
uint64_t space_cut_index(const struct partition *partition);
/* New work is refused: this node's store is full, or the worst node of the best quorum is below the
 * low mark. */
bool space_is_out(const struct partition *partition);

/* flush.c: the window, the checkpoint and the log's cut */
/* Payload bytes that the store does not have yet: of the window, and of the leader's head. */
size_t flush_window_bytes(const struct partition *partition);
/* More is applied than before. */
void flush_applied(struct partition *partition);
void flush_due(struct partition *partition);
void flush_done(struct partition *partition, struct job *job);
void flush_want(struct partition *partition, uint64_t index);
uint64_t flush_deadline_us(const struct partition *partition);

/* clients.c: connections and their frames */
struct connection *clients_find(const struct replica *replica, uint64_t number); /* or NULL */
void clients_frame(struct replica *replica, uint64_t connection, uint8_t type, struct bytes body);
void clients_closed(struct replica *replica, uint64_t connection);
void clients_announce(struct replica *replica); /* who leads, to everybody */
/* Of what changed nothing: an answer that no receiver would take becomes PAWL_E_LIMIT. */
void clients_respond(struct replica *replica, struct origin origin, enum pawl_error error,
                     struct bytes detail, struct bytes answer, uint64_t index);
/* In two parts: the frame of the response, appended to out (its bytes are returned), and its
 * leaving. In the place of one that no receiver would take there is only its error, or otherwise.
 */
size_t clients_encode_response(struct origin origin, enum pawl_error error, struct bytes detail,
                               struct bytes answer, uint64_t index, enum pawl_error otherwise,
                               struct buffer *out);
void clients_respond_with(struct replica *replica, struct origin origin, struct bytes frame);
/* Append a frame's body to out; its bytes. 0: no receiver would take it, out is as it was. */
size_t clients_encode(const struct schema *schema, const void *message, struct buffer *out);
void clients_send(struct replica *replica, uint64_t connection, uint8_t type,
                  const struct schema *schema, const void *message);
void clients_done(struct replica *replica);

/* status.c */
struct bytes status_answer(struct replica *replica, struct arena *arena);

#endif
