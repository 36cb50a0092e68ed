#include "tests/sim/faults.h"

#include "tests/sim/actors.h"
#include "tests/sim/sim.h"

#define SECONDS(n) ((uint64_t)(n)*1000000)
#define YEAR_US    SECONDS(366 * 86400)

enum {
    LOSS_PPM = 250000,
    DOUBLE_PPM = 300000,
    REORDER_US = 60000,
    SLOW_US_MIN = 20000,
    SLOW_US_MAX = 250000,
    VERY_SLOW_US_MIN = 300000,
    VERY_SLOW_US_MAX = 2500000,
    DRIFT_PPM_MAX = 100000,
    SLOW_TURN_US = 15000,
    FAR_US = 10000000,
};

/* ---- what it strikes ---- */

static struct sim_node *any_node(struct sim *sim)
{
    return &sim->nodes[random_below(&sim->faults.random, sim->plan.node_count)];
}

static struct sim_node *leader_or_any(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->plan.node_count; i++)
        if (sim->nodes[i].is_up && replica_status(sim->nodes[i].replica).role == RAFT_LEADER)
            return &sim->nodes[i];
    return any_node(sim);
}

/* Where the most is not durable yet, if anywhere. */
static struct sim_node *slow_or_any(struct sim *sim)
{
    struct sim_node *node = any_node(sim);
    for (uint32_t i = 0; i < sim->plan.node_count; i++)
        if (sim->nodes[i].sync_us_max > node->sync_us_max)
            node = &sim->nodes[i];
    return node;
}

static struct host *any_host_of(struct sim *sim, uint32_t first, uint32_t count)
{
    return &sim->hosts[first + random_below(&sim->faults.random, count)];
}

static struct host *any_starter(struct sim *sim)
{
    return any_host_of(sim, 0, sim->plan.starter_count);
}

static struct host *any_worker(struct sim *sim)
{
    return any_host_of(sim, sim->plan.starter_count + sim->plan.reader_count,
                       sim->plan.worker_count);
}

static uint32_t host_count(const struct sim *sim)
{
    return sim->plan.starter_count + sim->plan.reader_count + sim->plan.worker_count;
}

static uint64_t down_us(struct sim *sim)
{
    return random_between(&sim->faults.random, 5000,
                          random_chance(&sim->faults.random, 200000) ? 10000000 : 1500000);
}

/* ---- links ---- */

static void cut_between(struct sim *sim, uint32_t from, uint32_t to, bool is_cut)
{
    sim->network.links[from][to].is_cut = is_cut;
}

static void isolate(struct sim *sim, uint32_t node, bool is_cut)
{
    for (uint32_t other = 0; other < sim->plan.node_count; other++) {
        if (other == node)
            continue;
        cut_between(sim, node, other, is_cut);
        cut_between(sim, other, node, is_cut);
    }
}

/* The nodes whose bit is set on one side, the others on the other. */
static void split(struct sim *sim, uint32_t side, bool is_cut)
{
    for (uint32_t a = 0; a < sim->plan.node_count; a++)
        for (uint32_t b = 0; b < sim->plan.node_count; b++)
            if ((side >> a & 1) != (side >> b & 1))
                cut_between(sim, a, b, is_cut);
}

static void each_link(struct sim *sim, struct peer_link change)
{
    for (uint32_t a = 0; a < sim->plan.node_count; a++)
        for (uint32_t b = 0; b < sim->plan.node_count; b++) {
            const bool is_cut = sim->network.links[a][b].is_cut;
            sim->network.links[a][b] = change;
            sim->network.links[a][b].is_cut = is_cut;
        }
}

static const struct peer_link good_link = {.delay_us_min = 50, .delay_us_max = 500};

/* Slow: all links, or one direction of one of them, which then may be very slow. */
static void slow_links(struct sim *sim, const struct fault *fault)
{
    struct random *random = &sim->faults.random;
    struct peer_link change = good_link;
    const bool is_one = random_chance(random, 500000);
    change.delay_us_min = is_one ? VERY_SLOW_US_MIN : SLOW_US_MIN;
    change.delay_us_max = (uint32_t)random_between(random, change.delay_us_min,
                                                   is_one ? VERY_SLOW_US_MAX : SLOW_US_MAX);
    if (is_one)
        sim->network.links[fault->node][fault->other] = change;
    else
        each_link(sim, change);
}

/* ---- one fault ---- */

static void crash_host(struct sim *sim, struct host *host)
{
    if (!host->is_up)
        return;
    sim_trace(sim, "host %u: crashed", (unsigned)host->index);
    host_crash(host);
    events_put(&sim->events,
               (struct event){.at_us = sim->events.now_us +
                                       random_between(&sim->faults.random, 100000, 8000000),
                              .kind = EVENT_HOST_BOOT,
                              .life = host->life,
                              .target = host->index});
}

