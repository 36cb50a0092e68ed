/* Faults: what befalls nodes, links, disks, clocks and clients, when, and for how long.
 *
 * 1. Each fault is drawn before the run begins; what it strikes is decided when it begins.
 * 2. A fault takes away nothing for ever: it ends by itself, or the healing ends it.
 */
#ifndef PAWL_SIM_FAULTS_H
#define PAWL_SIM_FAULTS_H

#include "tests/sim/events.h"
#include "tests/sim/plan.h"

struct sim;

enum { FAULTS_MAX = 128 };

struct fault {
    enum fault_kind kind;
    uint64_t begin_us, end_us;
    uint32_t node, other; /* node: SIM_NODES_MAX when it struck none */
    uint32_t host;
};

struct fault_schedule {
    struct random random;
    struct fault faults[FAULTS_MAX];
    size_t count;
};

void faults_begin(struct sim *sim);
void faults_strike(struct sim *sim, const struct event *event);
void faults_pass(struct sim *sim, const struct event *event);
/* The fault phase is over: everything works again. */
void faults_heal(struct sim *sim);

#endif
