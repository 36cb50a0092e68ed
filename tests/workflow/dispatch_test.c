#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "workflow/dispatch.h"

static const struct bytes type_a = {(const uint8_t *)"a", 1}, type_b = {(const uint8_t *)"b", 1};

static struct id128 id(uint8_t number)
{
    return (struct id128){.byte = {number}};
}

static void put(struct dispatch *dispatch, uint8_t session, struct bytes type, uint32_t credit)
{
    assert_int_equal(dispatch_session_put(dispatch, id(session), &type, 1, credit), PAWL_OK);
}

/* The session picked in a draft of its own, which is adopted with its hand-out; 0: none. */
static uint8_t pick(struct dispatch *dispatch, struct bytes type)
{
    struct arena arena = {.limit = 0};
    struct dispatch_draft draft = {.arena = &arena};
    struct id128 session = id(0);
    if (dispatch_pick(dispatch, type, &draft, &session)) {
        dispatch_take(dispatch, session);
        dispatch_adopt(dispatch, &draft);
    }
    arena_done(&arena);
    return session.byte[0];
}

static void test_pick_with_several_sessions_takes_turns(void **state)
{
    (void)state;
    struct dispatch *dispatch = dispatch_new();
    put(dispatch, 1, type_a, 3);
    put(dispatch, 2, type_a, 2);
    put(dispatch, 3, type_b, 9);
    static const uint8_t wanted[] = {1, 2, 1, 2, 1, 0};
    for (size_t i = 0; i < sizeof wanted; i++)
        assert_int_equal(pick(dispatch, type_a), wanted[i]);
    dispatch_give_back(dispatch, id(2));
    assert_int_equal(pick(dispatch, type_a), 2);
    assert_int_equal(pick(dispatch, type_a), 0);
    dispatch_free(dispatch);
}

static void test_pick_within_one_draft_counts_what_it_took(void **state)
{
    (void)state;
    struct dispatch *dispatch = dispatch_new();
    struct arena arena = {.limit = 0};
    struct dispatch_draft draft = {.arena = &arena};
    struct id128 session;
    put(dispatch, 1, type_a, 1);
    put(dispatch, 2, type_a, 1);
    assert_true(dispatch_pick(dispatch, type_a, &draft, &session));
    assert_int_equal(session.byte[0], 1);
    assert_true(dispatch_pick(dispatch, type_a, &draft, &session));
    assert_int_equal(session.byte[0], 2);
    assert_false(dispatch_pick(dispatch, type_a, &draft, &session));
    dispatch_draft_give_back(&draft, id(1));
    assert_true(dispatch_pick(dispatch, type_a, &draft, &session));
    assert_int_equal(session.byte[0], 1);
    /* Nothing was adopted: a new draft begins where the first one did. */
    draft = (struct dispatch_draft){.arena = &arena};
    assert_true(dispatch_pick(dispatch, type_a, &draft, &session));
    assert_int_equal(session.byte[0], 1);
    arena_done(&arena);
    dispatch_free(dispatch);
}

static void test_session_that_reports_can_take_the_next_step(void **state)
{
    (void)state;
    struct dispatch *dispatch = dispatch_new();
    struct arena arena = {.limit = 0};
    struct dispatch_draft draft = {.arena = &arena};
    struct id128 session;
    put(dispatch, 1, type_a, 1);
    assert_int_equal(pick(dispatch, type_a), 1);
    assert_false(dispatch_pick(dispatch, type_a, &draft, &session));
    dispatch_draft_give_back(&draft, id(1));
    assert_true(dispatch_pick(dispatch, type_a, &draft, &session));
    arena_done(&arena);
    dispatch_free(dispatch);
}

