/* What a step costs beside many stored instances, steps that wait for a worker, armed timers and
 * connected workers; and how long requests take then.
 *
 *   scale --nodes LIST --pids P,P,P --data DIR,DIR,DIR [--instances N] [--ready N] [--timers N]
 *         [--workers N] [--concurrency C] [--seconds S] [--pace STEPS_PER_S] [--json]
 *
 * The cluster is filled in stages: a thousand finished instances, then a hundredth, a tenth and the
 * whole of what was asked for. At each stage the same load as that of `steps` is measured beside
 * them, in slices; the figures of a stage are those of the slice whose servers' CPU time is the
 * median, since a stall of the machine falls on one or two of them. At the end: latencies at a
 * fixed pace, with the workers serving the steps, what the nodes cost when nothing happens, and how
 * fast the steps that waited go to a worker that comes for them. pids and data are those of the
 * servers, in the same order.
 */
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/crew.h"
#include "tests/bench/load.h"
#include "tests/bench/paced.h"

enum { FINISHED, READY, WAITING, FILL_COUNT };
enum {
    STEPS_AT_ONCE = 4096, /* of all workers together */
    STAGE_COUNT = 4,
    SLICE_COUNT = 5, /* of a stage */
    FIRST_STAGE = 1000,
    IDLE_S = 10,
    DRAIN_LOOK_US = 100000,
};

static const char *const definitions[FILL_COUNT] = {
    "document: { dsl: '1.0.3', namespace: bench, name: finished, version: '1.0.0' }\n"
    "do:\n"
    "  - a: { set: { order: '${ .order }', state: shipped } }\n",
    "document: { dsl: '1.0.3', namespace: bench, name: ready, version: '1.0.0' }\n"
    "do:\n"
    "  - a: { call: nobody.serves, with: { order: '${ .order }' } }\n",
    "document: { dsl: '1.0.3', namespace: bench, name: waiting, version: '1.0.0' }\n"
    "do:\n"
    "  - a: { wait: { days: 100 } }\n",
};
static const char *const names[FILL_COUNT] = {"finished", "ready", "waiting"};

struct options {
    struct load_options load;
    const char *data[SERVERS_MAX];
    uint64_t wanted[FILL_COUNT];
    unsigned worker_count, seconds, pace;
    bool is_json;
};

struct server {
    uint64_t rss_kib, anon_kib, store_bytes, log_bytes;
    double cpu_percent; /* while nothing happened */
};

/* CPU time a step, over a part of a stage; the leader is the server that worked most. */
struct slice {
    double steps_per_s, servers_us, leader_us, client_us;
};

struct stage {
    uint64_t held[FILL_COUNT];
    double starts_per_s;              /* while it was filled */
    struct slice slices[SLICE_COUNT]; /* by the CPU time of the servers, the least first */
    double p50_ms, p99_ms;            /* of a workflow, in all slices */
    uint64_t lost;
    struct server servers[SERVERS_MAX];
};

struct scale {
    struct options options;
    struct pawl *pawl;
    struct runs runs;
    struct stage stages[STAGE_COUNT];
    struct paced *paced;
    struct crew *crew;
};

/* ---- what a server holds ---- */

static uint64_t status_kib(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

static void read_memory(long pid, struct server *server)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    FILE *file = fopen(path, "r");
    const size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[size] = '\0';
    server->rss_kib = status_kib(text, "VmRSS:");
    server->anon_kib = status_kib(text, "RssAnon:");
}

static uint64_t tree_bytes; /* nftw takes no argument for its caller */

static int add_file(const char *path, const struct stat *stat, int kind, struct FTW *at)
{
    (void)path;
    (void)at;
    tree_bytes += kind == FTW_F ? (uint64_t)stat->st_blocks * 512 : 0;
    return 0;
}

static uint64_t directory_bytes(const char *data, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", data, name);
    tree_bytes = 0;
    (void)nftw(path, add_file, 8, FTW_PHYS);
    return tree_bytes;
}

static struct server read_server(const struct options *options, size_t i)
{
    struct server server = {0};
    read_memory(options->load.pids[i], &server);
    if (options->data[i] != NULL) {
        server.store_bytes = directory_bytes(options->data[i], "store");
        server.log_bytes = directory_bytes(options->data[i], "log");
    }
    return server;
}

