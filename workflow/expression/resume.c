/* The other turns of the machine: an item meets a frame, and going back to a fork. */
#include "workflow/expression/machine.h"
#include "workflow/expression/number.h"

static enum turn go(struct machine *machine, const struct node *node)
{
    machine->node = node;
    return TURN_EVALUATE;
}

static enum turn deliver_output(struct machine *machine)
{
    struct bytes value;
    if (!datum_encode(machine->work, machine->item.value, &value))
        return TURN_FAIL;
    return machine->each(machine->user, value) ? TURN_BACKTRACK : TURN_STOP;
}

static enum turn deliver_pipe(struct machine *machine, const struct frame *frame)
{
    const uint32_t next = frame->place + 1;
    machine->environment = frame->environment;
    if (next < frame->node->count) {
        struct frame *further = machine_push(machine, FRAME_PIPE, frame->node, machine->item);
        if (further == NULL)
            return TURN_FAIL;
        further->place = next;
    }
    return go(machine, frame->node->child[frame->place]);
}

static enum turn deliver_operand(struct machine *machine, const struct frame *frame)
{
    struct operand *operand = machine_alloc(machine, sizeof *operand);
    if (operand == NULL)
        return TURN_FAIL;
    *operand = (struct operand){frame->operands, machine->item};
    machine->environment = frame->environment;
    return machine_operands(machine, frame->node, frame->item, frame->place + 1, operand);
}

static enum turn deliver_fold(struct machine *machine, const struct frame *frame)
{
    machine->environment = frame->environment;
    struct environment *binding = machine_bind(machine, machine->item.value);
    if (binding == NULL)
        return TURN_FAIL;
    binding->fold = frame->fold;
    machine->item = frame->item;
    return go(machine, frame->node->child[2]);
}

/* A reduce only remembers; a foreach gives every state, or what its extract makes of it. */
static enum turn deliver_store(struct machine *machine, const struct frame *frame)
{
    frame->fold->state = machine->item;
    if (frame->fold->is_reduce)
        return TURN_BACKTRACK;
    if (frame->node->count == 1)
        return TURN_DELIVER;
    machine->environment = frame->environment;
    return go(machine, frame->node->child[1]);
}

static enum turn deliver_collect(struct machine *machine, struct frame *frame)
{
    return datum_array_push(machine->work, &frame->item.value, machine->item.value) ? TURN_BACKTRACK
                                                                                    : TURN_FAIL;
}

static enum turn deliver_alternative(struct machine *machine, struct frame *frame)
{
    if (!datum_is_truthy(machine->item.value))
        return TURN_BACKTRACK;
    frame->is_met = true;
    return TURN_DELIVER;
}

static enum turn deliver_limit(struct machine *machine, struct frame *frame)
{
    if (--frame->left == 0)
        machine->fork_count = frame->fork_count;
    return TURN_DELIVER;
}

static enum turn deliver_last(struct machine *machine, struct frame *frame)
{
    frame->item = machine->item;
    return TURN_BACKTRACK;
}

static enum turn deliver_path(struct machine *machine)
{
    struct work *work = machine->work;
    const struct path *path = machine->item.path;
    struct datum keys;
    uint32_t count = 0;
    if (path == &path_broken) {
        work_fail(work, "Invalid path expression with result %j", &machine->item.value);
        return TURN_FAIL;
    }
    for (const struct path *at = path; at != &path_root; at = at->parent)
        count++;
    if (!datum_array_new(work, count, &keys) || !work_charge_elements(work, count))
        return TURN_FAIL;
    for (keys.size = count; count > 0; path = path->parent)
        keys.items->at[--count] = path->key;
    keys.items->fill = keys.size;
    /* A key may be an object (of a slice), which holds numbers only. */
    keys.depth = 2;
    machine->item = (struct item){keys, NULL};
    return TURN_DELIVER;
}

enum turn machine_deliver(struct machine *machine)
{
    struct frame *frame = machine->frame;
    machine->frame = frame->next;
    switch ((enum frame_kind)frame->kind) {
    case FRAME_END:
        return deliver_output(machine);
    case FRAME_PIPE:
        return deliver_pipe(machine, frame);
    case FRAME_OPERAND:
        return deliver_operand(machine, frame);
    case FRAME_CHOICE:
        machine->environment = frame->environment;
        return machine_choose(machine, frame->node, machine->item, frame->item);
    case FRAME_TRUTH:
        machine->item.value = datum_bool(datum_is_truthy(machine->item.value));
        return TURN_DELIVER;
    case FRAME_UNTRACKED:
        machine->item.path = &path_broken;
        return TURN_DELIVER;
    case FRAME_COLLECT:
        return deliver_collect(machine, frame);
    case FRAME_FOLD:
        return deliver_fold(machine, frame);
    case FRAME_STORE:
        return deliver_store(machine, frame);
    case FRAME_TRY:
    case FRAME_LABEL:
        return TURN_DELIVER;
    case FRAME_ALTERNATIVE:
        return deliver_alternative(machine, frame);
    case FRAME_LIMIT:
        return deliver_limit(machine, frame);
    case FRAME_LAST:
        return deliver_last(machine, frame);
    case FRAME_PATH:
        return deliver_path(machine);
    }
    return TURN_FAIL;
}

