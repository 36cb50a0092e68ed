/* Line and column of a byte in a text, for people. */
#ifndef PAWL_PROTO_TEXT_PLACE_H
#define PAWL_PROTO_TEXT_PLACE_H

#include "proto/bytes.h"

/* A place that moves forward through a text. Zeroed and then line = column = 1: its beginning. */
struct text_place {
    size_t offset;
    uint32_t line, column; /* from 1; columns count characters */
};

#define TEXT_PLACE_BEGIN ((struct text_place){0, 1, 1})

static inline void text_place_advance(struct text_place *place, struct bytes text, size_t offset)
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

#endif