/* ---- stages ---- */

static uint64_t stage_target(const struct scale *scale, unsigned stage, int kind)
{
    const uint64_t wanted = scale->options.wanted[kind];
    const uint64_t least = kind == FINISHED ? FIRST_STAGE : 0;
    uint64_t target = wanted;
    if (stage == 0)
        target = 0;
    else if (stage == 1)
        target = wanted / 100;
    else if (stage == 2)
        target = wanted / 10;
    return target > least ? target : least;
}

static void fill(struct scale *scale, unsigned number)
{
    struct stage *stage = &scale->stages[number];
    const uint64_t begin_us = load_now_us();
    uint64_t started = 0;
    for (int kind = 0; kind < FILL_COUNT; kind++) {
        const uint64_t before = number == 0 ? 0 : scale->stages[number - 1].held[kind];
        stage->held[kind] = stage_target(scale, number, kind);
        if (stage->held[kind] > before)
            fill_start(scale->pawl, names[kind], stage->held[kind] - before, &scale->runs);
        started += stage->held[kind] - before;
    }
    stage->starts_per_s = (double)started * 1e6 / (double)(load_now_us() - begin_us + 1);
}

static struct slice slice_of(const struct load_sample *begin, const struct load_sample *end,
                             size_t server_count)
{
    const double steps = (double)(end->acknowledged - begin->acknowledged);
    struct slice slice = {.client_us = (double)(end->client_us - begin->client_us) / steps,
                          .steps_per_s = steps * 1e6 / (double)(end->at_us - begin->at_us)};
    for (size_t i = 0; i < server_count; i++) {
        const double us = (double)(end->server_us[i] - begin->server_us[i]) / steps;
        slice.servers_us += us;
        slice.leader_us = us > slice.leader_us ? us : slice.leader_us;
    }
    return slice;
}

static int slice_compare(const void *a, const void *b)
{
    const double x = ((const struct slice *)a)->servers_us;
    const double y = ((const struct slice *)b)->servers_us;
    return x < y ? -1 : x > y;
}

static void measure_slices(const struct options *options, struct load *load, struct stage *stage)
{
    struct load_sample begin = load_take_sample(load);
    for (size_t i = 0; i < SLICE_COUNT; i++) {
        usleep(options->seconds * (1000000 / SLICE_COUNT));
        const struct load_sample end = load_take_sample(load);
        stage->slices[i] = slice_of(&begin, &end, options->load.pid_count);
        begin = end;
    }
    qsort(stage->slices, SLICE_COUNT, sizeof stage->slices[0], slice_compare);
}

static void measure(struct scale *scale, unsigned number)
{
    struct stage *stage = &scale->stages[number];
    const struct options *options = &scale->options;
    struct load *load = load_new(&options->load);
    load_begin(load);
    sleep(1);
    load_set_counting(load, true);
    measure_slices(options, load, stage);
    load_set_counting(load, false);
    for (size_t i = 0; i < options->load.pid_count; i++)
        stage->servers[i] = read_server(options, i);
    stage->lost = load_end(load);
    stage->p50_ms = load_percentile_ms(load, 0.5);
    stage->p99_ms = load_percentile_ms(load, 0.99);
    load_free(load);
}

static void report_stage_json(const struct scale *scale, const struct stage *stage)
{
    const struct slice *median = &stage->slices[SLICE_COUNT / 2];
    printf("{\"instances\":%" PRIu64 ",\"ready\":%" PRIu64 ",\"timers\":%" PRIu64
           ",\"fill_per_s\":%.0f,\"steps_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"cpu_us_per_step\":{\"servers\":%.1f,\"leader\":%.1f,\"followers\":%.1f,"
           "\"client\":%.1f,\"servers_least\":%.1f,\"servers_most\":%.1f},"
           "\"lost\":%" PRIu64 ",\"servers\":[",
           stage->held[FINISHED], stage->held[READY], stage->held[WAITING], stage->starts_per_s,
           median->steps_per_s, stage->p50_ms, stage->p99_ms, median->servers_us, median->leader_us,
           median->servers_us - median->leader_us, median->client_us, stage->slices[0].servers_us,
           stage->slices[SLICE_COUNT - 1].servers_us, stage->lost);
    for (size_t i = 0; i < scale->options.load.pid_count; i++)
        printf("%s{\"rss_kib\":%" PRIu64 ",\"anon_kib\":%" PRIu64 ",\"store_bytes\":%" PRIu64
               ",\"log_bytes\":%" PRIu64 "}",
               i > 0 ? "," : "", stage->servers[i].rss_kib, stage->servers[i].anon_kib,
               stage->servers[i].store_bytes, stage->servers[i].log_bytes);
    printf("]}\n");
}

