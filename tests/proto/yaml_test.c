#include "proto/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/json.h"
#include "proto/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *yaml;
    const char *json;
} good[] = {
    /* Plain scalars: the core schema of YAML 1.2.2, 10.3.2 */
    {"null", "null"},
    {"Null", "null"},
    {"NULL", "null"},
    {"~", "null"},
    {"", "null"},
    {"nULL", "\"nULL\""},
    {"true", "true"},
    {"True", "true"},
    {"TRUE", "true"},
    {"false", "false"},
    {"False", "false"},
    {"FALSE", "false"},
    {"tRUE", "\"tRUE\""},
    {"yes", "\"yes\""},
    {"no", "\"no\""},
    {"on", "\"on\""},
    {"off", "\"off\""},
    {"y", "\"y\""},
    {"0", "0"},
    {"-1", "-1"},
    {"+12", "12"},
    {"010", "10"},
    {"0o17", "15"},
    {"0o18", "\"0o18\""},
    {"0o", "\"0o\""},
    {"-0o17", "\"-0o17\""},
    {"0x1F", "31"},
    {"0xffffffffffffffff", "18446744073709551615"},
    {"0o1777777777777777777777", "18446744073709551615"},
    {"0x", "\"0x\""},
    {"0xg", "\"0xg\""},
    {"0X1f", "\"0X1f\""},
    {"0b1", "\"0b1\""},
    {"1_000", "\"1_000\""},
    {"18446744073709551615", "18446744073709551615"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"18446744073709551616", "18446744073709552000"},
    {"1.5", "1.5"},
    {".5", "0.5"},
    {"5.", "5"},
    {"-.5e1", "-5"},
    {"+1e+2", "100"},
    {"1E-2", "0.01"},
    {".", "\".\""},
    {"..", "\"..\""},
    {"-", "[null]"},
    {"-.", "\"-.\""},
    {"e1", "\"e1\""},
    {"1e", "\"1e\""},
    {"1e+", "\"1e+\""},
    {"1.2.3", "\"1.2.3\""},
    {"12:30:45", "\"12:30:45\""},
    {"2024-01-01", "\"2024-01-01\""},
    {"inf", "\"inf\""},
    {"nan", "\"nan\""},
    {"<<: a", "{\"<<\":\"a\"}"},

    /* Quotes make text */
    {"'null'", "\"null\""},
    {"\"12\"", "\"12\""},
    {"''", "\"\""},
    {"'it''s'", "\"it's\""},
    {"\"\\x41\\u00e9\\U0001F600\\e\\0\"", "\"A\xc3\xa9\xf0\x9f\x98\x80\\u001b\\u0000\""},
    {"\".inf\"", "\".inf\""},
    {"'*a'", "\"*a\""},

    /* Block and flow */
    {"a: 1\nb:\n  - x\n  - y: 2\n    z: 3\n", "{\"a\":1,\"b\":[\"x\",{\"y\":2,\"z\":3}]}"},
    {"- - 1\n  - 2\n- 3", "[[1,2],3]"},
    {"a:\n- 1\n- 2", "{\"a\":[1,2]}"},
    {"{a: 1, b: [x, {c: d}], e}", "{\"a\":1,\"b\":[\"x\",{\"c\":\"d\"}],\"e\":null}"},
    {"[a, b, ]", "[\"a\",\"b\"]"},
    {"{a: 1, }", "{\"a\":1}"},
    {"a: {}\nb: []", "{\"a\":{},\"b\":[]}"},
    {"a:\nb:", "{\"a\":null,\"b\":null}"},
    {"? a\n: b\n? c", "{\"a\":\"b\",\"c\":null}"},
    {"a: b c\n  d", "{\"a\":\"b c d\"}"},
    {"\"a\": 'b'", "{\"a\":\"b\"}"},
    {"url: http://x:80/#a", "{\"url\":\"http://x:80/#a\"}"},

    /* Keys are their text */
    {"404: a", "{\"404\":\"a\"}"},
    {"true: a\nnull: b\n~: c\n1.0: d", "{\"true\":\"a\",\"null\":\"b\",\"~\":\"c\",\"1.0\":\"d\"}"},
    {"1: a\n1.0: b", "{\"1\":\"a\",\"1.0\":\"b\"}"},
    {"'': a", "{\"\":\"a\"}"},
    {"{a: {a: {a: 1}}}", "{\"a\":{\"a\":{\"a\":1}}}"},

    /* Block scalars */
    {"a: |\n  x\n   y\n\n  z\n", "{\"a\":\"x\\n y\\n\\nz\\n\"}"},
    {"a: |-\n  x\n", "{\"a\":\"x\"}"},
    {"a: |+\n  x\n\n", "{\"a\":\"x\\n\\n\"}"},
    {"a: >\n  x\n  y\n\n  z\n", "{\"a\":\"x y\\nz\\n\"}"},
    {"a: >-\n  x\n  y\n", "{\"a\":\"x y\"}"},
    {"a: |2\n   x\n", "{\"a\":\" x\\n\"}"},
    {"a: |\n  # no comment\n  12\n", "{\"a\":\"# no comment\\n12\\n\"}"},

    /* Comments and documents */
    {"# only a comment\n", "null"},
    {"\n\n", "null"},
    {"---", "null"},
    {"---\n...\n", "null"},
    {"%YAML 1.2\n---\na\n...", "\"a\""},
    {"--- a", "\"a\""},
    {"a: 1 # one\n# two\nb: 2 #\n", "{\"a\":1,\"b\":2}"},
    {"a: 1#x", "{\"a\":\"1#x\"}"},
    {"\xef\xbb\xbfk: 1", "{\"k\":1}"},
    {"a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}"},
    {"\xc3\xa9: \xe2\x82\xac", "{\"\xc3\xa9\":\"\xe2\x82\xac\"}"},

    /* JSON */
    {"{\"a\":[1,2.5,\"\\ud83d\\ude00\",\"\\/\"]}", "{\"a\":[1,2.5,\"\xf0\x9f\x98\x80\",\"/\"]}"},
    {"\t[\n\t1,\n\t2\n]", "[1,2]"},
    {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
    {"{\"a\":1,}", "{\"a\":1}"},
};

static void test_yaml_of_a_text_is_the_value_of_its_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct buffer value = {0}, text = {0};
        struct pawl_diag diag = {.text = ""};
        if (yaml_read(bytes_string(good[i].yaml), NULL, NULL, &value, NULL, &diag) != PAWL_OK)
            fail_msg("%s: %d:%d %s", good[i].yaml, diag.line, diag.column, diag.text);
        assert_int_equal(value_check(buffer_bytes(&value), NULL, NULL), PAWL_OK);
        json_write(buffer_bytes(&value), JSON_COMPACT, &text);
        buffer_append(&text, "", 1);
        assert_string_equal((const char *)text.data, good[i].json);
        buffer_done(&value);
        buffer_done(&text);
    }
}

