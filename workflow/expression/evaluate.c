/* One turn of the machine: a node meets an item. */
#include <assert.h>

#include "workflow/expression/machine.h"
#include "workflow/expression/number.h"
#include "workflow/expression/paths.h"

static enum turn go(struct machine *machine, const struct node *node)
{
    machine->node = node;
    return TURN_EVALUATE;
}

static enum turn give(struct machine *machine, struct item item)
{
    machine->item = item;
    return TURN_DELIVER;
}

static bool is_tracked(const struct machine *machine)
{
    return machine->item.path != NULL;
}

static struct item untracked(struct item item)
{
    return (struct item){item.value, NULL};
}

static enum turn evaluate_pipe(struct machine *machine, const struct node *node)
{
    uint32_t place = 0;
    for (; place + 1 < node->count && node->child[place]->is_plain && !is_tracked(machine);
         place++) {
        if (!plain_evaluate(machine, node->child[place], machine->environment, machine->item.value,
                            &machine->item.value))
            return TURN_FAIL;
    }
    if (place + 1 < node->count) {
        struct frame *frame = machine_push(machine, FRAME_PIPE, node, machine->item);
        if (frame == NULL)
            return TURN_FAIL;
        frame->place = place + 1;
    }
    return go(machine, node->child[place]);
}

static enum turn evaluate_comma(struct machine *machine, const struct node *node)
{
    struct fork *fork = machine_fork(machine, FORK_COMMA, node, machine->item);
    if (fork == NULL)
        return TURN_FAIL;
    fork->place = 1;
    return go(machine, node->child[0]);
}

/* The child whose place in the root counts, when paths are wanted. */
static bool is_target(const struct node *node, uint32_t place)
{
    return (node->kind == NODE_INDEX && place == 1) || (node->kind == NODE_SLICE && place == 2);
}

/* The key under which the result of INDEX or SLICE lies in its target. */
static bool key_of(struct work *work, const struct node *node, const struct datum *operands,
                   struct datum *key_out)
{
    if (node->kind == NODE_SLICE)
        return path_slice_key(work, operands[0], operands[1], key_out);
    *key_out = operands[0];
    return true;
}

static bool extend_all(struct machine *machine, const struct path *path, struct datum keys,
                       const struct path **path_out)
{
    if (!datum_open(machine->work, keys, &keys))
        return false;
    for (uint32_t i = 0; i < keys.size; i++) {
        if (!machine_extend(machine, path, keys.items->at[i], &path))
            return false;
    }
    *path_out = path;
    return true;
}

/* Whether the target (or for getpath the input) may be reached into. */
static bool is_reachable(struct work *work, const struct node *node, struct item target,
                         const struct datum *operands)
{
    struct datum key;
    if (target.path != &path_broken)
        return true;
    return key_of(work, node, operands, &key) &&
           work_fail(work, "Invalid path expression near attempt to access element %j of %j", &key,
                     &target.value);
}

/* Where the result lies, when the target lies somewhere. */
static bool extend(struct machine *machine, const struct node *node, struct item target,
                   const struct datum *operands, const struct path **path_out)
{
    struct datum key;
    *path_out = NULL;
    if (target.path == NULL)
        return true;
    if (!key_of(machine->work, node, operands, &key))
        return false;
    if (node->kind == NODE_GETPATH)
        return extend_all(machine, target.path, key, path_out);
    return machine_extend(machine, target.path, key, path_out);
}

static enum turn finish_range(struct machine *machine, const struct datum *operands)
{
    for (uint32_t i = 0; i < 3; i++) {
        if (!datum_is_number(operands[i])) {
            work_fail(machine->work, "Range bounds must be numeric");
            return TURN_FAIL;
        }
    }
    return machine_range(machine, operands[0], operands[1], operands[2]);
}

static enum turn finish(struct machine *machine, const struct node *node, struct item input,
                        const struct operand *last)
{
    enum { OPERANDS_NEAR = 8 };
    struct datum near[OPERANDS_NEAR];
    struct datum *operands = near;
    struct item result = {datum_null(), NULL};
    const struct item target = node->kind == NODE_GETPATH ? input : last->item;
    if (node->count > OPERANDS_NEAR)
        operands = work_alloc_charged(machine->work, node->count * sizeof *operands);
    if (operands == NULL)
        return TURN_FAIL;
    for (uint32_t i = node->count; i-- > 0; last = last->prior)
        operands[i] = last->item.value;
    if (node->kind == NODE_RANGE)
        return finish_range(machine, operands);
    if (!is_reachable(machine->work, node, target, operands) ||
        !combine(machine->work, node, input.value, operands, &result.value) ||
        !extend(machine, node, target, operands, &result.path)) {
        if (!node->is_optional || machine->work->failure != PAWL_E_EXPRESSION)
            return TURN_FAIL;
        machine->work->failure = PAWL_OK;
        return TURN_BACKTRACK;
    }
    return give(machine, result);
}

