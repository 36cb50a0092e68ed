/* The pawl command: its table, its parsing, and whole runs of it against a fake node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cli/command.h"
#include "client/cli/program.h"
#include "client/pawl.h"
#include "fake_node.h"

enum { TEXTS_MAX = 32 };

static const char *binary; /* the pawl command, from the command line of this test */

/* Split at spaces; single quotes keep what they enclose together. */
static int texts_split(char *line, char *texts[TEXTS_MAX])
{
    int count = 0;
    for (char *at = line; *at != '\0';) {
        while (*at == ' ')
            *at++ = '\0';
        if (*at == '\0')
            break;
        bool is_quoted = *at == '\'';
        at += is_quoted;
        assert_true(count < TEXTS_MAX - 1);
        texts[count++] = at;
        at += strcspn(at, is_quoted ? "'" : " ");
        if (*at != '\0')
            *at++ = '\0';
    }
    texts[count] = NULL;
    return count;
}

static enum pawl_error parse(const char *line, struct arguments *arguments, struct pawl_diag *diag)
{
    static char copy[512];
    static char *texts[TEXTS_MAX];
    snprintf(copy, sizeof copy, "%s", line);
    int count = texts_split(copy, texts);
    return arguments_parse(count, texts, arguments, diag);
}

static void test_table_examples_parse_as_their_command(void **state)
{
    (void)state;
    for (const struct command *at = commands; at->noun != NULL; at++) {
        struct arguments arguments;
        struct pawl_diag diag = {0};
        assert_int_equal(strncmp(at->example, "pawl ", 5), 0);
        if (parse(at->example + 5, &arguments, &diag) != PAWL_OK)
            fail_msg("%s: %s", at->example, diag.text);
        assert_ptr_equal(arguments.command, at);
        assert_true(at->help[0] != '\0' && at->run != NULL);
    }
}

static void test_table_commands_of_a_noun_stand_together(void **state)
{
    (void)state;
    for (const struct command *at = commands; at->noun != NULL; at++)
        for (const struct command *later = at + 1; later->noun != NULL; later++) {
            bool is_same = strcmp(at->noun, later->noun) == 0;
            assert_false(is_same && (at->verb == NULL || strcmp(at->verb, later->verb) == 0));
            assert_false(is_same && strcmp(later[-1].noun, at->noun) != 0);
        }
}

static void test_arguments_options_stand_anywhere(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "-s a:1 -o json wf start order --id x --wait",
        "wf start order --id=x --wait -o json -s a:1",
        "wf --nodes a:1 start --wait --id x order -ojson",
        "--nodes=a:1 --output=json wf start order --wait --id x",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct arguments arguments;
        struct pawl_diag diag = {0};
        if (parse(lines[i], &arguments, &diag) != PAWL_OK)
            fail_msg("%s: %s", lines[i], diag.text);
        assert_string_equal(arguments.command->verb, "start");
        assert_int_equal(arguments.word_count, 1);
        assert_string_equal(arguments.words[0], "order");
        assert_string_equal(arguments.values[OPTION_NODES], "a:1");
        assert_string_equal(arguments.values[OPTION_OUTPUT], "json");
        assert_string_equal(arguments.values[OPTION_ID], "x");
        assert_non_null(arguments.values[OPTION_WAIT]);
    }
}

static void test_arguments_mistakes_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"wf strat x", "did you mean \"start\""},
        {"workflow", "there is no command \"workflow\""},
        {"clutser status", "did you mean \"cluster\""},
        {"cluster stat", "did you mean \"status\""},
        {"wf ls --limti 3", "did you mean \"limit\""},
        {"wf ls --id 3", "wf ls takes no --id"},
        {"wf ls --limit", "--limit needs a value"},
        {"wf start a --wait=1", "--wait takes no value"},
        {"wf start", "usage: pawl wf start NAME"},
        {"wf start a b", "usage: pawl wf start NAME"},
        {"run --type x", "usage: pawl run"},
        {"run --type x --", "usage: pawl run"},
        {"wf ls -- x", "usage: pawl wf ls"},
        {"expr", "usage: pawl expr EXPRESSION"},
        {"wf ls -z", "there is no option \"z\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arguments arguments;
        struct pawl_diag diag = {0};
        assert_int_equal(parse(cases[i].line, &arguments, &diag), PAWL_E_INVALID);
        if (strstr(diag.text, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].line, diag.text);
    }
}

static void test_arguments_durations_and_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t ms; /* 0: refused */
    } durations[] = {{"10", 10000},
                     {"10s", 10000},
                     {"500ms", 500},
                     {"2m", 120000},
                     {"1h", 3600000},
                     {"", 0},
                     {"0", 0},
                     {"-1s", 0},
                     {"1d", 0},
                     {"s", 0},
                     {"1.5s", 0},
                     {"99999999h", 0},
                     {"99999999999999999999s", 0}};
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        uint32_t ms = 0;
        enum pawl_error error = cli_duration(durations[i].text, &ms, NULL);
        assert_int_equal(error, durations[i].ms == 0 ? PAWL_E_INVALID : PAWL_OK);
        assert_int_equal(ms, durations[i].ms);
    }
    uint32_t number = 0;
    assert_int_equal(cli_number("1000", 1000, &number, NULL), PAWL_OK);
    assert_int_equal(number, 1000);
    static const char *const bad[] = {"", "0", "1001", "-1", "+1", "1x", " 1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(cli_number(bad[i], 1000, &number, NULL), PAWL_E_INVALID);
}

