/* Dispatch: the sessions, and for each type those that serve it.
 *
 * 1. A type row exists exactly while some session serves the type; rows are sorted by name.
 * 2. The members of a type are in the order of their sessions' numbers, which rise with every new
 * session. Beside each stands whether its session has credit, by what has been adopted.
 * 3. A type's turn is the number of the session picked last; the next pick looks at higher numbers
 * first.
 * 4. A type stands in the list of offers exactly while steps of it may wait and a member has
 * credit.
 * 5. What is done for every step costs the logarithm of the number of sessions at most.
 */
#include "workflow/dispatch.h"

#include <assert.h>
#include <stdlib.h>

#include "workflow/decide.h"

struct type_row {
    struct bytes name; /* owned */
    struct session **members;
    uint8_t *is_free; /* of each member */
    size_t member_count, member_capacity;
    size_t free_count;
    uint64_t turn;
    bool has_waiting; /* steps of it may wait for a session */
    bool is_offer;
    struct type_row *offer_before, *offer_after;
};

struct session {
    struct id128 id;
    uint64_t number;
    uint32_t credit, taken;
    bool is_free;            /* as its types have it */
    struct type_row **types; /* that it serves */
    size_t type_count, type_capacity;
};

/* A session's id beside it: finding one touches no other session. */
struct session_place {
    struct id128 id;
    struct session *session;
};

struct dispatch {
    struct session_place *sessions; /* ascending by id */
    size_t session_count, session_capacity;
    struct type_row **types; /* ascending by name */
    size_t type_count, type_capacity;
    struct type_row *offer_first, *offer_last;
    uint64_t next_number;
};

static bool grow(void **rows, size_t *capacity, size_t count, size_t row_bytes)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = realloc(*rows, wanted * row_bytes);
    if (grown == NULL)
        return false;
    *rows = grown;
    *capacity = wanted;
    return true;
}

struct dispatch *dispatch_new(void)
{
    struct dispatch *dispatch = calloc(1, sizeof *dispatch);
    if (dispatch != NULL)
        dispatch->next_number = 1;
    return dispatch;
}

static void session_free(struct session *session)
{
    free(session->types);
    free(session);
}

static void type_free(struct type_row *type)
{
    free((void *)(uintptr_t)type->name.data);
    free(type->members);
    free(type->is_free);
    free(type);
}

void dispatch_clear(struct dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->session_count; i++)
        session_free(dispatch->sessions[i].session);
    for (size_t i = 0; i < dispatch->type_count; i++)
        type_free(dispatch->types[i]);
    dispatch->session_count = dispatch->type_count = 0;
    dispatch->offer_first = dispatch->offer_last = NULL;
}

void dispatch_free(struct dispatch *dispatch)
{
    if (dispatch == NULL)
        return;
    dispatch_clear(dispatch);
    free(dispatch->sessions);
    free(dispatch->types);
    free(dispatch);
}

/* ---- offers ---- */

static void offer_remove(struct dispatch *dispatch, struct type_row *type)
{
    if (type->offer_before != NULL)
        type->offer_before->offer_after = type->offer_after;
    else
        dispatch->offer_first = type->offer_after;
    if (type->offer_after != NULL)
        type->offer_after->offer_before = type->offer_before;
    else
        dispatch->offer_last = type->offer_before;
    type->is_offer = false;
}

static void offer_append(struct dispatch *dispatch, struct type_row *type)
{
    type->offer_after = NULL;
    type->offer_before = dispatch->offer_last;
    if (dispatch->offer_last != NULL)
        dispatch->offer_last->offer_after = type;
    else
        dispatch->offer_first = type;
    dispatch->offer_last = type;
    type->is_offer = true;
}

/* In the list or not, by what is so now. */
static void offer_settle(struct dispatch *dispatch, struct type_row *type)
{
    const bool is_offer = type->has_waiting && type->free_count > 0;
    if (is_offer && !type->is_offer)
        offer_append(dispatch, type);
    else if (!is_offer && type->is_offer)
        offer_remove(dispatch, type);
}

/* ---- finding ---- */