/* Links a plain operand's value in front of prior. */
static const struct operand *plain_operand(struct machine *machine, const struct node *node,
                                           struct item input, const struct operand *prior)
{
    struct operand *operand = machine_alloc(machine, sizeof *operand);
    if (operand == NULL)
        return NULL;
    *operand = (struct operand){.prior = prior};
    if (!plain_evaluate(machine, node, machine->environment, input.value, &operand->item.value))
        return NULL;
    return operand;
}

enum turn machine_operands(struct machine *machine, const struct node *node, struct item input,
                           uint32_t place, const struct operand *prior)
{
    for (; place < node->count; place++) {
        const bool wants_path = input.path != NULL && is_target(node, place);
        if (wants_path || !node->child[place]->is_plain)
            break;
        prior = plain_operand(machine, node->child[place], input, prior);
        if (prior == NULL)
            return TURN_FAIL;
    }
    if (place == node->count)
        return finish(machine, node, input, prior);
    struct frame *frame = machine_push(machine, FRAME_OPERAND, node, input);
    if (frame == NULL)
        return TURN_FAIL;
    frame->place = place;
    frame->operands = prior;
    machine->item = is_target(node, place) ? input : untracked(input);
    return go(machine, node->child[place]);
}

/* The value of child[place] first, then machine_choose; that child is never part of a path, except
 * the initial state of a fold. */
static enum turn choose_after(struct machine *machine, const struct node *node, uint32_t place,
                              bool keeps_path)
{
    const struct item input = machine->item;
    struct item value = keeps_path ? input : untracked(input);
    if (node->child[place]->is_plain && value.path == NULL) {
        if (!plain_evaluate(machine, node->child[place], machine->environment, value.value,
                            &value.value))
            return TURN_FAIL;
        return machine_choose(machine, node, value, input);
    }
    if (machine_push(machine, FRAME_CHOICE, node, input) == NULL)
        return TURN_FAIL;
    machine->item = value;
    return go(machine, node->child[place]);
}

static enum turn choose_truth(struct machine *machine, const struct node *node, bool is_true,
                              struct item input)
{
    if (is_true == (node->kind == NODE_OR))
        return give(machine, (struct item){datum_bool(is_true), NULL});
    if (machine_push(machine, FRAME_TRUTH, node, input) == NULL)
        return TURN_FAIL;
    machine->item = untracked(input);
    return go(machine, node->child[1]);
}

static enum turn choose_bind(struct machine *machine, const struct node *node, struct datum value,
                             struct item input)
{
    if (machine_bind(machine, value) == NULL)
        return TURN_FAIL;
    machine->item = input;
    return go(machine, node->child[1]);
}

static enum turn choose_fold(struct machine *machine, const struct node *node, struct item initial,
                             struct item input)
{
    struct fold *fold = machine_alloc(machine, sizeof *fold);
    if (fold == NULL)
        return TURN_FAIL;
    *fold = (struct fold){initial, node->kind == NODE_REDUCE};
    if (fold->is_reduce) {
        struct fork *fork = machine_fork(machine, FORK_FOLD, node, input);
        if (fork == NULL)
            return TURN_FAIL;
        fork->fold = fold;
    }
    struct frame *frame = machine_push(machine, FRAME_FOLD, node, input);
    if (frame == NULL)
        return TURN_FAIL;
    frame->fold = fold;
    machine->item = untracked(input);
    return go(machine, node->child[0]);
}

static enum turn choose_limit(struct machine *machine, const struct node *node, struct datum count,
                              struct item input)
{
    if (!datum_is_number(count)) {
        work_fail(machine->work, "Invalid arguments to limit");
        return TURN_FAIL;
    }
    machine->item = input;
    if (number_real(count) < 0)
        return go(machine, node->child[1]);
    if (!(number_real(count) > 0))
        return TURN_BACKTRACK;
    struct frame *frame = machine_push(machine, FRAME_LIMIT, node, input);
    if (frame == NULL)
        return TURN_FAIL;
    const int64_t whole = number_clamp(count);
    frame->left = (uint64_t)whole + (number_real(count) > (double)whole);
    return go(machine, node->child[1]);
}

