/* Calls: functions, their arguments, and what metadata.pawl says about a call.
 *
 * A name that stands under use.functions is that call; `name:version@default` and any other name is
 * a step type that workers serve.
 */
#include "workflow/compile.h"

static const struct key_rule builtin_calls[] = {
    {"http", "pawl does not run 'call: http'; call a function that a worker serves"},
    {"grpc", "pawl does not run 'call: grpc'; call a function that a worker serves"},
    {"openapi", "pawl does not run 'call: openapi'; call a function that a worker serves"},
    {"asyncapi", "pawl does not run 'call: asyncapi'; call a function that a worker serves"},
    {"a2a", "pawl does not run 'call: a2a'; call a function that a worker serves"},
    {"mcp", "pawl does not run 'call: mcp'; call a function that a worker serves"},
    {NULL, NULL},
};

/* Nothing in it confuses a key, a log line or a shell. */
static bool is_type_name(struct bytes text)
{
    if (text.size == 0 || text.size > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_plain && (i == 0 || memchr("._:/-", c, 5) == NULL))
            return false;
    }
    return true;
}

/* The part before `@default`. */
static enum pawl_error catalog_check(const struct compile *compile, struct bytes node,
                                     struct bytes *name)
{
    const uint8_t *at = memchr(name->data, '@', name->size);
    if (at == NULL)
        return PAWL_OK;
    struct bytes catalog = bytes_of(at + 1, name->size - (size_t)(at + 1 - name->data));
    if (!bytes_equal(catalog, BYTES_LITERAL("default")))
        return compile_fail(compile, node, PAWL_E_UNSUPPORTED,
                            "pawl knows no catalog '%.*s'; only '@default', its workers",
                            TEXT_OF(catalog));
    name->size = (size_t)(at - name->data);
    return PAWL_OK;
}

static enum pawl_error function_entry(struct compile *compile, struct bytes entry,
                                      struct function_use *use, struct bytes *name_out,
                                      struct bytes *node_out)
{
    static const struct key_rule rules[] = {{"call", NULL}, {"with", NULL}, {NULL, NULL}};
    TRY(node_want_map(compile, entry, "a function"));
    struct bytes part;
    if (!node_get(entry, "call", &part))
        return compile_fail(compile, entry, PAWL_E_UNSUPPORTED,
                            "a function under 'use' must be a call; pawl runs no other task there");
    TRY(node_want_keys(compile, entry, "a function", rules));
    *node_out = part;
    TRY(node_want_string(compile, part, "the call of a function", name_out));
    if (!node_get(entry, "with", &part))
        return PAWL_OK;
    TRY(node_want_map(compile, part, "the arguments of a function"));
    if (node_pairs_of(part).left > FUNCTION_ARGUMENTS_MAX)
        return compile_fail(compile, part, PAWL_E_LIMIT,
                            "a function under 'use' can have at most %d arguments of its own",
                            FUNCTION_ARGUMENTS_MAX);
    if (use->with.size == 0)
        use->with = part;
    return PAWL_OK;
}

enum pawl_error compile_function(struct compile *compile, struct bytes node,
                                 struct function_use *use_out)
{
    enum { INDIRECTION_MAX = 8 };
    struct bytes name, entry, at = node;
    struct function_use use = {.type = {NULL, 0}};
    TRY(node_want_string(compile, node, "'call'", &name));
    for (int i = 0; value_map_get(compile->functions, name, &entry); i++) {
        struct bytes before = name;
        TRY(function_entry(compile, entry, &use, &name, &at));
        if (bytes_equal(before, name))
            break; /* a function that names itself binds the step type of that name */
        if (i == INDIRECTION_MAX)
            return compile_fail(compile, at, PAWL_E_INVALID,
                                "the functions under 'use' go in a circle");
    }
    for (const struct key_rule *rule = builtin_calls; rule->name != NULL; rule++)
        if (bytes_equal(name, bytes_string(rule->name)))
            return compile_fail(compile, at, PAWL_E_UNSUPPORTED, "%s", rule->refusal);
    if (memmem(name.data, name.size, "://", 3) != NULL)
        return compile_fail(compile, at, PAWL_E_UNSUPPORTED,
                            "pawl does not load functions from addresses; call one by name");
    TRY(catalog_check(compile, at, &name));
    if (!is_type_name(name))
        return compile_fail(
            compile, at, PAWL_E_INVALID,
            "'%.*s' is no function name: up to %d letters, digits and . _ : / -, the "
            "first a letter or digit",
            TEXT_OF(name), NAME_BYTES_MAX);
    if (bytes_have_prefix(name, BYTES_LITERAL("pawl.")))
        return compile_fail(compile, at, PAWL_E_INVALID,
                            "'%.*s' is no function of pawl; the only one is pawl.compensate",
                            TEXT_OF(name));
    use.type = name;
    *use_out = use;
    return PAWL_OK;
}

