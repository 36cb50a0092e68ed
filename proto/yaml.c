/* YAML text to a value, event by event.
 *
 * 1. libyaml cuts the text into events; what a plain scalar means is decided in yaml_scalar.c.
 * 2. libyaml counts characters, everything else here counts bytes: `spot` is one place in both.
 * 3. A text that begins like JSON is tried as JSON first: libyaml refuses some of it (surrogate
 *    pairs, keys of more than 1,024 bytes).
 */
#include "proto/yaml.h"

#include <yaml.h>

#include "proto/json_build.h"
#include "proto/text_place.h"
#include "proto/yaml_scalar.h"

struct spot {
    size_t character;
    size_t offset;
};

struct reader {
    yaml_parser_t parser;
    struct bytes text;
    struct spot spot;
    struct value_builder *builder;
    struct pawl_diag *diag;
    bool has_document;
    bool is_at_end;
};

static enum pawl_error fail(const struct reader *reader, size_t offset, enum pawl_error error,
                            const char *what)
{
    text_place_tell(reader->text, offset, reader->diag);
    return diag_fail(reader->diag, error, "%s", what);
}

static enum pawl_error builder_fail(const struct reader *reader, enum pawl_error error)
{
    return fail(reader, reader->builder->problem_mark, error, reader->builder->problem);
}

static bool is_continuation(struct bytes text, size_t offset)
{
    return offset < text.size && (text.data[offset] & 0xc0) == 0x80;
}

/* The offset of a mark of libyaml. */
static size_t offset_of(struct reader *reader, yaml_mark_t mark)
{
    struct spot *spot = &reader->spot;
    for (; spot->character < mark.index && spot->offset < reader->text.size; spot->character++)
        do
            spot->offset++;
        while (is_continuation(reader->text, spot->offset));
    for (; spot->character > mark.index; spot->character--)
        do
            spot->offset--;
        while (is_continuation(reader->text, spot->offset));
    return spot->offset;
}

static enum pawl_error parser_fail(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error == YAML_MEMORY_ERROR)
        return fail(reader, 0, PAWL_E_NO_MEMORY, "no memory to read the text");
    if (parser->error == YAML_READER_ERROR)
        return fail(reader, parser->problem_offset, PAWL_E_INVALID, problem);
    text_place_tell(reader->text, offset_of(reader, parser->problem_mark), reader->diag);
    if (parser->context == NULL)
        return diag_fail(reader->diag, PAWL_E_INVALID, "%s", problem);
    return diag_fail(reader->diag, PAWL_E_INVALID, "%s, %s", parser->context, problem);
}

/* Anchors and tags; also the tag `!`, which libyaml does not tell. */
static enum pawl_error properties_check(const struct reader *reader, size_t offset,
                                        const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        return fail(reader, offset, PAWL_E_INVALID, "anchors are not taken; write the value out");
    if (tag != NULL || (offset < reader->text.size && reader->text.data[offset] == '!'))
        return fail(reader, offset, PAWL_E_INVALID, "tags are not taken");
    return PAWL_OK;
}

static enum pawl_error document_start(struct reader *reader, const yaml_event_t *event,
                                      size_t offset)
{
    if (reader->has_document)
        return fail(reader, offset, PAWL_E_INVALID, "expected one document only");
    if (event->data.document_start.tag_directives.start !=
        event->data.document_start.tag_directives.end)
        return fail(reader, offset, PAWL_E_INVALID, "tags are not taken");
    reader->has_document = true;
    return PAWL_OK;
}

static enum pawl_error container_start(struct reader *reader, bool is_map, size_t offset)
{
    if (value_builder_is_at_key(reader->builder))
        return fail(reader, offset, PAWL_E_INVALID, "a key must be a scalar");
    const enum pawl_error error = value_builder_open(reader->builder, is_map, (uint32_t)offset);
    return error == PAWL_OK ? PAWL_OK : builder_fail(reader, error);
}

static enum pawl_error sequence_start(struct reader *reader, const yaml_event_t *event,
                                      size_t offset)
{
    TRY(properties_check(reader, offset, event->data.sequence_start.anchor,
                         event->data.sequence_start.tag));
    return container_start(reader, false, offset);
}

static enum pawl_error mapping_start(struct reader *reader, const yaml_event_t *event,
                                     size_t offset)
{
    TRY(properties_check(reader, offset, event->data.mapping_start.anchor,
                         event->data.mapping_start.tag));
    return container_start(reader, true, offset);
}

static enum pawl_error container_end(struct reader *reader)
{
    const enum pawl_error error = value_builder_close(reader->builder);
    return error == PAWL_OK ? PAWL_OK : builder_fail(reader, error);
}

static enum pawl_error key_read(struct reader *reader, struct bytes text, size_t offset)
{
    pack_string(reader->builder->out, text);
    const enum pawl_error error = value_builder_key(reader->builder, text.size, (uint32_t)offset);
    return error == PAWL_OK ? PAWL_OK : builder_fail(reader, error);
}

static enum pawl_error scalar(struct reader *reader, const yaml_event_t *event, size_t offset)
{
    const struct bytes text = bytes_of(event->data.scalar.value, event->data.scalar.length);
    TRY(properties_check(reader, offset, event->data.scalar.anchor, event->data.scalar.tag));
    const bool is_key = value_builder_is_at_key(reader->builder);
    const enum pawl_error error = value_builder_node(reader->builder, (uint32_t)offset);
    if (error != PAWL_OK)
        return builder_fail(reader, error);
    if (is_key)
        return key_read(reader, text, offset);
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
        pack_string(reader->builder->out, text);
        return PAWL_OK;
    }
    const char *problem = yaml_scalar_pack(text, reader->builder->out);
    return problem == NULL ? PAWL_OK : fail(reader, offset, PAWL_E_INVALID, problem);
}

