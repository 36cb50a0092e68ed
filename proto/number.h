/* Decimal literals to numbers, exact and independent of the locale. */
#ifndef PAWL_PROTO_NUMBER_H
#define PAWL_PROTO_NUMBER_H

#include "proto/value.h"

/* Append the number of a literal of the form [+-]digits[.digits][e[+-]digits], where one of the two
 * runs of digits may be missing; the caller has checked the form. Integers from -2^63 to 2^64-1
 * stay exact, -0 and everything else becomes the nearest float64. False, and nothing appended: the
 * literal is too large for a float64. */
MUST_USE bool number_read(struct bytes literal, struct buffer *value_out);

#endif
