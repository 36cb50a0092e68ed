/* JSON text to a value: a state per thing that may come next, no recursion.
 *
 * A string is walked twice: once to check it and to know its size, once to write it behind its
 * head.
 */
#include "proto/json.h"
#include "proto/json_build.h"
#include "proto/number.h"
#include "proto/text_place.h"

enum expect {
    EXPECT_VALUE,
    EXPECT_FIRST_ELEMENT, /* or the end of the array */
    EXPECT_FIRST_KEY,     /* or the end of the object */
    EXPECT_KEY,
    EXPECT_AFTER, /* a comma, or the end of what is open */
    EXPECT_END,
};

struct reader {
    struct bytes text;
    size_t at;
    struct value_builder *builder;
    struct pawl_diag *diag;
    enum expect expect;
};

static enum pawl_error fail_at(const struct reader *reader, size_t offset, enum pawl_error error,
                               const char *what)
{
    text_place_tell(reader->text, offset, reader->diag);
    return diag_fail(reader->diag, error, "%s", what);
}

static enum pawl_error fail(const struct reader *reader, const char *what)
{
    return fail_at(reader, reader->at, PAWL_E_INVALID, what);
}

static enum pawl_error builder_fail(const struct reader *reader, enum pawl_error error)
{
    return fail_at(reader, reader->builder->problem_mark, error, reader->builder->problem);
}

/* The byte at the place of reading; 0, which no JSON text has outside of errors, at its end. */
static uint8_t peek(const struct reader *reader)
{
    return reader->at < reader->text.size ? reader->text.data[reader->at] : 0;
}

