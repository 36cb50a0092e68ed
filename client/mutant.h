/* Mutants: known ways to get the client's part of the protocol wrong, chosen at run time, so that
 * the tests can show that they would notice. Compiled only into builds with PAWL_MUTANTS; elsewhere
 * CLIENT_MUTANT is a constant false. */
#ifndef PAWL_CLIENT_MUTANT_H
#define PAWL_CLIENT_MUTANT_H

#include <stdbool.h>

enum client_mutant {
    CLIENT_MUTANT_NONE,
    CLIENT_MUTANT_HELD_LIST_EMPTY,   /* an attach lists no fence that is held */
    CLIENT_MUTANT_OLD_HANDOUT_TAKEN, /* a hand-out is taken whatever attachment it belongs to */
};

#ifdef PAWL_MUTANTS
/* Of every core in the process. */
void client_mutant_set(enum client_mutant mutant);
bool client_mutant_is(enum client_mutant mutant);

#define CLIENT_MUTANT(name) client_mutant_is(CLIENT_MUTANT_##name)
#else
#define CLIENT_MUTANT(name) false
#endif

#endif
