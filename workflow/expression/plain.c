/* Plain nodes: one output, evaluated directly. The recursion follows the program's nesting, which
 * is bounded. */
#include "workflow/expression/machine.h"

static bool plain_pipe(struct machine *machine, const struct node *node,
                       const struct environment *environment, struct datum input,
                       struct datum *output_out)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (!plain_evaluate(machine, node->child[i], environment, input, &input))
            return false;
    }
    *output_out = input;
    return true;
}

static bool plain_truth(struct machine *machine, const struct node *node,
                        const struct environment *environment, struct datum input,
                        struct datum *output_out)
{
    struct datum side;
    if (!plain_evaluate(machine, node->child[0], environment, input, &side))
        return false;
    if (datum_is_truthy(side) != (node->kind == NODE_OR) &&
        !plain_evaluate(machine, node->child[1], environment, input, &side))
        return false;
    *output_out = datum_bool(datum_is_truthy(side));
    return true;
}

static bool plain_if(struct machine *machine, const struct node *node,
                     const struct environment *environment, struct datum input,
                     struct datum *output_out)
{
    struct datum condition;
    if (!plain_evaluate(machine, node->child[0], environment, input, &condition))
        return false;
    const struct node *branch = node->child[datum_is_truthy(condition) ? 1 : 2];
    return plain_evaluate(machine, branch, environment, input, output_out);
}

static bool plain_alternative(struct machine *machine, const struct node *node,
                              const struct environment *environment, struct datum input,
                              struct datum *output_out)
{
    struct datum left;
    if (!plain_evaluate(machine, node->child[0], environment, input, &left))
        return false;
    *output_out = left;
    return datum_is_truthy(left) ||
           plain_evaluate(machine, node->child[1], environment, input, output_out);
}

static bool plain_try(struct machine *machine, const struct node *node,
                      const struct environment *environment, struct datum input,
                      struct datum *output_out)
{
    if (plain_evaluate(machine, node->child[0], environment, input, output_out))
        return true;
    if (machine->work->failure != PAWL_E_EXPRESSION)
        return false;
    machine->work->failure = PAWL_OK;
    return plain_evaluate(machine, node->child[1], environment, machine->work->error, output_out);
}

static bool plain_bind(struct machine *machine, const struct node *node,
                       const struct environment *environment, struct datum input,
                       struct datum *output_out)
{
    struct environment *binding = machine_alloc(machine, sizeof *binding);
    if (binding == NULL)
        return false;
    *binding = (struct environment){.next = environment};
    return plain_evaluate(machine, node->child[0], environment, input, &binding->value) &&
           plain_evaluate(machine, node->child[1], binding, input, output_out);
}

static bool plain_array(struct machine *machine, const struct node *node,
                        const struct environment *environment, struct datum input,
                        struct datum *output_out)
{
    struct datum array;
    struct datum element;
    if (node->child[0]->kind == NODE_EMPTY)
        return datum_array_new(machine->work, 0, output_out);
    if (!plain_evaluate(machine, node->child[0], environment, input, &element) ||
        !datum_array_new(machine->work, 1, &array) ||
        !datum_array_push(machine->work, &array, element))
        return false;
    *output_out = array;
    return true;
}

static bool plain_operands(struct machine *machine, const struct node *node,
                           const struct environment *environment, struct datum input,
                           struct datum *output_out)
{
    enum { OPERANDS_NEAR = 4 };
    struct datum near[OPERANDS_NEAR];
    struct datum *operands = near;
    if (node->count > OPERANDS_NEAR)
        operands = work_alloc_charged(machine->work, node->count * sizeof *operands);
    if (operands == NULL)
        return false;
    for (uint32_t i = 0; i < node->count; i++) {
        if (!plain_evaluate(machine, node->child[i], environment, input, &operands[i]))
            return false;
    }
    return combine(machine->work, node, input, operands, output_out);
}

static bool plain_leaf(struct machine *machine, const struct node *node,
                       const struct environment *environment, struct datum input,
                       struct datum *output_out)
{
    if (node->kind == NODE_IDENTITY)
        *output_out = input;
    else if (node->kind == NODE_CONSTANT)
        *output_out = node->constant;
    else if (node->kind == NODE_VARIABLE)
        *output_out = machine_lookup(machine, environment, node->hops)->value;
    else if (node->kind == NODE_SLOT)
        *output_out = datum_of_value(machine->context->variables[node->slot]);
    else
        return combine(machine->work, node, input, NULL, output_out);
    return true;
}

bool plain_evaluate(struct machine *machine, const struct node *node,
                    const struct environment *environment, struct datum input,
                    struct datum *output_out)
{
    /* Kinds without a line combine their operands. */
    static bool (*const evaluators[NODE_KINDS])(struct machine *, const struct node *,
                                                const struct environment *, struct datum,
                                                struct datum *) = {
        [NODE_PIPE] = plain_pipe, [NODE_AND] = plain_truth,
        [NODE_OR] = plain_truth,  [NODE_IF] = plain_if,
        [NODE_TRY] = plain_try,   [NODE_ALTERNATIVE] = plain_alternative,
        [NODE_BIND] = plain_bind, [NODE_ARRAY] = plain_array,
    };
    if (node->count == 0)
        return plain_leaf(machine, node, environment, input, output_out);
    if (!work_charge_elements(machine->work, 1))
        return false;
    return evaluators[node->kind] != NULL
               ? evaluators[node->kind](machine, node, environment, input, output_out)
               : plain_operands(machine, node, environment, input, output_out);
}
