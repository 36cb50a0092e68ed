/* A value to JSON text. No recursion: a frame per open array or object. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "proto/json.h"
#include "proto/limits.h"

struct frame {
    uint32_t left; /* elements, or pairs, still to be written */
    bool is_map;
};

struct writer {
    struct value_cursor cursor;
    struct buffer *out;
    enum json_layout layout;
    uint32_t depth; /* open arrays and objects; frames[0] is the place of the value itself */
    struct frame frames[VALUE_STACK_MAX + 1];
};

static void put_byte(struct buffer *out, char c)
{
    buffer_append(out, &c, 1);
}

static void put_text(struct buffer *out, const char *text)
{
    buffer_append(out, text, strlen(text));
}

static void new_line(struct writer *writer)
{
    if (writer->layout != JSON_INDENTED)
        return;
    put_byte(writer->out, '\n');
    for (uint32_t i = 0; i < writer->depth; i++)
        put_text(writer->out, "  ");
}

static bool is_escaped(uint8_t c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

static void put_escape(struct buffer *out, uint8_t c)
{
    static const char codes[] = "\"\\\b\f\n\r\t";
    static const char names[] = "\"\\bfnrt";
    const char *code = c != 0 ? strchr(codes, c) : NULL;
    char text[8] = {'\\', code != NULL ? names[code - codes] : 'u'};
    if (code == NULL)
        snprintf(text + 2, sizeof text - 2, "%04x", c);
    put_text(out, text);
}

static void put_string(struct buffer *out, struct bytes text)
{
    put_byte(out, '"');
    for (size_t i = 0, plain; i < text.size; i = plain) {
        for (plain = i; plain < text.size && !is_escaped(text.data[plain]);)
            plain++;
        buffer_append(out, text.data + i, plain - i);
        if (plain < text.size)
            put_escape(out, text.data[plain++]);
    }
    put_byte(out, '"');
}

static void put_base64(struct buffer *out, struct bytes binary)
{
    const size_t size = sodium_base64_encoded_len(binary.size, sodium_base64_VARIANT_ORIGINAL);
    put_byte(out, '"');
    uint8_t *text = buffer_extend(out, size); /* with a NUL, which the closing quote overwrites */
    if (text == NULL)
        return;
    sodium_bin2base64((char *)text, size, binary.data, binary.size, sodium_base64_VARIANT_ORIGINAL);
    text[size - 1] = '"';
}

static void put_float(struct buffer *out, double real)
{
    char text[32];
    json_format_float(real, text);
    put_text(out, text);
}

static void put_integer(struct buffer *out, int64_t integer)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, integer);
    put_text(out, text);
}

static void put_unsigned(struct buffer *out, uint64_t integer)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, integer);
    put_text(out, text);
}

static bool put_open(struct writer *writer, const struct value_head *head)
{
    const bool is_map = head->kind == VALUE_MAP;
    if (head->count == 0) {
        put_text(writer->out, is_map ? "{}" : "[]");
        return true;
    }
    if (writer->depth == VALUE_STACK_MAX)
        return false;
    put_byte(writer->out, is_map ? '{' : '[');
    writer->frames[++writer->depth] = (struct frame){head->count, is_map};
    new_line(writer);
    return true;
}

static bool put_head(struct writer *writer, const struct value_head *head)
{
    switch (head->kind) {
    case VALUE_NULL:
        put_text(writer->out, "null");
        return true;
    case VALUE_BOOL:
        put_text(writer->out, head->boolean ? "true" : "false");
        return true;
    case VALUE_INTEGER:
        put_integer(writer->out, head->integer);
        return true;
    case VALUE_UNSIGNED:
        put_unsigned(writer->out, head->unsigned_integer);
        return true;
    case VALUE_FLOAT:
        put_float(writer->out, head->real);
        return true;
    case VALUE_STRING:
        put_string(writer->out, head->bytes);
        return true;
    case VALUE_BINARY:
        put_base64(writer->out, head->bytes);
        return true;
    case VALUE_ARRAY:
    case VALUE_MAP:
        return put_open(writer, head);
    }
    return false;
}

static bool put_key(struct writer *writer)
{
    struct value_head key;
    if (value_next(&writer->cursor, &key) != PAWL_OK || key.kind != VALUE_STRING)
        return false;
    put_string(writer->out, key.bytes);
    put_text(writer->out, writer->layout == JSON_INDENTED ? ": " : ":");
    return true;
}

/* Close what is complete, and put a comma between what is not. */
static void put_between(struct writer *writer)
{
    while (writer->depth > 0 && writer->frames[writer->depth].left == 0) {
        const bool is_map = writer->frames[writer->depth--].is_map;
        new_line(writer);
        put_byte(writer->out, is_map ? '}' : ']');
    }
    if (writer->depth == 0)
        return;
    put_byte(writer->out, ',');
    new_line(writer);
}

/* One element, or one pair, up to where the next one begins or everything is closed. */
static bool put_next(struct writer *writer)
{
    const uint32_t depth = writer->depth;
    struct frame *frame = &writer->frames[depth];
    struct value_head head;
    if (frame->is_map && !put_key(writer))
        return false;
    frame->left--;
    if (value_next(&writer->cursor, &head) != PAWL_OK || !put_head(writer, &head))
        return false;
    if (writer->depth == depth)
        put_between(writer);
    return true;
}

void json_write(struct bytes value, enum json_layout layout, struct buffer *text_out)
{
    struct writer writer;
    writer.cursor = value_cursor_of(value);
    writer.out = text_out;
    writer.layout = layout;
    writer.depth = 0;
    writer.frames[0] = (struct frame){.left = 1};
    do {
        if (!put_next(&writer)) {
            text_out->is_failed = true;
            return;
        }
    } while (writer.depth > 0);
}
