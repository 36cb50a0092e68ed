#include "proto/value_builder.h"

#include <assert.h>

void value_builder_init(struct value_builder *builder, struct buffer *out, struct buffer *nodes,
                        const struct value_limits *limits)
{
    builder->out = out;
    builder->nodes = nodes;
    builder->limits = limits != NULL ? *limits : value_limits_default;
    if (builder->limits.depth_max > VALUE_STACK_MAX)
        builder->limits.depth_max = VALUE_STACK_MAX;
    builder->begin = out->size;
    builder->was_failed = out->is_failed;
    builder->node_count = 0;
    builder->depth = 0;
    builder->keys.count = 0;
    builder->keys.spill = (struct buffer){0};
    builder->problem = "";
    builder->problem_mark = 0;
    builder->frames[0] = (struct value_builder_frame){0};
}

static enum pawl_error fail(struct value_builder *builder, enum pawl_error error,
                            const char *problem, uint32_t mark)
{
    builder->problem = problem;
    builder->problem_mark = mark;
    return error;
}

enum pawl_error value_builder_check(struct value_builder *builder, uint32_t mark)
{
    if (builder->out->is_failed)
        return fail(builder, PAWL_E_NO_MEMORY, "no memory for the value", mark);
    if (builder->out->size - builder->begin > builder->limits.bytes_max ||
        builder->out->size > UINT32_MAX)
        return fail(builder, PAWL_E_LIMIT, "the value is too large", mark);
    return PAWL_OK;
}

enum pawl_error value_builder_node(struct value_builder *builder, uint32_t mark)
{
    TRY(value_builder_check(builder, mark));
    if (builder->node_count == builder->limits.nodes_max)
        return fail(builder, PAWL_E_LIMIT, "the value has too many nodes", mark);
    if (builder->nodes != NULL) {
        const struct value_node node = {(uint32_t)builder->out->size, mark};
        buffer_append(builder->nodes, &node, sizeof node);
        if (builder->nodes->is_failed)
            return fail(builder, PAWL_E_NO_MEMORY, "no memory for the places", mark);
    }
    builder->node_count++;
    builder->frames[builder->depth].node_count++;
    return PAWL_OK;
}

enum pawl_error value_builder_key(struct value_builder *builder, size_t size, uint32_t mark)
{
    TRY(value_builder_check(builder, mark));
    const struct value_key key = {(uint32_t)(builder->out->size - size), (uint32_t)size, mark};
    if (value_keys_push(&builder->keys, key) != PAWL_OK)
        return fail(builder, PAWL_E_NO_MEMORY, "no memory for the keys", mark);
    return PAWL_OK;
}

enum pawl_error value_builder_open(struct value_builder *builder, bool is_map, uint32_t mark)
{
    if (builder->depth == builder->limits.depth_max)
        return fail(builder, PAWL_E_LIMIT, "nested too deeply", mark);
    const size_t head = builder->out->size;
    TRY(value_builder_node(builder, mark));
    buffer_append(builder->out, "", 1);
    builder->frames[++builder->depth] = (struct value_builder_frame){
        .head = head,
        .node_index = builder->node_count - 1,
        .key_first = builder->keys.count,
        .is_map = is_map,
    };
    return PAWL_OK;
}

/* Make the one byte at `head` into `size` of them; what follows it, and its nodes, move. */
static void head_widen(struct value_builder *builder, const struct value_builder_frame *frame,
                       size_t size)
{
    struct buffer *out = builder->out;
    const size_t content = out->size - frame->head - 1;
    if (size == 1 || buffer_extend(out, size - 1) == NULL)
        return;
    memmove(out->data + frame->head + size, out->data + frame->head + 1, content);
    if (builder->nodes == NULL)
        return;
    struct value_node *nodes = (struct value_node *)(void *)builder->nodes->data;
    for (uint32_t i = frame->node_index + 1; i < builder->node_count; i++)
        nodes[i].offset += (uint32_t)(size - 1);
}

static void head_write(struct value_builder *builder, const struct value_builder_frame *frame)
{
    const uint32_t count = frame->is_map ? frame->node_count / 2 : frame->node_count;
    head_widen(builder, frame, count < 16 ? 1 : count <= UINT16_MAX ? 3 : 5);
    struct buffer *out = builder->out;
    if (out->is_failed)
        return;
    const size_t size = out->size;
    out->size = frame->head;
    if (frame->is_map)
        pack_map(out, count);
    else
        pack_array(out, count);
    out->size = size;
}

enum pawl_error value_builder_close(struct value_builder *builder)
{
    assert(builder->depth > 0);
    TRY(value_builder_check(builder, builder->problem_mark));
    const struct value_builder_frame *frame = &builder->frames[builder->depth--];
    struct value_key duplicate;
    if (frame->is_map &&
        !value_keys_close(&builder->keys, frame->key_first, builder->out->data, &duplicate))
        return fail(builder, PAWL_E_INVALID, "duplicate key", duplicate.mark);
    head_write(builder, frame);
    return PAWL_OK;
}

enum pawl_error value_builder_finish(struct value_builder *builder, enum pawl_error error)
{
    value_keys_done(&builder->keys);
    if (error != PAWL_OK) {
        builder->out->size = builder->begin;
        builder->out->is_failed = builder->was_failed;
    }
    return error;
}
