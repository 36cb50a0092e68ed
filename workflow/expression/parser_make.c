/* Strings, objects and patterns. */
#include "workflow/expression/parser.h"

static struct node *reversed_text(struct parser *parser, const struct node_list *parts,
                                  enum format format)
{
    for (uint32_t i = 0; i < parts->count / 2; i++) {
        struct node *swapped = parts->at[i];
        parts->at[i] = parts->at[parts->count - 1 - i];
        parts->at[parts->count - 1 - i] = swapped;
    }
    struct node *node = node_new(parser, NODE_TEXT, parts->count, parts->at);
    if (node != NULL)
        node->operation = (uint8_t)format;
    return node;
}

static bool string_part(struct parser *parser, struct node_list *parts, enum string_part *end_out)
{
    struct bytes text;
    const enum pawl_error error = lexer_string_part(&parser->lexer, parser->arena, &text, end_out);
    if (error == PAWL_E_LIMIT)
        return parser_fail_limit(parser, "no memory for the expression") != NULL;
    if (error != PAWL_OK)
        return parser_fail(parser, "this string has no end or a wrong escape") != NULL;
    return node_list_add(parser, parts, node_text(parser, text));
}

/* Literal text and expressions alternate, literal text at both ends. */
struct node *parser_string(struct parser *parser, enum format format)
{
    struct node_list parts = {NULL, 0, 0};
    enum string_part end;
    while (string_part(parser, &parts, &end)) {
        parser_advance(parser);
        if (end == STRING_ENDS)
            return parts.count == 1 ? parts.at[0] : reversed_text(parser, &parts, format);
        if (!node_list_add(parser, &parts, parser_pipe(parser)))
            return NULL;
        /* Not parser_expect: behind the parenthesis the string goes on, not the next token. */
        if (!parser_is(parser, ")"))
            return parser_fail(parser, "expected ) here");
    }
    return NULL;
}

/* A value in an object: terms with pipes between them, as jq has it. */
static struct node *parse_value(struct parser *parser)
{
    struct node_list list = {NULL, 0, 0};
    do {
        const bool is_negative = parser_skip(parser, "-");
        struct node *term = parser_term(parser, false);
        if (is_negative && term != NULL)
            term = node_new(parser, NODE_NEGATE, 1, (struct node *[]){term});
        if (!node_list_add(parser, &list, term))
            return NULL;
    } while (parser_skip(parser, "|"));
    return list.count == 1 ? list.at[0] : node_new(parser, NODE_PIPE, list.count, list.at);
}

static bool add_entry(struct parser *parser, struct node_list *entries, struct node *key,
                      struct node *value)
{
    return node_list_add(parser, entries, key) && node_list_add(parser, entries, value);
}

static bool entry_variable(struct parser *parser, struct node_list *entries)
{
    const struct bytes name = parser->token.text;
    struct node *variable = parser_term(parser, false);
    if (parser_skip(parser, ":"))
        return add_entry(parser, entries, variable, parse_value(parser));
    return add_entry(parser, entries, node_text(parser, name), variable);
}

static bool entry_name(struct parser *parser, struct node_list *entries)
{
    struct node *key = node_text(parser, parser->token.text);
    parser_advance(parser);
    if (parser_skip(parser, ":"))
        return add_entry(parser, entries, key, parse_value(parser));
    return add_entry(parser, entries, key, node_new(parser, NODE_SAME, 0, NULL));
}

static bool entry_string(struct parser *parser, struct node_list *entries)
{
    struct node *key = parser_term(parser, false);
    if (parser_skip(parser, ":"))
        return add_entry(parser, entries, key, parse_value(parser));
    return add_entry(parser, entries, key, node_new(parser, NODE_SAME, 0, NULL));
}

static bool entry_computed(struct parser *parser, struct node_list *entries)
{
    struct node *key = parser_pipe(parser);
    if (key == NULL || !parser_expect(parser, ")") || !parser_expect(parser, ":"))
        return false;
    return add_entry(parser, entries, key, parse_value(parser));
}

