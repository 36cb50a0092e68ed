#include "proto/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <msgpack.h>

#include "proto/codec_loops.h"
#include "proto/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define ROW(text)       BYTES_INITIAL(text)

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
    uint64_t large;
    int64_t number;
    struct bytes text;
    struct bytes binary;
    struct bytes value;
    struct id128 id;
    struct leaf leaf;
    struct list leaves;
    struct list texts;
    struct list numbers;
};

static const struct field tree_fields[] = {
    FIELD(struct tree, flag, 1, FIELD_BOOL),
    FIELD(struct tree, small, 2, FIELD_U8, .is_required = true),
    FIELD(struct tree, middle, 3, FIELD_U32),
    FIELD(struct tree, large, 4, FIELD_U64),
    FIELD(struct tree, number, 5, FIELD_I64),
    FIELD(struct tree, text, 6, FIELD_STRING, .max = 16),
    FIELD(struct tree, binary, 7, FIELD_BINARY, .max = 16),
    FIELD(struct tree, value, 8, FIELD_VALUE, .max = 32),
    FIELD(struct tree, id, 9, FIELD_ID),
    FIELD(struct tree, leaf, 10, FIELD_MESSAGE, .schema = &leaf_schema),
    FIELD(struct tree, leaves, 11, FIELD_MESSAGE, .is_list = true, .max = 3,
          .schema = &leaf_schema),
    FIELD(struct tree, texts, 12, FIELD_STRING, .is_list = true, .max = 2),
    FIELD(struct tree, numbers, 200, FIELD_U32, .is_list = true),
};
static const struct schema tree_schema = SCHEMA("tree", struct tree, tree_fields);

/* The same tree by loops of its own. */
SCHEMA_LOOPS(tree)
static const struct schema tree_looped = SCHEMA_LOOPED("tree", struct tree, tree);
static const struct schema *const trees[] = {&tree_schema, &tree_looped};

static struct tree tree_sample(void)
{
    static struct leaf leaves[] = {{1, ROW("one")}, {0, ROW("")}, {UINT64_MAX, ROW("many")}};
    static struct bytes texts[] = {ROW("a text longer than sixteen bytes"), ROW("")};
    static uint32_t numbers[] = {0, 1, UINT32_MAX};
    return (struct tree){
        .flag = true,
        .small = 255,
        .middle = 70000,
        .large = UINT64_MAX,
        .number = INT64_MIN,
        .text = BYTES_LITERAL("h\xc3\xa9llo"),
        .binary = BYTES_LITERAL("\0\xff"),
        .value = BYTES_LITERAL("\x81\xa1k\x92\xc0\x01"),
        .id = {{1, 2, 3}},
        .leaf = {7, BYTES_LITERAL("leaf")},
        .leaves = {leaves, COUNT_OF(leaves)},
        .texts = {texts, COUNT_OF(texts)},
        .numbers = {numbers, COUNT_OF(numbers)},
    };
}

static void assert_leaf_equal(const struct leaf *a, const struct leaf *b)
{
    assert_true(a->number == b->number);
    assert_true(bytes_equal(a->name, b->name));
}

static void assert_tree_equal(const struct tree *a, const struct tree *b)
{
    assert_int_equal(a->flag, b->flag);
    assert_int_equal(a->small, b->small);
    assert_int_equal(a->middle, b->middle);
    assert_true(a->large == b->large);
    assert_true(a->number == b->number);
    assert_true(bytes_equal(a->text, b->text));
    assert_true(bytes_equal(a->binary, b->binary));
    assert_true(bytes_equal(a->value, b->value));
    assert_true(id128_equal(a->id, b->id));
    assert_leaf_equal(&a->leaf, &b->leaf);
    assert_int_equal(a->leaves.count, b->leaves.count);
    for (size_t i = 0; i < a->leaves.count; i++)
        assert_leaf_equal((const struct leaf *)a->leaves.elements + i,
                          (const struct leaf *)b->leaves.elements + i);
    assert_int_equal(a->texts.count, b->texts.count);
    for (size_t i = 0; i < a->texts.count; i++)
        assert_true(bytes_equal(((const struct bytes *)a->texts.elements)[i],
                                ((const struct bytes *)b->texts.elements)[i]));
    assert_int_equal(a->numbers.count, b->numbers.count);
    if (a->numbers.count > 0)
        assert_memory_equal(a->numbers.elements, b->numbers.elements,
                            a->numbers.count * sizeof(uint32_t));
}

