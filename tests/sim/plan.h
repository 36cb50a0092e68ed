/* What one seed makes of a run: the size of the cluster, who lives around it, tiny or usual limits,
 * and which kinds of faults are let loose (a random subset: faults that are always there hide
 * behind each other). */
#ifndef PAWL_SIM_PLAN_H
#define PAWL_SIM_PLAN_H

#include "tests/sim/random.h"

enum { SIM_NODES_MAX = 5, SIM_HOSTS_MAX = 16 };

#define FAULT_KINDS(X)                                                                             \
    X(NODE_KILL, "node killed")                                                                    \
    X(POWER_CUT, "power cut")                                                                      \
    X(POWER_CUT_ALL, "power cut everywhere")                                                       \
    X(CUT_IN_APPEND, "power cut in a log write")                                                   \
    X(CUT_IN_FLUSH, "power cut in a flush")                                                        \
    X(LEADER_KILL, "leader killed")                                                                \
    X(PAUSE, "node paused")                                                                        \
    X(LEADER_PAUSE, "leader paused")                                                               \
    X(SLOW_NODE, "slow node")                                                                      \
    X(ROTATION, "majorities in turn")                                                              \
    X(ISOLATE, "node isolated")                                                                    \
    X(ISOLATE_LEADER, "leader isolated from nodes")                                                \
    X(SPLIT, "partition")                                                                          \
    X(ONE_WAY, "one-way cut")                                                                      \
    X(PEER_LOST, "node held for gone")                                                             \
    X(LOSS, "frames lost")                                                                         \
    X(DUPLICATION, "frames doubled")                                                               \
    X(REORDERING, "frames reordered")                                                              \
    X(SLOW_LINK, "slow link")                                                                      \
    X(SLOW_DISK, "slow disk")                                                                      \
    X(DISK_FULL, "disk full")                                                                      \
    X(DISK_ERROR, "disk error")                                                                    \
    X(LOG_DAMAGE, "log damaged")                                                                   \
    X(WALL_STEP, "wall clock stepped")                                                             \
    X(CLOCK_DRIFT, "clock drifts")                                                                 \
    X(CONNECTION_BREAK, "client connections broken")                                               \
    X(CONNECTION_SILENCE, "client connections silent")                                             \
    X(CLIENT_CUT, "client cut from nodes")                                                         \
    X(STARTER_CRASH, "starter crashed")                                                            \
    X(WORKER_CRASH, "worker crashed")                                                              \
    X(WORKER_GOODBYE, "worker left")                                                               \
    X(WORKER_HANG, "handler hung")                                                                 \
    X(HANDOUT_DROP, "hand-out dropped")                                                            \
    X(WORKER_DOUBLE, "report sent twice")                                                          \
    X(STEP_FAULT, "step failed, to be retried")                                                    \
    X(STEP_FAULT_FINAL, "step failed for good")                                                    \
    X(START_TWICE, "start sent by two clients")                                                    \
    X(START_CONFLICT, "workflow id started twice")

enum fault_kind {
#define FAULT_KIND(name, text) FAULT_##name,
    FAULT_KINDS(FAULT_KIND)
#undef FAULT_KIND
        FAULT_KIND_COUNT
};

const char *fault_kind_text(enum fault_kind kind);
/* Whether the schedule brings it about; else an actor does, by chance. */
bool fault_kind_is_scheduled(enum fault_kind kind);

struct plan {
    uint32_t node_count;
    uint32_t starter_count, reader_count, worker_count;
    uint32_t instance_count;
    uint64_t start_from_us, start_until_us; /* new instances are started between them */
    uint64_t fault_until_us;
    uint64_t heal_until_us; /* everything must have ended by then */
    uint32_t fault_count;   /* scheduled ones, spread over the fault phase */
    uint32_t storm_count;   /* more of them, short, close together, while instances are started */
    uint64_t storm_from_us, storm_until_us;
    uint32_t read_pause_us_max; /* of a reader between two reads */
    bool is_enabled[FAULT_KIND_COUNT];
    uint64_t segment_bytes; /* of the log */
    uint64_t clean_bytes_max, cache_bytes_max, window_bytes_busy;
    uint64_t cut_step, cut_keep;
    uint32_t append_bytes_max;
    size_t remember_bytes; /* 0: as shipped; 1: an entry each turn */
    uint32_t flush_interval_ms;
    uint32_t read_delay_us_max; /* of loads and queries */
};

struct plan plan_draw(const struct random *root);

#endif
