/* Flow: `then` and `switch`. A task can only be reached by name from its own list. */
#include "workflow/compile.h"

enum pawl_error compile_flow(struct compile *compile, struct bytes node, struct flow *flow_out)
{
    struct bytes text;
    TRY(node_want_string(compile, node, "'then'", &text));
    if (text.size == 0)
        return compile_fail(compile, node, PAWL_E_INVALID,
                            "'then' is empty; it must be continue, exit, end or a task's name");
    struct flow flow = {.kind = FLOW_TASK, .name = text};
    if (bytes_equal(text, BYTES_LITERAL("continue")))
        flow.kind = FLOW_CONTINUE;
    else if (bytes_equal(text, BYTES_LITERAL("exit")))
        flow.kind = FLOW_EXIT;
    else if (bytes_equal(text, BYTES_LITERAL("end")))
        flow.kind = FLOW_END;
    *flow_out = flow;
    return PAWL_OK;
}

static enum pawl_error flow_resolve(struct compile *compile, uint32_t first, struct flow *flow)
{
    if (flow->kind != FLOW_TASK)
        return PAWL_OK;
    for (uint32_t i = first; i != 0; i = compile->tasks[i]->next)
        if (bytes_equal(compile->tasks[i]->name, flow->name)) {
            flow->task = i;
            return PAWL_OK;
        }
    struct suggestion suggestion;
    suggestion_begin(&suggestion);
    for (uint32_t i = first; i != 0; i = compile->tasks[i]->next)
        suggestion_offer(&suggestion, flow->name, compile->tasks[i]->name);
    /* The name is the content of its node: the nearest node before it is the node itself. */
    return compile_fail(compile, flow->name, PAWL_E_INVALID,
                        "'then' names '%.*s', which is no task of the same list%s",
                        TEXT_OF(flow->name), suggestion.text);
}

enum pawl_error compile_flows_resolve(struct compile *compile, uint32_t first)
{
    for (uint32_t i = first; i != 0; i = compile->tasks[i]->next) {
        struct task *task = compile->tasks[i];
        TRY(flow_resolve(compile, first, &task->flow));
        for (size_t k = 0; k < task->case_count; k++)
            TRY(flow_resolve(compile, first, &task->cases[k].flow));
        if (task->catch_spec != NULL)
            TRY(flow_resolve(compile, first, &task->catch_spec->flow));
    }
    return PAWL_OK;
}

static enum pawl_error case_read(struct compile *compile, struct bytes node,
                                 struct switch_case *out)
{
    static const struct key_rule rules[] = {{"when", NULL}, {"then", NULL}, {NULL, NULL}};
    TRY(node_want_map(compile, node, "a case of a switch"));
    struct node_pairs pairs = node_pairs_of(node);
    struct node_pair pair = {.key = {NULL, 0}};
    if (pairs.left != 1 || !node_pair_next(&pairs, &pair))
        return compile_fail(compile, node, PAWL_E_INVALID,
                            "a case of a switch must be one name with when and then under it");
    struct bytes part;
    TRY(node_want_keys(compile, pair.value, "a case of a switch", rules));
    out->name = pair.key;
    TRY(node_want(compile, pair.value, "a case of a switch", "then", &part));
    TRY(compile_flow(compile, part, &out->flow));
    if (!node_get(pair.value, "when", &part))
        return PAWL_OK;
    return compile_expression(compile, part, PLACE_TASK, "a case's when", &out->when);
}

enum pawl_error compile_switch(struct compile *compile, struct bytes node, struct task *task)
{
    TRY(node_want_array(compile, node, "a switch"));
    struct node_elements elements = node_elements_of(node);
    if (elements.left == 0)
        return compile_fail(compile, node, PAWL_E_INVALID, "a switch without cases");
    task->cases = arena_array(compile->arena, elements.left, sizeof *task->cases);
    if (task->cases == NULL)
        return PAWL_E_NO_MEMORY;
    struct bytes element;
    size_t default_count = 0;
    while (node_element_next(&elements, &element)) {
        struct switch_case *out = &task->cases[task->case_count];
        TRY(case_read(compile, element, out));
        task->case_count++;
        default_count += out->when == NULL;
        if (default_count > 1)
            return compile_fail(compile, element, PAWL_E_INVALID,
                                "a switch can have only one case without 'when'");
    }
    return PAWL_OK;
}
