/* The library as a program sees it, against a fake node on real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/pawl.h"
#include "fake_node.h"

struct bed {
    struct fake_node *node;
    struct pawl *pawl;
    char nodes[32];
};

static void bed_open(struct bed *bed, const struct fake_options *options)
{
    uint16_t port;
    struct pawl_diag diag;
    bed->node = fake_node_new(options, 0, &port);
    snprintf(bed->nodes, sizeof bed->nodes, "127.0.0.1:%u", port);
    const struct pawl_options opening = {
        .size = sizeof opening, .nodes = bed->nodes, .name = "test"};
    assert_int_equal(pawl_open(&opening, &bed->pawl, &diag), PAWL_OK);
}

static void bed_close(struct bed *bed)
{
    pawl_close(bed->pawl);
    fake_node_free(bed->node);
}

static struct pawl_start start_of(const char *definition, const char *input)
{
    return (struct pawl_start){.size = sizeof(struct pawl_start),
                               .definition = definition,
                               .workflow_id = "w",
                               .input_json = input};
}

static enum pawl_task_state echo(struct pawl_task *task, void *user)
{
    (void)user;
    assert_int_equal(pawl_task_complete_json(task, pawl_task_input_json(task), NULL), PAWL_OK);
    return PAWL_TASK_DONE;
}

static struct pawl_worker *worker_start(struct bed *bed, const struct pawl_worker_options *options,
                                        const char *type, pawl_handler handler, void *user)
{
    struct pawl_worker *worker;
    struct pawl_diag diag;
    assert_int_equal(pawl_worker_new(bed->pawl, options, &worker, &diag), PAWL_OK);
    assert_int_equal(pawl_worker_handle(worker, type, handler, user, &diag), PAWL_OK);
    assert_int_equal(pawl_worker_start(worker, &diag), PAWL_OK);
    return worker;
}

static char *start_one(struct bed *bed, const char *definition, const char *input)
{
    struct pawl_answer *answer;
    struct pawl_diag diag;
    const struct pawl_start start = start_of(definition, input);
    if (pawl_start(bed->pawl, &start, &answer, &diag) != PAWL_OK)
        fail_msg("%s", diag.text);
    char *id = strdup(pawl_answer_text(answer, "workflowId"));
    pawl_answer_free(answer);
    return id;
}

static enum pawl_error result_of(struct bed *bed, const char *id, const char *expected_json)
{
    struct pawl_answer *answer;
    const struct pawl_target target = {.size = sizeof target, .workflow_id = id};
    enum pawl_error error = pawl_result(bed->pawl, &target, &answer, NULL);
    assert_non_null(answer);
    assert_string_equal(pawl_answer_json(answer), expected_json);
    pawl_answer_free(answer);
    return error;
}

static void test_open_bad_options_are_refused(void **state)
{
    (void)state;
    struct pawl *pawl = NULL;
    struct pawl_diag diag = {0};
    assert_int_equal(pawl_open(&(struct pawl_options){.nodes = "a:1"}, &pawl, &diag),
                     PAWL_E_INVALID);
    assert_int_equal(
        pawl_open(&(struct pawl_options){.size = sizeof(struct pawl_options), .nodes = "nonsense"},
                  &pawl, &diag),
        PAWL_E_INVALID);
    assert_non_null(strstr(diag.text, "nonsense"));
    pawl_close(NULL);
}

static void test_start_work_result_round_trip(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    struct pawl_worker *worker = worker_start(&bed, NULL, "echo", echo, NULL);
    char *id = start_one(&bed, "echo", "{\"a\":[1,2.5,null,\"x\"]}");
    assert_int_equal(
        result_of(&bed, id, "{\"status\":\"completed\",\"output\":{\"a\":[1,2.5,null,\"x\"]}}"),
        PAWL_OK);
    free(id);
    assert_int_equal(pawl_worker_stop(worker, 0), PAWL_OK);
    pawl_worker_free(worker);
    bed_close(&bed);
}

static void test_every_plain_call_is_answered(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    struct pawl_answer *answer;
    const struct pawl_target target = {.size = sizeof target, .workflow_id = "w"};
    const char *const peers[] = {"a:1", "b:1"};
    enum pawl_error errors[9];
    const char *const kinds[9] = {"{\"kind\":3}", "{\"kind\":4}", "{\"kind\":5}",  "{\"kind\":6}",
                                  "{\"kind\":8}", "{\"kind\":9}", "{\"kind\":10}", "{\"kind\":11}"};
    for (size_t i = 0; i < 8; i++) {
        switch (i) {
        case 0:
            errors[i] = pawl_deploy(bed.pawl, "do: []", &answer, NULL);
            break;
        case 1:
            errors[i] = pawl_show(bed.pawl, &target, &answer, NULL);
            break;
        case 2:
            errors[i] = pawl_list(bed.pawl, NULL, &answer, NULL);
            break;
        case 3:
            errors[i] = pawl_history(bed.pawl, &target, &answer, NULL);
            break;
        case 4:
            errors[i] = pawl_definition_list(bed.pawl, NULL, &answer, NULL);
            break;
        case 5:
            errors[i] = pawl_definition_show(bed.pawl, "d", NULL, &answer, NULL);
            break;
        case 6:
            errors[i] = pawl_status(bed.pawl, &answer, NULL);
            break;
        default:
            errors[i] = pawl_init(bed.pawl, peers, 2, &answer, NULL);
        }
        assert_int_equal(errors[i], PAWL_OK);
        assert_string_equal(pawl_answer_json(answer), kinds[i]);
        pawl_answer_free(answer);
    }
    bed_close(&bed);
}

static void test_refused_start_says_why(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, &(struct fake_options){.start_error = PAWL_E_NOT_FOUND});
    struct pawl_answer *answer;
    struct pawl_diag diag;
    const struct pawl_start start = start_of("x", NULL);
    assert_int_equal(pawl_start(bed.pawl, &start, &answer, &diag), PAWL_E_NOT_FOUND);
    assert_non_null(answer);
    assert_string_equal(pawl_answer_detail(answer), pawl_error_text(PAWL_E_NOT_FOUND));
    pawl_answer_free(answer);
    assert_int_equal(pawl_start(bed.pawl, &start, NULL, NULL), PAWL_E_NOT_FOUND);
    bed_close(&bed);
}

static void test_bad_arguments_are_refused_before_they_travel(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    struct pawl_diag diag;
    struct pawl_answer *answer = NULL;
    struct pawl_start starts[] = {start_of("x", "{\"a\":"), start_of("x", "1"), start_of("x", "1"),
                                  start_of("x", NULL)};
    starts[1].request_id = "not a uuid";
    starts[2].size = 4;
    starts[3].input_msgpack = "\xc1";
    starts[3].input_msgpack_bytes = 1;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        diag.text[0] = '\0';
        assert_int_equal(pawl_start(bed.pawl, &starts[i], &answer, &diag), PAWL_E_INVALID);
        assert_true(diag.text[0] != '\0');
        assert_null(answer);
    }
    const struct pawl_target nothing = {.size = sizeof nothing};
    assert_int_equal(pawl_show(bed.pawl, &nothing, &answer, &diag), PAWL_E_INVALID);
    assert_int_equal(fake_node_counts(bed.node).starts, 0);
    bed_close(&bed);
}

static void test_no_node_times_out_with_the_trouble(void **state)
{
    (void)state;
    struct pawl *pawl;
    struct pawl_answer *answer;
    struct pawl_diag diag;
    const struct pawl_options options = {
        .size = sizeof options, .nodes = "127.0.0.1:1", .timeout_ms = 100};
    assert_int_equal(pawl_open(&options, &pawl, &diag), PAWL_OK);
    const struct pawl_start start = start_of("x", NULL);
    assert_int_equal(pawl_start(pawl, &start, &answer, &diag), PAWL_E_NO_LEADER);
    assert_non_null(strstr(diag.text, "127.0.0.1:1"));
    pawl_answer_free(answer);
    pawl_close(pawl);
}

struct tally {
    sem_t done;
    _Atomic int ok, cancelled, other;
};

static void tally_answer(struct pawl_answer *answer, void *user)
{
    struct tally *tally = user;
    enum pawl_error error = pawl_answer_error(answer);
    if (error == PAWL_OK)
        tally->ok++;
    else if (error == PAWL_E_CANCELLED)
        tally->cancelled++;
    else
        tally->other++;
    sem_post(&tally->done);
}

static void test_close_cancels_what_waits(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    struct tally tally = {0};
    sem_init(&tally.done, 0, 0);
    char *id = start_one(&bed, "nobody-serves-this", NULL);
    const struct pawl_target target = {.size = sizeof target, .workflow_id = id};
    for (int i = 0; i < 10; i++)
        assert_int_equal(pawl_result_async(bed.pawl, &target, tally_answer, &tally, NULL), PAWL_OK);
    pawl_close(bed.pawl);
    assert_int_equal(tally.cancelled, 10);
    free(id);
    sem_destroy(&tally.done);
    fake_node_free(bed.node);
}

static void test_waiting_in_a_callback_is_refused(void **state);
struct nested {
    struct pawl *pawl;
    sem_t done;
    enum pawl_error error;
};

static void ask_nested(struct pawl_answer *answer, void *user)
{
    (void)answer;
    struct nested *nested = user;
    nested->error = pawl_status(nested->pawl, NULL, NULL);
    sem_post(&nested->done);
}

static void test_waiting_in_a_callback_is_refused(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    struct nested nested = {.pawl = bed.pawl, .error = PAWL_OK};
    sem_init(&nested.done, 0, 0);
    const struct pawl_start start = start_of("x", NULL);
    assert_int_equal(pawl_start_async(bed.pawl, &start, ask_nested, &nested, NULL), PAWL_OK);
    sem_wait(&nested.done);
    assert_int_equal(nested.error, PAWL_E_INVALID);
    sem_destroy(&nested.done);
    bed_close(&bed);
}

/* Steps that are ended later, by another thread. */

