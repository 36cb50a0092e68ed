#include "proto/json.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Read text and write it again, compact, as a NUL-terminated string in text_out. */
static enum pawl_error rewrite(struct bytes text, struct buffer *text_out, struct pawl_diag *diag)
{
    struct buffer value = {0};
    const enum pawl_error error = json_read(text, NULL, &value, diag);
    buffer_reset(text_out);
    if (error == PAWL_OK) {
        assert_int_equal(value_check(buffer_bytes(&value), NULL, NULL), PAWL_OK);
        json_write(buffer_bytes(&value), JSON_COMPACT, text_out);
    }
    buffer_append(text_out, "", 1);
    assert_false(text_out->is_failed);
    buffer_done(&value);
    return error;
}

static const struct {
    const char *text;
    const char *rewritten;
} good[] = {
    {"null", "null"},
    {" \t\r\n true \t\r\n ", "true"},
    {"false", "false"},
    {"[]", "[]"},
    {"{}", "{}"},
    {"[ ]", "[]"},
    {"{ }", "{}"},
    {"[[],[{}]]", "[[],[{}]]"},
    {"[1 ,\n2]", "[1,2]"},
    {"{ \"a\" : 1 , \"b\" : [ ] }", "{\"a\":1,\"b\":[]}"},
    {"{\"\":0}", "{\"\":0}"},
    {"{\"b\":1,\"a\":2}", "{\"b\":1,\"a\":2}"},
    {"{\"a\":{\"a\":1}}", "{\"a\":{\"a\":1}}"},

    {"0", "0"},
    {"-1", "-1"},
    {"127", "127"},
    {"9007199254740993", "9007199254740993"},
    {"9223372036854775807", "9223372036854775807"},
    {"9223372036854775808", "9223372036854775808"},
    {"18446744073709551615", "18446744073709551615"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"18446744073709551616", "18446744073709552000"},
    {"-9223372036854775809", "-9223372036854775808"},
    {"100000000000000000000000000", "1e26"},
    {"-0", "-0"},
    {"-0.0", "-0"},
    {"0.0", "0"},
    {"0e0", "0"},
    {"0e999999999999999999999", "0"},
    {"3.0", "3"},
    {"1e2", "100"},
    {"1E+2", "100"},
    {"12e-1", "1.2"},
    {"0.1", "0.1"},
    {"-0.1", "-0.1"},
    {"0.2999999999999999889", "0.3"},
    {"0.30000000000000004", "0.30000000000000004"},
    {"1e100", "1e100"},
    {"1.5e300", "1.5e300"},
    {"1e-7", "1e-7"},
    {"0.0001", "0.0001"},
    {"0.00001", "1e-5"},
    {"123456.789e-9", "0.000123456789"},
    {"1e15", "1000000000000000"},
    {"1e16", "1e16"},
    {"1e17", "1e17"},
    {"1.5e16", "15000000000000000"},
    {"1152921504606846976.0", "1152921504606846976"},
    {"9223372036854775808.0", "9223372036854775808"},
    {"123456789012345680000", "123456789012345680000"},
    {"5e-324", "5e-324"},
    {"4.9406564584124654e-324", "5e-324"},
    {"1e-400", "0"},
    {"-1e-400", "-0"},
    {"2.2250738585072014e-308", "2.2250738585072014e-308"},
    {"1.7976931348623157e308", "1.7976931348623157e308"},
    {"1.797693134862315807e308", "1.7976931348623157e308"},
    {"9007199254740993.0", "9007199254740992"},     /* a tie goes to even */
    {"9007199254740993.00001", "9007199254740994"}, /* and just above it does not */

    {"\"\"", "\"\""},
    {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"", "\"a\\\"\\\\/\\b\\f\\n\\r\\tz\""},
    {"\"\\u0041\\u00e9\\u20AC\"", "\"A\xc3\xa9\xe2\x82\xac\""},
    {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
    {"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""},
    {"\"\\u0000\\u001f\\u007f\"", "\"\\u0000\\u001f\\u007f\""},
    {"\"\xf0\x9f\x98\x80\xc2\x80\"", "\"\xf0\x9f\x98\x80\xc2\x80\""},
    {"\"\\uffff\\ufdd0\"", "\"\xef\xbf\xbf\xef\xb7\x90\""},
    {"\"\x7f\"", "\"\\u007f\""},
};

static void test_json_of_a_text_reads_and_writes_its_value(void **state)
{
    (void)state;
    struct buffer text = {0};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct pawl_diag diag = {.text = ""};
        if (rewrite(bytes_string(good[i].text), &text, &diag) != PAWL_OK)
            fail_msg("%s: %d:%d %s", good[i].text, diag.line, diag.column, diag.text);
        assert_string_equal((const char *)text.data, good[i].rewritten);
        /* What was written is already as it should be. */
        assert_int_equal(rewrite(bytes_string(good[i].rewritten), &text, &diag), PAWL_OK);
        assert_string_equal((const char *)text.data, good[i].rewritten);
    }
    buffer_done(&text);
}

static const struct {
    const char *text;
    int line, column;
    const char *what;
} bad[] = {
    {"", 1, 1, "expected a value"},
    {"  \n ", 2, 2, "expected a value"},
    {"nul", 1, 1, "expected a value"},
    {"True", 1, 1, "expected a value"},
    {"NaN", 1, 1, "expected a value"},
    {"Infinity", 1, 1, "expected a value"},
    {"-Infinity", 1, 2, "expected a digit"},
    {"'a'", 1, 1, "expected a value"},
    {"// c\n1", 1, 1, "expected a value"},
    {"\xef\xbb\xbfnull", 1, 1, "expected a value"},
    {"nullx", 1, 5, "expected nothing more"},
    {"1 2", 1, 3, "expected nothing more"},
    {"[]]", 1, 3, "expected nothing more"},
    {"{}\n\n  x", 3, 3, "expected nothing more"},

    {"[", 1, 2, "expected a value"},
    {"[1", 1, 3, "expected ',' or ']'"},
    {"[1,", 1, 4, "expected a value"},
    {"[1,]", 1, 4, "expected a value"},
    {"[,1]", 1, 2, "expected a value"},
    {"[1 2]", 1, 4, "expected ',' or ']'"},
    {"[1}", 1, 3, "expected ',' or ']'"},
    {"{", 1, 2, "expected a key, which is a string"},
    {"{\"a\"", 1, 5, "expected ':'"},
    {"{\"a\" 1}", 1, 6, "expected ':'"},
    {"{\"a\":", 1, 6, "expected a value"},
    {"{\"a\":1", 1, 7, "expected ',' or '}'"},
    {"{\"a\":1,}", 1, 8, "expected a key, which is a string"},
    {"{\"a\":1]", 1, 7, "expected ',' or '}'"},
    {"{a:1}", 1, 2, "expected a key, which is a string"},
    {"{1:1}", 1, 2, "expected a key, which is a string"},
    {"{\"a\":1 \"b\":2}", 1, 8, "expected ',' or '}'"},

    {"{\"a\":1,\n \"a\":2}", 2, 2, "duplicate key"},
    {"{\"a\":1,\"\\u0061\":2}", 1, 8, "duplicate key"},
    {"[{\"x\":{\"k\":1,\n\"k\":1}}]", 2, 1, "duplicate key"},

    {"01", 1, 2, "a number has no leading zeros"},
    {"-01", 1, 3, "a number has no leading zeros"},
    {"-", 1, 2, "expected a digit"},
    {"+1", 1, 1, "expected a value"},
    {".5", 1, 1, "expected a value"},
    {"1.", 1, 3, "expected a digit"},
    {"1.e1", 1, 3, "expected a digit"},
    {"1e", 1, 3, "expected a digit"},
    {"1e+", 1, 4, "expected a digit"},
    {"0x1", 1, 2, "expected nothing more"},
    {"1_000", 1, 2, "expected nothing more"},
    {"[1e400]", 1, 2, "the number is too large"},
    {"-1e999999999999999999999", 1, 1, "the number is too large"},
    {"1.797693134862315808e308", 1, 1, "the number is too large"},

    {"\"", 1, 2, "the string does not end"},
    {"\"abc", 1, 5, "the string does not end"},
    {"[\"\n\"]", 1, 3, "a control character in a string must be escaped"},
    {"\"\t\"", 1, 2, "a control character in a string must be escaped"},
    {"\"\\", 1, 2, "not an escape of JSON, or half of a surrogate pair"},
    {"\"\\x41\"", 1, 2, "not an escape of JSON, or half of a surrogate pair"},
    {"\"\\'\"", 1, 2, "not an escape of JSON, or half of a surrogate pair"},
    {"\"\\u12\"", 1, 2, "not an escape of JSON, or half of a surrogate pair"},
    {"\"\\u12g4\"", 1, 2, "not an escape of JSON, or half of a surrogate pair"},
    {"\"\\ud800\"", 1, 2, "not an escape of JSON, or half of a surrogate pair"},
    {"\"\\udc00\"", 1, 2, "not an escape of JSON, or half of a surrogate pair"},
    {"\"\\ud800\\ud800\"", 1, 2, "not an escape of JSON, or half of a surrogate pair"},
    {"\"\\ud800\\n\"", 1, 2, "not an escape of JSON, or half of a surrogate pair"},
    {"\"\\ud800x", 1, 2, "not an escape of JSON, or half of a surrogate pair"},
    {"\"\xc3\xa9\xe2\x82\xac\\q\"", 1, 4, "not an escape of JSON, or half of a surrogate pair"},
    {"\"\xc3\xa9\n\xff", 2, 1, "the text is not UTF-8"},
    {"\"\xed\xa0\x80\"", 1, 2, "the text is not UTF-8"},
};

static void test_json_read_of_anything_else_says_where_and_what(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buffer value = {0};
        struct pawl_diag diag = {.text = ""};
        buffer_append(&value, "kept", 4);
        assert_int_equal(json_read(bytes_string(bad[i].text), NULL, &value, &diag), PAWL_E_INVALID);
        if (diag.line != bad[i].line || diag.column != bad[i].column)
            fail_msg("%s: %d:%d %s", bad[i].text, diag.line, diag.column, diag.text);
        assert_string_equal(diag.text, bad[i].what);
        assert_true(bytes_equal(buffer_bytes(&value), BYTES_LITERAL("kept")));
        assert_false(value.is_failed);
        buffer_done(&value);
    }
}

