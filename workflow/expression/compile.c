#include "workflow/expression/compile.h"

#include "workflow/expression/builtin.h"
#include "workflow/expression/parser.h"

enum scope_kind {
    SCOPE_ROOT,
    SCOPE_VARIABLE,
    SCOPE_PARAMETER,
    SCOPE_LABEL,
    SCOPE_FUNCTION,
    SCOPE_ARGUMENT, /* of a macro: its node, to be resolved where the macro was called */
};

struct scope {
    const struct scope *parent;
    enum scope_kind kind;
    bool is_prelude; /* ROOT: names of the prelude's own functions are seen, slots are not */
    struct bytes name;
    struct function *function;      /* FUNCTION */
    const struct node *argument;    /* ARGUMENT */
    const struct scope *call_scope; /* ARGUMENT */
};

struct compiled {
    const struct compiled *next;
    const struct builtin *definition;
    struct function *function;
};

struct compiler {
    struct arena *arena;
    struct pawl_diag *diag;
    struct bytes text;
    const struct expression_names *names;
    uint64_t slots_used;
    const struct compiled *prelude; /* what of it is compiled already */
    uint32_t depth;
    enum pawl_error error;
};

static bool resolve(struct compiler *compiler, struct node *node, const struct scope *scope);

static bool fail_name(struct compiler *compiler, const struct node *node, const char *sign,
                      uint32_t arity)
{
    struct pawl_diag *diag = compiler->diag;
    const int size = node->name.size < 64 ? (int)node->name.size : 64;
    if (arity == UINT32_MAX)
        compiler->error = diag_fail(diag, PAWL_E_INVALID, "%s%.*s is not defined", sign, size,
                                    (const char *)node->name.data);
    else
        compiler->error = diag_fail(diag, PAWL_E_INVALID, "%s%.*s/%u is not defined", sign, size,
                                    (const char *)node->name.data, arity);
    if (diag != NULL)
        lexer_place(compiler->text, node->offset, &diag->line, &diag->column);
    return false;
}

static bool fail_limit(struct compiler *compiler, const char *message)
{
    compiler->error = diag_fail(compiler->diag, PAWL_E_LIMIT, "%s", message);
    return false;
}

static bool is_binding(const struct scope *scope)
{
    return scope->kind == SCOPE_VARIABLE || scope->kind == SCOPE_PARAMETER ||
           scope->kind == SCOPE_LABEL;
}

static const struct scope *find(const struct scope *scope, enum scope_kind kind, struct bytes name,
                                uint16_t *hops)
{
    *hops = 0;
    for (; scope != NULL; scope = scope->parent) {
        if (scope->kind == kind && bytes_equal(scope->name, name))
            return scope;
        if (is_binding(scope))
            ++*hops;
    }
    return NULL;
}

static const struct scope *root_of(const struct scope *scope)
{
    while (scope->parent != NULL)
        scope = scope->parent;
    return scope;
}

static bool resolve_variable(struct compiler *compiler, struct node *node,
                             const struct scope *scope)
{
    if (find(scope, SCOPE_VARIABLE, node->name, &node->hops) != NULL) {
        node->kind = NODE_VARIABLE;
        return true;
    }
    const size_t count = compiler->names != NULL ? compiler->names->count : 0;
    for (size_t i = 0; i < count && !root_of(scope)->is_prelude; i++) {
        if (!bytes_equal(bytes_string(compiler->names->name[i]), node->name))
            continue;
        node->kind = NODE_SLOT;
        node->slot = (uint32_t)i;
        compiler->slots_used |= (uint64_t)1 << i;
        return true;
    }
    return fail_name(compiler, node, "$", UINT32_MAX);
}

static bool resolve_children(struct compiler *compiler, struct node *node,
                             const struct scope *scope)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (!resolve(compiler, node->child[i], scope))
            return false;
    }
    return true;
}

/* All children but the last in scope, the last with a binding more. */
static bool resolve_binding(struct compiler *compiler, struct node *node, enum scope_kind kind,
                            const struct scope *scope)
{
    const struct scope inner = {.parent = scope, .kind = kind, .name = node->name};
    for (uint32_t i = 0; i + 1 < node->count; i++) {
        if (!resolve(compiler, node->child[i], scope))
            return false;
    }
    return resolve(compiler, node->child[node->count - 1], &inner);
}

/* The body sees the function itself, then its parameters, the last one nearest. */
static bool resolve_function(struct compiler *compiler, struct function *function,
                             const struct scope *scope)
{
    struct scope *parameters =
        arena_array(compiler->arena, function->parameter_count + 1, sizeof *parameters);
    if (parameters == NULL)
        return fail_limit(compiler, "no memory for the expression");
    for (uint32_t i = 0; i < function->parameter_count; i++) {
        parameters[i] = (struct scope){
            .parent = scope, .kind = SCOPE_PARAMETER, .name = function->parameter[i]};
        scope = &parameters[i];
    }
    return resolve(compiler, function->body, scope);
}

