#include "tests/node/wal/suites.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/wal/format.h"
#include "tests/node/wal/trace.h"

enum { SEGMENT_BYTES = 4096, SPARES = 1, RANDOM_SUBSETS = 64 };

static char where[1024];

static const char *at(const char *wrong, const char *what, uint64_t seed, uint64_t number)
{
    char copy[512];
    if (wrong == NULL)
        return NULL;
    snprintf(copy, sizeof copy, "%s", wrong);
    snprintf(where, sizeof where, "%s %" PRIu64 ", seed %" PRIu64 ": %s", what, number, seed, copy);
    return where;
}

/* --- subsets of what is volatile --- */

struct subset {
    enum { KEEP_NONE, KEEP_ALL, KEEP_ONE, LOSE_ONE, KEEP_RANDOM } mode;
    size_t number;
    struct random random;
};

static bool subset_keeps(void *user, size_t number)
{
    struct subset *subset = user;
    switch (subset->mode) {
    case KEEP_NONE:
        return false;
    case KEEP_ALL:
        return true;
    case KEEP_ONE:
        return number == subset->number;
    case LOSE_ONE:
        return number != subset->number;
    case KEEP_RANDOM:
        return random_below(&subset->random, 2) == 1;
    }
    return false;
}

/* The subset of a number: none, all, each one alone, all but each one, and then random ones. */
static bool subset_make(size_t number, size_t volatile_count, struct subset *out)
{
    *out = (struct subset){.mode = number == 0 ? KEEP_NONE : KEEP_ALL};
    if (number < 2)
        return true;
    number -= 2;
    if (number < 2 * volatile_count) {
        out->mode = number % 2 == 0 ? KEEP_ONE : LOSE_ONE;
        out->number = number / 2;
        return true;
    }
    number -= 2 * volatile_count;
    out->mode = KEEP_RANDOM;
    random_seed(&out->random, number);
    return number < RANDOM_SUBSETS && volatile_count > 1;
}

/* --- power cuts --- */

static const char *reopen_check(struct world *world)
{
    if (world_open(world) != PAWL_OK)
        return world->diag.text;
    const char *wrong = world_check(world);
    return wrong != NULL ? wrong : world_go_on(world);
}

/* The trace up to a power cut; false: it ended before. The log is closed. */
static bool run_to_cut(struct world *world, uint64_t seed, uint32_t steps, uint64_t calls)
{
    world_init(world, seed, SEGMENT_BYTES, SPARES);
    sim_disk_crash_after(world->disk, calls);
    (void)trace_run(world, seed, steps);
    bool is_dark = sim_disk_is_dark(world->disk);
    world_close(world);
    return is_dark;
}

