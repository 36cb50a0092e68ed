/* Dispatch: sessions in the order in which they came, and for each type the sessions that serve it.
 *
 * 1. A type row exists exactly while some session serves the type; rows are sorted by name.
 * 2. The members of a type are in the order of their sessions' numbers, which rise with every new
 * session.
 * 3. A type's turn is the number of the session picked last; the next pick looks at higher numbers
 * first.
 */
#include "workflow/dispatch.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/limits.h"

struct session {
    struct id128 id;
    uint64_t number;
    uint32_t credit, taken;
};

struct type_row {
    struct bytes name; /* owned */
    struct session **members;
    size_t member_count, member_capacity;
    uint64_t turn;
};

struct dispatch {
    struct session **sessions; /* ascending by number */
    size_t session_count, session_capacity;
    struct type_row *types; /* ascending by name */
    size_t type_count, type_capacity;
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

static void type_done(struct type_row *type)
{
    free((void *)(uintptr_t)type->name.data);
    free(type->members);
}

void dispatch_clear(struct dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->session_count; i++)
        free(dispatch->sessions[i]);
    for (size_t i = 0; i < dispatch->type_count; i++)
        type_done(&dispatch->types[i]);
    dispatch->session_count = dispatch->type_count = 0;
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

static struct session *session_find(const struct dispatch *dispatch, struct id128 id)
{
    for (size_t i = 0; i < dispatch->session_count; i++)
        if (id128_equal(dispatch->sessions[i]->id, id))
            return dispatch->sessions[i];
    return NULL;
}

/* The place of a type, or the place where it would be inserted. */
static size_t type_place(const struct dispatch *dispatch, struct bytes name)
{
    size_t begin = 0, end = dispatch->type_count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (bytes_compare(dispatch->types[middle].name, name) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static struct type_row *type_find(const struct dispatch *dispatch, struct bytes name)
{
    size_t place = type_place(dispatch, name);
    if (place < dispatch->type_count && bytes_equal(dispatch->types[place].name, name))
        return &dispatch->types[place];
    return NULL;
}

static struct type_row *type_insert(struct dispatch *dispatch, struct bytes name)
{
    struct type_row *found = type_find(dispatch, name);
    if (found != NULL)
        return found;
    if (!grow((void **)&dispatch->types, &dispatch->type_capacity, dispatch->type_count,
              sizeof *dispatch->types))
        return NULL;
    uint8_t *copy = malloc(name.size + 1);
    if (copy == NULL)
        return NULL;
    if (name.size > 0)
        memcpy(copy, name.data, name.size);
    size_t place = type_place(dispatch, name);
    struct type_row *row = &dispatch->types[place];
    memmove(row + 1, row, (dispatch->type_count - place) * sizeof *row);
    *row = (struct type_row){.name = bytes_of(copy, name.size)};
    dispatch->type_count++;
    return row;
}

static bool member_insert(struct type_row *type, struct session *session)
{
    if (!grow((void **)&type->members, &type->member_capacity, type->member_count,
              sizeof(struct session *)))
        return false;
    size_t place = type->member_count;
    while (place > 0 && type->members[place - 1]->number >= session->number)
        place--;
    if (place < type->member_count && type->members[place] == session)
        return true;
    memmove(type->members + place + 1, type->members + place,
            (type->member_count - place) * sizeof(struct session *));
    type->members[place] = session;
    type->member_count++;
    return true;
}

/* Take the session out of all types; types that nobody serves any more go. */
static void members_remove(struct dispatch *dispatch, const struct session *session)
{
    size_t kept = 0;
    for (size_t i = 0; i < dispatch->type_count; i++) {
        struct type_row *type = &dispatch->types[i];
        size_t member_kept = 0;
        for (size_t k = 0; k < type->member_count; k++)
            if (type->members[k] != session)
                type->members[member_kept++] = type->members[k];
        type->member_count = member_kept;
        if (member_kept == 0)
            type_done(type);
        else
            dispatch->types[kept++] = *type;
    }
    dispatch->type_count = kept;
}

static struct session *session_add(struct dispatch *dispatch, struct id128 id)
{
    if (!grow((void **)&dispatch->sessions, &dispatch->session_capacity, dispatch->session_count,
              sizeof(struct session *)))
        return NULL;
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    *session = (struct session){.id = id, .number = dispatch->next_number++};
    dispatch->sessions[dispatch->session_count++] = session;
    return session;
}

static bool is_room_for(const struct dispatch *dispatch, const struct bytes *types,
                        size_t type_count)
{
    size_t new_count = 0;
    for (size_t i = 0; i < type_count; i++)
        new_count += type_find(dispatch, types[i]) == NULL;
    return dispatch->type_count + new_count <= TYPES_SERVED_MAX;
}

/* The turns of the types are kept while a session's own types are put anew. */
static enum pawl_error types_put(struct dispatch *dispatch, struct session *session,
                                 const struct bytes *types, size_t type_count)
{
    for (size_t i = 0; i < type_count; i++) {
        struct type_row *type = type_insert(dispatch, types[i]);
        if (type == NULL || !member_insert(type, session))
            return PAWL_E_NO_MEMORY;
    }
    return PAWL_OK;
}

/* Whether a put session offers exactly these types already. */
static bool types_are_same(const struct dispatch *dispatch, const struct session *session,
                           const struct bytes *types, size_t type_count)
{
    size_t served = 0;
    for (size_t i = 0; i < dispatch->type_count; i++)
        for (size_t k = 0; k < dispatch->types[i].member_count; k++)
            served += dispatch->types[i].members[k] == session;
    for (size_t i = 0; i < type_count; i++) {
        const struct type_row *type = type_find(dispatch, types[i]);
        bool is_member = false;
        for (size_t k = 0; type != NULL && k < type->member_count; k++)
            is_member = is_member || type->members[k] == session;
        if (!is_member)
            return false;
    }
    return served == type_count;
}

enum pawl_error dispatch_session_put(struct dispatch *dispatch, struct id128 id,
                                     const struct bytes *types, size_t type_count, uint32_t credit)
{
    if (type_count > SESSION_TYPES_MAX || credit > SESSION_CREDIT_MAX)
        return PAWL_E_LIMIT;
    for (size_t i = 0; i < type_count; i++)
        if (types[i].size == 0 || types[i].size > NAME_BYTES_MAX)
            return PAWL_E_LIMIT;
    if (!is_room_for(dispatch, types, type_count))
        return PAWL_E_LIMIT;
    struct session *session = session_find(dispatch, id);
    if (session == NULL)
        session = session_add(dispatch, id);
    if (session == NULL)
        return PAWL_E_NO_MEMORY;
    session->credit = credit;
    if (types_are_same(dispatch, session, types, type_count))
        return PAWL_OK;
    members_remove(dispatch, session);
    return types_put(dispatch, session, types, type_count);
}

void dispatch_session_remove(struct dispatch *dispatch, struct id128 id)
{
    for (size_t i = 0; i < dispatch->session_count; i++) {
        struct session *session = dispatch->sessions[i];
        if (!id128_equal(session->id, id))
            continue;
        members_remove(dispatch, session);
        memmove(dispatch->sessions + i, dispatch->sessions + i + 1,
                (dispatch->session_count - i - 1) * sizeof(struct session *));
        dispatch->session_count--;
        free(session);
        return;
    }
}

bool dispatch_session_has(const struct dispatch *dispatch, struct id128 session)
{
    return session_find(dispatch, session) != NULL;
}

void dispatch_take(struct dispatch *dispatch, struct id128 id)
{
    struct session *session = session_find(dispatch, id);
    if (session != NULL)
        session->taken++;
}

void dispatch_give_back(struct dispatch *dispatch, struct id128 id)
{
    struct session *session = session_find(dispatch, id);
    if (session != NULL && session->taken > 0)
        session->taken--;
}

static void *arena_grow(struct arena *arena, void *rows, size_t *capacity, size_t count,
                        size_t row_bytes)
{
    if (count < *capacity)
        return rows;
    size_t wanted = *capacity == 0 ? 4 : *capacity * 2;
    void *grown = arena_array(arena, wanted, row_bytes);
    if (grown == NULL)
        return NULL;
    if (count > 0)
        memcpy(grown, rows, count * row_bytes);
    *capacity = wanted;
    return grown;
}

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
    struct dispatch_draft_row *rows =
        arena_grow(draft->arena, draft->rows, &draft->row_capacity, draft->row_count, sizeof *rows);
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

static bool draft_pick_put(struct dispatch_draft *draft, struct bytes type, struct id128 session)
{
    struct dispatch_pick_row *row = draft_pick_of(draft, type);
    if (row != NULL) {
        row->session = session;
        return true;
    }
    struct bytes name = arena_copy(draft->arena, type);
    struct dispatch_pick_row *picks = arena_grow(draft->arena, draft->picks, &draft->pick_capacity,
                                                 draft->pick_count, sizeof *picks);
    if (picks == NULL || name.data == NULL)
        return false;
    draft->picks = picks;
    picks[draft->pick_count++] = (struct dispatch_pick_row){.type = name, .session = session};
    return true;
}

static bool has_credit(const struct session *session, const struct dispatch_draft *draft)
{
    int64_t taken = (int64_t)session->taken + draft_taken(draft, session->id);
    return taken < (int64_t)session->credit;
}

static uint64_t turn_of(const struct dispatch *dispatch, const struct type_row *type,
                        const struct dispatch_draft *draft)
{
    const struct dispatch_pick_row *pick = draft_pick_of(draft, type->name);
    const struct session *picked = pick == NULL ? NULL : session_find(dispatch, pick->session);
    return picked != NULL ? picked->number : type->turn;
}

bool dispatch_pick(const struct dispatch *dispatch, struct bytes type_name,
                   struct dispatch_draft *draft, struct id128 *session_out)
{
    assert(draft->arena != NULL);
    const struct type_row *type = type_find(dispatch, type_name);
    if (type == NULL)
        return false;
    uint64_t turn = turn_of(dispatch, type, draft);
    size_t first = 0;
    while (first < type->member_count && type->members[first]->number <= turn)
        first++;
    for (size_t i = 0; i < type->member_count; i++) {
        const struct session *session = type->members[(first + i) % type->member_count];
        if (!has_credit(session, draft))
            continue;
        if (!draft_pick_put(draft, type_name, session->id) || !draft_add(draft, session->id, 1))
            return false;
        *session_out = session->id;
        return true;
    }
    return false;
}

void dispatch_adopt(struct dispatch *dispatch, const struct dispatch_draft *draft)
{
    for (size_t i = 0; i < draft->pick_count; i++) {
        struct type_row *type = type_find(dispatch, draft->picks[i].type);
        const struct session *session = session_find(dispatch, draft->picks[i].session);
        if (type != NULL && session != NULL)
            type->turn = session->number;
    }
}

void dispatch_each_free_type(const struct dispatch *dispatch,
                             void (*each)(void *user, struct bytes type), void *user)
{
    static const struct dispatch_draft none;
    for (size_t i = 0; i < dispatch->type_count; i++) {
        const struct type_row *type = &dispatch->types[i];
        bool is_free = false;
        for (size_t k = 0; k < type->member_count && !is_free; k++)
            is_free = has_credit(type->members[k], &none);
        if (is_free)
            each(user, type->name);
    }
}
