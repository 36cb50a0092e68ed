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
    assert_int_equal(dispatch_session_put(dispatch, id(1), &empty, 1, 1), PAWL_E_LIMIT);
    assert_int_equal(dispatch_session_put(dispatch, id(1), &longer, 1, 1), PAWL_E_LIMIT);
    assert_false(dispatch_session_has(dispatch, id(1)));
    assert_int_equal(dispatch_session_put(dispatch, id(1), types, SESSION_TYPES_MAX, 1), PAWL_OK);
    assert_int_equal(pick(dispatch, type_a), 1);
    dispatch_free(dispatch);
}

static void note(void *user, struct bytes type)
{
    struct buffer *names = user;
    buffer_append(names, type.data, type.size);
}

static void test_free_types_are_those_that_somebody_would_take(void **state)
{
    (void)state;
    struct dispatch *dispatch = dispatch_new();
    struct buffer names = {.limit = 0};
    put(dispatch, 1, type_b, 1);
    put(dispatch, 2, type_a, 1);
    dispatch_each_free_type(dispatch, note, &names);
    assert_true(bytes_equal(buffer_bytes(&names), BYTES_LITERAL("ab")));
    buffer_reset(&names);
    assert_int_equal(pick(dispatch, type_a), 2);
    dispatch_each_free_type(dispatch, note, &names);
    assert_true(bytes_equal(buffer_bytes(&names), BYTES_LITERAL("b")));
    buffer_done(&names);
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
        cmocka_unit_test(test_free_types_are_those_that_somebody_would_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
