/* Terms: what stands between operators, and their suffixes. */
#include "workflow/expression/number.h"
#include "workflow/expression/parser.h"

static struct node *identity(struct parser *parser)
{
    return node_new(parser, NODE_IDENTITY, 0, NULL);
}

static struct node *empty(struct parser *parser)
{
    return node_new(parser, NODE_EMPTY, 0, NULL);
}

static struct node *parse_number(struct parser *parser)
{
    struct datum number;
    if (!number_parse(parser->arena, parser->token.text, &number))
        return parser_fail(parser, "this is not a number");
    parser_advance(parser);
    return node_constant(parser, number);
}

static struct node *pipe_after(struct parser *parser, const char *keyword)
{
    struct node *node = parser_pipe(parser);
    return node != NULL && parser_expect(parser, keyword) ? node : NULL;
}

/* Behind `if` or `elif`. */
static struct node *parse_if(struct parser *parser)
{
    struct node *condition = pipe_after(parser, "then");
    struct node *then = condition != NULL ? parser_pipe(parser) : NULL;
    struct node *otherwise = NULL;
    if (then == NULL)
        return NULL;
    if (parser_skip(parser, "elif")) {
        if (++parser->depth > EXPRESSION_DEPTH_MAX)
            return parser_fail_limit(parser, "the expression nests too deeply");
        otherwise = parse_if(parser);
        parser->depth--;
    } else if (parser_skip(parser, "else")) {
        otherwise = pipe_after(parser, "end");
    } else if (parser_expect(parser, "end")) {
        otherwise = identity(parser);
    }
    return node_new(parser, NODE_IF, 3, (struct node *[]){condition, then, otherwise});
}

/* What `try` and `catch` take: a term, perhaps negated. */
static struct node *parse_tried(struct parser *parser)
{
    if (!parser_skip(parser, "-"))
        return parser_term(parser, false);
    return node_new(parser, NODE_NEGATE, 1, (struct node *[]){parser_term(parser, false)});
}

static struct node *parse_try(struct parser *parser)
{
    struct node *body = parse_tried(parser);
    if (body == NULL)
        return NULL;
    struct node *handler = parser_skip(parser, "catch") ? parse_tried(parser) : empty(parser);
    return node_new(parser, NODE_TRY, 2, (struct node *[]){body, handler});
}

/* The item is a binding; patterns take it apart before each step. */
static struct node *fold(struct parser *parser, enum node_kind kind,
                         const struct patterns *patterns, struct node *source, struct node *initial,
                         struct node *step)
{
    struct bytes item;
    if (step == NULL)
        return NULL;
    struct node *body = step;
    if (!patterns_are_one_name(patterns, &item)) {
        item = parser_hidden_name(parser);
        body = parser_bind(parser, node_named(parser, NODE_DOLLAR, item, 0, NULL), patterns, step);
    }
    step->name = item;
    return node_named(parser, kind, item, 3, (struct node *[]){source, initial, body});
}

/* Behind `reduce` or `foreach`: Term as Patterns (initial; update) or (initial; update; extract).
 */
static struct node *parse_fold(struct parser *parser, enum node_kind kind)
{
    struct node *source = parser_term(parser, false);
    if (source == NULL || !parser_expect(parser, "as"))
        return NULL;
    struct patterns *patterns = parser_patterns(parser);
    if (patterns == NULL || !parser_expect(parser, "("))
        return NULL;
    struct node *initial = pipe_after(parser, ";");
    struct node *part[2] = {initial != NULL ? parser_pipe(parser) : NULL, NULL};
    uint32_t part_count = 1;
    if (part[0] != NULL && kind == NODE_FOREACH && parser_skip(parser, ";"))
        part[part_count++] = parser_pipe(parser);
    if (parser->error != PAWL_OK || !parser_expect(parser, ")"))
        return NULL;
    return fold(parser, kind, patterns, source, initial,
                node_new(parser, NODE_STEP, part_count, part));
}

static struct node *parse_label(struct parser *parser)
{
    const struct bytes name = parser->token.text;
    if (parser->token.kind != TOKEN_DOLLAR)
        return parser_fail(parser, "expected the name of a label, like $out, here");
    parser_advance(parser);
    if (!parser_expect(parser, "|"))
        return NULL;
    return node_named(parser, NODE_LABEL, name, 1, (struct node *[]){parser_pipe(parser)});
}

static struct node *parse_break(struct parser *parser)
{
    struct node *node = node_named(parser, NODE_BREAK, parser->token.text, 0, NULL);
    if (parser->token.kind != TOKEN_DOLLAR)
        return parser_fail(parser, "expected the name of a label, like $out, here");
    parser_advance(parser);
    return node;
}

