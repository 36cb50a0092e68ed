#include "tests/bench/paced.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/load.h"

enum { SAMPLES_MAX = 1 << 20, TICK_US = 500, SHOWS_PER_S = 100, LISTS_PER_S = 20, LIST_ROWS = 50 };

static const char definition[] =
    "document: { dsl: '1.0.3', namespace: bench, name: paced, version: '1.0.0' }\n"
    "do:\n"
    "  - a: { call: paced.a, with: { data: '${ .data }' } }\n"
    "  - b: { call: paced.b, with: { data: '${ .data }' } }\n"
    "  - c: { call: paced.c, with: { data: '${ .data }' } }\n";

struct samples {
    uint64_t *us;
    size_t count;
};

struct paced {
    struct pawl *pawl;
    const struct runs *runs;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct samples samples[PACED_KIND_COUNT];
    uint64_t open; /* requests and workflows */
};

/* One request on its way; a workflow until its result is there. */
struct asked {
    struct paced *paced;
    enum paced_kind kind;
    uint64_t due_us;
    char run[RUN_TEXT_BYTES];
};

static void note(struct paced *paced, enum paced_kind kind, uint64_t due_us)
{
    const uint64_t at_us = load_now_us();
    pthread_mutex_lock(&paced->mutex);
    struct samples *samples = &paced->samples[kind];
    if (samples->count < SAMPLES_MAX)
        samples->us[samples->count++] = at_us - due_us;
    pthread_mutex_unlock(&paced->mutex);
}

/* ---- work ---- */

static enum pawl_task_state handle(struct pawl_task *task, void *user)
{
    if (strcmp(pawl_task_type(task), "paced.a") == 0) {
        const char *text = pawl_task_input_json(task);
        const char *at = text != NULL ? strstr(text, "due:") : NULL;
        if (at == NULL)
            load_die("a step lacks its input", pawl_task_type(task));
        note(user, PACED_HANDOUT, strtoull(at + 4, NULL, 10));
    }
    return load_complete(task, user);
}

void paced_serve(struct paced *paced, struct pawl_worker *worker)
{
    static const char *const types[] = {"paced.a", "paced.b", "paced.c"};
    struct pawl_diag diag = {0};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (pawl_worker_handle(worker, types[i], handle, paced, &diag) != PAWL_OK)
            load_die("cannot work", diag.text);
}

/* ---- requests ---- */

static void asked_over(struct asked *asked)
{
    struct paced *paced = asked->paced;
    note(paced, asked->kind, asked->due_us);
    free(asked);
    pthread_mutex_lock(&paced->mutex);
    paced->open--;
    pthread_cond_signal(&paced->changed);
    pthread_mutex_unlock(&paced->mutex);
}

static void answered(struct pawl_answer *answer, void *user)
{
    struct asked *asked = user;
    if (pawl_answer_error(answer) != PAWL_OK)
        load_die("a request failed", pawl_answer_detail(answer));
    asked_over(asked);
}

static void started(struct pawl_answer *answer, void *user)
{
    struct asked *asked = user;
    struct pawl_diag diag = {0};
    const char *run = pawl_answer_text(answer, "run");
    if (pawl_answer_error(answer) != PAWL_OK || run == NULL)
        load_die("a start failed", pawl_answer_detail(answer));
    snprintf(asked->run, sizeof asked->run, "%s", run);
    const struct pawl_target target = {.size = sizeof target, .run = asked->run};
    if (pawl_result_async(asked->paced->pawl, &target, answered, asked, &diag) != PAWL_OK)
        load_die("cannot ask for a result", diag.text);
}

static enum pawl_error ask_start(struct asked *asked, struct pawl_diag *diag)
{
    char input[300];
    snprintf(input, sizeof input, "{\"data\":\"due:%-196" PRIu64 "\"}", asked->due_us);
    const struct pawl_start start = {
        .size = sizeof start, .definition = "paced", .input_json = input};
    return pawl_start_async(asked->paced->pawl, &start, started, asked, diag);
}

static enum pawl_error ask_show(struct asked *asked, struct pawl_diag *diag)
{
    const struct runs *runs = asked->paced->runs;
    const uint64_t kept = runs->count < RUNS_KEPT_MAX ? runs->count : RUNS_KEPT_MAX;
    const uint64_t place = asked->due_us / 7 % (kept > 0 ? kept : 1);
    const struct pawl_target target = {.size = sizeof target, .run = runs->text[place]};
    return pawl_show_async(asked->paced->pawl, &target, answered, asked, diag);
}

