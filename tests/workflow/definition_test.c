#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "workflow/task.h"

#define HEAD "document: { dsl: '1.0.3', namespace: n, name: d, version: '1.0.0' }\n"

struct wrong {
    const char *text;
    enum pawl_error error;
    int line, column;
    const char *message; /* part of it */
};

static void check_wrong(const struct wrong *rows, size_t count)
{
    size_t failures = 0;
    for (size_t i = 0; i < count; i++) {
        struct definition *definition = NULL;
        struct pawl_diag diag = {.line = 0};
        enum pawl_error error = definition_read(bytes_string(rows[i].text), &definition, &diag);
        bool is_right = error == rows[i].error && diag.line == rows[i].line &&
                        diag.column == rows[i].column && strstr(diag.text, rows[i].message) != NULL;
        if (!is_right)
            print_error("row %zu: %s at %d:%d: %s\n  for\n%s\n", i, pawl_error_name(error),
                        diag.line, diag.column, diag.text, rows[i].text);
        failures += !is_right;
        assert_null(definition);
    }
    assert_int_equal(failures, 0);
}
#define CHECK_WRONG(rows) check_wrong(rows, sizeof(rows) / sizeof(rows)[0])

static struct definition *read_right(const char *text)
{
    struct definition *definition = NULL;
    struct pawl_diag diag = {.line = 0};
    enum pawl_error error = definition_read(bytes_string(text), &definition, &diag);
    if (error != PAWL_OK)
        print_error("%s at %d:%d: %s\n  for\n%s\n", pawl_error_name(error), diag.line, diag.column,
                    diag.text, text);
    assert_int_equal(error, PAWL_OK);
    return definition;
}

static void test_document_that_is_wrong_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct wrong rows[] = {
        {"", PAWL_E_INVALID, 0, 0, "empty"},
        {"[]", PAWL_E_INVALID, 1, 1, "a definition is a list; it must be a map"},
        {"do: []", PAWL_E_INVALID, 1, 1, "lacks 'document'"},
        {"document: { dsl: 1.0, namespace: n, name: d, version: '1.0.0' }\ndo: []", PAWL_E_INVALID,
         1, 18, "quotes"},
        {"document: { dsl: '0.8', namespace: n, name: d, version: '1.0.0' }\ndo: []",
         PAWL_E_INVALID, 1, 18, "no version"},
        {"document: { dsl: '2.0.0', namespace: n, name: d, version: '1.0.0' }\ndo: []",
         PAWL_E_UNSUPPORTED, 1, 18, "version 1.0"},
        {"document: { dsl: '1.0.0', namespace: n_, name: d, version: '1.0.0' }\ndo: []",
         PAWL_E_INVALID, 1, 38, "namespace 'n_'"},
        {"document: { dsl: '1.0.0', namespace: n, name: d, version: '1.0' }\ndo: []",
         PAWL_E_INVALID, 1, 59, "semantic version"},
        {"document: { dsl: '1.0.0', namespace: n, nam: d, version: '1.0.0' }\ndo: []",
         PAWL_E_INVALID, 1, 41, "did you mean 'name'?"},
        {HEAD "do: []", PAWL_E_INVALID, 2, 5, "without tasks"},
        {HEAD "outptu: []", PAWL_E_INVALID, 2, 1, "did you mean 'output'?"},
        {HEAD "do: { a: { set: {} } }", PAWL_E_INVALID, 2, 5, "a list"},
        {HEAD "do: [ a ]", PAWL_E_INVALID, 2, 7, "a map"},
        {HEAD "schedule: { every: PT1S }\ndo: []", PAWL_E_UNSUPPORTED, 2, 1, "schedule"},
        {HEAD "evaluate: { language: js }\ndo: []", PAWL_E_UNSUPPORTED, 2, 23, "jq"},
        {HEAD "evaluate: { mode: loose }\ndo: []", PAWL_E_UNSUPPORTED, 2, 19, "strict"},
        {HEAD "use: { secrets: [ a ] }\ndo: []", PAWL_E_UNSUPPORTED, 2, 8, "secrets"},
        {HEAD "input: { schema: {} }\ndo: []", PAWL_E_UNSUPPORTED, 2, 10, "schemas"},
        {"document: { dsl: '1.0.3', namespace: n, name: d, version: '1.0.0', metadata: { pawl: { "
         "onFault: retry } } }\ndo: []",
         PAWL_E_INVALID, 1, 97, "compensate"},
        {"document: { dsl: '1.0.3', namespace: n, name: d, version: '1.0.0', metadata: { pawl: { "
         "onCancel: compensate } } }\ndo: []",
         PAWL_E_UNSUPPORTED, 1, 88, "cancel"},
    };
    CHECK_WRONG(rows);
}

