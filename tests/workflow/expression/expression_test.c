#include "workflow/expression/expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/json.h"
#include "proto/limits.h"

struct bench {
    struct arena code;
    struct arena arena;
    struct buffer input;
    struct pawl_diag diag;
    uint64_t fuel;
    struct bytes value;
    struct bytes error;
};

static void bench_done(struct bench *bench)
{
    arena_done(&bench->code);
    arena_done(&bench->arena);
    buffer_done(&bench->input);
}

static enum pawl_error compile(struct bench *bench, const char *text,
                               const struct expression **expression_out)
{
    static const char *const names[] = {"input", "context", "task"};
    static const struct expression_names all = {names, 3};
    return expression_compile(bytes_string(text), &all, &bench->code, expression_out, &bench->diag);
}

/* The first output of text on input (JSON), with the default fuel. */
static enum pawl_error evaluate(struct bench *bench, const char *text, const char *input)
{
    const struct expression *expression;
    if (json_read(bytes_string(input), NULL, &bench->input, NULL) != PAWL_OK)
        fail_msg("%s is no JSON", input);
    TRY(compile(bench, text, &expression));
    bench->fuel = EXPRESSION_FUEL;
    const struct expression_context context = {.input = buffer_bytes(&bench->input),
                                               .now_us = 1700000000250000,
                                               .fuel = &bench->fuel,
                                               .arena = &bench->arena};
    return expression_evaluate(expression, &context, &bench->value, &bench->error, &bench->diag);
}

static void assert_value(struct bytes value, const char *json)
{
    struct buffer text = {0};
    json_write(value, JSON_COMPACT, &text);
    buffer_append(&text, "", 1);
    assert_string_equal((const char *)text.data, json);
    buffer_done(&text);
}

static void test_evaluate_part_of_input_is_a_view(void **state)
{
    struct bench bench = {.fuel = 0};
    (void)state;
    assert_int_equal(evaluate(&bench, ".a.b", "{\"a\":{\"b\":[1,{\"c\":2}]}}"), PAWL_OK);
    assert_value(bench.value, "[1,{\"c\":2}]");
    assert_true(bench.value.data > bench.input.data);
    assert_true(bench.value.data + bench.value.size <= bench.input.data + bench.input.size);
    bench_done(&bench);
}

static void test_evaluate_no_output_is_null(void **state)
{
    struct bench bench = {.fuel = 0};
    (void)state;
    assert_int_equal(evaluate(&bench, "empty", "1"), PAWL_OK);
    assert_value(bench.value, "null");
    bench_done(&bench);
}

static void test_evaluate_error_gives_message_and_value(void **state)
{
    struct bench bench = {.fuel = 0};
    (void)state;
    assert_int_equal(evaluate(&bench, "error({code: .a})", "{\"a\":7}"), PAWL_E_EXPRESSION);
    assert_value(bench.error, "{\"code\":7}");
    assert_string_equal(bench.diag.text, "{\"code\":7}");
    bench_done(&bench);
}

static void test_evaluate_error_leaves_value_untouched(void **state)
{
    struct bench bench = {.value = BYTES_LITERAL("before")};
    (void)state;
    assert_int_equal(evaluate(&bench, "1, error(\"x\") | error", "1"), PAWL_E_EXPRESSION);
    assert_true(bytes_equal(bench.value, BYTES_LITERAL("before")));
    bench_done(&bench);
}

static void test_evaluate_now_is_what_the_context_says(void **state)
{
    struct bench bench = {.fuel = 0};
    (void)state;
    assert_int_equal(evaluate(&bench, "now", "null"), PAWL_OK);
    assert_value(bench.value, "1700000000.25");
    bench_done(&bench);
}

static void test_evaluate_slots_are_variables(void **state)
{
    struct bench bench = {.fuel = 0};
    const struct expression *expression;
    (void)state;
    assert_int_equal(compile(&bench, "[$task, $input.x, ($input | .y)]", &expression), PAWL_OK);
    assert_int_equal(expression_slots_used(expression), 1 | 4);
    struct buffer values[2] = {{0}, {0}};
    assert_int_equal(json_read(bytes_string("{\"x\":1,\"y\":[2]}"), NULL, &values[0], NULL),
                     PAWL_OK);
    assert_int_equal(json_read(bytes_string("\"t\""), NULL, &values[1], NULL), PAWL_OK);
    const struct bytes slots[3] = {buffer_bytes(&values[0]), {NULL, 0}, buffer_bytes(&values[1])};
    bench.fuel = EXPRESSION_FUEL;
    const struct expression_context context = {
        .input = value_null, .variables = slots, .fuel = &bench.fuel, .arena = &bench.arena};
    assert_int_equal(expression_evaluate(expression, &context, &bench.value, NULL, NULL), PAWL_OK);
    assert_value(bench.value, "[\"t\",1,[2]]");
    buffer_done(&values[0]);
    buffer_done(&values[1]);
    bench_done(&bench);
}