static enum pawl_error ask_list(struct asked *asked, struct pawl_diag *diag)
{
    const struct pawl_list list = {.size = sizeof list, .limit = LIST_ROWS};
    return pawl_list_async(asked->paced->pawl, &list, answered, asked, diag);
}

static enum pawl_error ask_one(struct asked *asked, struct pawl_diag *diag)
{
    switch (asked->kind) {
    case PACED_WORKFLOW:
        return ask_start(asked, diag);
    case PACED_SHOW:
        return ask_show(asked, diag);
    case PACED_LIST:
        return ask_list(asked, diag);
    case PACED_HANDOUT:
    case PACED_KIND_COUNT:
        break;
    }
    return PAWL_E_INVALID;
}

static void ask(struct paced *paced, enum paced_kind kind, uint64_t due_us)
{
    struct pawl_diag diag = {0};
    struct asked *asked = calloc(1, sizeof *asked);
    if (asked == NULL)
        load_die("out of memory", "");
    *asked = (struct asked){.paced = paced, .kind = kind, .due_us = due_us};
    pthread_mutex_lock(&paced->mutex);
    paced->open++;
    pthread_mutex_unlock(&paced->mutex);
    if (ask_one(asked, &diag) != PAWL_OK)
        load_die("cannot ask", diag.text);
}

/* ---- pace ---- */

struct pace {
    enum paced_kind kind;
    double per_s;
    uint64_t asked;
};

static void ask_due(struct paced *paced, struct pace *pace, uint64_t begin_us, uint64_t now_us)
{
    const double period_us = 1e6 / pace->per_s;
    for (;;) {
        const uint64_t due_us = begin_us + (uint64_t)(period_us * (double)pace->asked);
        if (due_us > now_us)
            return;
        ask(paced, pace->kind, due_us);
        pace->asked++;
    }
}

static void wait_until_answered(struct paced *paced)
{
    pthread_mutex_lock(&paced->mutex);
    while (paced->open > 0)
        pthread_cond_wait(&paced->changed, &paced->mutex);
    pthread_mutex_unlock(&paced->mutex);
}

void paced_run(struct paced *paced, unsigned steps_per_s, unsigned seconds)
{
    struct pace paces[] = {
        {.kind = PACED_WORKFLOW, .per_s = (double)steps_per_s / STEPS_PER_WORKFLOW},
        {.kind = PACED_SHOW, .per_s = SHOWS_PER_S},
        {.kind = PACED_LIST, .per_s = LISTS_PER_S},
    };
    const uint64_t begin_us = load_now_us(), end_us = begin_us + (uint64_t)seconds * 1000000;
    const struct timespec tick = {.tv_nsec = TICK_US * 1000};
    for (uint64_t now_us = begin_us; now_us < end_us; now_us = load_now_us()) {
        for (size_t i = 0; i < sizeof paces / sizeof paces[0]; i++)
            ask_due(paced, &paces[i], begin_us, now_us);
        nanosleep(&tick, NULL);
    }
    wait_until_answered(paced);
}

/* ---- what came out ---- */

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double share_ms(const struct samples *samples, double share)
{
    return (double)samples->us[(size_t)((double)(samples->count - 1) * share)] / 1000;
}

struct paced_latency paced_latency(struct paced *paced, enum paced_kind kind)
{
    struct samples *samples = &paced->samples[kind];
    if (samples->count == 0)
        return (struct paced_latency){0};
    qsort(samples->us, samples->count, sizeof *samples->us, compare);
    return (struct paced_latency){.count = samples->count,
                                  .p50_ms = share_ms(samples, 0.5),
                                  .p99_ms = share_ms(samples, 0.99),
                                  .max_ms = share_ms(samples, 1)};
}

struct paced *paced_new(struct pawl *pawl, const struct runs *runs)
{
    struct pawl_diag diag = {0};
    struct paced *paced = calloc(1, sizeof *paced);
    if (paced == NULL)
        load_die("out of memory", "");
    *paced = (struct paced){.pawl = pawl,
                            .runs = runs,
                            .mutex = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER};
    for (size_t i = 0; i < PACED_KIND_COUNT; i++)
        if ((paced->samples[i].us = malloc(SAMPLES_MAX * sizeof *paced->samples[i].us)) == NULL)
            load_die("out of memory", "");
    if (pawl_deploy(pawl, definition, NULL, &diag) != PAWL_OK)
        load_die("cannot deploy", diag.text);
    return paced;
}

void paced_free(struct paced *paced)
{
    for (size_t i = 0; i < PACED_KIND_COUNT; i++)
        free(paced->samples[i].us);
    free(paced);
}
