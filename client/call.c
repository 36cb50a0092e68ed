/* The calls: arguments become the message of a request, and somebody waits for its answer. */
#include <stdlib.h>

#include "client/handle.h"
#include "proto/json.h"
#include "proto/limits.h"

struct user_call {
    struct call call;
    pawl_answered answered;
    void *user;
};

/* What a caller wants sent. */
struct question {
    enum request_kind kind;
    const struct schema *schema; /* NULL: no body */
    const void *message;
    const char *request_id; /* text; NULL: drawn */
    uint32_t timeout_ms;
};

static void user_call_free(struct user_call *call)
{
    buffer_done(&call->call.body);
    free(call);
}

static void user_answered(struct pawl *pawl, struct call *call, struct pawl_answer *answer)
{
    (void)pawl;
    struct user_call *mine = (struct user_call *)call;
    if (mine->answered != NULL)
        mine->answered(answer, mine->user);
    user_call_free(mine);
}

static enum pawl_error request_id(const struct question *question, struct id128 *id_out,
                                  struct pawl_diag *diag)
{
    if (question->request_id == NULL)
        return PAWL_OK;
    if (!id128_parse(bytes_string(question->request_id), id_out) || id128_is_none(*id_out))
        return diag_fail(diag, PAWL_E_INVALID, "\"%s\" is no request id: a UUID is one",
                         question->request_id);
    return PAWL_OK;
}

static enum pawl_error user_call_fill(struct user_call *call, const struct question *question,
                                      struct pawl_diag *diag)
{
    TRY(request_id(question, &call->call.request.request, diag));
    if (question->schema != NULL)
        codec_encode(question->schema, question->message, &call->call.body);
    if (call->call.body.is_failed)
        return diag_fail(diag, PAWL_E_LIMIT, "an argument is longer than its limit");
    return PAWL_OK;
}

static enum pawl_error ask(struct pawl *pawl, const struct question *question,
                           pawl_answered answered, void *user, struct pawl_diag *diag)
{
    if (handle_enter(pawl) != PAWL_OK)
        return diag_fail(diag, PAWL_E_CLOSED, "the handle belongs to the parent process");
    struct user_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for a call");
    call->call.submission.run = call_run;
    call->call.answered = user_answered;
    call->call.request.kind = question->kind;
    call->call.timeout_ms = question->timeout_ms;
    call->answered = answered;
    call->user = user;
    enum pawl_error error = user_call_fill(call, question, diag);
    if (error == PAWL_OK && !handle_submit(pawl, &call->call.submission))
        error = diag_fail(diag, PAWL_E_CLOSED, "the handle is closing");
    if (error != PAWL_OK)
        user_call_free(call);
    return error;
}

/* Waiting */

struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_answered;
    bool wants_answer;
    enum pawl_error error;
    struct pawl_answer *answer;
    struct pawl_diag *diag;
};

static void waiter_answered(struct pawl_answer *answer, void *user)
{
    struct waiter *waiter = user;
    pthread_mutex_lock(&waiter->mutex);
    waiter->error = pawl_answer_error(answer);
    if (waiter->error != PAWL_OK)
        (void)diag_fail(waiter->diag, waiter->error, "%s", pawl_answer_detail(answer));
    if (waiter->wants_answer)
        waiter->answer = answer_keep(answer);
    waiter->is_answered = true;
    pthread_cond_signal(&waiter->changed);
    pthread_mutex_unlock(&waiter->mutex);
}

static enum pawl_error ask_and_wait(struct pawl *pawl, const struct question *question,
                                    struct pawl_answer **answer_out, struct pawl_diag *diag)
{
    struct waiter waiter = {.wants_answer = answer_out != NULL, .diag = diag};
    if (answer_out != NULL)
        *answer_out = NULL;
    if (handle_enter(pawl) == PAWL_OK && handle_is_own_thread(pawl))
        return diag_fail(diag, PAWL_E_INVALID, "a call that waits cannot be made in a callback");
    pthread_mutex_init(&waiter.mutex, NULL);
    pthread_cond_init(&waiter.changed, NULL);
    enum pawl_error error = ask(pawl, question, waiter_answered, &waiter, diag);
    if (error == PAWL_OK) {
        pthread_mutex_lock(&waiter.mutex);
        while (!waiter.is_answered)
            pthread_cond_wait(&waiter.changed, &waiter.mutex);
        pthread_mutex_unlock(&waiter.mutex);
        error = waiter.error;
        if (error == PAWL_OK && answer_out != NULL && waiter.answer == NULL)
            error = diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for the answer");
        if (answer_out != NULL)
            *answer_out = waiter.answer;
    }
    pthread_cond_destroy(&waiter.changed);
    pthread_mutex_destroy(&waiter.mutex);
    return error;
}

/* Either of the two ways. */
struct way {
    bool is_async;
    pawl_answered answered;
    void *user;
    struct pawl_answer **answer_out;
};