/* Whole runs */

struct bed {
    struct fake_node *node;
    char nodes[48];
};

static void bed_open(struct bed *bed, const struct fake_options *options)
{
    uint16_t port;
    bed->node = fake_node_new(options, 0, &port);
    snprintf(bed->nodes, sizeof bed->nodes, "PAWL_NODES=127.0.0.1:%u", port);
}

/* Run `pawl line` with input; its output and errors come back as texts in program. */
static int run(const struct bed *bed, const char *line, const char *input, struct program *program)
{
    static char copy[512];
    static char *texts[TEXTS_MAX];
    char nodes[48] = "PAWL_NODES=127.0.0.1:1";
    if (bed != NULL)
        snprintf(nodes, sizeof nodes, "%s", bed->nodes);
    char *environment[] = {nodes, NULL};
    snprintf(copy, sizeof copy, "%s %s", binary, line);
    texts_split(copy, texts);
    *program = (struct program){.words = texts,
                                .environment = environment,
                                .input = bytes_string(input),
                                .output_bytes_max = 1 << 20};
    struct pawl_diag diag = {0};
    if (program_execute(program, &diag) != PAWL_OK)
        fail_msg("%s", diag.text);
    buffer_append(&program->output, "", 1);
    buffer_append(&program->errors, "", 1);
    return program->exit_code;
}

static void program_done(struct program *program)
{
    buffer_done(&program->output);
    buffer_done(&program->errors);
}

static void expect_run(const struct bed *bed, const char *line, const char *input, int exit_code,
                       const char *output, const char *errors_have)
{
    struct program program;
    int code = run(bed, line, input, &program);
    const char *errors = (const char *)program.errors.data;
    if (code != exit_code || strcmp((const char *)program.output.data, output) != 0 ||
        strstr(errors, errors_have) == NULL)
        fail_msg("pawl %s: exit code %d, output \"%s\", errors \"%s\"", line, code,
                 (const char *)program.output.data, errors);
    program_done(&program);
}

static void test_cli_calls_print_what_is_answered(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    expect_run(&bed, "cluster status", NULL, 0, "kind: 10\n", "");
    expect_run(&bed, "cluster status -o json", NULL, 0, "{\"kind\":10}\n", "");
    expect_run(&bed, "cluster init --peers a:1,b:1,c:1 -o json", NULL, 0, "{\"kind\":11}\n", "");
    expect_run(&bed, "wf show w -o json", NULL, 0, "{\"kind\":4}\n", "");
    expect_run(&bed, "wf ls -o json --limit 3", NULL, 0, "{\"kind\":5}\n", "");
    expect_run(&bed, "wf history w -o json", NULL, 0, "{\"kind\":6}\n", "");
    expect_run(&bed, "def ls -o json", NULL, 0, "{\"kind\":8}\n", "");
    expect_run(&bed, "def show d@1.0.0 -o json", NULL, 0, "{\"kind\":9}\n", "");
    expect_run(&bed, "wf start echo --id w", NULL, 0, "started w#0  run -\n", "");
    expect_run(&bed, "wf start echo --id w -o json -i -", "{\"a\":1}", 0,
               "{\"workflowId\":\"w#1\",\"existing\":false}\n", "");
    fake_node_free(bed.node);
}

