#include "tests/node/wal/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What some records add up to, for one partition. */
struct model_state {
    bool is_there;
    uint64_t term, vote, incarnation;
    bool is_vote_withheld;
    uint64_t base_index, base_term, last_index;
    const struct model_record *entry[WORLD_RECORDS_MAX]; /* entry[i] is base_index + 1 + i */
};

static struct model_state scratch_state;
static char reason[512];

void world_init(struct world *world, uint64_t seed, uint64_t segment_bytes, uint32_t spares)
{
    *world = (struct world){.disk = sim_disk_new(seed)};
    assert(world->disk != NULL);
    world->options = (struct wal_options){.disk = sim_disk_port(world->disk),
                                          .cluster = {{1, 2, 3}},
                                          .node = 7,
                                          .segment_bytes = segment_bytes,
                                          .spare_segments = spares};
}

void world_close(struct world *world)
{
    if (world->wal != NULL)
        wal_close(world->wal);
    world->wal = NULL;
}

void world_done(struct world *world)
{
    world_close(world);
    arena_done(&world->arena);
    sim_disk_free(world->disk);
}

void world_clone(struct world *to, const struct world *from)
{
    assert(from->wal == NULL);
    *to = *from;
    to->disk = sim_disk_clone(from->disk);
    assert(to->disk != NULL);
    to->options.disk = sim_disk_port(to->disk);
    to->arena = (struct arena){0};
    to->recovery = (struct wal_recovery){0};
}

enum pawl_error world_open(struct world *world)
{
    arena_reset(&world->arena);
    world->options.salt = ++world->salts * 0x9e3779b97f4a7c15u;
    world->recovery = (struct wal_recovery){0};
    return wal_open(&world->options, &world->arena, &world->recovery, &world->wal, &world->diag);
}

static void payload_fill(const struct model_record *record, uint8_t *out)
{
    struct random random;
    random_seed(&random, record->index * 31 + record->term * 7 + record->partition);
    if (record->is_zeros)
        memset(out, 0, record->bytes);
    else
        random_fill(&random, out, record->bytes);
}

static uint8_t entry_kind(const struct model_record *record)
{
    return (uint8_t)(1 + record->index % 3);
}

enum pawl_error world_append(struct world *world, const struct model_record *record)
{
    assert(world->count < WORLD_RECORDS_MAX);
    uint8_t *payload = malloc(record->bytes + 1);
    assert(payload != NULL);
    payload_fill(record, payload);
    const struct wal_record given = {.kind = record->kind,
                                     .partition = record->partition,
                                     .term = record->term,
                                     .vote = record->vote,
                                     .entry = {.index = record->index,
                                               .term = record->term,
                                               .kind = entry_kind(record),
                                               .payload = bytes_of(payload, record->bytes)}};
    enum pawl_error error = wal_append(world->wal, &given);
    free(payload);
    if (error == PAWL_OK)
        world->records[world->count++] = *record;
    return error;
}

enum pawl_error world_append_entry(struct world *world, uint32_t partition, uint32_t bytes)
{
    uint64_t term = world_last_term(world, partition);
    return world_append(world,
                        &(struct model_record){.kind = WAL_ENTRY,
                                               .partition = partition,
                                               .index = world_last_index(world, partition) + 1,
                                               .term = term != 0 ? term : 1,
                                               .bytes = bytes});
}

enum pawl_error world_sync(struct world *world)
{
    enum pawl_error error = wal_sync(world->wal, &world->diag);
    if (error == PAWL_OK)
        world->synced = world->count;
    if (error == PAWL_E_DISK_FULL)
        world->count = world->synced;
    return error;
}

enum pawl_error world_cut(struct world *world, uint32_t partition, uint64_t index)
{
    if (world->cut[partition] < index)
        world->cut[partition] = index;
    return wal_cut(world->wal, partition, index, &world->diag);
}

