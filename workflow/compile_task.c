/* Tasks: one reader for what all have in common, one per kind for the rest. */
#include "workflow/compile.h"

#include <stdio.h>

static const struct key_rule task_rules[] = {
    {"if", NULL},
    {"input", NULL},
    {"output", NULL},
    {"export", NULL},
    {"timeout", NULL},
    {"then", NULL},
    {"do", NULL},
    {"call", NULL},
    {"with", NULL},
    {"set", NULL},
    {"switch", NULL},
    {"wait", NULL},
    {"try", NULL},
    {"catch", NULL},
    {"raise", NULL},
    {"metadata", NULL},
    {"for", "pawl does not run 'for' tasks; write the tasks out, or loop with a backward 'then'"},
    {"while", "pawl does not run 'for' tasks; write the tasks out, or loop with a backward 'then'"},
    {"fork", "pawl does not run 'fork' tasks; write the branches one after the other"},
    {"listen", "pawl does not run 'listen' tasks"},
    {"emit", "pawl does not run 'emit' tasks; call a function that publishes the event"},
    {"run",
     "pawl does not run containers, scripts, shells or sub-workflows; call a function that a "
     "worker serves"},
    {NULL, NULL},
};

static const char catch_part[] = "/catch/do"; /* of the pointers of tasks in a catch */

static const struct {
    const char *key;
    enum task_kind kind;
} kinds[] = {
    {"do", TASK_DO},     {"call", TASK_CALL}, {"set", TASK_SET},     {"switch", TASK_SWITCH},
    {"wait", TASK_WAIT}, {"try", TASK_TRY},   {"raise", TASK_RAISE},
};

static enum pawl_error kind_find(const struct compile *compile, struct bytes node,
                                 enum task_kind *kind_out)
{
    const char *found = NULL;
    struct bytes part;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!node_get(node, kinds[i].key, &part))
            continue;
        if (found != NULL)
            return compile_fail(compile, node_key(node, kinds[i].key), PAWL_E_INVALID,
                                "a task can do only one thing, this one has both '%s' and '%s'",
                                found, kinds[i].key);
        found = kinds[i].key;
        *kind_out = kinds[i].kind;
    }
    if (found == NULL)
        return compile_fail(compile, node, PAWL_E_INVALID,
                            "a task must have one of do, call, set, switch, wait, try, raise");
    if (node_get(node, "catch", &part) && *kind_out != TASK_TRY)
        return compile_fail(compile, node_key(node, "catch"), PAWL_E_INVALID,
                            "'catch' without 'try'");
    if (node_get(node, "with", &part) && *kind_out != TASK_CALL)
        return compile_fail(compile, node_key(node, "with"), PAWL_E_INVALID,
                            "'with' without 'call'");
    return PAWL_OK;
}

static enum pawl_error filter_read(struct compile *compile, struct bytes node, const char *key,
                                   const char *field, enum expression_place place,
                                   const struct template **out)
{
    const struct key_rule rules[] = {
        {"schema", "pawl does not check schemas; check the data with a switch and raise an error"},
        {field, NULL},
        {NULL, NULL}};
    struct bytes filter, part;
    if (!node_get(node, key, &filter))
        return PAWL_OK;
    char what[32];
    snprintf(what, sizeof what, "%s.%s", key, field);
    TRY(node_want_keys(compile, filter, key, rules));
    if (!node_get(filter, field, &part))
        return PAWL_OK;
    return compile_filter(compile, part, place, what, out);
}

static bool names_input(const struct template *template)
{
    const uint64_t slots = (uint64_t)1 << SLOT_INPUT | (uint64_t)1 << SLOT_TASK;
    return template != NULL && (template->slots & slots) != 0;
}

enum pawl_error compile_data_flow(struct compile *compile, struct bytes node, struct task *task)
{
    bool is_root = task->kind == TASK_ROOT;
    struct bytes part;
    TRY(filter_read(compile, node, "input", "from",
                    is_root ? PLACE_WORKFLOW_INPUT : PLACE_TASK_BEGIN, &task->input_from));
    TRY(filter_read(compile, node, "output", "as", is_root ? PLACE_WORKFLOW_OUTPUT : PLACE_OUTPUT,
                    &task->output_as));
    TRY(filter_read(compile, node, "export", "as", PLACE_EXPORT, &task->export_as));
    task->keeps_input =
        task->keeps_input || names_input(task->output_as) || names_input(task->export_as);
    if (node_get(node, "timeout", &part))
        return compile_timeout(compile, part, &task->timeout);
    return PAWL_OK;
}

static enum pawl_error catch_conditions(struct compile *compile, struct bytes node,
                                        struct catch_spec *spec)
{
    struct bytes part;
    if (node_get(node, "errors", &part))
        TRY(compile_error_filter(compile, part, &spec->filter));
    if (node_get(node, "when", &part))
        TRY(compile_expression(compile, part, PLACE_TASK, "catch.when", &spec->when));
    if (node_get(node, "exceptWhen", &part))
        TRY(compile_expression(compile, part, PLACE_TASK, "catch.exceptWhen", &spec->except_when));
    if (node_get(node, "retry", &part))
        TRY(compile_retry(compile, part, &spec->retry));
    if (node_get(node, "then", &part)) {
        spec->has_flow = true;
        return compile_flow(compile, part, &spec->flow);
    }
    return PAWL_OK;
}