enum turn machine_choose(struct machine *machine, const struct node *node, struct item value,
                         struct item input)
{
    const bool is_true = datum_is_truthy(value.value);
    if (node->kind == NODE_IF) {
        machine->item = input;
        return go(machine, node->child[is_true ? 1 : 2]);
    }
    if (node->kind == NODE_BIND)
        return choose_bind(machine, node, value.value, input);
    if (node->kind == NODE_LIMIT)
        return choose_limit(machine, node, value.value, input);
    if (node->kind == NODE_REDUCE || node->kind == NODE_FOREACH)
        return choose_fold(machine, node, value, input);
    return choose_truth(machine, node, is_true, input);
}

static enum turn evaluate_alternative(struct machine *machine, const struct node *node)
{
    struct frame *frame = machine_alloc(machine, sizeof *frame);
    struct fork *fork = machine_fork(machine, FORK_ALTERNATIVE, node, machine->item);
    if (frame == NULL || fork == NULL)
        return TURN_FAIL;
    *frame = (struct frame){
        .next = machine->frame, .kind = FRAME_ALTERNATIVE, .fork_count = machine->fork_count};
    machine->frame = fork->frame = frame;
    return go(machine, node->child[0]);
}

/* A frame that gathers outputs, and a fork that goes on when there are no more. */
static enum turn gather(struct machine *machine, const struct node *node,
                        enum frame_kind frame_kind, enum fork_kind fork_kind, struct item cell)
{
    struct item input = machine->item;
    struct frame *frame = machine_push(machine, frame_kind, node, cell);
    if (frame == NULL)
        return TURN_FAIL;
    if (machine_fork(machine, fork_kind, node, cell) == NULL)
        return TURN_FAIL;
    machine->item = input;
    return go(machine, node->child[0]);
}

static enum turn evaluate_array(struct machine *machine, const struct node *node)
{
    struct item cell = {datum_null(), NULL};
    if (!datum_array_new(machine->work, 0, &cell.value))
        return TURN_FAIL;
    return gather(machine, node, FRAME_COLLECT, FORK_COLLECT, cell);
}

static enum turn evaluate_last(struct machine *machine, const struct node *node)
{
    const struct item none = {datum_null(), is_tracked(machine) ? &path_broken : NULL};
    return gather(machine, node, FRAME_LAST, FORK_LAST, none);
}

static enum turn evaluate_iterate(struct machine *machine, const struct node *node)
{
    struct work *work = machine->work;
    struct item container = machine->item;
    const bool is_container =
        container.value.kind == DATUM_ARRAY || container.value.kind == DATUM_OBJECT;
    if (!is_container && node->is_optional)
        return TURN_BACKTRACK;
    if (container.path == &path_broken) {
        work_fail(work, "Invalid path expression near attempt to iterate through %j",
                  &container.value);
        return TURN_FAIL;
    }
    if (!is_container) {
        work_fail(work, "Cannot iterate over %v", &container.value);
        return TURN_FAIL;
    }
    if (!datum_open(work, container.value, &container.value))
        return TURN_FAIL;
    return machine_iterate(machine, node, container, 0, false);
}

static enum turn evaluate_step(struct machine *machine, const struct node *node)
{
    const struct environment *binding = machine_lookup(machine, machine->environment, node->hops);
    struct fold *fold = binding->fold;
    struct frame *frame = machine_push(machine, FRAME_STORE, node, fold->state);
    if (frame == NULL)
        return TURN_FAIL;
    frame->fold = fold;
    machine->item = fold->state;
    /* An update without an output leaves null. */
    fold->state = (struct item){datum_null(), machine->item.path != NULL ? &path_broken : NULL};
    return go(machine, node->child[0]);
}

static enum turn evaluate_closure(struct machine *machine, const struct node *node)
{
    const struct environment *binding = machine_lookup(machine, machine->environment, node->hops);
    machine->environment = binding->closure;
    return go(machine, binding->body);
}

/* Arguments are closures over the caller's environment; a parameter passed on is what it stands
 * for. */
static enum turn evaluate_call(struct machine *machine, const struct node *node)
{
    const struct environment *caller = machine->environment;
    machine->environment =
        node->hops == HOPS_TO_ROOT ? NULL : machine_lookup(machine, caller, node->hops);
    for (uint32_t i = 0; i < node->count; i++) {
        struct environment *binding = machine_bind(machine, datum_null());
        if (binding == NULL)
            return TURN_FAIL;
        binding->body = node->child[i];
        binding->closure = caller;
        if (node->child[i]->kind != NODE_CLOSURE)
            continue;
        const struct environment *passed = machine_lookup(machine, caller, node->child[i]->hops);
        binding->body = passed->body;
        binding->closure = passed->closure;
    }
    return go(machine, node->function->body);
}

