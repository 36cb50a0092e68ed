#include "tests/sim/plan.h"

#define SECONDS(n) ((uint64_t)(n)*1000000)

const char *fault_kind_text(enum fault_kind kind)
{
    static const char *const texts[] = {
#define FAULT_TEXT(name, text) [FAULT_##name] = text,
        FAULT_KINDS(FAULT_TEXT)
#undef FAULT_TEXT
    };
    return texts[kind];
}

bool fault_kind_is_scheduled(enum fault_kind kind)
{
    return kind < FAULT_WORKER_HANG;
}

static uint64_t pick(struct random *random, const uint64_t *choices, size_t count)
{
    return choices[random_below(random, count)];
}

/* Each kind with the chance of one half; a quiet seed gets some all the same. */
static void draw_faults(struct random *random, struct plan *plan)
{
    size_t scheduled = 0;
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        plan->is_enabled[kind] = random_chance(random, 500000);
        scheduled += plan->is_enabled[kind] && fault_kind_is_scheduled((enum fault_kind)kind);
    }
    if (scheduled == 0)
        plan->is_enabled[FAULT_LEADER_KILL] = true;
    plan->fault_count = (uint32_t)random_between(random, 5, 24);
    if (random_chance(random, 400000)) {
        plan->storm_count = (uint32_t)random_between(random, 10, 60);
        plan->storm_from_us = plan->start_from_us + random_below(random, SECONDS(2));
        plan->storm_until_us =
            plan->storm_from_us + random_between(random, SECONDS(3), SECONDS(20));
    }
}

/* Everybody at once, or one after the other. */
static void draw_times(struct random *random, struct plan *plan)
{
    const bool is_rush = random_chance(random, 400000);
    plan->start_from_us = is_rush ? random_between(random, SECONDS(2), SECONDS(30)) : SECONDS(2);
    plan->start_until_us = is_rush ? plan->start_from_us + SECONDS(6) : SECONDS(40);
    plan->read_pause_us_max = random_chance(random, 300000) ? 40000 : 500000;
}

struct plan plan_draw(const struct random *root)
{
    static const uint64_t segments[] = {16 << 10, 64 << 10, 256 << 10};
    static const uint64_t cleans[] = {4 << 10, 16 << 10, 64 << 10, 8 << 20};
    static const uint64_t caches[] = {1 << 10, 32 << 10, 4 << 20};
    static const uint64_t windows[] = {16 << 10, 64 << 20, 64 << 20};
    static const uint64_t steps[] = {8, 64, 4096};
    static const uint64_t intervals[] = {5, 25, 25, 400};
    static const uint64_t delays[] = {300, 2000, 30000};
    struct random random = random_fork(root, 1);
    struct plan plan = {
        .node_count = random_chance(&random, 250000) ? 5 : 3,
        .starter_count = (uint32_t)random_between(&random, 1, 3),
        .reader_count = (uint32_t)random_between(&random, 1, 2),
        .worker_count = (uint32_t)random_between(&random, 2, 4),
        .instance_count = (uint32_t)random_between(&random, 20, 50),
        .fault_until_us = SECONDS(60),
        .heal_until_us = SECONDS(360),
        .segment_bytes = pick(&random, segments, 3),
        .clean_bytes_max = pick(&random, cleans, 4),
        .cache_bytes_max = pick(&random, caches, 3),
        .window_bytes_busy = pick(&random, windows, 3),
        .cut_step = pick(&random, steps, 3),
        .cut_keep = random_between(&random, 1, 20),
        .append_bytes_max = random_chance(&random, 400000) ? 64 : 1 << 20,
        .flush_interval_ms = (uint32_t)pick(&random, intervals, 4),
        .read_delay_us_max = (uint32_t)pick(&random, delays, 3),
    };
    draw_times(&random, &plan);
    draw_faults(&random, &plan);
    plan.remember_bytes = random_chance(&random, 500000) ? 1 : 0;
    return plan;
}