static bool is_variable_name(struct bytes text)
{
    if (text.size == 0 || text.size > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return true;
}

/* The name under which the catch knows its error. */
static enum pawl_error error_name_read(struct compile *compile, struct bytes node,
                                       const char **name_out)
{
    static const char *const reserved[] = {"context",  "input",   "output",  "task",
                                           "workflow", "runtime", "secrets", "authorization"};
    struct bytes part, name = BYTES_LITERAL("error");
    if (node_get(node, "as", &part)) {
        TRY(node_want_string(compile, part, "catch.as", &name));
        bool is_reserved = false;
        for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
            is_reserved = is_reserved || bytes_equal(name, bytes_string(reserved[i]));
        if (is_reserved || !is_variable_name(name))
            return compile_fail(
                compile, part, PAWL_E_INVALID,
                "catch.as '%.*s' is no name for a variable: letters, digits and _, and "
                "none of the language's own variables",
                TEXT_OF(name));
    }
    *name_out = arena_string(compile->arena, name);
    return *name_out == NULL ? PAWL_E_NO_MEMORY : PAWL_OK;
}

static enum pawl_error catch_read(struct compile *compile, struct bytes node, struct task *task)
{
    static const struct key_rule rules[] = {{"errors", NULL},     {"as", NULL},    {"when", NULL},
                                            {"exceptWhen", NULL}, {"retry", NULL}, {"do", NULL},
                                            {"then", NULL},       {NULL, NULL}};
    struct bytes part;
    struct catch_spec *spec = ARENA_NEW(compile->arena, struct catch_spec);
    if (spec == NULL)
        return PAWL_E_NO_MEMORY;
    TRY(node_want_keys(compile, node, "a catch", rules));
    spec->error_slot = SLOT_ERROR_FIRST + compile->error_count;
    TRY(error_name_read(compile, node, &compile->error_names[compile->error_count]));
    compile->error_count++;
    TRY(catch_conditions(compile, node, spec));
    spec->has_do = node_get(node, "do", &part);
    if (spec->has_do)
        TRY(compile_list(compile, part, task->index, catch_part, &spec->first));
    compile->error_count--;
    task->catch_spec = spec;
    return PAWL_OK;
}

static enum pawl_error try_read(struct compile *compile, struct bytes node, struct task *task)
{
    struct bytes list, clause;
    task->keeps_input = true;
    TRY(node_want(compile, node, "a try", "try", &list));
    TRY(compile_list(compile, list, task->index, "/try", &task->first));
    TRY(node_want(compile, node, "a try", "catch", &clause));
    return catch_read(compile, clause, task);
}

static enum pawl_error raise_read(struct compile *compile, struct bytes node, struct task *task)
{
    static const struct key_rule rules[] = {{"error", NULL}, {NULL, NULL}};
    struct bytes part;
    TRY(node_want_keys(compile, node, "a raise", rules));
    TRY(node_want(compile, node, "a raise", "error", &part));
    return compile_error(compile, part, &task->error);
}

static enum pawl_error set_read(struct compile *compile, struct bytes node, struct task *task)
{
    enum value_kind kind = value_kind_of(node);
    if (kind != VALUE_MAP && kind != VALUE_STRING)
        return compile_fail(compile, node, PAWL_E_INVALID, "'set' must be a map or an expression");
    return compile_template(compile, node, PLACE_TASK, &task->value);
}

static enum pawl_error kind_read(struct compile *compile, struct bytes node, struct task *task)
{
    struct bytes part = {NULL, 0};
    switch (task->kind) {
    case TASK_DO:
        (void)node_get(node, "do", &part);
        return compile_list(compile, part, task->index, "/do", &task->first);
    case TASK_CALL:
        return compile_call(compile, node, task);
    case TASK_SET:
        (void)node_get(node, "set", &part);
        return set_read(compile, part, task);
    case TASK_SWITCH:
        (void)node_get(node, "switch", &part);
        return compile_switch(compile, part, task);
    case TASK_WAIT:
        (void)node_get(node, "wait", &part);
        task->keeps_input = true;
        return compile_duration(compile, part, "'wait'", &task->wait);
    case TASK_TRY:
        return try_read(compile, node, task);
    case TASK_RAISE:
        (void)node_get(node, "raise", &part);
        return raise_read(compile, part, task);
    case TASK_ROOT:
    case TASK_COMPENSATE:
        break;
    }
    return PAWL_E_INTERNAL;
}

static void keeps_input_decide(struct task *task)
{
    const struct compensation_spec *spec = task->compensation;
    if (spec != NULL && spec->with != NULL && spec->with->reads_dot)
        task->keeps_input = true;
}

static enum pawl_error task_read(struct compile *compile, struct bytes node, struct task *task)
{
    struct bytes part;
    TRY(node_want_keys(compile, node, "a task", task_rules));
    TRY(kind_find(compile, node, &task->kind));
    task->source = node;
    if (node_get(node, "if", &part))
        TRY(compile_expression(compile, part, PLACE_TASK_BEGIN, "'if'", &task->condition));
    TRY(compile_data_flow(compile, node, task));
    TRY(kind_read(compile, node, task));
    if (node_get(node, "metadata", &part))
        TRY(compile_task_metadata(compile, part, task));
    keeps_input_decide(task);
    task->last = compile->task_count - 1;
    if (node_get(node, "then", &part))
        return compile_flow(compile, part, &task->flow);
    return PAWL_OK;
}

static enum pawl_error task_new(struct compile *compile, struct bytes node, struct task **task_out)
{
    if (compile->task_count == DEFINITION_TASKS_MAX)
        return compile_fail(compile, node, PAWL_E_LIMIT, "a definition can have at most %d tasks",
                            DEFINITION_TASKS_MAX);
    struct task *task = ARENA_NEW(compile->arena, struct task);
    if (task == NULL)
        return PAWL_E_NO_MEMORY;
    task->index = compile->task_count;
    compile->tasks[compile->task_count++] = task;
    *task_out = task;
    return PAWL_OK;
}

static bool is_task_name(struct bytes text)
{
    if (text.size == 0 || text.size > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f || text.data[i] == '/' ||
            text.data[i] == '~')
            return false;
    return true;
}

static enum pawl_error name_check(const struct compile *compile, const struct node_pair *pair,
                                  uint32_t first)
{
    static const char *const directives[] = {"continue", "exit", "end"};
    if (!is_task_name(pair->key))
        return compile_fail(
            compile, pair->key_node, PAWL_E_INVALID,
            "a task's name must have 1 to %d bytes, no '/', no '~' and no control characters",
            NAME_BYTES_MAX);
    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++)
        if (bytes_equal(pair->key, bytes_string(directives[i])))
            return compile_fail(compile, pair->key_node, PAWL_E_INVALID,
                                "a task cannot be called '%s', which 'then' understands otherwise",
                                directives[i]);
    for (uint32_t i = first; i != 0; i = compile->tasks[i]->next)
        if (bytes_equal(compile->tasks[i]->name, pair->key))
            return compile_fail(compile, pair->key_node, PAWL_E_INVALID,
                                "two tasks of this list are called '%.*s'", TEXT_OF(pair->key));
    return PAWL_OK;
}

