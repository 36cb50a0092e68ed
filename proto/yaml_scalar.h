/* Plain scalars of YAML: which value a text without quotes stands for. */
#ifndef PAWL_PROTO_YAML_SCALAR_H
#define PAWL_PROTO_YAML_SCALAR_H

#include "proto/value.h"

/* Append the value of a plain scalar by the core schema (YAML 1.2.2, 10.3.2). Returns NULL, or what
 * is wrong: a number too large, infinity, not a number; then nothing is appended. */
MUST_USE const char *yaml_scalar_pack(struct bytes plain, struct buffer *value_out);

#endif
