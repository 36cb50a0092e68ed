/* sim: runs seeds.
 *
 *   sim --seeds N [--from S] [--verbose] [--until-failure]
 *   sim --seed S            one seed, with a trace
 *   sim ... --mutant NAME   with a deliberate defect (builds with PAWL_MUTANTS)
 *   sim --list-mutants
 *
 * Exit: 0 all seeds passed, 1 one failed (its line says how to run it again), 2 wrong arguments.
 */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/sim/must.h"
#include "tests/sim/mutants.h"
#include "tests/sim/sim.h"

enum { COMPARED_EVERY = 10, RARE_FAULT_RUNS_MIN = 200 };

struct arguments {
    uint64_t from, count;
    bool is_single, is_verbose, goes_on;
    const char *mutant;
    const char *seed_file;
};

/* For the handler of SIGABRT: an assertion of the code under test has failed. */
static char rerun_line[128];

static void name_seed(const struct arguments *arguments, uint64_t seed)
{
    snprintf(rerun_line, sizeof rerun_line, "FAILED, run again: sim --seed %llu%s%s\n",
             (unsigned long long)seed, arguments->mutant != NULL ? " --mutant " : "",
             arguments->mutant != NULL ? arguments->mutant : "");
}

static void aborted(int number)
{
    (void)number;
    ssize_t ignored = write(STDOUT_FILENO, rerun_line, strlen(rerun_line));
    (void)ignored;
    _exit(1);
}

static struct sim *run_new(uint64_t seed, bool is_traced)
{
    struct sim *sim = must_alloc(sizeof *sim);
    sim_run(sim, seed, is_traced);
    return sim;
}

static void run_free(struct sim *sim)
{
    sim_done(sim);
    free(sim);
}

static bool is_repeatable(uint64_t seed, uint64_t hash)
{
    struct sim *again = run_new(seed, false);
    const bool is_equal = again->events.hash == hash;
    run_free(again);
    return is_equal;
}

static bool run_seed(const struct arguments *arguments, uint64_t seed, struct totals *sum)
{
    name_seed(arguments, seed);
    struct sim *sim = run_new(seed, arguments->is_single);
    bool is_good = !sim_has_failed(sim);
    if (arguments->is_verbose || !is_good || arguments->is_single)
        printf("seed %llu: %s, %.1f s, %llu entries, hash %016llx\n", (unsigned long long)seed,
               is_good ? "passed" : sim->failure, (double)sim->events.now_us / 1e6,
               (unsigned long long)chain_last_index(&sim->chain),
               (unsigned long long)sim->events.hash);
    if (is_good && seed % COMPARED_EVERY == 0 && !is_repeatable(seed, sim->events.hash)) {
        printf("seed %llu: two runs differ\n", (unsigned long long)seed);
        is_good = false;
    }
    if (!is_good)
        fputs(rerun_line, stdout);
    fflush(stdout);
    totals_add(sum, &sim->totals);
    run_free(sim);
    return is_good;
}

/* Seeds that failed once, one a line; what follows '#' is for people. */
static bool run_file(const struct arguments *arguments, struct totals *sum)
{
    char line[256];
    bool is_good = true;
    FILE *file = fopen(arguments->seed_file, "r");
    if (file == NULL) {
        fprintf(stderr, "sim: %s cannot be read\n", arguments->seed_file);
        return false;
    }
    while ((is_good || arguments->goes_on) && fgets(line, sizeof line, file) != NULL)
        if (line[0] >= '0' && line[0] <= '9')
            is_good = run_seed(arguments, strtoull(line, NULL, 10), sum) && is_good;
    fclose(file);
    return is_good;
}

static int run_all(const struct arguments *arguments)
{
    struct totals sum = {0};
    bool is_good = true;
    printf("seeds %llu to %llu\n", (unsigned long long)arguments->from,
           (unsigned long long)(arguments->from + arguments->count - 1));
    fflush(stdout);
    if (arguments->seed_file != NULL)
        is_good = run_file(arguments, &sum);
    for (uint64_t i = 0; i < arguments->count && (is_good || arguments->goes_on); i++)
        is_good = run_seed(arguments, arguments->from + i, &sum) && is_good;
    if (!arguments->is_single)
        totals_print(&sum);
    const int rare = totals_rare_fault(&sum);
    if (is_good && rare >= 0 && sum.run_count >= RARE_FAULT_RUNS_MIN) {
        printf("FAILED: '%s' struck in too few runs\n", fault_kind_text((enum fault_kind)rare));
        return 1;
    }
    return is_good ? 0 : 1;
}

static int usage(void)
{
    fputs("usage: sim --seeds N [--from S] [--seed-file FILE] [--verbose] [--keep-going]\n"
          "       sim --seed S\n"
          "       both with --mutant NAME; sim --list-mutants\n",
          stderr);
    return 2;
}

static int parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 'n'},   {"from", required_argument, NULL, 'f'},
        {"seed", required_argument, NULL, 's'},    {"verbose", no_argument, NULL, 'v'},
        {"mutant", required_argument, NULL, 'm'},  {"keep-going", no_argument, NULL, 'k'},
        {"list-mutants", no_argument, NULL, 'l'},  {"seed-file", required_argument, NULL, 'i'},
        {"until-failure", no_argument, NULL, 'u'}, {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'n') {
            arguments->count = strtoull(optarg, NULL, 10);
        } else if (option == 'f') {
            arguments->from = strtoull(optarg, NULL, 10);
        } else if (option == 's') {
            arguments->from = strtoull(optarg, NULL, 10);
            arguments->count = 1;
            arguments->is_single = true;
        } else if (option == 'v') {
            arguments->is_verbose = true;
        } else if (option == 'k') {
            arguments->goes_on = true;
        } else if (option == 'u') {
            arguments->count = UINT64_MAX;
        } else if (option == 'm') {
            arguments->mutant = optarg;
        } else if (option == 'i') {
            arguments->seed_file = optarg;
        } else if (option == 'l') {
            mutants_print();
            exit(0);
        } else {
            return usage();
        }
    }
    return optind == argc && arguments->count > 0 ? 0 : usage();
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.from = 1};
    int status = parse(argc, argv, &arguments);
    if (status != 0)
        return status;
    if (arguments.mutant != NULL && !mutants_choose(arguments.mutant)) {
        fprintf(stderr, "sim: there is no mutant '%s' in this build\n", arguments.mutant);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGABRT, aborted);
    signal(SIGSEGV, aborted);
    return run_all(&arguments);
}
