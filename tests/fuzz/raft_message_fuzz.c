/* Any bytes as the frame of a raft message: what is decoded encodes to a frame that decodes to the
 * same. */
#include <assert.h>

#include "proto/peer_messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const struct msg_raft *message, struct arena *arena, struct buffer *frame)
{
    struct buffer fields = {0};
    struct bytes *parts;
    size_t part_count;
    enum pawl_error error = raft_message_encode(message, arena, &fields, &parts, &part_count);
    assert(error == PAWL_OK);
    for (size_t i = 0; i < part_count; i++)
        buffer_append(frame, parts[i].data, parts[i].size);
    assert(!frame->is_failed);
    buffer_done(&fields);
}

static void round_trip(const struct msg_raft *message, struct arena *arena)
{
    struct buffer first = {0}, second = {0};
    struct msg_raft again;
    encode(message, arena, &first);
    enum pawl_error error = raft_message_decode(buffer_bytes(&first), arena, &again);
    assert(error == PAWL_OK);
    encode(&again, arena, &second);
    assert(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    buffer_done(&first);
    buffer_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct msg_raft message;
    if (raft_message_decode(bytes_of(data, size), &arena, &message) == PAWL_OK)
        round_trip(&message, &arena);
    arena_done(&arena);
    return 0;
}