static void test_session_put_again_keeps_what_it_took(void **state)
{
    (void)state;
    struct dispatch *dispatch = dispatch_new();
    const struct bytes both[] = {type_a, type_b};
    put(dispatch, 1, type_a, 2);
    assert_int_equal(pick(dispatch, type_a), 1);
    assert_int_equal(dispatch_session_put(dispatch, id(1), both, 2, 2), PAWL_OK);
    assert_int_equal(pick(dispatch, type_b), 1);
    assert_int_equal(pick(dispatch, type_b), 0);
    put(dispatch, 1, type_b, 3);
    assert_int_equal(pick(dispatch, type_a), 0);
    assert_int_equal(pick(dispatch, type_b), 1);
    put(dispatch, 1, type_b, 0); /* draining */
    dispatch_give_back(dispatch, id(1));
    assert_int_equal(pick(dispatch, type_b), 0);
    dispatch_free(dispatch);
}

static void test_session_removed_is_not_picked(void **state)
{
    (void)state;
    struct dispatch *dispatch = dispatch_new();
    put(dispatch, 1, type_a, 1);
    put(dispatch, 2, type_a, 1);
    assert_true(dispatch_session_has(dispatch, id(1)));
    dispatch_session_remove(dispatch, id(1));
    assert_false(dispatch_session_has(dispatch, id(1)));
    assert_int_equal(pick(dispatch, type_a), 2);
    dispatch_give_back(dispatch, id(1)); /* unknown: ignored */
    dispatch_take(dispatch, id(1));
    dispatch_clear(dispatch);
    assert_false(dispatch_session_has(dispatch, id(2)));
    assert_int_equal(pick(dispatch, type_a), 0);
    dispatch_free(dispatch);
}

static void test_session_whose_types_are_too_many_for_all_is_refused(void **state)
{
    (void)state;
    enum { SESSIONS = TYPES_SERVED_MAX / SESSION_TYPES_MAX };
    struct dispatch *dispatch = dispatch_new();
    char names[SESSION_TYPES_MAX][16];
    struct bytes types[SESSION_TYPES_MAX];
    for (unsigned session = 0; session <= SESSIONS; session++) {
        for (unsigned i = 0; i < SESSION_TYPES_MAX; i++) {
            snprintf(names[i], sizeof names[i], "%u.%u", session, i);
            types[i] = bytes_string(names[i]);
        }
        assert_int_equal(
            dispatch_session_put(dispatch, id((uint8_t)session), types, SESSION_TYPES_MAX, 1),
            session < SESSIONS ? PAWL_OK : PAWL_E_LIMIT);
    }
    assert_false(dispatch_session_has(dispatch, id(SESSIONS)));
    dispatch_session_remove(dispatch, id(0));
    assert_int_equal(dispatch_session_put(dispatch, id(SESSIONS), types, SESSION_TYPES_MAX, 1),
                     PAWL_OK);
    dispatch_free(dispatch);
}

static void test_session_past_its_limits_is_refused(void **state)
{
    (void)state;
    struct dispatch *dispatch = dispatch_new();
    struct bytes types[SESSION_TYPES_MAX + 1];
    static const uint8_t name[NAME_BYTES_MAX + 1] = {'x'};
    const struct bytes empty = {NULL, 0}, longer = {name, sizeof name};
    for (size_t i = 0; i <= SESSION_TYPES_MAX; i++)
        types[i] = type_a;
    assert_int_equal(dispatch_session_put(dispatch, id(1), types, SESSION_TYPES_MAX + 1, 1),
                     PAWL_E_LIMIT);
    assert_int_equal(dispatch_session_put(dispatch, id(1), &type_a, 1, SESSION_CREDIT_MAX + 1),
                     PAWL_E_LIMIT);
    assert_int_equal(dispatch_session_put(dispatch, id(1), &empty, 1, 1), PAWL_E_INVALID);
    assert_int_equal(dispatch_session_put(dispatch, id(1), &longer, 1, 1), PAWL_E_INVALID);
    assert_false(dispatch_session_has(dispatch, id(1)));
    assert_int_equal(dispatch_session_put(dispatch, id(1), types, SESSION_TYPES_MAX, 1), PAWL_OK);
    assert_int_equal(pick(dispatch, type_a), 1);
    dispatch_free(dispatch);
}

