/* Expressions: jq 1.7 without I/O, modules and environment, on msgpack values, metered.
 *
 * 1. A compiled expression is immutable and may be evaluated from any number of places.
 * 2. Evaluation charges fuel for work (elements and bytes touched, calls made); fuel, memory, depth
 * and output are limits by count, so an expression ends the same way on every machine. Passing one
 * is PAWL_E_LIMIT.
 * 3. No clock, no randomness: `now` is what the context says.
 * 4. Names are resolved at compile time: an unknown function or variable is an error of the text.
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_H
#define PAWL_WORKFLOW_EXPRESSION_H

#include "proto/arena.h"
#include "proto/value.h"

struct expression;

/* The variables an expression may name, without their `$`. Slot i of an evaluation is name[i]. */
struct expression_names {
    const char *const *name;
    size_t count; /* at most 64 */
};

/* Compile text; the program lives in arena (text need not). PAWL_E_INVALID with line and column in
 * diag, PAWL_E_LIMIT past EXPRESSION_BYTES_MAX or EXPRESSION_DEPTH_MAX. */
MUST_USE enum pawl_error expression_compile(struct bytes text, const struct expression_names *names,
                                            struct arena *arena,
                                            const struct expression **expression_out,
                                            struct pawl_diag *diag);

/* Bit i: slot i is named somewhere, so its value must be given. */
uint64_t expression_slots_used(const struct expression *expression);

struct expression_context {
    struct bytes input;            /* `.` */
    const struct bytes *variables; /* by slot; an unused slot may be empty */
    uint64_t now_us;               /* `now`, microseconds since 1970 UTC */
    uint64_t *fuel;                /* what may be spent; counted down */
    struct arena *arena; /* results and work; results are views into it or into the inputs */
};

/* The first output; value_null's bytes when there is none. PAWL_E_EXPRESSION: the expression
 * failed, its message is in diag and its error value in error_out (NULL: not wanted). PAWL_E_LIMIT:
 * fuel, memory, depth or output. */
MUST_USE enum pawl_error expression_evaluate(const struct expression *expression,
                                             const struct expression_context *context,
                                             struct bytes *value_out, struct bytes *error_out,
                                             struct pawl_diag *diag);

/* Every output, in order. Stops when each returns false. Same errors. */
typedef bool (*expression_each)(void *user, struct bytes value);
MUST_USE enum pawl_error expression_evaluate_each(const struct expression *expression,
                                                  const struct expression_context *context,
                                                  expression_each each, void *user,
                                                  struct bytes *error_out, struct pawl_diag *diag);

/* The builtins as "name/arity", sorted, NULL at the end; for help and tests. */
const char *const *expression_builtins(void);

#endif