static bool resolve_definition(struct compiler *compiler, struct node *node,
                               const struct scope *scope)
{
    const struct scope inner = {.parent = scope,
                                .kind = SCOPE_FUNCTION,
                                .name = node->function->name,
                                .function = node->function};
    if (!resolve_function(compiler, node->function, &inner) ||
        !resolve(compiler, node->child[0], &inner))
        return false;
    *node = *node->child[0];
    return true;
}

/* A call as its function; natives take the last argument first. */
static bool call_function(struct compiler *compiler, struct node *node, struct function *function,
                          uint16_t hops, const struct scope *scope)
{
    node->kind = NODE_CALL;
    node->function = function;
    node->hops = hops;
    return resolve_children(compiler, node, scope);
}

static bool call_native(struct compiler *compiler, struct node *node, native_function native,
                        const struct scope *scope)
{
    node->kind = NODE_NATIVE;
    node->native = native;
    for (uint32_t i = 0; i < node->count / 2; i++) {
        struct node *swapped = node->child[i];
        node->child[i] = node->child[node->count - 1 - i];
        node->child[node->count - 1 - i] = swapped;
    }
    return resolve_children(compiler, node, scope);
}

static struct function *prelude_parse(struct compiler *compiler, const struct builtin *definition)
{
    struct parser parser;
    struct function *function = parser_parse_function(&parser, bytes_string(definition->definition),
                                                      compiler->arena, compiler->diag);
    if (function == NULL)
        compiler->error = parser.error;
    return function;
}

static struct function *prelude_function(struct compiler *compiler,
                                         const struct builtin *definition)
{
    static const struct scope root = {.kind = SCOPE_ROOT, .is_prelude = true};
    for (const struct compiled *at = compiler->prelude; at != NULL; at = at->next) {
        if (at->definition == definition)
            return at->function;
    }
    struct compiled *compiled = ARENA_NEW(compiler->arena, struct compiled);
    struct function *function = prelude_parse(compiler, definition);
    if (compiled == NULL || function == NULL) {
        if (compiler->error == PAWL_OK)
            fail_limit(compiler, "no memory for the expression");
        return NULL;
    }
    *compiled = (struct compiled){compiler->prelude, definition, function};
    compiler->prelude = compiled;
    return resolve_function(compiler, function, &root) ? function : NULL;
}

/* The macro's body in place of the call. */
static bool expand(struct compiler *compiler, struct node *node, const struct builtin *definition,
                   const struct scope *scope)
{
    static const struct scope root = {.kind = SCOPE_ROOT, .is_prelude = true};
    struct scope arguments[NATIVE_ARGUMENTS_MAX];
    const struct scope *inner = &root;
    const struct function *macro = prelude_parse(compiler, definition);
    if (macro == NULL)
        return false;
    for (uint32_t i = 0; i < node->count; i++) {
        arguments[i] = (struct scope){.parent = inner,
                                      .kind = SCOPE_ARGUMENT,
                                      .name = macro->parameter[i],
                                      .argument = node->child[i],
                                      .call_scope = scope};
        inner = &arguments[i];
    }
    *node = *macro->body;
    return resolve(compiler, node, inner);
}

static bool resolve_builtin(struct compiler *compiler, struct node *node, const struct scope *scope)
{
    const bool sees_internal = node->is_internal || root_of(scope)->is_prelude;
    const struct builtin *builtin = builtin_find(node->name, node->count);
    struct function *function;
    if (builtin == NULL && sees_internal)
        builtin = builtin_find_internal(node->name, node->count);
    if (builtin == NULL)
        return fail_name(compiler, node, "", node->count);
    switch ((enum builtin_kind)builtin->kind) {
    case BUILTIN_NATIVE:
        return call_native(compiler, node, builtin->native, scope);
    case BUILTIN_NODE:
        node->kind = builtin->node_kind;
        return resolve_children(compiler, node, scope);
    case BUILTIN_MACRO:
        return expand(compiler, node, builtin, scope);
    case BUILTIN_FUNCTION:
        function = prelude_function(compiler, builtin);
        return function != NULL && call_function(compiler, node, function, HOPS_TO_ROOT, scope);
    }
    return false;
}

/* What a call means: the nearest definition, parameter or macro argument of that name and arity. */
static bool resolve_call(struct compiler *compiler, struct node *node, const struct scope *scope)
{
    uint16_t hops = 0;
    for (const struct scope *at = scope; at != NULL && !node->is_internal; at = at->parent) {
        const bool is_named = bytes_equal(at->name, node->name);
        if (is_named && at->kind == SCOPE_FUNCTION && at->function->parameter_count == node->count)
            return call_function(compiler, node, at->function, hops, scope);
        if (is_named && at->kind == SCOPE_PARAMETER && node->count == 0) {
            node->kind = NODE_CLOSURE;
            node->hops = hops;
            return true;
        }
        if (is_named && at->kind == SCOPE_ARGUMENT && node->count == 0) {
            *node = *at->argument;
            return resolve(compiler, node, at->call_scope);
        }
        if (is_binding(at))
            hops++;
    }
    return resolve_builtin(compiler, node, scope);
}

