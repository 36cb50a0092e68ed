/* The result of a node whose operands are known. */
#include "workflow/expression/builtin.h"
#include "workflow/expression/machine.h"
#include "workflow/expression/number.h"
#include "workflow/expression/operate.h"
#include "workflow/expression/paths.h"
#include "workflow/expression/text.h"

static bool negate(struct work *work, struct datum operand, struct datum *output_out)
{
    if (!datum_is_number(operand))
        return work_fail(work, "%v cannot be negated", &operand);
    *output_out = number_negate(operand);
    return true;
}

static bool make_object(struct work *work, const struct node *node, struct datum input,
                        const struct datum *operands, struct datum *output_out)
{
    struct datum object;
    if (!datum_object_new(work, node->count / 2, &object))
        return false;
    for (uint32_t i = 0; i < node->count; i += 2) {
        const struct datum key = operands[i];
        struct datum value = operands[i + 1];
        if (key.kind != DATUM_STRING)
            return work_fail(work, "Cannot use %v as object key", &key);
        if (node->child[i + 1]->kind == NODE_SAME && !path_index(work, input, key, &value))
            return false;
        if (!datum_object_put(work, &object, key, value))
            return false;
    }
    *output_out = object;
    return true;
}

/* Operands stand last part first; every second one is literal text. */
static bool make_text(struct work *work, const struct node *node, const struct datum *operands,
                      struct datum *output_out)
{
    struct text text = {.work = work};
    for (uint32_t i = node->count; i-- > 0;) {
        const bool is_literal = (node->count - 1 - i) % 2 == 0;
        if (is_literal)
            text_append(&text, datum_bytes(operands[i]));
        else if (!format_append(&text, (enum format)node->operation, operands[i]))
            return false;
    }
    return text_take(&text, output_out);
}

static bool format_input(struct work *work, const struct node *node, struct datum input,
                         struct datum *output_out)
{
    struct text text = {.work = work};
    return format_append(&text, (enum format)node->operation, input) &&
           text_take(&text, output_out);
}

static bool call(struct work *work, const struct node *node, struct datum input,
                 const struct datum *operands, struct datum *output_out)
{
    struct datum arguments[NATIVE_ARGUMENTS_MAX];
    for (uint32_t i = 0; i < node->count; i++)
        arguments[i] = operands[node->count - 1 - i];
    return work_charge_elements(work, 4) && node->native(work, input, arguments, output_out);
}

bool combine(struct work *work, const struct node *node, struct datum input,
             const struct datum *operands, struct datum *output_out)
{
    switch ((enum node_kind)node->kind) {
    case NODE_INDEX:
        return path_index(work, operands[1], operands[0], output_out);
    case NODE_SLICE:
        return path_slice(work, operands[2], operands[0], operands[1], output_out);
    case NODE_OPERATE:
        return operate(work, (enum operation)node->operation, operands[1], operands[0], output_out);
    case NODE_NEGATE:
        return negate(work, operands[0], output_out);
    case NODE_OBJECT:
        return make_object(work, node, input, operands, output_out);
    case NODE_TEXT:
        return make_text(work, node, operands, output_out);
    case NODE_FORMAT:
        return format_input(work, node, input, output_out);
    case NODE_NATIVE:
        return call(work, node, input, operands, output_out);
    case NODE_GETPATH:
        return path_get(work, input, operands[0], output_out);
    case NODE_SAME:
        *output_out = datum_null();
        return true;
    case NODE_IDENTITY:
    case NODE_CONSTANT:
    case NODE_ITERATE:
    case NODE_PIPE:
    case NODE_COMMA:
    case NODE_AND:
    case NODE_OR:
    case NODE_ALTERNATIVE:
    case NODE_IF:
    case NODE_TRY:
    case NODE_TRY_PATTERN:
    case NODE_REDUCE:
    case NODE_FOREACH:
    case NODE_STEP:
    case NODE_BIND:
    case NODE_ARRAY:
    case NODE_VARIABLE:
    case NODE_SLOT:
    case NODE_CLOSURE:
    case NODE_CALL:
    case NODE_LABEL:
    case NODE_BREAK:
    case NODE_DEFINE:
    case NODE_PATH:
    case NODE_LIMIT:
    case NODE_LAST:
    case NODE_RANGE:
    case NODE_EMPTY:
    case NODE_NAME:
    case NODE_DOLLAR:
        break;
    }
    return work_limit(work, "an expression was compiled wrongly");
}
