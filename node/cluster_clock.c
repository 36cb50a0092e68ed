#include "node/cluster_clock.h"

#include <assert.h>

void cluster_clock_init(struct cluster_clock *clock, uint64_t stamp_us, uint64_t monotonic_us)
{
    *clock = (struct cluster_clock){.cluster_us = stamp_us, .monotonic_us = monotonic_us};
}

uint64_t cluster_clock_read(const struct cluster_clock *clock, uint64_t monotonic_us)
{
    assert(monotonic_us >= clock->monotonic_us);
    return clock->cluster_us + (monotonic_us - clock->monotonic_us);
}

void cluster_clock_observe(struct cluster_clock *clock, uint64_t stamp_us, uint64_t monotonic_us)
{
    uint64_t now_us = cluster_clock_read(clock, monotonic_us);
    clock->cluster_us = stamp_us > now_us ? stamp_us : now_us;
    clock->monotonic_us = monotonic_us;
}

void cluster_clock_wall(struct cluster_clock *clock, uint64_t node, uint64_t wall_us,
                        uint64_t monotonic_us)
{
    size_t i = 0;
    while (i < clock->wall_count && clock->walls[i].node != node)
        i++;
    if (i == MEMBERS_MAX)
        return;
    if (i == clock->wall_count)
        clock->wall_count++;
    clock->walls[i] = (struct clock_wall){
        .node = node, .offset_us = (int64_t)(wall_us - monotonic_us), .heard_us = monotonic_us};
}

/* The latest time that a quorum of the walls heard lately have reached: with all of them the lower
 * median, with fewer one that the clocks of a minority cannot push forward. False: they are no
 * quorum. */
static bool quorum_wall(const struct cluster_clock *clock, uint64_t monotonic_us, size_t quorum,
                        uint64_t heard_us_max, uint64_t *wall_us_out)
{
    int64_t sorted[MEMBERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < clock->wall_count; i++) {
        if (monotonic_us - clock->walls[i].heard_us > heard_us_max)
            continue;
        size_t at = count++;
        while (at > 0 && sorted[at - 1] > clock->walls[i].offset_us) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = clock->walls[i].offset_us;
    }
    if (count < quorum || count == 0)
        return false;
    *wall_us_out = monotonic_us + (uint64_t)sorted[count - quorum];
    return true;
}

bool cluster_clock_lead(struct cluster_clock *clock, uint64_t monotonic_us, size_t quorum,
                        uint64_t heard_us_max)
{
    const uint64_t elapsed_us = monotonic_us - clock->monotonic_us;
    const uint64_t slew_us = elapsed_us / 10;
    uint64_t now_us = cluster_clock_read(clock, monotonic_us);
    uint64_t wall_us;
    bool has_jumped = false;
    if (quorum_wall(clock, monotonic_us, quorum, heard_us_max, &wall_us)) {
        const bool is_behind = wall_us > now_us;
        const uint64_t error_us = is_behind ? wall_us - now_us : now_us - wall_us;
        has_jumped = is_behind && error_us > CLOCK_JUMP_US;
        if (has_jumped)
            now_us = wall_us;
        else if (is_behind)
            now_us += error_us < slew_us ? error_us : slew_us;
        else
            now_us -= error_us < slew_us ? error_us : slew_us;
    }
    assert(now_us >= clock->cluster_us);
    clock->cluster_us = now_us;
    clock->monotonic_us = monotonic_us;
    return has_jumped;
}

void clock_watch_look(struct clock_watch *watch, const struct cluster_clock *clock,
                      uint64_t wall_us, uint64_t monotonic_us)
{
    const uint64_t cluster_us = cluster_clock_read(clock, monotonic_us);
    const uint64_t distance_us = wall_us > cluster_us ? wall_us - cluster_us : cluster_us - wall_us;
    watch->off_us = (int64_t)(wall_us - cluster_us);
    if ((distance_us > CLOCK_OFF_US) == watch->is_off) {
        watch->differs_since = 0;
    } else if (watch->differs_since == 0) {
        watch->differs_since = monotonic_us;
    } else if (monotonic_us - watch->differs_since >= CLOCK_OFF_US) {
        watch->is_off = !watch->is_off;
        watch->differs_since = 0;
    }
}
