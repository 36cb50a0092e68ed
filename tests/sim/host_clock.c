#include "tests/sim/host_clock.h"

enum { MILLION = 1000000 };

static int64_t drifted(uint64_t elapsed_us, int32_t drift_ppm)
{
    return (int64_t)elapsed_us + (int64_t)elapsed_us * drift_ppm / MILLION;
}

uint64_t host_clock_monotonic_us(const struct host_clock *clock)
{
    uint64_t elapsed_us = clock->events->now_us - clock->since_us;
    return clock->monotonic_us + (uint64_t)drifted(elapsed_us, clock->drift_ppm);
}

static uint64_t port_monotonic_us(void *self)
{
    return host_clock_monotonic_us(self);
}

static uint64_t port_wall_us(void *self)
{
    const struct host_clock *clock = self;
    return SIM_WALL_ORIGIN_US + clock->events->now_us + (uint64_t)clock->wall_offset_us;
}

struct clock_port host_clock_port(struct host_clock *clock)
{
    return (struct clock_port){clock, port_monotonic_us, port_wall_us};
}

void host_clock_set_drift(struct host_clock *clock, int32_t drift_ppm)
{
    clock->monotonic_us = host_clock_monotonic_us(clock);
    clock->since_us = clock->events->now_us;
    clock->drift_ppm = drift_ppm;
}

uint64_t host_clock_true_us(const struct host_clock *clock, uint64_t monotonic_us)
{
    if (monotonic_us == UINT64_MAX)
        return UINT64_MAX;
    if (monotonic_us <= clock->monotonic_us)
        return clock->since_us;
    uint64_t ahead_us = monotonic_us - clock->monotonic_us;
    if (ahead_us > (uint64_t)1 << 40)
        return UINT64_MAX;
    uint64_t elapsed_us = ahead_us * MILLION / (uint64_t)(MILLION + clock->drift_ppm);
    while (drifted(elapsed_us, clock->drift_ppm) < (int64_t)ahead_us)
        elapsed_us++;
    return clock->since_us + elapsed_us;
}
