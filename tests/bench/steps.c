/* Steps per second, end to end: one load program with libpawl against a running cluster.
 *
 *   steps --nodes LIST --pids P,P,P --concurrency C --seconds S [--payload BYTES] [--workers N]
 *
 * pids are those of the servers, for their CPU time. The steps go to N workers, each on a
 * connection of its own; the first on that which starts. A second of warm-up is not counted. Prints
 * one line of JSON. Exit status 1: something was lost.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/crew.h"
#include "tests/bench/load.h"

struct options {
    struct load_options load;
    unsigned seconds;
};

struct figures {
    double steps_per_s, workflows_per_s;
    double p50_ms, p99_ms, p999_ms; /* of a workflow */
    double servers_us, leader_us, followers_us, client_us;
    double syncs_per_s, syncs_per_step; /* of the node asked */
    double commits_per_step;
    uint64_t lost;
};

/* The leader is the server that worked most. */
static void read_cpu(struct figures *figures, const struct options *options,
                     const struct load_sample *begin, const struct load_sample *end, double steps)
{
    double most_us = 0;
    for (size_t i = 0; i < options->load.pid_count; i++) {
        const double us = (double)(end->server_us[i] - begin->server_us[i]) / steps;
        figures->servers_us += us;
        most_us = us > most_us ? us : most_us;
    }
    figures->leader_us = most_us;
    figures->followers_us = figures->servers_us - most_us;
    figures->client_us = (double)(end->client_us - begin->client_us) / steps;
}

static struct figures figures_of(const struct options *options, const struct load_sample *begin,
                                 const struct load_sample *end)
{
    const double seconds = (double)(end->at_us - begin->at_us) / 1e6;
    const double steps = (double)(end->acknowledged - begin->acknowledged);
    struct figures figures = {
        .steps_per_s = steps / seconds,
        .workflows_per_s = (double)(end->workflows - begin->workflows) / seconds,
        .syncs_per_s = (double)(end->syncs - begin->syncs) / seconds,
        .syncs_per_step = (double)(end->syncs - begin->syncs) / steps,
        .commits_per_step = (double)(end->commits - begin->commits) / steps,
    };
    read_cpu(&figures, options, begin, end, steps);
    return figures;
}

static void report(const struct figures *f, const struct load_options *load)
{
    printf("{\"concurrency\":%u,\"workers\":%u,\"steps_per_s\":%.0f,\"workflows_per_s\":%.0f,\"p50_"
           "ms\":%.3f,"
           "\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"cpu_us_per_step\":{\"servers\":%.1f,\"leader\":%.1f,"
           "\"followers\":%.1f,\"client\":%.1f},\"syncs_per_s\":%.0f,\"syncs_per_step\":%.4f,"
           "\"commits_per_step\":%.3f,\"lost\":%" PRIu64 "}\n",
           load->concurrency, load->worker_count, f->steps_per_s, f->workflows_per_s, f->p50_ms,
           f->p99_ms, f->p999_ms, f->servers_us, f->leader_us, f->followers_us, f->client_us,
           f->syncs_per_s, f->syncs_per_step, f->commits_per_step, f->lost);
}

static struct options read_options(int argc, char **argv)
{
    struct options options = {.load = {.concurrency = 64, .payload_bytes = 200, .worker_count = 1},
                              .seconds = 4};
    for (int i = 1; i < argc; i++) {
        if (i + 1 == argc)
            load_die("an option lacks its value", argv[i]);
        else if (strcmp(argv[i], "--nodes") == 0)
            options.load.nodes = argv[++i];
        else if (strcmp(argv[i], "--pids") == 0)
            load_read_pids(&options.load, argv[++i]);
        else if (strcmp(argv[i], "--concurrency") == 0)
            options.load.concurrency = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0)
            options.seconds = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--payload") == 0)
            options.load.payload_bytes = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--workers") == 0)
            options.load.worker_count = (unsigned)strtoul(argv[++i], NULL, 10);
        else
            load_die("unknown option", argv[i]);
    }
    if (options.load.concurrency == 0 || options.seconds == 0 ||
        options.load.payload_bytes > PAYLOAD_MAX || options.load.worker_count == 0 ||
        options.load.worker_count > CREW_MAX)
        load_die("an option is out of range", "");
    return options;
}

int main(int argc, char **argv)
{
    const struct options options = read_options(argc, argv);
    struct load *load = load_new(&options.load);
    load_begin(load);
    sleep(1);
    load_set_counting(load, true);
    const struct load_sample begin = load_take_sample(load);
    sleep(options.seconds);
    const struct load_sample end = load_take_sample(load);
    load_set_counting(load, false);
    struct figures figures = figures_of(&options, &begin, &end);
    figures.lost = load_end(load);
    figures.p50_ms = load_percentile_ms(load, 0.5);
    figures.p99_ms = load_percentile_ms(load, 0.99);
    figures.p999_ms = load_percentile_ms(load, 0.999);
    report(&figures, &options.load);
    load_free(load);
    return figures.lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