static const char *subsets_check_by(const struct world *cut, const char *(*check)(struct world *))
{
    struct subset subset;
    for (size_t number = 0; subset_make(number, sim_disk_volatile_count(cut->disk), &subset);
         number++) {
        static struct world world;
        world_clone(&world, cut);
        sim_disk_crash_keeping(world.disk, subset_keeps, &subset);
        const char *wrong = check(&world);
        world_done(&world);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *subsets_check(const struct world *cut)
{
    return subsets_check_by(cut, reopen_check);
}

const char *suite_power_cuts(uint64_t seed, uint32_t steps)
{
    static struct world world;
    const char *wrong = NULL;
    for (uint64_t calls = 0; wrong == NULL; calls++) {
        bool is_cut = run_to_cut(&world, seed, steps, calls);
        if (is_cut)
            wrong = at(subsets_check(&world), "power cut at call", seed, calls);
        world_done(&world);
        if (!is_cut)
            break;
    }
    return wrong;
}

enum { SECTOR_PAYLOAD_BYTES = 512 - 48 }; /* of an entry that is one sector */

static const char *same_again_check(struct world *world)
{
    const char *wrong = world_open(world) == PAWL_OK ? world_check(world) : world->diag.text;
    if (wrong != NULL)
        return wrong;
    if (world_append_entry(world, 0, SECTOR_PAYLOAD_BYTES) != PAWL_OK ||
        world_sync(world) != PAWL_OK)
        return "an entry is refused";
    world_close(world);
    return reopen_check(world);
}

const char *suite_aligned_power_cuts(uint64_t seed)
{
    static struct world world;
    world_init(&world, seed, SEGMENT_BYTES, SPARES);
    enum pawl_error error = world_open(&world);
    for (int i = 0; i < 3 && error == PAWL_OK; i++)
        error = world_append_entry(&world, 0, SECTOR_PAYLOAD_BYTES);
    sim_disk_crash_after(world.disk, 1); /* the group is written and not synced */
    if (error == PAWL_OK)
        (void)world_sync(&world);
    world_close(&world);
    const char *wrong =
        error != PAWL_OK ? world.diag.text : subsets_check_by(&world, same_again_check);
    world_done(&world);
    return at(wrong, "power cut in aligned records", seed, 0);
}

/* One power cut, then another one at every call of the recovery. */
static const char *second_cuts_check(const struct world *first)
{
    static struct world world;
    const char *wrong = NULL;
    for (uint64_t calls = 0; wrong == NULL; calls++) {
        world_clone(&world, first);
        sim_disk_crash_after(world.disk, calls);
        bool is_open = world_open(&world) == PAWL_OK;
        world_close(&world);
        sim_disk_crash(world.disk);
        wrong = reopen_check(&world);
        world_done(&world);
        if (is_open)
            break;
    }
    return wrong;
}

const char *suite_power_cuts_twice(uint64_t seed, uint32_t steps)
{
    static struct world world;
    const char *wrong = NULL;
    for (uint64_t calls = 0; wrong == NULL; calls++) {
        bool is_cut = run_to_cut(&world, seed, steps, calls);
        sim_disk_crash(world.disk);
        if (is_cut)
            wrong = at(second_cuts_check(&world), "second power cut after call", seed, calls);
        world_done(&world);
        if (!is_cut)
            break;
    }
    return wrong;
}

/* A killed process loses nothing that it wrote; but what the next life finds, a power cut may still
 * take if that life does not make it durable. */
static const char *kill_check(struct world *world)
{
    sim_disk_heal(world->disk);
    if (world_open(world) != PAWL_OK)
        return world->diag.text;
    const char *wrong = world_check(world);
    if (wrong != NULL)
        return wrong;
    world_close(world);
    sim_disk_crash(world->disk);
    return reopen_check(world);
}

const char *suite_kills(uint64_t seed, uint32_t steps)
{
    static struct world world;
    const char *wrong = NULL;
    for (uint64_t calls = 0; wrong == NULL; calls++) {
        bool is_cut = run_to_cut(&world, seed, steps, calls);
        if (is_cut)
            wrong = at(kill_check(&world), "kill at call", seed, calls);
        world_done(&world);
        if (!is_cut)
            break;
    }
    return wrong;
}

/* One log over many lives, each ended by a power cut somewhere. */
const char *suite_lives(uint64_t seed, uint32_t steps)
{
    enum { LIVES = 12 };
    static struct world world;
    struct random random;
    random_seed(&random, seed);
    world_init(&world, seed, SEGMENT_BYTES, (uint32_t)random_below(&random, 3));
    const char *wrong = NULL;
    for (uint64_t life = 0; wrong == NULL && life < LIVES; life++) {
        sim_disk_crash_after(world.disk, random_below(&random, 40));
        (void)trace_run(&world, random_u64(&random), steps);
        world_close(&world);
        if (sim_disk_is_dark(world.disk))
            sim_disk_crash(world.disk);
        sim_disk_heal(world.disk);
        wrong = world_open(&world) == PAWL_OK ? world_check(&world) : world.diag.text;
        wrong = at(wrong, "life", seed, life);
        world_close(&world);
    }
    world_done(&world);
    return wrong;
}

/* --- damage at rest --- */

static enum pawl_error damage_subject(struct world *world, uint64_t seed)
{
    world_init(world, seed, SEGMENT_BYTES, SPARES);
    TRY(world_open(world));
    for (uint32_t i = 0; i < 14; i++) {
        const struct model_record hard = {
            .kind = WAL_HARD_STATE, .partition = i % 2, .term = i + 1, .vote = 3};
        if (i % 4 == 0)
            TRY(world_append(world, &hard));
        TRY(world_append_entry(world, i % 2, 60 + 110 * (i % 5)));
        TRY(world_append(world, &(struct model_record){.kind = WAL_ENTRY,
                                                       .partition = i % 2,
                                                       .index = world_last_index(world, i % 2) + 1,
                                                       .term = world_last_term(world, i % 2),
                                                       .bytes = 90,
                                                       .is_zeros = true}));
        TRY(world_sync(world));
    }
    world_close(world);
    return PAWL_OK;
}

/* After damage: an error, or a health that says so under a new incarnation with every vote
 * withheld, or everything that was synced is there. And it stays so: a second open must not forget.
 */
static const char *damage_check(struct world *world)
{
    enum pawl_error error = world_open(world);
    if (error == PAWL_E_CORRUPT || error == PAWL_E_VERSION || error == PAWL_E_WRONG_CLUSTER)
        return NULL;
    if (error != PAWL_OK)
        return pawl_error_name(error);
    if (world->recovery.health == WAL_HEALTHY)
        return world_check(world);
    for (int life = 0; life < 2; life++) {
        if (world->recovery.incarnation != 1)
            return "damage has not begun a new incarnation";
        for (size_t i = 0; i < world->recovery.partition_count; i++)
            if (world->recovery.partitions[i].incarnation != 1 ||
                !world->recovery.partitions[i].is_vote_withheld)
                return "damage has not withheld a vote";
        world_close(world);
        if (world_open(world) != PAWL_OK)
            return world->diag.text;
        if (world->recovery.health != WAL_HEALTHY)
            return "a log that was damaged once is found damaged twice";
    }
    return NULL;
}

typedef bool (*damage_fn)(struct sim_disk *disk, const char *name, uint64_t number);

/* Do one damage after the other, each to a fresh copy, until there is none left. */
static const char *damages_check(uint64_t seed, const char *what, damage_fn damage)
{
    static struct world subject, world;
    if (damage_subject(&subject, seed) != PAWL_OK)
        return subject.diag.text;
    const char *wrong = NULL;
    for (unsigned segment = 1; wrong == NULL; segment++) {
        char name[40];
        snprintf(name, sizeof name, "segment-%020u", segment);
        bool is_there = sim_disk_content(subject.disk, name).data != NULL;
        for (uint64_t number = 0; is_there && wrong == NULL; number++) {
            world_clone(&world, &subject);
            bool is_done = damage(world.disk, name, number);
            if (is_done)
                wrong = at(damage_check(&world), what, segment, number);
            world_done(&world);
            if (!is_done)
                break;
        }
        if (!is_there)
            break;
    }
    world_done(&subject);
    return wrong;
}

static bool damage_flip(struct sim_disk *disk, const char *name, uint64_t number)
{
    return sim_disk_flip(disk, name, number, (unsigned)(number % 8));
}

static bool damage_shorten(struct sim_disk *disk, const char *name, uint64_t number)
{
    return number < sim_disk_content(disk, name).size && sim_disk_shorten(disk, name, number);
}

static bool damage_lose(struct sim_disk *disk, const char *name, uint64_t number)
{
    return number == 0 && sim_disk_lose(disk, name);
}

/* The content of one sector read, or written, at the place of another one; zeros are another
 * suite's. */
static bool damage_misplace(struct sim_disk *disk, const char *name, uint64_t number)
{
    enum { SECTORS = SEGMENT_BYTES / 512 };
    uint8_t content[SEGMENT_BYTES];
    if (number >= SECTORS * SECTORS)
        return false;
    memcpy(content, sim_disk_content(disk, name).data, sizeof content);
    uint8_t *from = content + number / SECTORS * 512, *to = content + number % SECTORS * 512;
    if (!wal_is_zero(from, 512))
        memmove(to, from, 512);
    return sim_disk_put(disk, name, bytes_of(content, sizeof content));
}

const char *suite_misplaced_sectors(uint64_t seed)
{
    return damages_check(seed, "misplaced sectors", damage_misplace);
}

const char *suite_flips(uint64_t seed)
{
    return damages_check(seed, "flip of byte", damage_flip);
}

const char *suite_lengths(uint64_t seed)
{
    return damages_check(seed, "file cut to", damage_shorten);
}

/* Sectors that read as zeros: noticed wherever a later group or segment knows better, so all but
 * those of the newest group. */
const char *suite_lost_sectors(uint64_t seed)
{
    static struct world subject, world;
    if (damage_subject(&subject, seed) != PAWL_OK)
        return subject.diag.text;
    const char *wrong = NULL;
    size_t newest_group = subject.count - 2;
    for (unsigned segment = 1; segment < 6 && wrong == NULL; segment++)
        for (uint64_t sector = 0; sector < SEGMENT_BYTES / 512 && wrong == NULL; sector++) {
            char name[40];
            snprintf(name, sizeof name, "segment-%020u", segment);
            world_clone(&world, &subject);
            world.synced = newest_group;
            if (sim_disk_zero_sector(world.disk, name, sector))
                wrong = at(damage_check(&world), "zeroed sector", segment, sector);
            world_done(&world);
        }
    world_done(&subject);
    return wrong;
}

const char *suite_lost_segments(uint64_t seed)
{
    static struct world subject, world;
    if (damage_subject(&subject, seed) != PAWL_OK)
        return subject.diag.text;
    const char *wrong = NULL;
    for (unsigned segment = 2; wrong == NULL; segment++) {
        char name[40], next[40];
        snprintf(name, sizeof name, "segment-%020u", segment);
        snprintf(next, sizeof next, "segment-%020u", segment + 1);
        if (sim_disk_content(subject.disk, next).data == NULL)
            break;
        world_clone(&world, &subject);
        if (!damage_lose(world.disk, name, 0) || world_open(&world) != PAWL_OK ||
            world.recovery.health != WAL_DAMAGED)
            wrong = at("a missing segment is not noticed", "segment", seed, segment);
        world_done(&world);
    }
    world_done(&subject);
    return wrong;
}

/* After a power cut during the recovery from damage: the damage is still there to be found, or the
 * new incarnation is; never neither. */
static const char *damage_cut_check(struct world *world)
{
    if (world_open(world) != PAWL_OK)
        return world->diag.text;
    if (world->recovery.incarnation != 1)
        return "damage is forgotten";
    for (size_t i = 0; i < world->recovery.partition_count; i++)
        if (!world->recovery.partitions[i].is_vote_withheld)
            return "a withheld vote is forgotten";
    world_close(world);
    if (world_open(world) != PAWL_OK)
        return world->diag.text;
    return world->recovery.health == WAL_HEALTHY && world->recovery.incarnation == 1
               ? NULL
               : "a log that was damaged once is found damaged twice";
}

/* calls: of the recovery that succeed. False: it ended before. */
static bool damage_cut(const struct world *damaged, uint64_t calls, const char **wrong_out)
{
    static struct world cut, world;
    world_clone(&cut, damaged);
    sim_disk_crash_after(cut.disk, calls);
    bool is_cut = world_open(&cut) != PAWL_OK;
    world_close(&cut);
    struct subset subset;
    for (size_t i = 0; is_cut && *wrong_out == NULL; i++) {
        if (!subset_make(i, sim_disk_volatile_count(cut.disk), &subset))
            break;
        world_clone(&world, &cut);
        sim_disk_crash_keeping(world.disk, subset_keeps, &subset);
        *wrong_out = damage_cut_check(&world);
        world_done(&world);
    }
    world_done(&cut);
    return is_cut;
}

const char *suite_damage_then_power_cuts(uint64_t seed)
{
    static struct world subject;
    const char *wrong = NULL;
    for (unsigned segment = 1; segment <= 3 && wrong == NULL; segment++) {
        if (damage_subject(&subject, seed) != PAWL_OK)
            return subject.diag.text;
        char name[40];
        snprintf(name, sizeof name, "segment-%020u", segment);
        (void)sim_disk_flip(subject.disk, name, 1500, 2);
        for (uint64_t calls = 0; wrong == NULL; calls++) {
            if (!damage_cut(&subject, calls, &wrong))
                break;
            wrong = at(wrong, "power cut in the recovery from damage at call", seed, calls);
        }
        world_done(&subject);
    }
    return wrong;
}

/* --- errors --- */

static const char *error_check(struct world *world, enum pawl_error outcome)
{
    if (!sim_disk_has_failed(world->disk))
        return outcome == PAWL_OK ? NULL : "a trace without a fault failed";
    if (outcome != PAWL_E_IO)
        return "an error of the disk was not reported";
    const struct wal_record record = {.kind = WAL_HARD_STATE, .term = 1000, .vote = 1};
    if (world->wal != NULL && (wal_append(world->wal, &record) != PAWL_E_IO ||
                               wal_sync(world->wal, &world->diag) != PAWL_E_IO))
        return "an error of the disk was not final";
    world_close(world);
    sim_disk_crash(world->disk);
    return reopen_check(world);
}

const char *suite_errors(uint64_t seed, uint32_t steps)
{
    static struct world world;
    const char *wrong = NULL;
    bool has_failed = true;
    const unsigned calls = SIM_DISK_WRITE | SIM_DISK_SYNC | SIM_DISK_RENAME |
                           SIM_DISK_SYNC_DIRECTORY | SIM_DISK_LIST | SIM_DISK_OPEN;
    for (uint64_t nth = 1; wrong == NULL && has_failed; nth++) {
        world_init(&world, seed, SEGMENT_BYTES, SPARES);
        sim_disk_fail_at(world.disk, calls, nth, EIO);
        enum pawl_error outcome = trace_run(&world, seed, steps);
        has_failed = sim_disk_has_failed(world.disk);
        wrong = at(error_check(&world, outcome), "EIO at call", seed, nth);
        world_done(&world);
    }
    return wrong;
}

/* --- no space --- */

/* The live log and a reopened one agree with the model, whatever was refused. */
static const char *full_check(struct world *world, enum pawl_error outcome)
{
    if (outcome == PAWL_E_DISK_FULL && world->wal == NULL)
        return NULL;                      /* nothing to open yet */
    bool is_final = outcome == PAWL_E_IO; /* a group larger than a segment, refused in its middle */
    if (outcome != PAWL_OK && !is_final)
        return pawl_error_name(outcome);
    const char *wrong = is_final ? NULL : world_check_reads(world);
    if (wrong != NULL)
        return wrong;
    world_close(world);
    enum pawl_error error = world_open(world);
    if (error == PAWL_E_DISK_FULL)
        error = world_open(world);
    return error == PAWL_OK ? world_check(world) : world->diag.text;
}

const char *suite_full_writes(uint64_t seed, uint32_t steps)
{
    static struct world world;
    const char *wrong = NULL;
    bool has_failed = true;
    for (uint64_t nth = 1; wrong == NULL && has_failed; nth++) {
        world_init(&world, seed, SEGMENT_BYTES, SPARES);
        sim_disk_fail_at(world.disk, SIM_DISK_WRITE, nth, ENOSPC);
        enum pawl_error outcome = trace_run(&world, seed, steps);
        has_failed = sim_disk_has_failed(world.disk);
        wrong = at(full_check(&world, outcome), "ENOSPC at write", seed, nth);
        if (wrong == NULL && world.wal != NULL)
            wrong = at(world_go_on(&world), "after ENOSPC at write", seed, nth);
        world_done(&world);
    }
    return wrong;
}

const char *suite_full_disk(uint64_t seed, uint32_t steps)
{
    static struct world world;
    const char *wrong = NULL;
    for (uint64_t sectors = 1; wrong == NULL && sectors < 60; sectors += 1) {
        world_init(&world, seed, SEGMENT_BYTES, SPARES);
        sim_disk_set_capacity(world.disk, sectors * 512);
        enum pawl_error outcome = trace_run(&world, seed, steps);
        wrong = at(full_check(&world, outcome), "capacity in sectors", seed, sectors);
        sim_disk_set_capacity(world.disk, 0);
        if (wrong == NULL && world.wal != NULL)
            wrong = at(world_go_on(&world), "space again after sectors", seed, sectors);
        world_done(&world);
    }
    return wrong;
}

/* --- reuse --- */

static enum pawl_error reuse_round(struct world *world)
{
    TRY(world_append_entry(world, 0, 600));
    TRY(world_sync(world));
    TRY(world_cut(world, 0, world_last_index(world, 0)));
    return wal_prepare(world->wal, &world->diag);
}

const char *suite_reuse(uint64_t seed)
{
    static struct world world;
    world_init(&world, seed, SEGMENT_BYTES, 2);
    const char *wrong = world_open(&world) == PAWL_OK ? NULL : world.diag.text;
    for (uint32_t i = 0; wrong == NULL && i < 60; i++) {
        if (reuse_round(&world) != PAWL_OK)
            wrong = world.diag.text;
        if (wrong != NULL || i % 7 != 0) /* opening looks over the blanks: not in every round */
            continue;
        world_close(&world);
        wrong = world_open(&world) == PAWL_OK ? world_check(&world) : world.diag.text;
        wrong = at(wrong, "reuse in round", seed, i);
    }
    world_done(&world);
    return wrong;
}

const char *suite_reuse_power_cuts(uint64_t seed)
{
    static struct world world;
    const char *wrong = NULL;
    for (uint32_t rounds = 1; wrong == NULL && rounds < 30; rounds++) {
        world_init(&world, seed, SEGMENT_BYTES, 2);
        enum pawl_error error = world_open(&world);
        for (uint32_t i = 0; error == PAWL_OK && i < rounds; i++)
            error = reuse_round(&world);
        if (error == PAWL_OK)
            error = world_append_entry(&world, 0, 1400);
        if (error != PAWL_OK) {
            world_done(&world);
            return at(world.diag.text, "reuse before round", seed, rounds);
        }
        sim_disk_crash_after(world.disk, 1); /* the group is written and not synced */
        (void)world_sync(&world);
        world_close(&world);
        wrong = at(subsets_check(&world), "power cut after reuse in round", seed, rounds);
        world_done(&world);
    }
    return wrong;
}
