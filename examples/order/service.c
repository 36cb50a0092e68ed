#include "examples/order/service.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "examples/order/ledger.h"

struct service {
    const char *name;
    const struct service_step *steps;
    struct ledger ledger;
    unsigned delay_ms;
};

/* What a handler is given: its step and its service. */
struct serving {
    const struct service *service;
    const struct service_step *step;
};

struct service_result service_completed(json_t *output_take)
{
    return (struct service_result){.output = output_take};
}

struct service_result service_failed(const char *type, uint32_t status, const char *detail)
{
    return (struct service_result){
        .fault_type = type, .status = status, .detail = detail, .is_final = true};
}

struct service_result service_unavailable(const char *detail)
{
    return (struct service_result){.fault_type = "communication", .status = 503, .detail = detail};
}

static void complete(const struct service *service, struct pawl_task *task, json_t *output)
{
    char *text = json_dumps(output, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    json_decref(output);
    if (text == NULL) {
        (void)pawl_task_fail(task, "runtime", 500, "out of memory", false);
        return;
    }
    ledger_end(&service->ledger, task, "completed", text);
    (void)pawl_task_complete_json(task, text, NULL);
    free(text);
}

static enum pawl_task_state handle(struct pawl_task *task, void *user)
{
    const struct serving *serving = user;
    const struct service *service = serving->service;
    ledger_start(&service->ledger, task);
    json_t *input = json_loads(pawl_task_input_json(task), JSON_DECODE_ANY, NULL);
    usleep(service->delay_ms * 1000);
    struct service_result result =
        serving->step->serve(input, pawl_task_idempotency_key(task), pawl_task_attempt(task));
    json_decref(input);
    if (result.fault_type == NULL) {
        complete(service, task, result.output);
        return PAWL_TASK_DONE;
    }
    ledger_end(&service->ledger, task, "failed", result.detail);
    (void)pawl_task_fail(task, result.fault_type, result.status, result.detail, result.is_final);
    return PAWL_TASK_DONE;
}

static void acknowledged(const struct pawl_task *task, enum pawl_error error, void *user)
{
    const struct service *service = user;
    ledger_acknowledged(&service->ledger, task, error);
}

static int fail(const char *name, enum pawl_error error, const struct pawl_diag *diag)
{
    fprintf(stderr, "%s: error[PAWL_%s]: %s\n", name, pawl_error_name(error), diag->text);
    return EXIT_FAILURE;
}

static enum pawl_error add_handlers(struct pawl_worker *worker, const struct service *service,
                                    struct serving *servings, struct pawl_diag *diag)
{
    for (size_t i = 0; service->steps[i].type != NULL; i++) {
        servings[i] = (struct serving){.service = service, .step = &service->steps[i]};
        TRY(pawl_worker_handle(worker, service->steps[i].type, handle, &servings[i], diag));
    }
    return PAWL_OK;
}

static int serve(struct service *service, const struct pawl_options *options, unsigned concurrency,
                 const sigset_t *stop)
{
    enum { STEPS_MAX = 8, DRAIN_MS = 10000 };
    struct serving servings[STEPS_MAX];
    struct pawl *pawl;
    struct pawl_worker *worker;
    struct pawl_diag diag = {0};
    int signal_number;
    const struct pawl_worker_options worker_options = {
        .size = sizeof worker_options, .concurrency = concurrency, .threads = concurrency};
    enum pawl_error error = pawl_open(options, &pawl, &diag);
    if (error != PAWL_OK)
        return fail(service->name, error, &diag);
    error = pawl_worker_new(pawl, &worker_options, &worker, &diag);
    if (error == PAWL_OK)
        error = add_handlers(worker, service, servings, &diag);
    if (error == PAWL_OK) {
        pawl_worker_on_acknowledged(worker, acknowledged, service);
        error = pawl_worker_start(worker, &diag);
    }
    if (error != PAWL_OK)
        return fail(service->name, error, &diag);
    (void)sigwait(stop, &signal_number);
    (void)pawl_worker_stop(worker, DRAIN_MS);
    pawl_worker_free(worker);
    pawl_close(pawl);
    return EXIT_SUCCESS;
}

int service_run(const char *name, const struct service_step *steps, int argc, char **argv)
{
    struct service service = {.name = name, .steps = steps, .delay_ms = 20};
    struct pawl_options options = {.size = sizeof options, .namespace_name = "shop", .name = name};
    unsigned concurrency = 8;
    const char *ledger = NULL;
    sigset_t stop;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--ledger") == 0)
            ledger = argv[i + 1];
        else if (strcmp(argv[i], "--nodes") == 0)
            options.nodes = argv[i + 1];
        else if (strcmp(argv[i], "--concurrency") == 0)
            concurrency = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--delay-ms") == 0)
            service.delay_ms = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else
            ledger = NULL, i = argc;
    }
    if (ledger == NULL) {
        fprintf(stderr, "usage: %s --ledger FILE [--nodes LIST] [--concurrency N] [--delay-ms N]\n",
                name);
        return 2;
    }
    if (!ledger_open(&service.ledger, ledger)) {
        fprintf(stderr, "%s: cannot open %s: %s\n", name, ledger, strerror(errno));
        return EXIT_FAILURE;
    }
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    return serve(&service, &options, concurrency, &stop);
}