static void test_codec_of_every_kind_round_trips(void **state)
{
    (void)state;
    struct tree sample = tree_sample();
    for (size_t i = 0; i < COUNT_OF(trees); i++) {
        struct arena arena = {0};
        struct buffer out = {0};
        struct pawl_diag diag = {.text = ""};
        struct tree back;
        codec_encode(trees[i], &sample, &out);
        assert_false(out.is_failed);
        memset(&back, 0xa5, sizeof back);
        if (codec_decode(trees[i], buffer_bytes(&out), &arena, &back, &diag) != PAWL_OK)
            fail_msg("%s", diag.text);
        assert_tree_equal(&sample, &back);
        arena_done(&arena);
        buffer_done(&out);
    }
}

static void test_codec_of_zeros_writes_required_fields_only(void **state)
{
    (void)state;
    struct tree zero;
    memset(&zero, 0, sizeof zero);
    for (size_t i = 0; i < COUNT_OF(trees); i++) {
        struct arena arena = {0};
        struct buffer out = {0};
        struct tree back;
        codec_encode(trees[i], &zero, &out);
        assert_true(bytes_equal(buffer_bytes(&out), BYTES_LITERAL("\x81\x02\x00")));
        assert_int_equal(codec_decode(trees[i], buffer_bytes(&out), &arena, &back, NULL), PAWL_OK);
        assert_tree_equal(&zero, &back);
        arena_done(&arena);
        buffer_done(&out);
    }
}

static void test_codec_by_loops_of_its_own_writes_the_same_bytes(void **state)
{
    (void)state;
    struct buffer outs[COUNT_OF(trees)] = {{0}};
    struct tree sample = tree_sample();
    for (size_t i = 0; i < COUNT_OF(trees); i++)
        codec_encode(trees[i], &sample, &outs[i]);
    assert_true(bytes_equal(buffer_bytes(&outs[0]), buffer_bytes(&outs[1])));
    for (size_t i = 0; i < COUNT_OF(trees); i++)
        buffer_done(&outs[i]);
}

/* What msgpack-c makes of our bytes: an independent reader of the same format. */
static void test_codec_encode_is_the_map_that_msgpack_reads(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct tree sample = tree_sample();
    msgpack_unpacked unpacked;
    size_t offset = 0;
    codec_encode(&tree_schema, &sample, &out);
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)out.data, out.size, &offset),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(offset, out.size);
    assert_int_equal(unpacked.data.type, MSGPACK_OBJECT_MAP);
    assert_int_equal(unpacked.data.via.map.size, COUNT_OF(tree_fields));
    const msgpack_object_kv *pairs = unpacked.data.via.map.ptr;
    for (size_t i = 0; i < COUNT_OF(tree_fields); i++)
        assert_int_equal(pairs[i].key.via.u64, tree_fields[i].key);
    assert_true(pairs[0].val.via.boolean);
    assert_int_equal(pairs[1].val.via.u64, 255);
    assert_true(pairs[3].val.via.u64 == UINT64_MAX);
    assert_true(pairs[4].val.via.i64 == INT64_MIN);
    assert_int_equal(pairs[5].val.type, MSGPACK_OBJECT_STR);
    assert_int_equal(pairs[6].val.type, MSGPACK_OBJECT_BIN);
    assert_int_equal(pairs[7].val.type, MSGPACK_OBJECT_MAP);
    assert_int_equal(pairs[8].val.via.bin.size, 16);
    assert_int_equal(pairs[10].val.via.array.size, 3);
    assert_int_equal(pairs[10].val.via.array.ptr[1].via.map.size, 1);
    msgpack_unpacked_destroy(&unpacked);
    buffer_done(&out);
}

static void test_codec_decode_cut_short_anywhere_is_invalid(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buffer out = {0};
    struct tree sample = tree_sample(), back = {.middle = 4711};
    codec_encode(&tree_schema, &sample, &out);
    for (size_t size = 0; size < out.size; size++) {
        uint8_t *exact = malloc(size);
        assert_true(size == 0 || exact != NULL);
        memcpy(exact, out.data, size);
        assert_int_equal(codec_decode(&tree_schema, bytes_of(exact, size), &arena, &back, NULL),
                         PAWL_E_INVALID);
        assert_int_equal(back.middle, 4711);
        arena_reset(&arena);
        free(exact);
    }
    arena_done(&arena);
    buffer_done(&out);
}

