/* Random programs, compared with the jq and gojq commands.
 *
 * 1. Programs come from a small grammar and a seed, so a failure repeats: differential_test SEED
 * COUNT.
 * 2. Both commands run all programs in one process each; every program gives one line, its outputs
 * or that it failed. Messages are not compared, nor is the order of keys (gojq sorts them).
 * 3. Where the two agree, so must we; where they differ (jq here is 1.6, gojq knows integers), we
 * must agree with one of them. What jq 1.7 changed against both is not in the grammar; cases.txt
 * has it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/json.h"
#include "proto/limits.h"
#include "workflow/expression/expression.h"

enum { PROGRAMS_MAX = 400, PROGRAM_BYTES = 2048, DEPTH_MAX = 4 };

static const char document[] =
    "{\"a\":[1,2,{\"b\":null,\"c\":\"x\"}],\"b\":{\"a\":1,\"b\":[true,false],\"c\":2.5},"
    "\"c\":\"text\",\"d\":[],\"e\":{},\"f\":[[3,1],[2],\"z\",null],\"g\":-4,\"h\":0}";

struct generator {
    uint64_t seed;
    char text[PROGRAM_BYTES];
    size_t size;
    int variable_count;
};

static uint32_t draw(struct generator *generator, uint32_t below)
{
    generator->seed = generator->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(generator->seed >> 33) % below;
}

static void emit(struct generator *generator, const char *text)
{
    const size_t size = strlen(text);
    if (generator->size + size >= PROGRAM_BYTES)
        return;
    memcpy(generator->text + generator->size, text, size + 1);
    generator->size += size;
}

static void expression(struct generator *generator, int depth);

/* A template: E is an expression, V a variable in scope, N the one that comes into scope; anything
 * else stands as it is. */
static void expand(struct generator *generator, const char *template, int depth)
{
    for (; *template != '\0'; template ++) {
        char name[16] = {*template, '\0'};
        const int count = generator->variable_count;
        if (*template == 'E') {
            expression(generator, depth + 1);
            continue;
        }
        if (*template == 'V' || *template == 'N')
            snprintf(name, sizeof name, "$v%d",
                     *template == 'N' ? count : (int)draw(generator, (uint32_t)count));
        emit(generator, name);
    }
}

static void leaf(struct generator *generator)
{
    static const char *const leaves[] = {
        ".",
        ".a",
        ".b",
        ".c?",
        ".[0]?",
        ".[]?",
        "..",
        "null",
        "true",
        "false",
        "0",
        "1",
        "-2",
        "2.5",
        "\"x\"",
        "\"\"",
        "[]",
        "{}",
        "[1,2,3]",
        "{\"a\":1}",
        "empty",
        ".f",
        ".d",
        ".e",
        ".a[2]",
        ".g",
        ".h",
        ".b.c",
        ".[1:]?",
        ".[-1:]?",
        "error(\"x\")",
        "keys",
        "add",
        "sort",
        "length",
        "type",
        "not",
        "first",
        "last",
        "tojson",
        "unique",
        "min",
        "max",
        "any",
        "flatten",
        "[.]",
        "to_entries",
        "tostring",
        "[paths]",
        "ascii_downcase",
        "explode",
        "tonumber",
        "values",
        "scalars",
        "floor",
        "-.",
        ".a?.b?",
    };
    if (generator->variable_count > 0 && draw(generator, 4) == 0)
        expand(generator, "V", DEPTH_MAX);
    else
        emit(generator, leaves[draw(generator, sizeof leaves / sizeof *leaves)]);
}

/* A template with a variable that is in scope for what follows it. */
static void binding(struct generator *generator, int depth)
{
    static const char *const heads[] = {"((E) as N | ", "(reduce (E) as N (E; ",
                                        "(foreach (E) as N (E; ", "((E) as [N] | ",
                                        "((E) as {a: N} | "};
    const uint32_t kind = draw(generator, sizeof heads / sizeof *heads);
    expand(generator, heads[kind], depth);
    generator->variable_count++;
    expression(generator, depth + 1);
    emit(generator, kind == 1 || kind == 2 ? "))" : ")");
    generator->variable_count--;
}

