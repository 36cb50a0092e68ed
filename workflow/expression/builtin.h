/* Builtins: one table (builtins.def), and the natives it names.
 *
 * A native is a C function of the input and its arguments, which are at most NATIVE_ARGUMENTS_MAX.
 * To add some, write them in a builtin_*.c file and name them in the table.
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_BUILTIN_H
#define PAWL_WORKFLOW_EXPRESSION_BUILTIN_H

#include "workflow/expression/node.h"
#include "workflow/expression/text.h"

enum builtin_kind {
    BUILTIN_NATIVE,
    BUILTIN_NODE,     /* a kind of node */
    BUILTIN_MACRO,    /* a definition in jq, put in place of its call */
    BUILTIN_FUNCTION, /* a definition in jq, compiled into the program that names it */
};

struct builtin {
    const char *name;
    uint8_t arity;
    uint8_t kind;      /* enum builtin_kind */
    uint8_t node_kind; /* NODE */
    native_function native;
    const char *definition; /* MACRO, FUNCTION: "def name(...): ...;" */
};

/* What a program may call; NULL: there is none. */
const struct builtin *builtin_find(struct bytes name, uint32_t arity);
/* What only the parser and definitions of builtins may call. */
const struct builtin *builtin_find_internal(struct bytes name, uint32_t arity);

#define NATIVE(name, arity, function)                                                              \
    bool function(struct work *work, struct datum input, const struct datum *arguments,            \
                  struct datum *output_out);
#define NODE(name, arity, node_kind)
#define MACRO(name, arity, definition)
#define FUNCTION(name, arity, definition)
#include "workflow/expression/builtins.def"
#include "workflow/expression/internals.def"
#undef NATIVE
#undef NODE
#undef MACRO
#undef FUNCTION

/* Append a datum as a format has it. */
bool format_append(struct text *text, enum format format, struct datum datum);

#endif