static void skip_space(struct reader *reader)
{
    for (;; reader->at++) {
        const uint8_t c = peek(reader);
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return;
    }
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    const uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Four hexadecimal digits at an offset, or -1. */
static int32_t hex_unit(struct bytes text, size_t at)
{
    int32_t unit = 0;
    if (text.size < 4 || at > text.size - 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        const int digit = hex_digit(text.data[at + i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* What an escape stands for. */
struct escape {
    uint32_t code_point;
    size_t size; /* of the escape, from the backslash on; 0: it is none */
};

static struct escape escape_unicode(struct bytes text, size_t at)
{
    static const struct escape none;
    const int32_t unit = hex_unit(text, at + 2);
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return none;
    if (unit < 0xd800 || unit > 0xdbff)
        return (struct escape){(uint32_t)unit, 6};
    if (text.size - at < 12 || text.data[at + 6] != '\\' || text.data[at + 7] != 'u')
        return none;
    const int32_t low = hex_unit(text, at + 8);
    if (low < 0xdc00 || low > 0xdfff)
        return none;
    return (struct escape){0x10000 + ((uint32_t)(unit - 0xd800) << 10 | (uint32_t)(low - 0xdc00)),
                           12};
}

static struct escape escape_at(struct bytes text, size_t at)
{
    static const char names[] = "\"\\/bfnrt";
    static const char codes[] = "\"\\/\b\f\n\r\t";
    const uint8_t letter = at + 1 < text.size ? text.data[at + 1] : 0;
    if (letter == 'u')
        return escape_unicode(text, at);
    const char *name = letter != 0 ? strchr(names, letter) : NULL;
    if (name == NULL)
        return (struct escape){0, 0};
    return (struct escape){(uint32_t)codes[name - names], 2};
}

static size_t utf8_size(uint32_t code_point)
{
    return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

static uint8_t *utf8_put(uint8_t *out, uint32_t code_point)
{
    static const uint8_t firsts[] = {0, 0, 0xc0, 0xe0, 0xf0};
    const size_t size = utf8_size(code_point);
    for (size_t i = size; i-- > 1; code_point >>= 6)
        out[i] = (uint8_t)(0x80 | (code_point & 0x3f));
    out[0] = (uint8_t)(firsts[size] | code_point);
    return out + size;
}

/* Check the string that begins at the place of reading, and move behind it. raw_out: what stands
 * between its quotes. */
static enum pawl_error string_scan(struct reader *reader, struct bytes *raw_out, size_t *size_out)
{
    const size_t begin = reader->at + 1;
    size_t size = 0;
    for (reader->at = begin;;) {
        const uint8_t c = peek(reader);
        if (c == '"')
            break;
        if (reader->at == reader->text.size)
            return fail(reader, "the string does not end");
        if (c < 0x20)
            return fail(reader, "a control character in a string must be escaped");
        if (c != '\\') {
            reader->at++;
            size++;
            continue;
        }
        const struct escape escape = escape_at(reader->text, reader->at);
        if (escape.size == 0)
            return fail(reader, "not an escape of JSON, or half of a surrogate pair");
        reader->at += escape.size;
        size += utf8_size(escape.code_point);
    }
    *raw_out = bytes_of(reader->text.data + begin, reader->at - begin);
    *size_out = size;
    reader->at++;
    return PAWL_OK;
}

static void string_unescape(struct bytes raw, uint8_t *out)
{
    for (size_t i = 0; i < raw.size;) {
        if (raw.data[i] != '\\') {
            *out++ = raw.data[i++];
            continue;
        }
        const struct escape escape = escape_at(raw, i);
        out = utf8_put(out, escape.code_point);
        i += escape.size;
    }
}

static enum pawl_error string_read(struct reader *reader, size_t *size_out)
{
    struct buffer *out = reader->builder->out;
    struct bytes raw;
    TRY(string_scan(reader, &raw, size_out));
    if (raw.size == *size_out) {
        pack_string(out, raw);
        return PAWL_OK;
    }
    pack_string_head(out, (uint32_t)*size_out);
    uint8_t *content = buffer_extend(out, *size_out);
    if (content != NULL)
        string_unescape(raw, content);
    return PAWL_OK;
}

static enum pawl_error digits_skip(struct reader *reader)
{
    if (!is_digit(peek(reader)))
        return fail(reader, "expected a digit");
    while (is_digit(peek(reader)))
        reader->at++;
    return PAWL_OK;
}

static enum pawl_error number_scan(struct reader *reader)
{
    if (peek(reader) == '-')
        reader->at++;
    if (peek(reader) == '0')
        reader->at++;
    else
        TRY(digits_skip(reader));
    if (is_digit(peek(reader)))
        return fail(reader, "a number has no leading zeros");
    if (peek(reader) == '.') {
        reader->at++;
        TRY(digits_skip(reader));
    }
    if (peek(reader) == 'e' || peek(reader) == 'E') {
        reader->at++;
        if (peek(reader) == '+' || peek(reader) == '-')
            reader->at++;
        TRY(digits_skip(reader));
    }
    return PAWL_OK;
}

static enum pawl_error number_take(struct reader *reader)
{
    const size_t begin = reader->at;
    TRY(number_scan(reader));
    const struct bytes literal = bytes_of(reader->text.data + begin, reader->at - begin);
    if (!number_read(literal, reader->builder->out))
        return fail_at(reader, begin, PAWL_E_INVALID, "the number is too large");
    return PAWL_OK;
}

static bool word_take(struct reader *reader, struct bytes word)
{
    if (word.size > reader->text.size - reader->at ||
        memcmp(reader->text.data + reader->at, word.data, word.size) != 0)
        return false;
    reader->at += word.size;
    return true;
}

static enum pawl_error word_read(struct reader *reader)
{
    struct buffer *out = reader->builder->out;
    if (word_take(reader, BYTES_LITERAL("null")))
        pack_null(out);
    else if (word_take(reader, BYTES_LITERAL("true")))
        pack_bool(out, true);
    else if (word_take(reader, BYTES_LITERAL("false")))
        pack_bool(out, false);
    else
        return fail(reader, "expected a value");
    return PAWL_OK;
}

static enum pawl_error scalar_read(struct reader *reader)
{
    const uint8_t c = peek(reader);
    size_t size;
    const enum pawl_error error = value_builder_node(reader->builder, (uint32_t)reader->at);
    if (error != PAWL_OK)
        return builder_fail(reader, error);
    reader->expect = reader->builder->depth == 0 ? EXPECT_END : EXPECT_AFTER;
    if (c == '"')
        return string_read(reader, &size);
    return c == '-' || is_digit(c) ? number_take(reader) : word_read(reader);
}

static enum pawl_error open_read(struct reader *reader)
{
    const bool is_map = peek(reader) == '{';
    const enum pawl_error error = value_builder_open(reader->builder, is_map, (uint32_t)reader->at);
    if (error != PAWL_OK)
        return builder_fail(reader, error);
    reader->at++;
    reader->expect = is_map ? EXPECT_FIRST_KEY : EXPECT_FIRST_ELEMENT;
    return PAWL_OK;
}

static enum pawl_error close_read(struct reader *reader)
{
    const enum pawl_error error = value_builder_close(reader->builder);
    if (error != PAWL_OK)
        return builder_fail(reader, error);
    reader->at++;
    reader->expect = reader->builder->depth == 0 ? EXPECT_END : EXPECT_AFTER;
    return PAWL_OK;
}

static enum pawl_error value_read(struct reader *reader)
{
    const uint8_t c = peek(reader);
    return c == '{' || c == '[' ? open_read(reader) : scalar_read(reader);
}

static enum pawl_error key_read(struct reader *reader)
{
    const uint32_t mark = (uint32_t)reader->at;
    size_t size;
    if (peek(reader) != '"')
        return fail(reader, "expected a key, which is a string");
    enum pawl_error error = value_builder_node(reader->builder, mark);
    if (error != PAWL_OK)
        return builder_fail(reader, error);
    TRY(string_read(reader, &size));
    error = value_builder_key(reader->builder, size, mark);
    if (error != PAWL_OK)
        return builder_fail(reader, error);
    skip_space(reader);
    if (peek(reader) != ':')
        return fail(reader, "expected ':'");
    reader->at++;
    reader->expect = EXPECT_VALUE;
    return PAWL_OK;
}

static enum pawl_error after_read(struct reader *reader)
{
    const bool is_map = value_builder_is_in_map(reader->builder);
    if (peek(reader) == (is_map ? '}' : ']'))
        return close_read(reader);
    if (peek(reader) != ',')
        return fail(reader, is_map ? "expected ',' or '}'" : "expected ',' or ']'");
    reader->at++;
    reader->expect = is_map ? EXPECT_KEY : EXPECT_VALUE;
    return PAWL_OK;
}

static enum pawl_error step(struct reader *reader)
{
    skip_space(reader);
    switch (reader->expect) {
    case EXPECT_VALUE:
        return value_read(reader);
    case EXPECT_FIRST_ELEMENT:
        return peek(reader) == ']' ? close_read(reader) : value_read(reader);
    case EXPECT_FIRST_KEY:
        return peek(reader) == '}' ? close_read(reader) : key_read(reader);
    case EXPECT_KEY:
        return key_read(reader);
    case EXPECT_AFTER:
        return after_read(reader);
    case EXPECT_END:
        break;
    }
    return PAWL_OK;
}

enum pawl_error json_build(struct bytes text, struct value_builder *builder, struct pawl_diag *diag)
{
    struct reader reader = {.text = text, .builder = builder, .diag = diag};
    TRY(text_check(text, diag));
    while (reader.expect != EXPECT_END)
        TRY(step(&reader));
    skip_space(&reader);
    if (reader.at < text.size)
        return fail(&reader, "expected nothing more");
    const enum pawl_error error = value_builder_check(builder, (uint32_t)text.size);
    return error == PAWL_OK ? PAWL_OK : builder_fail(&reader, error);
}

enum pawl_error json_read(struct bytes text, const struct value_limits *limits,
                          struct buffer *value_out, struct pawl_diag *diag)
{
    struct value_builder builder;
    value_builder_init(&builder, value_out, NULL, limits);
    return value_builder_finish(&builder, json_build(text, &builder, diag));
}
