/* The result of a node whose operands are known. */
#include <assert.h>

#include "workflow/expression/builtin.h"
#include "workflow/expression/machine.h"
#include "workflow/expression/number.h"
#include "workflow/expression/operate.h"
#include "workflow/expression/paths.h"
#include "workflow/expression/text.h"

static bool index_target(struct work *work, const struct node *node, struct datum input,
                         const struct datum *operands, struct datum *output_out)
{
    (void)node, (void)input;
    return path_index(work, operands[1], operands[0], output_out);
}

static bool slice_target(struct work *work, const struct node *node, struct datum input,
                         const struct datum *operands, struct datum *output_out)
{
    (void)node, (void)input;
    return path_slice(work, operands[2], operands[0], operands[1], output_out);
}

static bool get_path(struct work *work, const struct node *node, struct datum input,
                     const struct datum *operands, struct datum *output_out)
{
    (void)node;
    return path_get(work, input, operands[0], output_out);
}

static bool operate_sides(struct work *work, const struct node *node, struct datum input,
                          const struct datum *operands, struct datum *output_out)
{
    (void)input;
    return operate(work, (enum operation)node->operation, operands[1], operands[0], output_out);
}

static bool negate(struct work *work, const struct node *node, struct datum input,
                   const struct datum *operands, struct datum *output_out)
{
    (void)node, (void)input;
    if (!datum_is_number(operands[0]))
        return work_fail(work, "%v cannot be negated", &operands[0]);
    *output_out = number_negate(operands[0]);
    return true;
}

/* Only holds a place: make_object looks at the key. */
static bool hold_place(struct work *work, const struct node *node, struct datum input,
                       const struct datum *operands, struct datum *output_out)
{
    (void)work, (void)node, (void)input, (void)operands;
    *output_out = datum_null();
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
static bool make_text(struct work *work, const struct node *node, struct datum input,
                      const struct datum *operands, struct datum *output_out)
{
    (void)input;
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
                         const struct datum *operands, struct datum *output_out)
{
    (void)operands;
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
    static bool (*const combiners[NODE_KINDS])(struct work *, const struct node *, struct datum,
                                               const struct datum *, struct datum *) = {
        [NODE_INDEX] = index_target,    [NODE_SLICE] = slice_target, [NODE_GETPATH] = get_path,
        [NODE_OPERATE] = operate_sides, [NODE_NEGATE] = negate,      [NODE_OBJECT] = make_object,
        [NODE_SAME] = hold_place,       [NODE_TEXT] = make_text,     [NODE_FORMAT] = format_input,
        [NODE_NATIVE] = call,
    };
    assert(combiners[node->kind] != NULL);
    return combiners[node->kind](work, node, input, operands, output_out);
}
