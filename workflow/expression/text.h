/* Text: a string under construction in the arena, and datums as JSON text.
 *
 * A failed append shows in is_failed, and work says why; a row of appends is checked once, by
 * text_take.
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_TEXT_H
#define PAWL_WORKFLOW_EXPRESSION_TEXT_H

#include "workflow/expression/work.h"

struct text {
    struct work *work;
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool is_failed;
};

/* Append; bytes are charged. PAWL_E_LIMIT past TEXT_DATUM_BYTES_MAX. */
void text_append(struct text *text, struct bytes bytes);
static inline void text_append_byte(struct text *text, uint8_t byte)
{
    if (text->size < text->capacity && !text->is_failed)
        text->data[text->size++] = byte;
    else
        text_append(text, bytes_of(&byte, 1));
}
/* One code point, as UTF-8. */
void text_append_rune(struct text *text, uint32_t rune);
void text_append_integer(struct text *text, int64_t integer);
/* A number as JSON prints it. */
void text_append_number(struct text *text, struct datum number);
/* Any datum as compact JSON, keys in their order; binary as a base64 string. */
void text_append_json(struct text *text, struct datum datum);
/* A string as it is, everything else as JSON: `tostring`. */
void text_append_plain(struct text *text, struct datum datum);
/* JSON cut to what fits into an error message, as jq cuts it. */
void text_append_brief(struct text *text, struct datum datum);
void text_append_base64(struct text *text, struct bytes bytes);

/* The finished string; false when an append failed. The text must not be used again. */
bool text_take(struct text *text, struct datum *string_out);

/* One code point off the front of valid UTF-8; returns its bytes. */
size_t text_rune(struct bytes text, uint32_t *rune_out);
/* Code points of valid UTF-8, charged. */
bool text_rune_count(struct work *work, struct bytes text, uint32_t *count_out);
/* The byte offset of the code point with that number (the size, when there are fewer), charged. */
bool text_rune_offset(struct work *work, struct bytes text, uint32_t rune, size_t *offset_out);

#endif
