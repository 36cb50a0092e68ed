/* Any bytes as the payload of a log entry: what is decoded encodes to bytes that decode to the
 * same. */
#include <assert.h>

#include "proto/peer_messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct entry *entry, struct arena *arena)
{
    struct buffer first = {0}, second = {0};
    struct entry again;
    entry_encode(entry, &first);
    assert(!first.is_failed);
    assert(entry_decode(buffer_bytes(&first), arena, &again) == PAWL_OK);
    entry_encode(&again, &second);
    assert(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    buffer_done(&first);
    buffer_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct entry entry = {.clock_us = 4711, .write_count = 42};
    if (entry_decode(bytes_of(data, size), &arena, &entry) == PAWL_OK)
        round_trip(&entry, &arena);
    else
        assert(entry.clock_us == 4711 && entry.write_count == 42);
    arena_done(&arena);
    return 0;
}
