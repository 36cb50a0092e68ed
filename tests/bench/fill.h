/* Filling a cluster: many starts of one definition, as fast as the cluster takes them. */
#ifndef PAWL_BENCH_FILL_H
#define PAWL_BENCH_FILL_H

#include <stdint.h>

#include "client/pawl.h"

enum { RUN_TEXT_BYTES = 37, RUNS_KEPT_MAX = 4096 };

/* Some of the runs that were started, spread over all of them. */
struct runs {
    char text[RUNS_KEPT_MAX][RUN_TEXT_BYTES];
    uint64_t count, seen;
};

/* Start `count` workflows and wait until all are acknowledged; starts that are told to wait are
 * made again. Ends the process on any other error. */
void fill_start(struct pawl *pawl, const char *definition, uint64_t count, struct runs *runs);

#endif
