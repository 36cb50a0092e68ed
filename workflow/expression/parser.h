/* Parser: the text of an expression as nodes, jq 1.7's grammar without modules.
 *
 * 1. Recursive descent with a counted depth; deeper than EXPRESSION_DEPTH_MAX is PAWL_E_LIMIT, in
 * the text and in the nodes made from it.
 * 2. Sugar ends here: destructuring becomes bindings, assignments become calls of the prelude,
 * `$parameters` become a closure and a binding.
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_PARSER_H
#define PAWL_WORKFLOW_EXPRESSION_PARSER_H

#include "workflow/expression/lexer.h"
#include "workflow/expression/node.h"

struct parser {
    struct lexer lexer;
    struct token token; /* the one to look at next */
    struct arena *arena;
    struct pawl_diag *diag;
    enum pawl_error error;
    uint32_t depth;
    uint32_t hidden_count; /* names made up so far */
};

/* The program, or NULL with parser->error and diag set. */
struct node *parser_parse(struct parser *parser, struct bytes text, struct arena *arena,
                          struct pawl_diag *diag);

/* One `def ...;`, for the prelude. NULL: as above. */
struct function *parser_parse_function(struct parser *parser, struct bytes text,
                                       struct arena *arena, struct pawl_diag *diag);

/* For the parser's own files. Every function that returns a node returns NULL after a failure. */

struct node_list {
    struct node **at;
    uint32_t count, capacity;
};
bool node_list_add(struct parser *parser, struct node_list *list, struct node *node);

struct node *node_new(struct parser *parser, enum node_kind kind, uint32_t child_count,
                      struct node *const *child);
struct node *node_constant(struct parser *parser, struct datum constant);
struct node *node_text(struct parser *parser, struct bytes text);
struct node *node_named(struct parser *parser, enum node_kind kind, struct bytes name,
                        uint32_t child_count, struct node *const *child);
/* A call of a function of the prelude that programs cannot name. */
struct node *node_internal(struct parser *parser, const char *name, uint32_t child_count,
                           struct node *const *child);
struct node *node_index(struct parser *parser, struct node *key, struct node *target);

/* Always NULL. */
struct node *parser_fail(struct parser *parser, const char *message);
struct node *parser_fail_limit(struct parser *parser, const char *message);
bool parser_is(const struct parser *parser, const char *symbol_or_keyword);
bool parser_skip(struct parser *parser, const char *symbol_or_keyword);
bool parser_expect(struct parser *parser, const char *symbol_or_keyword);
void parser_advance(struct parser *parser);
struct bytes parser_hidden_name(struct parser *parser);

/* With `|`, `def` and everything else. */
struct node *parser_pipe(struct parser *parser);
/* A term with its suffixes; with_as: it may go on with `as`. */
struct node *parser_term(struct parser *parser, bool with_as);
/* The token is `"`. */
struct node *parser_string(struct parser *parser, enum format format);
struct node *parser_object(struct parser *parser);

/* What stands behind `as`: one pattern, or several with ?// between them. */
struct patterns;
struct patterns *parser_patterns(struct parser *parser);
/* source as patterns | body. */
struct node *parser_bind(struct parser *parser, struct node *source,
                         const struct patterns *patterns, struct node *body);
/* Whether the patterns are just $name. */
bool patterns_are_one_name(const struct patterns *patterns, struct bytes *name_out);

#endif
