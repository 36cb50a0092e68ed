/* Steps per second, end to end: one load program with libpawl against a running cluster. C
 * workflows of three steps are open at once, each started when one before it has ended; the same
 * handle works for all step types, inline.
 *
 *   steps --nodes LIST --pids P,P,P --concurrency C --seconds S [--payload BYTES] [--json]
 *
 * pids are those of the servers, for their CPU time. A second of warm-up is not counted. Exit
 * status 1: something was lost.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client/pawl.h"

enum { STEPS_PER_WORKFLOW = 3, LATENCIES_MAX = 1 << 22, SERVERS_MAX = 9, PAYLOAD_MAX = 65536 };

static const char definition[] =
    "document: { dsl: '1.0.3', namespace: bench, name: steps, version: '1.0.0' }\n"
    "do:\n"
    "  - a: { call: bench.a, with: { data: '${ .data }' } }\n"
    "  - b: { call: bench.b, with: { data: '${ .data }' } }\n"
    "  - c: { call: bench.c, with: { data: '${ .data }' } }\n";

struct options {
    const char *nodes;
    long pids[SERVERS_MAX];
    size_t pid_count;
    unsigned concurrency, seconds, payload_bytes;
    bool is_json;
};

/* Counters of one moment. */
struct sample {
    uint64_t at_us;
    uint64_t workflows, acknowledged;
    uint64_t server_us[SERVERS_MAX], client_us;
    uint64_t commits, syncs;
};

struct load {
    struct options options;
    struct pawl *pawl;
    char *input;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t started, ended, failed; /* workflows */
    uint64_t acknowledged, refused;  /* reports */
    unsigned open;
    bool is_counting, is_stopping;
    uint64_t *latencies;
    size_t latency_count;
};

struct workflow {
    struct load *load;
    uint64_t begin_us;
    char run[40];
};

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static _Noreturn void die(const char *what, const char *detail)
{
    fprintf(stderr, "steps: %s: %s\n", what, detail);
    exit(EXIT_FAILURE);
}

/* ---- work ---- */

static enum pawl_task_state handle(struct pawl_task *task, void *user)
{
    size_t size;
    (void)user;
    const void *input = pawl_task_input_msgpack(task, &size);
    if (pawl_task_complete_msgpack(task, input, size, NULL) != PAWL_OK)
        die("a step cannot be completed", pawl_task_type(task));
    return PAWL_TASK_DONE;
}

static void acknowledged(const struct pawl_task *task, enum pawl_error error, void *user)
{
    struct load *load = user;
    (void)task;
    pthread_mutex_lock(&load->mutex);
    load->acknowledged += error == PAWL_OK;
    load->refused += error != PAWL_OK;
    pthread_mutex_unlock(&load->mutex);
}

/* ---- workflows ---- */

static void start_one(struct load *load);

static void workflow_ended(struct workflow *workflow, bool is_good)
{
    struct load *load = workflow->load;
    const uint64_t at_us = now_us();
    pthread_mutex_lock(&load->mutex);
    load->ended += is_good;
    load->failed += !is_good;
    load->open--;
    if (load->is_counting && load->latency_count < LATENCIES_MAX)
        load->latencies[load->latency_count++] = at_us - workflow->begin_us;
    const bool must_stop = load->is_stopping;
    pthread_cond_signal(&load->changed);
    pthread_mutex_unlock(&load->mutex);
    free(workflow);
    if (!must_stop)
        start_one(load);
}

static void result_answered(struct pawl_answer *answer, void *user)
{
    workflow_ended(user, pawl_answer_error(answer) == PAWL_OK);
}

static void start_answered(struct pawl_answer *answer, void *user)
{
    struct workflow *workflow = user;
    const char *run = pawl_answer_text(answer, "run");
    if (pawl_answer_error(answer) != PAWL_OK || run == NULL) {
        fprintf(stderr, "steps: a start failed: %s\n", pawl_answer_detail(answer));
        workflow_ended(workflow, false);
        return;
    }
    snprintf(workflow->run, sizeof workflow->run, "%s", run);
    const struct pawl_target target = {.size = sizeof target, .run = workflow->run};
    if (pawl_result_async(workflow->load->pawl, &target, result_answered, workflow, NULL) !=
        PAWL_OK)
        workflow_ended(workflow, false);
}

