/* Any text as an expression, on a fixed document: it compiles or not, and what it gives is a value. */
#include <assert.h>

#include "proto/json.h"
#include "proto/limits.h"
#include "workflow/expression/expression.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool check_output(void *user, struct bytes value)
{
    int *left = user;
    assert(value_check(value, NULL, NULL) == PAWL_OK);
    return --*left > 0;
}

static void evaluate(const struct expression *expression, struct bytes input)
{
    struct arena arena = {0};
    struct pawl_diag diag;
    struct bytes error = value_null;
    const struct bytes variables[2] = {input, value_null};
    uint64_t fuel = EXPRESSION_FUEL / 4;
    int left = 1000;
    const struct expression_context context = {.input = input,
                                               .variables = variables,
                                               .now_us = 1700000000000000,
                                               .fuel = &fuel,
                                               .arena = &arena};
    const enum pawl_error outcome =
        expression_evaluate_each(expression, &context, check_output, &left, &error, &diag);
    assert(outcome == PAWL_OK || outcome == PAWL_E_EXPRESSION || outcome == PAWL_E_LIMIT);
    assert(value_check(error, NULL, NULL) == PAWL_OK);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char document[] = "{\"a\":[1,2.5,{\"b\":null,\"c\":\"t\\u00e9xt\"}],\"b\":{\"a\":true},"
                                   "\"d\":-7,\"e\":18446744073709551615,\"f\":[[],{}]}";
    static const char *const names[] = {"input", "x"};
    const struct expression_names all = {names, 2};
    struct arena arena = {0};
    struct buffer input = {0};
    const struct expression *expression;
    if (json_read(bytes_string(document), NULL, &input, NULL) == PAWL_OK &&
        expression_compile(bytes_of(data, size), &all, &arena, &expression, NULL) == PAWL_OK)
        evaluate(expression, buffer_bytes(&input));
    buffer_done(&input);
    arena_done(&arena);
    return 0;
}