/* All offers, as they are taken; each name is one letter. */
static void assert_offers(struct dispatch *dispatch, const char *wanted)
{
    struct buffer names = {.limit = 0};
    struct bytes type;
    while (dispatch_offer_take(dispatch, &type))
        buffer_append(&names, type.data, type.size);
    assert_true(bytes_equal(buffer_bytes(&names), bytes_string(wanted)));
    buffer_done(&names);
}

static void test_offers_are_types_that_wait_and_that_somebody_would_take(void **state)
{
    (void)state;
    struct dispatch *dispatch = dispatch_new();
    put(dispatch, 1, type_b, 1);
    put(dispatch, 2, type_a, 1);
    assert_offers(dispatch, "");
    dispatch_type_waits(dispatch, type_b, true);
    dispatch_type_waits(dispatch, type_a, true);
    dispatch_type_waits(dispatch, BYTES_LITERAL("c"), true); /* nobody serves it */
    assert_offers(dispatch, "ba");
    assert_offers(dispatch, "");
    dispatch_type_waits(dispatch, type_a, true);
    assert_int_equal(pick(dispatch, type_a), 2);
    assert_offers(dispatch, "");
    dispatch_give_back(dispatch, id(2));
    assert_offers(dispatch, "a");
    dispatch_type_waits(dispatch, type_a, true);
    dispatch_type_waits(dispatch, type_a, false);
    assert_offers(dispatch, "");
    dispatch_type_waits(dispatch, type_b, true);
    dispatch_session_remove(dispatch, id(1));
    put(dispatch, 3, type_b, 1);
    assert_offers(dispatch, "");
    dispatch_type_waits(dispatch, type_b, true);
    put(dispatch, 3, type_b, 0);
    assert_offers(dispatch, "");
    put(dispatch, 3, type_b, 2);
    assert_offers(dispatch, "b");
    dispatch_free(dispatch);
}

/* ---- against a plain model ---- */

enum { MODEL_SESSIONS = 24, MODEL_TYPES = 5 };

struct model {
    struct model_session {
        bool is_there;
        bool serves[MODEL_TYPES];
        uint64_t number;
        int credit, taken;
    } sessions[MODEL_SESSIONS];
    uint64_t turns[MODEL_TYPES], last_number;
};

static uint64_t draw(uint64_t *state, uint64_t bound)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % bound;
}

static struct bytes model_name(const char *letters, size_t type)
{
    return bytes_of(letters + type, 1);
}

/* Who takes the next step of the type, when changes[] is taken beside what was adopted; -1: nobody.
 */
static int model_pick(const struct model *model, size_t type, uint64_t turn, const int *changes)
{
    int best = -1;
    for (int i = 0; i < MODEL_SESSIONS; i++) {
        const struct model_session *s = &model->sessions[i];
        if (!s->is_there || !s->serves[type] || s->taken + changes[i] >= s->credit)
            continue;
        if (best < 0 || s->number - turn - 1 < model->sessions[best].number - turn - 1)
            best = i;
    }
    return best;
}

/* A type that only this session serves is forgotten when the session's types are put anew. */
static void model_forget_turns(struct model *model, size_t who)
{
    for (size_t type = 0; type < MODEL_TYPES; type++) {
        bool is_served = false;
        for (size_t i = 0; i < MODEL_SESSIONS; i++)
            is_served = is_served || (i != who && model->sessions[i].serves[type]);
        if (!is_served)
            model->turns[type] = 0;
    }
}

static void model_put(struct model *model, struct dispatch *dispatch, uint64_t *seed,
                      const char *letters)
{
    const size_t who = draw(seed, MODEL_SESSIONS);
    struct model_session *s = &model->sessions[who];
    struct bytes types[MODEL_TYPES];
    size_t count = 0;
    if (!s->is_there)
        *s = (struct model_session){.is_there = true, .number = ++model->last_number};
    s->credit = (int)draw(seed, 4);
    bool is_changed = false;
    for (size_t type = 0; type < MODEL_TYPES; type++) {
        const bool serves = draw(seed, 2) == 0;
        is_changed = is_changed || serves != s->serves[type];
        s->serves[type] = serves;
        if (serves)
            types[count++] = model_name(letters, type);
    }
    assert_int_equal(
        dispatch_session_put(dispatch, id((uint8_t)who), types, count, (uint32_t)s->credit),
        PAWL_OK);
    if (is_changed)
        model_forget_turns(model, who);
}

