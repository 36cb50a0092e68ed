/* pawl expr: an expression as definitions have them, over JSON from standard input. */
#include <stdio.h>
#include <time.h>

#include "client/cli/session.h"
#include "proto/json.h"
#include "proto/limits.h"
#include "workflow/expression/expression.h"

static bool output_print(void *user, struct bytes value)
{
    (void)user;
    json_print(value);
    return true;
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Nothing at all is null. */
static enum pawl_error input_read(struct buffer *value, struct pawl_diag *diag)
{
    struct buffer text = {0};
    enum pawl_error error = file_read("-", TEXT_BYTES_MAX, &text, diag);
    if (error == PAWL_OK) {
        struct bytes json = bytes_of(text.data, text.size - 1);
        if (json.size == 0)
            pack_null(value);
        else
            error = json_read(json, NULL, value, diag);
    }
    buffer_done(&text);
    return error;
}

static enum pawl_error evaluate(const char *text, struct bytes input, struct arena *arena,
                                struct pawl_diag *diag)
{
    const struct expression_names names = {0};
    const struct expression *expression;
    uint64_t fuel = EXPRESSION_FUEL;
    struct arena work = {.limit = EXPRESSION_ARENA_MAX};
    const struct expression_context context = {
        .input = input, .now_us = now_us(), .fuel = &fuel, .arena = &work};
    TRY(expression_compile(bytes_string(text), &names, arena, &expression, diag));
    enum pawl_error error =
        expression_evaluate_each(expression, &context, output_print, NULL, NULL, diag);
    arena_done(&work);
    return error;
}

enum exit_code expression_run(const struct arguments *arguments)
{
    struct buffer input = {0};
    struct arena arena = {0};
    struct pawl_diag diag = {0};
    char text[sizeof diag.text + 32];
    enum pawl_error error = input_read(&input, &diag);
    if (error == PAWL_OK)
        error = evaluate(arguments->words[0], buffer_bytes(&input), &arena, &diag);
    arena_done(&arena);
    buffer_done(&input);
    if (error == PAWL_OK)
        return EXIT_OK;
    if (diag.line > 0)
        snprintf(text, sizeof text, "%d:%d: %s", diag.line, diag.column, diag.text);
    else
        snprintf(text, sizeof text, "%s", diag.text);
    return error_print(arguments, error, text, NULL);
}