static bool parse_entry(struct parser *parser, struct node_list *entries)
{
    if (parser->token.kind == TOKEN_DOLLAR)
        return entry_variable(parser, entries);
    if (parser->token.kind == TOKEN_NAME)
        return entry_name(parser, entries);
    if (parser->token.kind == TOKEN_QUOTE || parser->token.kind == TOKEN_FORMAT)
        return entry_string(parser, entries);
    if (parser_skip(parser, "("))
        return entry_computed(parser, entries);
    return parser_fail(parser, "expected a key here") != NULL;
}

/* Behind "{". */
struct node *parser_object(struct parser *parser)
{
    struct node_list entries = {NULL, 0, 0};
    while (!parser_skip(parser, "}")) {
        if (!parse_entry(parser, &entries))
            return NULL;
        if (!parser_skip(parser, ",") && !parser_is(parser, "}"))
            return parser_fail(parser, "expected , or } here (a value with operators needs "
                                       "parentheses)");
    }
    return node_new(parser, NODE_OBJECT, entries.count, entries.at);
}

/* A pattern is a variable (no parts), or parts each reached by a key and perhaps named on the way.
 */
struct pattern {
    struct bytes name;       /* of the variable; empty: none */
    struct node **key;       /* of each part */
    struct pattern **part;   /* NULL: the part is only named */
    struct bytes *part_name; /* `$name: pattern`; empty: not named */
    uint32_t count, capacity;
};

struct patterns {
    struct pattern *at[16];
    uint32_t count;
};

static struct pattern *parse_pattern(struct parser *parser);

static bool pattern_grow(struct parser *parser, struct pattern *pattern)
{
    if (pattern->count < pattern->capacity)
        return true;
    const uint32_t capacity = pattern->capacity != 0 ? pattern->capacity * 2 : 4;
    struct node **key = arena_array(parser->arena, capacity, sizeof *key);
    struct pattern **part = arena_array(parser->arena, capacity, sizeof *part);
    struct bytes *part_name = arena_array(parser->arena, capacity, sizeof *part_name);
    if (key == NULL || part == NULL || part_name == NULL)
        return parser_fail_limit(parser, "no memory for the expression") != NULL;
    if (pattern->count > 0) {
        memcpy(key, pattern->key, pattern->count * sizeof *key);
        memcpy(part, pattern->part, pattern->count * sizeof *part);
        memcpy(part_name, pattern->part_name, pattern->count * sizeof *part_name);
    }
    pattern->key = key;
    pattern->part = part;
    pattern->part_name = part_name;
    pattern->capacity = capacity;
    return true;
}

static bool pattern_add(struct parser *parser, struct pattern *pattern, struct node *key,
                        struct bytes name, struct pattern *part)
{
    if (parser->error != PAWL_OK || key == NULL || !pattern_grow(parser, pattern))
        return false;
    pattern->key[pattern->count] = key;
    pattern->part_name[pattern->count] = name;
    pattern->part[pattern->count++] = part;
    return true;
}

static bool array_pattern(struct parser *parser, struct pattern *pattern)
{
    do {
        struct node *key = node_constant(parser, datum_integer(pattern->count));
        struct pattern *part = parse_pattern(parser);
        if (part == NULL || !pattern_add(parser, pattern, key, bytes_string(NULL), part))
            return false;
    } while (parser_skip(parser, ","));
    return parser_expect(parser, "]");
}

static struct node *pattern_key(struct parser *parser)
{
    if (parser->token.kind == TOKEN_NAME) {
        struct node *key = node_text(parser, parser->token.text);
        parser_advance(parser);
        return key;
    }
    if (parser->token.kind == TOKEN_QUOTE)
        return parser_string(parser, FORMAT_TEXT);
    if (!parser_skip(parser, "("))
        return parser_fail(parser, "expected a key here");
    struct node *key = parser_pipe(parser);
    return key != NULL && parser_expect(parser, ")") ? key : NULL;
}