static void test_evaluate_binding_hides_a_slot(void **state)
{
    struct bench bench = {.fuel = 0};
    const struct expression *expression;
    (void)state;
    assert_int_equal(compile(&bench, "1 as $input | $input", &expression), PAWL_OK);
    assert_int_equal(expression_slots_used(expression), 0);
    bench_done(&bench);
}

static bool count_three(void *user, struct bytes value)
{
    int *count = user;
    (void)value;
    return ++*count < 3;
}

static void test_each_stops_when_told(void **state)
{
    struct bench bench = {.fuel = EXPRESSION_FUEL};
    const struct expression *expression;
    int count = 0;
    (void)state;
    assert_int_equal(compile(&bench, "repeat(1)", &expression), PAWL_OK);
    const struct expression_context context = {
        .input = value_null, .fuel = &bench.fuel, .arena = &bench.arena};
    assert_int_equal(
        expression_evaluate_each(expression, &context, count_three, &count, NULL, NULL), PAWL_OK);
    assert_int_equal(count, 3);
    bench_done(&bench);
}

static void test_evaluate_same_work_costs_the_same_fuel(void **state)
{
    static const char program[] =
        "[range(50)] | group_by(. % 7) | map({(first | tostring): add}) | add | to_entries";
    struct bench first = {.fuel = 0};
    struct bench second = {.fuel = 0};
    (void)state;
    assert_non_null(arena_alloc(&second.arena, 12345));
    assert_int_equal(evaluate(&first, program, "null"), PAWL_OK);
    assert_int_equal(evaluate(&second, program, "null"), PAWL_OK);
    assert_int_equal(first.fuel, second.fuel);
    assert_true(first.fuel < EXPRESSION_FUEL);
    bench_done(&first);
    bench_done(&second);
}

static void test_evaluate_restores_the_arena_limit(void **state)
{
    struct bench bench = {.arena = {.limit = (size_t)32 << 20}};
    (void)state;
    assert_int_equal(evaluate(&bench, "[range(1e9)]", "null"), PAWL_E_LIMIT);
    assert_int_equal(bench.arena.limit, (size_t)32 << 20);
    bench_done(&bench);
}

/* Each of these would run for ever, or take all memory, or all of the C stack. */
static void test_evaluate_hostile_text_ends_in_a_limit(void **state)
{
    static const char *const programs[] = {
        "[range(1e9)]",
        "range(infinite) | empty",
        "last(range(1e9))",
        "\"x\" * 1e9",
        "\"\" * 1e300 | empty, (\"xy\" * 1e300)",
        "def f: f; f",
        "def f: f | f; f",
        "def f: 1 + f; f",
        "def f: [f]; f",
        "def f: . as $x | f; f",
        "def f(g): f(g | g); f(.)",
        "def f: try error(1) catch f; f",
        "def r: ., (r | r); r | empty",
        "repeat(1) | empty",
        "[limit(1e9; repeat(1))]",
        "[recurse(. + 1; true)]",
        "until(false; .)",
        "[] | .[2147483647] = 1",
        "[] | .[1e18] = 1",
        "null | .[4294967295] = 1",
        "reduce range(1000000) as $i (null; [.])",
        "reduce range(1000000) as $i (null; {a: .})",
        "reduce range(100000) as $i (1; [.]) | contains(.)",
        "reduce range(60) as $i ([1]; [., .])",
        "reduce range(60) as $i ([1]; [., .]) | tojson",
        "reduce range(60) as $i ([1]; [., .]) | . == .",
        "reduce range(60) as $i ([1]; [., .]) | [., .] | sort",
        "reduce range(60) as $i ([1]; [., .]) | walk(.)",
        "reduce range(60) as $i ([1]; [., .]) | flatten",
        "reduce range(60) as $i ([1]; [., .]) | [paths]",
        "reduce range(60) as $i ({}; {a: ., b: .}) | . * .",
        "reduce range(60) as $i (\"x\"; . + .)",
        "reduce range(1000000) as $i (\"\"; . + \"x\")",
        "reduce range(1000000) as $i ({}; .[$i | tostring] = 1)",
        "reduce range(1000000) as $i ([]; .[$i] = 1)",
        "[range(100000)] | sort",
        "[range(300) | [range(300)]] | combinations | empty",
        "null | path(repeat(.a)) | empty",
        "null | path(recurse(.[0])) | length | empty",
        "[range(30000)] - [range(30000)]",
        "[range(20000)] | [.[] as $x | index($x)]",
        "label $x | def f: (f, break $x); f",
        "foreach repeat(1) as $x (0; . + 1) | empty",
    };
    (void)state;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        struct bench bench = {.fuel = 0};
        const enum pawl_error error = evaluate(&bench, programs[i], "1");
        if (error != PAWL_E_LIMIT)
            fail_msg("%s gave %s", programs[i], pawl_error_name(error));
        assert_true(bench.arena.used <= EXPRESSION_ARENA_MAX + 64);
        bench_done(&bench);
    }
}