static const struct {
    const char *name;
    struct bytes bytes;
    enum pawl_error error;
} rows[] = {
    {"smallest", ROW("\x81\x02\x01"), PAWL_OK},
    {"long form of a key", ROW("\x81\xcc\x02\x01"), PAWL_OK},
    {"long form of a number", ROW("\x81\x02\xcf\0\0\0\0\0\0\0\x01"), PAWL_OK},
    {"keys in another order", ROW("\x83\x03\x01\x02\x01\x01\xc3"), PAWL_OK},
    {"unknown key between", ROW("\x83\x01\xc3\x0d\x93\x01\x02\x81\xa1k\x01\x02\x01"), PAWL_OK},
    {"unknown key of 64 bits", ROW("\x82\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xc0\x02\x01"),
     PAWL_OK},
    {"unknown key with any value", ROW("\x82\x0d\x81\x01\xd4\x01\x01\x02\x01"), PAWL_E_INVALID},
    {"unknown key cut short", ROW("\x82\x02\x01\x0d\x92\x01"), PAWL_E_INVALID},
    {"empty list", ROW("\x82\x02\x01\x0b\x90"), PAWL_OK},
    {"empty value of a scalar", ROW("\x82\x02\x01\x06\xa0"), PAWL_OK},
    {"text of its max", ROW("\x82\x02\x01\x06\xb0ponmlkjihgponmlk"), PAWL_OK},
    {"text past its max", ROW("\x82\x02\x01\x06\xb1ponmlkjihgponmlkj"), PAWL_E_LIMIT},
    {"binary past its max", ROW("\x82\x02\x01\x07\xc4\x11ponmlkjihgponmlkj"), PAWL_E_LIMIT},
    {"value past its max", ROW("\x82\x02\x01\x08\xd9\x1fpppppppppponmlkjihgpppppppppppp"),
     PAWL_E_LIMIT},
    {"list of its max", ROW("\x82\x02\x01\x0c\x92\xa1k\xa1k"), PAWL_OK},
    {"list past its max", ROW("\x82\x02\x01\x0c\x93\xa1k\xa1k\xa1k"), PAWL_E_LIMIT},
    {"list of messages past its max", ROW("\x82\x02\x01\x0b\x94\x80\x80\x80\x80"), PAWL_E_LIMIT},

    {"required is missing", ROW("\x80"), PAWL_E_INVALID},
    {"required of an inner message is missing", ROW("\x82\x02\x01\x0a\x80"), PAWL_E_INVALID},
    {"required in a list is missing", ROW("\x82\x02\x01\x0b\x91\x81\x01\x05"), PAWL_E_INVALID},
    {"known key twice", ROW("\x82\x02\x01\x02\x01"), PAWL_E_INVALID},
    {"known key twice, in two forms", ROW("\x82\x02\x01\xcc\x02\x01"), PAWL_E_INVALID},
    {"bytes left over", ROW("\x81\x02\x01\x00"), PAWL_E_INVALID},
    {"nothing", {NULL, 0}, PAWL_E_INVALID},
    {"array", ROW("\x91\x02"), PAWL_E_INVALID},
    {"text as key", ROW("\x82\x02\x01\xa1k\x01"), PAWL_E_INVALID},
    {"negative key", ROW("\x82\x02\x01\xff\x01"), PAWL_E_INVALID},
    {"nil instead of a number", ROW("\x81\x02\xc0"), PAWL_E_INVALID},
    {"float instead of a number", ROW("\x81\x02\xcb\x3f\xf0\0\0\0\0\0\0"), PAWL_E_INVALID},
    {"negative", ROW("\x81\x02\xff"), PAWL_E_INVALID},
    {"past 8 bits", ROW("\x81\x02\xcd\x01\0"), PAWL_E_INVALID},
    {"past 32 bits", ROW("\x82\x02\x01\x03\xcf\0\0\0\x01\0\0\0\0"), PAWL_E_INVALID},
    {"past signed 64 bits", ROW("\x82\x02\x01\x05\xcf\x80\0\0\0\0\0\0\0"), PAWL_E_INVALID},
    {"number instead of a boolean", ROW("\x82\x01\x01\x02\x01"), PAWL_E_INVALID},
    {"binary instead of text", ROW("\x82\x02\x01\x06\xc4\x01k"), PAWL_E_INVALID},
    {"text instead of binary", ROW("\x82\x02\x01\x07\xa1k"), PAWL_E_INVALID},
    {"text not UTF-8", ROW("\x82\x02\x01\x06\xa1\xff"), PAWL_E_INVALID},
    {"text in a list not UTF-8", ROW("\x82\x02\x01\x0c\x91\xa1\xff"), PAWL_E_INVALID},
    {"id of 15 bytes", ROW("\x82\x02\x01\x09\xc4\x0fponmlkjihgponml"), PAWL_E_INVALID},
    {"id as text", ROW("\x82\x02\x01\x09\xb0ponmlkjihgponmlk"), PAWL_E_INVALID},
    {"list instead of a message", ROW("\x82\x02\x01\x0a\x90"), PAWL_E_INVALID},
    {"message instead of a list", ROW("\x82\x02\x01\x0b\x80"), PAWL_E_INVALID},
    {"value with NaN", ROW("\x82\x02\x01\x08\xcb\x7f\xf8\0\0\0\0\0\0"), PAWL_E_INVALID},
    {"value with a duplicate key", ROW("\x82\x02\x01\x08\x82\xa1k\x01\xa1k\x02"), PAWL_E_INVALID},
    {"value with an extension", ROW("\x82\x02\x01\x08\xd4\x01\x01"), PAWL_E_INVALID},
    {"value with an integer key", ROW("\x82\x02\x01\x08\x81\x01\x01"), PAWL_E_INVALID},
    {"list bomb", ROW("\x82\x02\x01\x0b\xdd\xff\xff\xff\xff\x80"), PAWL_E_INVALID},
    {"map bomb", ROW("\xdf\x7f\xff\xff\xff\x02"), PAWL_E_INVALID},
};

