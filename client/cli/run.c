/* pawl run: any program as a worker. JSON in on standard input, JSON out on standard output; an
 * exit code that is not 0 fails the step, with the end of standard error as the detail. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/cli/program.h"
#include "client/cli/session.h"
#include "proto/arena.h"
#include "proto/limits.h"

enum { DRAIN_MS = 60000 };

struct runner {
    char *const *words;
};

/* "NAME=value" in the arena; NULL: no memory. */
static char *pair_make(struct arena *arena, const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 2;
    char *pair = arena_alloc(arena, size);
    if (pair != NULL)
        snprintf(pair, size, "%s=%s", name, value);
    return pair;
}

static bool is_ours(const char *pair)
{
    static const char *const ours[] = {
        "PAWL_TYPE=",    "PAWL_NAMESPACE=", "PAWL_WORKFLOW_ID=",    "PAWL_RUN=",
        "PAWL_ATTEMPT=", "PAWL_FENCE=",     "PAWL_IDEMPOTENCY_KEY="};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (strncmp(pair, ours[i], strlen(ours[i])) == 0)
            return true;
    return false;
}

/* Our environment and the task's part of it; NULL: no memory. */
static char **environment_make(const struct pawl_task *task, struct arena *arena)
{
    enum { OURS = 7 };
    size_t inherited = 0, count = 0;
    char attempt[16];
    while (environ[inherited] != NULL)
        inherited++;
    char **environment = arena_array(arena, inherited + OURS + 1, sizeof *environment);
    if (environment == NULL)
        return NULL;
    for (size_t i = 0; i < inherited; i++)
        if (!is_ours(environ[i]))
            environment[count++] = environ[i];
    snprintf(attempt, sizeof attempt, "%u", pawl_task_attempt(task));
    const char *const pairs[OURS][2] = {
        {"PAWL_TYPE", pawl_task_type(task)},
        {"PAWL_NAMESPACE", pawl_task_namespace(task)},
        {"PAWL_WORKFLOW_ID", pawl_task_workflow_id(task)},
        {"PAWL_RUN", pawl_task_run(task)},
        {"PAWL_ATTEMPT", attempt},
        {"PAWL_FENCE", pawl_task_fence_text(task)},
        {"PAWL_IDEMPOTENCY_KEY", pawl_task_idempotency_key(task)},
    };
    for (size_t i = 0; i < OURS; i++) {
        environment[count] = pair_make(arena, pairs[i][0], pairs[i][1]);
        if (environment[count++] == NULL)
            return NULL;
    }
    return environment;
}

static void fail_with(struct pawl_task *task, const char *what, struct bytes errors)
{
    char detail[8192];
    snprintf(detail, sizeof detail, "%s%s%.*s", what, errors.size > 0 ? ": " : "", (int)errors.size,
             errors.size > 0 ? (const char *)errors.data : "");
    (void)pawl_task_fail(task, "runtime", 0, detail, false);
}

static void outcome_report(struct pawl_task *task, struct program *program)
{
    struct pawl_diag diag = {0};
    char what[sizeof diag.text + 64];
    if (program->exit_code != 0) {
        snprintf(what, sizeof what, "exit code %d", program->exit_code);
        fail_with(task, what, buffer_bytes(&program->errors));
        return;
    }
    buffer_append(&program->output, "", 1);
    const char *json = program->output.size > 1 ? (const char *)program->output.data : "null";
    enum pawl_error error = pawl_task_complete_json(task, json, &diag);
    if (error == PAWL_E_INVALID || error == PAWL_E_LIMIT) {
        snprintf(what, sizeof what, "its output cannot be taken: %s", diag.text);
        fail_with(task, what, buffer_bytes(&program->errors));
    }
}

static enum pawl_task_state task_execute(struct pawl_task *task, void *user)
{
    const struct runner *runner = user;
    struct arena arena = {0};
    struct pawl_diag diag = {0};
    const char *input = pawl_task_input_json(task);
    struct program program = {.words = runner->words,
                              .environment = environment_make(task, &arena),
                              .input = bytes_string(input),
                              .output_bytes_max = TEXT_BYTES_MAX};
    enum pawl_error error = PAWL_E_NO_MEMORY;
    if (input != NULL && program.environment != NULL)
        error = program_execute(&program, &diag);
    if (error == PAWL_OK)
        outcome_report(task, &program);
    else
        fail_with(task, diag.text[0] != '\0' ? diag.text : pawl_error_text(error),
                  (struct bytes){NULL, 0});
    buffer_done(&program.output);
    buffer_done(&program.errors);
    arena_done(&arena);
    return PAWL_TASK_DONE;
}

static void signals_take(sigset_t *awaited)
{
    sigemptyset(awaited);
    sigaddset(awaited, SIGINT);
    sigaddset(awaited, SIGTERM);
    sigaddset(awaited, SIGHUP);
    sigprocmask(SIG_BLOCK, awaited, NULL);
    signal(SIGPIPE, SIG_IGN); /* a program may end without reading its input */
}

static enum exit_code serve(struct session *session, struct pawl_worker *worker, const char *type,
                            const sigset_t *awaited)
{
    int number;
    enum pawl_error error = pawl_worker_start(worker, &session->diag);
    if (error != PAWL_OK)
        return session_fail(session, error, NULL);
    fprintf(stderr, "serving %s; Ctrl-C stops when the steps at hand are done\n", type);
    sigwait(awaited, &number);
    error = pawl_worker_stop(worker, DRAIN_MS);
    if (error != PAWL_OK)
        return error_print(session->arguments, error,
                           "not every step was done in time; they will be handed out again", NULL);
    return EXIT_OK;
}

static enum exit_code run_worker(struct session *session, struct runner *runner, const char *type,
                                 uint32_t concurrency, const sigset_t *awaited)
{
    struct pawl_worker *worker;
    const struct pawl_worker_options options = {
        .size = sizeof options, .concurrency = concurrency, .threads = concurrency};
    enum pawl_error error = pawl_worker_new(session->pawl, &options, &worker, &session->diag);
    if (error != PAWL_OK)
        return session_fail(session, error, NULL);
    enum exit_code code;
    error = pawl_worker_handle(worker, type, task_execute, runner, &session->diag);
    if (error == PAWL_OK)
        code = serve(session, worker, type, awaited);
    else
        code = session_fail(session, error, NULL);
    pawl_worker_free(worker);
    return code;
}

enum exit_code program_run(const struct arguments *arguments)
{
    enum { CONCURRENCY_MAX = 256 };
    struct session session;
    sigset_t awaited;
    struct runner runner = {.words = arguments->rest};
    struct pawl_diag diag = {0};
    uint32_t concurrency = 1;
    const char *type = arguments->values[OPTION_TYPE];
    const char *given = arguments->values[OPTION_CONCURRENCY];
    enum pawl_error error = PAWL_OK;
    if (given != NULL)
        error = cli_number(given, CONCURRENCY_MAX, &concurrency, &diag);
    if (type == NULL)
        error = diag_fail(&diag, PAWL_E_INVALID, "--type is missing: the step type to serve");
    if (error != PAWL_OK) {
        (void)error_print(arguments, error, diag.text, NULL);
        return EXIT_USAGE;
    }
    signals_take(&awaited);
    enum exit_code code = session_open(&session, arguments);
    if (code != EXIT_OK)
        return code;
    code = run_worker(&session, &runner, type, concurrency, &awaited);
    session_close(&session);
    return code;
}