static enum pawl_error ask_by(struct pawl *pawl, const struct question *question, struct way way,
                              struct pawl_diag *diag)
{
    if (way.is_async)
        return ask(pawl, question, way.answered, way.user, diag);
    return ask_and_wait(pawl, question, way.answer_out, diag);
}

static struct way async_way(pawl_answered answered, void *user)
{
    return (struct way){.is_async = true, .answered = answered, .user = user};
}

static struct way waiting_way(struct pawl_answer **answer_out)
{
    return (struct way){.answer_out = answer_out};
}

static uint32_t timeout_or(const struct pawl *pawl, uint32_t timeout_ms)
{
    return timeout_ms != 0 ? timeout_ms : pawl->timeout_ms;
}

static struct bytes namespace_of(const struct pawl *pawl)
{
    return bytes_string(pawl->namespace_name);
}

static enum pawl_error size_check(size_t given, size_t needed, struct pawl_diag *diag)
{
    if (given < needed)
        return diag_fail(diag, PAWL_E_INVALID, "the size of the options is not set");
    return PAWL_OK;
}

/* start */

static enum pawl_error input_read(const struct pawl_start *start, struct buffer *input,
                                  struct pawl_diag *diag)
{
    if (start->input_json != NULL)
        return json_read(bytes_string(start->input_json), NULL, input, diag);
    if (start->input_msgpack == NULL)
        return PAWL_OK;
    struct bytes given = bytes_of(start->input_msgpack, start->input_msgpack_bytes);
    TRY(value_check(given, NULL, diag));
    buffer_append(input, given.data, given.size);
    return input->is_failed ? diag_fail(diag, PAWL_E_NO_MEMORY, "no memory for the input")
                            : PAWL_OK;
}

static enum pawl_error start_by(struct pawl *pawl, const struct pawl_start *start, struct way way,
                                struct pawl_diag *diag)
{
    struct buffer input = {0};
    TRY(size_check(start->size, sizeof *start, diag));
    enum pawl_error error = input_read(start, &input, diag);
    if (error == PAWL_OK) {
        const struct msg_start message = {
            .namespace_name = namespace_of(pawl),
            .definition = bytes_string(start->definition),
            .version = bytes_string(start->version),
            .workflow_id = bytes_string(start->workflow_id),
            .input = buffer_bytes(&input),
            .on_conflict = (uint8_t)start->on_conflict,
            .on_reuse = (uint8_t)start->on_reuse,
        };
        const struct question question = {.kind = REQUEST_START,
                                          .schema = &schema_start,
                                          .message = &message,
                                          .request_id = start->request_id,
                                          .timeout_ms = timeout_or(pawl, start->timeout_ms)};
        error = ask_by(pawl, &question, way, diag);
    }
    buffer_done(&input);
    return error;
}

enum pawl_error pawl_start(struct pawl *pawl, const struct pawl_start *start,
                           struct pawl_answer **answer_out, struct pawl_diag *diag)
{
    if (answer_out != NULL)
        *answer_out = NULL;
    return start_by(pawl, start, waiting_way(answer_out), diag);
}

enum pawl_error pawl_start_async(struct pawl *pawl, const struct pawl_start *start,
                                 pawl_answered answered, void *user, struct pawl_diag *diag)
{
    return start_by(pawl, start, async_way(answered, user), diag);
}

/* show, history, result */

static enum pawl_error target_by(struct pawl *pawl, enum request_kind kind,
                                 const struct pawl_target *target, struct way way,
                                 struct pawl_diag *diag)
{
    struct msg_target message = {.namespace_name = namespace_of(pawl)};
    if (way.answer_out != NULL)
        *way.answer_out = NULL;
    TRY(size_check(target->size, sizeof *target, diag));
    message.workflow_id = bytes_string(target->workflow_id);
    if (target->run != NULL && !id128_parse(bytes_string(target->run), &message.run))
        return diag_fail(diag, PAWL_E_INVALID, "\"%s\" is no run: a UUID is one", target->run);
    if (message.workflow_id.size == 0 && id128_is_none(message.run))
        return diag_fail(diag, PAWL_E_INVALID, "neither a workflow id nor a run is given");
    const struct question question = {.kind = kind,
                                      .schema = &schema_target,
                                      .message = &message,
                                      .timeout_ms = kind == REQUEST_RESULT
                                                        ? target->timeout_ms
                                                        : timeout_or(pawl, target->timeout_ms)};
    return ask_by(pawl, &question, way, diag);
}

enum pawl_error pawl_show(struct pawl *pawl, const struct pawl_target *target,
                          struct pawl_answer **answer_out, struct pawl_diag *diag)
{
    return target_by(pawl, REQUEST_SHOW, target, waiting_way(answer_out), diag);
}

enum pawl_error pawl_show_async(struct pawl *pawl, const struct pawl_target *target,
                                pawl_answered answered, void *user, struct pawl_diag *diag)
{
    return target_by(pawl, REQUEST_SHOW, target, async_way(answered, user), diag);
}