/* Those of a map that `but` does not have. */
static enum pawl_error arguments_add(struct compile *compile, struct bytes map, struct bytes but,
                                     enum expression_place place, struct template *out,
                                     struct template *parts, struct bytes *keys)
{
    struct node_pairs pairs = node_pairs_of(map);
    struct node_pair pair;
    struct bytes other;
    while (node_pair_next(&pairs, &pair)) {
        if (value_map_get(but, pair.key, &other))
            continue;
        const struct template *part;
        TRY(compile_template(compile, pair.value, place, &part));
        keys[out->count] = pair.key;
        parts[out->count++] = *part;
        out->slots |= part->slots;
        out->reads_dot = out->reads_dot || part->reads_dot;
    }
    return PAWL_OK;
}

enum pawl_error compile_arguments(struct compile *compile, const struct function_use *use,
                                  struct bytes with, enum expression_place place,
                                  const struct template **template_out)
{
    *template_out = NULL;
    if (with.size > 0)
        TRY(node_want_map(compile, with, "'with'"));
    if (use->with.size == 0 && with.size == 0)
        return PAWL_OK;
    if (use->with.size == 0 || with.size == 0)
        return compile_template(compile, with.size == 0 ? use->with : with, place, template_out);
    size_t capacity = (size_t)node_pairs_of(with).left + node_pairs_of(use->with).left;
    struct template *merged = ARENA_NEW(compile->arena, struct template);
    struct template *parts = arena_array(compile->arena, capacity, sizeof *parts);
    struct bytes *keys = arena_array(compile->arena, capacity, sizeof *keys);
    if (merged == NULL || parts == NULL || keys == NULL)
        return PAWL_E_NO_MEMORY;
    *merged = (struct template){.kind = TEMPLATE_MAP, .parts = parts, .keys = keys};
    TRY(arguments_add(compile, with, value_empty_map, place, merged, parts, keys));
    TRY(arguments_add(compile, use->with, with, place, merged, parts, keys));
    *template_out = merged;
    return PAWL_OK;
}

/* The task of that name which this one stands in. */
static enum pawl_error scope_find(struct compile *compile, struct bytes node, struct task *task)
{
    struct bytes name;
    struct suggestion suggestion;
    suggestion_begin(&suggestion);
    TRY(node_want_string(compile, node, "the scope of a compensation", &name));
    for (uint32_t i = task->owner; i != 0; i = compile->tasks[i]->owner) {
        if (bytes_equal(compile->tasks[i]->name, name)) {
            task->has_scope = true;
            task->scope = i;
            return PAWL_OK;
        }
        suggestion_offer(&suggestion, name, compile->tasks[i]->name);
    }
    return compile_fail(compile, node, PAWL_E_INVALID,
                        "the scope '%.*s' is no task that this one stands in%s", TEXT_OF(name),
                        suggestion.text);
}

static void scope_default(const struct compile *compile, struct task *task)
{
    for (uint32_t i = task->index; i != 0; i = compile->tasks[i]->owner) {
        if (compile->tasks[i]->is_in_catch) {
            task->has_scope = true;
            task->scope = compile->tasks[i]->owner;
            return;
        }
    }
}

static enum pawl_error compensate_read(struct compile *compile, struct bytes node,
                                       struct task *task)
{
    static const struct key_rule rules[] = {{"scope", NULL}, {"order", NULL}, {NULL, NULL}};
    task->kind = TASK_COMPENSATE;
    task->keeps_input = true;
    scope_default(compile, task);
    struct bytes with, part, order;
    if (!node_get(node, "with", &with))
        return PAWL_OK;
    TRY(node_want_keys(compile, with, "the arguments of pawl.compensate", rules));
    if (node_get(with, "order", &part)) {
        TRY(node_want_string(compile, part, "the order of a compensation", &order));
        if (!bytes_equal(order, BYTES_LITERAL("reverse")))
            return compile_fail(compile, part, PAWL_E_UNSUPPORTED,
                                "pawl compensates in reverse order of completion only");
    }
    if (node_get(with, "scope", &part))
        return scope_find(compile, part, task);
    return PAWL_OK;
}