static void test_json_read_of_a_nul_byte_is_no_end_of_text(void **state)
{
    (void)state;
    struct buffer value = {0};
    assert_int_equal(json_read(BYTES_LITERAL("1\0"), NULL, &value, NULL), PAWL_E_INVALID);
    assert_int_equal(json_read(BYTES_LITERAL("\"\0\""), NULL, &value, NULL), PAWL_E_INVALID);
    assert_int_equal(json_read(BYTES_LITERAL("\"\\\0\""), NULL, &value, NULL), PAWL_E_INVALID);
    assert_int_equal(json_read(BYTES_LITERAL("[\0]"), NULL, &value, NULL), PAWL_E_INVALID);
    buffer_done(&value);
}

static void test_json_read_cut_short_anywhere_is_invalid(void **state)
{
    (void)state;
    const struct bytes text =
        BYTES_LITERAL("{\"a\":[null,true,-12.5e+10,\"x\\ud83d\\ude00\\n\"],\"b\":{\"c\":{}}}");
    for (size_t size = 0; size < text.size; size++) {
        struct buffer value = {0};
        uint8_t *exact = malloc(size);
        assert_true(size == 0 || exact != NULL);
        memcpy(exact, text.data, size);
        assert_int_equal(json_read(bytes_of(exact, size), NULL, &value, NULL), PAWL_E_INVALID);
        free(exact);
        buffer_done(&value);
    }
}

