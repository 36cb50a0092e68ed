#include "workflow/expression/number.h"

#include <math.h>

#include "proto/json.h"

__extension__ typedef __int128 wide;

#define EXACT_REAL_MAX 9007199254740992.0 /* 2^53 */

struct datum number_of_real(double real)
{
    if (fabs(real) <= EXACT_REAL_MAX && real == trunc(real) && !(real == 0 && signbit(real)))
        return datum_integer((int64_t)real);
    return datum_real(real);
}

double number_real(struct datum number)
{
    if (number.kind == DATUM_INTEGER)
        return (double)number.integer;
    if (number.kind == DATUM_UNSIGNED)
        return (double)number.unsigned_integer;
    return number.real;
}

int64_t number_clamp(struct datum number)
{
    if (number.kind == DATUM_INTEGER)
        return number.integer;
    if (number.kind == DATUM_UNSIGNED)
        return INT64_MAX;
    if (number.real >= 0x1p63)
        return INT64_MAX;
    if (number.real < -0x1p63)
        return INT64_MIN;
    return isnan(number.real) ? 0 : (int64_t)number.real;
}

bool number_is_nan(struct datum number)
{
    return number.kind == DATUM_FLOAT && isnan(number.real);
}

static bool is_exact(struct datum number)
{
    return number.kind != DATUM_FLOAT;
}

static wide wide_of(struct datum number)
{
    return number.kind == DATUM_UNSIGNED ? (wide)number.unsigned_integer : (wide)number.integer;
}

static struct datum number_of_wide(wide integer)
{
    if (integer >= INT64_MIN && integer <= INT64_MAX)
        return datum_integer((int64_t)integer);
    if (integer > 0 && integer <= UINT64_MAX)
        return datum_unsigned((uint64_t)integer);
    return datum_real((double)integer);
}

static int compare_exact_real(struct datum exact, double real)
{
    const double rounded = number_real(exact);
    if (rounded != real)
        return rounded < real ? -1 : 1;
    if (fabs(real) >= 0x1p64)
        return real > 0 ? -1 : 1;
    const wide difference = wide_of(exact) - (wide)real;
    return (difference > 0) - (difference < 0);
}

int number_compare(struct datum a, struct datum b)
{
    if (a.kind == DATUM_INTEGER && b.kind == DATUM_INTEGER)
        return (a.integer > b.integer) - (a.integer < b.integer);
    if (number_is_nan(a))
        return -1;
    if (number_is_nan(b))
        return 1;
    if (is_exact(a) && is_exact(b))
        return (wide_of(a) > wide_of(b)) - (wide_of(a) < wide_of(b));
    if (is_exact(a))
        return compare_exact_real(a, b.real);
    if (is_exact(b))
        return -compare_exact_real(b, a.real);
    return (a.real > b.real) - (a.real < b.real);
}

struct datum number_add(struct datum a, struct datum b)
{
    if (is_exact(a) && is_exact(b))
        return number_of_wide(wide_of(a) + wide_of(b));
    return number_of_real(number_real(a) + number_real(b));
}

struct datum number_subtract(struct datum a, struct datum b)
{
    if (is_exact(a) && is_exact(b))
        return number_of_wide(wide_of(a) - wide_of(b));
    return number_of_real(number_real(a) - number_real(b));
}

struct datum number_multiply(struct datum a, struct datum b)
{
    wide product;
    if (is_exact(a) && is_exact(b) && !__builtin_mul_overflow(wide_of(a), wide_of(b), &product))
        return number_of_wide(product);
    return number_of_real(number_real(a) * number_real(b));
}

struct datum number_divide(struct datum a, struct datum b)
{
    if (is_exact(a) && is_exact(b) && wide_of(a) % wide_of(b) == 0)
        return number_of_wide(wide_of(a) / wide_of(b));
    return number_of_real(number_real(a) / number_real(b));
}

bool number_remainder(struct datum a, struct datum b, struct datum *rest_out)
{
    if (number_is_nan(a) || number_is_nan(b)) {
        *rest_out = datum_real((double)NAN);
        return true;
    }
    const wide dividend = is_exact(a) ? wide_of(a) : (wide)number_clamp(a);
    const wide divisor = is_exact(b) ? wide_of(b) : (wide)number_clamp(b);
    if (divisor == 0)
        return false;
    *rest_out = number_of_wide(dividend % divisor);
    return true;
}

struct datum number_negate(struct datum a)
{
    return is_exact(a) ? number_of_wide(-wide_of(a)) : number_of_real(-a.real);
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* What jq takes beyond JSON: leading zeros, and a point without digits on one side. */
static bool json_number(struct arena *arena, struct bytes text, struct bytes *json_out)
{
    uint8_t *json = arena_alloc(arena, text.size + 2);
    size_t size = 0;
    size_t at = 0;
    if (json == NULL)
        return false;
    if (text.data[at] == '-')
        json[size++] = text.data[at++];
    while (at + 1 < text.size && text.data[at] == '0' && is_digit(text.data[at + 1]))
        at++;
    if (at < text.size && text.data[at] == '.')
        json[size++] = '0';
    for (; at < text.size; at++) {
        const bool is_bare_point =
            text.data[at] == '.' && (at + 1 == text.size || !is_digit(text.data[at + 1]));
        if (!is_bare_point)
            json[size++] = text.data[at];
    }
    *json_out = bytes_of(json, size);
    return true;
}

/* [-] digits [. digits] or . digits, then an exponent: jq's lexical form. */
static bool is_number_text(struct bytes text)
{
    size_t at = 0;
    size_t digit_count = 0;
    if (at < text.size && text.data[at] == '-')
        at++;
    for (; at < text.size && is_digit(text.data[at]); at++)
        digit_count++;
    if (at < text.size && text.data[at] == '.')
        at++;
    for (; at < text.size && is_digit(text.data[at]); at++)
        digit_count++;
    if (digit_count == 0)
        return false;
    if (at == text.size)
        return true;
    if (text.data[at] != 'e' && text.data[at] != 'E')
        return false;
    at++;
    if (at < text.size && (text.data[at] == '+' || text.data[at] == '-'))
        at++;
    digit_count = 0;
    for (; at < text.size && is_digit(text.data[at]); at++)
        digit_count++;
    return digit_count > 0 && at == text.size;
}

bool number_parse(struct arena *arena, struct bytes text, struct datum *number_out)
{
    struct bytes json;
    if (!is_number_text(text) || !json_number(arena, text, &json))
        return false;
    uint8_t packed[16];
    struct buffer buffer = {.data = packed, .capacity = sizeof packed, .limit = sizeof packed};
    if (json_read(json, NULL, &buffer, NULL) != PAWL_OK) {
        /* The form is right, so it is too large for a float64. */
        *number_out = datum_real(text.data[0] == '-' ? -(double)INFINITY : (double)INFINITY);
        return true;
    }
    struct datum number = datum_of_value(buffer_bytes(&buffer));
    *number_out = number.kind == DATUM_FLOAT ? number_of_real(number.real) : number;
    return true;
}