static enum pawl_error stream_end(struct reader *reader, size_t offset)
{
    reader->is_at_end = true;
    if (!reader->has_document) {
        const enum pawl_error error = value_builder_node(reader->builder, (uint32_t)offset);
        if (error != PAWL_OK)
            return builder_fail(reader, error);
        pack_null(reader->builder->out);
    }
    const enum pawl_error error = value_builder_check(reader->builder, (uint32_t)offset);
    return error == PAWL_OK ? PAWL_OK : builder_fail(reader, error);
}

static enum pawl_error event_read(struct reader *reader, const yaml_event_t *event)
{
    const size_t offset = offset_of(reader, event->start_mark);
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return PAWL_OK;
    case YAML_STREAM_END_EVENT:
        return stream_end(reader, offset);
    case YAML_DOCUMENT_START_EVENT:
        return document_start(reader, event, offset);
    case YAML_ALIAS_EVENT:
        return fail(reader, offset, PAWL_E_INVALID, "aliases are not taken; write the value out");
    case YAML_SCALAR_EVENT:
        return scalar(reader, event, offset);
    case YAML_SEQUENCE_START_EVENT:
        return sequence_start(reader, event, offset);
    case YAML_MAPPING_START_EVENT:
        return mapping_start(reader, event, offset);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return container_end(reader);
    }
    return PAWL_E_INTERNAL;
}

static enum pawl_error events_read(struct reader *reader)
{
    while (!reader->is_at_end) {
        yaml_event_t event;
        if (yaml_parser_parse(&reader->parser, &event) == 0)
            return parser_fail(reader);
        const enum pawl_error error = event_read(reader, &event);
        yaml_event_delete(&event);
        TRY(error);
    }
    return PAWL_OK;
}

static enum pawl_error yaml_build(struct bytes text, struct value_builder *builder,
                                  struct pawl_diag *diag)
{
    struct reader reader = {.text = text, .builder = builder, .diag = diag};
    TRY(text_check(text, diag));
    if (yaml_parser_initialize(&reader.parser) == 0)
        return fail(&reader, 0, PAWL_E_NO_MEMORY, "no memory to read the text");
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, text.data, text.size);
    const enum pawl_error error = events_read(&reader);
    yaml_parser_delete(&reader.parser);
    return error;
}

static bool looks_like_json(struct bytes text)
{
    size_t i = 0;
    while (i < text.size && text.data[i] != 0 && strchr(" \t\r\n", text.data[i]) != NULL)
        i++;
    return i < text.size && text.data[i] != 0 && strchr("{[\"", text.data[i]) != NULL;
}

static enum pawl_error places_keep(const struct buffer *nodes, struct bytes text,
                                   struct arena *arena, struct yaml_places *places_out,
                                   struct pawl_diag *diag)
{
    const struct value_node *node = (const struct value_node *)(const void *)nodes->data;
    const size_t count = nodes->size / sizeof *node;
    struct text_place at = TEXT_PLACE_BEGIN;
    struct yaml_place *places = arena_array(arena, count, sizeof *places);
    if (places == NULL)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for the places");
    for (size_t i = 0; i < count; i++) {
        text_place_advance(&at, text, node[i].mark);
        places[i] = (struct yaml_place){node[i].offset, at.line, at.column};
    }
    *places_out = (struct yaml_places){places, count};
    return PAWL_OK;
}

typedef enum pawl_error build_function(struct bytes text, struct value_builder *builder,
                                       struct pawl_diag *diag);

struct request {
    struct bytes text;
    const struct value_limits *limits;
    struct arena *arena;
    struct yaml_places *places_out;
};

static enum pawl_error read_with(build_function *build, const struct request *request,
                                 struct buffer *value_out, struct pawl_diag *diag)
{
    struct value_builder builder;
    struct buffer nodes = {0};
    const bool is_placed = request->places_out != NULL;
    value_builder_init(&builder, value_out, is_placed ? &nodes : NULL, request->limits);
    enum pawl_error error = build(request->text, &builder, diag);
    if (error == PAWL_OK && is_placed)
        error = places_keep(&nodes, request->text, request->arena, request->places_out, diag);
    buffer_done(&nodes);
    return value_builder_finish(&builder, error);
}

enum pawl_error yaml_read(struct bytes text, const struct value_limits *limits, struct arena *arena,
                          struct buffer *value_out, struct yaml_places *places_out,
                          struct pawl_diag *diag)
{
    const struct request request = {text, limits, arena, places_out};
    if (looks_like_json(text) && read_with(json_build, &request, value_out, NULL) == PAWL_OK)
        return PAWL_OK;
    return read_with(yaml_build, &request, value_out, diag);
}

const struct yaml_place *yaml_place_at(const struct yaml_places *places, size_t offset)
{
    size_t begin = 0,
           end = places->count; /* all before begin are at most offset, none from end on */
    while (begin < end) {
        const size_t middle = begin + (end - begin) / 2;
        if (places->place[middle].offset <= offset)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin == 0 ? NULL : &places->place[begin - 1];
}
