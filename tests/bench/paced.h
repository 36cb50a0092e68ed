/* Latencies at a fixed pace: workflows of three steps are started on time, however long the answers
 * take (an open loop), and beside them runs are shown and listed. Every latency counts from the
 * moment at which its request was due. */
#ifndef PAWL_BENCH_PACED_H
#define PAWL_BENCH_PACED_H

#include "tests/bench/fill.h"

enum paced_kind { PACED_HANDOUT, PACED_WORKFLOW, PACED_SHOW, PACED_LIST, PACED_KIND_COUNT };

struct paced;

struct paced_latency {
    uint64_t count;
    double p50_ms, p99_ms, max_ms;
};

/* Deploys its definition. */
struct paced *paced_new(struct pawl *pawl, const struct runs *runs);
/* Let a handle's worker serve the steps; not started yet. */
void paced_serve(struct paced *paced, struct pawl_worker *worker);
/* Run, and wait until everything has been answered. */
void paced_run(struct paced *paced, unsigned steps_per_s, unsigned seconds);
struct paced_latency paced_latency(struct paced *paced, enum paced_kind kind);
void paced_free(struct paced *paced);

#endif