struct detached {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct pawl_task *tasks[2048];
    size_t count;
    bool is_ending;
    _Atomic int acknowledged, stale;
};

static enum pawl_task_state detach(struct pawl_task *task, void *user)
{
    struct detached *detached = user;
    pthread_mutex_lock(&detached->mutex);
    detached->tasks[detached->count++] = task;
    pthread_cond_signal(&detached->changed);
    pthread_mutex_unlock(&detached->mutex);
    return PAWL_TASK_DETACHED;
}

static void *complete_all(void *user)
{
    struct detached *detached = user;
    pthread_mutex_lock(&detached->mutex);
    while (!detached->is_ending || detached->count > 0) {
        while (detached->count == 0 && !detached->is_ending)
            pthread_cond_wait(&detached->changed, &detached->mutex);
        size_t count = detached->count;
        struct pawl_task *tasks[2048];
        memcpy(tasks, detached->tasks, count * sizeof tasks[0]);
        detached->count = 0;
        pthread_mutex_unlock(&detached->mutex);
        for (size_t i = 0; i < count; i++)
            (void)pawl_task_complete_json(tasks[i], "{\"done\":true}", NULL);
        pthread_mutex_lock(&detached->mutex);
    }
    pthread_mutex_unlock(&detached->mutex);
    return NULL;
}