static void test_task_that_is_wrong_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct wrong rows[] = {
        {HEAD "do:\n- a: {}", PAWL_E_INVALID, 3, 6, "must have one of"},
        {HEAD "do:\n- a: { set: {}, call: x }", PAWL_E_INVALID, 3, 8, "only one thing"},
        {HEAD "do:\n- a: { cal: x }", PAWL_E_INVALID, 3, 8, "did you mean 'call'?"},
        {HEAD "do:\n- a: { set: {} }\n  b: { set: {} }", PAWL_E_INVALID, 3, 3, "one name"},
        {HEAD "do:\n- a: { set: {} }\n- a: { set: {} }", PAWL_E_INVALID, 4, 3, "two tasks"},
        {HEAD "do:\n- end: { set: {} }", PAWL_E_INVALID, 3, 3, "cannot be called 'end'"},
        {HEAD "do:\n- a/b: { set: {} }", PAWL_E_INVALID, 3, 3, "no '/'"},
        {HEAD "do:\n- a: { set: [] }", PAWL_E_INVALID, 3, 13, "'set' must be"},
        {HEAD "do:\n- a: { set: {}, catch: {} }", PAWL_E_INVALID, 3, 17, "'catch' without 'try'"},
        {HEAD "do:\n- a: { set: {}, with: {} }", PAWL_E_INVALID, 3, 17, "'with' without 'call'"},
        {HEAD "do:\n- a: { set: {}, then: b }", PAWL_E_INVALID, 3, 23, "no task of the same list"},
        {HEAD "do:\n- one: { set: {}, then: tvo }\n- two: { set: {} }", PAWL_E_INVALID, 3, 25,
         "did you mean 'two'?"},
        {HEAD "do:\n- a: { do: [ { b: { set: {}, then: a } } ] }", PAWL_E_INVALID, 3, 36,
         "same list"},
        {HEAD "do:\n- a: { switch: [] }", PAWL_E_INVALID, 3, 16, "without cases"},
        {HEAD "do:\n- a: { switch: [ { b: { when: x } } ] }", PAWL_E_INVALID, 3, 23,
         "lacks 'then'"},
        {HEAD "do:\n- a: { switch: [ { b: { then: end } }, { c: { then: end } } ] }",
         PAWL_E_INVALID, 3, 40, "only one case"},
        {HEAD "do:\n- a: { wait: soon }", PAWL_E_INVALID, 3, 14, "ISO 8601"},
        {HEAD "do:\n- a: { wait: P1M }", PAWL_E_INVALID, 3, 14, "years or months"},
        {HEAD "do:\n- a: { wait: { fortnights: 1 } }", PAWL_E_INVALID, 3, 14, "units"},
        {HEAD "do:\n- a: { try: [] }", PAWL_E_INVALID, 3, 6, "lacks 'catch'"},
        {HEAD "do:\n- a: { try: [], catch: { as: input } }", PAWL_E_INVALID, 3, 30, "no name"},
        {HEAD "do:\n- a: { try: [], catch: { retry: slow } }", PAWL_E_INVALID, 3, 33,
         "use.retries has no 'slow'"},
        {HEAD "do:\n- a: { try: [], catch: { retry: { backoff: { constant: {}, linear: {} } } } }",
         PAWL_E_INVALID, 3, 44, "exactly one"},
        {HEAD "do:\n- a: { try: [], catch: { retry: { limit: { attempt: { count: -1 } } } } }",
         PAWL_E_INVALID, 3, 62, "from 0"},
        {HEAD "do:\n- a: { try: [], catch: { errors: { with: { kind: x } } } }", PAWL_E_INVALID, 3,
         44, "has no key 'kind'"},
        {HEAD "do:\n- a: { raise: { error: { type: x } } }", PAWL_E_INVALID, 3, 24,
         "lacks 'status'"},
        {HEAD "do:\n- a: { raise: { error: mine } }", PAWL_E_INVALID, 3, 24, "use.errors"},
        {HEAD "do:\n- a: { set: {}, timeout: { after: x } }", PAWL_E_INVALID, 3, 35, "ISO 8601"},
        {HEAD "do:\n- a: { set: {}, timeout: patience }", PAWL_E_INVALID, 3, 26, "use.timeouts"},
        {HEAD "do:\n- a: { set: {}, output: { schema: {} } }", PAWL_E_UNSUPPORTED, 3, 27,
         "schemas"},
        {HEAD "do:\n- a: { for: { each: x, in: . }, do: [] }", PAWL_E_UNSUPPORTED, 3, 8, "'for'"},
        {HEAD "do:\n- a: { fork: {} }", PAWL_E_UNSUPPORTED, 3, 8, "'fork'"},
        {HEAD "do:\n- a: { listen: {} }", PAWL_E_UNSUPPORTED, 3, 8, "'listen'"},
        {HEAD "do:\n- a: { emit: {} }", PAWL_E_UNSUPPORTED, 3, 8, "'emit'"},
        {HEAD "do:\n- a: { run: {} }", PAWL_E_UNSUPPORTED, 3, 8, "containers"},
    };
    CHECK_WRONG(rows);
}

