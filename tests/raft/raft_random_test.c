/* Random worlds: many seeds, each a cluster with its own faults, every promise checked.
 *
 *   raft_random_test [--seeds COUNT] [--seed SEED] [--mutant NAME]
 *
 * With a mutant the test succeeds when some seed finds it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/mutant.h"
#include "world.h"

static struct world world; /* megabytes, so not on the stack */

struct plan {
    uint64_t first_seed;
    uint64_t seed_count;
    const char *mutant; /* NULL: the core as it is */
};

#ifdef PAWL_MUTANTS
static const struct {
    const char *name;
    enum raft_mutant mutant;
} mutants[] = {
    {"commit-prior-term", RAFT_MUTANT_COMMIT_PRIOR_TERM},
    {"count-self-early", RAFT_MUTANT_COUNT_SELF_EARLY},
    {"late-sync-counts", RAFT_MUTANT_LATE_SYNC_COUNTS},
    {"read-early", RAFT_MUTANT_READ_EARLY},
    {"read-round-reused", RAFT_MUTANT_READ_ROUND_REUSED},
    {"vote-unsynced", RAFT_MUTANT_VOTE_UNSYNCED},
    {"vote-older-log", RAFT_MUTANT_VOTE_OLDER_LOG},
};

static bool choose_mutant(const char *name)
{
    for (size_t i = 0; i < sizeof mutants / sizeof *mutants; i++) {
        if (strcmp(mutants[i].name, name) == 0) {
            raft_mutant_set(mutants[i].mutant);
            return true;
        }
    }
    return false;
}
#else
static bool choose_mutant(const char *name)
{
    (void)name;
    return false;
}
#endif

static bool read_plan(struct plan *plan, int argc, char **argv)
{
    *plan = (struct plan){.first_seed = 1, .seed_count = 1000};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0)
            plan->seed_count = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--mutant") == 0)
            plan->mutant = argv[i + 1];
        else if (strcmp(argv[i], "--seed") == 0)
            *plan = (struct plan){strtoull(argv[i + 1], NULL, 0), 1, plan->mutant};
        else
            return false;
    }
    return argc % 2 == 1 && (plan->mutant == NULL || choose_mutant(plan->mutant));
}

struct totals {
    uint64_t steps, elections, commits, reads, crashes, damages, readmissions;
};

static bool run_seed(uint64_t seed, bool is_mutant, struct totals *totals, uint64_t *digest)
{
    world_init(&world, seed);
    world.is_checked_inside = !is_mutant;
    bool is_sound = world_run(&world);
    *digest = world_digest(&world);
    world_done(&world);
    totals->steps += world.counts.steps;
    totals->elections += world.counts.elections;
    totals->commits += world.counts.commits;
    totals->reads += world.counts.reads;
    totals->crashes += world.counts.crashes;
    totals->damages += world.counts.damages;
    totals->readmissions += world.counts.readmissions;
    return is_sound;
}

/* The same seed gives the same run; every so many seeds, as it costs a second run. */
static bool is_repeatable(uint64_t seed, uint64_t digest)
{
    enum { EVERY = 50 };
    struct totals ignored = {0};
    uint64_t again = digest;
    if (seed % EVERY == 1)
        (void)run_seed(seed, false, &ignored, &again);
    if (again != digest)
        world_fail(&world, "two runs of one seed differ", 0);
    return again == digest;
}

static void print_totals(uint64_t seed_count, const struct totals *totals)
{
    printf("%" PRIu64 " seeds: %" PRIu64 " steps, %" PRIu64 " elections, %" PRIu64
           " commits, %" PRIu64 " reads, %" PRIu64 " crashes, %" PRIu64 " damages, %" PRIu64
           " readmissions\n",
           seed_count, totals->steps, totals->elections, totals->commits, totals->reads,
           totals->crashes, totals->damages, totals->readmissions);
}

int main(int argc, char **argv)
{
    struct plan plan;
    struct totals totals = {0};
    if (!read_plan(&plan, argc, argv)) {
        fprintf(stderr, "usage: %s [--seeds COUNT] [--seed SEED] [--mutant NAME]\n", argv[0]);
        return 2;
    }
    for (uint64_t i = 0; i < plan.seed_count; i++) {
        uint64_t seed = plan.first_seed + i;
        uint64_t digest;
        bool is_mutant = plan.mutant != NULL;
        bool is_sound = run_seed(seed, is_mutant, &totals, &digest) &&
                        (is_mutant || is_repeatable(seed, digest));
        if (is_sound)
            continue;
        printf("seed %" PRIu64 ": %s\n", seed, world.violation);
        return is_mutant ? 0 : 1;
    }
    print_totals(plan.seed_count, &totals);
    return plan.mutant != NULL ? 1 : 0;
}