static void nested_text(struct buffer *text, size_t depth, const char *open, const char *close)
{
    for (size_t i = 0; i < depth; i++)
        buffer_append(text, open, strlen(open));
    buffer_append(text, "1", 1);
    for (size_t i = 0; i < depth; i++)
        buffer_append(text, close, 1);
}

static void test_json_read_of_nesting_stops_at_the_limit(void **state)
{
    (void)state;
    static const struct value_limits boundless = {SIZE_MAX, UINT32_MAX, UINT32_MAX};
    const struct {
        size_t depth;
        const struct value_limits *limits;
        enum pawl_error error;
    } rows[] = {
        {VALUE_DEPTH_MAX, NULL, PAWL_OK},       {VALUE_DEPTH_MAX + 1, NULL, PAWL_E_LIMIT},
        {VALUE_STACK_MAX, &boundless, PAWL_OK}, {VALUE_STACK_MAX + 1, &boundless, PAWL_E_LIMIT},
        {100000, &boundless, PAWL_E_LIMIT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer arrays = {0}, objects = {0}, value = {0};
        struct pawl_diag diag;
        nested_text(&arrays, rows[i].depth, "[", "]");
        nested_text(&objects, rows[i].depth, "{\"a\":", "}");
        assert_int_equal(json_read(buffer_bytes(&arrays), rows[i].limits, &value, &diag),
                         rows[i].error);
        assert_int_equal(json_read(buffer_bytes(&objects), rows[i].limits, &value, &diag),
                         rows[i].error);
        buffer_done(&arrays);
        buffer_done(&objects);
        buffer_done(&value);
    }
}

static void test_json_read_past_a_limit_leaves_no_trace(void **state)
{
    (void)state;
    const struct {
        struct value_limits limits;
        const char *text;
        enum pawl_error error;
        int column;
    } rows[] = {
        {{100, 10, 4}, "[1,2,3]", PAWL_OK, 0},
        {{100, 10, 3}, "[1,2,3]", PAWL_E_LIMIT, 6},
        {{100, 10, 3}, "{\"a\":1}", PAWL_OK, 0},
        {{100, 10, 2}, "{\"a\":1}", PAWL_E_LIMIT, 6},
        {{4, 10, 10}, "\"abc\"", PAWL_OK, 0},
        {{3, 10, 10}, "\"abc\"", PAWL_E_LIMIT, 6},
        {{17, 10, 100}, "[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6]", PAWL_E_LIMIT, 34},
        {{19, 10, 100}, "[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6]", PAWL_OK, 0},
        {{100, 0, 10}, "[]", PAWL_E_LIMIT, 1},
        {{100, 0, 10}, "1", PAWL_OK, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer value = {0};
        struct pawl_diag diag = {.text = ""};
        const enum pawl_error error =
            json_read(bytes_string(rows[i].text), &rows[i].limits, &value, &diag);
        assert_int_equal(error, rows[i].error);
        assert_int_equal(diag.column, rows[i].column);
        assert_int_equal(value.size == 0, error != PAWL_OK);
        buffer_done(&value);
    }
}

static void test_json_read_of_a_text_past_the_limit_is_refused_unread(void **state)
{
    (void)state;
    struct buffer text = {0}, value = {0};
    uint8_t *at = buffer_extend(&text, TEXT_BYTES_MAX + 1);
    memset(at, ' ', TEXT_BYTES_MAX + 1);
    at[0] = '1';
    assert_int_equal(json_read(buffer_bytes(&text), NULL, &value, NULL), PAWL_E_LIMIT);
    assert_int_equal(json_read(bytes_of(at, TEXT_BYTES_MAX), NULL, &value, NULL), PAWL_OK);
    buffer_done(&text);
    buffer_done(&value);
}

static void test_json_read_into_a_full_buffer_is_no_memory(void **state)
{
    (void)state;
    struct buffer value = {.limit = 8};
    buffer_append(&value, "kept", 4);
    assert_int_equal(json_read(BYTES_LITERAL("\"abcdef\""), NULL, &value, NULL), PAWL_E_NO_MEMORY);
    assert_int_equal(json_read(BYTES_LITERAL("[1,2,3,4,5]"), NULL, &value, NULL), PAWL_E_NO_MEMORY);
    assert_true(bytes_equal(buffer_bytes(&value), BYTES_LITERAL("kept")));
    assert_false(value.is_failed);
    assert_int_equal(json_read(BYTES_LITERAL("[1,2,3]"), NULL, &value, NULL), PAWL_OK);
    buffer_done(&value);
}

/* Heads of one, three and five bytes, in each other. */
static void test_json_of_large_arrays_and_objects_round_trips(void **state)
{
    (void)state;
    static const struct value_limits limits = {(size_t)4 << 20, 8, 1 << 20};
    static const int counts[] = {0, 1, 15, 16, 17, 31, 300, 65535, 65536, 70000};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct buffer text = {0}, value = {0}, again = {0};
        buffer_append(&text, "[0,{\"a\":[", 9);
        for (int n = 0; n < counts[i]; n++)
            buffer_append(&text, n == 0 ? "1" : ",1", n == 0 ? 1 : 2);
        buffer_append(&text, "]},{", 4);
        for (int n = 0; n < counts[i]; n++) {
            char pair[24];
            const int size =
                snprintf(pair, sizeof pair, "%s\"%d\":%d", n == 0 ? "" : ",", n, n % 7);
            buffer_append(&text, pair, (size_t)size);
        }
        buffer_append(&text, "}]", 2);
        assert_int_equal(json_read(buffer_bytes(&text), &limits, &value, NULL), PAWL_OK);
        assert_int_equal(value_check(buffer_bytes(&value), &limits, NULL), PAWL_OK);
        json_write(buffer_bytes(&value), JSON_COMPACT, &again);
        assert_true(bytes_equal(buffer_bytes(&text), buffer_bytes(&again)));
        buffer_done(&text);
        buffer_done(&value);
        buffer_done(&again);
    }
}

static void test_json_write_indented_is_for_people(void **state)
{
    (void)state;
    struct buffer value = {0}, text = {0};
    const char *source = "{\"a\":[1,[],{}],\"b\":{\"c\":\"d\"},\"e\":[[2]]}";
    assert_int_equal(json_read(bytes_string(source), NULL, &value, NULL), PAWL_OK);
    json_write(buffer_bytes(&value), JSON_INDENTED, &text);
    buffer_append(&text, "", 1);
    assert_string_equal((const char *)text.data, "{\n"
                                                 "  \"a\": [\n"
                                                 "    1,\n"
                                                 "    [],\n"
                                                 "    {}\n"
                                                 "  ],\n"
                                                 "  \"b\": {\n"
                                                 "    \"c\": \"d\"\n"
                                                 "  },\n"
                                                 "  \"e\": [\n"
                                                 "    [\n"
                                                 "      2\n"
                                                 "    ]\n"
                                                 "  ]\n"
                                                 "}");
    buffer_done(&value);
    buffer_done(&text);
}

static void test_json_write_of_binary_is_base64(void **state)
{
    (void)state;
    static const struct {
        struct bytes value;
        const char *text;
    } rows[] = {
        {BYTES_INITIAL("\xc4\0"), "\"\""},
        {BYTES_INITIAL("\xc4\x01\xff"), "\"/w==\""},
        {BYTES_INITIAL("\xc4\x03\xfb\xff\xfe"), "\"+//+\""},
        {BYTES_INITIAL("\x92\xc4\x02hi\x01"), "[\"aGk=\",1]"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer text = {0};
        json_write(rows[i].value, JSON_COMPACT, &text);
        assert_true(bytes_equal(buffer_bytes(&text), bytes_string(rows[i].text)));
        buffer_done(&text);
    }
}

static void test_json_write_of_broken_bytes_fails_and_stays_inside(void **state)
{
    (void)state;
    static const struct bytes broken[] = {
        {NULL, 0},
        BYTES_INITIAL("\x92\x01"),
        BYTES_INITIAL("\x81\x01\x01"),
        BYTES_INITIAL("\xc1"),
    };
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        struct buffer text = {0};
        json_write(broken[i], JSON_COMPACT, &text);
        assert_true(text.is_failed);
        buffer_done(&text);
    }
}

static void test_json_format_float_of_infinity_is_the_largest_float(void **state)
{
    (void)state;
    char text[32];
    json_format_float(INFINITY, text);
    assert_string_equal(text, "1.7976931348623157e308");
    json_format_float(-INFINITY, text);
    assert_string_equal(text, "-1.7976931348623157e308");
}

static double double_of_bits(uint64_t bits)
{
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

static void assert_float_round_trips(double real)
{
    char text[32];
    struct buffer value = {0}, expected = {0};
    json_format_float(real, text);
    assert_true(strlen(text) < sizeof text);
    assert_int_equal(json_read(bytes_string(text), NULL, &value, NULL), PAWL_OK);
    pack_float(&expected, real);
    if (!value_equal(buffer_bytes(&value), buffer_bytes(&expected)))
        fail_msg("%a printed as %s", real, text);
    buffer_done(&value);
    buffer_done(&expected);
}

static void test_json_format_float_of_any_float_reads_back_the_same(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 10000; i++) {
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        const double real = double_of_bits(bits);
        if (isfinite(real))
            assert_float_round_trips(real);
    }
    for (int exponent = -1074; exponent < 1024; exponent += 3) {
        const double power = ldexp(1, exponent);
        assert_float_round_trips(power);
        assert_float_round_trips(-nextafter(power, 0));
        assert_float_round_trips(nextafter(power, INFINITY));
    }
}

/* A literal of a hundred thousand digits is decided by the last of them. */
static void test_json_read_of_a_long_literal_rounds_by_all_its_digits(void **state)
{
    (void)state;
    struct buffer text = {0}, value = {0};
    const char *tie = "9007199254740993.";
    buffer_append(&text, tie, strlen(tie));
    memset(buffer_extend(&text, 100000), '0', 100000);
    assert_int_equal(json_read(buffer_bytes(&text), NULL, &value, NULL), PAWL_OK);
    assert_true(bytes_equal(buffer_bytes(&value), BYTES_LITERAL("\xcb\x43\x40\0\0\0\0\0\0")));
    buffer_reset(&value);
    text.data[text.size - 1] = '1';
    assert_int_equal(json_read(buffer_bytes(&text), NULL, &value, NULL), PAWL_OK);
    assert_true(bytes_equal(buffer_bytes(&value), BYTES_LITERAL("\xcb\x43\x40\0\0\0\0\0\1")));
    buffer_done(&text);
    buffer_done(&value);
}

/* Compile a locale whose decimal point is a comma, since few machines have one. */
static bool comma_locale_enter(char directory[])
{
    char command[256];
    if (mkdtemp(directory) == NULL)
        return false;
    snprintf(command, sizeof command,
             "localedef --no-archive -i de_DE -f UTF-8 %s/de_DE.UTF-8 2>/dev/null", directory);
    const bool is_made = system(command) == 0;
    setenv("LOCPATH", directory, 1);
    return is_made && setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
}

static void comma_locale_leave(const char *directory)
{
    char command[256];
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

static void test_json_of_floats_does_not_see_the_locale(void **state)
{
    (void)state;
    char directory[] = "/tmp/proto_json_test.XXXXXX";
    char comma[8];
    struct buffer text = {0};
    if (!comma_locale_enter(directory)) {
        comma_locale_leave(directory);
        skip();
    }
    snprintf(comma, sizeof comma, "%.1f", 1.5);
    const enum pawl_error error = rewrite(BYTES_LITERAL("[1.5,0.1,1.25e-7,-2.5e300]"), &text, NULL);
    comma_locale_leave(directory);
    assert_string_equal(comma, "1,5");
    assert_int_equal(error, PAWL_OK);
    assert_string_equal((const char *)text.data, "[1.5,0.1,1.25e-7,-2.5e300]");
    buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_of_a_text_reads_and_writes_its_value),
        cmocka_unit_test(test_json_read_of_anything_else_says_where_and_what),
        cmocka_unit_test(test_json_read_of_a_nul_byte_is_no_end_of_text),
        cmocka_unit_test(test_json_read_cut_short_anywhere_is_invalid),
        cmocka_unit_test(test_json_read_of_nesting_stops_at_the_limit),
        cmocka_unit_test(test_json_read_past_a_limit_leaves_no_trace),
        cmocka_unit_test(test_json_read_of_a_text_past_the_limit_is_refused_unread),
        cmocka_unit_test(test_json_read_into_a_full_buffer_is_no_memory),
        cmocka_unit_test(test_json_of_large_arrays_and_objects_round_trips),
        cmocka_unit_test(test_json_write_indented_is_for_people),
        cmocka_unit_test(test_json_write_of_binary_is_base64),
        cmocka_unit_test(test_json_write_of_broken_bytes_fails_and_stays_inside),
        cmocka_unit_test(test_json_format_float_of_infinity_is_the_largest_float),
        cmocka_unit_test(test_json_format_float_of_any_float_reads_back_the_same),
        cmocka_unit_test(test_json_read_of_a_long_literal_rounds_by_all_its_digits),
        cmocka_unit_test(test_json_of_floats_does_not_see_the_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
