#include "workflow/expression/parser.h"

struct node *parser_fail(struct parser *parser, const char *message)
{
    if (parser->error != PAWL_OK)
        return NULL;
    parser->error = diag_fail(parser->diag, PAWL_E_INVALID, "%s", message);
    if (parser->diag != NULL)
        lexer_place(parser->lexer.text, parser->token.offset, &parser->diag->line,
                    &parser->diag->column);
    return NULL;
}

struct node *parser_fail_limit(struct parser *parser, const char *message)
{
    if (parser->error == PAWL_OK)
        parser->error = diag_fail(parser->diag, PAWL_E_LIMIT, "%s", message);
    return NULL;
}

bool node_list_add(struct parser *parser, struct node_list *list, struct node *node)
{
    if (node == NULL)
        return false;
    if (list->count == list->capacity) {
        const uint32_t capacity = list->capacity != 0 ? list->capacity * 2 : 4;
        struct node **at = arena_array(parser->arena, capacity, sizeof *at);
        if (at == NULL)
            return parser_fail_limit(parser, "no memory for the expression") != NULL;
        if (list->count > 0)
            memcpy(at, list->at, list->count * sizeof(struct node *));
        list->at = at;
        list->capacity = capacity;
    }
    list->at[list->count++] = node;
    return true;
}

struct node *node_new(struct parser *parser, enum node_kind kind, uint32_t child_count,
                      struct node *const *child)
{
    struct node *node = ARENA_NEW(parser->arena, struct node);
    struct node **children = NULL;
    uint16_t depth = 0;
    if (child_count > 0)
        children = arena_array(parser->arena, child_count, sizeof *children);
    if (node == NULL || (child_count > 0 && children == NULL))
        return parser_fail_limit(parser, "no memory for the expression");
    for (uint32_t i = 0; i < child_count; i++) {
        if (child[i] == NULL)
            return NULL;
        children[i] = child[i];
        depth = child[i]->depth > depth ? child[i]->depth : depth;
    }
    if (depth >= EXPRESSION_DEPTH_MAX)
        return parser_fail_limit(parser, "the expression nests too deeply");
    *node = (struct node){.kind = (uint8_t)kind,
                          .depth = (uint16_t)(depth + 1),
                          .count = child_count,
                          .offset = parser->token.offset,
                          .child = children};
    return node;
}

struct node *node_constant(struct parser *parser, struct datum constant)
{
    struct node *node = node_new(parser, NODE_CONSTANT, 0, NULL);
    if (node != NULL)
        node->constant = constant;
    return node;
}

struct node *node_text(struct parser *parser, struct bytes text)
{
    return node_constant(parser, datum_text(text));
}

struct node *node_named(struct parser *parser, enum node_kind kind, struct bytes name,
                        uint32_t child_count, struct node *const *child)
{
    struct node *node = node_new(parser, kind, child_count, child);
    if (node != NULL)
        node->name = name;
    return node;
}

struct node *node_internal(struct parser *parser, const char *name, uint32_t child_count,
                           struct node *const *child)
{
    struct node *node = node_named(parser, NODE_NAME, bytes_string(name), child_count, child);
    if (node != NULL)
        node->is_internal = true;
    return node;
}

struct node *node_index(struct parser *parser, struct node *key, struct node *target)
{
    return node_new(parser, NODE_INDEX, 2, (struct node *[]){key, target});
}

void parser_advance(struct parser *parser)
{
    parser->token = lexer_next(&parser->lexer);
}

bool parser_is(const struct parser *parser, const char *symbol_or_keyword)
{
    const struct token *token = &parser->token;
    return (token->kind == TOKEN_SYMBOL || token->kind == TOKEN_NAME) &&
           bytes_equal(token->text, bytes_string(symbol_or_keyword));
}

bool parser_skip(struct parser *parser, const char *symbol_or_keyword)
{
    if (parser->error != PAWL_OK || !parser_is(parser, symbol_or_keyword))
        return false;
    parser_advance(parser);
    return true;
}

bool parser_expect(struct parser *parser, const char *symbol_or_keyword)
{
    if (parser_skip(parser, symbol_or_keyword))
        return true;
    if (parser->error == PAWL_OK) {
        parser_fail(parser, "");
        diag_fail(parser->diag, PAWL_E_INVALID, "expected %s here", symbol_or_keyword);
    }
    return false;
}