static void test_call_that_is_wrong_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct wrong rows[] = {
        {HEAD "do:\n- a: { call: http, with: {} }", PAWL_E_UNSUPPORTED, 3, 14, "call: http"},
        {HEAD "do:\n- a: { call: grpc }", PAWL_E_UNSUPPORTED, 3, 14, "call: grpc"},
        {HEAD "do:\n- a: { call: 'https://x/y' }", PAWL_E_UNSUPPORTED, 3, 14, "addresses"},
        {HEAD "do:\n- a: { call: 'x:1@other' }", PAWL_E_UNSUPPORTED, 3, 14, "catalog 'other'"},
        {HEAD "do:\n- a: { call: 'a b' }", PAWL_E_INVALID, 3, 14, "no function name"},
        {HEAD "do:\n- a: { call: pawl.other }", PAWL_E_INVALID, 3, 14, "pawl.compensate"},
        {HEAD "do:\n- a: { call: x, with: [] }", PAWL_E_INVALID, 3, 23, "must be a map"},
        {HEAD "do:\n- a: { call: pawl.compensate, with: { scope: b } }", PAWL_E_INVALID, 3, 46,
         "no task that this one stands in"},
        {HEAD "do:\n- a: { call: pawl.compensate, with: { order: parallel } }", PAWL_E_UNSUPPORTED,
         3, 46, "reverse order"},
        {HEAD "do:\n- a: { set: {}, metadata: { pawl: { atMostOnce: true } } }", PAWL_E_INVALID, 3,
         35, "only stand on a call"},
        {HEAD "do:\n- a: { call: x, metadata: { pawl: { atMostOnce: yes } } }", PAWL_E_INVALID, 3,
         49, "true or false"},
        {HEAD "do:\n- a: { call: x, metadata: { pawl: { compensateOn: [unknown] } } }",
         PAWL_E_INVALID, 3, 51, "without compensate"},
        {HEAD "do:\n- a: { call: x, metadata: { pawl: { compensate: { with: {} } } } }",
         PAWL_E_INVALID, 3, 49, "lacks 'call'"},
        {HEAD "do:\n- a: { call: x, metadata: { pawl: { compensat: {} } } }", PAWL_E_INVALID, 3, 37,
         "did you mean 'compensate'?"},
        {HEAD "use: { functions: { f: { set: {} } } }\ndo:\n- a: { call: f }", PAWL_E_UNSUPPORTED,
         2, 24, "must be a call"},
        {HEAD "use: { functions: { f: { call: g }, g: { call: f } } }\ndo:\n- a: { call: f }",
         PAWL_E_INVALID, 2, 32, "circle"},
    };
    CHECK_WRONG(rows);
}

