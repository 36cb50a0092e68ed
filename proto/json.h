/* JSON text to values and back: strict, exact and bounded.
 *
 * 1. RFC 8259. Duplicate keys, lone surrogates, invalid UTF-8, trailing text and NaN are refused.
 * 2. Integers from -2^63 to 2^64-1 stay exact; other numbers become float64 and print in the
 *    shortest form that reads back the same (0.1 prints as 0.1, 1e100 as 1e100). A float with an
 *    exact integer value prints without a fraction (3.0 as 3), as jq 1.7 does.
 * 3. Iterative: depth is a count, never the C stack.
 */
#ifndef PAWL_PROTO_JSON_H
#define PAWL_PROTO_JSON_H

#include "proto/value.h"

/* Append the value of a JSON text. On an error value_out is as before. PAWL_E_INVALID with line and
 * column and what was expected; PAWL_E_LIMIT past limits (NULL: value_limits_default). */
MUST_USE enum pawl_error json_read(struct bytes text, const struct value_limits *limits,
                                   struct buffer *value_out, struct pawl_diag *diag);
enum json_layout { JSON_COMPACT, JSON_INDENTED /* two spaces */ };
/* Append the text of a checked value. Binary prints as a base64 string. No newline at the end. */
void json_write(struct bytes value, enum json_layout layout, struct buffer *text_out);
/* One number as JSON prints it, NUL-terminated; for other printers of numbers. Infinities print as
 * the largest finite float64, as jq does. It reads back as an equal value, whatever the locale. */
void json_format_float(double real, char text_out[32]);

#endif