/* One text repeated up to the limit of length. */
static enum pawl_error compile_repeated(const char *head, const char *part, const char *tail)
{
    char *text = malloc(EXPRESSION_BYTES_MAX + 1);
    size_t size = strlen(head);
    assert_non_null(text);
    memcpy(text, head, size);
    while (size + strlen(part) + strlen(tail) <= EXPRESSION_BYTES_MAX) {
        memcpy(text + size, part, strlen(part));
        size += strlen(part);
    }
    strcpy(text + size, tail);
    struct arena arena = {0};
    const struct expression *expression;
    const enum pawl_error error =
        expression_compile(bytes_string(text), NULL, &arena, &expression, NULL);
    arena_done(&arena);
    free(text);
    return error;
}

static void test_compile_deep_text_ends_in_an_error(void **state)
{
    static const char *const parts[] = {
        "(",
        "[",
        "{a:",
        "-",
        "if ",
        "\"\\(",
        ".[",
        "try ",
        "def f: ",
        "def f(g): f(",
        "f(",
        ".a as [",
        ". as {a:",
        "1 as $x | ",
        "reduce ",
        "label $x | ",
        "[.[] | ",
        "if 1 then ",
        "if 1 then 1 elif ",
        "1 + ",
        "1 // ",
        ". as $x | def f: ",
        "@json \"\\(",
        "..[",
        "map(",
        "select(",
        "not | (",
        "foreach ",
        "$__loc__[",
        "{(",
        "path(",
        "first(",
        "1 | (",
        "1, (",
        "{\"\\(",
        ". as [$a] ?// [",
    };
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const enum pawl_error error = compile_repeated("", parts[i], "");
        if (error != PAWL_E_LIMIT && error != PAWL_E_INVALID)
            fail_msg("%s repeated gave %s", parts[i], pawl_error_name(error));
    }
}

static void test_compile_long_text_is_fine(void **state)
{
    (void)state;
    assert_int_equal(compile_repeated("1", " | .", ""), PAWL_OK);
    assert_int_equal(compile_repeated("1", ", 2", ""), PAWL_OK);
    assert_int_equal(compile_repeated("[1", ", 2", "]"), PAWL_OK);
    assert_int_equal(compile_repeated("\"", "ab\\n", "\""), PAWL_OK);
    assert_int_equal(compile_repeated("\"", "\\(1)", "\""), PAWL_OK);
    assert_int_equal(compile_repeated("{a: 1", ", b: 2", "}"), PAWL_OK);
    assert_int_equal(compile_repeated("1", "# a comment\n", ""), PAWL_OK);
}

static void test_compile_too_long_text_is_a_limit(void **state)
{
    struct arena arena = {0};
    const struct expression *expression;
    uint8_t *text = calloc(1, EXPRESSION_BYTES_MAX + 1);
    (void)state;
    assert_non_null(text);
    memset(text, ' ', EXPRESSION_BYTES_MAX + 1);
    assert_int_equal(expression_compile(bytes_of(text, EXPRESSION_BYTES_MAX + 1), NULL, &arena,
                                        &expression, NULL),
                     PAWL_E_LIMIT);
    assert_int_equal(
        expression_compile(bytes_of(text, EXPRESSION_BYTES_MAX), NULL, &arena, &expression, NULL),
        PAWL_OK);
    free(text);
    arena_done(&arena);
}

