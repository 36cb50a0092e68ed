/* Mutants: known ways to get Raft wrong, chosen at run time, so that the tests can show that they
 * would notice. Compiled only into builds with PAWL_MUTANTS; elsewhere RAFT_MUTANT is a constant
 * false. */
#ifndef RAFT_MUTANT_H
#define RAFT_MUTANT_H

#include <stdbool.h>

#ifdef PAWL_MUTANTS
enum raft_mutant {
    RAFT_MUTANT_NONE,
    RAFT_MUTANT_COMMIT_PRIOR_TERM, /* entries of earlier terms are committed by counting */
    RAFT_MUTANT_COUNT_SELF_EARLY,  /* a leader counts itself before its own sync */
    RAFT_MUTANT_LATE_SYNC_COUNTS,  /* a sync report of an overwritten entry counts for its successor
                                    */
    RAFT_MUTANT_READ_EARLY,        /* reads before an entry of the leader's own term is committed */
    RAFT_MUTANT_READ_ROUND_REUSED, /* the answer to an earlier round confirms the present one */
    RAFT_MUTANT_VOTE_UNSYNCED,     /* a vote is sent before it is durable */
    RAFT_MUTANT_VOTE_OLDER_LOG,    /* a vote for a candidate with an older log */
};

/* Of every core in the process. */
void raft_mutant_set(enum raft_mutant mutant);
bool raft_mutant_is(enum raft_mutant mutant);

#define RAFT_MUTANT(name) raft_mutant_is(RAFT_MUTANT_##name)
#else
#define RAFT_MUTANT(name) false
#endif

#endif
