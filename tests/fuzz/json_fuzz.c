/* Any text: what json_read accepts is a value, and its text reads back as an equal one. */
#include <assert.h>

#include "proto/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct bytes value, enum json_layout layout)
{
    struct buffer text = {0}, again = {0};
    struct pawl_diag diag;
    json_write(value, layout, &text);
    assert(!text.is_failed);
    assert(json_read(buffer_bytes(&text), NULL, &again, &diag) == PAWL_OK);
    assert(value_equal(value, buffer_bytes(&again)));
    buffer_done(&text);
    buffer_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer value = {0};
    struct pawl_diag diag = {.text = "", .line = 0, .column = 0};
    buffer_append(&value, "before", 6);
    if (json_read(bytes_of(data, size), NULL, &value, &diag) == PAWL_OK) {
        const struct bytes read = bytes_of(value.data + 6, value.size - 6);
        assert(value_check(read, NULL, &diag) == PAWL_OK);
        round_trip(read, JSON_COMPACT);
        round_trip(read, JSON_INDENTED);
    } else {
        assert(value.size == 6 && diag.line > 0 && diag.column > 0 && diag.text[0] != '\0');
    }
    buffer_done(&value);
    return 0;
}
