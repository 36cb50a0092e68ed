/* Compiling a definition: what the readers of its parts share. Private to definition.c and the
 * compile_*.c files.
 *
 * 1. A node is a value inside the document; its place in the text is found by its offset.
 * 2. Every reader either fills its outs or returns an error whose diag says where and what was
 * expected.
 */
#ifndef PAWL_WORKFLOW_COMPILE_H
#define PAWL_WORKFLOW_COMPILE_H

#include "proto/limits.h"
#include "proto/yaml.h"
#include "workflow/task.h"

struct compile {
    struct definition *definition;
    struct arena *arena; /* the definition's */
    struct bytes document;
    const struct yaml_places *places; /* NULL: the text is not at hand */
    struct pawl_diag *diag;
    struct bytes errors, functions, retries, timeouts; /* the maps of `use`; empty: none */
    struct task *tasks[DEFINITION_TASKS_MAX];
    uint32_t task_count;
    uint32_t depth;
    const char *error_names[TASK_DEPTH_MAX + 1]; /* variables of the enclosing catches */
    uint32_t error_count;
    struct definition_warning *warnings;
    size_t warning_count, warning_capacity;
};

/* --- compile_node.c: maps, keys, kinds and places --- */

/* A key that a map may have. refusal: the language has it and pawl does not run it; why. */
struct key_rule {
    const char *name;
    const char *refusal;
};

/* Write a sentence with the node's place into the diag and return error. */
enum pawl_error compile_fail(const struct compile *compile, struct bytes node,
                             enum pawl_error error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Note something that is allowed and probably not meant. PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error compile_warn(struct compile *compile, struct bytes node,
                                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The pairs of a map, one after the other. */
struct node_pairs {
    struct value_cursor cursor;
    uint32_t left;
};
struct node_pair {
    struct bytes key_node, key, value;
};
struct node_pairs node_pairs_of(struct bytes map);
bool node_pair_next(struct node_pairs *pairs, struct node_pair *pair_out);
/* The elements of an array. */
struct node_elements {
    struct value_cursor cursor;
    uint32_t left;
};
struct node_elements node_elements_of(struct bytes array);
bool node_element_next(struct node_elements *elements, struct bytes *element_out);

/* what: how a message calls the node, as "the retry policy". PAWL_E_INVALID for another kind. */
MUST_USE enum pawl_error node_want_map(const struct compile *compile, struct bytes node,
                                       const char *what);
MUST_USE enum pawl_error node_want_array(const struct compile *compile, struct bytes node,
                                         const char *what);
MUST_USE enum pawl_error node_want_string(const struct compile *compile, struct bytes node,
                                          const char *what, struct bytes *text_out);
MUST_USE enum pawl_error node_want_integer(const struct compile *compile, struct bytes node,
                                           const char *what, int64_t *integer_out);
/* Is a map and has no keys but those of rules (ended by a NULL name). */
MUST_USE enum pawl_error node_want_keys(const struct compile *compile, struct bytes node,
                                        const char *what, const struct key_rule *rules);
/* The child at key; false: absent. */
bool node_get(struct bytes map, const char *key, struct bytes *child_out);
/* The key itself as a node, for messages about it; the map when it is absent. */
struct bytes node_key(struct bytes map, const char *key);
/* A node that must be there. */
MUST_USE enum pawl_error node_want(const struct compile *compile, struct bytes map,
                                   const char *what, const char *key, struct bytes *child_out);
/* The candidate nearest to a mistyped word as ", did you mean 'x'?", or "". */
struct suggestion {
    size_t distance;
    char text[96];
};
void suggestion_begin(struct suggestion *suggestion);
void suggestion_offer(struct suggestion *suggestion, struct bytes typed, struct bytes candidate);
/* precision and pointer for %.*s */
#define TEXT_OF(bytes) (int)utf8_cut(bytes, 120).size, (const char *)(bytes).data

/* --- compile_template.c: expressions and templates --- */

/* Where an expression stands decides which variables it may name. */
enum expression_place {
    PLACE_WORKFLOW_INPUT,
    PLACE_WORKFLOW_OUTPUT,
    PLACE_TASK_BEGIN, /* if, input.from */
    PLACE_TASK,
    PLACE_OUTPUT,
    PLACE_EXPORT,
    PLACE_UNDO, /* arguments of a compensation */
};

/* A field that is always an expression; `${ }` around it is optional. */
MUST_USE enum pawl_error compile_expression(struct compile *compile, struct bytes node,
                                            enum expression_place place, const char *what,
                                            const struct expression **expression_out);
/* A value with expressions in it. */
MUST_USE enum pawl_error compile_template(struct compile *compile, struct bytes node,
                                          enum expression_place place,
                                          const struct template **template_out);
/* input.from, output.as, export.as: a string is an expression, an object a template. */
MUST_USE enum pawl_error compile_filter(struct compile *compile, struct bytes node,
                                        enum expression_place place, const char *what,
                                        const struct template **template_out);

/* --- compile_policy.c: durations, timeouts, retries, errors --- */

MUST_USE enum pawl_error compile_duration(struct compile *compile, struct bytes node,
                                          const char *what, struct duration *duration_out);
/* `timeout` of a task or of the document, inline or by name. */
MUST_USE enum pawl_error compile_timeout(struct compile *compile, struct bytes node,
                                         struct duration *duration_out);
MUST_USE enum pawl_error compile_retry(struct compile *compile, struct bytes node,
                                       const struct retry_policy **policy_out);
MUST_USE enum pawl_error compile_error(struct compile *compile, struct bytes node,
                                       const struct error_spec **error_out);
MUST_USE enum pawl_error compile_error_filter(struct compile *compile, struct bytes node,
                                              struct error_filter *filter_out);

/* --- compile_flow.c --- */

MUST_USE enum pawl_error compile_flow(struct compile *compile, struct bytes node,
                                      struct flow *flow_out);
/* Find the tasks that the flows of one list name; first: its first task. */
MUST_USE enum pawl_error compile_flows_resolve(struct compile *compile, uint32_t first);
MUST_USE enum pawl_error compile_switch(struct compile *compile, struct bytes node,
                                        struct task *task);

/* --- compile_call.c --- */

MUST_USE enum pawl_error compile_call(struct compile *compile, struct bytes node,
                                      struct task *task);
/* A function by name as written: the step type and the arguments that use.functions gives it
 * (empty: none). */
struct function_use {
    struct bytes type;
    struct bytes with;
};
MUST_USE enum pawl_error compile_function(struct compile *compile, struct bytes node,
                                          struct function_use *use_out);
/* Arguments of a call: those of the function with those of the call over them. NULL: neither has
 * any. */
MUST_USE enum pawl_error compile_arguments(struct compile *compile, const struct function_use *use,
                                           struct bytes with, enum expression_place place,
                                           const struct template **template_out);
/* metadata of a task. */
MUST_USE enum pawl_error compile_task_metadata(struct compile *compile, struct bytes node,
                                               struct task *task);

/* --- compile_task.c --- */

/* A list of tasks; first_out 0: it is empty. */
MUST_USE enum pawl_error compile_list(struct compile *compile, struct bytes node, uint32_t owner,
                                      const char *pointer_part, uint32_t *first_out);
/* What ends its list: input, output, export and timeout of task or document. */
MUST_USE enum pawl_error compile_data_flow(struct compile *compile, struct bytes node,
                                           struct task *task);

/* --- compile_document.c --- */

MUST_USE enum pawl_error compile_document(struct compile *compile);

#endif
