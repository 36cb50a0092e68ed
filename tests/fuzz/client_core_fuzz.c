/* The client core under any frames, ends of connections and passing of time: it must keep its
 * invariants, whatever a node sends. Each input is a row of records: one byte of kind, one of size,
 * then the bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "client/core.h"

enum { CONNECTIONS = 4, STEPS_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct client_core *core;
    uint64_t now_ms, token, connection;
    uint32_t slots[8];
    size_t slot_count;
};

static void step(struct world *world, struct client_input input)
{
    struct client_outputs outputs;
    input.now_ms = world->now_ms;
    if (client_step(world->core, &input, &outputs) != PAWL_OK)
        return;
    for (size_t i = 0; i < outputs.count; i++)
        if (outputs.output[i].kind == CLIENT_OUT_DIAL && world->slot_count < 8)
            world->slots[world->slot_count++] = outputs.output[i].slot;
    client_check(world->core);
}

static void ask(struct world *world, uint8_t kind)
{
    struct client_input input = {.kind = CLIENT_IN_REQUEST};
    input.request.token = ++world->token;
    input.request.kind = (enum request_kind)(kind % 11 + 1);
    input.request.deadline_ms = world->now_ms + 1000;
    input.request.body = BYTES_LITERAL("x");
    step(world, input);
}

static void happen(struct world *world, uint8_t kind, struct bytes bytes)
{
    switch (kind % 8) {
    case 0:
        world->now_ms += (uint64_t)kind * 10;
        step(world, (struct client_input){.kind = CLIENT_IN_TICK});
        break;
    case 1:
        if (world->slot_count > 0)
            step(world, (struct client_input){.kind = CLIENT_IN_DIALLED,
                                              .slot = world->slots[--world->slot_count],
                                              .connection = ++world->connection});
        break;
    case 2:
        step(world,
             (struct client_input){.kind = CLIENT_IN_CLOSED,
                                   .connection = world->connection - kind / 8 % CONNECTIONS});
        break;
    case 3:
        ask(world, kind / 8);
        break;
    default:
        if (bytes.size > 0)
            step(world,
                 (struct client_input){.kind = CLIENT_IN_FRAME,
                                       .connection = world->connection - kind / 64 % CONNECTIONS,
                                       .type = (uint8_t)(bytes.data[0] % 11),
                                       .body = bytes_of(bytes.data + 1, bytes.size - 1)});
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {.now_ms = 1000};
    const struct client_options options = {
        .nodes = BYTES_LITERAL("a:1,b:1"), .session = {{1}}, .seed = 1};
    if (client_new(&options, world.now_ms, &world.core, NULL) != PAWL_OK)
        return 0;
    const uint8_t *end = data + size;
    for (int i = 0; i < STEPS_MAX && end - data >= 2; i++) {
        size_t bytes = data[1] < (size_t)(end - data) - 2 ? data[1] : (size_t)(end - data) - 2;
        happen(&world, data[0], bytes_of(data + 2, bytes));
        data += 2 + bytes;
    }
    client_free(world.core);
    return 0;
}