static void assert_decode_tells(const struct schema *schema, size_t i)
{
    struct arena arena = {0};
    struct pawl_diag diag = {.text = ""};
    struct tree tree = {.middle = 4711};
    const enum pawl_error error = codec_decode(schema, rows[i].bytes, &arena, &tree, &diag);
    if (error != rows[i].error)
        fail_msg("%s: %s (%s)", rows[i].name, pawl_error_name(error), diag.text);
    if (error != PAWL_OK) {
        assert_int_equal(tree.middle, 4711);
        assert_true(bytes_have_prefix(bytes_string(diag.text), BYTES_LITERAL("tree")) ||
                    bytes_have_prefix(bytes_string(diag.text), BYTES_LITERAL("leaf")));
    }
    arena_done(&arena);
}

static void test_codec_decode_of_any_message_tells_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t k = 0; k < COUNT_OF(trees); k++)
            assert_decode_tells(trees[k], i);
}

static void test_codec_decode_names_the_field(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct pawl_diag diag;
    struct tree tree;
    assert_int_equal(codec_decode(&tree_schema, BYTES_LITERAL("\x82\x02\x01\x0a\x81\x03\x01"),
                                  &arena, &tree, &diag),
                     PAWL_E_INVALID);
    assert_string_equal(diag.text, "leaf.name: expected a string");
    assert_int_equal(
        codec_decode(&tree_schema, BYTES_LITERAL("\x81\x0a\x81\x03\xa1k"), &arena, &tree, &diag),
        PAWL_E_INVALID);
    assert_string_equal(diag.text, "tree.small: missing");
    arena_done(&arena);
}

static void test_codec_decode_points_into_the_input(void **state)
{
    (void)state;
    const struct bytes in = BYTES_LITERAL("\x83\x02\x01\x06\xa2hi\x08\x91\xc0");
    struct arena arena = {0};
    struct tree tree;
    assert_int_equal(codec_decode(&tree_schema, in, &arena, &tree, NULL), PAWL_OK);
    assert_ptr_equal(tree.text.data, in.data + 5);
    assert_ptr_equal(tree.value.data, in.data + 8);
    arena_done(&arena);
}

/* Only the first fields of a tree; of what follows them nothing is asked, not even that it is
 * whole. */