enum pawl_error compile_call(struct compile *compile, struct bytes node, struct task *task)
{
    struct bytes call, name, with = {NULL, 0};
    TRY(node_want(compile, node, "a call", "call", &call));
    TRY(node_want_string(compile, call, "'call'", &name));
    if (bytes_equal(name, BYTES_LITERAL("pawl.compensate")))
        return compensate_read(compile, node, task);
    struct function_use use;
    TRY(compile_function(compile, call, &use));
    task->call_type = use.type;
    (void)node_get(node, "with", &with);
    return compile_arguments(compile, &use, with, PLACE_TASK, &task->with);
}

static enum pawl_error compensate_on_read(struct compile *compile, struct bytes node,
                                          struct compensation_spec *spec)
{
    TRY(node_want_array(compile, node, "compensateOn"));
    spec->on_completed = false;
    struct node_elements elements = node_elements_of(node);
    struct bytes element, text;
    while (node_element_next(&elements, &element)) {
        TRY(node_want_string(compile, element, "an element of compensateOn", &text));
        if (bytes_equal(text, BYTES_LITERAL("completed")))
            spec->on_completed = true;
        else if (bytes_equal(text, BYTES_LITERAL("unknown")))
            spec->on_unknown = true;
        else
            return compile_fail(compile, element, PAWL_E_INVALID,
                                "compensateOn can hold 'completed' and 'unknown'");
    }
    return PAWL_OK;
}

static enum pawl_error compensation_read(struct compile *compile, struct bytes node,
                                         struct compensation_spec *spec)
{
    static const struct key_rule rules[] = {
        {"call", NULL}, {"with", NULL}, {"retry", NULL}, {NULL, NULL}};
    struct bytes part, with = {NULL, 0};
    struct function_use use;
    TRY(node_want_keys(compile, node, "a compensation", rules));
    TRY(node_want(compile, node, "a compensation", "call", &part));
    TRY(compile_function(compile, part, &use));
    spec->type = use.type;
    (void)node_get(node, "with", &with);
    TRY(compile_arguments(compile, &use, with, PLACE_UNDO, &spec->with));
    if (node_get(node, "retry", &part))
        return compile_retry(compile, part, &spec->retry);
    return PAWL_OK;
}

static enum pawl_error pawl_metadata_read(struct compile *compile, struct bytes node,
                                          struct task *task)
{
    static const struct key_rule rules[] = {
        {"compensate", NULL}, {"compensateOn", NULL}, {"atMostOnce", NULL}, {NULL, NULL}};
    struct bytes part;
    TRY(node_want_keys(compile, node, "metadata.pawl of a task", rules));
    if (task->kind != TASK_CALL)
        return compile_fail(compile, node, PAWL_E_INVALID,
                            "metadata.pawl can only stand on a call of a function");
    if (node_get(node, "atMostOnce", &part)) {
        if (value_kind_of(part) != VALUE_BOOL)
            return compile_fail(compile, part, PAWL_E_INVALID, "atMostOnce must be true or false");
        task->is_at_most_once = bytes_equal(part, bytes_of("\xc3", 1));
    }
    if (!node_get(node, "compensate", &part)) {
        if (!node_get(node, "compensateOn", &part))
            return PAWL_OK;
        return compile_fail(compile, part, PAWL_E_INVALID, "compensateOn without compensate");
    }
    struct compensation_spec *spec = ARENA_NEW(compile->arena, struct compensation_spec);
    if (spec == NULL)
        return PAWL_E_NO_MEMORY;
    spec->on_completed = true;
    TRY(compensation_read(compile, part, spec));
    if (node_get(node, "compensateOn", &part))
        TRY(compensate_on_read(compile, part, spec));
    task->compensation = spec;
    return PAWL_OK;
}

enum pawl_error compile_task_metadata(struct compile *compile, struct bytes node, struct task *task)
{
    struct bytes pawl;
    TRY(node_want_map(compile, node, "metadata"));
    if (!node_get(node, "pawl", &pawl))
        return PAWL_OK;
    return pawl_metadata_read(compile, pawl, task);
}