struct bytes parser_hidden_name(struct parser *parser)
{
    /* No identifier begins with a digit, so these collide with nothing. */
    uint8_t *name = arena_alloc(parser->arena, sizeof(uint32_t) + 1);
    if (name == NULL) {
        parser_fail_limit(parser, "no memory for the expression");
        return bytes_string(NULL);
    }
    name[0] = '0';
    be32_put(name + 1, parser->hidden_count++);
    return bytes_of(name, sizeof(uint32_t) + 1);
}

enum binary {
    BINARY_ALTERNATIVE,
    BINARY_ASSIGN,      /* a prelude call of target and value */
    BINARY_ASSIGN_WITH, /* value bound first, then an update of the target by the operator */
    BINARY_OR,
    BINARY_AND,
    BINARY_OPERATE,
};

struct binary_operator {
    const char *symbol;
    enum binary binary;
    uint8_t level;
    uint8_t operation;
};

enum {
    LEVEL_ALTERNATIVE,
    LEVEL_ASSIGN,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_COMPARE,
    LEVEL_SUM,
    LEVEL_PRODUCT
};

static const struct binary_operator *binary_operator(const struct parser *parser)
{
    static const struct binary_operator operators[] = {
        {"//", BINARY_ALTERNATIVE, LEVEL_ALTERNATIVE, 0},
        {"=", BINARY_ASSIGN, LEVEL_ASSIGN, 0},
        {"|=", BINARY_ASSIGN, LEVEL_ASSIGN, 1},
        {"//=", BINARY_ASSIGN, LEVEL_ASSIGN, 2},
        {"+=", BINARY_ASSIGN_WITH, LEVEL_ASSIGN, OPERATE_ADD},
        {"-=", BINARY_ASSIGN_WITH, LEVEL_ASSIGN, OPERATE_SUBTRACT},
        {"*=", BINARY_ASSIGN_WITH, LEVEL_ASSIGN, OPERATE_MULTIPLY},
        {"/=", BINARY_ASSIGN_WITH, LEVEL_ASSIGN, OPERATE_DIVIDE},
        {"%=", BINARY_ASSIGN_WITH, LEVEL_ASSIGN, OPERATE_REMAINDER},
        {"or", BINARY_OR, LEVEL_OR, 0},
        {"and", BINARY_AND, LEVEL_AND, 0},
        {"==", BINARY_OPERATE, LEVEL_COMPARE, OPERATE_EQUAL},
        {"!=", BINARY_OPERATE, LEVEL_COMPARE, OPERATE_UNEQUAL},
        {"<", BINARY_OPERATE, LEVEL_COMPARE, OPERATE_LESS},
        {"<=", BINARY_OPERATE, LEVEL_COMPARE, OPERATE_LESS_EQUAL},
        {">", BINARY_OPERATE, LEVEL_COMPARE, OPERATE_GREATER},
        {">=", BINARY_OPERATE, LEVEL_COMPARE, OPERATE_GREATER_EQUAL},
        {"+", BINARY_OPERATE, LEVEL_SUM, OPERATE_ADD},
        {"-", BINARY_OPERATE, LEVEL_SUM, OPERATE_SUBTRACT},
        {"*", BINARY_OPERATE, LEVEL_PRODUCT, OPERATE_MULTIPLY},
        {"/", BINARY_OPERATE, LEVEL_PRODUCT, OPERATE_DIVIDE},
        {"%", BINARY_OPERATE, LEVEL_PRODUCT, OPERATE_REMAINDER},
    };
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (parser_is(parser, operators[i].symbol))
            return &operators[i];
    }
    return NULL;
}

static struct node *operate(struct parser *parser, uint8_t operation, struct node *left,
                            struct node *right)
{
    struct node *node = node_new(parser, NODE_OPERATE, 2, (struct node *[]){right, left});
    if (node != NULL)
        node->operation = operation;
    return node;
}

/* target OP= value: value as $v | target |= (. OP $v). */
static struct node *assign_with(struct parser *parser, uint8_t operation, struct node *target,
                                struct node *value)
{
    const struct bytes name = parser_hidden_name(parser);
    struct node *variable = node_named(parser, NODE_DOLLAR, name, 0, NULL);
    struct node *update =
        operate(parser, operation, node_new(parser, NODE_IDENTITY, 0, NULL), variable);
    struct node *modify = node_internal(parser, "_modify", 2, (struct node *[]){target, update});
    return node_named(parser, NODE_BIND, name, 2, (struct node *[]){value, modify});
}

