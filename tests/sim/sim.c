#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/actors.h"

#define SECONDS(n) ((uint64_t)(n)*1000000)

void sim_fail(struct sim *sim, const char *promise, const char *format, ...)
{
    va_list arguments;
    if (sim_has_failed(sim))
        return;
    int used = snprintf(sim->failure, sizeof sim->failure, "%s at %.6f s: ", promise,
                        (double)sim->events.now_us / 1e6);
    va_start(arguments, format);
    vsnprintf(sim->failure + used, sizeof sim->failure - (size_t)used, format, arguments);
    va_end(arguments);
    sim_trace(sim, "FAILED: %s", sim->failure);
}

void sim_trace(const struct sim *sim, const char *format, ...)
{
    va_list arguments;
    if (!sim->is_traced)
        return;
    printf("%12.6f  ", (double)sim->events.now_us / 1e6);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

/* ---- the beginning ---- */

static void add_host(struct sim *sim, uint32_t index, struct actor actor_take)
{
    host_begin(sim, index, actor_take);
    events_put(&sim->events,
               (struct event){.at_us = random_below(&sim->hosts[index].random, 500000),
                              .kind = EVENT_HOST_BOOT,
                              .target = index});
}

static void begin_hosts(struct sim *sim)
{
    const struct plan *plan = &sim->plan;
    uint32_t index = 0;
    for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++)
        sim->hosts[i] = (struct host){.sim = sim, .index = i};
    for (uint32_t i = 0; i < plan->starter_count; i++, index++)
        add_host(sim, index, starter_new(&sim->hosts[index], i));
    for (uint32_t i = 0; i < plan->reader_count; i++, index++)
        add_host(sim, index, reader_new(&sim->hosts[index]));
    for (uint32_t i = 0; i < plan->worker_count; i++, index++)
        add_host(sim, index, worker_new(&sim->hosts[index], i == 0));
}

static void begin(struct sim *sim, uint64_t seed, bool is_traced)
{
    *sim = (struct sim){.seed = seed, .is_traced = is_traced};
    random_seed(&sim->root, seed);
    sim->plan = plan_draw(&sim->root);
    workload_draw(&sim->workload, &sim->root, &sim->plan);
    sim->totals.faults[FAULT_START_TWICE] = sim->workload.twice_count;
    sim->totals.faults[FAULT_START_CONFLICT] = sim->workload.conflict_count;
    chain_begin(&sim->chain);
    promises_begin(&sim->promises);
    ledger_begin(&sim->ledger);
    network_begin(sim);
    for (uint32_t i = 0; i < sim->plan.node_count; i++)
        sim_node_begin(sim, i);
    begin_hosts(sim);
    faults_begin(sim);
    events_put(&sim->events, (struct event){.at_us = SECONDS(1), .kind = EVENT_CHECK});
    events_put(&sim->events, (struct event){.at_us = sim->plan.fault_until_us, .kind = EVENT_HEAL});
}

/* ---- the end ---- */

/* A node that lost the end of its log, down to below its store, leads, and its log begins behind
 * what this node needs. Only a snapshot can fill it, and there are none yet. */
static bool wants_snapshot(const struct sim *sim, const struct sim_node *node)
{
    for (uint32_t i = 0; i < sim->plan.node_count; i++) {
        const struct sim_node *leader = &sim->nodes[i];
        if (leader->is_up && leader->has_begun_again &&
            raft_role(replica_raft(leader->replica)) == RAFT_LEADER &&
            raft_first_index(replica_raft(leader->replica)) >
                raft_last_index(replica_raft(node->replica)) + 1)
            return true;
    }
    return false;
}

/* Every node is up, and holds and has applied everything. */
static bool are_nodes_even(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->plan.node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (node->is_up && wants_snapshot(sim, node))
            continue;
        if (!node->is_up ||
            raft_commit_index(replica_raft(node->replica)) != chain_last_index(&sim->chain) ||
            sim->chain.shadows[i].flushed_index != chain_last_index(&sim->chain))
            return false;
    }
    return true;
}

static void trace_nodes(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->plan.node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (!node->is_up)
            continue;
        const struct replica_status status = replica_status(node->replica);
        sim_trace(sim,
                  "node %u: role %d, term %llu, last %llu, stable %llu, commit %llu, applied %llu, "
                  "flushed %llu, remembered %llu%s%s",
                  (unsigned)i + 1, (int)status.role, (unsigned long long)status.term,
                  (unsigned long long)status.last_index, (unsigned long long)status.stable_index,
                  (unsigned long long)status.commit_index, (unsigned long long)status.applied_index,
                  (unsigned long long)status.flushed_index,
                  (unsigned long long)status.remembered_index, status.is_active ? ", active" : "",
                  status.is_vote_withheld ? ", vote withheld" : "");
    }
}

static uint32_t snapshots_wanted(const struct sim *sim)
{
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < sim->plan.node_count; i++)
        wanted += sim->nodes[i].is_up && wants_snapshot(sim, &sim->nodes[i]);
    return wanted;
}

