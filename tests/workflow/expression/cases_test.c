/* The table of cases.txt: a program, its input, and its outputs line by line, with an empty line
 * after each. "!message" is an error with that message as its value, after the outputs before it;
 * "!!" a limit. Lines that begin with "## " are headings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/json.h"
#include "proto/limits.h"
#include "workflow/expression/expression.h"

enum { LINE_BYTES = 4096 };

struct outcome {
    struct buffer lines;
};

static void append_line(struct buffer *lines, const char *prefix, struct bytes line)
{
    buffer_append(lines, prefix, strlen(prefix));
    buffer_append(lines, line.data, line.size);
    buffer_append(lines, "\n", 1);
}

static bool take_output(void *user, struct bytes value)
{
    struct outcome *outcome = user;
    struct buffer text = {0};
    json_write(value, JSON_COMPACT, &text);
    append_line(&outcome->lines, "", buffer_bytes(&text));
    buffer_done(&text);
    return true;
}

static void run(const char *program, struct bytes input, struct outcome *outcome)
{
    struct arena code = {0};
    struct arena arena = {0};
    struct pawl_diag diag = {.text = ""};
    const struct expression *expression;
    uint64_t fuel = EXPRESSION_FUEL;
    if (expression_compile(bytes_string(program), NULL, &code, &expression, &diag) != PAWL_OK) {
        append_line(&outcome->lines, "does not compile: ", bytes_string(diag.text));
        arena_done(&code);
        return;
    }
    const struct expression_context context = {
        .input = input, .now_us = 1700000000250000, .fuel = &fuel, .arena = &arena};
    const enum pawl_error error =
        expression_evaluate_each(expression, &context, take_output, outcome, NULL, &diag);
    if (error == PAWL_E_EXPRESSION)
        append_line(&outcome->lines, "!", bytes_string(diag.text));
    else if (error != PAWL_OK)
        append_line(&outcome->lines, "!!", bytes_string(pawl_error_name(error)));
    arena_done(&arena);
    arena_done(&code);
}

/* A line without its end; false at the end of the file. */
static bool read_line(FILE *file, char line[LINE_BYTES])
{
    if (fgets(line, LINE_BYTES, file) == NULL)
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* The next case; the lines wanted are gathered as the outcome gathers them. */
static bool read_case(FILE *file, char program[LINE_BYTES], char input[LINE_BYTES],
                      struct buffer *wanted)
{
    char line[LINE_BYTES];
    do {
        if (!read_line(file, program))
            return false;
    } while (program[0] == '\0' || strncmp(program, "## ", 3) == 0);
    if (!read_line(file, input))
        return false;
    while (read_line(file, line) && line[0] != '\0')
        append_line(wanted, "", bytes_string(line));
    return true;
}

static bool case_holds(const char *program, const char *input, struct bytes wanted)
{
    struct outcome outcome = {.lines = {0}};
    struct buffer value = {0};
    struct pawl_diag diag;
    if (json_read(bytes_string(input), NULL, &value, &diag) != PAWL_OK)
        fail_msg("the input of %s is no JSON: %s", program, diag.text);
    run(program, buffer_bytes(&value), &outcome);
    const bool holds = bytes_equal(buffer_bytes(&outcome.lines), wanted);
    if (!holds)
        print_error("%s\n%s\nwanted:\n%.*sfound:\n%.*s\n", program, input, (int)wanted.size,
                    (const char *)wanted.data, (int)outcome.lines.size,
                    (const char *)outcome.lines.data);
    buffer_done(&outcome.lines);
    buffer_done(&value);
    return holds;
}

static void test_cases_each_gives_its_outputs(void **state)
{
    char program[LINE_BYTES];
    char input[LINE_BYTES];
    int case_count = 0;
    int failed_count = 0;
    struct buffer wanted = {0};
    (void)state;
    FILE *file = fopen("tests/workflow/expression/cases.txt", "r");
    assert_non_null(file);
    while (read_case(file, program, input, &wanted)) {
        case_count++;
        failed_count += !case_holds(program, input, buffer_bytes(&wanted));
        buffer_reset(&wanted);
    }
    fclose(file);
    buffer_done(&wanted);
    assert_int_equal(failed_count, 0);
    assert_true(case_count > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases_each_gives_its_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