static struct node *binary(struct parser *parser, const struct binary_operator *operator,
                           struct node * left, struct node *right)
{
    static const char *const assignments[] = {"_assign", "_modify", "_assign_alternative"};
    struct node *const operands[] = {left, right};
    switch (operator->binary) {
    case BINARY_ALTERNATIVE:
        return node_new(parser, NODE_ALTERNATIVE, 2, operands);
    case BINARY_ASSIGN:
        return node_internal(parser, assignments[operator->operation], 2, operands);
    case BINARY_ASSIGN_WITH:
        return assign_with(parser, operator->operation, left, right);
    case BINARY_OR:
        return node_new(parser, NODE_OR, 2, operands);
    case BINARY_AND:
        return node_new(parser, NODE_AND, 2, operands);
    case BINARY_OPERATE:
        return operate(parser, operator->operation, left, right);
    }
    return NULL;
}

static struct node *parse_unary(struct parser *parser);

static struct node *parse_binary(struct parser *parser, uint8_t level_min)
{
    struct node *left = parse_unary(parser);
    while (left != NULL) {
        const struct binary_operator *operator= binary_operator(parser);
        if (operator== NULL || operator->level<level_min)
            break;
        parser_advance(parser);
        const bool is_right = operator->level == LEVEL_ALTERNATIVE;
        const bool is_single = operator->level == LEVEL_ASSIGN || operator->level == LEVEL_COMPARE;
        struct node *right =
            parse_binary(parser, is_right ? operator->level : (uint8_t)(operator->level + 1));
        left = binary(parser, operator, left, right);
        const struct binary_operator *next = binary_operator(parser);
        if (left != NULL && is_single && next != NULL && next->level == operator->level)
            return parser_fail(parser, "these operators do not chain; add parentheses");
    }
    return left;
}

static struct node *negate(struct parser *parser, struct node *operand)
{
    return node_new(parser, NODE_NEGATE, 1, (struct node *[]){operand});
}

static bool enter(struct parser *parser)
{
    if (parser->depth < EXPRESSION_DEPTH_MAX) {
        parser->depth++;
        return true;
    }
    parser_fail_limit(parser, "the expression nests too deeply");
    return false;
}

static struct node *parse_unary(struct parser *parser)
{
    struct node *node;
    if (!enter(parser))
        return NULL;
    if (parser_skip(parser, "-"))
        node = negate(parser, parse_binary(parser, LEVEL_PRODUCT));
    else if (parser_is(parser, "def"))
        node = parser_pipe(parser);
    else
        node = parser_term(parser, true);
    parser->depth--;
    return node;
}

static struct node *parse_comma(struct parser *parser)
{
    struct node_list list = {NULL, 0, 0};
    do {
        if (!node_list_add(parser, &list, parse_binary(parser, LEVEL_ALTERNATIVE)))
            return NULL;
    } while (parser_skip(parser, ","));
    return list.count == 1 ? list.at[0] : node_new(parser, NODE_COMMA, list.count, list.at);
}

static bool take_parameter(struct parser *parser, struct bytes *name_out, bool *is_value_out)
{
    if (parser->token.kind != TOKEN_NAME && parser->token.kind != TOKEN_DOLLAR)
        return parser_fail(parser, "expected the name of a parameter here") != NULL;
    *name_out = parser->token.text;
    *is_value_out = parser->token.kind == TOKEN_DOLLAR;
    parser_advance(parser);
    return true;
}

enum { PARAMETERS_MAX = 64 };

struct parameters {
    struct bytes name[PARAMETERS_MAX];
    bool is_value[PARAMETERS_MAX];
    uint32_t count;
};

static bool parse_parameters(struct parser *parser, struct parameters *parameters)
{
    parameters->count = 0;
    if (!parser_skip(parser, "("))
        return true;
    do {
        const uint32_t i = parameters->count;
        if (i == PARAMETERS_MAX)
            return parser_fail_limit(parser, "a function has too many parameters") != NULL;
        if (!take_parameter(parser, &parameters->name[i], &parameters->is_value[i]))
            return false;
        parameters->count++;
    } while (parser_skip(parser, ";"));
    return parser_expect(parser, ")");
}