static const struct {
    const char *text;
    int line, column;
    const char *what;
} bad[] = {
    {"a: &x 1", 1, 4, "anchors are not taken"},
    {"a: 1\nb: &x [1]", 2, 4, "anchors are not taken"},
    {"&x a: 1", 1, 1, "anchors are not taken"},
    {"b: &x {c: d}", 1, 4, "anchors are not taken"},
    {"a: *x", 1, 4, "aliases are not taken"},
    {"a: 1\n*x : 2", 2, 1, "aliases are not taken"},
    {"a: !!str 1", 1, 4, "tags are not taken"},
    {"a: !local 1", 1, 4, "tags are not taken"},
    {"a: ! 1", 1, 4, "tags are not taken"},
    {"a: !<tag:yaml.org,2002:str> 1", 1, 4, "tags are not taken"},
    {"- !!map {}", 1, 3, "tags are not taken"},
    {"!!seq []", 1, 1, "tags are not taken"},
    {"a: ! 'x'", 1, 4, "tags are not taken"},
    {"%TAG !e! tag:e,2024:\n---\na", 1, 1, "tags are not taken"},
    {"a: 1\nb: 2\na: 3", 3, 1, "duplicate key"},
    {"{a: 1, 'a': 2}", 1, 8, "duplicate key"},
    {"x:\n  \xc3\xa9: 1\n  k: {\xc3\xa9: 0}\n  \xc3\xa9: 2", 4, 3, "duplicate key"},
    {"404: a\n'404': b", 2, 1, "duplicate key"},
    {"? [a]\n: 1", 1, 3, "a key must be a scalar"},
    {"? {a: b}\n: 1", 1, 3, "a key must be a scalar"},
    {"{[a]: 1}", 1, 2, "a key must be a scalar"},
    {"a\n---\nb", 2, 1, "expected one document only"},
    {"---\na\n---", 3, 1, "expected one document only"},
    {"a: .inf", 1, 4, "infinity and NaN are no values here"},
    {"a: -.Inf", 1, 4, "infinity and NaN are no values here"},
    {"- .NaN", 1, 3, "infinity and NaN are no values here"},
    {"a: 1e999", 1, 4, "the number is too large"},
    {"a: 0x10000000000000000", 1, 4, "the number is too large"},
    {"a: 0o2000000000000000000000", 1, 4, "the number is too large"},

    {"a: b: c", 1, 5, "mapping values are not allowed in this context"},
    {"a: 1\n b: 2", 2, 3, "mapping values are not allowed in this context"},
    {"a: [1, 2", 1, 9, NULL},
    {"a: 'x", 1, 6, NULL},
    {"a: \"\\q\"", 1, 5, NULL},
    {"a: \"\\ud83d\"", 1, 7, NULL},
    {"{a: 1\nb: 2}", 2, 2, NULL},
    {"\tb: 2", 1, 1, NULL},
    {"a: @x", 1, 4, NULL},
    {"a: `x", 1, 4, NULL},
    {"- a\nb", 2, 2, NULL},
    {"a: |\n  x\n y", 3, 2, NULL},
    {"[a]]", 1, 4, NULL},
    {"%YAML 2.0\n---\na", 1, 1, NULL},
    {"k: \x01", 1, 4, NULL},
    {"k\xc3\xa9: \xff", 1, 5, "the text is not UTF-8"},
    {"{\"a\":1,\n\"a\":2}", 2, 1, "duplicate key"},
    {"{\"a\":1", 1, 7, NULL},
};