static bool element_of(struct machine *machine, struct item container, uint32_t place,
                       struct item *element_out)
{
    const struct datum value = container.value;
    const bool is_array = value.kind == DATUM_ARRAY;
    element_out->value = is_array ? value.items->at[place] : value.entries->at[place].value;
    element_out->path = NULL;
    if (container.path == NULL)
        return true;
    const struct datum key = is_array ? datum_integer(place) : value.entries->at[place].key;
    return machine_extend(machine, container.path, key, &element_out->path);
}

enum turn machine_iterate(struct machine *machine, const struct node *node, struct item container,
                          uint32_t place, bool is_resumed)
{
    const bool is_last = place + 1 >= container.value.size;
    if (place >= container.value.size)
        return TURN_BACKTRACK;
    if (is_resumed && is_last)
        machine->fork_count--;
    if (!is_resumed && !is_last && machine_fork(machine, FORK_ITERATE, node, container) == NULL)
        return TURN_FAIL;
    if (!is_last)
        machine->forks[machine->fork_count - 1].place = place + 1;
    return element_of(machine, container, place, &machine->item) ? TURN_DELIVER : TURN_FAIL;
}

static bool range_is_over(struct datum at, struct datum to, struct datum step)
{
    const int direction = number_compare(step, datum_integer(0));
    if (direction == 0)
        return true;
    return direction > 0 ? number_compare(at, to) >= 0 : number_compare(at, to) <= 0;
}

enum turn machine_range(struct machine *machine, struct datum from, struct datum to,
                        struct datum step)
{
    machine->item = (struct item){from, NULL};
    if (range_is_over(from, to, step))
        return TURN_BACKTRACK;
    struct fork *fork =
        machine_fork(machine, FORK_RANGE, NULL, (struct item){number_add(from, step), NULL});
    if (fork == NULL)
        return TURN_FAIL;
    fork->range[0] = to;
    fork->range[1] = step;
    return TURN_DELIVER;
}

static enum turn resume_comma(struct machine *machine, struct fork *fork)
{
    const struct node *node = fork->node->child[fork->place];
    if (++fork->place == fork->node->count)
        machine->fork_count--;
    return go(machine, node);
}

static enum turn resume_range(struct machine *machine, struct fork *fork)
{
    if (range_is_over(fork->item.value, fork->range[0], fork->range[1])) {
        machine->fork_count--;
        return TURN_BACKTRACK;
    }
    fork->item.value = number_add(fork->item.value, fork->range[1]);
    return TURN_DELIVER;
}

/* The frame of a gathering node holds the cell and what comes after. */
static enum turn resume_gathered(struct machine *machine, const struct fork *fork)
{
    machine->fork_count--;
    machine->item = fork->frame->item;
    machine->frame = fork->frame->next;
    return TURN_DELIVER;
}

static enum turn resume_alternative(struct machine *machine, const struct fork *fork)
{
    machine->fork_count--;
    machine->frame = fork->frame->next;
    return fork->frame->is_met ? TURN_BACKTRACK : go(machine, fork->node->child[1]);
}

enum turn machine_backtrack(struct machine *machine)
{
    struct fork *fork = &machine->forks[machine->fork_count - 1];
    machine->mark = fork->mark;
    machine->environment = fork->environment;
    machine->frame = fork->frame;
    machine->item = fork->item;
    switch ((enum fork_kind)fork->kind) {
    case FORK_COMMA:
        return resume_comma(machine, fork);
    case FORK_ITERATE:
        return machine_iterate(machine, fork->node, fork->item, fork->place, true);
    case FORK_RANGE:
        return resume_range(machine, fork);
    case FORK_FOLD:
        machine->fork_count--;
        machine->item = fork->fold->state;
        return TURN_DELIVER;
    case FORK_COLLECT:
    case FORK_LAST:
        return resume_gathered(machine, fork);
    case FORK_ALTERNATIVE:
        return resume_alternative(machine, fork);
    }
    return TURN_FAIL;
}