static void worker_leaves(struct sim *sim, struct host *host)
{
    if (!host->is_up)
        return;
    worker_say_goodbye(host);
    events_put(&sim->events, (struct event){.at_us = sim->events.now_us + 200000,
                                            .kind = EVENT_HOST_END,
                                            .life = host->life,
                                            .target = host->index});
}

static void strike_node(struct sim *sim, struct fault *fault)
{
    struct random *random = &sim->faults.random;
    struct sim_node *node = any_node(sim);
    if (fault->kind == FAULT_LEADER_KILL || fault->kind == FAULT_LEADER_PAUSE)
        node = leader_or_any(sim);
    else if (fault->kind == FAULT_POWER_CUT || fault->kind == FAULT_CUT_IN_APPEND)
        node = slow_or_any(sim);
    fault->node = node->index;
    if (fault->kind == FAULT_NODE_KILL || fault->kind == FAULT_LEADER_KILL)
        sim_node_kill(node, down_us(sim));
    else if (fault->kind == FAULT_POWER_CUT)
        sim_node_power_cut(node, down_us(sim));
    else if (fault->kind == FAULT_PAUSE || fault->kind == FAULT_LEADER_PAUSE)
        sim_node_pause(node);
    else if (fault->kind == FAULT_CUT_IN_APPEND)
        node->wants_cut_in_append = true;
    else if (fault->kind == FAULT_CUT_IN_FLUSH)
        node->wants_cut_in_flush = true;
    else if (fault->kind == FAULT_SLOW_NODE)
        node->turn_us = (uint32_t)random_between(random, 1000, SLOW_TURN_US);
    else
        for (uint32_t i = 0; i < sim->plan.node_count; i++)
            sim_node_power_cut(&sim->nodes[i], down_us(sim));
}

/* A year either way, or some seconds. The same minority is far off at all times: the cluster
 * believes the others, and what it heard of a node a while ago counts too. */
static void step_wall(struct sim *sim, struct sim_node *node)
{
    struct random *random = &sim->faults.random;
    const uint64_t place = (node->index + sim->seed) % sim->plan.node_count;
    const bool is_far = place < (sim->plan.node_count - 1) / 2 && random_chance(random, 700000);
    const uint64_t most_us = is_far ? YEAR_US : FAR_US;
    node->clock.wall_offset_us = (int64_t)random_below(random, 2 * most_us) - (int64_t)most_us;
}

static void strike_disk_or_clock(struct sim *sim, struct fault *fault)
{
    struct random *random = &sim->faults.random;
    struct sim_node *node = any_node(sim);
    fault->node = node->index;
    if (fault->kind == FAULT_SLOW_DISK) {
        node->sync_us_min = 20000;
        node->sync_us_max = (uint32_t)random_between(random, 50000, 900000);
    } else if (fault->kind == FAULT_DISK_FULL) {
        sim_node_disk_fill(node);
    } else if (fault->kind == FAULT_LOG_DAMAGE) {
        sim_node_damage(node, down_us(sim));
    } else if (fault->kind == FAULT_DISK_ERROR) {
        sim_disk_fail_at(node->disk, SIM_DISK_WRITE | SIM_DISK_SYNC | SIM_DISK_SYNC_DIRECTORY,
                         random_between(random, 1, 8), 5);
    } else if (fault->kind == FAULT_WALL_STEP) {
        step_wall(sim, node);
    } else {
        host_clock_set_drift(&node->clock,
                             (int32_t)random_below(random, 2 * DRIFT_PPM_MAX) - DRIFT_PPM_MAX);
    }
}

static uint32_t bit_count(uint32_t word)
{
    uint32_t count = 0;
    for (; word != 0; word &= word - 1)
        count++;
    return count;
}

/* One majority after the other talks among itself, as its leader goes and disks are slow: what one
 * has promised, the next must know. */