static void test_compile_wrong_text_says_where(void **state)
{
    static const struct {
        const char *text;
        int line, column;
        const char *message;
    } cases[] = {
        {"foo", 1, 1, "foo/0 is not defined"},
        {".a |\n  foo(1)", 2, 3, "foo/1 is not defined"},
        {"$nothing", 1, 1, "$nothing is not defined"},
        {"$ENV", 1, 1, "$ENV is not defined"},
        {"env", 1, 1, "env/0 is not defined"},
        {"input", 1, 1, "input/0 is not defined"},
        {"debug", 1, 1, "debug/0 is not defined"},
        {"halt", 1, 1, "halt/0 is not defined"},
        {"_sort_by(.)", 1, 1, "_sort_by/1 is not defined"},
        {"break $x", 1, 7, "$*label-x is not defined"},
        {"def f: 1; f(2)", 1, 11, "f/1 is not defined"},
        {"def f: g; def g: 1; f", 1, 8, "g/0 is not defined"},
        {"(1", 1, 3, "expected ) here"},
        {"[1", 1, 3, "expected ] here"},
        {"if 1 then 2", 1, 12, "expected end here"},
        {"1 +", 1, 4, "the expression ends too early"},
        {"1 2", 1, 3, "unexpected text here"},
        {"1 == 2 == 3", 1, 8, "these operators do not chain; add parentheses"},
        {".a = 1 = 2", 1, 8, "these operators do not chain; add parentheses"},
        {"{a: 1 + 2}", 1, 7, "expected , or } here (a value with operators needs parentheses)"},
        {"\"abc", 1, 1, "this string has no end or a wrong escape"},
        {"\"\\x\"", 1, 1, "this string has no end or a wrong escape"},
        {"@nothing", 1, 1, "there is no such format"},
        {"~", 1, 1, "no part of an expression begins with this character"},
        {"import \"a\" as a; 1", 1, 1, "this word cannot stand here"},
        {"reduce . as $x", 1, 15, "expected ( here"},
        {". as 1 | 2", 1, 6, "expected $name, [ or { here"},
        {"def f: 1", 1, 9, "expected ; here"},
        {"label x | 1", 1, 7, "expected the name of a label, like $out, here"},
        {". as [$a] | $b", 1, 13, "$b is not defined"},
        {"(1 as $x | $x) | $x", 1, 18, "$x is not defined"},
        {"\xff", 1, 1, "the expression is not UTF-8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench bench = {.fuel = 0};
        const struct expression *expression;
        if (compile(&bench, cases[i].text, &expression) != PAWL_E_INVALID)
            fail_msg("%s compiles", cases[i].text);
        assert_string_equal(bench.diag.text, cases[i].message);
        if (bench.diag.line != cases[i].line || bench.diag.column != cases[i].column)
            fail_msg("%s: line %d column %d", cases[i].text, bench.diag.line, bench.diag.column);
        bench_done(&bench);
    }
}

/* A call of a builtin with `.` for each argument. */
static void call_of(const char *name, char text[256])
{
    const char *slash = strchr(name, '/');
    const int arity = atoi(slash + 1);
    int size = snprintf(text, 256, "%.*s", (int)(slash - name), name);
    for (int i = 0; i < arity; i++)
        size += snprintf(text + size, 256 - (size_t)size, "%s.", i == 0 ? "(" : "; ");
    if (arity > 0)
        snprintf(text + size, 256 - (size_t)size, ")");
}

static void test_builtins_are_sorted_and_compile(void **state)
{
    const char *const *names = expression_builtins();
    size_t count = 0;
    (void)state;
    for (; names[count] != NULL; count++) {
        struct bench bench = {.fuel = 0};
        const struct expression *expression;
        char text[256];
        if (count > 0 && strcmp(names[count - 1], names[count]) >= 0)
            fail_msg("%s stands before %s", names[count - 1], names[count]);
        call_of(names[count], text);
        if (compile(&bench, text, &expression) != PAWL_OK)
            fail_msg("%s: %s", text, bench.diag.text);
        bench_done(&bench);
    }
    assert_true(count > 150);
}

/* Any builtin on any kind of value ends in outputs, an error, or a limit. */
static void test_builtins_take_any_value(void **state)
{
    static const char *const inputs[] = {"null",
                                         "true",
                                         "-3",
                                         "2.5",
                                         "\"a\\u0000é\"",
                                         "[]",
                                         "[1,[\"a\"],null]",
                                         "{\"a\":1,\"b\":{\"c\":[2]}}",
                                         "[{\"key\":\"k\",\"value\":1}]",
                                         "18446744073709551615"};
    const char *const *names = expression_builtins();
    (void)state;
    for (; *names != NULL; names++) {
        char text[256];
        call_of(*names, text);
        for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
            struct bench bench = {.fuel = 0};
            const enum pawl_error error = evaluate(&bench, text, inputs[i]);
            assert_true(error == PAWL_OK || error == PAWL_E_EXPRESSION || error == PAWL_E_LIMIT);
            if (error == PAWL_OK)
                assert_int_equal(value_check(bench.value, NULL, NULL), PAWL_OK);
            bench_done(&bench);
        }
    }
}

