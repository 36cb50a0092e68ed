/* The machine: evaluates nodes that may give any number of outputs, without recursion in C.
 *
 * 1. Its state is a node, an environment, an item (`.` and, while paths are wanted, where it came
 * from), and a frame: what happens to the outputs. A call in the last place adds no frame.
 * 2. Environments and frames are linked lists that point only to older ones. A fork keeps a whole
 * state to come back to for further outputs; going back forgets what was made since, so loops run
 * in constant memory.
 * 3. An error goes to the nearest TRY frame of the state that raised it, which drops the forks made
 *    inside of it. Errors of what comes after the body do not meet its frame.
 * 4. What must survive going back (the state of a fold, an array being collected) lives in a cell
 * of an older frame, and the values themselves in the arena.
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_MACHINE_H
#define PAWL_WORKFLOW_EXPRESSION_MACHINE_H

#include "workflow/expression/compile.h"
#include "workflow/expression/work.h"

/* How a value was reached from the root, last key first. */
struct path {
    const struct path *parent;
    struct datum key;
};
extern const struct path path_root;
/* The path of what is no part of the root, like 1 + 1. */
extern const struct path path_broken;

struct item {
    struct datum value;
    const struct path *path; /* NULL: paths are not wanted */
};

struct frame;

/* The state of a reduce or foreach. */
struct fold {
    struct item state;
    bool is_reduce;
};

struct environment {
    const struct environment *next;
    struct datum value; /* of a variable */
    union {
        struct fold *fold;       /* of a fold's item */
        struct frame *label;     /* of a label */
        const struct node *body; /* of a closure */
    };
    const struct environment *closure; /* where the closure's body lives */
};

/* The operands found so far, last one first. */
struct operand {
    const struct operand *prior;
    struct item item;
};

enum frame_kind {
    FRAME_END,         /* an output of the program */
    FRAME_PIPE,        /* goes into child[place] of node */
    FRAME_OPERAND,     /* is operand number `place` of node */
    FRAME_CHOICE,      /* is the first child of node, which decides how to go on */
    FRAME_TRUTH,       /* becomes true or false */
    FRAME_UNTRACKED,   /* is no part of the root */
    FRAME_COLLECT,     /* goes into the array in item */
    FRAME_FOLD,        /* is an item to fold */
    FRAME_STORE,       /* is the new state of a fold */
    FRAME_TRY,         /* passes; errors stop here */
    FRAME_LABEL,       /* passes; breaks stop here */
    FRAME_ALTERNATIVE, /* passes if true */
    FRAME_LIMIT,       /* passes; the last one drops the forks made inside */
    FRAME_LAST,        /* is remembered in item */
    FRAME_PATH,        /* becomes its path */
};

struct frame {
    struct frame *next;
    const struct node *node;
    const struct environment *environment;
    struct item item;
    uint8_t kind;        /* enum frame_kind */
    bool is_met;         /* ALTERNATIVE: something true came; LAST: something came */
    uint32_t place;      /* PIPE, OPERAND */
    uint32_t fork_count; /* when the frame was made */
    union {
        const struct operand *operands; /* OPERAND */
        struct fold *fold;              /* FOLD, STORE */
        uint64_t left;                  /* LIMIT */
    };
};

enum fork_kind {
    FORK_COMMA,       /* child[place] of node next */
    FORK_ITERATE,     /* element `place` of the container in item next */
    FORK_RANGE,       /* the next number */
    FORK_FOLD,        /* then the final state */
    FORK_COLLECT,     /* then the collected array */
    FORK_ALTERNATIVE, /* then the right side, if nothing true came */
    FORK_LAST,        /* then what came last */
};

/* A place in the region of environments, frames and operands. */
struct mark {
    struct chunk *chunk;
    uint32_t used;
};

struct fork {
    uint8_t kind; /* enum fork_kind */
    uint32_t place;
    const struct node *node;
    const struct environment *environment;
    struct frame *frame;
    struct item item;
    struct mark mark;
    union {
        struct fold *fold;
        struct datum range[2]; /* FORK_RANGE: end, step; the next number is in item */
    };
};

struct chunk {
    struct chunk *next;
    uint32_t size;
    _Alignas(16) uint8_t memory[];
};

struct machine {
    struct work *work;
    const struct expression_context *context;

    const struct node *node;
    const struct environment *environment;
    struct item item;
    struct frame *frame;

    struct fork *forks;
    uint32_t fork_count, fork_capacity;
    struct mark mark;
    struct chunk *first_chunk;

    expression_each each;
    void *user;
};

/* What the machine does next. */
enum turn {
    TURN_EVALUATE,  /* node on item */
    TURN_DELIVER,   /* item to frame */
    TURN_BACKTRACK, /* the newest fork */
    TURN_FAIL,      /* work->failure */
    TURN_STOP,      /* the caller has enough */
};

/* Run node on input; each output goes to each(). False: work->failure. */
bool machine_run(struct machine *machine, const struct node *node, struct datum input);

/* For the machine's own files. */
enum turn machine_evaluate(struct machine *machine);
enum turn machine_deliver(struct machine *machine);
enum turn machine_backtrack(struct machine *machine);
/* After the first child of a node that decides by it gave a value (evaluate.c). */
enum turn machine_choose(struct machine *machine, const struct node *node, struct item value,
                         struct item input);
/* Operand number `place` on; prior are those found (evaluate.c). */
enum turn machine_operands(struct machine *machine, const struct node *node, struct item input,
                           uint32_t place, const struct operand *prior);
/* Elements from `place` on of an opened container (resume.c). */
enum turn machine_iterate(struct machine *machine, const struct node *node, struct item container,
                          uint32_t place, bool is_resumed);
enum turn machine_range(struct machine *machine, struct datum from, struct datum to,
                        struct datum step);

/* Uninitialised memory of the region; NULL: PAWL_E_LIMIT. */
void *machine_alloc(struct machine *machine, size_t size);
struct frame *machine_push(struct machine *machine, enum frame_kind kind, const struct node *node,
                           struct item item);
struct fork *machine_fork(struct machine *machine, enum fork_kind kind, const struct node *node,
                          struct item item);
/* One binding more. */
struct environment *machine_bind(struct machine *machine, struct datum value);
const struct environment *machine_lookup(struct machine *machine,
                                         const struct environment *environment, uint32_t hops);
/* The path of a child. */
bool machine_extend(struct machine *machine, const struct path *parent, struct datum key,
                    const struct path **path_out);

/* The one output of a plain node (plain.c). */
bool plain_evaluate(struct machine *machine, const struct node *node,
                    const struct environment *environment, struct datum input,
                    struct datum *output_out);
/* The result of a node whose operands are known, in the order of its children (combine.c). */
bool combine(struct work *work, const struct node *node, struct datum input,
             const struct datum *operands, struct datum *output_out);

#endif