static void test_expression_that_is_wrong_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct wrong rows[] = {
        {HEAD "do:\n- a: { set: { x: '${ .a + }' } }", PAWL_E_INVALID, 3, 18, "the expression"},
        {HEAD "do:\n- a: { set: { x: '${ $output }' } }", PAWL_E_INVALID, 3, 18, "output"},
        {HEAD "do:\n- a: { set: {}, if: $input }", PAWL_E_INVALID, 3, 21, "input"},
        {HEAD "do:\n- a: { set: { x: 'a ${ .b' } }", PAWL_E_INVALID, 3, 18, "not closed"},
        {HEAD "input: { from: $context }\ndo:\n- a: { set: {} }", PAWL_E_INVALID, 2, 16, "context"},
        {HEAD "do:\n- a: { set: { x: '${ $error }' } }", PAWL_E_INVALID, 3, 18, "error"},
        {HEAD "do:\n- a: { set: { x: '${ $secrets.x }' } }", PAWL_E_INVALID, 3, 18, "secrets"},
        {HEAD "do:\n- a: { set: { x: '${ nosuch }' } }", PAWL_E_INVALID, 3, 18, "nosuch"},
        {HEAD "do:\n- a: { set: {}, output: { as: [ ] } }", PAWL_E_INVALID, 3, 31, "output.as"},
    };
    CHECK_WRONG(rows);
}

static const struct task *task_at(const struct definition *definition, const char *pointer)
{
    for (uint32_t i = 0; i < definition->task_count; i++)
        if (bytes_equal(definition->tasks[i]->pointer, bytes_string(pointer)))
            return definition->tasks[i];
    fail_msg("no task at %s", pointer);
    return NULL;
}

static void test_tasks_that_nest_are_numbered_in_document_order(void **state)
{
    (void)state;
    struct definition *definition =
        read_right(HEAD "do:\n"
                        "- a: { do: [ { b: { set: {} } }, { c: { set: {}, then: b } } ] }\n"
                        "- d:\n"
                        "    try: [ { e: { call: x } } ]\n"
                        "    catch: { do: [ { f: { call: pawl.compensate } } ], then: a }\n");
    static const char *const pointers[] = {
        "",        "/do/0/a",         "/do/0/a/do/0/b",      "/do/0/a/do/1/c",
        "/do/1/d", "/do/1/d/try/0/e", "/do/1/d/catch/do/0/f"};
    assert_int_equal(definition->task_count, 7);
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(task_at(definition, pointers[i])->index, i);
    assert_int_equal(definition->tasks[1]->next, 4);
    assert_int_equal(definition->tasks[1]->last, 3);
    assert_int_equal(definition->tasks[3]->flow.task, 2);
    assert_int_equal(definition->tasks[4]->first, 5);
    assert_int_equal(definition->tasks[4]->catch_spec->first, 6);
    assert_int_equal(definition->tasks[4]->catch_spec->flow.task, 1);
    assert_true(definition->tasks[6]->has_scope);
    assert_int_equal(definition->tasks[6]->scope, 4);
    definition_free(definition);
}

static void test_functions_that_use_names_resolve_to_step_types(void **state)
{
    (void)state;
    struct definition *definition = read_right(
        HEAD
        "use:\n"
        "  functions:\n"
        "    charge: { call: 'payment.charge:1.0.0@default', with: { currency: EUR, amount: 1 } }\n"
        "    payment.refund: { call: payment.refund }\n"
        "do:\n"
        "- a: { call: charge, with: { amount: 2 } }\n"
        "- b: { call: payment.refund }\n"
        "- c: { call: 'x.y:2@default' }\n");
    const struct task *a = definition->tasks[1];
    assert_true(bytes_equal(a->call_type, BYTES_LITERAL("payment.charge:1.0.0")));
    assert_int_equal(a->with->count, 2);
    assert_true(bytes_equal(a->with->keys[0], BYTES_LITERAL("amount")));
    assert_true(bytes_equal(a->with->parts[0].value, bytes_of("\x02", 1)));
    assert_true(bytes_equal(definition->tasks[2]->call_type, BYTES_LITERAL("payment.refund")));
    assert_true(bytes_equal(definition->tasks[3]->call_type, BYTES_LITERAL("x.y:2")));
    definition_free(definition);
}

static void test_definition_that_was_stored_compiles_the_same(void **state)
{
    (void)state;
    struct definition *read = read_right(HEAD "do:\n- a: { set: { x: '${ .y }' } }\n"),
                      *loaded = NULL;
    assert_int_equal(definition_load(definition_value(read), &loaded, NULL), PAWL_OK);
    assert_true(bytes_equal(definition_value(read), definition_value(loaded)));
    assert_true(bytes_equal(definition_name(loaded), BYTES_LITERAL("d")));
    assert_true(bytes_equal(definition_namespace(loaded), BYTES_LITERAL("n")));
    assert_true(bytes_equal(definition_version(loaded), BYTES_LITERAL("1.0.0")));
    assert_int_equal(loaded->task_count, read->task_count);
    definition_free(read);
    definition_free(loaded);
}

