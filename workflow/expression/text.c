#include "workflow/expression/text.h"

#include "proto/json.h"

enum { BRIEF_BYTES_MAX = 14, BRIEF_BYTES_KEPT = 11 };

static bool text_grow(struct text *text, size_t needed)
{
    if (needed > EXPRESSION_OUTPUT_MAX)
        return work_limit(text->work, "a string grows too long");
    size_t capacity = text->capacity != 0 ? text->capacity : 64;
    while (capacity < needed)
        capacity *= 2;
    uint8_t *data = work_alloc_charged(text->work, capacity);
    if (data == NULL)
        return false;
    if (text->size > 0)
        memcpy(data, text->data, text->size);
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_append(struct text *text, struct bytes bytes)
{
    if (text->is_failed || bytes.size == 0)
        return;
    const size_t needed = text->size + bytes.size;
    if (needed > text->capacity && !text_grow(text, needed)) {
        text->is_failed = true;
        return;
    }
    memcpy(text->data + text->size, bytes.data, bytes.size);
    text->size = needed;
}

void text_append_rune(struct text *text, uint32_t rune)
{
    uint8_t utf8[4];
    size_t size = 0;
    if (rune < 0x80) {
        utf8[size++] = (uint8_t)rune;
    } else if (rune < 0x800) {
        utf8[size++] = (uint8_t)(0xc0 | rune >> 6);
        utf8[size++] = (uint8_t)(0x80 | (rune & 63));
    } else if (rune < 0x10000) {
        utf8[size++] = (uint8_t)(0xe0 | rune >> 12);
        utf8[size++] = (uint8_t)(0x80 | (rune >> 6 & 63));
        utf8[size++] = (uint8_t)(0x80 | (rune & 63));
    } else {
        utf8[size++] = (uint8_t)(0xf0 | rune >> 18);
        utf8[size++] = (uint8_t)(0x80 | (rune >> 12 & 63));
        utf8[size++] = (uint8_t)(0x80 | (rune >> 6 & 63));
        utf8[size++] = (uint8_t)(0x80 | (rune & 63));
    }
    text_append(text, bytes_of(utf8, size));
}

static void append_magnitude(struct text *text, uint64_t magnitude, bool is_negative)
{
    uint8_t digits[21];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude != 0);
    if (is_negative)
        digits[--at] = '-';
    text_append(text, bytes_of(digits + at, sizeof digits - at));
}

void text_append_integer(struct text *text, int64_t integer)
{
    const uint64_t bits = (uint64_t)integer;
    append_magnitude(text, integer < 0 ? 0 - bits : bits, integer < 0);
}

void text_append_number(struct text *text, struct datum number)
{
    if (number.kind == DATUM_INTEGER) {
        text_append_integer(text, number.integer);
    } else if (number.kind == DATUM_UNSIGNED) {
        append_magnitude(text, number.unsigned_integer, false);
    } else if (number.real != number.real) {
        text_append(text, BYTES_LITERAL("null"));
    } else {
        char digits[32];
        json_format_float(number.real, digits);
        text_append(text, bytes_string(digits));
    }
}

static void append_escape(struct text *text, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btn?fr";
    text_append_byte(text, '\\');
    if (byte == '"' || byte == '\\') {
        text_append_byte(text, byte);
    } else if (byte >= '\b' && byte <= '\r' && byte != '\v') {
        text_append_byte(text, (uint8_t)letters[byte - '\b']);
    } else {
        text_append(text, BYTES_LITERAL("u00"));
        text_append_byte(text, (uint8_t)hex[byte >> 4]);
        text_append_byte(text, (uint8_t)hex[byte & 15]);
    }
}

static void append_string(struct text *text, struct bytes string)
{
    size_t begin = 0;
    text_append_byte(text, '"');
    for (size_t i = 0; i < string.size; i++) {
        const uint8_t byte = string.data[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f)
            continue;
        text_append(text, bytes_of(string.data + begin, i - begin));
        append_escape(text, byte);
        begin = i + 1;
    }
    text_append(text, bytes_of(string.data + begin, string.size - begin));
    text_append_byte(text, '"');
}

void text_append_base64(struct text *text, struct bytes bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size; i += 3) {
        const size_t left = bytes.size - i;
        const uint32_t group = (uint32_t)bytes.data[i] << 16 |
                               (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                               (left > 2 ? (uint32_t)bytes.data[i + 2] : 0);
        const uint8_t quad[4] = {
            (uint8_t)digits[group >> 18],
            (uint8_t)digits[group >> 12 & 63],
            (uint8_t)(left > 1 ? digits[group >> 6 & 63] : '='),
            (uint8_t)(left > 2 ? digits[group & 63] : '='),
        };
        text_append(text, bytes_of(quad, sizeof quad));
    }
}

static void append_array(struct text *text, struct datum array)
{
    text_append_byte(text, '[');
    for (uint32_t i = 0; i < array.size && !text->is_failed; i++) {
        if (i > 0)
            text_append_byte(text, ',');
        text_append_json(text, array.items->at[i]);
    }
    text_append_byte(text, ']');
}

