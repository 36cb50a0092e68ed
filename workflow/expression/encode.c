/* Datums as msgpack: measured first, then written once into the arena. */
#include "workflow/expression/number.h"
#include "workflow/expression/work.h"

struct measure {
    struct work *work;
    size_t byte_count;
    uint64_t node_count;
    uint32_t depth; /* of the container being measured */
};

enum { SCALAR_BYTES_MAX = 9, HEAD_BYTES_MAX = 5 };

static bool measure_add(struct measure *measure, size_t byte_count)
{
    measure->byte_count += byte_count;
    measure->node_count++;
    if (measure->byte_count > EXPRESSION_OUTPUT_MAX || measure->node_count > VALUE_NODES_MAX)
        return work_limit(measure->work, "its output is too large");
    return work_charge_elements(measure->work, 1);
}

static bool too_deep(struct work *work)
{
    return work_limit(work, "its output nests too deeply");
}

/* The bytes and the depth of a view, without opening it. */
static bool measure_encoded(struct measure *measure, struct datum datum, struct bytes *value_out)
{
    uint32_t left[VALUE_DEPTH_MAX + 1] = {1};
    uint32_t level = 0;
    struct value_cursor cursor = {datum.encoded, datum.encoded + datum.size};
    while (level > 0 || left[0] > 0) {
        struct value_head head;
        if (left[level] == 0) {
            level--;
            continue;
        }
        left[level]--;
        if (value_next(&cursor, &head) != PAWL_OK)
            return work_limit(measure->work, "its input is no value");
        if (!measure_add(measure, 0))
            return false;
        if (head.kind != VALUE_ARRAY && head.kind != VALUE_MAP)
            continue;
        if (measure->depth + level + 1 > VALUE_DEPTH_MAX)
            return too_deep(measure->work);
        left[++level] = head.kind == VALUE_MAP ? 2 * head.count : head.count;
    }
    *value_out = bytes_of(datum.encoded, (size_t)(cursor.at - datum.encoded));
    return measure_add(measure, value_out->size);
}

static bool measure_datum(struct measure *measure, struct datum datum);

static bool measure_opened(struct measure *measure, struct datum datum)
{
    if (++measure->depth > VALUE_DEPTH_MAX)
        return too_deep(measure->work);
    for (uint32_t i = 0; i < datum.size; i++) {
        if (datum.kind == DATUM_OBJECT && !measure_datum(measure, datum.entries->at[i].key))
            return false;
        if (!measure_datum(measure, datum.kind == DATUM_OBJECT ? datum.entries->at[i].value
                                                               : datum.items->at[i]))
            return false;
    }
    measure->depth--;
    return measure_add(measure, HEAD_BYTES_MAX);
}

static bool measure_datum(struct measure *measure, struct datum datum)
{
    struct bytes value;
    if (datum.is_encoded)
        return measure_encoded(measure, datum, &value);
    if (datum.kind >= DATUM_ARRAY)
        return measure_opened(measure, datum);
    if (datum.kind == DATUM_STRING || datum.kind == DATUM_BINARY)
        return measure_add(measure, HEAD_BYTES_MAX + (size_t)datum.size);
    return measure_add(measure, SCALAR_BYTES_MAX);
}

static void write_datum(struct buffer *buffer, struct datum datum);

static void write_container(struct buffer *buffer, struct datum datum)
{
    if (datum.is_encoded) {
        struct value_cursor cursor = {datum.encoded, datum.encoded + datum.size};
        struct bytes value;
        if (value_take(&cursor, &value) == PAWL_OK)
            pack_value(buffer, value);
        return;
    }
    if (datum.kind == DATUM_ARRAY) {
        pack_array(buffer, datum.size);
        for (uint32_t i = 0; i < datum.size; i++)
            write_datum(buffer, datum.items->at[i]);
        return;
    }
    pack_map(buffer, datum.size);
    for (uint32_t i = 0; i < datum.size; i++) {
        pack_string(buffer, datum_bytes(datum.entries->at[i].key));
        write_datum(buffer, datum.entries->at[i].value);
    }
}

static void write_datum(struct buffer *buffer, struct datum datum)
{
    switch ((enum datum_kind)datum.kind) {
    case DATUM_NULL:
        pack_null(buffer);
        return;
    case DATUM_FALSE:
    case DATUM_TRUE:
        pack_bool(buffer, datum.kind == DATUM_TRUE);
        return;
    case DATUM_INTEGER:
        pack_integer(buffer, datum.integer);
        return;
    case DATUM_UNSIGNED:
        pack_unsigned(buffer, datum.unsigned_integer);
        return;
    case DATUM_FLOAT:
        if (number_is_nan(datum))
            pack_null(buffer);
        else
            pack_float(buffer, datum.real);
        return;
    case DATUM_STRING:
        pack_string(buffer, datum_bytes(datum));
        return;
    case DATUM_BINARY:
        pack_binary(buffer, datum_bytes(datum));
        return;
    case DATUM_ARRAY:
    case DATUM_OBJECT:
        write_container(buffer, datum);
        return;
    }
}

bool datum_encode(struct work *work, struct datum datum, struct bytes *value_out)
{
    struct measure measure = {.work = work};
    if (datum.is_encoded)
        return measure_encoded(&measure, datum, value_out);
    if (!measure_datum(&measure, datum))
        return false;
    /* A buffer over arena memory of the measured size: it never has to grow. */
    uint8_t *memory = work_alloc_charged(work, measure.byte_count);
    if (memory == NULL)
        return false;
    struct buffer buffer = {
        .data = memory, .capacity = measure.byte_count, .limit = measure.byte_count};
    write_datum(&buffer, datum);
    *value_out = buffer_bytes(&buffer);
    return true;
}