static void start_one(struct load *load)
{
    struct workflow *workflow = calloc(1, sizeof *workflow);
    struct pawl_diag diag = {0};
    if (workflow == NULL)
        die("out of memory", "");
    workflow->load = load;
    workflow->begin_us = now_us();
    pthread_mutex_lock(&load->mutex);
    load->started++;
    load->open++;
    pthread_mutex_unlock(&load->mutex);
    const struct pawl_start start = {
        .size = sizeof start, .definition = "steps", .input_json = load->input};
    if (pawl_start_async(load->pawl, &start, start_answered, workflow, &diag) != PAWL_OK)
        die("cannot start", diag.text);
}

/* ---- measuring ---- */

static uint64_t process_us(long pid)
{
    char path[64], text[1024];
    unsigned long long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    const size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[size] = '\0';
    const char *after_name = strrchr(text, ')');
    if (after_name == NULL ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
               &kernel) != 2)
        die("a server is gone", path);
    return (user + kernel) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static uint64_t own_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static uint64_t number_at(const char *json, const char *key)
{
    const char *at = strstr(json, key);
    return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

static struct sample take_sample(struct load *load)
{
    struct sample sample = {.client_us = own_us()};
    struct pawl_answer *answer = NULL;
    if (pawl_status(load->pawl, &answer, NULL) == PAWL_OK) {
        sample.commits = number_at(pawl_answer_json(answer), "\"commitIndex\":");
        sample.syncs = number_at(pawl_answer_json(answer), "\"logSyncs\":");
    }
    pawl_answer_free(answer);
    for (size_t i = 0; i < load->options.pid_count; i++)
        sample.server_us[i] = process_us(load->options.pids[i]);
    pthread_mutex_lock(&load->mutex);
    sample.at_us = now_us();
    sample.workflows = load->ended;
    sample.acknowledged = load->acknowledged;
    pthread_mutex_unlock(&load->mutex);
    return sample;
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double percentile_ms(const struct load *load, double share)
{
    if (load->latency_count == 0)
        return 0;
    return (double)load->latencies[(size_t)((double)(load->latency_count - 1) * share)] / 1000;
}

struct figures {
    double steps_per_s, workflows_per_s, leader_us, followers_us, client_us, syncs_per_s,
        commits_per_step;
};

/* The leader is the server that worked most. */
static struct figures figures_of(const struct load *load, const struct sample *begin,
                                 const struct sample *end)
{
    const double seconds = (double)(end->at_us - begin->at_us) / 1e6;
    const double steps = (double)(end->acknowledged - begin->acknowledged);
    double total_us = 0, most_us = 0;
    for (size_t i = 0; i < load->options.pid_count; i++) {
        const double us = (double)(end->server_us[i] - begin->server_us[i]);
        total_us += us;
        most_us = us > most_us ? us : most_us;
    }
    return (struct figures){.steps_per_s = steps / seconds,
                            .workflows_per_s =
                                (double)(end->workflows - begin->workflows) / seconds,
                            .leader_us = most_us / steps,
                            .followers_us = (total_us - most_us) / steps,
                            .client_us = (double)(end->client_us - begin->client_us) / steps,
                            .syncs_per_s = (double)(end->syncs - begin->syncs) / seconds,
                            .commits_per_step = (double)(end->commits - begin->commits) / steps};
}

static void report(struct load *load, const struct figures *f, uint64_t lost)
{
    qsort(load->latencies, load->latency_count, sizeof *load->latencies, compare);
    const double p50 = percentile_ms(load, 0.5), p99 = percentile_ms(load, 0.99),
                 p999 = percentile_ms(load, 0.999);
    if (load->options.is_json) {
        printf("{\"steps_per_s\":%.0f,\"workflows_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
               "\"p999_ms\":%.3f,\"cpu_us_per_step\":{\"leader\":%.1f,\"followers\":%.1f,"
               "\"client\":%.1f},\"syncs_per_s\":%.0f,\"commits_per_step\":%.3f,\"lost\":%" PRIu64
               "}\n",
               f->steps_per_s, f->workflows_per_s, p50, p99, p999, f->leader_us, f->followers_us,
               f->client_us, f->syncs_per_s, f->commits_per_step, lost);
        return;
    }
    printf("c=%u: %.0f steps/s, %.0f workflows/s; workflow p50 %.2f p99 %.2f p99.9 %.2f ms\n"
           "  CPU us/step: leader %.1f, followers %.1f, client with worker %.1f\n"
           "  %.0f syncs/s on the node asked, %.2f commits/step, %" PRIu64 " lost\n",
           load->options.concurrency, f->steps_per_s, f->workflows_per_s, p50, p99, p999,
           f->leader_us, f->followers_us, f->client_us, f->syncs_per_s, f->commits_per_step, lost);
}

static void set_counting(struct load *load, bool is_counting)
{
    pthread_mutex_lock(&load->mutex);
    load->is_counting = is_counting;
    pthread_mutex_unlock(&load->mutex);
}

static void wait_for_end(struct load *load)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&load->mutex);
    load->is_stopping = true;
    while (load->open > 0 && pthread_cond_timedwait(&load->changed, &load->mutex, &until) == 0)
        continue;
    pthread_mutex_unlock(&load->mutex);
}

