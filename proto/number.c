/* Decimal text and float64, both ways.
 *
 * The C library converts, because it rounds correctly; but its functions follow the locale's
 * decimal point. So none of them ever sees a point: 12.5 is handed to strtod as 125e-1, and of what
 * printf makes of a float only the digits and the exponent are taken.
 */
#include "proto/number.h"

#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/json.h"

enum {
    SIGNIFICANT_MAX = 800,     /* a float64 is decided by its first 767 digits and one bit more */
    EXPONENT_MAX = 1000000000, /* far past any float64, and past the digits of any text */
    LITERAL_MAX = SIGNIFICANT_MAX + 32,
};

/* 0.d1d2d3... times 10 to the power of `point`, with the sign apart. */
struct decimal {
    char digits[SIGNIFICANT_MAX + 1];
    size_t count;
    int64_t point;
    bool is_negative;
    bool is_integer_literal;
    bool has_rest; /* digits other than 0 were left out behind the last one */
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static void decimal_digit(struct decimal *decimal, char digit, bool is_behind_point)
{
    if (decimal->count == 0 && digit == '0') {
        decimal->point -= is_behind_point;
        return;
    }
    if (decimal->count < SIGNIFICANT_MAX)
        decimal->digits[decimal->count++] = digit;
    else
        decimal->has_rest |= digit != '0';
    decimal->point += !is_behind_point;
}

static int64_t exponent_of(struct bytes text)
{
    int64_t exponent = 0;
    size_t i = text.size > 0 && !is_digit(text.data[0]) ? 1 : 0;
    for (; i < text.size; i++)
        if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (text.data[i] - '0');
    return text.size > 0 && text.data[0] == '-' ? -exponent : exponent;
}

static void decimal_of(struct bytes literal, struct decimal *decimal)
{
    size_t i = 0;
    bool is_behind_point = false;
    decimal->count = 0;
    decimal->point = 0;
    decimal->has_rest = false;
    decimal->is_integer_literal = true;
    decimal->is_negative = literal.size > 0 && literal.data[0] == '-';
    if (literal.size > 0 && (literal.data[0] == '-' || literal.data[0] == '+'))
        i++;
    for (; i < literal.size && (is_digit(literal.data[i]) || literal.data[i] == '.'); i++) {
        if (literal.data[i] == '.')
            is_behind_point = true;
        else
            decimal_digit(decimal, (char)literal.data[i], is_behind_point);
    }
    decimal->is_integer_literal = !is_behind_point && i == literal.size;
    if (i < literal.size)
        decimal->point += exponent_of(bytes_of(literal.data + i + 1, literal.size - i - 1));
}

static double decimal_magnitude(const struct decimal *decimal)
{
    char text[LITERAL_MAX];
    if (decimal->count == 0)
        return 0;
    memcpy(text, decimal->digits, decimal->count);
    size_t size = decimal->count;
    if (decimal->has_rest)
        text[size++] = '1';
    snprintf(text + size, sizeof text - size, "e%" PRId64, decimal->point - (int64_t)size);
    return strtod(text, NULL);
}

/* The literal as an unsigned integer; false when it is none or does not fit. */
static bool decimal_integer(const struct decimal *decimal, uint64_t *integer_out)
{
    enum { UINT64_DIGITS = 20 };
    uint64_t integer = 0;
    if (!decimal->is_integer_literal || decimal->count > UINT64_DIGITS)
        return false;
    for (size_t i = 0; i < decimal->count; i++) {
        const uint64_t digit = (uint64_t)(decimal->digits[i] - '0');
        if (integer > (UINT64_MAX - digit) / 10)
            return false;
        integer = integer * 10 + digit;
    }
    *integer_out = integer;
    return true;
}

bool number_read(struct bytes literal, struct buffer *value_out)
{
    struct decimal decimal;
    uint64_t integer;
    decimal_of(literal, &decimal);
    if (decimal_integer(&decimal, &integer)) {
        if (!decimal.is_negative) {
            pack_unsigned(value_out, integer);
            return true;
        }
        if (integer != 0 && integer <= (uint64_t)INT64_MAX + 1) {
            pack_integer(value_out, (int64_t)(0 - integer));
            return true;
        }
    }
    const double magnitude = decimal_magnitude(&decimal);
    if (magnitude > DBL_MAX)
        return false;
    pack_float(value_out, decimal.is_negative ? -magnitude : magnitude);
    return true;
}

/* The digits of a positive finite float, rounded to `precision` of them, without zeros at the end.
 */
static void decimal_round(double real, int precision, struct decimal *decimal)
{
    char text[64];
    const char *at = text;
    snprintf(text, sizeof text, "%.*e", precision - 1, real);
    decimal->count = 0;
    decimal->has_rest = false;
    for (; *at != 'e'; at++)
        if (is_digit((uint8_t)*at))
            decimal->digits[decimal->count++] = *at;
    decimal->point = strtol(at + 1, NULL, 10) + 1;
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0')
        decimal->count--;
}

static void decimal_shortest(double real, struct decimal *decimal)
{
    /* 15 digits survive a float64 and a normal float64 survives 17; subnormals may need but one. */
    for (int precision = real < DBL_MIN ? 1 : DBL_DIG; precision <= DBL_DECIMAL_DIG; precision++) {
        decimal_round(real, precision, decimal);
        if (decimal_magnitude(decimal) == real)
            return;
    }
}

static char *put_digits(char *at, const struct decimal *decimal, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        *at++ = i < decimal->count ? decimal->digits[i] : '0';
    return at;
}

static void print_exponential(const struct decimal *decimal, char *at, const char *end)
{
    at = put_digits(at, decimal, 0, 1);
    if (decimal->count > 1) {
        *at++ = '.';
        at = put_digits(at, decimal, 1, decimal->count);
    }
    snprintf(at, (size_t)(end - at), "e%d", (int)decimal->point - 1);
}

static void print_positional(const struct decimal *decimal, char *at)
{
    if (decimal->point <= 0) {
        *at++ = '0';
        *at++ = '.';
        for (int64_t i = decimal->point; i < 0; i++)
            *at++ = '0';
        at = put_digits(at, decimal, 0, decimal->count);
    } else {
        const size_t point = (size_t)decimal->point;
        at = put_digits(at, decimal, 0, point);
        if (decimal->count > point) {
            *at++ = '.';
            at = put_digits(at, decimal, point, decimal->count);
        }
    }
    *at = '\0';
}

/* Where jq changes to exponents, except that 22 digits and more always have one. */
static bool is_positional(const struct decimal *decimal)
{
    return decimal->point > -4 && decimal->point <= 21 &&
           decimal->point <= (int64_t)decimal->count + 15;
}

void json_format_float(double real, char text_out[32])
{
    char *at = text_out;
    if (real < 0 || (real == 0 && 1 / real < 0)) {
        *at++ = '-';
        real = -real;
    }
    if (real > DBL_MAX)
        real = DBL_MAX;
    if (real == 0) {
        strcpy(at, "0");
        return;
    }
    struct decimal decimal;
    decimal_shortest(real, &decimal);
    if (!is_positional(&decimal)) {
        print_exponential(&decimal, at, text_out + 32);
        return;
    }
    /* Past 2^53 the shortest digits are not the number, and an integer is read back exactly. */
    if (real >= 0x1p53 && real < 0x1p64)
        snprintf(at, (size_t)(text_out + 32 - at), "%" PRIu64, (uint64_t)real);
    else
        print_positional(&decimal, at);
}