/* One decision: what it gives back and takes is seen at once, and adopted at its end or not. */
static void model_decide(struct model *model, struct dispatch *dispatch, uint64_t *seed,
                         const char *letters)
{
    struct arena arena = {.limit = 0};
    struct dispatch_draft draft = {.arena = &arena};
    struct model next = *model;
    int changes[MODEL_SESSIONS] = {0};
    for (uint64_t i = draw(seed, 6); i > 0; i--) {
        const size_t type = draw(seed, MODEL_TYPES), giver = draw(seed, MODEL_SESSIONS);
        struct id128 session;
        const struct model_session *s = &model->sessions[giver];
        if (draw(seed, 3) == 0 && s->is_there && s->taken + changes[giver] > 0) {
            dispatch_draft_give_back(&draft, id((uint8_t)giver));
            changes[giver]--;
            continue;
        }
        const int wanted = model_pick(model, type, next.turns[type], changes);
        const bool is_picked = dispatch_pick(dispatch, model_name(letters, type), &draft, &session);
        assert_int_equal(is_picked, wanted >= 0);
        if (!is_picked)
            continue;
        assert_int_equal(session.byte[0], wanted);
        changes[wanted]++;
        next.turns[type] = model->sessions[wanted].number;
    }
    for (int i = 0; i < MODEL_SESSIONS && draw(seed, 40) != 0; i++) {
        next.sessions[i].taken += changes[i];
        for (int k = 0; k < changes[i]; k++)
            dispatch_take(dispatch, id((uint8_t)i));
        for (int k = 0; k > changes[i]; k--)
            dispatch_give_back(dispatch, id((uint8_t)i));
    }
    dispatch_adopt(dispatch, &draft);
    for (int i = 0; i < MODEL_SESSIONS; i++)
        model->sessions[i].taken = next.sessions[i].taken;
    memcpy(model->turns, next.turns, sizeof model->turns);
    arena_done(&arena);
}

static void test_dispatch_at_random_picks_as_a_plain_model_does(void **state)
{
    (void)state;
    static const char letters[] = "pqrst";
    uint64_t seed = 20;
    struct model model = {.last_number = 0};
    struct dispatch *dispatch = dispatch_new();
    for (int i = 0; i < 20000; i++) {
        const uint64_t what = draw(&seed, 12);
        const size_t who = draw(&seed, MODEL_SESSIONS);
        if (what == 0)
            model_put(&model, dispatch, &seed, letters);
        else if (what == 1 && draw(&seed, 4) == 0 && model.sessions[who].is_there) {
            memset(model.sessions[who].serves, 0, sizeof model.sessions[who].serves);
            model_forget_turns(&model, who);
            assert_int_equal(dispatch_session_put(dispatch, id((uint8_t)who), NULL, 0, 0), PAWL_OK);
            model.sessions[who].credit = 0;
        } else if (what == 2 && model.sessions[who].taken > 0) {
            model.sessions[who].taken--;
            dispatch_give_back(dispatch, id((uint8_t)who));
        } else
            model_decide(&model, dispatch, &seed, letters);
    }
    dispatch_free(dispatch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pick_with_several_sessions_takes_turns),
        cmocka_unit_test(test_pick_within_one_draft_counts_what_it_took),
        cmocka_unit_test(test_session_that_reports_can_take_the_next_step),
        cmocka_unit_test(test_session_put_again_keeps_what_it_took),
        cmocka_unit_test(test_session_removed_is_not_picked),
        cmocka_unit_test(test_session_whose_types_are_too_many_for_all_is_refused),
        cmocka_unit_test(test_session_past_its_limits_is_refused),
        cmocka_unit_test(test_offers_are_types_that_wait_and_that_somebody_would_take),
        cmocka_unit_test(test_dispatch_at_random_picks_as_a_plain_model_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
