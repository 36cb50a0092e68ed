/* The cluster's clock, as one node knows it.
 *
 * 1. It never runs back, on any node, over any change of leader.
 * 2. It advances by the monotonic clock and slews by at most 10 % towards the latest time that the
 * wall clocks of a quorum have reached (the lower median of all of them). Only a leader that lags
 * by more than CLOCK_JUMP_US (the cluster was down) jumps forward to it.
 * 3. A follower follows the stamps of entries and the times in heartbeats.
 *
 * Times are microseconds; cluster and wall times since 1970 UTC. Source: docs/architecture.md,
 * "Time".
 */
#ifndef PAWL_NODE_CLUSTER_CLOCK_H
#define PAWL_NODE_CLUSTER_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define CLOCK_JUMP_US ((uint64_t)5 * 1000 * 1000)
#define CLOCK_OFF_US  ((uint64_t)1000 * 1000)

struct cluster_clock {
    uint64_t cluster_us;   /* the cluster's time ... */
    uint64_t monotonic_us; /* ... at this moment of this node */
    struct clock_wall {
        uint64_t node;
        int64_t offset_us; /* the node's wall clock less our monotonic clock */
        uint64_t heard_us; /* monotonic */
    } walls[MEMBERS_MAX];
    size_t wall_count;
};

void cluster_clock_init(struct cluster_clock *clock, uint64_t stamp_us, uint64_t monotonic_us);
/* A stamp from an entry or a heartbeat: the clock is at least that far. */
void cluster_clock_observe(struct cluster_clock *clock, uint64_t stamp_us, uint64_t monotonic_us);
/* What a node's wall clock says now; this node's own included. */
void cluster_clock_wall(struct cluster_clock *clock, uint64_t node, uint64_t wall_us,
                        uint64_t monotonic_us);
/* Advance without slewing (followers) and read. */
uint64_t cluster_clock_read(const struct cluster_clock *clock, uint64_t monotonic_us);
/* How far a node's wall clock is from the cluster's, and whether that is far. */
struct clock_watch {
    int64_t off_us; /* ahead of the cluster's clock; negative: behind */
    uint64_t
        differs_since; /* monotonic: off_us has disagreed with is_off since then; 0: it agrees */
    bool is_off;
};
/* One look. is_off follows once a clock has been more than CLOCK_OFF_US away, or less, for
 * CLOCK_OFF_US: what is seen while a leader sets the clock right means nothing. */
void clock_watch_look(struct clock_watch *watch, const struct cluster_clock *clock,
                      uint64_t wall_us, uint64_t monotonic_us);

/* Advance as the leader does: slew towards, or jump to, the latest time that a quorum of the walls
 * heard within heard_us_max have reached, when they are a quorum. True: it jumped. */
bool cluster_clock_lead(struct cluster_clock *clock, uint64_t monotonic_us, size_t quorum,
                        uint64_t heard_us_max);

#endif
