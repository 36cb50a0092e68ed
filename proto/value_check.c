/* Bytes from outside become a value, or an error.
 *
 * One pass over the heads, with one frame per open array or map; the C stack does not grow with the
 * input, and nothing is allocated unless many keys are open at once.
 */
#include <inttypes.h>

#include "proto/limits.h"
#include "proto/value.h"
#include "proto/value_head.h"
#include "proto/value_keys.h"

struct frame {
    uint64_t left;      /* heads still to come: elements, or keys and values */
    uint32_t key_first; /* the map's first key in check.keys */
    bool is_map;        /* its keys come while an even number is left */
};

struct check {
    struct value_cursor cursor;
    const uint8_t *begin;
    struct value_limits limits;
    struct pawl_diag *diag;
    struct value_keys keys;
    uint32_t node_count;
    struct frame
        *top; /* frames[0] is the place of the value itself, then one per open array or map */
    struct frame frames[VALUE_STACK_MAX + 1];
};

static enum pawl_error fail(const struct check *check, enum pawl_error error, const char *what)
{
    return diag_fail(check->diag, error, "value, byte %zu: %s",
                     (size_t)(check->cursor.at - check->begin), what);
}

static enum pawl_error key_check(struct check *check, const struct value_head *head)
{
    if (head->kind != VALUE_STRING)
        return fail(check, PAWL_E_INVALID, "a map's key must be a string");
    if (!utf8_is_valid(head->bytes))
        return fail(check, PAWL_E_INVALID, "a key is not UTF-8");
    const uint32_t offset = (uint32_t)(head->bytes.data - check->begin);
    const struct value_key key = {offset, (uint32_t)head->bytes.size, offset};
    if (value_keys_push(&check->keys, key) != PAWL_OK)
        return fail(check, PAWL_E_NO_MEMORY, "no memory for the keys");
    return PAWL_OK;
}

static enum pawl_error frame_open(struct check *check, const struct value_head *head)
{
    if ((size_t)(check->top - check->frames) == check->limits.depth_max)
        return fail(check, PAWL_E_LIMIT, "nested too deeply");
    const bool is_map = head->kind == VALUE_MAP;
    *++check->top = (struct frame){
        .left = (uint64_t)head->count << is_map,
        .key_first = check->keys.count,
        .is_map = is_map,
    };
    return PAWL_OK;
}

static enum pawl_error content_check(struct check *check, const struct value_head *head)
{
    switch (head->kind) {
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_INTEGER:
    case VALUE_UNSIGNED:
    case VALUE_BINARY:
        return PAWL_OK;
    case VALUE_FLOAT:
        return head->real == head->real ? PAWL_OK : fail(check, PAWL_E_INVALID, "NaN is no value");
    case VALUE_STRING:
        return utf8_is_valid(head->bytes) ? PAWL_OK
                                          : fail(check, PAWL_E_INVALID, "a string is not UTF-8");
    case VALUE_ARRAY:
    case VALUE_MAP:
        return frame_open(check, head);
    }
    return fail(check, PAWL_E_INVALID, "unknown kind");
}

static enum pawl_error head_check(struct check *check)
{
    struct frame *frame = check->top;
    const bool is_key = frame->is_map > (frame->left-- & 1);
    struct value_head head;
    if (head_next(&check->cursor, &head) != PAWL_OK)
        return fail(check, PAWL_E_INVALID, "not msgpack, an extension type, or cut short");
    if ((size_t)(check->cursor.at - check->begin) > check->limits.bytes_max)
        return fail(check, PAWL_E_LIMIT, "too large");
    if (++check->node_count > check->limits.nodes_max)
        return fail(check, PAWL_E_LIMIT, "too many nodes");
    return is_key ? key_check(check, &head) : content_check(check, &head);
}

static enum pawl_error frame_close(struct check *check)
{
    const struct frame *frame = check->top--;
    struct value_key duplicate;
    if (!frame->is_map ||
        value_keys_close(&check->keys, frame->key_first, check->begin, &duplicate))
        return PAWL_OK;
    const struct bytes shown =
        utf8_cut(bytes_of(check->begin + duplicate.offset, duplicate.size), 64);
    return diag_fail(check->diag, PAWL_E_INVALID, "value, byte %" PRIu32 ": duplicate key \"%.*s\"",
                     duplicate.offset, (int)shown.size, (const char *)shown.data);
}

/* The value at the cursor, which has check->limits already within what this file can hold. */
static enum pawl_error value_walk(struct check *check)
{
    do {
        TRY(head_check(check));
        while (check->top->left == 0 && check->top > check->frames)
            TRY(frame_close(check));
    } while (check->top > check->frames);
    return PAWL_OK;
}

enum pawl_error value_check_next(struct value_cursor *cursor, const struct value_limits *limits,
                                 struct bytes *value_out, struct pawl_diag *diag)
{
    struct check check;
    check.cursor = *cursor;
    check.begin = cursor->at;
    check.limits = limits != NULL ? *limits : value_limits_default;
    if (check.limits.depth_max > VALUE_STACK_MAX)
        check.limits.depth_max = VALUE_STACK_MAX;
    if (check.limits.bytes_max > UINT32_MAX)
        check.limits.bytes_max = UINT32_MAX;
    check.diag = diag;
    check.keys.count = 0;
    check.keys.spill = (struct buffer){0};
    check.node_count = 0;
    check.top = check.frames;
    check.frames[0] = (struct frame){.left = 1};
    const enum pawl_error error = value_walk(&check);
    value_keys_done(&check.keys);
    if (error != PAWL_OK)
        return error;
    *value_out = bytes_of(check.begin, (size_t)(check.cursor.at - check.begin));
    cursor->at = check.cursor.at;
    return PAWL_OK;
}

enum pawl_error value_check(struct bytes bytes, const struct value_limits *limits,
                            struct pawl_diag *diag)
{
    struct value_cursor cursor = value_cursor_of(bytes);
    struct bytes value;
    TRY(value_check_next(&cursor, limits, &value, diag));
    if (cursor.at != cursor.end)
        return diag_fail(diag, PAWL_E_INVALID, "value, byte %zu: bytes left over", value.size);
    return PAWL_OK;
}