/* Where an element stands. */
struct list_place {
    uint32_t owner;
    const char *pointer_part;
    uint32_t position;
    uint32_t first; /* task of the list */
};

static enum pawl_error pointer_make(struct compile *compile, const struct list_place *place,
                                    struct task *task)
{
    struct bytes owner = compile->tasks[place->owner]->pointer;
    size_t room = owner.size + task->name.size + 32;
    char *text = arena_alloc(compile->arena, room);
    if (text == NULL)
        return PAWL_E_NO_MEMORY;
    int size = snprintf(text, room, "%.*s%s/%u/%.*s", (int)owner.size, (const char *)owner.data,
                        place->pointer_part, place->position, (int)task->name.size,
                        (const char *)task->name.data);
    task->pointer = bytes_of(text, (size_t)size);
    return PAWL_OK;
}

/* One element of a list: a map with the task's name as its only key. */
static enum pawl_error element_read(struct compile *compile, struct bytes node,
                                    const struct list_place *place, struct task **task_out)
{
    struct node_pair pair = {.key = {NULL, 0}};
    TRY(node_want_map(compile, node, "an element of a task list"));
    struct node_pairs pairs = node_pairs_of(node);
    if (pairs.left != 1 || !node_pair_next(&pairs, &pair))
        return compile_fail(compile, node, PAWL_E_INVALID,
                            "an element of a task list must be one name with the task under it");
    TRY(name_check(compile, &pair, place->first));
    TRY(task_new(compile, node, task_out));
    struct task *task = *task_out;
    task->owner = place->owner;
    task->name = pair.key;
    task->is_in_catch = place->pointer_part == catch_part;
    TRY(pointer_make(compile, place, task));
    return task_read(compile, pair.value, task);
}

enum pawl_error compile_list(struct compile *compile, struct bytes node, uint32_t owner,
                             const char *pointer_part, uint32_t *first_out)
{
    TRY(node_want_array(compile, node, "a task list"));
    if (compile->depth == TASK_DEPTH_MAX)
        return compile_fail(compile, node, PAWL_E_LIMIT, "tasks are nested more than %d deep",
                            TASK_DEPTH_MAX);
    compile->depth++;
    struct node_elements elements = node_elements_of(node);
    struct list_place place = {.owner = owner, .pointer_part = pointer_part};
    struct bytes element;
    struct task *before = NULL, *task = NULL;
    while (node_element_next(&elements, &element)) {
        TRY(element_read(compile, element, &place, &task));
        if (before == NULL)
            place.first = task->index;
        else
            before->next = task->index;
        before = task;
        place.position++;
    }
    compile->depth--;
    *first_out = place.first;
    return compile_flows_resolve(compile, place.first);
}
