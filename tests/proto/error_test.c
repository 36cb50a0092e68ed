#include "proto/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/value.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Numbers that have left the house: none of them may ever change. */
static const struct {
    enum pawl_error error;
    int number;
    const char *name;
    int http;
} shipped[] = {
    {PAWL_OK, 0, "OK", 200},
    {PAWL_E_INVALID, 1, "INVALID", 400},
    {PAWL_E_NO_MEMORY, 2, "NO_MEMORY", 503},
    {PAWL_E_LIMIT, 3, "LIMIT", 413},
    {PAWL_E_UNSUPPORTED, 4, "UNSUPPORTED", 422},
    {PAWL_E_EXPRESSION, 5, "EXPRESSION", 422},
    {PAWL_E_TIMEOUT, 7, "TIMEOUT", 504},
    {PAWL_E_NOT_LEADER, 21, "NOT_LEADER", 421},
    {PAWL_E_BUSY, 23, "BUSY", 503},
    {PAWL_E_UNKNOWN_OUTCOME, 24, "UNKNOWN_OUTCOME", 503},
    {PAWL_E_NOT_FOUND, 40, "NOT_FOUND", 404},
    {PAWL_E_EXISTS, 41, "EXISTS", 409},
    {PAWL_E_STALE, 43, "STALE", 409},
    {PAWL_E_CORRUPT, 81, "CORRUPT", 500},
    {PAWL_E_INTERNAL, 99, "INTERNAL", 500},
};

static void test_error_numbers_that_shipped_keep_their_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(shipped); i++) {
        assert_int_equal(shipped[i].error, shipped[i].number);
        assert_string_equal(pawl_error_name(shipped[i].error), shipped[i].name);
        assert_int_equal(pawl_error_http(shipped[i].error), shipped[i].http);
        assert_int_equal(pawl_error_from_wire((unsigned)shipped[i].number), shipped[i].error);
    }
}

static const enum pawl_error all[] = {
#define PAWL_ERROR(name, number, http, outcome, retryable, text) PAWL_E_##name,
#include "proto/errors.def"
#undef PAWL_ERROR
};

static void test_error_list_has_no_number_or_name_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(all[i], all[j]);
            assert_string_not_equal(pawl_error_name(all[i]), pawl_error_name(all[j]));
        }
}

static void test_error_rows_are_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        const int http = pawl_error_http(all[i]);
        assert_true(all[i] > 0);
        assert_true(http >= 400 && http < 600);
        assert_true(strlen(pawl_error_text(all[i])) > 10);
        assert_int_equal(pawl_error_from_wire((unsigned long long)all[i]), all[i]);
    }
}

static void test_error_outcome_says_when_it_may_have_happened(void **state)
{
    (void)state;
    assert_int_equal(pawl_error_outcome(PAWL_E_INVALID), PAWL_OUTCOME_NONE);
    assert_int_equal(pawl_error_outcome(PAWL_E_NOT_LEADER), PAWL_OUTCOME_NONE);
    assert_int_equal(pawl_error_outcome(PAWL_E_TIMEOUT), PAWL_OUTCOME_UNKNOWN);
    assert_int_equal(pawl_error_outcome(PAWL_E_NETWORK), PAWL_OUTCOME_UNKNOWN);
    assert_int_equal(pawl_error_outcome(PAWL_E_UNKNOWN_OUTCOME), PAWL_OUTCOME_UNKNOWN);
    assert_true(pawl_error_is_retryable(PAWL_E_BUSY));
    assert_false(pawl_error_is_retryable(PAWL_E_INVALID));
    assert_false(pawl_error_is_retryable(PAWL_OK));
}

static void test_error_from_wire_of_an_unknown_number_is_internal(void **state)
{
    (void)state;
    static const unsigned long long numbers[] = {9999, 1ULL << 32, (1ULL << 32) + 1, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        assert_int_equal(pawl_error_from_wire(numbers[i]), PAWL_E_INTERNAL);
    assert_int_equal(pawl_error_from_wire(0), PAWL_OK);
}

static void test_error_of_a_newer_version_is_named_and_final(void **state)
{
    (void)state;
    const enum pawl_error newer = (enum pawl_error)77;
    assert_string_equal(pawl_error_name(newer), "UNKNOWN_ERROR");
    assert_int_equal(pawl_error_http(newer), 500);
    assert_int_equal(pawl_error_outcome(newer), PAWL_OUTCOME_UNKNOWN);
    assert_false(pawl_error_is_retryable(newer));
}

static void test_diag_fail_returns_the_error_and_cuts_the_text(void **state)
{
    (void)state;
    struct pawl_diag diag = {.line = 3, .column = 4};
    char longer[1000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(diag_fail(&diag, PAWL_E_LIMIT, "%d of %s", 7, "them"), PAWL_E_LIMIT);
    assert_string_equal(diag.text, "7 of them");
    assert_int_equal(diag.line, 3);
    assert_int_equal(diag_fail(&diag, PAWL_E_LIMIT, "%s", longer), PAWL_E_LIMIT);
    assert_in_range(strlen(diag.text), sizeof diag.text - 2, sizeof diag.text - 1);
    assert_int_equal(diag_fail(NULL, PAWL_E_INVALID, "nobody listens"), PAWL_E_INVALID);
}

static void test_diag_fail_cuts_between_two_characters(void **state)
{
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa6\xb7"};
    (void)state;
    for (size_t i = 0; i < sizeof characters / sizeof characters[0]; i++)
        for (size_t before = 0; before < 4; before++) {
            struct pawl_diag diag;
            char longer[1000] = "xxx";
            longer[before] = '\0';
            while (strlen(longer) < 900)
                strcat(longer, characters[i]);
            (void)diag_fail(&diag, PAWL_E_LIMIT, "%s", longer);
            assert_true(utf8_is_valid(bytes_string(diag.text)));
            assert_in_range(strlen(diag.text), sizeof diag.text - 5, sizeof diag.text - 1);
        }
}

static enum pawl_error leaves_at(enum pawl_error first, int *reached)
{
    *reached = 1;
    TRY(first);
    *reached = 2;
    return PAWL_OK;
}

static void test_try_leaves_on_an_error_and_goes_on_otherwise(void **state)
{
    (void)state;
    int reached;
    assert_int_equal(leaves_at(PAWL_E_BUSY, &reached), PAWL_E_BUSY);
    assert_int_equal(reached, 1);
    assert_int_equal(leaves_at(PAWL_OK, &reached), PAWL_OK);
    assert_int_equal(reached, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_numbers_that_shipped_keep_their_meaning),
        cmocka_unit_test(test_error_list_has_no_number_or_name_twice),
        cmocka_unit_test(test_error_rows_are_complete),
        cmocka_unit_test(test_error_outcome_says_when_it_may_have_happened),
        cmocka_unit_test(test_error_from_wire_of_an_unknown_number_is_internal),
        cmocka_unit_test(test_error_of_a_newer_version_is_named_and_final),
        cmocka_unit_test(test_diag_fail_returns_the_error_and_cuts_the_text),
        cmocka_unit_test(test_diag_fail_cuts_between_two_characters),
        cmocka_unit_test(test_try_leaves_on_an_error_and_goes_on_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
