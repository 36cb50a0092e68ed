/* Any bytes as a message with a field of every kind: what is decoded encodes again, to bytes that
 * mean the same. */
#include <assert.h>

#include "proto/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct leaf {
    uint64_t number;
    struct bytes name;
};

static const struct field leaf_fields[] = {
    FIELD(struct leaf, number, 1, FIELD_U64),
    FIELD(struct leaf, name, 3, FIELD_STRING, .max = 8, .is_required = true),
};
static const struct schema leaf_schema = SCHEMA("leaf", struct leaf, leaf_fields);

struct tree {
    bool flag;
    uint8_t small;
    uint32_t middle;
    int64_t number;
    struct bytes binary;
    struct bytes value;
    struct id128 id;
    struct leaf leaf;
    struct list leaves;
    struct list values;
    struct list ids;
};

static const struct field tree_fields[] = {
    FIELD(struct tree, flag, 1, FIELD_BOOL),
    FIELD(struct tree, small, 2, FIELD_U8, .is_required = true),
    FIELD(struct tree, middle, 3, FIELD_U32),
    FIELD(struct tree, number, 4, FIELD_I64),
    FIELD(struct tree, binary, 6, FIELD_BINARY, .max = 64),
    FIELD(struct tree, value, 7, FIELD_VALUE),
    FIELD(struct tree, id, 8, FIELD_ID),
    FIELD(struct tree, leaf, 9, FIELD_MESSAGE, .schema = &leaf_schema),
    FIELD(struct tree, leaves, 10, FIELD_MESSAGE, .is_list = true, .max = 16,
          .schema = &leaf_schema),
    FIELD(struct tree, values, 11, FIELD_VALUE, .is_list = true, .max = 16),
    FIELD(struct tree, ids, 200, FIELD_ID, .is_list = true, .max = 16),
};
static const struct schema tree_schema = SCHEMA("tree", struct tree, tree_fields);

static void round_trip(const struct tree *tree, struct arena *arena)
{
    struct buffer first = {0}, second = {0};
    struct tree again;
    codec_encode(&tree_schema, tree, &first);
    assert(!first.is_failed);
    assert(codec_decode(&tree_schema, buffer_bytes(&first), arena, &again, NULL) == PAWL_OK);
    codec_encode(&tree_schema, &again, &second);
    assert(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    buffer_done(&first);
    buffer_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {.limit = 1 << 20};
    struct tree tree;
    struct pawl_diag diag = {.text = ""};
    memset(&tree, 0xa5, sizeof tree);
    if (codec_decode(&tree_schema, bytes_of(data, size), &arena, &tree, &diag) == PAWL_OK)
        round_trip(&tree, &arena);
    else
        assert(diag.text[0] != '\0' && tree.number == (int64_t)0xa5a5a5a5a5a5a5a5);
    arena_done(&arena);
    return 0;
}