uint64_t world_last_index(const struct world *world, uint32_t partition)
{
    uint64_t last = 0;
    for (size_t i = 0; i < world->count; i++) {
        const struct model_record *record = &world->records[i];
        if (record->partition != partition)
            continue;
        if (record->kind == WAL_ENTRY || record->kind == WAL_START)
            last = record->index;
        if (record->kind == WAL_TRUNCATE)
            last = record->index - 1;
    }
    return last;
}

uint64_t world_last_term(const struct world *world, uint32_t partition)
{
    uint64_t term = 0;
    for (size_t i = 0; i < world->count; i++) {
        const struct model_record *record = &world->records[i];
        if (record->partition == partition && record->kind != WAL_TRUNCATE &&
            record->kind != WAL_INCARNATION && record->term > term)
            term = record->term;
    }
    return term;
}

/* --- the model --- */

static void state_take(struct model_state *state, const struct model_record *record)
{
    state->is_there = true;
    switch (record->kind) {
    case WAL_HARD_STATE:
        state->term = record->term;
        state->vote = record->vote;
        break;
    case WAL_ENTRY:
        state->entry[record->index - state->base_index - 1] = record;
        state->last_index = record->index;
        break;
    case WAL_TRUNCATE:
        state->last_index = record->index - 1;
        break;
    case WAL_START:
        state->base_index = state->last_index = record->index;
        state->base_term = record->term;
        break;
    case WAL_INCARNATION:
        state->incarnation = record->term;
        state->is_vote_withheld = record->vote != 0;
        break;
    }
}

static const struct model_state *state_after(const struct world *world, uint32_t partition,
                                             size_t count)
{
    scratch_state = (struct model_state){0};
    for (size_t i = 0; i < count; i++)
        if (world->records[i].partition == partition)
            state_take(&scratch_state, &world->records[i]);
    return &scratch_state;
}

static const struct wal_partition *found_partition(const struct world *world, uint32_t partition)
{
    for (size_t i = 0; i < world->recovery.partition_count; i++)
        if (world->recovery.partitions[i].partition == partition)
            return &world->recovery.partitions[i];
    return NULL;
}

static uint64_t model_term(const struct model_state *state, uint64_t index)
{
    return index == state->base_index ? state->base_term
                                      : state->entry[index - state->base_index - 1]->term;
}

static bool base_fits(const struct model_state *state, const struct wal_partition *found,
                      uint64_t cut)
{
    uint64_t most = cut > state->base_index ? cut : state->base_index;
    return found->base_index >= state->base_index && found->base_index <= most &&
           found->base_index <= state->last_index &&
           found->base_term == model_term(state, found->base_index);
}

static bool entries_fit(struct world *world, uint32_t partition, const struct model_state *state,
                        const struct wal_partition *found)
{
    for (uint64_t i = found->base_index + 1; i <= state->last_index; i++) {
        const struct model_record *record = state->entry[i - state->base_index - 1];
        uint32_t bytes = 0;
        uint8_t kind = 0;
        if (!wal_entry_shape(world->wal, partition, i, &bytes, &kind) || bytes != record->bytes ||
            kind != entry_kind(record) || wal_term_at(world->wal, partition, i) != record->term)
            return false;
    }
    return true;
}

static bool partition_fits(struct world *world, uint32_t partition, size_t count)
{
    const struct model_state *state = state_after(world, partition, count);
    const struct wal_partition *found = found_partition(world, partition);
    if (found == NULL || !state->is_there)
        return found == NULL && !state->is_there;
    return found->term == state->term && found->vote == state->vote &&
           found->incarnation == state->incarnation &&
           found->is_vote_withheld == state->is_vote_withheld &&
           found->last_index == state->last_index &&
           base_fits(state, found, world->cut[partition]) &&
           entries_fit(world, partition, state, found);
}

static bool world_fits(struct world *world, size_t count)
{
    for (uint32_t partition = 0; partition < WORLD_PARTITIONS; partition++)
        if (!partition_fits(world, partition, count))
            return false;
    return true;
}

