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

enum node_kind {
    NODE_IDENTITY,
    NODE_CONSTANT,    /* constant */
    NODE_INDEX,       /* key, target */
    NODE_SLICE,       /* from, to, target; a bound may be a constant null */
    NODE_ITERATE,     /* .[] of the input */
    NODE_PIPE,        /* children in turn */
    NODE_COMMA,       /* children in turn */
    NODE_OPERATE,     /* right, left; operation */
    NODE_NEGATE,      /* operand */
    NODE_AND,         /* left, right */
    NODE_OR,          /* left, right */
    NODE_ALTERNATIVE, /* left // right */
    NODE_IF,          /* condition, then, else */
    NODE_TRY,         /* body, handler */
    NODE_TRY_PATTERN, /* body, next alternative (on the same input): ?// */
    NODE_REDUCE,      /* source, initial, body: one more binding, of the item and the state */
    NODE_FOREACH,     /* the same */
    NODE_STEP,        /* update, and of foreach an extract; hops to the binding with the state */
    NODE_BIND,        /* source, body: one more binding */
    NODE_ARRAY,       /* body */
    NODE_OBJECT,      /* key, value, key, value... */
    NODE_SAME,        /* as a value in an object: what the input has at the key */
    NODE_TEXT,        /* parts, last first; operation is the format */
    NODE_FORMAT,      /* operation is the format; applied to the input */
    NODE_VARIABLE,    /* hops */
    NODE_SLOT,        /* slot */
    NODE_CLOSURE,     /* hops: call of a parameter */
    NODE_CALL,        /* function, hops to where it was defined; children are its closures */
    NODE_NATIVE,      /* native; children are its arguments, last first */
    NODE_LABEL,       /* body */
    NODE_BREAK,       /* hops */
    NODE_DEFINE,      /* function, body: no binding of its own */
    NODE_PATH,        /* body: its paths */
    NODE_GETPATH,     /* path */
    NODE_LIMIT,       /* count, body */
    NODE_LAST,        /* body */
    NODE_RANGE,       /* from, to, step */
    NODE_EMPTY,
    NODE_NAME,   /* before resolving: a call by name, children are the arguments in their order */
    NODE_DOLLAR, /* before resolving: a variable by name */
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
