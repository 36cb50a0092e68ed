/* Expressions and templates of a document.
 *
 * 1. Inside `${ }` braces pair, except in jq's strings and comments.
 * 2. Which variables an expression may name depends on where it stands (the language's table of
 * runtime expression arguments); a name that is not allowed there is an error of the text.
 */
#include "workflow/compile.h"

#define BIT(slot) ((uint64_t)1 << (slot))

static uint64_t place_slots(enum expression_place place)
{
    const uint64_t always = BIT(SLOT_WORKFLOW) | BIT(SLOT_RUNTIME);
    switch (place) {
    case PLACE_WORKFLOW_INPUT:
        return always;
    case PLACE_WORKFLOW_OUTPUT:
        return always | BIT(SLOT_CONTEXT);
    case PLACE_TASK_BEGIN:
        return always | BIT(SLOT_CONTEXT) | BIT(SLOT_TASK);
    case PLACE_TASK:
    case PLACE_OUTPUT:
        return always | BIT(SLOT_CONTEXT) | BIT(SLOT_TASK) | BIT(SLOT_INPUT);
    case PLACE_EXPORT:
    case PLACE_UNDO:
        return always | BIT(SLOT_CONTEXT) | BIT(SLOT_TASK) | BIT(SLOT_INPUT) | BIT(SLOT_OUTPUT);
    }
    return always;
}

static enum pawl_error expression_read(struct compile *compile, struct bytes node,
                                       struct bytes text, enum expression_place place,
                                       const struct expression **expression_out)
{
    static const char *const fixed[] = {"context", "input",    "output",
                                        "task",    "workflow", "runtime"};
    const char *names[SLOT_ERROR_FIRST + TASK_DEPTH_MAX + 1];
    uint64_t allowed = place_slots(place);
    for (size_t slot = 0; slot < SLOT_ERROR_FIRST; slot++)
        names[slot] = (allowed & BIT(slot)) != 0 ? fixed[slot] : "";
    for (uint32_t i = 0; i < compile->error_count; i++) {
        names[SLOT_ERROR_FIRST + i] = compile->error_names[i];
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(compile->error_names[k], compile->error_names[i]) == 0)
                names[SLOT_ERROR_FIRST + k] = ""; /* the inner catch hides the outer one's name */
    }
    struct expression_names known = {names, SLOT_ERROR_FIRST + compile->error_count};
    struct pawl_diag diag = {.line = 0};
    enum pawl_error error = expression_compile(text, &known, compile->arena, expression_out, &diag);
    if (error == PAWL_OK || error == PAWL_E_NO_MEMORY)
        return error;
    return compile_fail(compile, node, error,
                        "the expression '%.*s': %s (line %d, column %d of it)", TEXT_OF(text),
                        diag.text, diag.line, diag.column);
}

/* One level of what may be open inside an expression. */
struct nesting {
    uint8_t open[128]; /* '{', '(' of an interpolation, '"' */
    size_t depth;
};

static bool nesting_push(struct nesting *nesting, uint8_t kind)
{
    if (nesting->depth == sizeof nesting->open)
        return false;
    nesting->open[nesting->depth++] = kind;
    return true;
}

/* Take the character at `at` inside a string; returns the place after it, or 0 past the depth. */
static size_t string_step(struct nesting *nesting, struct bytes text, size_t at)
{
    uint8_t c = text.data[at];
    if (c == '"')
        nesting->depth--;
    if (c != '\\' || at + 1 >= text.size)
        return at + 1;
    if (text.data[at + 1] == '(' && !nesting_push(nesting, '('))
        return 0;
    return at + 2;
}

static size_t code_step(struct nesting *nesting, struct bytes text, size_t at)
{
    uint8_t c = text.data[at];
    if (c == '#') {
        while (at < text.size && text.data[at] != '\n')
            at++;
        return at;
    }
    if ((c == '"' || c == '{' || c == '(') && !nesting_push(nesting, c))
        return 0;
    uint8_t inner = nesting->open[nesting->depth - 1];
    if ((c == '}' && inner == '{') || (c == ')' && inner == '('))
        nesting->depth--;
    return at + 1;
}