static struct node *parse_call(struct parser *parser)
{
    const struct token token = parser->token;
    struct node_list arguments = {NULL, 0, 0};
    parser_advance(parser);
    if (parser_skip(parser, "(")) {
        do {
            if (!node_list_add(parser, &arguments, parser_pipe(parser)))
                return NULL;
        } while (parser_skip(parser, ";"));
        if (!parser_expect(parser, ")"))
            return NULL;
    }
    struct node *node = node_named(parser, NODE_NAME, token.text, arguments.count, arguments.at);
    if (node != NULL)
        node->offset = token.offset;
    return node;
}

static struct node *constant_of(struct parser *parser, struct datum constant)
{
    parser_advance(parser);
    return node_constant(parser, constant);
}

static bool is_reserved(const struct parser *parser)
{
    static const char *const words[] = {"then", "elif", "else",   "end",     "as",     "catch",
                                        "and",  "or",   "import", "include", "__loc__"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (parser_is(parser, words[i]))
            return true;
    }
    return false;
}

static struct node *parse_word(struct parser *parser)
{
    if (parser_is(parser, "null"))
        return constant_of(parser, datum_null());
    if (parser_is(parser, "true"))
        return constant_of(parser, datum_bool(true));
    if (parser_is(parser, "false"))
        return constant_of(parser, datum_bool(false));
    if (parser_skip(parser, "if"))
        return parse_if(parser);
    if (parser_skip(parser, "try"))
        return parse_try(parser);
    if (parser_skip(parser, "reduce"))
        return parse_fold(parser, NODE_REDUCE);
    if (parser_skip(parser, "foreach"))
        return parse_fold(parser, NODE_FOREACH);
    if (parser_skip(parser, "label"))
        return parse_label(parser);
    if (parser_skip(parser, "break"))
        return parse_break(parser);
    if (is_reserved(parser))
        return parser_fail(parser, "this word cannot stand here");
    return parse_call(parser);
}

static struct node *parse_array(struct parser *parser)
{
    if (parser_skip(parser, "]"))
        return node_new(parser, NODE_ARRAY, 1, (struct node *[]){empty(parser)});
    return node_new(parser, NODE_ARRAY, 1, (struct node *[]){pipe_after(parser, "]")});
}

/* $__loc__ is where it stands. */
static struct node *parse_location(struct parser *parser)
{
    int line;
    int column;
    lexer_place(parser->lexer.text, parser->token.offset, &line, &column);
    parser_advance(parser);
    return node_new(parser, NODE_OBJECT, 4,
                    (struct node *[]){node_text(parser, BYTES_LITERAL("file")),
                                      node_text(parser, BYTES_LITERAL("<top-level>")),
                                      node_text(parser, BYTES_LITERAL("line")),
                                      node_constant(parser, datum_integer(line))});
}

static struct node *parse_variable(struct parser *parser)
{
    const struct token token = parser->token;
    if (bytes_equal(token.text, BYTES_LITERAL("__loc__")))
        return parse_location(parser);
    parser_advance(parser);
    struct node *node = node_named(parser, NODE_DOLLAR, token.text, 0, NULL);
    if (node != NULL)
        node->offset = token.offset;
    return node;
}

static bool format_of(struct bytes name, enum format *format_out)
{
    static const char *const names[] = {"text", "json",   "csv",     "tsv",    "html",   "uri",
                                        "sh",   "base64", "base64d", "base32", "base32d"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (bytes_equal(name, bytes_string(names[i]))) {
            *format_out = (enum format)i;
            return true;
        }
    }
    return false;
}

/* @name, or @name "with \(parts)". */
static struct node *parse_format(struct parser *parser)
{
    enum format format;
    if (!format_of(parser->token.text, &format))
        return parser_fail(parser, "there is no such format");
    parser_advance(parser);
    if (parser->token.kind == TOKEN_QUOTE)
        return parser_string(parser, format);
    struct node *node = node_new(parser, NODE_FORMAT, 0, NULL);
    if (node != NULL)
        node->operation = (uint8_t)format;
    return node;
}

static struct node *parse_point(struct parser *parser)
{
    parser_advance(parser);
    if (parser->token.kind == TOKEN_QUOTE)
        return node_index(parser, parser_string(parser, FORMAT_TEXT), identity(parser));
    return identity(parser);
}

static struct node *parse_field(struct parser *parser, struct node *target)
{
    const struct bytes name = parser->token.text;
    parser_advance(parser);
    return node_index(parser, node_text(parser, name), target);
}

static struct node *parse_symbol(struct parser *parser)
{
    if (parser_is(parser, "."))
        return parse_point(parser);
    if (parser_skip(parser, ".."))
        return node_internal(parser, "recurse", 0, NULL);
    if (parser_skip(parser, "("))
        return pipe_after(parser, ")");
    if (parser_skip(parser, "["))
        return parse_array(parser);
    if (parser_skip(parser, "{"))
        return parser_object(parser);
    return parser_fail(parser, "expected a term here");
}

