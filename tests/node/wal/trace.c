#include "tests/node/wal/trace.h"

static enum pawl_error step_entries(struct world *world, struct random *random, uint32_t partition)
{
    uint64_t term = world_last_term(world, partition);
    struct model_record record = {.kind = WAL_ENTRY, .partition = partition};
    record.term = term + random_below(random, 2) + (term == 0);
    for (uint64_t i = random_between(random, 1, 4); i > 0; i--) {
        record.index = world_last_index(world, partition) + 1;
        record.bytes = (uint32_t)random_below(random, random_chance(random, 200000) ? 1500 : 300);
        record.is_zeros = random_chance(random, 200000);
        TRY(world_append(world, &record));
    }
    return PAWL_OK;
}

static enum pawl_error step_truncate(struct world *world, struct random *random, uint32_t partition)
{
    uint64_t last = world_last_index(world, partition);
    uint64_t term = world_last_term(world, partition);
    uint64_t back = random_below(random, 4);
    if (last == 0 || last < back || last - back <= world->cut[partition])
        return PAWL_OK;
    uint64_t from = last - back;
    if (wal_term_at(world->wal, partition, from) == 0 ||
        (from > 1 && wal_term_at(world->wal, partition, from - 1) == 0))
        return PAWL_OK; /* at or below the base */
    TRY(world_append(world, &(struct model_record){
                                .kind = WAL_TRUNCATE, .partition = partition, .index = from}));
    return world_append(world, &(struct model_record){.kind = WAL_ENTRY,
                                                      .partition = partition,
                                                      .index = from,
                                                      .term = term + 1,
                                                      .bytes = 40});
}

static enum pawl_error step_state(struct world *world, struct random *random, uint32_t partition)
{
    uint64_t term = world_last_term(world, partition);
    uint64_t draw = random_below(random, 10);
    struct model_record record = {.partition = partition};
    if (draw == 0) {
        record.kind = WAL_START;
        record.index = world_last_index(world, partition) + random_below(random, 20);
        record.term = term + 1;
    } else if (draw == 1) {
        record.kind = WAL_INCARNATION;
        record.term = random_between(random, 1, 3);
        record.vote = random_below(random, 2);
    } else {
        record.kind = WAL_HARD_STATE;
        record.term = term + 1;
        record.vote = random_between(random, 1, 5);
    }
    return world_append(world, &record);
}

static enum pawl_error step_cut(struct world *world, struct random *random, uint32_t partition)
{
    uint64_t last = world_last_index(world, partition);
    if (last == 0)
        return PAWL_OK;
    for (uint32_t i = 0; i < WORLD_PARTITIONS; i++) {
        last = world_last_index(world, i);
        if (last > 0 && world->synced == world->count)
            TRY(world_cut(world, i, last - random_below(random, 2)));
    }
    return PAWL_OK;
}

static enum pawl_error step_reopen(struct world *world)
{
    world_close(world);
    enum pawl_error error = world_open(world);
    if (error == PAWL_E_DISK_FULL)
        error = world_open(world);
    TRY(error);
    world->count = world->synced; /* what was not synced was not written either */
    return PAWL_OK;
}

static enum pawl_error step_run(struct world *world, struct random *random)
{
    uint32_t partition = (uint32_t)random_below(random, WORLD_PARTITIONS);
    uint64_t draw = random_below(random, 100);
    if (draw < 30)
        return step_entries(world, random, partition);
    if (draw < 40)
        return step_truncate(world, random, partition);
    if (draw < 52)
        return step_state(world, random, partition);
    if (draw < 62)
        return step_cut(world, random, partition);
    if (draw < 70)
        return wal_prepare(world->wal, &world->diag);
    if (draw < 74)
        return step_reopen(world);
    return world_sync(world);
}

static enum pawl_error unless_full(enum pawl_error error)
{
    return error == PAWL_E_DISK_FULL ? PAWL_OK : error;
}

enum pawl_error trace_run(struct world *world, uint64_t seed, uint32_t steps)
{
    struct random random;
    random_seed(&random, seed);
    TRY(world_open(world));
    for (uint32_t i = 0; i < steps; i++)
        TRY(unless_full(step_run(world, &random)));
    return unless_full(world_sync(world));
}
