/* Mathematics. Whole results are integers (number.h). */
#include <math.h>

#include "workflow/expression/builtin.h"
#include "workflow/expression/number.h"

typedef double (*real_function)(double);
typedef double (*real_function2)(double, double);

static bool real(struct work *work, struct datum input, real_function function,
                 struct datum *output_out)
{
    if (!datum_is_number(input))
        return work_fail(work, "%v number required", &input);
    *output_out = number_of_real(function(number_real(input)));
    return true;
}

static bool real2(struct work *work, const struct datum *arguments, real_function2 function,
                  struct datum *output_out)
{
    for (int i = 0; i < 2; i++) {
        if (!datum_is_number(arguments[i]))
            return work_fail(work, "%v number required", &arguments[i]);
    }
    *output_out = number_of_real(function(number_real(arguments[0]), number_real(arguments[1])));
    return true;
}

/* Whole numbers pass as they are, however large. */
static bool round_real(struct work *work, struct datum input, real_function function,
                       struct datum *output_out)
{
    if (input.kind == DATUM_INTEGER || input.kind == DATUM_UNSIGNED) {
        *output_out = input;
        return true;
    }
    return real(work, input, function, output_out);
}

static double significand_of(double number)
{
    int exponent;
    return number == 0 || isinf(number) || isnan(number) ? number : frexp(number, &exponent) * 2;
}

static double gamma_log(double number)
{
    int sign;
    return lgamma_r(number, &sign);
}

static double ten_to(double number)
{
    return pow(10.0, number);
}

static double scale(double number, double exponent)
{
    if (isnan(exponent))
        return exponent;
    const double clamped = fmin(fmax(exponent, -10000.0), 10000.0);
    return scalbn(number, (int)clamped);
}

#define REAL(name, function)                                                                       \
    bool math_##name(struct work *work, struct datum input, const struct datum *arguments,         \
                     struct datum *output_out)                                                     \
    {                                                                                              \
        (void)arguments;                                                                           \
        return real(work, input, function, output_out);                                            \
    }
#define ROUND(name, function)                                                                      \
    bool math_##name(struct work *work, struct datum input, const struct datum *arguments,         \
                     struct datum *output_out)                                                     \
    {                                                                                              \
        (void)arguments;                                                                           \
        return round_real(work, input, function, output_out);                                      \
    }
#define REAL2(name, function)                                                                      \
    bool math_##name(struct work *work, struct datum input, const struct datum *arguments,         \
                     struct datum *output_out)                                                     \
    {                                                                                              \
        (void)input;                                                                               \
        return real2(work, arguments, function, output_out);                                       \
    }

ROUND(floor, floor)
ROUND(ceil, ceil)
ROUND(round, round)
ROUND(trunc, trunc)
ROUND(nearbyint, nearbyint)
ROUND(rint, rint)
REAL(sqrt, sqrt)
REAL(cbrt, cbrt)
REAL(exp, exp)
REAL(exp2, exp2)
REAL(exp10, ten_to)
REAL(expm1, expm1)
REAL(log, log)
REAL(log2, log2)
REAL(log10, log10)
REAL(log1p, log1p)
REAL(sin, sin)
REAL(cos, cos)
REAL(tan, tan)
REAL(asin, asin)
REAL(acos, acos)
REAL(atan, atan)
REAL(sinh, sinh)
REAL(cosh, cosh)
REAL(tanh, tanh)
REAL(asinh, asinh)
REAL(acosh, acosh)
REAL(atanh, atanh)
REAL(significand, significand_of)
REAL(logb, logb)
REAL(gamma, gamma_log)
REAL(lgamma, gamma_log)
REAL(tgamma, tgamma)
REAL2(pow, pow)
REAL2(atan2, atan2)
REAL2(fmod, fmod)
REAL2(ldexp, scale)
REAL2(scalb, scale)
REAL2(scalbln, scale)
REAL2(fmin, fmin)
REAL2(fmax, fmax)
REAL2(fdim, fdim)
REAL2(hypot, hypot)
REAL2(copysign, copysign)
REAL2(drem, remainder)

