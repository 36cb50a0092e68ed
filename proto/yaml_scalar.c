#include "proto/yaml_scalar.h"

#include "proto/number.h"

static bool is_one_of(struct bytes text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (bytes_equal(text, bytes_string(*words)))
            return true;
    return false;
}

static bool is_null(struct bytes text)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
    return is_one_of(text, words);
}

static bool is_true(struct bytes text)
{
    static const char *const words[] = {"true", "True", "TRUE", NULL};
    return is_one_of(text, words);
}

static bool is_false(struct bytes text)
{
    static const char *const words[] = {"false", "False", "FALSE", NULL};
    return is_one_of(text, words);
}

static bool is_infinity(struct bytes text)
{
    static const char *const words[] = {".inf", ".Inf", ".INF", NULL};
    const bool has_sign = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');
    return is_one_of(has_sign ? bytes_of(text.data + 1, text.size - 1) : text, words);
}

static bool is_nan(struct bytes text)
{
    static const char *const words[] = {".nan", ".NaN", ".NAN", NULL};
    return is_one_of(text, words);
}

static size_t sign_size(struct bytes text, size_t at)
{
    return at < text.size && (text.data[at] == '-' || text.data[at] == '+') ? 1 : 0;
}

static size_t digits_size(struct bytes text, size_t at)
{
    size_t end = at;
    while (end < text.size && text.data[end] >= '0' && text.data[end] <= '9')
        end++;
    return end - at;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? with the integers among them.
 */
static bool is_decimal(struct bytes text)
{
    size_t at = sign_size(text, 0);
    size_t digit_count = digits_size(text, at);
    at += digit_count;
    if (at < text.size && text.data[at] == '.') {
        const size_t fraction = digits_size(text, ++at);
        digit_count += fraction;
        at += fraction;
    }
    if (digit_count == 0)
        return false;
    if (at < text.size && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        at += sign_size(text, at);
        const size_t exponent = digits_size(text, at);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return at == text.size;
}

static unsigned digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - (unsigned)'0';
    const uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - (unsigned)'a' + 10 : 16;
}

/* The base of 0x1f and 0o17; 0 for anything else. */
static unsigned base_of(struct bytes text)
{
    if (text.size < 3 || text.data[0] != '0')
        return 0;
    const unsigned base = text.data[1] == 'x' ? 16 : text.data[1] == 'o' ? 8 : 0;
    for (size_t i = 2; i < text.size; i++)
        if (digit_of(text.data[i]) >= base)
            return 0;
    return base;
}

static const char *based_pack(struct bytes digits, unsigned base, struct buffer *value_out)
{
    uint64_t integer = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (integer > UINT64_MAX / base)
            return "the number is too large";
        integer = integer * base + digit_of(digits.data[i]);
    }
    pack_unsigned(value_out, integer);
    return NULL;
}

static const char *number_pack(struct bytes literal, struct buffer *value_out)
{
    return number_read(literal, value_out) ? NULL : "the number is too large";
}

const char *yaml_scalar_pack(struct bytes plain, struct buffer *value_out)
{
    const unsigned base = base_of(plain);
    if (base != 0)
        return based_pack(bytes_of(plain.data + 2, plain.size - 2), base, value_out);
    if (is_decimal(plain))
        return number_pack(plain, value_out);
    if (is_infinity(plain) || is_nan(plain))
        return "infinity and NaN are no values here; put it in quotes if it is a text";
    if (is_null(plain))
        pack_null(value_out);
    else if (is_true(plain))
        pack_bool(value_out, true);
    else if (is_false(plain))
        pack_bool(value_out, false);
    else
        pack_string(value_out, plain);
    return NULL;
}