static void check_end(struct sim *sim)
{
    const bool is_late = sim->events.now_us >= sim->plan.heal_until_us;
    if (!sim->is_healing)
        return;
    if (is_late && snapshots_wanted(sim) > 0) { /* perhaps without a quorum: safe, and stuck */
        sim->totals.figures[TOTAL_SNAPSHOTS_WANTED] += snapshots_wanted(sim);
        sim->is_finished = true;
        return;
    }
    if (workload_is_done(&sim->workload) && ledger_all_ended(sim) && are_nodes_even(sim)) {
        ledger_check(sim);
        sim->totals.figures[TOTAL_SNAPSHOTS_WANTED] += snapshots_wanted(sim);
        sim->is_finished = true;
    } else if (is_late && !workload_is_done(&sim->workload)) {
        sim_fail(sim, "liveness", "requests are still without an answer long after the healing");
    } else if (is_late && !ledger_all_ended(sim)) {
        sim_fail(sim, "liveness", "workflows still run long after the healing");
        trace_nodes(sim);
        ledger_trace_open(sim);
    } else if (is_late) {
        sim_fail(sim, "liveness", "nodes still differ long after the healing");
        trace_nodes(sim);
    }
}

/* Every turn has a reason, so there are not many of them. */
static void check_idleness(struct sim *sim)
{
    enum { TURNS_MAX = 10000 };
    for (uint32_t i = 0; i < sim->plan.node_count; i++) {
        if (sim->nodes[i].turn_count > TURNS_MAX)
            sim_fail(sim, "idleness", "node %u took %u turns in a second", (unsigned)i + 1,
                     (unsigned)sim->nodes[i].turn_count);
        sim->nodes[i].turn_count = 0;
    }
}

static void check(struct sim *sim)
{
    check_idleness(sim);
    totals_count(&sim->totals, TOTAL_VIRTUAL_SECONDS);
    chain_check(&sim->chain, sim);
    ledger_check_runs(sim, false);
    check_end(sim);
    if (!sim->is_finished)
        events_put(&sim->events,
                   (struct event){.at_us = sim->events.now_us + SECONDS(1), .kind = EVENT_CHECK});
}

/* ---- events ---- */

static void boot_host(struct sim *sim, const struct event *event)
{
    struct host *host = &sim->hosts[event->target];
    if (!host->is_up && host->life == event->life)
        host_boot(host);
}

/* A program that has said goodbye ends, and is started again later. */
static void end_host(struct sim *sim, const struct event *event)
{
    enum { AWAY_US = 1500000 };
    struct host *host = &sim->hosts[event->target];
    if (!host->is_up || host->life != event->life)
        return;
    host_crash(host);
    events_put(&sim->events, (struct event){.at_us = sim->events.now_us + AWAY_US,
                                            .kind = EVENT_HOST_BOOT,
                                            .life = host->life,
                                            .target = host->index});
}

static void happen(struct sim *sim, const struct event *event)
{
    switch (event->kind) {
    case EVENT_NODE_BOOT:
        sim_node_boot(sim, event);
        break;
    case EVENT_NODE_TURN:
        sim_node_turn(sim, event);
        break;
    case EVENT_NODE_LANE:
        sim_node_lane_done(sim, event);
        break;
    case EVENT_NODE_ERRAND:
        sim_node_errand(sim, event);
        break;
    case EVENT_PEER_FRAME:
        sim_node_peer_frame(sim, event);
        break;
    case EVENT_PEER_LOST:
        sim_node_peer_lost(sim, event);
        break;
    case EVENT_DIAL:
        network_dialled(sim, event);
        break;
    case EVENT_CONNECTION:
        network_deliver(sim, event);
        break;
    case EVENT_HOST_BOOT:
        boot_host(sim, event);
        break;
    case EVENT_HOST_END:
        end_host(sim, event);
        break;
    case EVENT_HOST_TICK:
        host_tick(sim, event);
        break;
    case EVENT_ACTOR:
        host_actor_event(sim, event);
        break;
    case EVENT_FAULT_BEGIN:
        faults_strike(sim, event);
        break;
    case EVENT_FAULT_END:
        faults_pass(sim, event);
        break;
    case EVENT_CHECK:
        check(sim);
        break;
    case EVENT_HEAL:
        faults_heal(sim);
        break;
    }
}

void sim_run(struct sim *sim, uint64_t seed, bool is_traced)
{
    struct event event;
    begin(sim, seed, is_traced);
    while (!sim_has_failed(sim) && !sim->is_finished && events_take(&sim->events, &event))
        happen(sim, &event);
}

void sim_done(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->plan.node_count; i++)
        sim_node_done(&sim->nodes[i]);
    for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++)
        host_done(&sim->hosts[i]);
    network_done(&sim->network);
    ledger_done(&sim->ledger);
    promises_done(&sim->promises);
    chain_done(&sim->chain);
    workload_done(&sim->workload);
    events_done(&sim->events);
}