static void test_yaml_read_of_anything_else_says_where_and_what(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buffer value = {0};
        struct pawl_diag diag = {.text = ""};
        buffer_append(&value, "kept", 4);
        assert_int_equal(yaml_read(bytes_string(bad[i].text), NULL, NULL, &value, NULL, &diag),
                         PAWL_E_INVALID);
        const bool is_told =
            bad[i].what == NULL ? diag.text[0] != '\0' : strstr(diag.text, bad[i].what) != NULL;
        if (!is_told || diag.line != bad[i].line || diag.column != bad[i].column)
            fail_msg("%s: %d:%d %s", bad[i].text, diag.line, diag.column, diag.text);
        assert_true(bytes_equal(buffer_bytes(&value), BYTES_LITERAL("kept")));
        buffer_done(&value);
    }
}

static void test_yaml_read_past_a_limit_is_a_limit(void **state)
{
    (void)state;
    const struct {
        struct value_limits limits;
        const char *text;
        enum pawl_error error;
    } rows[] = {
        {{100, 10, 4}, "- 1\n- 2\n- 3", PAWL_OK},
        {{100, 10, 3}, "- 1\n- 2\n- 3", PAWL_E_LIMIT},
        {{100, 2, 100}, "a: {b: 1}", PAWL_OK},
        {{100, 1, 100}, "a: {b: 1}", PAWL_E_LIMIT},
        {{4, 10, 10}, "abc", PAWL_OK},
        {{3, 10, 10}, "abc", PAWL_E_LIMIT},
        {{100, 2, 10}, "[[1]]", PAWL_OK},
        {{100, 1, 10}, "[[1]]", PAWL_E_LIMIT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer value = {0};
        struct pawl_diag diag = {.text = ""};
        const enum pawl_error error =
            yaml_read(bytes_string(rows[i].text), &rows[i].limits, NULL, &value, NULL, &diag);
        assert_int_equal(error, rows[i].error);
        assert_int_equal(diag.line > 0, error != PAWL_OK);
        assert_int_equal(value.size == 0, error != PAWL_OK);
        buffer_done(&value);
    }
}

static void fill(struct buffer *text, const char *part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_append(text, part, strlen(part));
}

/* Each of them would take long or much if it were believed. */
static void test_yaml_read_of_a_bomb_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *part;
        size_t count;
    } rows[] = {
        {"[", 1000000},      {"{a: ", 250000}, {"- ", 500000},   {"? ", 500000}, {"[{", 500000},
        {"a: [*a,", 100000}, {"- x\n", 70000}, {"a:\n", 300000}, {"{", 1000000},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer text = {0}, value = {0};
        fill(&text, rows[i].part, rows[i].count);
        assert_true(text.size <= TEXT_BYTES_MAX);
        assert_int_not_equal(yaml_read(buffer_bytes(&text), NULL, NULL, &value, NULL, NULL),
                             PAWL_OK);
        assert_int_equal(value.size, 0);
        buffer_done(&text);
        buffer_done(&value);
    }
}

