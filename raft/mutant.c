#include <stdbool.h>

#include "raft/mutant.h"

#ifdef PAWL_MUTANTS
static enum raft_mutant chosen = RAFT_MUTANT_NONE;

void raft_mutant_set(enum raft_mutant mutant)
{
    chosen = mutant;
}

bool raft_mutant_is(enum raft_mutant mutant)
{
    return chosen == mutant;
}
#else
/* A translation unit holds at least one declaration. */
typedef bool raft_mutants_are_off;
#endif