enum pawl_error pawl_history(struct pawl *pawl, const struct pawl_target *target,
                             struct pawl_answer **answer_out, struct pawl_diag *diag)
{
    return target_by(pawl, REQUEST_HISTORY, target, waiting_way(answer_out), diag);
}

enum pawl_error pawl_history_async(struct pawl *pawl, const struct pawl_target *target,
                                   pawl_answered answered, void *user, struct pawl_diag *diag)
{
    return target_by(pawl, REQUEST_HISTORY, target, async_way(answered, user), diag);
}

enum pawl_error pawl_result(struct pawl *pawl, const struct pawl_target *target,
                            struct pawl_answer **answer_out, struct pawl_diag *diag)
{
    return target_by(pawl, REQUEST_RESULT, target, waiting_way(answer_out), diag);
}

enum pawl_error pawl_result_async(struct pawl *pawl, const struct pawl_target *target,
                                  pawl_answered answered, void *user, struct pawl_diag *diag)
{
    return target_by(pawl, REQUEST_RESULT, target, async_way(answered, user), diag);
}

/* list */

static enum pawl_error list_by(struct pawl *pawl, enum request_kind kind,
                               const struct pawl_list *given, struct way way,
                               struct pawl_diag *diag)
{
    struct pawl_list list = {.size = sizeof list};
    if (way.answer_out != NULL)
        *way.answer_out = NULL;
    if (given != NULL) {
        TRY(size_check(given->size, sizeof list, diag));
        list = *given;
    }
    const struct msg_list message = {
        .namespace_name = namespace_of(pawl),
        .definition = bytes_string(list.definition),
        .status = bytes_string(list.status),
        .limit = list.limit,
        .after = bytes_of(list.after, list.after_bytes),
    };
    const struct question question = {.kind = kind,
                                      .schema = &schema_list,
                                      .message = &message,
                                      .timeout_ms = timeout_or(pawl, list.timeout_ms)};
    return ask_by(pawl, &question, way, diag);
}

enum pawl_error pawl_list(struct pawl *pawl, const struct pawl_list *list,
                          struct pawl_answer **answer_out, struct pawl_diag *diag)
{
    return list_by(pawl, REQUEST_LIST, list, waiting_way(answer_out), diag);
}

enum pawl_error pawl_list_async(struct pawl *pawl, const struct pawl_list *list,
                                pawl_answered answered, void *user, struct pawl_diag *diag)
{
    return list_by(pawl, REQUEST_LIST, list, async_way(answered, user), diag);
}

enum pawl_error pawl_definition_list(struct pawl *pawl, const struct pawl_list *list,
                                     struct pawl_answer **answer_out, struct pawl_diag *diag)
{
    return list_by(pawl, REQUEST_DEFINITION_LIST, list, waiting_way(answer_out), diag);
}

/* The rest */

enum pawl_error pawl_definition_show(struct pawl *pawl, const char *name, const char *version,
                                     struct pawl_answer **answer_out, struct pawl_diag *diag)
{
    const struct msg_definition message = {.namespace_name = namespace_of(pawl),
                                           .name = bytes_string(name),
                                           .version = bytes_string(version)};
    const struct question question = {.kind = REQUEST_DEFINITION_SHOW,
                                      .schema = &schema_definition,
                                      .message = &message,
                                      .timeout_ms = pawl->timeout_ms};
    return ask_and_wait(pawl, &question, answer_out, diag);
}

enum pawl_error pawl_deploy(struct pawl *pawl, const char *source, struct pawl_answer **answer_out,
                            struct pawl_diag *diag)
{
    const struct msg_deploy message = {.source = bytes_string(source)};
    const struct question question = {.kind = REQUEST_DEPLOY,
                                      .schema = &schema_deploy,
                                      .message = &message,
                                      .timeout_ms = pawl->timeout_ms};
    return ask_and_wait(pawl, &question, answer_out, diag);
}

enum pawl_error pawl_status(struct pawl *pawl, struct pawl_answer **answer_out,
                            struct pawl_diag *diag)
{
    const struct question question = {.kind = REQUEST_STATUS, .timeout_ms = pawl->timeout_ms};
    return ask_and_wait(pawl, &question, answer_out, diag);
}

enum pawl_error pawl_init(struct pawl *pawl, const char *const *peers, size_t peer_count,
                          struct pawl_answer **answer_out, struct pawl_diag *diag)
{
    struct bytes views[MEMBERS_MAX];
    if (answer_out != NULL)
        *answer_out = NULL;
    if (peer_count == 0 || peer_count > MEMBERS_MAX)
        return diag_fail(diag, PAWL_E_LIMIT, "a cluster has 1 to %d nodes", MEMBERS_MAX);
    for (size_t i = 0; i < peer_count; i++)
        views[i] = bytes_string(peers[i]);
    const struct msg_init message = {.peers = {.elements = views, .count = peer_count}};
    const struct question question = {.kind = REQUEST_INIT,
                                      .schema = &schema_init,
                                      .message = &message,
                                      .timeout_ms = pawl->timeout_ms};
    return ask_and_wait(pawl, &question, answer_out, diag);
}