static void test_yaml_read_of_a_text_past_the_limit_is_refused(void **state)
{
    (void)state;
    struct buffer text = {0}, value = {0};
    memset(buffer_extend(&text, TEXT_BYTES_MAX + 1), '\n', TEXT_BYTES_MAX + 1);
    assert_int_equal(yaml_read(buffer_bytes(&text), NULL, NULL, &value, NULL, NULL), PAWL_E_LIMIT);
    buffer_done(&text);
    buffer_done(&value);
}

static void test_yaml_read_cut_short_anywhere_stays_inside(void **state)
{
    (void)state;
    const struct bytes text = BYTES_LITERAL("# c\na: \"\\u00e9\xc3\xa9\"\nb: |-\n  x\n"
                                            "c: {d: [1, ~], 'e': >\n f}\n? g\n: - 0x1f\n");
    for (size_t size = 0; size <= text.size; size++) {
        struct buffer value = {0};
        struct pawl_diag diag = {.text = ""};
        uint8_t *exact = malloc(size);
        assert_true(size == 0 || exact != NULL);
        memcpy(exact, text.data, size);
        const enum pawl_error error =
            yaml_read(bytes_of(exact, size), NULL, NULL, &value, NULL, &diag);
        assert_true(error == PAWL_OK || (diag.line > 0 && diag.column > 0));
        assert_true(error != PAWL_OK || value_check(buffer_bytes(&value), NULL, NULL) == PAWL_OK);
        free(exact);
        buffer_done(&value);
    }
}

struct expected_place {
    uint32_t line, column;
};

static void assert_places(const char *text, const struct expected_place *expected, size_t count)
{
    struct arena arena = {0};
    struct buffer value = {0};
    struct yaml_places places;
    buffer_append(&value, "before", 6);
    assert_int_equal(yaml_read(bytes_string(text), NULL, &arena, &value, &places, NULL), PAWL_OK);
    assert_int_equal(places.count, count);
    struct value_cursor cursor = {value.data + 6, value.data + value.size};
    for (size_t i = 0; i < count; i++) {
        struct value_head head;
        assert_int_equal(places.place[i].offset, cursor.at - value.data);
        assert_int_equal(places.place[i].line, expected[i].line);
        assert_int_equal(places.place[i].column, expected[i].column);
        assert_int_equal(value_next(&cursor, &head), PAWL_OK);
    }
    buffer_done(&value);
    arena_done(&arena);
}

