/* A value built from text, piece by piece, within limits: what the JSON and the YAML reader share.
 *
 * 1. Every scalar, key, array and map is announced by value_builder_node (or _open) with its mark,
 *    the reader's own rising number for a place in its text; then the reader packs it into `out`.
 * 2. Counts are not known before the end, so a head is one byte until value_builder_close gives it
 *    the size its count needs.
 * 3. After an error only value_builder_finish may be called; `problem` says what was wrong, and
 *    problem_mark where.
 */
#ifndef PAWL_PROTO_VALUE_BUILDER_H
#define PAWL_PROTO_VALUE_BUILDER_H

#include "proto/limits.h"
#include "proto/value.h"
#include "proto/value_keys.h"

struct value_node {
    uint32_t offset; /* of the node's head in out->data */
    uint32_t mark;
};

struct value_builder_frame {
    size_t head;         /* of the array or map in out->data */
    uint32_t node_count; /* elements, or keys and values, so far */
    uint32_t node_index; /* of the array or map itself */
    uint32_t key_first;
    bool is_map;
};

struct value_builder {
    struct buffer *out;
    struct buffer *nodes; /* of struct value_node, or NULL */
    struct value_limits limits;
    size_t begin; /* of the value in out->data */
    bool was_failed;
    uint32_t node_count;
    uint32_t depth; /* open arrays and maps; frames[0] is the place of the value itself */
    struct value_keys keys;
    const char *problem;
    uint32_t problem_mark;
    struct value_builder_frame frames[VALUE_STACK_MAX + 1];
};

/* limits NULL: value_limits_default. */
void value_builder_init(struct value_builder *builder, struct buffer *out, struct buffer *nodes,
                        const struct value_limits *limits);
/* PAWL_E_LIMIT, PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error value_builder_node(struct value_builder *builder, uint32_t mark);
/* The string of `size` bytes that was just packed is a key of the innermost map. PAWL_E_NO_MEMORY.
 */
MUST_USE enum pawl_error value_builder_key(struct value_builder *builder, size_t size,
                                           uint32_t mark);
/* PAWL_E_LIMIT, PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error value_builder_open(struct value_builder *builder, bool is_map,
                                            uint32_t mark);
/* PAWL_E_INVALID: a duplicate key, whose mark is problem_mark. */
MUST_USE enum pawl_error value_builder_close(struct value_builder *builder);
static inline bool value_builder_is_in_map(const struct value_builder *builder)
{
    return builder->frames[builder->depth].is_map;
}
/* A key is expected next, not a value. */
static inline bool value_builder_is_at_key(const struct value_builder *builder)
{
    const struct value_builder_frame *frame = &builder->frames[builder->depth];
    return frame->is_map && frame->node_count % 2 == 0;
}
/* Whether all is well so far; to be asked once more at the end. PAWL_E_LIMIT: too large.
 * PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error value_builder_check(struct value_builder *builder, uint32_t mark);
/* Give the memory back; after an error `out` is as it was at the beginning. Returns error. */
MUST_USE enum pawl_error value_builder_finish(struct value_builder *builder, enum pawl_error error);

#endif
