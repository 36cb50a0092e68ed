#include "tests/bench/fill.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/load.h"

enum { OPEN_MAX = 900, KEEP_EVERY = 97, BUSY_WAIT_US = 10000 };

struct fill {
    struct pawl *pawl;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned open;
    uint64_t refused; /* to be started again */
    struct runs *runs;
};

static void keep(struct runs *runs, const char *run)
{
    if (runs->seen++ % KEEP_EVERY != 0)
        return;
    const uint64_t place = runs->count++ % RUNS_KEPT_MAX;
    snprintf(runs->text[place], sizeof runs->text[place], "%s", run);
}

static void answered(struct pawl_answer *answer, void *user)
{
    struct fill *fill = user;
    const enum pawl_error error = pawl_answer_error(answer);
    const char *run = error == PAWL_OK ? pawl_answer_text(answer, "run") : NULL;
    if (error != PAWL_OK && error != PAWL_E_BUSY)
        load_die("a start failed", pawl_answer_detail(answer));
    pthread_mutex_lock(&fill->mutex);
    fill->open--;
    fill->refused += error == PAWL_E_BUSY;
    if (run != NULL)
        keep(fill->runs, run);
    pthread_cond_signal(&fill->changed);
    pthread_mutex_unlock(&fill->mutex);
}

static void start(struct fill *fill, const char *definition)
{
    struct pawl_diag diag = {0};
    const struct pawl_start start = {.size = sizeof start,
                                     .definition = definition,
                                     .input_json = "{\"order\":12345,\"customer\":\"c-678\"}",
                                     .timeout_ms = 120000};
    if (pawl_start_async(fill->pawl, &start, answered, fill, &diag) != PAWL_OK)
        load_die("cannot start", diag.text);
}

void fill_start(struct pawl *pawl, const char *definition, uint64_t count, struct runs *runs)
{
    struct fill fill = {.pawl = pawl,
                        .mutex = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER,
                        .runs = runs};
    pthread_mutex_lock(&fill.mutex);
    while (count > 0 || fill.open > 0 || fill.refused > 0) {
        const bool has_refused = fill.refused > 0;
        count += fill.refused;
        fill.refused = 0;
        if (count == 0 || fill.open >= OPEN_MAX) {
            pthread_cond_wait(&fill.changed, &fill.mutex);
            continue;
        }
        count--;
        fill.open++;
        pthread_mutex_unlock(&fill.mutex);
        if (has_refused)
            usleep(BUSY_WAIT_US);
        start(&fill, definition);
        pthread_mutex_lock(&fill.mutex);
    }
    pthread_mutex_unlock(&fill.mutex);
}