/* The place after the `}` that ends the `${` at begin; 0: none does. */
static size_t expression_end(struct bytes text, size_t begin)
{
    struct nesting nesting = {.open = {'{'}, .depth = 1};
    size_t at = begin + 2;
    while (at != 0 && at < text.size) {
        bool is_string = nesting.open[nesting.depth - 1] == '"';
        at = is_string ? string_step(&nesting, text, at) : code_step(&nesting, text, at);
        if (nesting.depth == 0)
            return at;
    }
    return 0;
}

static size_t expression_begin(struct bytes text, size_t from)
{
    for (size_t at = from; at + 1 < text.size; at++)
        if (text.data[at] == '$' && text.data[at + 1] == '{')
            return at;
    return text.size;
}

static struct bytes trimmed(struct bytes text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\n' || text.data[0] == '\t' ||
                             text.data[0] == '\r'))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size > 0) {
        uint8_t last = text.data[text.size - 1];
        if (last != ' ' && last != '\n' && last != '\t' && last != '\r')
            break;
        text.size--;
    }
    return text;
}

/* What is inside when the whole text is one `${ }`. */
static bool whole_expression(struct bytes text, struct bytes *inside_out)
{
    struct bytes bare = trimmed(text);
    if (bare.size < 3 || bare.data[0] != '$' || bare.data[1] != '{' ||
        expression_end(bare, 0) != bare.size)
        return false;
    *inside_out = bytes_of(bare.data + 2, bare.size - 3);
    return true;
}

enum pawl_error compile_expression(struct compile *compile, struct bytes node,
                                   enum expression_place place, const char *what,
                                   const struct expression **expression_out)
{
    struct bytes text;
    if (value_kind_of(node) ==
        VALUE_BOOL) { /* `if: true` reads as a boolean and is an expression too */
        struct value_head head;
        struct value_cursor cursor = value_cursor_of(node);
        TRY(value_next(&cursor, &head));
        text = head.boolean ? BYTES_LITERAL("true") : BYTES_LITERAL("false");
    } else {
        TRY(node_want_string(compile, node, what, &text));
    }
    struct bytes inside = text;
    (void)whole_expression(text, &inside);
    return expression_read(compile, node, inside, place, expression_out);
}

static enum pawl_error template_of_expression(struct compile *compile, struct bytes node,
                                              struct bytes text, enum expression_place place,
                                              struct template *out)
{
    out->kind = TEMPLATE_EXPRESSION;
    TRY(expression_read(compile, node, text, place, &out->expression));
    out->slots = expression_slots_used(out->expression);
    out->reads_dot = true;
    return PAWL_OK;
}

static void template_add(struct template *whole, const struct template *part)
{
    whole->slots |= part->slots;
    whole->reads_dot = whole->reads_dot || part->reads_dot;
}

static size_t text_part_count(struct bytes text)
{
    size_t count = 0;
    for (size_t at = 0; at < text.size;) {
        size_t begin = expression_begin(text, at);
        size_t end = begin < text.size ? expression_end(text, begin) : text.size;
        count += (begin > at) + (begin < text.size);
        if (end == 0)
            return count + 1;
        at = end;
    }
    return count;
}

/* A text with `${ }` inside it: literal parts and expressions by turns. */
static enum pawl_error template_of_text(struct compile *compile, struct bytes node,
                                        struct bytes text, enum expression_place place,
                                        struct template *out)
{
    size_t count = text_part_count(text);
    struct template *parts = arena_array(compile->arena, count, sizeof *parts);
    if (parts == NULL)
        return PAWL_E_NO_MEMORY;
    *out = (struct template){.kind = TEMPLATE_TEXT, .parts = parts};
    for (size_t at = 0; at < text.size;) {
        size_t begin = expression_begin(text, at);
        if (begin > at)
            parts[out->count++].value = bytes_of(text.data + at, begin - at);
        if (begin == text.size)
            break;
        size_t end = expression_end(text, begin);
        if (end == 0)
            return compile_fail(compile, node, PAWL_E_INVALID, "'${' is not closed by a '}'");
        struct template *part = &parts[out->count++];
        struct bytes inside = bytes_of(text.data + begin + 2, end - begin - 3);
        TRY(template_of_expression(compile, node, inside, place, part));
        template_add(out, part);
        at = end;
    }
    return PAWL_OK;
}

