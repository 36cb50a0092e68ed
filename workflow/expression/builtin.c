#include "workflow/expression/builtin.h"

#include "workflow/expression/expression.h"

#define NATIVE(name, arity, function)     {name, arity, BUILTIN_NATIVE, 0, function, NULL},
#define NODE(name, arity, node_kind)      {name, arity, BUILTIN_NODE, node_kind, NULL, NULL},
#define MACRO(name, arity, definition)    {name, arity, BUILTIN_MACRO, 0, NULL, definition},
#define FUNCTION(name, arity, definition) {name, arity, BUILTIN_FUNCTION, 0, NULL, definition},
static const struct builtin builtins[] = {
#include "workflow/expression/builtins.def"
};
static const struct builtin internals[] = {
#include "workflow/expression/internals.def"
};
#undef NATIVE
#undef NODE
#undef MACRO
#undef FUNCTION

static int order_of(struct bytes name, uint32_t arity, const struct builtin *builtin)
{
    const int order = bytes_compare(name, bytes_string(builtin->name));
    return order != 0 ? order : (arity > builtin->arity) - (arity < builtin->arity);
}

static const struct builtin *find(const struct builtin *sorted, size_t count, struct bytes name,
                                  uint32_t arity)
{
    size_t begin = 0;
    while (begin < count) {
        const size_t middle = begin + (count - begin) / 2;
        const int order = order_of(name, arity, &sorted[middle]);
        if (order == 0)
            return &sorted[middle];
        if (order < 0)
            count = middle;
        else
            begin = middle + 1;
    }
    return NULL;
}

const struct builtin *builtin_find(struct bytes name, uint32_t arity)
{
    return find(builtins, sizeof builtins / sizeof *builtins, name, arity);
}

const struct builtin *builtin_find_internal(struct bytes name, uint32_t arity)
{
    return find(internals, sizeof internals / sizeof *internals, name, arity);
}

const char *const *expression_builtins(void)
{
#define NATIVE(name, arity, function)     name "/" #arity,
#define NODE(name, arity, node_kind)      name "/" #arity,
#define MACRO(name, arity, definition)    name "/" #arity,
#define FUNCTION(name, arity, definition) name "/" #arity,
    static const char *const names[] = {
#include "workflow/expression/builtins.def"
        NULL,
    };
#undef NATIVE
#undef NODE
#undef MACRO
#undef FUNCTION
    return names;
}