static void test_cli_failures_have_their_exit_codes(void **state)
{
    (void)state;
    static const struct {
        enum pawl_error error;
        int exit_code;
        const char *name;
    } cases[] = {{PAWL_E_NOT_FOUND, 3, "error[PAWL_NOT_FOUND]"},
                 {PAWL_E_EXISTS, 4, "error[PAWL_EXISTS]"},
                 {PAWL_E_DISK_FULL, 5, "error[PAWL_DISK_FULL]"},
                 {PAWL_E_WORKFLOW_FAILED, 7, "error[PAWL_WORKFLOW_FAILED]"},
                 {PAWL_E_INTERNAL, 1, "error[PAWL_INTERNAL]"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed bed;
        bed_open(&bed, &(struct fake_options){.start_error = cases[i].error});
        expect_run(&bed, "wf start x", NULL, cases[i].exit_code, "", cases[i].name);
        fake_node_free(bed.node);
    }
    expect_run(NULL, "wf show w --timeout 100ms", NULL, 5, "",
               "error[PAWL_NO_LEADER]: 127.0.0.1:1");
    expect_run(NULL, "wf show w --timeout 100ms -o json", NULL, 5, "",
               "\"code\":\"PAWL_NO_LEADER\"");
    expect_run(NULL, "wf start x -i '{bad'", NULL, 1, "", "error[PAWL_INVALID]");
    expect_run(NULL, "wf start x -i @/no/such/file", NULL, 2, "", "cannot read /no/such/file");
    expect_run(NULL, "wf ls --nodes nonsense", NULL, 2, "", "nonsense");
    expect_run(NULL, "wf ls -o yaml", NULL, 2, "", "--output is table or json");
}

static void test_cli_expr_prints_each_output(void **state)
{
    (void)state;
    expect_run(NULL, "expr '.a[], (.a | add)'", "{\"a\":[1,2.5]}", 0, "1\n2.5\n3.5\n", "");
    expect_run(NULL, "expr .", "", 0, "null\n", "");
    expect_run(NULL, "expr '.a +'", "{}", 1, "", "error[PAWL_INVALID]: 1:");
    expect_run(NULL, "expr .", "{", 1, "", "error[PAWL_INVALID]");
    expect_run(NULL, "expr '1,error(\"no\")'", "null", 1, "1\n", "error[PAWL_EXPRESSION]");
}

static void test_cli_lint_points_at_the_place(void **state)
{
    (void)state;
    expect_run(NULL, "def lint examples/order/order.yaml", NULL, 0,
               "examples/order/order.yaml: order@1.0.0 is well formed\n", "");
    expect_run(NULL, "def lint CMakeLists.txt", NULL, 1, "", "CMakeLists.txt:");
    expect_run(NULL, "def lint /no/such/file", NULL, 1, "", "cannot read");
}

static void test_cli_version_and_help(void **state)
{
    (void)state;
    struct program program;
    expect_run(NULL, "version", NULL, 0, "pawl 0.1.0\n", "");
    expect_run(NULL, "--version", NULL, 0, "pawl 0.1.0\n", "");
    assert_int_equal(run(NULL, "--help", NULL, &program), 0);
    for (const struct command *at = commands; at->noun != NULL; at++)
        assert_non_null(strstr((const char *)program.output.data, at->help));
    program_done(&program);
    assert_int_equal(run(NULL, "wf start --help", NULL, &program), 0);
    assert_non_null(strstr((const char *)program.output.data, "--on-conflict"));
    program_done(&program);
}

/* pawl run in the background, ended by SIGTERM. */
static pid_t worker_begin(struct bed *bed, const char *script)
{
    pid_t child;
    char *const texts[] = {strdup(binary), strdup("run"),  strdup("--type"),
                           strdup("t"),    strdup("--"),   strdup("sh"),
                           strdup("-c"),   strdup(script), NULL};
    char *const environment[] = {bed->nodes, NULL};
    assert_int_equal(posix_spawn(&child, binary, NULL, NULL, texts, environment), 0);
    for (size_t i = 0; texts[i] != NULL; i++)
        free(texts[i]);
    return child;
}

static void worker_end(pid_t child)
{
    int status = -1;
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_cli_run_makes_any_program_a_worker(void **state)
{
    (void)state;
    static const struct {
        const char *script, *output;
        int exit_code;
    } cases[] = {
        {"cat", "{\"status\":\"completed\",\"output\":{\"n\":1}}\n", 0},
        {"printf '\"%s %s %s\"' $PAWL_TYPE $PAWL_WORKFLOW_ID $PAWL_FENCE",
         "{\"status\":\"completed\",\"output\":\"t w#0 0-3-1-1\"}\n", 0},
        {":", "{\"status\":\"completed\",\"output\":null}\n", 0},
        {"echo broken >&2; exit 3", "{\"status\":\"failed\",\"output\":null}\n", 7},
        {"echo no json", "{\"status\":\"failed\",\"output\":null}\n", 7},
        {"kill -9 $$", "{\"status\":\"failed\",\"output\":null}\n", 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed bed;
        bed_open(&bed, NULL);
        pid_t worker = worker_begin(&bed, cases[i].script);
        expect_run(&bed, "wf start t --id w -i '{\"n\":1}' --wait", NULL, cases[i].exit_code,
                   cases[i].output, "started w#0");
        worker_end(worker);
        fake_node_free(bed.node);
    }
}

int main(int count, char **texts)
{
    if (count != 2)
        return 2;
    binary = texts[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_examples_parse_as_their_command),
        cmocka_unit_test(test_table_commands_of_a_noun_stand_together),
        cmocka_unit_test(test_arguments_options_stand_anywhere),
        cmocka_unit_test(test_arguments_mistakes_are_explained),
        cmocka_unit_test(test_arguments_durations_and_numbers),
        cmocka_unit_test(test_cli_calls_print_what_is_answered),
        cmocka_unit_test(test_cli_failures_have_their_exit_codes),
        cmocka_unit_test(test_cli_expr_prints_each_output),
        cmocka_unit_test(test_cli_lint_points_at_the_place),
        cmocka_unit_test(test_cli_version_and_help),
        cmocka_unit_test(test_cli_run_makes_any_program_a_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