static void rotate(struct sim *sim, const struct fault *fault)
{
    struct random *random = &sim->faults.random;
    const uint32_t nodes = sim->plan.node_count;
    struct sim_node *leader = leader_or_any(sim), *slow = any_node(sim);
    uint32_t side;
    do
        side = (uint32_t)random_below(random, 1u << nodes);
    while (bit_count(side) != nodes / 2 + 1);
    for (uint32_t other = 0; other < nodes; other++)
        isolate(sim, other, false);
    split(sim, side, true);
    if (random_chance(random, 300000)) {
        slow->sync_us_min = 20000;
        slow->sync_us_max = 400000;
    }
    if (random_chance(random, 300000))
        sim_node_power_cut(slow_or_any(sim), random_between(random, 5000, 300000));
    if (random_chance(random, 400000))
        sim_node_power_cut(leader, random_between(random, 5000, 300000));
    const uint64_t next_us = sim->events.now_us + random_between(random, 100000, 1200000);
    if (next_us < fault->end_us)
        events_put(&sim->events, (struct event){.at_us = next_us,
                                                .kind = EVENT_FAULT_BEGIN,
                                                .target = (uint64_t)(fault - sim->faults.faults)});
}

/* The end of a rotation: all links are whole and all disks are quick. */
static void stop_rotating(struct sim *sim)
{
    for (uint32_t node = 0; node < sim->plan.node_count; node++) {
        isolate(sim, node, false);
        sim_node_heal(&sim->nodes[node]);
    }
}

/* Wrong news, again and again: of one node to all, or of anybody to anybody. */
static void spread_rumours(struct sim *sim, const struct fault *fault)
{
    struct random *random = &sim->faults.random;
    const uint32_t nodes = sim->plan.node_count;
    const bool is_of_one = random_chance(random, 500000);
    const uint32_t lost = leader_or_any(sim)->index;
    for (uint64_t rounds = random_between(random, 1, 12); rounds > 0; rounds--)
        for (uint32_t to = 0; to < nodes; to++)
            network_peer_lost(sim, to, is_of_one ? lost : (uint32_t)random_below(random, nodes),
                              fault->end_us);
}

static void strike_links(struct sim *sim, struct fault *fault)
{
    struct random *random = &sim->faults.random;
    fault->node = (fault->kind == FAULT_ISOLATE_LEADER ? leader_or_any(sim) : any_node(sim))->index;
    fault->other = (fault->node + 1 + (uint32_t)random_below(random, sim->plan.node_count - 1)) %
                   sim->plan.node_count;
    if (fault->kind == FAULT_ROTATION) {
        rotate(sim, fault);
    } else if (fault->kind == FAULT_ISOLATE || fault->kind == FAULT_ISOLATE_LEADER) {
        isolate(sim, fault->node, true);
    } else if (fault->kind == FAULT_SPLIT) {
        fault->other = (uint32_t)random_between(random, 1, (1u << sim->plan.node_count) - 2);
        split(sim, fault->other, true);
    } else if (fault->kind == FAULT_ONE_WAY) {
        cut_between(sim, fault->node, fault->other, true);
    } else if (fault->kind == FAULT_PEER_LOST) {
        spread_rumours(sim, fault);
    } else if (fault->kind == FAULT_SLOW_LINK) {
        slow_links(sim, fault);
    } else {
        struct peer_link change = good_link;
        if (fault->kind == FAULT_LOSS)
            change.loss_ppm = (uint32_t)random_between(random, 10000, LOSS_PPM);
        if (fault->kind == FAULT_DUPLICATION)
            change.double_ppm = DOUBLE_PPM;
        if (fault->kind == FAULT_REORDERING)
            change.delay_us_max = REORDER_US;
        each_link(sim, change);
    }
}

static void strike_clients(struct sim *sim, struct fault *fault)
{
    struct random *random = &sim->faults.random;
    struct host *host = any_host_of(sim, 0, host_count(sim));
    fault->host = host->index;
    fault->node = any_node(sim)->index;
    if (fault->kind == FAULT_CONNECTION_BREAK)
        network_host_break(sim, host->index);
    else if (fault->kind == FAULT_CONNECTION_SILENCE)
        network_host_silent(sim, host->index);
    else if (fault->kind == FAULT_STARTER_CRASH)
        crash_host(sim, any_starter(sim));
    else if (fault->kind == FAULT_WORKER_CRASH)
        crash_host(sim, any_worker(sim));
    else if (fault->kind == FAULT_WORKER_GOODBYE)
        worker_leaves(sim, any_worker(sim));
    else
        for (uint32_t node = 0; node < sim->plan.node_count; node++)
            sim->network.is_host_cut[host->index][node] =
                node == fault->node || random_chance(random, 500000);
}

void faults_strike(struct sim *sim, const struct event *event)
{
    struct fault *fault = &sim->faults.faults[event->target];
    if (sim->is_healing)
        return;
    totals_fault(&sim->totals, fault->kind);
    sim_trace(sim, "fault: %s", fault_kind_text(fault->kind));
    if (fault->kind <= FAULT_SLOW_NODE)
        strike_node(sim, fault);
    else if (fault->kind <= FAULT_SLOW_LINK)
        strike_links(sim, fault);
    else if (fault->kind <= FAULT_CLOCK_DRIFT)
        strike_disk_or_clock(sim, fault);
    else
        strike_clients(sim, fault);
    sim_trace(sim, "fault: ... node %u", (unsigned)fault->node + 1);
}