/* ---- beginning ---- */

static void read_pids(struct options *options, const char *list)
{
    for (const char *at = list; at != NULL && options->pid_count < SERVERS_MAX;) {
        options->pids[options->pid_count++] = strtol(at, NULL, 10);
        at = strchr(at, ',');
        at = at != NULL ? at + 1 : NULL;
    }
}

static struct options read_options(int argc, char **argv)
{
    struct options options = {.concurrency = 64, .seconds = 4, .payload_bytes = 200};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            options.is_json = true;
        else if (i + 1 == argc)
            die("an option lacks its value", argv[i]);
        else if (strcmp(argv[i], "--nodes") == 0)
            options.nodes = argv[++i];
        else if (strcmp(argv[i], "--pids") == 0)
            read_pids(&options, argv[++i]);
        else if (strcmp(argv[i], "--concurrency") == 0)
            options.concurrency = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0)
            options.seconds = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--payload") == 0)
            options.payload_bytes = (unsigned)strtoul(argv[++i], NULL, 10);
        else
            die("unknown option", argv[i]);
    }
    if (options.concurrency == 0 || options.seconds == 0 || options.payload_bytes > PAYLOAD_MAX)
        die("an option is out of range", "");
    return options;
}

static char *make_input(unsigned payload_bytes)
{
    static const char head[] = "{\"data\":\"", tail[] = "\"}";
    char *input = malloc(sizeof head + payload_bytes + sizeof tail);
    if (input == NULL)
        die("out of memory", "");
    memcpy(input, head, sizeof head - 1);
    memset(input + sizeof head - 1, 'x', payload_bytes);
    memcpy(input + sizeof head - 1 + payload_bytes, tail, sizeof tail);
    return input;
}

static struct pawl_worker *open_all(struct load *load)
{
    static const char *const types[STEPS_PER_WORKFLOW] = {"bench.a", "bench.b", "bench.c"};
    struct pawl_diag diag = {0};
    struct pawl_worker *worker;
    const struct pawl_options options = {.size = sizeof options,
                                         .nodes = load->options.nodes,
                                         .namespace_name = "bench",
                                         .name = "bench-steps"};
    const struct pawl_worker_options worker_options = {
        .size = sizeof worker_options, .concurrency = load->options.concurrency, .is_inline = true};
    if (pawl_open(&options, &load->pawl, &diag) != PAWL_OK ||
        pawl_deploy(load->pawl, definition, NULL, &diag) != PAWL_OK ||
        pawl_worker_new(load->pawl, &worker_options, &worker, &diag) != PAWL_OK)
        die("cannot begin", diag.text);
    for (int i = 0; i < STEPS_PER_WORKFLOW; i++)
        if (pawl_worker_handle(worker, types[i], handle, load, &diag) != PAWL_OK)
            die("cannot work", diag.text);
    pawl_worker_on_acknowledged(worker, acknowledged, load);
    if (pawl_worker_start(worker, &diag) != PAWL_OK)
        die("cannot work", diag.text);
    return worker;
}

int main(int argc, char **argv)
{
    struct load load = {.options = read_options(argc, argv),
                        .mutex = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER};
    load.input = make_input(load.options.payload_bytes);
    load.latencies = malloc(LATENCIES_MAX * sizeof *load.latencies);
    if (load.latencies == NULL)
        die("out of memory", "");
    struct pawl_worker *worker = open_all(&load);
    for (unsigned i = 0; i < load.options.concurrency; i++)
        start_one(&load);
    sleep(1);
    set_counting(&load, true);
    const struct sample begin = take_sample(&load);
    sleep(load.options.seconds);
    const struct sample end = take_sample(&load);
    set_counting(&load, false);
    wait_for_end(&load);
    (void)pawl_worker_stop(worker, 10000);
    const struct figures figures = figures_of(&load, &begin, &end);
    const uint64_t steps_wanted = load.ended * STEPS_PER_WORKFLOW;
    const uint64_t lost = load.open + load.failed + load.refused +
                          (steps_wanted > load.acknowledged ? steps_wanted - load.acknowledged : 0);
    report(&load, &figures, lost);
    pawl_worker_free(worker);
    pawl_close(load.pawl);
    free(load.latencies);
    free(load.input);
    return lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