static void expression(struct generator *generator, int depth)
{
    static const char *const templates[] = {
        "(E | E)",
        "(E, E)",
        "[E]",
        "(E + E)",
        "(E - E)",
        "(E * E)",
        "([E, E] | .[0] / .[1])",
        "([E, E] | .[0] % .[1])",
        "(E == E)",
        "(E != E)",
        "(E < E)",
        "(E >= E)",
        "-(E)",
        "(E // E)",
        "(E and E)",
        "(E or E)",
        "(E | not)",
        "{a: (E), \"b\": (E)}",
        "{(E | tostring): (E)}",
        "(if E then E else E end)",
        "(if E then E elif E then E else E end)",
        "([try E catch E] | .[])",
        "([(E)?] | .[])",
        "\"<\\(E)>\"",
        "\"\\(E)-\\(E)\"",
        "map(E)",
        "select(E)",
        "map_values(E)",
        "first(E)",
        "[limit(2; E)]",
        "isempty(E)",
        "any(E; E)",
        "all(E; E)",
        "[range(E; 3)]",
        "sort_by(E)",
        "group_by(E)",
        "min_by(E)",
        "max_by(E)",
        "unique_by(E)",
        "(E | .[E])",
        "(E | .[0:2])",
        "(E | .[E:E]?)",
        "(.a |= E)",
        "(.a[] |= E)",
        "(.[0]? |= E)",
        "(.b = E)",
        "(.b[]? = E)",
        "(.c += E)",
        "(.h //= E)",
        "(.b.c *= E)",
        "(.f[0][1:] = E)",
        "((.a, .d) |= E)",
        "(.[\"a\", \"b\"] = E)",
        "(.a[E]? |= E)",
        "(.. |= E)",
        "(.b |= with_entries(.value |= E))",
        "(.a | map(select(E)))",
        "del(.a, .b)",
        "del(.a[E]?)",
        "(E | del(.[0]))",
        "(E | del(.a, .b))",
        "(E | delpaths([[\"a\"], [\"b\", \"a\"]]))",
        "(E | setpath([\"a\"]; E))",
        "(E | setpath([0, \"b\"]; E))",
        "(E | getpath([\"a\", 0]))",
        "path(.a | .[0]?)",
        "[path(..)]",
        "[path(.a[]?, .b.c, first(.f[]))]",
        "[path(if E then .a else .b end)]",
        "[path(.h // .a)]",
        "(E | [paths])",
        "(E | [paths(type == \"number\")])",
        "(E | [leaf_paths])",
        "(E | to_entries)",
        "(E | with_entries(.))",
        "(E | to_entries | from_entries)",
        "with_entries(.value |= E)",
        "(E | has(E))",
        "(E | contains(E))",
        "(E | inside(E))",
        "(E | indices(1))",
        "(E | index(\"t\"))",

        "(E | flatten(1))",
        "(E | transpose)",
        "(E | arrays | reverse)",
        "(E | add)",
        "([E] | add)",
        "(E | nth(1))",
        "([E, E] | combinations)",
        "(E | until(length < 1; .[1:]))",
        "(E | walk(.))",
        "(E | walk(if type == \"number\" then . + 1 else . end))",
        "(E | [.. | scalars])",
        "[recurse(if type == \"array\" then .[] else empty end)]",
        "[E | tostream]",
        "fromstream(E | tostream)",
        "(E | tojson | fromjson)",
        "(E | tostring)",
        "(E | @json)",
        "(E | @html)",
        "(E | @csv)",
        "(E | @tsv)",
        "(E | @sh)",
        "(E | @base64)",
        "(E | @text)",
        "(E | split(E))",
        "(E | join(\",\"))",
        "(E | ltrimstr(\"t\"))",
        "(E | rtrimstr(\"t\"))",
        "(E | startswith(\"t\"))",
        "(E | endswith(\"t\"))",
        "(E | ascii_upcase)",
        "(E | utf8bytelength)",
        "(E | floor)",
        "(E | length)",
        "(label $f | E | if . == 1 then break $f else . end)",
        "[label $f | (E, break $f, E)]",
        "[foreach (E) as [$p, $q] (0; [., $p]; [$q, .])]",
        "(reduce (E) as {a: $p} (E; [., $p]))",
        "([(E) as [$p] ?// $p | [$p]] | .[])",
        "(def f: E; f | f)",
        "(def f(g): g | g; f(E))",
        "(def f($p; g): [$p, g]; f(E; E))",
        "(def f: if type == \"array\" then map(f) else E end; f)",
        "(def f(x): [x, (1 | x)]; def g: E; f(g))",
    };
    if (depth >= DEPTH_MAX || draw(generator, 5) == 0) {
        leaf(generator);
        return;
    }
    const uint32_t choice = draw(generator, sizeof templates / sizeof *templates + 12);
    if (choice >= sizeof templates / sizeof *templates)
        binding(generator, depth);
    else
        expand(generator, templates[choice], depth);
}

struct outputs {
    struct buffer values;
    uint32_t count;
};

static bool take_output(void *user, struct bytes value)
{
    struct outputs *outputs = user;
    pack_value(&outputs->values, value);
    return ++outputs->count < 64;
}

enum verdict { VERDICT_OUTPUTS, VERDICT_FAILED, VERDICT_UNKNOWN };

/* What a program came to: an array of its outputs (at most 64), or that it failed. */
struct result {
    enum verdict verdict;
    struct buffer value;
};

static void run_ours(const char *program, struct bytes input, struct result *result)
{
    struct arena arena = {0};
    struct outputs outputs = {.count = 0};
    struct pawl_diag diag;
    const struct expression *compiled;
    uint64_t fuel = 20 * (uint64_t)EXPRESSION_FUEL;
    if (expression_compile(bytes_string(program), NULL, &arena, &compiled, &diag) != PAWL_OK)
        fail_msg("%s: %s", program, diag.text);
    const struct expression_context context = {.input = input, .fuel = &fuel, .arena = &arena};
    const enum pawl_error error =
        expression_evaluate_each(compiled, &context, take_output, &outputs, NULL, &diag);
    result->verdict = error == PAWL_OK             ? VERDICT_OUTPUTS
                      : error == PAWL_E_EXPRESSION ? VERDICT_FAILED
                                                   : VERDICT_UNKNOWN;
    pack_array(&result->value, outputs.count);
    buffer_append(&result->value, outputs.values.data, outputs.values.size);
    buffer_done(&outputs.values);
    arena_done(&arena);
}

