/* The clocks of one simulated machine: a monotonic one with drift, and a wall clock that may be far
 * off and may jump. True time is the virtual time of the event queue. */
#ifndef PAWL_SIM_HOST_CLOCK_H
#define PAWL_SIM_HOST_CLOCK_H

#include "node/ports.h"
#include "tests/sim/events.h"

/* True time zero on a wall clock that is right. */
#define SIM_WALL_ORIGIN_US ((uint64_t)1790000000 * 1000000)

struct host_clock {
    const struct events *events; /* knows the true time */
    uint64_t since_us;           /* true time of the last change of rate */
    uint64_t monotonic_us;       /* what the monotonic clock showed then */
    int32_t drift_ppm;
    int64_t wall_offset_us; /* of the wall clock from the true time */
};

struct clock_port host_clock_port(struct host_clock *clock);
uint64_t host_clock_monotonic_us(const struct host_clock *clock);
/* From now on the clock runs at this rate. */
void host_clock_set_drift(struct host_clock *clock, int32_t drift_ppm);
/* The true time at which the monotonic clock shows at least monotonic_us; UINT64_MAX stays. */
uint64_t host_clock_true_us(const struct host_clock *clock, uint64_t monotonic_us);

#endif
