/* Totals: what happened in one run, and in all of them: a fault that never struck proves nothing.
 */
#ifndef PAWL_SIM_TOTALS_H
#define PAWL_SIM_TOTALS_H

#include "tests/sim/plan.h"

#define TOTAL_FIGURES(X)                                                                           \
    X(COMMITS, "entries committed")                                                                \
    X(ELECTIONS, "elections")                                                                      \
    X(BOOTS, "boots")                                                                              \
    X(FLUSHES, "flushes")                                                                          \
    X(LOADS, "loads")                                                                              \
    X(QUERIES, "queries")                                                                          \
    X(FRAMES_LOST, "frames lost")                                                                  \
    X(CUTS_IN_APPEND, "power cuts in an append")                                                   \
    X(CUTS_IN_FLUSH, "power cuts in a flush")                                                      \
    X(ENDS_BY_ERROR, "processes ended by a disk error")                                            \
    X(VOTES_WITHHELD, "boots with the vote withheld")                                              \
    X(SNAPSHOTS_WANTED, "nodes that only a snapshot could fill")                                   \
    X(STARTS, "starts acknowledged")                                                               \
    X(REPORTS, "reports acknowledged")                                                             \
    X(REPORTS_STALE, "reports refused as stale")                                                   \
    X(READS, "reads compared")                                                                     \
    X(UNKNOWN, "outcomes unknown")                                                                 \
    X(REJECTED, "requests rejected")                                                               \
    X(HANDOUTS, "steps handed out")                                                                \
    X(RUNS_COMPLETED, "workflows completed")                                                       \
    X(RUNS_FAULTED, "workflows faulted")                                                           \
    X(UNDONE, "compensations recorded")                                                            \
    X(TIMERS, "timers fired")                                                                      \
    X(VIRTUAL_SECONDS, "virtual seconds")

enum total_figure {
#define TOTAL_FIGURE(name, text) TOTAL_##name,
    TOTAL_FIGURES(TOTAL_FIGURE)
#undef TOTAL_FIGURE
        TOTAL_COUNT
};

struct totals {
    uint64_t figures[TOTAL_COUNT];
    uint64_t faults[FAULT_KIND_COUNT];
    uint64_t runs_with[FAULT_KIND_COUNT]; /* of a sum of runs */
    uint64_t run_count;
};

static inline void totals_count(struct totals *totals, enum total_figure figure)
{
    totals->figures[figure]++;
}
static inline void totals_fault(struct totals *totals, enum fault_kind kind)
{
    totals->faults[kind]++;
}
void totals_add(struct totals *sum, const struct totals *run);
void totals_print(const struct totals *sum);
/* A kind of fault that struck in fewer than 5 % of the runs, or -1. */
int totals_rare_fault(const struct totals *sum);

#endif
