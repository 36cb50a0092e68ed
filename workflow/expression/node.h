/* Nodes: the parsed program, which is also what is evaluated.
 *
 * 1. The parser builds nodes with names; the compiler resolves the names and never changes a node
 * afterwards.
 * 2. Operands are evaluated in the order of child[], the first child being the outermost loop, as
 * jq nests its generators: an operator's right side stands before its left side, a function's last
 * argument before its first.
 * 3. A plain node gives exactly one output or an error and calls nothing recursive: it is evaluated
 * by a direct function (plain.c); everything else by the machine (machine.c).
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_NODE_H
#define PAWL_WORKFLOW_EXPRESSION_NODE_H

#include "workflow/expression/datum.h"

struct machine;

/* Each kind has a line in nodes.def, which says what its children are. */
enum node_kind {
#define NODE_KIND(name, plain, follows_paths) NODE_##name,
#include "workflow/expression/nodes.def"
#undef NODE_KIND
    NODE_KINDS,
};

enum operation {
    OPERATE_ADD,
    OPERATE_SUBTRACT,
    OPERATE_MULTIPLY,
    OPERATE_DIVIDE,
    OPERATE_REMAINDER,
    OPERATE_EQUAL,
    OPERATE_UNEQUAL,
    OPERATE_LESS,
    OPERATE_LESS_EQUAL,
    OPERATE_GREATER,
    OPERATE_GREATER_EQUAL,
};

enum format {
    FORMAT_TEXT,
    FORMAT_JSON,
    FORMAT_CSV,
    FORMAT_TSV,
    FORMAT_HTML,
    FORMAT_URI,
    FORMAT_SH,
    FORMAT_BASE64,
    FORMAT_BASE64D,
    FORMAT_BASE32,
    FORMAT_BASE32D,
};

/* A builtin in C: input and arguments (in their order) in, one output out. False: work says why. */
typedef bool (*native_function)(struct work *work, struct datum input,
                                const struct datum *arguments, struct datum *output_out);

enum { NATIVE_ARGUMENTS_MAX = 4 };

struct node;

/* A function of the program or of the prelude. */
struct function {
    struct bytes name;
    uint32_t parameter_count;
    struct bytes *parameter; /* closures; a call makes a binding of each, in this order */
    struct node *body;
};

struct node {
    uint8_t kind;      /* enum node_kind */
    uint8_t operation; /* enum operation, enum format */
    bool is_plain;
    bool is_optional; /* INDEX, SLICE, ITERATE: an error of theirs is no output */
    bool is_internal; /* NAME: made by the parser, of a function that only the prelude sees */
    uint16_t depth;   /* 1 + the deepest child */
    uint16_t hops;    /* bindings between here and the one meant */
    uint32_t count;   /* children */
    uint32_t offset;  /* in the text */
    struct node **child;
    struct bytes name; /* of a call, a variable, a label, or of what the node binds */
    union {
        struct datum constant;
        uint32_t slot;
        struct function *function;
        native_function native;
    };
};

#endif
