#include "tests/sim/events.h"

#include <stdlib.h>

#include "tests/sim/must.h"

struct packet *packet_new(uint8_t type, struct bytes body)
{
    struct packet *frame = must_alloc(sizeof *frame + body.size);
    frame->type = type;
    frame->size = (uint32_t)body.size;
    if (body.size > 0)
        memcpy(frame->data, body.data, body.size);
    return frame;
}

struct packet *packet_copy(const struct packet *frame)
{
    return packet_new(frame->type, packet_body(frame));
}

void events_done(struct events *events)
{
    for (size_t i = 0; i < events->count; i++)
        free(events->heap[i].frame);
    free(events->heap);
    *events = (struct events){0};
}

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->sequence < b->sequence;
}

static void sift_up(struct event *heap, size_t at)
{
    struct event moving = heap[at];
    while (at > 0 && is_before(&moving, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = moving;
}

static void sift_down(struct event *heap, size_t count)
{
    struct event moving = heap[0];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < count && is_before(&heap[child + 1], &heap[child]))
            child++;
        if (child >= count || !is_before(&heap[child], &moving))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

void events_put(struct events *events, struct event event)
{
    if (events->count == events->capacity) {
        events->capacity = events->capacity == 0 ? 256 : events->capacity * 2;
        events->heap = must_resize(events->heap, events->capacity * sizeof *events->heap);
    }
    event.sequence = events->sequence++;
    if (event.at_us < events->now_us)
        event.at_us = events->now_us;
    events->heap[events->count++] = event;
    sift_up(events->heap, events->count - 1);
}

bool events_take(struct events *events, struct event *event_out)
{
    if (events->count == 0)
        return false;
    *event_out = events->heap[0];
    events->heap[0] = events->heap[--events->count];
    if (events->count > 0)
        sift_down(events->heap, events->count);
    events->now_us = event_out->at_us;
    events_stir(events, event_out->at_us);
    events_stir(events,
                (uint64_t)event_out->kind << 56 ^ event_out->target << 24 ^ event_out->detail);
    return true;
}

void events_stir(struct events *events, uint64_t number)
{
    uint64_t word = events->hash ^ number;
    word = (word ^ (word >> 32)) * 0xd6e8feb86659fd93u;
    events->hash = word ^ (word >> 29);
}
