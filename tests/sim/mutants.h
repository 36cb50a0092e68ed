/* The deliberate defects of all rooms, by name: "raft.COMMIT_PRIOR_TERM". None in usual builds. */
#ifndef PAWL_SIM_MUTANTS_H
#define PAWL_SIM_MUTANTS_H

#include <stdbool.h>

/* False: there is no such mutant in this build. */
bool mutants_choose(const char *name);
/* One name a line. */
void mutants_print(void);

#endif
