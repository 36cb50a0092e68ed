#include "tests/bench/load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/crew.h"

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
    struct crew *crew;
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

enum pawl_task_state load_complete(struct pawl_task *task, void *user)
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
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid((pid_t)pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        load_die("a server is gone", "its CPU time cannot be read");
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static uint64_t number_at(const char *json, const char *key)
{
    const char *at = strstr(json, key);
    return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

struct load_sample load_take_sample(struct load *load)
{
    struct load_sample sample = {.client_us = load_process_us((long)getpid())};
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
    crew_stop(load->crew);
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

static void serve(struct pawl_worker *worker, void *user)
{
    static const char *const types[STEPS_PER_WORKFLOW] = {"bench.a", "bench.b", "bench.c"};
    struct pawl_diag diag = {0};
    for (int i = 0; i < STEPS_PER_WORKFLOW; i++)
        if (pawl_worker_handle(worker, types[i], load_complete, user, &diag) != PAWL_OK)
            load_die("cannot work", diag.text);
    pawl_worker_on_acknowledged(worker, acknowledged, user);
}

static void open_all(struct load *load)
{
    const struct load_options *given = &load->options;
    struct pawl_diag diag = {0};
    const struct pawl_options options = {.size = sizeof options,
                                         .nodes = given->nodes,
                                         .namespace_name = "bench",
                                         .name = "bench-load"};
    if (pawl_open(&options, &load->pawl, &diag) != PAWL_OK ||
        pawl_deploy(load->pawl, definition, NULL, &diag) != PAWL_OK)
        load_die("cannot begin", diag.text);
    const struct crew_options crew = {.nodes = given->nodes,
                                      .first = load->pawl,
                                      .worker_count =
                                          given->worker_count > 0 ? given->worker_count : 1,
                                      .concurrency = given->concurrency,
                                      .prepare = serve,
                                      .user = load};
    load->crew = crew_open(&crew);
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
    crew_close(load->crew);
    pawl_close(load->pawl);
    pthread_cond_destroy(&load->changed);
    pthread_mutex_destroy(&load->mutex);
    free(load->latencies);
    free(load->input);
    free(load);
}