/* The place of a session, or the place where it would be inserted. */
static size_t session_place(const struct dispatch *dispatch, struct id128 id)
{
    size_t begin = 0, end = dispatch->session_count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (memcmp(dispatch->sessions[middle].id.byte, id.byte, sizeof id.byte) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static struct session *session_find(const struct dispatch *dispatch, struct id128 id)
{
    const size_t place = session_place(dispatch, id);
    if (place < dispatch->session_count && id128_equal(dispatch->sessions[place].id, id))
        return dispatch->sessions[place].session;
    return NULL;
}

static size_t type_place(const struct dispatch *dispatch, struct bytes name)
{
    size_t begin = 0, end = dispatch->type_count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (bytes_compare(dispatch->types[middle]->name, name) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static struct type_row *type_find(const struct dispatch *dispatch, struct bytes name)
{
    size_t place = type_place(dispatch, name);
    if (place < dispatch->type_count && bytes_equal(dispatch->types[place]->name, name))
        return dispatch->types[place];
    return NULL;
}

/* The first member whose session has this number or a higher one. */
static size_t member_place(const struct type_row *type, uint64_t number)
{
    size_t begin = 0, end = type->member_count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (type->members[middle]->number < number)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static bool is_member(const struct type_row *type, const struct session *session)
{
    const size_t place = member_place(type, session->number);
    return place < type->member_count && type->members[place] == session;
}

/* ---- types and their members ---- */

static struct type_row *type_new(struct bytes name)
{
    struct type_row *type = calloc(1, sizeof *type);
    uint8_t *copy = malloc(name.size + 1);
    if (type == NULL || copy == NULL) {
        free(type);
        free(copy);
        return NULL;
    }
    if (name.size > 0)
        memcpy(copy, name.data, name.size);
    type->name = bytes_of(copy, name.size);
    return type;
}

static struct type_row *type_insert(struct dispatch *dispatch, struct bytes name)
{
    struct type_row *type = type_find(dispatch, name);
    if (type != NULL)
        return type;
    if (!grow((void **)&dispatch->types, &dispatch->type_capacity, dispatch->type_count,
              sizeof(struct type_row *)) ||
        (type = type_new(name)) == NULL)
        return NULL;
    const size_t place = type_place(dispatch, name);
    memmove(dispatch->types + place + 1, dispatch->types + place,
            (dispatch->type_count - place) * sizeof(struct type_row *));
    dispatch->types[place] = type;
    dispatch->type_count++;
    return type;
}

static void type_remove(struct dispatch *dispatch, struct type_row *type)
{
    const size_t place = type_place(dispatch, type->name);
    if (type->is_offer)
        offer_remove(dispatch, type);
    dispatch->type_count--;
    memmove(dispatch->types + place, dispatch->types + place + 1,
            (dispatch->type_count - place) * sizeof(struct type_row *));
    type_free(type);
}

/* Room for one member more. */
static bool members_grow(struct type_row *type)
{
    size_t flag_capacity = type->member_capacity;
    return grow((void **)&type->is_free, &flag_capacity, type->member_count, 1) &&
           grow((void **)&type->members, &type->member_capacity, type->member_count,
                sizeof(struct session *));
}

static bool member_insert(struct dispatch *dispatch, struct type_row *type, struct session *session)
{
    if (is_member(type, session))
        return true;
    if (!members_grow(type) || !grow((void **)&session->types, &session->type_capacity,
                                     session->type_count, sizeof(struct type_row *)))
        return false;
    const size_t place = member_place(type, session->number);
    const size_t after = type->member_count - place;
    memmove(type->members + place + 1, type->members + place, after * sizeof(struct session *));
    memmove(type->is_free + place + 1, type->is_free + place, after);
    type->members[place] = session;
    type->is_free[place] = session->is_free;
    type->member_count++;
    type->free_count += session->is_free;
    session->types[session->type_count++] = type;
    offer_settle(dispatch, type);
    return true;
}

static void member_remove(struct dispatch *dispatch, struct type_row *type,
                          const struct session *session)
{
    const size_t place = member_place(type, session->number);
    const size_t after = type->member_count - place - 1;
    type->free_count -= type->is_free[place];
    memmove(type->members + place, type->members + place + 1, after * sizeof(struct session *));
    memmove(type->is_free + place, type->is_free + place + 1, after);
    type->member_count--;
    offer_settle(dispatch, type);
}

/* Take the session out of all types; types that nobody serves any more go. */
static void types_remove(struct dispatch *dispatch, struct session *session)
{
    for (size_t i = 0; i < session->type_count; i++) {
        member_remove(dispatch, session->types[i], session);
        if (session->types[i]->member_count == 0)
            type_remove(dispatch, session->types[i]);
    }
    session->type_count = 0;
}

/* ---- sessions ---- */

static struct session *session_add(struct dispatch *dispatch, struct id128 id)
{
    if (!grow((void **)&dispatch->sessions, &dispatch->session_capacity, dispatch->session_count,
              sizeof *dispatch->sessions))
        return NULL;
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->id = id;
    session->number = dispatch->next_number++;
    const size_t place = session_place(dispatch, id);
    memmove(dispatch->sessions + place + 1, dispatch->sessions + place,
            (dispatch->session_count - place) * sizeof *dispatch->sessions);
    dispatch->sessions[place] = (struct session_place){.id = id, .session = session};
    dispatch->session_count++;
    return session;
}

/* Its types know whether it has credit. */
static void session_settle(struct dispatch *dispatch, struct session *session)
{
    const bool is_free = session->taken < session->credit;
    if (is_free == session->is_free)
        return;
    session->is_free = is_free;
    for (size_t i = 0; i < session->type_count; i++) {
        struct type_row *type = session->types[i];
        type->is_free[member_place(type, session->number)] = is_free;
        type->free_count += is_free ? 1 : (size_t)-1;
        offer_settle(dispatch, type);
    }
}

static bool is_room_for(const struct dispatch *dispatch, const struct bytes *types,
                        size_t type_count)
{
    size_t new_count = 0;
    for (size_t i = 0; i < type_count; i++)
        new_count += type_find(dispatch, types[i]) == NULL;
    return dispatch->type_count + new_count <= TYPES_SERVED_MAX;
}

static enum pawl_error types_put(struct dispatch *dispatch, struct session *session,
                                 const struct bytes *types, size_t type_count)
{
    for (size_t i = 0; i < type_count; i++) {
        struct type_row *type = type_insert(dispatch, types[i]);
        if (type == NULL)
            return PAWL_E_NO_MEMORY;
        if (!member_insert(dispatch, type, session)) {
            if (type->member_count == 0)
                type_remove(dispatch, type);
            return PAWL_E_NO_MEMORY;
        }
    }
    return PAWL_OK;
}

/* Whether a put session offers exactly these types already: their turns are kept then. */
static bool types_are_same(const struct dispatch *dispatch, const struct session *session,
                           const struct bytes *types, size_t type_count)
{
    for (size_t i = 0; i < type_count; i++) {
        const struct type_row *type = type_find(dispatch, types[i]);
        if (type == NULL || !is_member(type, session))
            return false;
    }
    return session->type_count == type_count;
}

enum pawl_error dispatch_session_put(struct dispatch *dispatch, struct id128 id,
                                     const struct bytes *types, size_t type_count, uint32_t credit)
{
    if (type_count > SESSION_TYPES_MAX || credit > SESSION_CREDIT_MAX)
        return PAWL_E_LIMIT;
    for (size_t i = 0; i < type_count; i++)
        if (types[i].size == 0 || types[i].size > NAME_BYTES_MAX)
            return PAWL_E_INVALID;
    if (!is_room_for(dispatch, types, type_count))
        return PAWL_E_LIMIT;
    struct session *session = session_find(dispatch, id);
    if (session == NULL)
        session = session_add(dispatch, id);
    if (session == NULL)
        return PAWL_E_NO_MEMORY;
    session->credit = credit;
    session_settle(dispatch, session);
    if (types_are_same(dispatch, session, types, type_count))
        return PAWL_OK;
    types_remove(dispatch, session);
    return types_put(dispatch, session, types, type_count);
}

void dispatch_session_remove(struct dispatch *dispatch, struct id128 id)
{
    struct session *session = session_find(dispatch, id);
    if (session == NULL)
        return;
    const size_t place = session_place(dispatch, id);
    types_remove(dispatch, session);
    dispatch->session_count--;
    memmove(dispatch->sessions + place, dispatch->sessions + place + 1,
            (dispatch->session_count - place) * sizeof *dispatch->sessions);
    session_free(session);
}

bool dispatch_session_has(const struct dispatch *dispatch, struct id128 session)
{
    return session_find(dispatch, session) != NULL;
}

void dispatch_take(struct dispatch *dispatch, struct id128 id)
{
    struct session *session = session_find(dispatch, id);
    if (session == NULL)
        return;
    session->taken++;
    session_settle(dispatch, session);
}

void dispatch_give_back(struct dispatch *dispatch, struct id128 id)
{
    struct session *session = session_find(dispatch, id);
    if (session == NULL || session->taken == 0)
        return;
    session->taken--;
    session_settle(dispatch, session);
}

/* ---- what one decision does ---- */

static int32_t draft_taken(const struct dispatch_draft *draft, struct id128 session)
{
    for (size_t i = 0; i < draft->row_count; i++)
        if (id128_equal(draft->rows[i].session, session))
            return draft->rows[i].taken;
    return 0;
}

/* False: no memory. */
static bool draft_add(struct dispatch_draft *draft, struct id128 session, int32_t change)
{
    for (size_t i = 0; i < draft->row_count; i++) {
        if (id128_equal(draft->rows[i].session, session)) {
            draft->rows[i].taken += change;
            return true;
        }
    }
    struct dispatch_draft_row *rows = wf_array_grow(draft->arena, draft->rows, &draft->row_capacity,
                                                    draft->row_count, sizeof *rows);
    if (rows == NULL)
        return false;
    draft->rows = rows;
    rows[draft->row_count++] = (struct dispatch_draft_row){.session = session, .taken = change};
    return true;
}

void dispatch_draft_give_back(struct dispatch_draft *draft, struct id128 session)
{
    (void)draft_add(draft, session, -1); /* without memory the slot is only counted back later */
}

static struct dispatch_pick_row *draft_pick_of(const struct dispatch_draft *draft,
                                               struct bytes type)
{
    for (size_t i = 0; i < draft->pick_count; i++)
        if (bytes_equal(draft->picks[i].type, type))
            return &draft->picks[i];
    return NULL;
}

static bool draft_pick_put(struct dispatch_draft *draft, struct bytes type, uint64_t turn)
{
    struct dispatch_pick_row *row = draft_pick_of(draft, type);
    if (row != NULL) {
        row->turn = turn;
        return true;
    }
    struct bytes name = arena_copy(draft->arena, type);
    struct dispatch_pick_row *picks = wf_array_grow(
        draft->arena, draft->picks, &draft->pick_capacity, draft->pick_count, sizeof *picks);
    if (picks == NULL || name.data == NULL)
        return false;
    draft->picks = picks;
    picks[draft->pick_count++] = (struct dispatch_pick_row){.type = name, .turn = turn};
    return true;
}

static bool has_credit(const struct session *session, const struct dispatch_draft *draft)
{
    int64_t taken = (int64_t)session->taken + draft_taken(draft, session->id);
    return taken < (int64_t)session->credit;
}

/* How many others are looked at before this one. */
static uint64_t distance(const struct session *session, uint64_t turn)
{
    return session->number - turn - 1; /* lower numbers come last: it wraps */
}

static const struct session *nearer(const struct session *a, const struct session *b, uint64_t turn)
{
    if (a == NULL || (b != NULL && distance(b, turn) < distance(a, turn)))
        return b;
    return a;
}

/* Of the members in [begin, end), the first with credit that the draft has not used up. */
static const struct session *free_member(const struct type_row *type, size_t begin, size_t end,
                                         const struct dispatch_draft *draft)
{
    const uint8_t *found;
    while (begin < end && (found = memchr(type->is_free + begin, true, end - begin)) != NULL) {
        begin = (size_t)(found - type->is_free);
        if (has_credit(type->members[begin], draft))
            return type->members[begin];
        begin++;
    }
    return NULL;
}

/* The nearest member that has credit only by what the draft gives back. */
static const struct session *freed_member(const struct dispatch *dispatch,
                                          const struct type_row *type, uint64_t turn,
                                          const struct dispatch_draft *draft)
{
    const struct session *nearest = NULL;
    for (size_t i = 0; i < draft->row_count; i++) {
        if (draft->rows[i].taken >= 0)
            continue;
        const struct session *session = session_find(dispatch, draft->rows[i].session);
        if (session != NULL && !session->is_free && has_credit(session, draft) &&
            is_member(type, session))
            nearest = nearer(nearest, session, turn);
    }
    return nearest;
}

bool dispatch_pick(const struct dispatch *dispatch, struct bytes type_name,
                   struct dispatch_draft *draft, struct id128 *session_out)
{
    assert(draft->arena != NULL);
    const struct type_row *type = type_find(dispatch, type_name);
    if (type == NULL)
        return false;
    const struct dispatch_pick_row *pick = draft_pick_of(draft, type_name);
    const uint64_t turn = pick != NULL ? pick->turn : type->turn;
    const size_t first = member_place(type, turn + 1);
    const struct session *session = free_member(type, first, type->member_count, draft);
    if (session == NULL)
        session = free_member(type, 0, first, draft);
    session = nearer(session, freed_member(dispatch, type, turn, draft), turn);
    if (session == NULL || !draft_pick_put(draft, type_name, session->number) ||
        !draft_add(draft, session->id, 1))
        return false;
    *session_out = session->id;
    return true;
}

void dispatch_adopt(struct dispatch *dispatch, const struct dispatch_draft *draft)
{
    for (size_t i = 0; i < draft->pick_count; i++) {
        struct type_row *type = type_find(dispatch, draft->picks[i].type);
        if (type != NULL)
            type->turn = draft->picks[i].turn;
    }
}

/* ---- steps that wait ---- */

void dispatch_type_waits(struct dispatch *dispatch, struct bytes name, bool has_waiting)
{
    struct type_row *type = type_find(dispatch, name);
    if (type == NULL)
        return;
    type->has_waiting = has_waiting;
    offer_settle(dispatch, type);
}

bool dispatch_offer_take(struct dispatch *dispatch, struct bytes *type_out)
{
    struct type_row *type = dispatch->offer_first;
    if (type == NULL)
        return false;
    type->has_waiting = false;
    offer_remove(dispatch, type);
    *type_out = type->name;
    return true;
}