static void test_codec_decode_of_a_beginning_leaves_the_rest(void **state)
{
    (void)state;
    static const struct field first_fields[] = {
        FIELD(struct tree, flag, 1, FIELD_BOOL),
        FIELD(struct tree, small, 2, FIELD_U8, .is_required = true),
    };
    const struct schema beginning = {.name = "beginning",
                                     .fields = first_fields,
                                     .field_count = COUNT_OF(first_fields),
                                     .struct_bytes = sizeof(struct tree),
                                     .is_beginning = true};
    static const struct {
        struct bytes bytes;
        enum pawl_error error;
    } cases[] = {
        {ROW("\x83\x01\xc3\x02\x05\x06\xa2hi"), PAWL_OK},
        {ROW("\x83\x01\xc3\x02\x05\x06\xa2"), PAWL_OK},
        {ROW("\x82\x01\xc3\x06\xa2hi"), PAWL_E_INVALID},
        {ROW("\x83\x01\xc3\x02\xc0\x06\xa2hi"), PAWL_E_INVALID},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = {0};
        struct tree tree = {.small = 0};
        assert_int_equal(codec_decode(&beginning, cases[i].bytes, &arena, &tree, NULL),
                         cases[i].error);
        assert_int_equal(tree.small, cases[i].error == PAWL_OK ? 5 : 0);
        assert_int_equal(tree.text.size, 0);
        arena_done(&arena);
    }
}

/* A message of any size lies in the arena and takes what it needs of it. */
static void test_codec_encode_in_an_arena_writes_the_same_bytes(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 1900, 2048, 40000, 600000};
    static uint8_t content[600000];
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct arena arena = {0};
        struct buffer out = {0};
        struct bytes texts[] = {bytes_of(content, sizes[i])};
        const struct tree tree = {.texts = {texts, 1}};
        codec_encode(&tree_schema, &tree, &out);
        const struct bytes encoded = codec_encode_in(&arena, &tree_schema, &tree);
        assert_true(bytes_equal(encoded, buffer_bytes(&out)));
        assert_true(arena.used < out.size + ARENA_ALIGNMENT);
        arena_done(&arena);
        buffer_done(&out);
    }
}

static void test_codec_encode_in_an_arena_that_is_full_is_no_memory(void **state)
{
    (void)state;
    struct arena arena = {.limit = 64};
    const struct tree tree = {.small = 1};
    assert_null(codec_encode_in(&arena, &tree_schema, &tree).data);
    assert_int_equal(arena.used, 0);
    arena_done(&arena);
}

static void test_codec_decode_past_the_arena_is_no_memory(void **state)
{
    (void)state;
    struct arena arena = {.limit = sizeof(struct tree) + 64};
    struct buffer in = {0};
    struct tree tree = {.middle = 4711};
    pack_map(&in, 2);
    pack_unsigned(&in, 2);
    pack_unsigned(&in, 1);
    pack_unsigned(&in, 200);
    pack_array(&in, 1000);
    for (int i = 0; i < 1000; i++)
        pack_unsigned(&in, 1);
    assert_int_equal(codec_decode(&tree_schema, buffer_bytes(&in), &arena, &tree, NULL),
                     PAWL_E_NO_MEMORY);
    assert_int_equal(tree.middle, 4711);
    arena_done(&arena);
    buffer_done(&in);
}

static void test_codec_encode_past_a_max_fails(void **state)
{
    (void)state;
    struct leaf four[4] = {{0, {NULL, 0}}};
    const struct tree messages[] = {
        {.text = BYTES_LITERAL("seventeen bytes..")},
        {.binary = BYTES_LITERAL("seventeen bytes..")},
        {.value = BYTES_LITERAL("\xd9\x1fpppppppppponmlkjihgpppppppppppp")},
        {.leaf = {0, BYTES_LITERAL("nine byte")}},
        {.leaves = {four, COUNT_OF(four)}},
    };
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct buffer out = {0};
        codec_encode(&tree_schema, &messages[i], &out);
        assert_true(out.is_failed);
        buffer_done(&out);
    }
}

struct chain {
    struct list next;
};

static const struct schema chain_schema;
static const struct field chain_fields[] = {
    FIELD(struct chain, next, 1, FIELD_MESSAGE, .is_list = true, .schema = &chain_schema),
};
static const struct schema chain_schema = SCHEMA("chain", struct chain, chain_fields);