static void report_stage_text(const struct scale *scale, const struct stage *stage)
{
    const struct slice *median = &stage->slices[SLICE_COUNT / 2];
    printf("%9" PRIu64 " finished %9" PRIu64 " ready %9" PRIu64 " waiting (filled at %.0f/s): "
           "%.0f steps/s, workflow p50 %.2f p99 %.2f ms, %" PRIu64 " lost\n"
           "    CPU us/step: leader %.1f, followers %.1f, client %.1f; all servers %.1f, in %d "
           "slices %.1f to %.1f\n",
           stage->held[FINISHED], stage->held[READY], stage->held[WAITING], stage->starts_per_s,
           median->steps_per_s, stage->p50_ms, stage->p99_ms, stage->lost, median->leader_us,
           median->servers_us - median->leader_us, median->client_us, median->servers_us,
           SLICE_COUNT, stage->slices[0].servers_us, stage->slices[SLICE_COUNT - 1].servers_us);
    for (size_t i = 0; i < scale->options.load.pid_count; i++)
        printf("    node %zu: RSS %.1f MiB (anonymous %.1f), store %.1f MiB, log %.1f MiB\n", i + 1,
               (double)stage->servers[i].rss_kib / 1024, (double)stage->servers[i].anon_kib / 1024,
               (double)stage->servers[i].store_bytes / (1 << 20),
               (double)stage->servers[i].log_bytes / (1 << 20));
}

/* ---- at a fixed pace, and idle ---- */

static void serve(struct pawl_worker *worker, void *user)
{
    paced_serve(user, worker);
}

static struct crew *open_workers(const struct scale *scale)
{
    const struct crew_options options = {.nodes = scale->options.load.nodes,
                                         .worker_count = scale->options.worker_count,
                                         .concurrency = STEPS_AT_ONCE,
                                         .prepare = serve,
                                         .user = scale->paced};
    return crew_open(&options);
}

static void report_latency(const struct scale *scale, const char *what, enum paced_kind kind)
{
    const struct paced_latency l = paced_latency(scale->paced, kind);
    printf(scale->options.is_json ? "{\"latency\":\"%s\",\"pace\":%u,\"count\":%" PRIu64
                                    ",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n"
                                  : "%s at %u steps/s, %" PRIu64
                                    " times: p50 %.2f p99 %.2f max %.2f ms\n",
           what, scale->options.pace, l.count, l.p50_ms, l.p99_ms, l.max_ms);
}

static void read_servers_us(const struct options *options, uint64_t us_out[SERVERS_MAX])
{
    for (size_t i = 0; i < options->load.pid_count; i++)
        us_out[i] = load_process_us(options->load.pids[i]);
}

static void report_paced_cpu(const struct scale *scale, const uint64_t begin_us[SERVERS_MAX],
                             const uint64_t end_us[SERVERS_MAX])
{
    const struct options *options = &scale->options;
    const double steps =
        (double)(paced_latency(scale->paced, PACED_WORKFLOW).count * STEPS_PER_WORKFLOW);
    double total_us = 0, most_us = 0;
    for (size_t i = 0; i < options->load.pid_count; i++) {
        const double us = (double)(end_us[i] - begin_us[i]) / steps;
        total_us += us;
        most_us = us > most_us ? us : most_us;
    }
    printf(options->is_json ? "{\"paced_workers\":%u,\"cpu_us_per_step\":{\"leader\":%.1f,"
                              "\"followers\":%.1f}}\n"
                            : "served by %u workers, CPU us/step: leader %.1f, followers %.1f\n",
           options->worker_count, most_us, total_us - most_us);
}

