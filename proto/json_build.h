/* Inside the text readers: JSON into a builder, so that the YAML reader gets the places of its
 * nodes. */
#ifndef PAWL_PROTO_JSON_BUILD_H
#define PAWL_PROTO_JSON_BUILD_H

#include "proto/value_builder.h"

/* Build the value of a JSON text; a node's mark is the offset of its first byte. The caller
 * finishes the builder. Errors as json_read. */
MUST_USE enum pawl_error json_build(struct bytes text, struct value_builder *builder,
                                    struct pawl_diag *diag);

#endif
