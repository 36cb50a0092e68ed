/* Mutants of the log: defects that can be switched on at run time, to see that a test or the
 * simulator notices them. Compiled in only with PAWL_MUTANTS; otherwise every WAL_MUTANT is a
 * constant false.
 */
#ifndef PAWL_NODE_WAL_MUTANT_H
#define PAWL_NODE_WAL_MUTANT_H

#include <stdbool.h>
#include <stddef.h>

/* name, what it breaks */
#define WAL_MUTANTS(MUTANT)                                                                        \
    MUTANT(SYNC_SKIPPED, "a group is reported durable without a sync")                             \
    MUTANT(SYNC_ERROR_IGNORED, "a failed sync is taken for a good one")                            \
    MUTANT(BODY_UNCHECKED, "a record counts as whole when only its header is")                     \
    MUTANT(VOTE_APART, "term and vote are written as two records")                                 \
    MUTANT(HARD_STATE_UNCARRIED, "a hard state is lost with the segment it was written to")        \
    MUTANT(DAMAGE_TRUNCATED, "damage to durable records is taken for a torn tail")                 \
    MUTANT(REUSE_UNZEROED, "a segment is used again with its old bytes in it")                     \
    MUTANT(ROLL_UNSYNCED, "a segment is used before its name is durable")                          \
    MUTANT(TAIL_UNCLEANED, "what a torn tail left behind stays in the segment")

enum wal_mutant {
    WAL_MUTANT_NONE,
#define WAL_MUTANT_MEMBER(name, meaning) WAL_MUTANT_##name,
    WAL_MUTANTS(WAL_MUTANT_MEMBER)
#undef WAL_MUTANT_MEMBER
        WAL_MUTANT_END
};

#ifdef PAWL_MUTANTS
#define WAL_MUTANT(name) wal_mutant_is(WAL_MUTANT_##name)
/* Switch one on, or WAL_MUTANT_NONE. For one thread of a test. */
void wal_mutant_set(enum wal_mutant mutant);
bool wal_mutant_is(enum wal_mutant mutant);
const char *wal_mutant_name(enum wal_mutant mutant); /* NULL: not one */
#else
#define WAL_MUTANT(name) false
#endif

#endif
