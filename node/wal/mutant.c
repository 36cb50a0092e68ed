#include "node/wal/mutant.h"

#ifdef PAWL_MUTANTS

static enum wal_mutant chosen;

void wal_mutant_set(enum wal_mutant mutant)
{
    chosen = mutant;
}

bool wal_mutant_is(enum wal_mutant mutant)
{
    return chosen == mutant;
}

const char *wal_mutant_name(enum wal_mutant mutant)
{
    static const char *const names[WAL_MUTANT_END] = {
#define WAL_MUTANT_NAME(name, meaning) [WAL_MUTANT_##name] = #name,
        WAL_MUTANTS(WAL_MUTANT_NAME)
#undef WAL_MUTANT_NAME
    };
    return (unsigned)mutant < WAL_MUTANT_END ? names[mutant] : NULL;
}

#endif