static void test_yaml_places_are_those_of_the_nodes(void **state)
{
    (void)state;
    /* The map, then keys and values in their order. */
    static const struct expected_place block[] = {
        {2, 1}, {2, 1}, {2, 4}, {3, 1}, {4, 3}, {4, 5}, {5, 5}, {6, 1}, {6, 4},
    };
    assert_places("# c\na: 1\nb:\n  - x\n  - \xc3\xa9\xc3\xa9 z\nc: |\n  t\n", block,
                  COUNT_OF(block));
}

static void test_yaml_places_of_json_are_those_of_the_nodes(void **state)
{
    (void)state;
    static const struct expected_place flow[] = {
        {1, 1}, {1, 2}, {1, 6}, {1, 7}, {2, 2}, {2, 7}, {3, 1}, {3, 5},
    };
    assert_places("{\"a\":[1,\n \"\xc3\xa9\", null],\n\"b\":{}}", flow, COUNT_OF(flow));
}

static void test_yaml_places_move_with_heads_that_grow(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer text = {0}, value = {0};
    struct yaml_places places;
    fill(&text, "- {a: [1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8]}\n", 20);
    assert_int_equal(yaml_read(buffer_bytes(&text), NULL, &arena, &value, &places, NULL), PAWL_OK);
    assert_int_equal(places.count, 1 + 20 * 21);
    struct value_cursor cursor = value_cursor_of(buffer_bytes(&value));
    for (size_t i = 0; i < places.count; i++) {
        struct value_head head;
        assert_int_equal(places.place[i].offset, cursor.at - value.data);
        assert_int_equal(places.place[i].line, i == 0 ? 1 : 1 + (i - 1) / 21);
        assert_int_equal(value_next(&cursor, &head), PAWL_OK);
    }
    buffer_done(&text);
    buffer_done(&value);
    arena_done(&arena);
}

static void test_yaml_place_at_finds_the_node_or_the_one_before(void **state)
{
    (void)state;
    struct yaml_place place[] = {{4, 1, 1}, {5, 2, 1}, {9, 3, 1}};
    const struct yaml_places places = {place, COUNT_OF(place)}, none = {NULL, 0};
    static const int lines[] = {0, 0, 0, 0, 1, 2, 2, 2, 2, 3, 3, 3};
    for (size_t offset = 0; offset < COUNT_OF(lines); offset++) {
        const struct yaml_place *found = yaml_place_at(&places, offset);
        assert_int_equal(found == NULL ? 0 : (int)found->line, lines[offset]);
    }
    assert_null(yaml_place_at(&none, 7));
}

static void test_yaml_read_without_room_for_places_is_no_memory(void **state)
{
    (void)state;
    struct arena arena = {.limit = 16};
    struct buffer value = {0};
    struct yaml_places places;
    assert_int_equal(yaml_read(BYTES_LITERAL("[1,2,3]"), NULL, &arena, &value, &places, NULL),
                     PAWL_E_NO_MEMORY);
    assert_int_equal(value.size, 0);
    buffer_done(&value);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_of_a_text_is_the_value_of_its_json),
        cmocka_unit_test(test_yaml_read_of_anything_else_says_where_and_what),
        cmocka_unit_test(test_yaml_read_past_a_limit_is_a_limit),
        cmocka_unit_test(test_yaml_read_of_a_bomb_is_refused),
        cmocka_unit_test(test_yaml_read_of_a_text_past_the_limit_is_refused),
        cmocka_unit_test(test_yaml_read_cut_short_anywhere_stays_inside),
        cmocka_unit_test(test_yaml_places_are_those_of_the_nodes),
        cmocka_unit_test(test_yaml_places_of_json_are_those_of_the_nodes),
        cmocka_unit_test(test_yaml_places_move_with_heads_that_grow),
        cmocka_unit_test(test_yaml_place_at_finds_the_node_or_the_one_before),
        cmocka_unit_test(test_yaml_read_without_room_for_places_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
