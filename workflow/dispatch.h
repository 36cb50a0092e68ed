/* Dispatch: which worker takes a step. Pure bookkeeping of sessions, the types they serve and their
 * credit.
 *
 * 1. A session has `credit` slots and `taken` of them in use; it takes a step only while taken <
 * credit.
 * 2. Picking is fair: the sessions of a type take turns.
 * 3. Deterministic: the order of sessions is the order in which they were put.
 */
#ifndef PAWL_WORKFLOW_DISPATCH_H
#define PAWL_WORKFLOW_DISPATCH_H

#include "proto/arena.h"
#include "proto/error.h"

struct dispatch;

struct dispatch *dispatch_new(void); /* NULL: no memory */
void dispatch_free(struct dispatch *dispatch);
/* Forget all sessions. */
void dispatch_clear(struct dispatch *dispatch);

/* Add a session or change what it offers; `taken` stays. types are copied. PAWL_E_NO_MEMORY,
 * PAWL_E_LIMIT; PAWL_E_INVALID: a type of no bytes, or of more than NAME_BYTES_MAX. */
MUST_USE enum pawl_error dispatch_session_put(struct dispatch *dispatch, struct id128 session,
                                              const struct bytes *types, size_t type_count,
                                              uint32_t credit);
void dispatch_session_remove(struct dispatch *dispatch, struct id128 session);
bool dispatch_session_has(const struct dispatch *dispatch, struct id128 session);
/* A hand-out was recorded / ended. A session that is not known is ignored. */
void dispatch_take(struct dispatch *dispatch, struct id128 session);
void dispatch_give_back(struct dispatch *dispatch, struct id128 session);

/* What one decision has taken and given back so far, before it is adopted. Zeroed is empty. */
struct dispatch_draft {
    struct dispatch_draft_row {
        struct id128 session;
        int32_t taken; /* taken minus given back by this decision */
    } * rows;          /* in the arena */
    size_t row_count, row_capacity;
    struct dispatch_pick_row {
        struct bytes type;
        uint64_t turn; /* the number of the session picked last for the type */
    } * picks;         /* in the arena */
    size_t pick_count, pick_capacity;
    struct arena *arena;
};

/* The session that takes the next step of a type, counting the draft in and adding to it. False:
 * none has credit. */
bool dispatch_pick(const struct dispatch *dispatch, struct bytes type, struct dispatch_draft *draft,
                   struct id128 *session_out);
/* The draft's session gave one back (its report is being decided). */
void dispatch_draft_give_back(struct dispatch_draft *draft, struct id128 session);
/* After a decision was adopted: turn-taking moves on past the session picked last for each type. */
void dispatch_adopt(struct dispatch *dispatch, const struct dispatch_draft *draft);

/* Steps of the type may wait for a session, or none does. A type that nobody serves is not
 * remembered: when a session is put, say again what may wait for it. */
void dispatch_type_waits(struct dispatch *dispatch, struct bytes type, bool has_waiting);
/* The next type of which steps may wait and which a session with credit serves. It counts as not
 * waiting from now on, until that is said again; types take turns. The name lives until the next
 * put or removal. False: there is none. */
bool dispatch_offer_take(struct dispatch *dispatch, struct bytes *type_out);

#endif