static void acknowledged(const struct pawl_task *task, enum pawl_error error, void *user)
{
    struct detached *detached = user;
    assert_true(pawl_task_fence_text(task)[0] != '\0');
    assert_true(pawl_task_idempotency_key(task)[0] != '\0');
    if (error == PAWL_OK)
        detached->acknowledged++;
    else
        detached->stale++;
}

static void run_detached(const struct fake_options *options, size_t workflows, bool is_inline)
{
    struct bed bed;
    bed_open(&bed, options);
    static struct detached detached;
    memset(&detached, 0, sizeof detached);
    pthread_mutex_init(&detached.mutex, NULL);
    pthread_cond_init(&detached.changed, NULL);
    struct pawl_worker *worker;
    const struct pawl_worker_options working = {
        .size = sizeof working, .concurrency = 256, .threads = 2, .is_inline = is_inline};
    assert_int_equal(pawl_worker_new(bed.pawl, &working, &worker, NULL), PAWL_OK);
    assert_int_equal(pawl_worker_handle(worker, "d", detach, &detached, NULL), PAWL_OK);
    pawl_worker_on_acknowledged(worker, acknowledged, &detached);
    assert_int_equal(pawl_worker_start(worker, NULL), PAWL_OK);
    pthread_t completer;
    pthread_create(&completer, NULL, complete_all, &detached);
    struct tally tally = {0};
    sem_init(&tally.done, 0, 0);
    const struct pawl_start start = start_of("d", "{\"n\":1}");
    for (size_t i = 0; i < workflows; i++) {
        if (i >= 256)
            sem_wait(&tally.done);
        assert_int_equal(pawl_start_async(bed.pawl, &start, tally_answer, &tally, NULL), PAWL_OK);
    }
    for (size_t i = 0; i < workflows && i < 256; i++)
        sem_wait(&tally.done);
    assert_int_equal(tally.ok, workflows);
    while ((size_t)detached.acknowledged < workflows && detached.stale == 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(pawl_worker_stop(worker, 0), PAWL_OK);
    assert_int_equal(detached.acknowledged, workflows);
    assert_int_equal(detached.stale, 0);
    pthread_mutex_lock(&detached.mutex);
    detached.is_ending = true;
    pthread_cond_signal(&detached.changed);
    pthread_mutex_unlock(&detached.mutex);
    pthread_join(completer, NULL);
    pawl_worker_free(worker);
    bed_close(&bed);
    sem_destroy(&tally.done);
    pthread_cond_destroy(&detached.changed);
    pthread_mutex_destroy(&detached.mutex);
}

static void test_detached_tasks_are_all_acknowledged(void **state)
{
    (void)state;
    run_detached(NULL, 5000, false);
}

static void test_inline_detached_tasks_are_all_acknowledged(void **state)
{
    (void)state;
    run_detached(NULL, 5000, true);
}

static void test_lost_connections_and_busy_lose_nothing(void **state)
{
    (void)state;
    run_detached(&(struct fake_options){.busy_every = 7, .close_every = 101}, 1000, false);
}

static enum pawl_task_state misbehave(struct pawl_task *task, void *user)
{
    (void)user;
    struct pawl_diag diag = {0};
    assert_int_equal(pawl_task_complete_json(task, "{no json", &diag), PAWL_E_INVALID);
    assert_true(diag.text[0] != '\0');
    return PAWL_TASK_DONE; /* without having ended it */
}

static void test_handler_that_forgets_its_task_fails_it(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    struct pawl_worker *worker = worker_start(&bed, NULL, "m", misbehave, NULL);
    char *id = start_one(&bed, "m", NULL);
    assert_int_equal(result_of(&bed, id, "{\"status\":\"failed\",\"output\":null}"),
                     PAWL_E_WORKFLOW_FAILED);
    free(id);
    pawl_worker_free(worker);
    bed_close(&bed);
}

struct seen {
    char type[32], workflow[64], run[64], fence[64], key[64];
    uint32_t step, attempt;
};

static enum pawl_task_state look(struct pawl_task *task, void *user)
{
    struct seen *seen = user;
    snprintf(seen->type, sizeof seen->type, "%s", pawl_task_type(task));
    snprintf(seen->workflow, sizeof seen->workflow, "%s", pawl_task_workflow_id(task));
    snprintf(seen->run, sizeof seen->run, "%s", pawl_task_run(task));
    snprintf(seen->fence, sizeof seen->fence, "%s", pawl_task_fence_text(task));
    snprintf(seen->key, sizeof seen->key, "%s", pawl_task_idempotency_key(task));
    seen->step = pawl_task_step(task);
    seen->attempt = pawl_task_attempt(task);
    assert_int_equal(pawl_task_fence(task).index, 1);
    assert_int_equal(pawl_task_fail(task, "communication", 503, "try later", false), PAWL_OK);
    return PAWL_TASK_DONE;
}

static void test_handler_sees_what_it_was_handed(void **state)
{
    (void)state;
    struct bed bed;
    struct seen seen = {0};
    bed_open(&bed, NULL);
    struct pawl_worker *worker = worker_start(&bed, NULL, "look", look, &seen);
    struct pawl_start start = start_of("look", NULL);
    start.request_id = "00000000-0000-0000-0000-0000000000ff";
    assert_int_equal(pawl_start(bed.pawl, &start, NULL, NULL), PAWL_OK);
    assert_int_equal(result_of(&bed, "w#0", "{\"status\":\"failed\",\"output\":null}"),
                     PAWL_E_WORKFLOW_FAILED);
    assert_int_equal(pawl_worker_stop(worker, 0), PAWL_OK);
    pawl_worker_free(worker);
    assert_string_equal(seen.type, "look");
    assert_string_equal(seen.workflow, "w#0");
    assert_string_equal(seen.run, start.request_id);
    assert_string_equal(seen.fence, "0-3-1-1");
    assert_string_equal(seen.key, "w#0");
    assert_int_equal(seen.step, 1);
    assert_int_equal(seen.attempt, 1);
    bed_close(&bed);
}

static void test_stop_takes_leave_and_late_reports_are_answered(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    static struct detached detached;
    memset(&detached, 0, sizeof detached);
    pthread_mutex_init(&detached.mutex, NULL);
    pthread_cond_init(&detached.changed, NULL);
    struct pawl_worker *worker = worker_start(&bed, NULL, "d", detach, &detached);
    char *id = start_one(&bed, "d", NULL);
    pthread_mutex_lock(&detached.mutex);
    while (detached.count == 0)
        pthread_cond_wait(&detached.changed, &detached.mutex);
    pthread_mutex_unlock(&detached.mutex);
    assert_int_equal(pawl_worker_stop(worker, 50), PAWL_E_TIMEOUT);
    pawl_worker_free(worker);
    assert_int_equal(pawl_task_complete_json(detached.tasks[0], "1", NULL), PAWL_E_CLOSED);
    struct pawl_answer *answer;
    assert_int_equal(pawl_status(bed.pawl, &answer, NULL), PAWL_OK);
    pawl_answer_free(answer);
    assert_int_equal(fake_node_counts(bed.node).goodbyes, 1);
    free(id);
    bed_close(&bed);
}

static void test_worker_misuse_is_refused(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    struct pawl_worker *worker, *second;
    struct pawl_diag diag;
    assert_int_equal(pawl_worker_new(bed.pawl, NULL, &worker, &diag), PAWL_OK);
    assert_int_equal(pawl_worker_new(bed.pawl, NULL, &second, &diag), PAWL_E_EXISTS);
    assert_int_equal(pawl_worker_start(worker, &diag), PAWL_E_INVALID);
    assert_int_equal(pawl_worker_handle(worker, "", echo, NULL, &diag), PAWL_E_INVALID);
    assert_int_equal(pawl_worker_handle(worker, "a", NULL, NULL, &diag), PAWL_E_INVALID);
    assert_int_equal(pawl_worker_handle(worker, "a", echo, NULL, &diag), PAWL_OK);
    assert_int_equal(pawl_worker_handle(worker, "a", echo, NULL, &diag), PAWL_E_EXISTS);
    assert_int_equal(pawl_worker_start(worker, &diag), PAWL_OK);
    assert_int_equal(pawl_worker_start(worker, &diag), PAWL_E_CONFLICT);
    assert_int_equal(pawl_worker_handle(worker, "b", echo, NULL, &diag), PAWL_E_CONFLICT);
    pawl_worker_free(worker);
    bed_close(&bed);
}

static void test_forked_child_gets_closed(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    free(start_one(&bed, "x", NULL));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct pawl_start start = start_of("x", NULL);
        bool is_closed = pawl_start(bed.pawl, &start, NULL, NULL) == PAWL_E_CLOSED &&
                         pawl_status(bed.pawl, NULL, NULL) == PAWL_E_CLOSED;
        pawl_close(bed.pawl);
        _exit(is_closed ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    free(start_one(&bed, "x", NULL));
    bed_close(&bed);
}

static bool is_wiping_refused; /* by the kernel, for the test that comes next */

int __real_madvise(void *memory, size_t size, int advice);
int __wrap_madvise(void *memory, size_t size, int advice);
int __wrap_madvise(void *memory, size_t size, int advice)
{
    if (advice == MADV_WIPEONFORK && is_wiping_refused) {
        errno = EINVAL;
        return -1;
    }
    return __real_madvise(memory, size, advice);
}

static void test_handle_that_could_not_know_a_child_is_refused(void **state)
{
    struct pawl_diag diag = {0};
    struct pawl *pawl = NULL;
    const struct pawl_options options = {.size = sizeof options};
    (void)state;
    is_wiping_refused = true;
    const enum pawl_error error = pawl_open(&options, &pawl, &diag);
    is_wiping_refused = false;
    assert_int_equal(error, PAWL_E_IO);
    assert_null(pawl);
    assert_non_null(strstr(diag.text, "MADV_WIPEONFORK"));
}

static void test_node_restart_is_survived(void **state)
{
    (void)state;
    struct bed bed;
    uint16_t port, again;
    bed_open(&bed, NULL);
    free(start_one(&bed, "x", NULL));
    port = (uint16_t)atoi(strchr(bed.nodes, ':') + 1);
    fake_node_free(bed.node);
    bed.node = fake_node_new(NULL, port, &again);
    assert_int_equal(port, again);
    free(start_one(&bed, "x", NULL));
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_bad_options_are_refused),
        cmocka_unit_test(test_start_work_result_round_trip),
        cmocka_unit_test(test_every_plain_call_is_answered),
        cmocka_unit_test(test_refused_start_says_why),
        cmocka_unit_test(test_bad_arguments_are_refused_before_they_travel),
        cmocka_unit_test(test_no_node_times_out_with_the_trouble),
        cmocka_unit_test(test_close_cancels_what_waits),
        cmocka_unit_test(test_waiting_in_a_callback_is_refused),
        cmocka_unit_test(test_detached_tasks_are_all_acknowledged),
        cmocka_unit_test(test_inline_detached_tasks_are_all_acknowledged),
        cmocka_unit_test(test_lost_connections_and_busy_lose_nothing),
        cmocka_unit_test(test_handler_that_forgets_its_task_fails_it),
        cmocka_unit_test(test_handler_sees_what_it_was_handed),
        cmocka_unit_test(test_stop_takes_leave_and_late_reports_are_answered),
        cmocka_unit_test(test_worker_misuse_is_refused),
        cmocka_unit_test(test_forked_child_gets_closed),
        cmocka_unit_test(test_handle_that_could_not_know_a_child_is_refused),
        cmocka_unit_test(test_node_restart_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
