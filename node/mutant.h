/* Deliberate defects of the replica loop, chosen at run time, to prove that the tests find them.
 * Only in builds with PAWL_MUTANTS; elsewhere every one of them is the constant false. */
#ifndef PAWL_NODE_MUTANT_H
#define PAWL_NODE_MUTANT_H

enum node_mutant {
    NODE_MUTANT_NONE = 0,
    NODE_MUTANT_ANSWER_BEFORE_COMMIT,
    NODE_MUTANT_REJECT_WITHOUT_READ_ROUND,
    NODE_MUTANT_READ_WITHOUT_ROUND,
    NODE_MUTANT_HEAD_KEPT_ON_STEP_DOWN,
    NODE_MUTANT_DECIDE_BEFORE_NOOP,
    NODE_MUTANT_ATTACHMENT_UNCHECKED,
    NODE_MUTANT_CUT_BEFORE_FLUSH,
    NODE_MUTANT_FLUSH_UNSYNCED,
    NODE_MUTANT_APPLY_SKIPS_INHERITED,
    NODE_MUTANT_CLOCK_FOLLOWS_WALL,
};

#ifdef PAWL_MUTANTS
extern enum node_mutant node_mutant_chosen;
void node_mutant_set(enum node_mutant mutant);
#define NODE_MUTANT(name) (node_mutant_chosen == NODE_MUTANT_##name)
#else
#define NODE_MUTANT(name) 0
#endif

#endif