static void measure_paced(struct scale *scale)
{
    uint64_t begin_us[SERVERS_MAX], end_us[SERVERS_MAX];
    if (scale->options.pace == 0)
        return;
    read_servers_us(&scale->options, begin_us);
    paced_run(scale->paced, scale->options.pace, scale->options.seconds);
    read_servers_us(&scale->options, end_us);
    report_paced_cpu(scale, begin_us, end_us);
    report_latency(scale, "start to first hand-out", PACED_HANDOUT);
    report_latency(scale, "workflow", PACED_WORKFLOW);
    report_latency(scale, "show", PACED_SHOW);
    report_latency(scale, "list of 50", PACED_LIST);
}

static void measure_idle(const struct scale *scale)
{
    const struct options *options = &scale->options;
    uint64_t begin_us[SERVERS_MAX];
    sleep(2); /* flushes of what came before */
    read_servers_us(options, begin_us);
    sleep(IDLE_S);
    for (size_t i = 0; i < options->load.pid_count; i++) {
        const uint64_t us = load_process_us(options->load.pids[i]) - begin_us[i];
        const struct server server = read_server(options, i);
        printf(options->is_json ? "{\"idle_node\":%zu,\"cpu_percent\":%.2f,\"rss_kib\":%" PRIu64
                                  ",\"anon_kib\":%" PRIu64 "}\n"
                                : "idle node %zu: %.2f %% of a core, RSS %" PRIu64
                                  " KiB, anonymous %" PRIu64 " KiB\n",
               i + 1, (double)us / (IDLE_S * 1e4), server.rss_kib, server.anon_kib);
    }
}

/* ---- the steps that waited ---- */

struct drain {
    pthread_mutex_t mutex;
    uint64_t acknowledged;
};

static void drain_acknowledged(const struct pawl_task *task, enum pawl_error error, void *user)
{
    struct drain *drain = user;
    (void)task;
    pthread_mutex_lock(&drain->mutex);
    drain->acknowledged += error == PAWL_OK;
    pthread_mutex_unlock(&drain->mutex);
}

static struct pawl_worker *open_drain(struct pawl *pawl, struct drain *drain, unsigned concurrency)
{
    struct pawl_diag diag = {0};
    struct pawl_worker *worker;
    const struct pawl_worker_options options = {
        .size = sizeof options, .concurrency = concurrency, .is_inline = true};
    if (pawl_worker_new(pawl, &options, &worker, &diag) != PAWL_OK ||
        pawl_worker_handle(worker, "nobody.serves", load_complete, drain, &diag) != PAWL_OK)
        load_die("cannot work", diag.text);
    pawl_worker_on_acknowledged(worker, drain_acknowledged, drain);
    if (pawl_worker_start(worker, &diag) != PAWL_OK)
        load_die("cannot work", diag.text);
    return worker;
}

/* A worker comes for the steps that have waited all the time; their rows are in the store only. */
static void measure_drain(struct scale *scale)
{
    const struct options *options = &scale->options;
    struct drain drain = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    uint64_t begin_us[SERVERS_MAX], end_us[SERVERS_MAX], all_us = 0, before = 0;
    if (options->wanted[READY] == 0)
        return;
    read_servers_us(options, begin_us);
    const uint64_t begin = load_now_us();
    struct pawl_worker *worker = open_drain(scale->pawl, &drain, options->load.concurrency);
    while (load_now_us() - begin < (uint64_t)options->seconds * 1000000) {
        usleep(DRAIN_LOOK_US);
        pthread_mutex_lock(&drain.mutex);
        const bool is_over = drain.acknowledged == before && before > 0;
        before = drain.acknowledged;
        pthread_mutex_unlock(&drain.mutex);
        if (is_over)
            break;
    }
    const double seconds = (double)(load_now_us() - begin) / 1e6;
    read_servers_us(options, end_us);
    (void)pawl_worker_stop(worker, 10000);
    pawl_worker_free(worker);
    for (size_t i = 0; i < options->load.pid_count; i++)
        all_us += end_us[i] - begin_us[i];
    printf(options->is_json ? "{\"drained\":%" PRIu64
                              ",\"steps_per_s\":%.0f,\"cpu_us_per_step\":{\"servers\":%.1f}}\n"
                            : "%" PRIu64 " steps that had waited, %.0f a second, CPU us/step: all "
                              "servers %.1f\n",
           before, (double)before / seconds, (double)all_us / (double)(before > 0 ? before : 1));
}