static struct node *parse_primary(struct parser *parser)
{
    switch (parser->token.kind) {
    case TOKEN_NAME:
        return parse_word(parser);
    case TOKEN_FIELD:
        return parse_field(parser, identity(parser));
    case TOKEN_DOLLAR:
        return parse_variable(parser);
    case TOKEN_FORMAT:
        return parse_format(parser);
    case TOKEN_NUMBER:
        return parse_number(parser);
    case TOKEN_QUOTE:
        return parser_string(parser, FORMAT_TEXT);
    case TOKEN_SYMBOL:
        return parse_symbol(parser);
    case TOKEN_END:
        return parser_fail(parser, "the expression ends too early");
    case TOKEN_WRONG:
        return parser_fail(parser, "no part of an expression begins with this character");
    }
    return NULL;
}

static struct node *slice(struct parser *parser, struct node *from, struct node *to,
                          struct node *target)
{
    if (!parser_expect(parser, "]"))
        return NULL;
    return node_new(parser, NODE_SLICE, 3, (struct node *[]){from, to, target});
}

static struct node *iterate(struct parser *parser, struct node *target)
{
    struct node *iterate = node_new(parser, NODE_ITERATE, 0, NULL);
    if (target->kind == NODE_IDENTITY)
        return iterate;
    return node_new(parser, NODE_PIPE, 2, (struct node *[]){target, iterate});
}

/* Behind "[" of a suffix: ] for all, from:to for a part, else a key. */
static struct node *parse_bracket(struct parser *parser, struct node *target)
{
    if (parser_skip(parser, "]"))
        return iterate(parser, target);
    if (parser_skip(parser, ":"))
        return slice(parser, node_constant(parser, datum_null()), parser_pipe(parser), target);
    struct node *key = parser_pipe(parser);
    if (key == NULL)
        return NULL;
    if (!parser_skip(parser, ":"))
        return parser_expect(parser, "]") ? node_index(parser, key, target) : NULL;
    struct node *to =
        parser_is(parser, "]") ? node_constant(parser, datum_null()) : parser_pipe(parser);
    return slice(parser, key, to, target);
}

/* `?` behind a step forgives the step alone, behind anything else (parentheses too) the whole term.
 */
static struct node *optional(struct parser *parser, struct node *node, bool is_group)
{
    struct node *step = node;
    if (node->kind == NODE_PIPE && node->child[node->count - 1]->kind == NODE_ITERATE)
        step = node->child[node->count - 1];
    const bool is_step =
        step->kind == NODE_INDEX || step->kind == NODE_SLICE || step->kind == NODE_ITERATE;
    if (is_group || !is_step || step->is_optional)
        return node_new(parser, NODE_TRY, 2, (struct node *[]){node, empty(parser)});
    step->is_optional = true;
    return node;
}

static struct node *parse_suffix_point(struct parser *parser, struct node *target)
{
    if (parser->token.kind == TOKEN_QUOTE)
        return node_index(parser, parser_string(parser, FORMAT_TEXT), target);
    return parser_expect(parser, "[") ? parse_bracket(parser, target) : NULL;
}

/* One suffix; NULL without an error when there is none. */
static struct node *parse_suffix(struct parser *parser, struct node *node, bool is_group)
{
    if (parser->token.kind == TOKEN_FIELD)
        return parse_field(parser, node);
    if (parser_skip(parser, "["))
        return parse_bracket(parser, node);
    if (parser_skip(parser, "."))
        return parse_suffix_point(parser, node);
    if (parser_skip(parser, "?"))
        return optional(parser, node, is_group);
    if (parser_is(parser, "?//")) {
        /* Outside of patterns this is "?" and "//". */
        parser->token.text = BYTES_LITERAL("//");
        return optional(parser, node, is_group);
    }
    return NULL;
}

static struct node *parse_as(struct parser *parser, struct node *source)
{
    struct patterns *patterns = parser_patterns(parser);
    if (patterns == NULL || !parser_expect(parser, "|"))
        return NULL;
    struct node *body = parser_pipe(parser);
    return body != NULL ? parser_bind(parser, source, patterns, body) : NULL;
}

struct node *parser_term(struct parser *parser, bool with_as)
{
    bool is_group = parser_is(parser, "(");
    struct node *node = parse_primary(parser);
    while (node != NULL) {
        struct node *longer = parse_suffix(parser, node, is_group);
        if (longer == NULL)
            break;
        node = longer;
        is_group = false;
    }
    if (parser->error != PAWL_OK)
        return NULL;
    if (with_as && parser_skip(parser, "as"))
        return parse_as(parser, node);
    return node;
}
