/* State: the whole of one core, and the functions that the files of this room share.
 *
 * 1. hard is the present term and vote; handed is what the host was last told to write; durable
 *    is what it has reported as written. Each is at or behind the one before.
 * 2. stable_index is durable in this log as it now is: cutting the log's end lowers it.
 * 3. The fields under a role mean something only in that role, those under "this term" only
 *    while the term lasts.
 * 4. A function that may refuse does so before it changes anything.
 */
#ifndef RAFT_STATE_H
#define RAFT_STATE_H

#include "raft/log.h"
#include "raft/peer.h"
#include "raft/prng.h"
#include "raft/quorum.h"
#include "raft/raft.h"

/* Terms and indexes past this are no honest peer's: it leaves room to add without overflow. */
#define RAFT_NUMBER_MAX (UINT64_C(1) << 62)
/* The most by which one message may raise the term. A term near RAFT_NUMBER_MAX would be the last
 * one, and its cluster would never elect again. */
#define RAFT_TERM_RAISE_MAX (UINT64_C(1) << 32)
/* Appends to one peer in one step; the answers to them fetch the rest. */
#define RAFT_APPENDS_PER_STEP 16

struct raft_hard {
    raft_term term;
    raft_node vote;
};

/* What the present step has said. The entries of appends are filled in when the step ends. */
struct raft_outbox {
    struct raft_output *outputs;
    size_t count;
    size_t capacity; /* enough for any step, from the start */
    struct raft_entry *entries;
    size_t entry_count; /* that the appends so far need */
    size_t entry_capacity;
};

struct raft {
    struct raft_options options;
    struct raft_members members;
    uint32_t self; /* slot */
    struct raft_prng prng;
    struct raft_log log;
    struct raft_outbox outbox;
    struct raft_flight *flights; /* memory of the windows of all peers */

    enum raft_role role;
    raft_node leader;
    raft_index commit_index;
    uint64_t now_ms;
    uint64_t election_due_ms; /* not a leader */
    uint64_t leader_heard_ms; /* not a leader: the last append of the leader */
    uint32_t early_ms; /* not 0: the leader is held for gone, and a campaign waits no longer */
    bool was_late;     /* the last tick came so late that its news was not acted on */

    /* durability */
    struct raft_hard hard, handed, durable;
    raft_index handed_index;   /* last entry handed out to be written */
    raft_index truncate_index; /* to hand out with the next persist; 0: none */
    raft_index stable_index;

    /* this term */
    raft_index leader_match_index;  /* this log is the leader's up to here */
    raft_index leader_commit_index; /* as the leader told it with an append accepted here */
    raft_index acked_index;         /* last acknowledged to the leader */
    uint64_t leader_round;          /* highest round heard from the leader */
    bool is_vote_owed;              /* granted to hard.vote, not yet sent */
    bool has_asked_votes;           /* candidate: its own vote is durable, so it has asked */
    raft_slots granted;             /* candidates: who voted, or would */

    /* leader */
    struct raft_peer peers[RAFT_SLOTS_MAX]; /* by slot; that of self is not used */
    uint64_t heartbeat_due_ms;
    uint64_t quorum_floor_ms; /* the quorum check forgives silence before this */
    uint64_t uncommitted_bytes;
    uint64_t confirmed_round;
    uint64_t round; /* of reads; rises over all terms */

    bool is_vote_withheld;
    bool is_readmission_asked;
    raft_index readmit_index;
    raft_term told_term; /* while withheld: the highest that another node has told as its own */
    raft_slots told;     /* ... and the nodes that have told theirs */
    uint64_t ask_due_ms; /* ... and when the others are asked again */
};

/* raft.c */
static inline bool raft_is_learner(const struct raft *raft, uint32_t slot)
{
    return ((raft->members.voters | raft->members.old_voters) & raft_slots_of(slot)) == 0;
}

/* outbox.c: a zeroed output of the present step, valid until the step ends. */
bool raft_outbox_init(struct raft_outbox *outbox, uint32_t member_count);
void raft_outbox_done(struct raft_outbox *outbox);
struct raft_output *raft_emit(struct raft *raft, enum raft_output_kind kind);
/* A message of the present term to a member. */
struct raft_message *raft_emit_message(struct raft *raft, enum raft_message_kind kind,
                                       uint32_t slot);
/* Room for the entries of one more append. False: no memory; send it another time. */
bool raft_outbox_reserve_entries(struct raft_outbox *outbox, size_t entry_count);
void raft_outbox_finish(struct raft *raft);

/* message.c: could a correct peer have sent it? */
bool raft_message_is_sound(const struct raft *raft, const struct raft_message *message);

/* role.c */
void raft_become_follower(struct raft *raft, raft_term term, raft_node leader);
void raft_become_candidate(struct raft *raft);
void raft_become_leader(struct raft *raft);
void raft_tick(struct raft *raft);
void raft_arm_election(struct raft *raft);
/* The host holds it for gone. */
void raft_lose_peer(struct raft *raft, raft_node node);
/* Somebody else leads, or is about to: campaigns wait as usual. */
void raft_be_patient(struct raft *raft);
/* A leader has been heard within the least election timeout (thesis 4.2.3), and nothing has said
 * since that it is gone. */
bool raft_is_leader_live(const struct raft *raft);

/* vote.c */
void raft_ask_pre_votes(struct raft *raft);
void raft_ask_terms(struct raft *raft);
void raft_ask_votes_if_durable(struct raft *raft);
void raft_send_vote_if_durable(struct raft *raft);
enum raft_error raft_take_pre_vote(struct raft *raft, const struct raft_message *message);
enum raft_error raft_take_pre_vote_reply(struct raft *raft, const struct raft_message *message);
enum raft_error raft_take_vote(struct raft *raft, const struct raft_message *message);
enum raft_error raft_take_vote_reply(struct raft *raft, const struct raft_message *message);

/* append.c */
void raft_append_to_all(struct raft *raft);
void raft_heartbeat_to_all(struct raft *raft);
enum raft_error raft_take_append(struct raft *raft, const struct raft_message *message);
enum raft_error raft_take_append_reply(struct raft *raft, const struct raft_message *message);
void raft_ack_if_durable(struct raft *raft);

/* commit.c */
enum raft_error raft_propose(struct raft *raft, const struct raft_entry *entries,
                             size_t entry_count);
void raft_append_own(struct raft *raft, const struct raft_entry *entries, size_t entry_count);
void raft_commit_counted(struct raft *raft);
void raft_commit_to(struct raft *raft, raft_index index);

/* durable.c */
void raft_persist(struct raft *raft);
void raft_forget_from(struct raft *raft, raft_index first_index);
void raft_take_synced(struct raft *raft, const struct raft_synced *synced);
void raft_note_told_term(struct raft *raft, const struct raft_message *message);
/* Withheld: the voters that have not told their term since the start. */
raft_slots raft_untold(const struct raft *raft);
void raft_take_readmit(struct raft *raft, raft_index index);
void raft_readmit_if_filled(struct raft *raft);

/* read.c */
enum raft_error raft_read(struct raft *raft);
void raft_read_confirm(struct raft *raft);

#endif
