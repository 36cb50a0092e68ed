/* Any bytes: the cursor stays inside, and what value_check accepts every reader of values takes. */
#include <assert.h>

#include "proto/json.h"
#include "proto/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Heads one by one and the skip must agree on where a value ends. */
static void walk(struct bytes value)
{
    struct value_cursor cursor = value_cursor_of(value);
    struct value_head head;
    while (value_next(&cursor, &head) == PAWL_OK)
        if (head.kind == VALUE_STRING || head.kind == VALUE_BINARY)
            assert(head.bytes.data + head.bytes.size <= cursor.end);
}

static void every_key_is_found(struct bytes map)
{
    struct value_cursor cursor = value_cursor_of(map);
    struct value_head head, key;
    assert(value_next(&cursor, &head) == PAWL_OK);
    for (uint32_t i = 0; i < head.count; i++) {
        struct bytes value, found;
        assert(value_next(&cursor, &key) == PAWL_OK && key.kind == VALUE_STRING);
        assert(value_take(&cursor, &value) == PAWL_OK);
        assert(value_map_get(map, key.bytes, &found) && found.data == value.data);
    }
}

static void use(struct bytes value)
{
    struct buffer text = {0};
    struct value_cursor cursor = value_cursor_of(value);
    assert(value_skip(&cursor) == PAWL_OK && cursor.at == cursor.end);
    assert(value_equal(value, value));
    if (value_kind_of(value) == VALUE_MAP)
        every_key_is_found(value);
    json_write(value, JSON_COMPACT, &text);
    json_write(value, JSON_INDENTED, &text);
    assert(!text.is_failed && utf8_is_valid(buffer_bytes(&text)));
    buffer_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct value_limits small = {1024, 4, 64};
    const struct bytes input = bytes_of(data, size);
    struct value_cursor cursor = value_cursor_of(input);
    struct bytes found;
    struct pawl_diag diag;
    walk(input);
    if (value_skip(&cursor) != PAWL_OK)
        assert(cursor.at == input.data);
    (void)value_map_get(input, BYTES_LITERAL("a"), &found);
    (void)value_equal(input, input);
    if (value_check(input, NULL, &diag) == PAWL_OK)
        use(input);
    else
        assert(value_check(input, &small, &diag) != PAWL_OK);
    return 0;
}
