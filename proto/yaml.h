/* YAML text to values, through libyaml's events.
 *
 * 1. YAML 1.2 core schema for plain scalars: null ~ true false, decimal and 0x 0o integers,
 *    floats; .inf and .nan are refused; `no`, `yes`, `on` are strings. A key is always its text:
 *    404 is "404". A text without a document is null.
 * 2. Refused, with line and column: anchors and aliases, tags, duplicate keys, keys that are no
 *    scalars, more than one document, anything past the limits. JSON is YAML and is read by the
 *    same call.
 * 3. The place of every node can be asked for afterwards, so that later checks can point at the
 *    text.
 */
#ifndef PAWL_PROTO_YAML_H
#define PAWL_PROTO_YAML_H

#include "proto/arena.h"
#include "proto/value.h"

/* Where a node stands in the text. places[i] belongs to the i-th node in the order of the encoded
 * value (a map's keys are nodes too). */
struct yaml_place {
    uint32_t offset; /* of the node's head, from the start of value_out's content */
    uint32_t line, column; /* from 1 */
};
struct yaml_places {
    struct yaml_place *place; /* ascending by offset; in the arena */
    size_t count;
};

/* Append the value of a YAML (or JSON) document. places_out may be NULL. On an error value_out is
 * as before. PAWL_E_INVALID and PAWL_E_LIMIT with line, column and what was expected. */
MUST_USE enum pawl_error yaml_read(struct bytes text, const struct value_limits *limits,
                                   struct arena *arena, struct buffer *value_out,
                                   struct yaml_places *places_out, struct pawl_diag *diag);
/* The place of the node whose encoding begins at offset, or of the nearest one before it; NULL when
 * there is none. */
const struct yaml_place *yaml_place_at(const struct yaml_places *places, size_t offset);

#endif