/* ---- the end of one ---- */

void faults_pass(struct sim *sim, const struct event *event)
{
    const struct fault *fault = &sim->faults.faults[event->target];
    struct sim_node *node = &sim->nodes[fault->node];
    if (sim->is_healing)
        return;
    sim_trace(sim, "fault: %s is over", fault_kind_text(fault->kind));
    if (fault->kind == FAULT_PAUSE || fault->kind == FAULT_LEADER_PAUSE)
        sim_node_resume(node);
    else if (fault->kind == FAULT_ROTATION)
        stop_rotating(sim);
    else if (fault->kind == FAULT_ISOLATE || fault->kind == FAULT_ISOLATE_LEADER)
        isolate(sim, fault->node, false);
    else if (fault->kind == FAULT_SPLIT)
        split(sim, fault->other, false);
    else if (fault->kind == FAULT_ONE_WAY)
        cut_between(sim, fault->node, fault->other, false);
    else if (fault->kind >= FAULT_LOSS && fault->kind <= FAULT_SLOW_LINK)
        each_link(sim, good_link);
    else if (fault->kind == FAULT_SLOW_DISK && random_chance(&sim->faults.random, 500000))
        sim_node_power_cut(node, down_us(sim)); /* with much that is not durable */
    else if (fault->kind == FAULT_SLOW_NODE || fault->kind == FAULT_SLOW_DISK ||
             fault->kind == FAULT_DISK_FULL || fault->kind == FAULT_DISK_ERROR)
        sim_node_heal(node);
    else if (fault->kind == FAULT_CLOCK_DRIFT)
        host_clock_set_drift(&node->clock, 0);
    else if (fault->kind == FAULT_CONNECTION_SILENCE)
        network_host_resume(sim, fault->host);
    else if (fault->kind == FAULT_CLIENT_CUT)
        memset(sim->network.is_host_cut[fault->host], 0, sizeof sim->network.is_host_cut[0]);
}

void faults_heal(struct sim *sim)
{
    sim->is_healing = true;
    sim_trace(sim, "healing");
    network_heal(sim);
    for (uint32_t i = 0; i < sim->plan.node_count; i++) {
        sim_node_heal(&sim->nodes[i]);
        sim_node_resume(&sim->nodes[i]);
        host_clock_set_drift(&sim->nodes[i].clock, 0);
    }
}

/* ---- drawing them ---- */

static enum fault_kind draw_kind(struct sim *sim)
{
    for (;;) {
        enum fault_kind kind = (enum fault_kind)random_below(&sim->faults.random, FAULT_KIND_COUNT);
        if (fault_kind_is_scheduled(kind) && sim->plan.is_enabled[kind])
            return kind;
    }
}

static void add_fault(struct sim *sim, uint64_t from_us, uint64_t until_us, uint64_t length_us_max)
{
    struct fault_schedule *schedule = &sim->faults;
    const size_t number = schedule->count++;
    struct fault *fault = &schedule->faults[number];
    fault->kind = draw_kind(sim);
    fault->begin_us = random_between(&schedule->random, from_us, until_us);
    fault->end_us = fault->begin_us + random_between(&schedule->random, 50000, length_us_max);
    if (fault->kind == FAULT_ROTATION)
        fault->end_us = fault->begin_us + random_between(&schedule->random, SECONDS(2), SECONDS(8));
    events_put(
        &sim->events,
        (struct event){.at_us = fault->begin_us, .kind = EVENT_FAULT_BEGIN, .target = number});
    events_put(&sim->events,
               (struct event){.at_us = fault->end_us, .kind = EVENT_FAULT_END, .target = number});
}

void faults_begin(struct sim *sim)
{
    const struct plan *plan = &sim->plan;
    sim->faults.random = random_fork(&sim->root, 4);
    if (plan->is_enabled[FAULT_WALL_STEP] && random_chance(&sim->faults.random, 500000))
        step_wall(sim, any_node(sim)); /* wrong from the beginning */
    for (size_t i = 0; i < plan->fault_count; i++)
        add_fault(sim, SECONDS(1) / 2, plan->fault_until_us - SECONDS(5), SECONDS(8));
    for (size_t i = 0; i < plan->storm_count; i++)
        add_fault(sim, plan->storm_from_us, plan->storm_until_us, SECONDS(1));
}