static enum pawl_error template_read(struct compile *compile, struct bytes node,
                                     enum expression_place place, struct template *out);

static enum pawl_error template_of_array(struct compile *compile, struct bytes node,
                                         enum expression_place place, struct template *out)
{
    struct node_elements elements = node_elements_of(node);
    struct template *parts = arena_array(compile->arena, elements.left, sizeof *parts);
    if (parts == NULL)
        return PAWL_E_NO_MEMORY;
    *out = (struct template){.kind = TEMPLATE_ARRAY, .value = node, .parts = parts};
    struct bytes element;
    while (node_element_next(&elements, &element)) {
        TRY(template_read(compile, element, place, &parts[out->count]));
        template_add(out, &parts[out->count++]);
    }
    return PAWL_OK;
}

static enum pawl_error template_of_map(struct compile *compile, struct bytes node,
                                       enum expression_place place, struct template *out)
{
    struct node_pairs pairs = node_pairs_of(node);
    struct template *parts = arena_array(compile->arena, pairs.left, sizeof *parts);
    struct bytes *keys = arena_array(compile->arena, pairs.left, sizeof *keys);
    if (parts == NULL || keys == NULL)
        return PAWL_E_NO_MEMORY;
    *out = (struct template){.kind = TEMPLATE_MAP, .value = node, .parts = parts, .keys = keys};
    struct node_pair pair;
    while (node_pair_next(&pairs, &pair)) {
        keys[out->count] = pair.key;
        TRY(template_read(compile, pair.value, place, &parts[out->count]));
        template_add(out, &parts[out->count++]);
    }
    return PAWL_OK;
}

static enum pawl_error template_of_string(struct compile *compile, struct bytes node,
                                          enum expression_place place, struct template *out)
{
    struct bytes text, inside;
    if (value_string(node, &text) && whole_expression(text, &inside))
        return template_of_expression(compile, node, inside, place, out);
    if (expression_begin(text, 0) < text.size)
        return template_of_text(compile, node, text, place, out);
    *out = (struct template){.kind = TEMPLATE_VALUE, .value = node};
    return PAWL_OK;
}

static enum pawl_error template_read(struct compile *compile, struct bytes node,
                                     enum expression_place place, struct template *out)
{
    enum value_kind kind = value_kind_of(node);
    if (kind == VALUE_STRING)
        TRY(template_of_string(compile, node, place, out));
    else if (kind == VALUE_ARRAY)
        TRY(template_of_array(compile, node, place, out));
    else if (kind == VALUE_MAP)
        TRY(template_of_map(compile, node, place, out));
    else
        *out = (struct template){.kind = TEMPLATE_VALUE, .value = node};
    if (!out->reads_dot) /* nothing inside is an expression: copied whole */
        *out = (struct template){.kind = TEMPLATE_VALUE, .value = node};
    return PAWL_OK;
}

enum pawl_error compile_template(struct compile *compile, struct bytes node,
                                 enum expression_place place, const struct template **template_out)
{
    struct template *template = ARENA_NEW(compile->arena, struct template);
    if (template == NULL)
        return PAWL_E_NO_MEMORY;
    TRY(template_read(compile, node, place, template));
    *template_out = template;
    return PAWL_OK;
}

enum pawl_error compile_filter(struct compile *compile, struct bytes node,
                               enum expression_place place, const char *what,
                               const struct template **template_out)
{
    if (value_kind_of(node) == VALUE_MAP)
        return compile_template(compile, node, place, template_out);
    if (value_kind_of(node) != VALUE_STRING)
        return compile_fail(compile, node, PAWL_E_INVALID,
                            "%s must be an expression or an object of expressions", what);
    struct template *template = ARENA_NEW(compile->arena, struct template);
    if (template == NULL)
        return PAWL_E_NO_MEMORY;
    struct bytes text;
    if (!value_string(node, &text))
        return PAWL_E_INTERNAL;
    struct bytes inside = text;
    (void)whole_expression(text, &inside);
    TRY(template_of_expression(compile, node, inside, place, template));
    *template_out = template;
    return PAWL_OK;
}
