/* Operators between datums. */
#ifndef PAWL_WORKFLOW_EXPRESSION_OPERATE_H
#define PAWL_WORKFLOW_EXPRESSION_OPERATE_H

#include "workflow/expression/node.h"

bool operate(struct work *work, enum operation operation, struct datum left, struct datum right,
             struct datum *result_out);
/* a + b, for `add`. */
bool operate_add(struct work *work, struct datum a, struct datum b, struct datum *sum_out);
/* The parts of text between separators, as an array. */
bool operate_split(struct work *work, struct bytes text, struct bytes separator,
                   struct datum *parts_out);

#endif