static bool resolve_scoped(struct compiler *compiler, struct node *node, const struct scope *scope)
{
    return resolve_binding(compiler, node, SCOPE_VARIABLE, scope);
}

static bool resolve_label(struct compiler *compiler, struct node *node, const struct scope *scope)
{
    return resolve_binding(compiler, node, SCOPE_LABEL, scope);
}

static bool resolve_break(struct compiler *compiler, struct node *node, const struct scope *scope)
{
    return find(scope, SCOPE_LABEL, node->name, &node->hops) != NULL ||
           fail_name(compiler, node, "$*label-", UINT32_MAX);
}

static bool resolve_step(struct compiler *compiler, struct node *node, const struct scope *scope)
{
    return find(scope, SCOPE_VARIABLE, node->name, &node->hops) != NULL &&
           resolve_children(compiler, node, scope);
}

/* Kinds without a line only resolve their children. */
static bool resolve_kind(struct compiler *compiler, struct node *node, const struct scope *scope)
{
    static bool (*const resolvers[NODE_KINDS])(struct compiler *, struct node *,
                                               const struct scope *) = {
        [NODE_DOLLAR] = resolve_variable,   [NODE_NAME] = resolve_call,
        [NODE_BIND] = resolve_scoped,       [NODE_REDUCE] = resolve_scoped,
        [NODE_FOREACH] = resolve_scoped,    [NODE_STEP] = resolve_step,
        [NODE_LABEL] = resolve_label,       [NODE_BREAK] = resolve_break,
        [NODE_DEFINE] = resolve_definition,
    };
    return resolvers[node->kind] != NULL ? resolvers[node->kind](compiler, node, scope)
                                         : resolve_children(compiler, node, scope);
}

static bool children_are_plain(const struct node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (!node->child[i]->is_plain)
            return false;
    }
    return true;
}

static bool is_plain(const struct node *node)
{
    enum { NEVER, ALWAYS, CHILDREN };
    static const uint8_t plain[] = {
#define NODE_KIND(name, plain, follows_paths) [NODE_##name] = plain,
#include "workflow/expression/nodes.def"
#undef NODE_KIND
    };
    if (node->kind == NODE_ARRAY && node->child[0]->kind == NODE_EMPTY)
        return true;
    if (plain[node->kind] != CHILDREN)
        return plain[node->kind] == ALWAYS;
    return !node->is_optional && children_are_plain(node);
}

/* Macros deepen what the parser counted, by a few levels each. */
enum { RESOLVE_DEPTH_MAX = 4 * EXPRESSION_DEPTH_MAX };

static bool resolve(struct compiler *compiler, struct node *node, const struct scope *scope)
{
    if (compiler->depth == RESOLVE_DEPTH_MAX)
        return fail_limit(compiler, "the expression nests too deeply");
    compiler->depth++;
    const bool is_resolved = resolve_kind(compiler, node, scope);
    compiler->depth--;
    if (is_resolved)
        node->is_plain = is_plain(node);
    return is_resolved;
}

static enum pawl_error compile(struct compiler *compiler, struct bytes text,
                               const struct expression **expression_out)
{
    static const struct scope root = {.kind = SCOPE_ROOT};
    struct parser parser;
    struct expression *expression = ARENA_NEW(compiler->arena, struct expression);
    if (expression == NULL)
        return diag_fail(compiler->diag, PAWL_E_LIMIT, "no memory for the expression");
    struct node *program = parser_parse(&parser, text, compiler->arena, compiler->diag);
    if (program == NULL)
        return parser.error;
    if (!resolve(compiler, program, &root))
        return compiler->error;
    *expression = (struct expression){program, compiler->slots_used};
    *expression_out = expression;
    return PAWL_OK;
}

enum pawl_error expression_compile(struct bytes text, const struct expression_names *names,
                                   struct arena *arena, const struct expression **expression_out,
                                   struct pawl_diag *diag)
{
    if (text.size > EXPRESSION_BYTES_MAX)
        return diag_fail(diag, PAWL_E_LIMIT, "the expression is longer than %zu bytes",
                         EXPRESSION_BYTES_MAX);
    /* The program keeps views into its text. */
    const struct bytes copy = arena_copy(arena, text);
    if (copy.size > 0 && copy.data == NULL)
        return diag_fail(diag, PAWL_E_LIMIT, "no memory for the expression");
    struct compiler compiler = {.arena = arena, .diag = diag, .text = copy, .names = names};
    return compile(&compiler, bytes_of(copy.data, text.size), expression_out);
}

uint64_t expression_slots_used(const struct expression *expression)
{
    return expression->slots_used;
}
