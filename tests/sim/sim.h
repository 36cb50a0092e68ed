/* The simulator: one whole cluster with its clients, from one seed, in one thread.
 *
 * The code under test is the real code: replica, log, engine, client core. This room implements
 * what lies beneath them (clocks, entropy, disks, links, the threads that run jobs) and what lies
 * above (people who start workflows, look at them and work for them), with faults at every seam,
 * and checkers that believe nobody.
 */
#ifndef PAWL_SIM_SIM_H
#define PAWL_SIM_SIM_H

#include "tests/sim/chain.h"
#include "tests/sim/events.h"
#include "tests/sim/faults.h"
#include "tests/sim/host.h"
#include "tests/sim/ledger.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/plan.h"
#include "tests/sim/promises.h"
#include "tests/sim/random.h"
#include "tests/sim/totals.h"
#include "tests/sim/workload.h"

enum { SIM_FAILURE_BYTES = 1024 };

struct sim {
    uint64_t seed;
    struct random root;
    struct plan plan;
    struct events events;
    struct network network;
    struct sim_node nodes[SIM_NODES_MAX];
    struct host hosts[SIM_HOSTS_MAX];
    struct fault_schedule faults;
    struct chain chain;
    struct promises promises;
    struct ledger ledger;
    struct workload workload;
    struct totals totals; /* of this run */
    bool is_healing;
    bool is_finished; /* everything that was started has ended, and has been looked at */
    bool is_traced;
    char failure[SIM_FAILURE_BYTES]; /* empty: none so far */
};

/* One run, from its beginning to its end. The caller reads failure and totals, then sim_done. */
void sim_run(struct sim *sim, uint64_t seed, bool is_traced);
void sim_done(struct sim *sim);

/* The first one counts; the run ends after the present event. */
void sim_fail(struct sim *sim, const char *promise, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sim_trace(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline bool sim_has_failed(const struct sim *sim)
{
    return sim->failure[0] != '\0';
}

#endif
