/* Line and column of a byte in a text, for people. */
#ifndef PAWL_PROTO_TEXT_PLACE_H
#define PAWL_PROTO_TEXT_PLACE_H

#include "proto/bytes.h"
#include "proto/error.h"

/* A place that moves forward through a text. */
struct text_place {
    size_t offset;
    uint32_t line, column; /* from 1; columns count characters */
};

#define TEXT_PLACE_BEGIN ((struct text_place){0, 1, 1})

/* Move to an offset; nothing happens when it lies behind. */
void text_place_advance(struct text_place *place, struct bytes text, size_t offset);
/* Put the place of an offset into diag (NULL: nothing happens). */
void text_place_tell(struct bytes text, size_t offset, struct pawl_diag *diag);
/* What every text must be: PAWL_E_LIMIT past TEXT_BYTES_MAX, PAWL_E_INVALID when it is not UTF-8.
 */
MUST_USE enum pawl_error text_check(struct bytes text, struct pawl_diag *diag);

#endif
