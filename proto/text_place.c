#include "proto/text_place.h"

#include "proto/limits.h"
#include "proto/value.h"

void text_place_advance(struct text_place *place, struct bytes text, size_t offset)
{
    for (; place->offset < offset && place->offset < text.size; place->offset++) {
        const uint8_t byte = text.data[place->offset];
        if (byte == '\n') {
            place->line++;
            place->column = 1;
        } else if ((byte & 0xc0) != 0x80) {
            place->column++;
        }
    }
}

void text_place_tell(struct bytes text, size_t offset, struct pawl_diag *diag)
{
    struct text_place place = TEXT_PLACE_BEGIN;
    if (diag == NULL)
        return;
    text_place_advance(&place, text, offset);
    diag->line = (int)place.line;
    diag->column = (int)place.column;
}

enum pawl_error text_check(struct bytes text, struct pawl_diag *diag)
{
    if (text.size > TEXT_BYTES_MAX) {
        text_place_tell(text, TEXT_BYTES_MAX, diag);
        return diag_fail(diag, PAWL_E_LIMIT, "the text is too large");
    }
    const size_t valid_size = utf8_valid_size(text);
    if (valid_size < text.size) {
        text_place_tell(text, valid_size, diag);
        return diag_fail(diag, PAWL_E_INVALID, "the text is not UTF-8");
    }
    return PAWL_OK;
}