static enum turn evaluate_label(struct machine *machine, const struct node *node)
{
    struct frame *frame = machine_push(machine, FRAME_LABEL, node, machine->item);
    struct environment *binding = machine_bind(machine, datum_null());
    if (frame == NULL || binding == NULL)
        return TURN_FAIL;
    binding->label = frame;
    return go(machine, node->child[0]);
}

static enum turn evaluate_break(struct machine *machine, const struct node *node)
{
    const struct environment *binding = machine_lookup(machine, machine->environment, node->hops);
    machine->fork_count = binding->label->fork_count;
    return TURN_BACKTRACK;
}

static enum turn evaluate_try(struct machine *machine, const struct node *node)
{
    if (machine_push(machine, FRAME_TRY, node, machine->item) == NULL)
        return TURN_FAIL;
    return go(machine, node->child[0]);
}

static enum turn evaluate_path(struct machine *machine, const struct node *node)
{
    if (machine_push(machine, FRAME_PATH, node, machine->item) == NULL)
        return TURN_FAIL;
    machine->item.path = &path_root;
    return go(machine, node->child[0]);
}

static enum turn evaluate_identity(struct machine *machine, const struct node *node)
{
    (void)machine, (void)node;
    return TURN_DELIVER;
}

static enum turn evaluate_empty(struct machine *machine, const struct node *node)
{
    (void)machine, (void)node;
    return TURN_BACKTRACK;
}

static enum turn evaluate_operands(struct machine *machine, const struct node *node)
{
    return machine_operands(machine, node, machine->item, 0, NULL);
}

static enum turn evaluate_choice(struct machine *machine, const struct node *node)
{
    return choose_after(machine, node, 0, false);
}

static enum turn evaluate_fold(struct machine *machine, const struct node *node)
{
    return choose_after(machine, node, 1, true);
}

/* Kinds without a line are plain, or were resolved away. */
static enum turn evaluate_kind(struct machine *machine, const struct node *node)
{
    static enum turn (*const evaluators[NODE_KINDS])(struct machine *, const struct node *) = {
        [NODE_IDENTITY] = evaluate_identity, [NODE_ITERATE] = evaluate_iterate,
        [NODE_PIPE] = evaluate_pipe,         [NODE_COMMA] = evaluate_comma,
        [NODE_INDEX] = evaluate_operands,    [NODE_SLICE] = evaluate_operands,
        [NODE_OPERATE] = evaluate_operands,  [NODE_NEGATE] = evaluate_operands,
        [NODE_OBJECT] = evaluate_operands,   [NODE_TEXT] = evaluate_operands,
        [NODE_NATIVE] = evaluate_operands,   [NODE_GETPATH] = evaluate_operands,
        [NODE_RANGE] = evaluate_operands,    [NODE_IF] = evaluate_choice,
        [NODE_AND] = evaluate_choice,        [NODE_OR] = evaluate_choice,
        [NODE_BIND] = evaluate_choice,       [NODE_LIMIT] = evaluate_choice,
        [NODE_REDUCE] = evaluate_fold,       [NODE_FOREACH] = evaluate_fold,
        [NODE_STEP] = evaluate_step,         [NODE_ALTERNATIVE] = evaluate_alternative,
        [NODE_TRY] = evaluate_try,           [NODE_TRY_PATTERN] = evaluate_try,
        [NODE_ARRAY] = evaluate_array,       [NODE_CLOSURE] = evaluate_closure,
        [NODE_CALL] = evaluate_call,         [NODE_LABEL] = evaluate_label,
        [NODE_BREAK] = evaluate_break,       [NODE_PATH] = evaluate_path,
        [NODE_LAST] = evaluate_last,         [NODE_EMPTY] = evaluate_empty,
    };
    assert(evaluators[node->kind] != NULL);
    return evaluators[node->kind](machine, node);
}

static bool follows_paths(const struct node *node)
{
    static const bool follows[] = {
#define NODE_KIND(name, plain, follows_paths) [NODE_##name] = follows_paths,
#include "workflow/expression/nodes.def"
#undef NODE_KIND
    };
    return follows[node->kind];
}

enum turn machine_evaluate(struct machine *machine)
{
    const struct node *node = machine->node;
    const bool leaves_path = is_tracked(machine) && !follows_paths(node);
    if (node->is_plain && (!is_tracked(machine) || leaves_path)) {
        machine->item.path = leaves_path ? &path_broken : NULL;
        return plain_evaluate(machine, node, machine->environment, machine->item.value,
                              &machine->item.value)
                   ? TURN_DELIVER
                   : TURN_FAIL;
    }
    if (leaves_path) {
        if (machine_push(machine, FRAME_UNTRACKED, node, machine->item) == NULL)
            return TURN_FAIL;
        machine->item.path = NULL;
    }
    return evaluate_kind(machine, node);
}
