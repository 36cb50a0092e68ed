#include "workflow/expression/machine.h"

const struct path path_root = {.parent = NULL};
const struct path path_broken = {.parent = NULL};

enum { CHUNK_BYTES_MIN = 1024, CHUNK_BYTES_MAX = 65536, FORKS_MIN = 4 };

static struct chunk *chunk_after(struct machine *machine)
{
    struct chunk *chunk = machine->mark.chunk;
    if (chunk != NULL && chunk->next != NULL)
        return chunk->next;
    uint32_t size = chunk != NULL ? chunk->size * 2 : CHUNK_BYTES_MIN;
    if (size > CHUNK_BYTES_MAX)
        size = CHUNK_BYTES_MAX;
    struct chunk *next = work_alloc_charged(machine->work, sizeof *next + size);
    if (next == NULL)
        return NULL;
    next->size = size;
    if (chunk != NULL)
        chunk->next = next;
    return next;
}

void *machine_alloc(struct machine *machine, size_t size)
{
    struct mark *mark = &machine->mark;
    if (mark->chunk == NULL || mark->used + size > mark->chunk->size) {
        struct chunk *next = chunk_after(machine);
        if (next == NULL)
            return NULL;
        *mark = (struct mark){next, 0};
    }
    void *memory = mark->chunk->memory + mark->used;
    mark->used += (uint32_t)((size + 15) / 16 * 16);
    return memory;
}

struct frame *machine_push(struct machine *machine, enum frame_kind kind, const struct node *node,
                           struct item item)
{
    struct frame *frame = machine_alloc(machine, sizeof *frame);
    if (frame == NULL)
        return NULL;
    *frame = (struct frame){.next = machine->frame,
                            .node = node,
                            .environment = machine->environment,
                            .item = item,
                            .kind = (uint8_t)kind,
                            .fork_count = machine->fork_count};
    machine->frame = frame;
    return frame;
}

static bool forks_grow(struct machine *machine)
{
    const uint32_t capacity = machine->fork_capacity != 0 ? machine->fork_capacity * 2 : FORKS_MIN;
    struct fork *forks = work_alloc_charged(machine->work, capacity * sizeof *forks);
    if (forks == NULL)
        return false;
    if (machine->fork_count > 0)
        memcpy(forks, machine->forks, machine->fork_count * sizeof *forks);
    machine->forks = forks;
    machine->fork_capacity = capacity;
    return true;
}

struct fork *machine_fork(struct machine *machine, enum fork_kind kind, const struct node *node,
                          struct item item)
{
    if (machine->fork_count == machine->fork_capacity && !forks_grow(machine))
        return NULL;
    struct fork *fork = &machine->forks[machine->fork_count++];
    *fork = (struct fork){.kind = (uint8_t)kind,
                          .node = node,
                          .environment = machine->environment,
                          .frame = machine->frame,
                          .item = item,
                          .mark = machine->mark};
    return fork;
}

struct environment *machine_bind(struct machine *machine, struct datum value)
{
    struct environment *binding = machine_alloc(machine, sizeof *binding);
    if (binding == NULL)
        return NULL;
    *binding = (struct environment){.next = machine->environment, .value = value};
    machine->environment = binding;
    return binding;
}

const struct environment *machine_lookup(struct machine *machine,
                                         const struct environment *environment, uint32_t hops)
{
    /* Walking is charged like touching elements, but cannot fail here: the next turn notices. */
    machine->work->small += hops;
    for (; hops > 0; hops--)
        environment = environment->next;
    return environment;
}

bool machine_extend(struct machine *machine, const struct path *parent, struct datum key,
                    const struct path **path_out)
{
    struct path *path = work_alloc_charged(machine->work, sizeof *path);
    if (path == NULL)
        return false;
    *path = (struct path){parent, key};
    *path_out = path;
    return true;
}

/* The nearest frame that stops an error. */
static struct frame *handler_of(struct machine *machine)
{
    uint64_t walked = 0;
    struct frame *frame = machine->frame;
    while (frame != NULL && frame->kind != FRAME_TRY) {
        frame = frame->next;
        walked++;
    }
    return work_charge_elements(machine->work, walked) ? frame : NULL;
}

/* An error goes to the handler of the nearest try around what raised it. */
static enum turn fail(struct machine *machine)
{
    struct work *work = machine->work;
    if (work->failure != PAWL_E_EXPRESSION)
        return TURN_FAIL;
    struct frame *frame = handler_of(machine);
    if (frame == NULL)
        return TURN_FAIL;
    work->failure = PAWL_OK;
    machine->fork_count = frame->fork_count;
    machine->frame = frame->next;
    machine->environment = frame->environment;
    machine->node = frame->node->child[1];
    machine->item = frame->item;
    if (frame->node->kind == NODE_TRY)
        machine->item = (struct item){work->error, frame->item.path != NULL ? &path_broken : NULL};
    return TURN_EVALUATE;
}

static enum turn take_turn(struct machine *machine, enum turn turn)
{
    switch (turn) {
    case TURN_EVALUATE:
        return machine_evaluate(machine);
    case TURN_DELIVER:
        return machine_deliver(machine);
    case TURN_BACKTRACK:
        return machine->fork_count > 0 ? machine_backtrack(machine) : TURN_STOP;
    case TURN_FAIL:
    case TURN_STOP:
        break;
    }
    return turn;
}

bool machine_run(struct machine *machine, const struct node *node, struct datum input)
{
    struct frame end = {.kind = FRAME_END};
    bool has_ended = false;
    machine->node = node;
    machine->item = (struct item){input, NULL};
    machine->frame = &end;
    for (enum turn turn = TURN_EVALUATE; turn != TURN_STOP;) {
        turn = work_charge_elements(machine->work, 2) ? take_turn(machine, turn) : TURN_FAIL;
        if (turn == TURN_FAIL)
            turn = fail(machine);
        if (turn == TURN_FAIL)
            break;
        has_ended = turn == TURN_STOP;
    }
    machine->frame = NULL; /* the last one lived here */
    return has_ended;
}
