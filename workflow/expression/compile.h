/* Compiler: names of a parsed program become slots, hops, functions and builtins.
 *
 * 1. A binding (variable, closure parameter, label, fold) is one link of the environment at run
 * time; a name becomes the number of links to walk. Functions are no bindings.
 * 2. Builtins are of three kinds: natives in C, node kinds (path, limit...), and definitions in jq
 * (the prelude), compiled into the program that names them. Those marked as macros are put in place
 * of their call: they bind nothing around their parameters and use each once.
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_COMPILE_H
#define PAWL_WORKFLOW_EXPRESSION_COMPILE_H

#include "workflow/expression/expression.h"
#include "workflow/expression/node.h"

struct expression {
    const struct node *root;
    uint64_t slots_used;
};

/* A function is called with the environment of the place where it was defined; this many hops means
 * none. */
enum { HOPS_TO_ROOT = UINT16_MAX };

#endif
