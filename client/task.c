/* A task: one hand-out, from the moment it arrives until its report is answered. */
#include <stdatomic.h>
#include <stdlib.h>

#include "client/worker.h"
#include "proto/json.h"
#include "proto/limits.h"

static void report_answered(struct pawl *pawl, struct call *call, struct pawl_answer *answer);

static const char *text_copy(char **at, struct bytes text)
{
    char *copy = *at;
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    *at += text.size + 1;
    return copy;
}

static void texts_copy(struct pawl_task *task, const struct msg_handout *handout)
{
    char *at = task->texts;
    task->type = text_copy(&at, handout->type);
    task->namespace_name = text_copy(&at, handout->namespace_name);
    task->workflow_id = text_copy(&at, handout->workflow_id);
    task->idempotency_key = text_copy(&at, handout->idempotency_key);
    if (handout->input.size > 0)
        memcpy(at, handout->input.data, handout->input.size);
    task->handout = *handout;
    task->handout.input = bytes_of(at, handout->input.size);
    task->handout.type = bytes_string(task->type);
    task->handout.namespace_name = bytes_string(task->namespace_name);
    task->handout.workflow_id = bytes_string(task->workflow_id);
    task->handout.idempotency_key = bytes_string(task->idempotency_key);
}

static char *decimal_put(char *at, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

/* partition-term-index-ordinal. */
static void fence_format(const struct msg_fence *fence, char text_out[FENCE_TEXT_BYTES])
{
    const uint64_t numbers[] = {fence->partition, fence->term, fence->index, fence->ordinal};
    char *at = text_out;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (i > 0)
            *at++ = '-';
        at = decimal_put(at, numbers[i]);
    }
    *at = '\0';
}

struct pawl_task *task_new(struct pawl_worker *worker, const struct handler *handler,
                           const struct msg_handout *handout)
{
    enum { STRINGS = 4 };
    const struct msg_fence *fence = &handout->fence;
    size_t bytes = handout->type.size + handout->namespace_name.size + handout->workflow_id.size +
                   handout->idempotency_key.size + STRINGS + handout->input.size;
    struct pawl_task *task = calloc(1, sizeof *task + bytes);
    if (task == NULL)
        return NULL;
    task->worker = worker;
    task->handler = handler;
    atomic_init(&task->reference_count, 2);
    texts_copy(task, handout);
    id128_format(handout->run, task->run);
    fence_format(fence, task->fence);
    task->report.submission.run = call_run;
    task->report.answered = report_answered;
    task->report.request.kind = REQUEST_REPORT;
    task->report.request.fence = *fence;
    return task;
}

void task_release(struct pawl_task *task)
{
    if (atomic_fetch_sub(&task->reference_count, 1) != 1)
        return;
    buffer_done(&task->input_json);
    buffer_done(&task->report.body);
    worker_release(task->worker);
    free(task);
}

static void report_answered(struct pawl *pawl, struct call *call, struct pawl_answer *answer)
{
    (void)pawl;
    struct pawl_task *task = (struct pawl_task *)call;
    struct pawl_worker *worker = task->worker;
    if (worker->acknowledged != NULL)
        worker->acknowledged(task, pawl_answer_error(answer), worker->acknowledged_user);
    worker_task_gone(worker);
    task_release(task);
}

/* Submit the report; the task has ended. */
static enum pawl_error report_submit(struct pawl_task *task)
{
    struct pawl_worker *worker = task->worker;
    pthread_mutex_lock(&worker->mutex);
    bool is_taken = worker->pawl != NULL && handle_enter(worker->pawl) == PAWL_OK &&
                    handle_submit(worker->pawl, &task->report.submission);
    pthread_mutex_unlock(&worker->mutex);
    if (is_taken)
        return PAWL_OK;
    worker_task_gone(worker);
    task_release(task);
    return PAWL_E_CLOSED;
}

static enum pawl_error task_end(struct pawl_task *task, const struct msg_report *report,
                                struct pawl_diag *diag)
{
    struct buffer body = {0};
    codec_encode(&schema_report, report, &body);
    if (body.is_failed) {
        buffer_done(&body);
        return diag_fail(diag, PAWL_E_LIMIT, "the report is larger than its limits");
    }
    if (atomic_exchange(&task->is_ended, true)) {
        buffer_done(&body);
        return diag_fail(diag, PAWL_E_CONFLICT, "the task has ended already");
    }
    task->report.body = body;
    enum pawl_error error = report_submit(task);
    return error == PAWL_OK ? error : diag_fail(diag, error, "the handle is closed");
}

