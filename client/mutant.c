#include "client/mutant.h"

#ifdef PAWL_MUTANTS
static enum client_mutant chosen;

void client_mutant_set(enum client_mutant mutant)
{
    chosen = mutant;
}

bool client_mutant_is(enum client_mutant mutant)
{
    return chosen == mutant;
}
#endif