static bool object_pattern_entry(struct parser *parser, struct pattern *pattern)
{
    if (parser->token.kind == TOKEN_DOLLAR) {
        const struct bytes name = parser->token.text;
        parser_advance(parser);
        struct pattern *part = parser_skip(parser, ":") ? parse_pattern(parser) : NULL;
        return pattern_add(parser, pattern, node_text(parser, name), name, part);
    }
    struct node *key = pattern_key(parser);
    if (key == NULL || !parser_expect(parser, ":"))
        return false;
    struct pattern *part = parse_pattern(parser);
    return part != NULL && pattern_add(parser, pattern, key, bytes_string(NULL), part);
}

static bool object_pattern(struct parser *parser, struct pattern *pattern)
{
    do {
        if (!object_pattern_entry(parser, pattern))
            return false;
    } while (parser_skip(parser, ","));
    return parser_expect(parser, "}");
}

static bool pattern_content(struct parser *parser, struct pattern *pattern)
{
    if (parser->token.kind == TOKEN_DOLLAR) {
        pattern->name = parser->token.text;
        parser_advance(parser);
        return true;
    }
    if (parser_skip(parser, "["))
        return array_pattern(parser, pattern);
    if (parser_skip(parser, "{"))
        return object_pattern(parser, pattern);
    return parser_fail(parser, "expected $name, [ or { here") != NULL;
}

static struct pattern *parse_pattern(struct parser *parser)
{
    struct pattern *pattern = ARENA_NEW(parser->arena, struct pattern);
    if (pattern == NULL || ++parser->depth > EXPRESSION_DEPTH_MAX) {
        parser_fail_limit(parser, "the expression nests too deeply");
        return NULL;
    }
    const bool is_whole = pattern_content(parser, pattern);
    parser->depth--;
    return is_whole ? pattern : NULL;
}

struct patterns *parser_patterns(struct parser *parser)
{
    struct patterns *patterns = ARENA_NEW(parser->arena, struct patterns);
    if (patterns == NULL) {
        parser_fail_limit(parser, "no memory for the expression");
        return NULL;
    }
    do {
        if (patterns->count == sizeof patterns->at / sizeof *patterns->at) {
            parser_fail_limit(parser, "too many alternatives of ?//");
            return NULL;
        }
        struct pattern *pattern = parse_pattern(parser);
        if (pattern == NULL)
            return NULL;
        patterns->at[patterns->count++] = pattern;
    } while (parser_skip(parser, "?//"));
    return patterns;
}

bool patterns_are_one_name(const struct patterns *patterns, struct bytes *name_out)
{
    *name_out = patterns->at[0]->name;
    return patterns->count == 1 && name_out->size > 0;
}

static struct node *bind_name(struct parser *parser, struct node *source, struct bytes name,
                              struct node *body)
{
    return node_named(parser, NODE_BIND, name, 2, (struct node *[]){source, body});
}

static struct node *variable(struct parser *parser, struct bytes name)
{
    return node_named(parser, NODE_DOLLAR, name, 0, NULL);
}

static struct node *bind_pattern(struct parser *parser, struct node *source,
                                 const struct pattern *pattern, struct node *body);

/* source as $whole | $whole[key] as part | ... | body, built from the last part to the first. */
static struct node *bind_parts(struct parser *parser, struct node *source,
                               const struct pattern *pattern, struct node *body)
{
    const struct bytes whole = parser_hidden_name(parser);
    for (uint32_t i = pattern->count; i-- > 0 && body != NULL;) {
        const struct bytes name = pattern->part_name[i];
        struct node *found = node_index(parser, pattern->key[i], variable(parser, whole));
        if (name.size == 0) {
            body = bind_pattern(parser, found, pattern->part[i], body);
            continue;
        }
        if (pattern->part[i] != NULL)
            body = bind_pattern(parser, variable(parser, name), pattern->part[i], body);
        body = bind_name(parser, found, name, body);
    }
    return bind_name(parser, source, whole, body);
}

static struct node *bind_pattern(struct parser *parser, struct node *source,
                                 const struct pattern *pattern, struct node *body)
{
    if (source == NULL || body == NULL)
        return NULL;
    if (pattern->name.size > 0)
        return bind_name(parser, source, pattern->name, body);
    return bind_parts(parser, source, pattern, body);
}

