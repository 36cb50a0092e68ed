/* Templates: values with expressions in them, as `with`, `set`, `input.from` hold them.
 *
 * 1. A string that is one whole `${ }` becomes the expression's value; `${ }` inside a longer text
 * becomes text.
 * 2. Parts without expressions are kept encoded and copied as they are.
 */
#ifndef PAWL_WORKFLOW_TEMPLATE_H
#define PAWL_WORKFLOW_TEMPLATE_H

#include "proto/arena.h"
#include "proto/value.h"
#include "workflow/expression/expression.h"

enum template_kind {
    TEMPLATE_VALUE,      /* as it is */
    TEMPLATE_EXPRESSION, /* its first output */
    TEMPLATE_TEXT,       /* parts one after the other, as text */
    TEMPLATE_ARRAY,
    TEMPLATE_MAP,
};

struct template
{
    enum template_kind kind;
    struct bytes value; /* VALUE: encoded; in a TEXT: the text itself */
    const struct expression *expression;
    const struct template *parts; /* TEXT, ARRAY, MAP: one per element */
    const struct bytes *keys;     /* MAP: one per part */
    size_t count;
    uint64_t slots; /* the variables named anywhere inside */
    bool reads_dot; /* an expression somewhere inside: `.` is needed */
};

#endif
