#include "client/outbox.h"

#include <assert.h>
#include <stdlib.h>

void outbox_done(struct outbox *outbox)
{
    free(outbox->outputs);
    free(outbox->offsets);
    buffer_done(&outbox->frames);
}

void outbox_reset(struct outbox *outbox)
{
    enum { FRAMES_BYTES_KEPT = 1 << 20 };
    outbox->count = 0;
    if (outbox->frames.capacity > FRAMES_BYTES_KEPT)
        buffer_done(&outbox->frames);
    else
        buffer_reset(&outbox->frames);
}

bool outbox_reserve(struct outbox *outbox, size_t count)
{
    size_t capacity = outbox->capacity != 0 ? outbox->capacity : 64;
    while (capacity < outbox->count + count)
        capacity *= 2;
    if (capacity == outbox->capacity)
        return true;
    struct client_output *outputs = realloc(outbox->outputs, capacity * sizeof *outputs);
    if (outputs == NULL)
        return false;
    outbox->outputs = outputs;
    size_t *offsets = realloc(outbox->offsets, capacity * sizeof *offsets);
    if (offsets == NULL)
        return false;
    outbox->offsets = offsets;
    outbox->capacity = capacity;
    return true;
}

struct client_output *outbox_add(struct outbox *outbox, enum client_output_kind kind)
{
    assert(outbox->count < outbox->capacity);
    struct client_output *output = &outbox->outputs[outbox->count];
    outbox->offsets[outbox->count] = 0;
    outbox->count++;
    *output = (struct client_output){.kind = kind};
    return output;
}

bool outbox_send(struct outbox *outbox, uint64_t connection, uint8_t type,
                 const struct schema *schema, const void *message)
{
    size_t begin = outbox->frames.size;
    if (!outbox_reserve(outbox, 1))
        return false;
    codec_encode(schema, message, &outbox->frames);
    if (outbox->frames.is_failed) {
        outbox->frames.is_failed = false;
        outbox->frames.size = begin;
        return false;
    }
    struct client_output *output = outbox_add(outbox, CLIENT_OUT_SEND);
    output->connection = connection;
    output->type = type;
    output->body.size = outbox->frames.size - begin;
    outbox->offsets[outbox->count - 1] = begin;
    return true;
}

struct client_outputs outbox_finish(struct outbox *outbox)
{
    for (size_t i = 0; i < outbox->count; i++)
        if (outbox->outputs[i].kind == CLIENT_OUT_SEND)
            outbox->outputs[i].body.data = outbox->frames.data + outbox->offsets[i];
    return (struct client_outputs){.output = outbox->outputs, .count = outbox->count};
}