struct names {
    struct bytes at[64];
    uint32_t count;
};

static bool names_add(struct parser *parser, struct names *names, struct bytes name)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (bytes_equal(names->at[i], name))
            return true;
    }
    if (names->count == sizeof names->at / sizeof *names->at)
        return parser_fail_limit(parser, "too many variables in ?// alternatives") != NULL;
    names->at[names->count++] = name;
    return true;
}

static bool names_of(struct parser *parser, struct names *names, const struct pattern *pattern)
{
    if (pattern->name.size > 0)
        return names_add(parser, names, pattern->name);
    for (uint32_t i = 0; i < pattern->count; i++) {
        if (pattern->part_name[i].size > 0 && !names_add(parser, names, pattern->part_name[i]))
            return false;
        if (pattern->part[i] != NULL && !names_of(parser, names, pattern->part[i]))
            return false;
    }
    return true;
}

/* The body as a function of all variables, so that every alternative can call it: name as $name |
 * body. */
static struct function *body_function(struct parser *parser, const struct names *names,
                                      struct node *body)
{
    struct function *function = ARENA_NEW(parser->arena, struct function);
    struct bytes *parameter = arena_array(parser->arena, names->count, sizeof *parameter);
    if (function == NULL || parameter == NULL) {
        parser_fail_limit(parser, "no memory for the expression");
        return NULL;
    }
    for (uint32_t i = names->count; i-- > 0;) {
        parameter[i] = parser_hidden_name(parser);
        struct node *closure = node_named(parser, NODE_NAME, parameter[i], 0, NULL);
        body = bind_name(parser, closure, names->at[i], body);
    }
    *function = (struct function){.name = parser_hidden_name(parser),
                                  .parameter_count = names->count,
                                  .parameter = parameter,
                                  .body = body};
    return body != NULL ? function : NULL;
}

/* pattern binds its own variables; the others are null. */
static struct node *alternative(struct parser *parser, struct bytes item,
                                const struct pattern *pattern, const struct names *all,
                                const struct function *function)
{
    struct names own = {.count = 0};
    struct node_list arguments = {NULL, 0, 0};
    if (!names_of(parser, &own, pattern))
        return NULL;
    for (uint32_t i = 0; i < all->count; i++) {
        const uint32_t own_count = own.count;
        if (!names_add(parser, &own, all->at[i]))
            return NULL;
        const bool is_own = own.count == own_count;
        own.count = own_count;
        struct node *argument =
            is_own ? variable(parser, all->at[i]) : node_constant(parser, datum_null());
        if (!node_list_add(parser, &arguments, argument))
            return NULL;
    }
    struct node *call =
        node_named(parser, NODE_NAME, function->name, arguments.count, arguments.at);
    return bind_pattern(parser, variable(parser, item), pattern, call);
}

struct node *parser_bind(struct parser *parser, struct node *source,
                         const struct patterns *patterns, struct node *body)
{
    struct names all = {.count = 0};
    if (patterns->count == 1)
        return bind_pattern(parser, source, patterns->at[0], body);
    for (uint32_t i = 0; i < patterns->count; i++) {
        if (!names_of(parser, &all, patterns->at[i]))
            return NULL;
    }
    struct function *function = body_function(parser, &all, body);
    const struct bytes item = parser_hidden_name(parser);
    struct node *tried = NULL;
    for (uint32_t i = patterns->count; i-- > 0 && function != NULL;) {
        struct node *next = alternative(parser, item, patterns->at[i], &all, function);
        tried = tried == NULL
                    ? next
                    : node_new(parser, NODE_TRY_PATTERN, 2, (struct node *[]){next, tried});
        if (tried == NULL)
            return NULL;
    }
    if (function == NULL)
        return NULL;
    struct node *define =
        node_new(parser, NODE_DEFINE, 2, (struct node *[]){tried, function->body});
    if (define == NULL)
        return NULL;
    define->count = 1;
    define->function = function;
    return bind_name(parser, source, item, define);
}