static struct msg_report report_of(const struct pawl_task *task, enum report_outcome outcome)
{
    return (struct msg_report){.run = task->handout.run,
                               .step = task->handout.step,
                               .fence = task->handout.fence,
                               .outcome = (uint8_t)outcome};
}

enum pawl_error pawl_task_complete_msgpack(struct pawl_task *task, const void *output, size_t size,
                                           struct pawl_diag *diag)
{
    struct msg_report report = report_of(task, REPORT_COMPLETED);
    report.output = size == 0 ? value_null : bytes_of(output, size);
    TRY(value_check(report.output, NULL, diag));
    return task_end(task, &report, diag);
}

enum pawl_error pawl_task_complete_json(struct pawl_task *task, const char *output,
                                        struct pawl_diag *diag)
{
    struct buffer value = {0};
    struct msg_report report = report_of(task, REPORT_COMPLETED);
    enum pawl_error error =
        json_read(bytes_string(output != NULL ? output : "null"), NULL, &value, diag);
    if (error == PAWL_OK) {
        report.output = buffer_bytes(&value);
        error = task_end(task, &report, diag);
    }
    buffer_done(&value);
    return error;
}

/* Words of a program are cut to their limit at a character, and dropped when they are no text. */
static struct bytes words(const char *text, size_t bytes_max)
{
    struct bytes cut = bytes_string(text);
    if (cut.size > bytes_max) {
        cut.size = bytes_max;
        while (cut.size > 0 && (cut.data[cut.size] & 0xc0) == 0x80)
            cut.size--;
    }
    return utf8_is_valid(cut) ? cut : BYTES_LITERAL("(not UTF-8)");
}

enum pawl_error pawl_task_fail(struct pawl_task *task, const char *type, uint32_t status,
                               const char *detail, bool is_final)
{
    enum { TYPE_BYTES_MAX = 512, DETAIL_BYTES_MAX = 8192 };
    struct msg_report report = report_of(task, REPORT_FAILED);
    report.fault = (struct msg_fault){
        .type = words(type != NULL ? type : "runtime", TYPE_BYTES_MAX),
        .status = status,
        .detail = words(detail, DETAIL_BYTES_MAX),
        .is_final = is_final,
    };
    return task_end(task, &report, NULL);
}

void task_run(struct pawl_task *task)
{
    enum pawl_task_state state = task->handler->run(task, task->handler->user);
    if (state == PAWL_TASK_DONE && !atomic_load(&task->is_ended))
        (void)pawl_task_fail(task, NULL, 0, "the handler returned without ending its task", false);
    task_release(task);
}

/* What a handler may ask */

const char *pawl_task_type(const struct pawl_task *task)
{
    return task->type;
}

const char *pawl_task_namespace(const struct pawl_task *task)
{
    return task->namespace_name;
}

const char *pawl_task_workflow_id(const struct pawl_task *task)
{
    return task->workflow_id;
}

const char *pawl_task_run(const struct pawl_task *task)
{
    return task->run;
}

uint32_t pawl_task_step(const struct pawl_task *task)
{
    return task->handout.step;
}

uint32_t pawl_task_attempt(const struct pawl_task *task)
{
    return task->handout.attempt;
}

struct pawl_fence pawl_task_fence(const struct pawl_task *task)
{
    const struct msg_fence *fence = &task->handout.fence;
    return (struct pawl_fence){.partition = fence->partition,
                               .term = fence->term,
                               .index = fence->index,
                               .ordinal = fence->ordinal};
}

const char *pawl_task_fence_text(const struct pawl_task *task)
{
    return task->fence;
}

const char *pawl_task_idempotency_key(const struct pawl_task *task)
{
    return task->idempotency_key;
}

uint64_t pawl_task_deadline_ms(const struct pawl_task *task)
{
    return task->handout.deadline_ms;
}

const char *pawl_task_input_json(struct pawl_task *task)
{
    if (task->input_json.size == 0) {
        struct bytes input = task->handout.input;
        json_write(input.size > 0 ? input : value_null, JSON_COMPACT, &task->input_json);
        buffer_append(&task->input_json, "", 1);
    }
    return task->input_json.is_failed ? NULL : (const char *)task->input_json.data;
}

const void *pawl_task_input_msgpack(const struct pawl_task *task, size_t *size_out)
{
    struct bytes input = task->handout.input.size > 0 ? task->handout.input : value_null;
    *size_out = input.size;
    return input.data;
}