static const char *fail(const struct world *world, const char *what)
{
    int used =
        snprintf(reason, sizeof reason, "%s (synced %zu of %zu", what, world->synced, world->count);
    for (size_t i = 0; i < world->recovery.partition_count && used < (int)sizeof reason; i++) {
        const struct wal_partition *found = &world->recovery.partitions[i];
        used +=
            snprintf(reason + used, sizeof reason - (size_t)used,
                     "; partition %u: term %llu vote %llu base %llu last %llu", found->partition,
                     (unsigned long long)found->term, (unsigned long long)found->vote,
                     (unsigned long long)found->base_index, (unsigned long long)found->last_index);
    }
    return reason;
}

const char *world_check(struct world *world)
{
    if (world->recovery.health != WAL_HEALTHY)
        return fail(world, world->recovery.diag.text);
    for (size_t count = world->count + 1; count-- > world->synced;) {
        if (!world_fits(world, count))
            continue;
        world->count = world->synced = count;
        return world_check_reads(world);
    }
    return fail(world, "what the log holds is no prefix of what was appended");
}

static bool entry_reads(const struct model_record *record, const struct wal_entry *entry)
{
    uint8_t *payload = malloc(record->bytes + 1);
    assert(payload != NULL);
    payload_fill(record, payload);
    bool is_same = entry->index == record->index && entry->term == record->term &&
                   entry->kind == entry_kind(record) &&
                   bytes_equal(entry->payload, bytes_of(payload, record->bytes));
    free(payload);
    return is_same;
}

static const char *partition_check_reads(struct world *world, uint32_t partition,
                                         const struct model_state *state, size_t bytes_max)
{
    struct arena arena = {0};
    uint64_t first = state->base_index + 1;
    uint32_t bytes;
    uint8_t kind;
    while (first <= world->cut[partition] &&
           !wal_entry_shape(world->wal, partition, first, &bytes, &kind))
        first++;
    const char *wrong = NULL;
    while (wrong == NULL && first <= state->last_index) {
        struct wal_entry *entries;
        size_t count;
        if (wal_read(world->wal, partition, first, state->last_index, bytes_max, &arena, &entries,
                     &count) != PAWL_OK ||
            count == 0)
            wrong = fail(world, "an entry cannot be read");
        for (size_t i = 0; wrong == NULL && i < count; i++)
            if (!entry_reads(state->entry[first + i - state->base_index - 1], &entries[i]))
                wrong = fail(world, "an entry reads as something else");
        if (wrong == NULL)
            first += count;
        arena_reset(&arena);
    }
    arena_done(&arena);
    return wrong;
}

const char *world_check_reads(struct world *world)
{
    static const size_t windows[] = {0, 700, 1 << 20};
    for (uint32_t partition = 0; partition < WORLD_PARTITIONS; partition++)
        for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
            const struct model_state *state = state_after(world, partition, world->count);
            const char *wrong = partition_check_reads(world, partition, state, windows[i]);
            if (wrong != NULL)
                return wrong;
        }
    return NULL;
}

static const char *reopen(struct world *world)
{
    world_close(world);
    return world_open(world) == PAWL_OK ? world_check(world) : fail(world, world->diag.text);
}

const char *world_go_on(struct world *world)
{
    static const char no_more[] = "the recovered log takes no more records";
    if (world_append_entry(world, 0, 8) != PAWL_OK || world_sync(world) != PAWL_OK)
        return fail(world, no_more);
    const char *wrong = reopen(world);
    if (wrong != NULL)
        return wrong;
    for (uint32_t partition = 0; partition < WORLD_PARTITIONS; partition++)
        for (uint32_t i = 0; i < 3; i++)
            if (world_append_entry(world, partition, 100 + 150 * i) != PAWL_OK ||
                world_sync(world) != PAWL_OK)
                return fail(world, no_more);
    return reopen(world);
}
