/* Any text: what yaml_read accepts is a value whose nodes all have a place, and whose JSON text is
 * the same value as YAML. */
#include <assert.h>

#include "proto/json.h"
#include "proto/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void places_match(struct bytes value, const struct yaml_places *places)
{
    struct value_cursor cursor = value_cursor_of(value);
    struct value_head head;
    size_t i = 0;
    for (; cursor.at < cursor.end; i++) {
        const size_t offset = (size_t)(cursor.at - value.data);
        assert(i < places->count && places->place[i].offset == offset);
        assert(yaml_place_at(places, offset) == &places->place[i]);
        assert(places->place[i].line > 0 && places->place[i].column > 0);
        assert(value_next(&cursor, &head) == PAWL_OK);
    }
    assert(i == places->count);
}

static void round_trip(struct bytes value)
{
    struct buffer text = {0}, again = {0};
    struct pawl_diag diag;
    json_write(value, JSON_INDENTED, &text);
    assert(yaml_read(buffer_bytes(&text), NULL, NULL, &again, NULL, &diag) == PAWL_OK);
    assert(value_equal(value, buffer_bytes(&again)));
    buffer_done(&text);
    buffer_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct buffer value = {0};
    struct yaml_places places;
    struct pawl_diag diag = {.text = "", .line = 0, .column = 0};
    if (yaml_read(bytes_of(data, size), NULL, &arena, &value, &places, &diag) == PAWL_OK) {
        assert(value_check(buffer_bytes(&value), NULL, &diag) == PAWL_OK);
        places_match(buffer_bytes(&value), &places);
        round_trip(buffer_bytes(&value));
    } else {
        assert(value.size == 0 && diag.line > 0 && diag.column > 0 && diag.text[0] != '\0');
    }
    buffer_done(&value);
    arena_done(&arena);
    return 0;
}