static void test_codec_of_messages_nested_too_deeply_is_a_limit(void **state)
{
    (void)state;
    for (int depth = MESSAGE_DEPTH_MAX; depth <= MESSAGE_DEPTH_MAX + 1; depth++) {
        struct chain links[MESSAGE_DEPTH_MAX + 1] = {{{NULL, 0}}};
        struct chain back;
        struct buffer in = {0}, out = {0};
        struct arena arena = {0};
        for (int i = 1; i < depth; i++) {
            links[i - 1].next = (struct list){&links[i], 1};
            pack_map(&in, 1);
            pack_unsigned(&in, 1);
            pack_array(&in, 1);
        }
        pack_map(&in, 0);
        codec_encode(&chain_schema, &links[0], &out);
        assert_int_equal(out.is_failed, depth > MESSAGE_DEPTH_MAX);
        assert_int_equal(codec_decode(&chain_schema, buffer_bytes(&in), &arena, &back, NULL),
                         depth > MESSAGE_DEPTH_MAX ? PAWL_E_LIMIT : PAWL_OK);
        if (!out.is_failed)
            assert_true(bytes_equal(buffer_bytes(&in), buffer_bytes(&out)));
        arena_done(&arena);
        buffer_done(&in);
        buffer_done(&out);
    }
}

static const struct field twice_fields[] = {
    FIELD(struct leaf, number, 1, FIELD_U64),
    FIELD(struct leaf, name, 1, FIELD_STRING),
};
static const struct field descending_fields[] = {
    FIELD(struct leaf, number, 2, FIELD_U64),
    FIELD(struct leaf, name, 1, FIELD_STRING),
};
static const struct field bare_message_fields[] = {FIELD(struct leaf, number, 1, FIELD_MESSAGE)};
static const struct field outside_fields[] = {
    {.key = 1, .kind = FIELD_U64, .offset = sizeof(struct leaf) - 4, .name = "outside"}};
static const struct field overlapping_fields[] = {
    FIELD(struct leaf, number, 1, FIELD_U64),
    {.key = 2, .kind = FIELD_U32, .offset = 4, .name = "overlapping"}};
static const struct field unnamed_fields[] = {{.key = 1, .kind = FIELD_U64}};

static void test_schema_is_sound_refuses_what_the_codec_cannot_take(void **state)
{
    (void)state;
    const struct schema bad[] = {
        SCHEMA("twice", struct leaf, twice_fields),
        SCHEMA("descending", struct leaf, descending_fields),
        SCHEMA("bare", struct leaf, bare_message_fields),
        SCHEMA("outside", struct leaf, outside_fields),
        SCHEMA("overlapping", struct leaf, overlapping_fields),
        SCHEMA("unnamed", struct leaf, unnamed_fields),
        SCHEMA(NULL, struct leaf, leaf_fields),
    };
    assert_true(schema_is_sound(&tree_schema));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(schema_is_sound(&bad[i]));
    assert_false(schema_is_sound(&chain_schema)); /* it never ends */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec_of_every_kind_round_trips),
        cmocka_unit_test(test_codec_of_zeros_writes_required_fields_only),
        cmocka_unit_test(test_codec_by_loops_of_its_own_writes_the_same_bytes),
        cmocka_unit_test(test_codec_encode_is_the_map_that_msgpack_reads),
        cmocka_unit_test(test_codec_decode_cut_short_anywhere_is_invalid),
        cmocka_unit_test(test_codec_decode_of_any_message_tells_what_is_wrong),
        cmocka_unit_test(test_codec_decode_names_the_field),
        cmocka_unit_test(test_codec_decode_points_into_the_input),
        cmocka_unit_test(test_codec_decode_of_a_beginning_leaves_the_rest),
        cmocka_unit_test(test_codec_encode_in_an_arena_writes_the_same_bytes),
        cmocka_unit_test(test_codec_encode_in_an_arena_that_is_full_is_no_memory),
        cmocka_unit_test(test_codec_decode_past_the_arena_is_no_memory),
        cmocka_unit_test(test_codec_encode_past_a_max_fails),
        cmocka_unit_test(test_codec_of_messages_nested_too_deeply_is_a_limit),
        cmocka_unit_test(test_schema_is_sound_refuses_what_the_codec_cannot_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