/* ---- beginning ---- */

static void read_list(const char *list, const char *out[SERVERS_MAX])
{
    char *copy = strdup(list), *at = NULL;
    size_t count = 0;
    for (char *one = strtok_r(copy, ",", &at); one != NULL && count < SERVERS_MAX;
         one = strtok_r(NULL, ",", &at))
        out[count++] = one; /* the copy lives as long as the program */
}

static bool read_number(struct options *options, const char *name, const char *text)
{
    const uint64_t number = strtoull(text, NULL, 10);
    if (strcmp(name, "--instances") == 0)
        options->wanted[FINISHED] = number;
    else if (strcmp(name, "--ready") == 0)
        options->wanted[READY] = number;
    else if (strcmp(name, "--timers") == 0)
        options->wanted[WAITING] = number;
    else if (strcmp(name, "--workers") == 0 && number > 0 && number <= CREW_MAX)
        options->worker_count = (unsigned)number;
    else if (strcmp(name, "--concurrency") == 0)
        options->load.concurrency = (unsigned)number;
    else if (strcmp(name, "--seconds") == 0)
        options->seconds = (unsigned)number;
    else if (strcmp(name, "--pace") == 0)
        options->pace = (unsigned)number;
    else
        return false;
    return true;
}

static struct options read_options(int argc, char **argv)
{
    struct options options = {.load = {.concurrency = 64, .payload_bytes = 200},
                              .wanted = {20000, 20000, 20000},
                              .worker_count = 1,
                              .seconds = 4,
                              .pace = 5000};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            options.is_json = true;
        else if (i + 1 == argc)
            load_die("an option lacks its value", argv[i]);
        else if (strcmp(argv[i], "--nodes") == 0)
            options.load.nodes = argv[++i];
        else if (strcmp(argv[i], "--pids") == 0)
            load_read_pids(&options.load, argv[++i]);
        else if (strcmp(argv[i], "--data") == 0)
            read_list(argv[++i], options.data);
        else if (read_number(&options, argv[i], argv[i + 1]))
            i++;
        else
            load_die("unknown option, or its value is out of range", argv[i]);
    }
    if (options.load.concurrency == 0 || options.seconds == 0)
        load_die("an option is out of range", "");
    return options;
}

static void begin(struct scale *scale)
{
    struct pawl_diag diag = {0};
    const struct pawl_options handle = {.size = sizeof handle,
                                        .nodes = scale->options.load.nodes,
                                        .namespace_name = "bench",
                                        .name = "bench-scale"};
    if (pawl_open(&handle, &scale->pawl, &diag) != PAWL_OK)
        load_die("cannot begin", diag.text);
    for (int kind = 0; kind < FILL_COUNT; kind++)
        if (pawl_deploy(scale->pawl, definitions[kind], NULL, &diag) != PAWL_OK)
            load_die("cannot deploy", diag.text);
    scale->paced = paced_new(scale->pawl, &scale->runs);
    scale->crew = open_workers(scale);
}

int main(int argc, char **argv)
{
    struct scale *scale = calloc(1, sizeof *scale);
    if (scale == NULL)
        load_die("out of memory", "");
    scale->options = read_options(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    begin(scale);
    uint64_t lost = 0;
    for (unsigned i = 0; i < STAGE_COUNT; i++) {
        fill(scale, i);
        measure(scale, i);
        if (scale->options.is_json)
            report_stage_json(scale, &scale->stages[i]);
        else
            report_stage_text(scale, &scale->stages[i]);
        lost += scale->stages[i].lost;
    }
    measure_paced(scale);
    measure_idle(scale);
    measure_drain(scale);
    crew_stop(scale->crew);
    crew_close(scale->crew);
    paced_free(scale->paced);
    pawl_close(scale->pawl);
    free(scale);
    return lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