static void read_result(const char *line, struct result *result)
{
    struct buffer value = {0};
    struct bytes outputs;
    result->verdict = VERDICT_FAILED;
    if (json_read(bytes_string(line), NULL, &value, NULL) != PAWL_OK)
        result->verdict = VERDICT_UNKNOWN;
    else if (value_kind_of(buffer_bytes(&value)) == VALUE_ARRAY) {
        result->verdict = VERDICT_OUTPUTS;
        outputs = buffer_bytes(&value);
        buffer_append(&result->value, outputs.data, outputs.size);
    }
    buffer_done(&value);
}

/* All programs as one, which gives a line for each. */
static void write_programs(FILE *file, const struct generator *programs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(file, "%s(try [limit(64; %s)] catch \"failed\")\n", i > 0 ? ", " : "",
                programs[i].text);
}

static void run_command(const char *command, const struct generator *programs, size_t count,
                        struct result *results)
{
    char path[] = "/tmp/pawl_differential_XXXXXX";
    char line[1 << 16];
    char shell[512];
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "w");
    assert_non_null(file);
    write_programs(file, programs, count);
    fclose(file);
    snprintf(shell, sizeof shell, "printf '%%s' '%s' | %s -c -f %s", document, command, path);
    FILE *output = popen(shell, "r");
    assert_non_null(output);
    size_t line_count = 0;
    while (line_count < count && fgets(line, sizeof line, output) != NULL)
        read_result(line, &results[line_count++]);
    pclose(output);
    unlink(path);
    if (line_count == 0)
        fail_msg("%s gave no line for %zu programs; is it installed?", command, count);
    /* gojq may die on the way; what it did not say is not compared. */
    for (; line_count < count; line_count++)
        results[line_count].verdict = VERDICT_UNKNOWN;
}

static bool same(const struct result *a, const struct result *b)
{
    return a->verdict == b->verdict &&
           (a->verdict != VERDICT_OUTPUTS ||
            value_equal(buffer_bytes(&a->value), buffer_bytes(&b->value)));
}

static void print_result(const char *who, const struct result *result)
{
    static const char *const verdicts[] = {"", "failed", "unknown"};
    struct buffer text = {0};
    if (result->verdict == VERDICT_OUTPUTS)
        json_write(buffer_bytes(&result->value), JSON_COMPACT, &text);
    print_error("  %s %s%.*s\n", who, verdicts[result->verdict], (int)text.size,
                (const char *)text.data);
    buffer_done(&text);
}

struct options {
    uint64_t seed;
    size_t count;
};

static void test_random_programs_agree_with_jq_or_gojq(void **state)
{
    const struct options *options = *state;
    struct generator *programs = calloc(options->count, sizeof *programs);
    struct result *results = calloc(3 * options->count, sizeof *results);
    struct buffer input = {0};
    size_t compared_count = 0;
    size_t wrong_count = 0;
    assert_true(programs != NULL && results != NULL);
    assert_int_equal(json_read(bytes_string(document), NULL, &input, NULL), PAWL_OK);
    struct result *jq = results + options->count;
    struct result *gojq = jq + options->count;
    for (size_t i = 0; i < options->count; i++) {
        programs[i].seed = options->seed * 1000003 + i;
        expression(&programs[i], 0);
        run_ours(programs[i].text, buffer_bytes(&input), &results[i]);
    }
    run_command("jq", programs, options->count, jq);
    run_command("gojq", programs, options->count, gojq);
    for (size_t i = 0; i < options->count; i++) {
        const bool is_known = results[i].verdict != VERDICT_UNKNOWN &&
                              jq[i].verdict != VERDICT_UNKNOWN &&
                              gojq[i].verdict != VERDICT_UNKNOWN;
        compared_count += is_known;
        if (!is_known || same(&results[i], &jq[i]) || same(&results[i], &gojq[i]))
            continue;
        wrong_count++;
        print_error("%s\n", programs[i].text);
        print_result("ours", &results[i]);
        print_result("jq  ", &jq[i]);
        print_result("gojq", &gojq[i]);
    }
    for (size_t i = 0; i < 3 * options->count; i++)
        buffer_done(&results[i].value);
    buffer_done(&input);
    free(results);
    free(programs);
    assert_int_equal(wrong_count, 0);
    assert_true(compared_count > options->count / 2);
}

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .count = PROGRAMS_MAX};
    if (argc > 1)
        options.seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        options.count = (size_t)strtoull(argv[2], NULL, 10);
    print_message("seed %llu, %zu programs\n", (unsigned long long)options.seed, options.count);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_random_programs_agree_with_jq_or_gojq, &options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
