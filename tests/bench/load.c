#include "tests/bench/load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client/pawl.h"

enum { LATENCIES_MAX = 1 << 22 };

static const char definition[] =
    "document: { dsl: '1.0.3', namespace: bench, name: steps, version: '1.0.0' }\n"
    "do:\n"
    "  - a: { call: bench.a, with: { data: '${ .data }' } }\n"
    "  - b: { call: bench.b, with: { data: '${ .data }' } }\n"
    "  - c: { call: bench.c, with: { data: '${ .data }' } }\n";

struct load {
    struct load_options options;
    struct pawl *pawl;
    struct pawl_worker *worker;
    char *input;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t started, ended, failed; /* workflows */
    uint64_t acknowledged, refused;  /* reports */
    unsigned open;
    bool is_counting, is_stopping;
    uint64_t *latencies;
    size_t latency_count;
    bool are_latencies_sorted;
};

struct workflow {
    struct load *load;
    uint64_t begin_us;
    char run[40];
};

uint64_t load_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

_Noreturn void load_die(const char *what, const char *detail)
{
    fprintf(stderr, "load: %s: %s\n", what, detail);
    exit(EXIT_FAILURE);
}

/* ---- work ---- */

static enum pawl_task_state handle(struct pawl_task *task, void *user)
{
    size_t size;
    (void)user;
    const void *input = pawl_task_input_msgpack(task, &size);
    if (pawl_task_complete_msgpack(task, input, size, NULL) != PAWL_OK)
        load_die("a step cannot be completed", pawl_task_type(task));
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
    if (error == PAWL_OK && load->options.on_acknowledged != NULL)
        load->options.on_acknowledged(load->options.user, load_now_us());
}

/* ---- workflows ---- */

static void start_one(struct load *load);

static void workflow_ended(struct workflow *workflow, bool is_good)
{
    struct load *load = workflow->load;
    const uint64_t at_us = load_now_us();
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
        fprintf(stderr, "load: a start failed: %s\n", pawl_answer_detail(answer));
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
        load_die("out of memory", "");
    workflow->load = load;
    workflow->begin_us = load_now_us();
    pthread_mutex_lock(&load->mutex);
    load->started++;
    load->open++;
    pthread_mutex_unlock(&load->mutex);
    const struct pawl_start start = {
        .size = sizeof start, .definition = "steps", .input_json = load->input};
    if (pawl_start_async(load->pawl, &start, start_answered, workflow, &diag) != PAWL_OK)
        load_die("cannot start", diag.text);
}

/* ---- measuring ---- */

uint64_t load_process_us(long pid)
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
        load_die("a server is gone", path);
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

struct load_sample load_take_sample(struct load *load)
{
    struct load_sample sample = {.client_us = own_us()};
    struct pawl_answer *answer = NULL;
    if (pawl_status(load->pawl, &answer, NULL) == PAWL_OK) {
        sample.commits = number_at(pawl_answer_json(answer), "\"commitIndex\":");
        sample.syncs = number_at(pawl_answer_json(answer), "\"logSyncs\":");
    }
    pawl_answer_free(answer);
    for (size_t i = 0; i < load->options.pid_count; i++)
        sample.server_us[i] = load_process_us(load->options.pids[i]);
    pthread_mutex_lock(&load->mutex);
    sample.at_us = load_now_us();
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

double load_percentile_ms(struct load *load, double share)
{
    if (!load->are_latencies_sorted)
        qsort(load->latencies, load->latency_count, sizeof *load->latencies, compare);
    load->are_latencies_sorted = true;
    if (load->latency_count == 0)
        return 0;
    return (double)load->latencies[(size_t)((double)(load->latency_count - 1) * share)] / 1000;
}

void load_set_counting(struct load *load, bool is_counting)
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

uint64_t load_end(struct load *load)
{
    wait_for_end(load);
    (void)pawl_worker_stop(load->worker, 10000);
    const uint64_t wanted = load->ended * STEPS_PER_WORKFLOW;
    return load->open + load->failed + load->refused +
           (wanted > load->acknowledged ? wanted - load->acknowledged : 0);
}

/* ---- beginning ---- */

void load_read_pids(struct load_options *options, const char *list)
{
    for (const char *at = list; at != NULL && options->pid_count < SERVERS_MAX;) {
        options->pids[options->pid_count++] = strtol(at, NULL, 10);
        at = strchr(at, ',');
        at = at != NULL ? at + 1 : NULL;
    }
}

static char *make_input(unsigned payload_bytes)
{
    static const char head[] = "{\"data\":\"", tail[] = "\"}";
    char *input = malloc(sizeof head + payload_bytes + sizeof tail);
    if (input == NULL)
        load_die("out of memory", "");
    memcpy(input, head, sizeof head - 1);
    memset(input + sizeof head - 1, 'x', payload_bytes);
    memcpy(input + sizeof head - 1 + payload_bytes, tail, sizeof tail);
    return input;
}

static void open_all(struct load *load)
{
    static const char *const types[STEPS_PER_WORKFLOW] = {"bench.a", "bench.b", "bench.c"};
    struct pawl_diag diag = {0};
    const struct pawl_options options = {.size = sizeof options,
                                         .nodes = load->options.nodes,
                                         .namespace_name = "bench",
                                         .name = "bench-load"};
    const struct pawl_worker_options worker_options = {
        .size = sizeof worker_options, .concurrency = load->options.concurrency, .is_inline = true};
    if (pawl_open(&options, &load->pawl, &diag) != PAWL_OK ||
        pawl_deploy(load->pawl, definition, NULL, &diag) != PAWL_OK ||
        pawl_worker_new(load->pawl, &worker_options, &load->worker, &diag) != PAWL_OK)
        load_die("cannot begin", diag.text);
    for (int i = 0; i < STEPS_PER_WORKFLOW; i++)
        if (pawl_worker_handle(load->worker, types[i], handle, load, &diag) != PAWL_OK)
            load_die("cannot work", diag.text);
    pawl_worker_on_acknowledged(load->worker, acknowledged, load);
    if (pawl_worker_start(load->worker, &diag) != PAWL_OK)
        load_die("cannot work", diag.text);
}

struct load *load_new(const struct load_options *options)
{
    struct load *load = calloc(1, sizeof *load);
    if (load == NULL)
        load_die("out of memory", "");
    load->options = *options;
    pthread_mutex_init(&load->mutex, NULL);
    pthread_cond_init(&load->changed, NULL);
    load->input = make_input(options->payload_bytes);
    load->latencies = malloc(LATENCIES_MAX * sizeof *load->latencies);
    if (load->latencies == NULL)
        load_die("out of memory", "");
    open_all(load);
    return load;
}

void load_begin(struct load *load)
{
    for (unsigned i = 0; i < load->options.concurrency; i++)
        start_one(load);
}

void load_free(struct load *load)
{
    pawl_worker_free(load->worker);
    pawl_close(load->pawl);
    pthread_cond_destroy(&load->changed);
    pthread_mutex_destroy(&load->mutex);
    free(load->latencies);
    free(load->input);
    free(load);
}