/* `$name` as a parameter is `name` and then `name as $name |` before the body. */
static struct node *bind_parameters(struct parser *parser, const struct parameters *parameters,
                                    struct node *body)
{
    for (uint32_t i = parameters->count; i-- > 0;) {
        if (!parameters->is_value[i])
            continue;
        struct node *closure = node_named(parser, NODE_NAME, parameters->name[i], 0, NULL);
        body =
            node_named(parser, NODE_BIND, parameters->name[i], 2, (struct node *[]){closure, body});
    }
    return body;
}

static struct function *function_new(struct parser *parser, struct bytes name,
                                     const struct parameters *parameters)
{
    struct function *function = ARENA_NEW(parser->arena, struct function);
    struct bytes *names = arena_array(parser->arena, parameters->count + 1, sizeof *names);
    if (function == NULL || names == NULL) {
        parser_fail_limit(parser, "no memory for the expression");
        return NULL;
    }
    memcpy(names, parameters->name, parameters->count * sizeof *names);
    *function =
        (struct function){.name = name, .parameter_count = parameters->count, .parameter = names};
    return function;
}

static struct function *parse_function(struct parser *parser)
{
    const struct bytes name = parser->token.text;
    struct parameters parameters;
    if (parser->token.kind != TOKEN_NAME) {
        parser_fail(parser, "expected the name of a function here");
        return NULL;
    }
    parser_advance(parser);
    if (!parse_parameters(parser, &parameters) || !parser_expect(parser, ":"))
        return NULL;
    struct function *function = function_new(parser, name, &parameters);
    struct node *body = function != NULL ? parser_pipe(parser) : NULL;
    if (body == NULL || !parser_expect(parser, ";"))
        return NULL;
    function->body = bind_parameters(parser, &parameters, body);
    return function->body != NULL ? function : NULL;
}

static struct node *define(struct parser *parser, struct function *function, struct node *body)
{
    struct node *node = node_new(parser, NODE_DEFINE, 2, (struct node *[]){body, function->body});
    if (node == NULL)
        return NULL;
    node->count = 1; /* the function's body counts for the depth, but is not evaluated here */
    node->function = function;
    return node;
}

/* A program may be definitions alone: their value is the input. */
static struct node *parse_definition(struct parser *parser)
{
    struct function *function = parse_function(parser);
    if (function == NULL)
        return NULL;
    struct node *body = parser->token.kind == TOKEN_END ? node_new(parser, NODE_IDENTITY, 0, NULL)
                                                        : parser_pipe(parser);
    return define(parser, function, body);
}

struct node *parser_pipe(struct parser *parser)
{
    struct node_list list = {NULL, 0, 0};
    struct node *node = NULL;
    if (!enter(parser))
        return NULL;
    do {
        node = parser_skip(parser, "def") ? parse_definition(parser) : parse_comma(parser);
        if (!node_list_add(parser, &list, node))
            return NULL;
    } while (parser_skip(parser, "|"));
    parser->depth--;
    return list.count == 1 ? list.at[0] : node_new(parser, NODE_PIPE, list.count, list.at);
}

struct node *parser_parse(struct parser *parser, struct bytes text, struct arena *arena,
                          struct pawl_diag *diag)
{
    *parser = (struct parser){.lexer = {.text = text}, .arena = arena, .diag = diag};
    if (!utf8_is_valid(text))
        return parser_fail(parser, "the expression is not UTF-8");
    parser_advance(parser);
    if (parser->token.kind == TOKEN_END)
        return node_new(parser, NODE_IDENTITY, 0, NULL);
    struct node *program = parser_pipe(parser);
    if (program != NULL && parser->token.kind != TOKEN_END)
        return parser_fail(parser, "unexpected text here");
    return program;
}

struct function *parser_parse_function(struct parser *parser, struct bytes text,
                                       struct arena *arena, struct pawl_diag *diag)
{
    *parser = (struct parser){.lexer = {.text = text}, .arena = arena, .diag = diag};
    parser_advance(parser);
    return parser_expect(parser, "def") ? parse_function(parser) : NULL;
}