static void append_object(struct text *text, struct datum object)
{
    text_append_byte(text, '{');
    for (uint32_t i = 0; i < object.size && !text->is_failed; i++) {
        if (i > 0)
            text_append_byte(text, ',');
        append_string(text, datum_bytes(object.entries->at[i].key));
        text_append_byte(text, ':');
        text_append_json(text, object.entries->at[i].value);
    }
    text_append_byte(text, '}');
}

static void append_scalar(struct text *text, struct datum datum)
{
    switch ((enum datum_kind)datum.kind) {
    case DATUM_NULL:
        text_append(text, BYTES_LITERAL("null"));
        return;
    case DATUM_FALSE:
        text_append(text, BYTES_LITERAL("false"));
        return;
    case DATUM_TRUE:
        text_append(text, BYTES_LITERAL("true"));
        return;
    case DATUM_INTEGER:
    case DATUM_UNSIGNED:
    case DATUM_FLOAT:
        text_append_number(text, datum);
        return;
    case DATUM_STRING:
        append_string(text, datum_bytes(datum));
        return;
    case DATUM_BINARY:
        text_append_byte(text, '"');
        text_append_base64(text, datum_bytes(datum));
        text_append_byte(text, '"');
        return;
    case DATUM_ARRAY:
    case DATUM_OBJECT:
        return;
    }
}

void text_append_json(struct text *text, struct datum datum)
{
    if (text->is_failed)
        return;
    const uint64_t units = datum.kind == DATUM_FLOAT ? WORK_UNITS_PER_REAL : 0;
    if (!work_charge_elements(text->work, 1) || !work_charge(text->work, units) ||
        !datum_open(text->work, datum, &datum)) {
        text->is_failed = true;
        return;
    }
    if (datum.kind == DATUM_ARRAY)
        append_array(text, datum);
    else if (datum.kind == DATUM_OBJECT)
        append_object(text, datum);
    else
        append_scalar(text, datum);
}

void text_append_plain(struct text *text, struct datum datum)
{
    if (datum.kind == DATUM_STRING)
        text_append(text, datum_bytes(datum));
    else if (datum.kind == DATUM_BINARY)
        text_append_base64(text, datum_bytes(datum));
    else
        text_append_json(text, datum);
}

/* The cut may fall into a character; the part of it that is left is dropped, so that the message
 * stays valid UTF-8. */
static size_t whole_runes(const uint8_t *data, size_t size)
{
    while (size > 0 && (data[size] & 0xc0) == 0x80)
        size--;
    return size;
}

void text_append_brief(struct text *text, struct datum datum)
{
    struct text whole = {.work = text->work};
    text_append_json(&whole, datum);
    if (whole.is_failed) {
        text->is_failed = true;
        return;
    }
    if (whole.size <= BRIEF_BYTES_MAX) {
        text_append(text, bytes_of(whole.data, whole.size));
        return;
    }
    text_append(text, bytes_of(whole.data, whole_runes(whole.data, BRIEF_BYTES_KEPT)));
    text_append(text, BYTES_LITERAL("..."));
}

bool text_take(struct text *text, struct datum *string_out)
{
    if (text->is_failed)
        return false;
    *string_out = datum_text(bytes_of(text->data, text->size));
    return true;
}

size_t text_rune(struct bytes text, uint32_t *rune_out)
{
    const uint8_t *at = text.data;
    if (at[0] < 0x80 || text.size < 2) {
        *rune_out = at[0];
        return 1;
    }
    if (at[0] < 0xe0 || text.size < 3) {
        *rune_out = (uint32_t)(at[0] & 31) << 6 | (at[1] & 63);
        return 2;
    }
    if (at[0] < 0xf0 || text.size < 4) {
        *rune_out = (uint32_t)(at[0] & 15) << 12 | (uint32_t)(at[1] & 63) << 6 | (at[2] & 63);
        return 3;
    }
    *rune_out = (uint32_t)(at[0] & 7) << 18 | (uint32_t)(at[1] & 63) << 12 |
                (uint32_t)(at[2] & 63) << 6 | (at[3] & 63);
    return 4;
}

static bool is_rune_start(uint8_t byte)
{
    return (byte & 0xc0) != 0x80;
}

bool text_rune_count(struct work *work, struct bytes text, uint32_t *count_out)
{
    uint32_t count = 0;
    if (!work_charge_bytes(work, text.size))
        return false;
    for (size_t i = 0; i < text.size; i++)
        count += is_rune_start(text.data[i]);
    *count_out = count;
    return true;
}

bool text_rune_offset(struct work *work, struct bytes text, uint32_t rune, size_t *offset_out)
{
    uint32_t count = 0;
    size_t offset = 0;
    for (; offset < text.size; offset++) {
        if (is_rune_start(text.data[offset]) && count++ == rune)
            break;
    }
    *offset_out = offset;
    return work_charge_bytes(work, offset);
}