static void test_evaluate_deep_input_keeps_its_limits(void **state)
{
    char deep[2 * VALUE_DEPTH_MAX + 2];
    (void)state;
    memset(deep, '[', VALUE_DEPTH_MAX);
    deep[VALUE_DEPTH_MAX] = '\0';
    memset(deep + VALUE_DEPTH_MAX, ']', VALUE_DEPTH_MAX);
    deep[2 * VALUE_DEPTH_MAX] = '\0';
    static const struct {
        const char *text;
        enum pawl_error error;
    } cases[] = {
        {".", PAWL_OK},       {"[.]", PAWL_E_LIMIT},    {".[0]", PAWL_OK},
        {"[.[0]]", PAWL_OK},  {"[.[]]", PAWL_OK},       {"tojson | length", PAWL_OK},
        {". == .", PAWL_OK},  {"walk(.)", PAWL_OK},     {"[..] | length", PAWL_OK},
        {"flatten", PAWL_OK}, {"{a: .}", PAWL_E_LIMIT}, {"[[[[.]]]] | length", PAWL_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench bench = {.fuel = 0};
        const enum pawl_error error = evaluate(&bench, cases[i].text, deep);
        if (error != cases[i].error)
            fail_msg("%s gave %s", cases[i].text, pawl_error_name(error));
        bench_done(&bench);
    }
}

static void test_evaluate_binary_passes_and_prints_as_base64(void **state)
{
    struct arena arena = {0};
    struct buffer input = {0};
    const struct expression *expression;
    uint64_t fuel = EXPRESSION_FUEL;
    struct bytes value;
    (void)state;
    pack_array(&input, 1);
    pack_binary(&input, BYTES_LITERAL("\x00\xff"));
    assert_int_equal(expression_compile(bytes_string("[.[0], (.[0] | type, tostring, length)]"),
                                        NULL, &arena, &expression, NULL),
                     PAWL_OK);
    const struct expression_context context = {
        .input = buffer_bytes(&input), .fuel = &fuel, .arena = &arena};
    assert_int_equal(expression_evaluate(expression, &context, &value, NULL, NULL), PAWL_OK);
    struct value_cursor cursor = value_cursor_of(value);
    struct value_head head;
    assert_int_equal(value_next(&cursor, &head), PAWL_OK);
    assert_int_equal(value_next(&cursor, &head), PAWL_OK);
    assert_int_equal(head.kind, VALUE_BINARY);
    assert_value(value, "[\"AP8=\",\"binary\",\"AP8=\",2]");
    buffer_done(&input);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evaluate_part_of_input_is_a_view),
        cmocka_unit_test(test_evaluate_no_output_is_null),
        cmocka_unit_test(test_evaluate_error_gives_message_and_value),
        cmocka_unit_test(test_evaluate_error_leaves_value_untouched),
        cmocka_unit_test(test_evaluate_now_is_what_the_context_says),
        cmocka_unit_test(test_evaluate_slots_are_variables),
        cmocka_unit_test(test_evaluate_binding_hides_a_slot),
        cmocka_unit_test(test_each_stops_when_told),
        cmocka_unit_test(test_evaluate_same_work_costs_the_same_fuel),
        cmocka_unit_test(test_evaluate_restores_the_arena_limit),
        cmocka_unit_test(test_evaluate_hostile_text_ends_in_a_limit),
        cmocka_unit_test(test_evaluate_deep_input_keeps_its_limits),
        cmocka_unit_test(test_evaluate_binary_passes_and_prints_as_base64),
        cmocka_unit_test(test_compile_deep_text_ends_in_an_error),
        cmocka_unit_test(test_compile_long_text_is_fine),
        cmocka_unit_test(test_compile_too_long_text_is_a_limit),
        cmocka_unit_test(test_compile_wrong_text_says_where),
        cmocka_unit_test(test_builtins_are_sorted_and_compile),
        cmocka_unit_test(test_builtins_take_any_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