static void test_retry_without_limit_is_warned_about(void **state)
{
    (void)state;
    size_t count;
    struct definition *definition =
        read_right(HEAD "do:\n- a: { try: [], catch: { retry: { delay: PT1S } } }\n");
    const struct definition_warning *warnings = definition_warnings(definition, &count);
    assert_int_equal(count, 1);
    assert_int_equal(warnings[0].diag.line, 3);
    assert_non_null(strstr(warnings[0].diag.text, "for ever"));
    definition_free(definition);
}

/* What stands `count` times, before and after a middle; each before has a number in it. */
struct nest {
    const char *before, *before_end;
    const char *middle;
    const char *after;
};

static char *nest_write(size_t count, const struct nest *nest)
{
    struct buffer text = {.limit = 0};
    buffer_append(&text, HEAD "do: ", strlen(HEAD "do: "));
    for (size_t i = 0; i < count; i++) {
        char number[24];
        (void)snprintf(number, sizeof number, "a%zu", i);
        buffer_append(&text, nest->before, strlen(nest->before));
        buffer_append(&text, number, strlen(number));
        buffer_append(&text, nest->before_end, strlen(nest->before_end));
    }
    buffer_append(&text, nest->middle, strlen(nest->middle));
    for (size_t i = 0; i < count; i++)
        buffer_append(&text, nest->after, strlen(nest->after));
    buffer_append(&text, "", 1);
    assert_false(text.is_failed);
    return (char *)text.data;
}

static void test_definition_past_its_limits_is_refused(void **state)
{
    (void)state;
    struct definition *definition = NULL;
    struct pawl_diag diag;
    char *many = nest_write(1024, &(struct nest){"\n- ", ": { set: {} }", "\n", ""});
    assert_int_equal(definition_read(bytes_string(many), &definition, &diag), PAWL_E_LIMIT);
    assert_non_null(strstr(diag.text, "1024 tasks"));
    free(many);
    char *deep =
        nest_write(15, &(struct nest){"[ { ", ": { do: ", "[ { x: { set: {} } } ]", " } } ]"});
    assert_int_equal(definition_read(bytes_string(deep), &definition, &diag), PAWL_OK);
    definition_free(definition);
    free(deep);
    char *long_text = calloc(1, DEFINITION_BYTES_MAX + 2);
    assert_non_null(long_text);
    memset(long_text, ' ', DEFINITION_BYTES_MAX + 1);
    assert_int_equal(definition_read(bytes_string(long_text), &definition, &diag), PAWL_E_LIMIT);
    free(long_text);
}

static void test_definition_that_compiles_to_too_much_memory_is_refused(void **state)
{
    static const char head[] =
        "document: { dsl: '1.0.3', namespace: test, name: one, version: '1.0.0' }\n"
        "do: [ { a: { set: { all: [ ";
    static const char one[] = "'${any(.)}',", end[] = "1 ] } } } ]\n";
    struct definition *definition = NULL;
    struct pawl_diag diag;
    struct buffer text = {0};
    (void)state;
    buffer_append(&text, head, sizeof head - 1);
    while (text.size + sizeof one + sizeof end < DEFINITION_BYTES_MAX)
        buffer_append(&text, one, sizeof one - 1);
    buffer_append(&text, end, sizeof end - 1);
    assert_int_equal(definition_read(buffer_bytes(&text), &definition, &diag), PAWL_E_LIMIT);
    assert_non_null(strstr(diag.text, "the definition takes too much memory"));
    buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document_that_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(test_task_that_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(test_call_that_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(test_expression_that_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(test_tasks_that_nest_are_numbered_in_document_order),
        cmocka_unit_test(test_functions_that_use_names_resolve_to_step_types),
        cmocka_unit_test(test_definition_that_was_stored_compiles_the_same),
        cmocka_unit_test(test_retry_without_limit_is_warned_about),
        cmocka_unit_test(test_definition_past_its_limits_is_refused),
        cmocka_unit_test(test_definition_that_compiles_to_too_much_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