bool math_abs(struct work *work, struct datum input, const struct datum *arguments,
              struct datum *output_out)
{
    (void)arguments;
    if (!datum_is_number(input))
        return work_fail(work, "%v has no absolute value", &input);
    const bool is_negative = number_compare(input, datum_integer(0)) < 0;
    *output_out = is_negative && !number_is_nan(input) ? number_negate(input) : input;
    return true;
}

bool math_fabs(struct work *work, struct datum input, const struct datum *arguments,
               struct datum *output_out)
{
    if (!datum_is_number(input))
        return work_fail(work, "%v number required", &input);
    return math_abs(work, input, arguments, output_out);
}

bool math_fma(struct work *work, struct datum input, const struct datum *arguments,
              struct datum *output_out)
{
    (void)input;
    for (int i = 0; i < 3; i++) {
        if (!datum_is_number(arguments[i]))
            return work_fail(work, "%v number required", &arguments[i]);
    }
    *output_out = number_of_real(
        fma(number_real(arguments[0]), number_real(arguments[1]), number_real(arguments[2])));
    return true;
}

static bool pair(struct work *work, double first, double second, struct datum *output_out)
{
    return datum_array_new(work, 2, output_out) &&
           datum_array_push(work, output_out, number_of_real(first)) &&
           datum_array_push(work, output_out, number_of_real(second));
}

bool math_frexp(struct work *work, struct datum input, const struct datum *arguments,
                struct datum *output_out)
{
    int exponent = 0;
    (void)arguments;
    if (!datum_is_number(input))
        return work_fail(work, "%v number required", &input);
    const double number = number_real(input);
    const double fraction = isfinite(number) ? frexp(number, &exponent) : number;
    return pair(work, fraction, exponent, output_out);
}

bool math_modf(struct work *work, struct datum input, const struct datum *arguments,
               struct datum *output_out)
{
    double whole;
    (void)arguments;
    if (!datum_is_number(input))
        return work_fail(work, "%v number required", &input);
    const double fraction = modf(number_real(input), &whole);
    return pair(work, fraction, whole, output_out);
}

bool math_lgamma_r(struct work *work, struct datum input, const struct datum *arguments,
                   struct datum *output_out)
{
    int sign = 0;
    (void)arguments;
    if (!datum_is_number(input))
        return work_fail(work, "%v number required", &input);
    const double logarithm = lgamma_r(number_real(input), &sign);
    return pair(work, logarithm, sign, output_out);
}

bool math_infinite(struct work *work, struct datum input, const struct datum *arguments,
                   struct datum *output_out)
{
    (void)work, (void)input, (void)arguments;
    *output_out = datum_real((double)INFINITY);
    return true;
}

bool math_nan(struct work *work, struct datum input, const struct datum *arguments,
              struct datum *output_out)
{
    (void)work, (void)input, (void)arguments;
    *output_out = datum_real((double)NAN);
    return true;
}

typedef bool (*real_predicate)(double);

static bool is_infinite(double number)
{
    return isinf(number);
}

static bool is_nan(double number)
{
    return isnan(number);
}

static bool is_normal(double number)
{
    return isnormal(number);
}

static bool predicate(struct work *work, struct datum input, real_predicate test,
                      struct datum *output_out)
{
    if (!datum_is_number(input))
        return work_fail(work, "%v number required", &input);
    *output_out = datum_bool(test(number_real(input)));
    return true;
}

bool math_isinfinite(struct work *work, struct datum input, const struct datum *arguments,
                     struct datum *output_out)
{
    (void)arguments;
    return predicate(work, input, is_infinite, output_out);
}

bool math_isnan(struct work *work, struct datum input, const struct datum *arguments,
                struct datum *output_out)
{
    (void)arguments;
    return predicate(work, input, is_nan, output_out);
}

bool math_isnormal(struct work *work, struct datum input, const struct datum *arguments,
                   struct datum *output_out)
{
    (void)arguments;
    return predicate(work, input, is_normal, output_out);
}
