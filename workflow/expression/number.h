/* Numbers: int64 and uint64 exactly where both operands are exact and the result fits, float64
 * otherwise.
 *
 * A float64 result that is a whole number of at most 53 bits becomes an integer again, so that 10 /
 * 4 * 2 is 5 and packs as 5. Negative zero stays a float.
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_NUMBER_H
#define PAWL_WORKFLOW_EXPRESSION_NUMBER_H

#include "proto/arena.h"
#include "workflow/expression/datum.h"

struct datum number_of_real(double real);
double number_real(struct datum number);
/* Towards zero, clamped to int64; NaN is 0. */
int64_t number_clamp(struct datum number);
bool number_is_nan(struct datum number);

/* <0, 0, >0, exactly also between integers and floats. NaN is below every number, itself included.
 */
int number_compare(struct datum a, struct datum b);

struct datum number_add(struct datum a, struct datum b);
struct datum number_subtract(struct datum a, struct datum b);
struct datum number_multiply(struct datum a, struct datum b);
/* b is not 0. */
struct datum number_divide(struct datum a, struct datum b);
/* Of the whole parts, with the sign of a. False: the whole part of b is 0. */
bool number_remainder(struct datum a, struct datum b, struct datum *rest_out);
struct datum number_negate(struct datum a);

/* A number as JSON has it, and also 1. .5 and 007. False: not a number, or no memory. */
bool number_parse(struct arena *arena, struct bytes text, struct datum *number_out);

#endif
