/* Starting a run: its id, what becomes of an earlier run of the same workflow id, and the first
 * tasks. */
#include "workflow/decide.h"
#include "workflow/find.h"

static const struct msg_start *start_of(const struct decide *decide)
{
    return &decide->command->start;
}

/* What a start names, with its defaults filled in. */
struct target {
    struct bytes namespace_name, workflow_id, version;
    struct id128 before;   /* the newest run of the id; none: there is none */
    uint8_t before_status; /* enum run_status */
    bool is_unnamed;       /* the request serves as workflow id, and nothing else names it */
};

static bool is_name(struct bytes text)
{
    return text.size <= NAME_BYTES_MAX && utf8_is_valid(text) &&
           (text.size == 0 || memchr(text.data, 0, text.size) == NULL);
}

static enum pawl_error start_check(struct decide *decide)
{
    const struct msg_start *start = start_of(decide);
    struct pawl_diag *diag = &decide->decision->diag;
    if (start->definition.size == 0)
        return diag_fail(diag, PAWL_E_INVALID, "the start names no definition");
    if (!is_name(start->definition) || !is_name(start->namespace_name) ||
        !is_name(start->version) || !is_name(start->workflow_id))
        return diag_fail(diag, PAWL_E_INVALID, "a name has at most %d bytes of text",
                         NAME_BYTES_MAX);
    if (start->on_conflict > ON_CONFLICT_TERMINATE || start->on_reuse > ON_REUSE_REJECT)
        return diag_fail(diag, PAWL_E_INVALID, "the start has an unknown policy");
    if (start->input.size > VALUE_BYTES_MAX)
        return diag_fail(diag, PAWL_E_LIMIT, "an input can have at most %zu bytes",
                         VALUE_BYTES_MAX);
    return PAWL_OK;
}

/* Without a workflow id the request's serves as one. */
static enum pawl_error workflow_id_default(struct decide *decide, struct bytes given,
                                           struct bytes *workflow_id_out)
{
    char text[37];
    *workflow_id_out = given;
    if (given.size > 0)
        return PAWL_OK;
    id128_format(decide->command->request, text);
    *workflow_id_out = arena_copy(decide->arena, bytes_of(text, 36));
    return workflow_id_out->data == NULL ? PAWL_E_NO_MEMORY : PAWL_OK;
}

/* All rows that a start reads are asked for before the first is missed, so that they are loaded
 * together. */
static enum pawl_error start_touch(struct decide *decide, const struct target *target)
{
    const struct msg_start *start = start_of(decide);
    struct bytes value;
    enum pawl_error errors[] = {
        changes_get(&decide->changes, TABLE_REQUEST,
                    key_run(decide->arena, decide->command->request), &value),
        changes_get(&decide->changes, TABLE_WORKFLOW,
                    key_name(decide->arena, target->namespace_name, target->workflow_id), &value),
        changes_get(&decide->changes, TABLE_LATEST,
                    key_name(decide->arena, target->namespace_name, start->definition), &value),
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i] != PAWL_OK && errors[i] != PAWL_E_NOT_FOUND)
            return errors[i];
    return PAWL_OK;
}

static enum pawl_error answer_make(struct decide *decide, struct id128 run,
                                   struct bytes workflow_id, bool is_existing)
{
    char text[37];
    id128_format(run, text);
    struct buffer *buffer = decide->scratch;
    size_t begin = buffer->size;
    pack_map(buffer, 3);
    pack_text(buffer, "run");
    pack_text(buffer, text);
    pack_text(buffer, "workflowId");
    pack_string(buffer, workflow_id);
    pack_text(buffer, "existing");
    pack_bool(buffer, is_existing);
    return wf_scratch_take(decide, begin, &decide->decision->answer);
}

/* Answer, and remember for the same request. */
static enum pawl_error answer_keep(struct decide *decide, struct id128 run,
                                   const struct target *target, bool is_existing)
{
    struct request_row request = {
        .run = run, .workflow_id = start_of(decide)->workflow_id, .is_existing = is_existing};
    if (target->is_unnamed)
        request.namespace_name = target->namespace_name;
    TRY(answer_make(decide, run, target->workflow_id, is_existing));
    return wf_request_keep(decide, &request);
}

static enum pawl_error answer_again(struct decide *decide, const struct request_row *request)
{
    struct bytes workflow_id;
    TRY(workflow_id_default(decide, request->workflow_id, &workflow_id));
    return answer_make(decide, request->run, workflow_id, request->is_existing);
}

static enum pawl_error exists_fail(struct decide *decide, const struct target *target,
                                   const char *why)
{
    char text[37];
    id128_format(target->before, text);
    TRY(answer_make(decide, target->before, target->workflow_id, true));
    return diag_fail(&decide->decision->diag, PAWL_E_EXISTS, "the workflow '%.*s' %s: run %s",
                     (int)target->workflow_id.size, (const char *)target->workflow_id.data, why,
                     text);
}

static enum pawl_error before_terminate(struct decide *decide, struct id128 id)
{
    struct run run;
    TRY(wf_run_load(decide, id, &run));
    TRY(wf_run_define(decide, &run));
    TRY(wf_run_close(decide, &run, RUN_TERMINATED, 0));
    return wf_run_finish(decide, &run);
}

/* The policies. is_answered_out: the start is answered with the run that is there. */
static enum pawl_error before_resolve(struct decide *decide, const struct target *target,
                                      bool *is_answered_out)
{
    const struct msg_start *start = start_of(decide);
    *is_answered_out = false;
    if (id128_is_none(target->before))
        return PAWL_OK;
    if (!run_status_is_open(target->before_status)) {
        if (start->on_reuse == ON_REUSE_REJECT)
            return exists_fail(decide, target, "was used before");
        if (start->on_reuse == ON_REUSE_ALLOW_IF_FAILED && target->before_status == RUN_COMPLETED)
            return exists_fail(decide, target, "has completed before");
        return PAWL_OK;
    }
    if (start->on_conflict == ON_CONFLICT_TERMINATE)
        return before_terminate(decide, target->before);
    if (start->on_conflict != ON_CONFLICT_USE_EXISTING)
        return exists_fail(decide, target, "is running already");
    *is_answered_out = true;
    TRY(answer_keep(decide, target->before, target, true));
    return wf_request_expire(decide, decide->command->request);
}

static enum pawl_error version_find(struct decide *decide, struct target *target)
{
    target->version = start_of(decide)->version;
    if (target->version.size > 0)
        return PAWL_OK;
    enum pawl_error error =
        changes_get(&decide->changes, TABLE_LATEST,
                    key_name(decide->arena, target->namespace_name, start_of(decide)->definition),
                    &target->version);
    if (error == PAWL_E_NOT_FOUND)
        return diag_fail(
            &decide->decision->diag, PAWL_E_NOT_FOUND,
            "there is no definition '%.*s' in namespace '%.*s'",
            (int)start_of(decide)->definition.size, (const char *)start_of(decide)->definition.data,
            (int)target->namespace_name.size, (const char *)target->namespace_name.data);
    return error;
}

static enum pawl_error target_find(struct decide *decide, struct target *target)
{
    *target = (struct target){.namespace_name = start_of(decide)->namespace_name};
    if (target->namespace_name.size == 0)
        target->namespace_name = BYTES_LITERAL("default");
    TRY(workflow_id_default(decide, start_of(decide)->workflow_id, &target->workflow_id));
    return start_touch(decide, target);
}

static enum pawl_error before_find(struct decide *decide, struct target *target)
{
    struct ending before;
    struct id128 run;
    bool is_given = start_of(decide)->workflow_id.size > 0; /* else the request is a new one */
    enum pawl_error error = (is_given ? find_workflow : find_named)(
        &decide->changes, target->namespace_name, target->workflow_id, &run);
    target->is_unnamed = error == PAWL_E_NOT_FOUND && !is_given;
    if (error == PAWL_E_NOT_FOUND)
        return PAWL_OK;
    TRY(error);
    TRY(find_ending(&decide->changes, run, &before));
    target->before = run;
    target->before_status = before.status;
    return PAWL_OK;
}

/* A UUID of version 7 (RFC 9562): milliseconds, 12 bits of the microseconds, then random bits. */
static struct id128 run_id_make(struct decide *decide)
{
    struct id128 id;
    uint64_t now_us = decide->context->now_us;
    uint64_t fraction = now_us % 1000 * 4096 / 1000;
    be64_put(id.byte, now_us / 1000 << 16 | 0x7000 | fraction);
    be64_put(id.byte + 8, wf_random(decide) >> 2 | (uint64_t)2 << 62);
    return id;
}

static enum pawl_error run_make(struct decide *decide, const struct target *target, struct run *run)
{
    *run = (struct run){.id = run_id_make(decide)};
    run->row = (struct instance){
        .status = RUN_RUNNING,
        .namespace_name = target->namespace_name,
        .workflow_id = target->workflow_id,
        .definition = start_of(decide)->definition,
        .version = target->version,
        .request = decide->command->request,
        .started_us = decide->context->now_us,
        .is_unnamed = target->is_unnamed,
    };
    TRY(wf_run_begin(decide, run));
    enum pawl_error error = wf_run_define(decide, run);
    if (error == PAWL_E_NOT_FOUND)
        return diag_fail(&decide->decision->diag, PAWL_E_NOT_FOUND,
                         "the definition '%.*s' has no version '%.*s'",
                         (int)run->row.definition.size, (const char *)run->row.definition.data,
                         (int)target->version.size, (const char *)target->version.data);
    return error;
}

/* The workflow id names the run from now on. */
static enum pawl_error run_name(struct decide *decide, const struct target *target,
                                const struct run *run)
{
    struct workflow_row row = {.run = run->id};
    if (target->is_unnamed) /* the request's row does it */
        return PAWL_OK;
    return changes_put_row(&decide->changes, TABLE_WORKFLOW,
                           key_name(decide->arena, target->namespace_name, target->workflow_id),
                           &schema_workflow_row, &row, id128_is_none(target->before));
}

static enum pawl_error run_begin(struct decide *decide, struct run *run)
{
    struct bytes input = start_of(decide)->input.size > 0 ? start_of(decide)->input : value_null;
    TRY(wf_value_receive(decide, run, input, &run->row.input));
    struct journal_event event = {
        .kind = EV_WORKFLOW_STARTED, .value_number = run->row.input, .value = input};
    TRY(wf_journal(decide, run, &event));
    run->move = (struct move){.kind = MOVE_ENTER, .task = 0, .value = run->row.input};
    TRY(wf_advance(decide, run));
    return wf_run_finish(decide, run);
}

enum pawl_error wf_start(struct decide *decide)
{
    struct target target;
    struct request_row request;
    struct run run;
    bool is_answered;
    TRY(start_check(decide));
    TRY(target_find(decide, &target));
    TRY(wf_request_find(decide, &request, &is_answered));
    if (is_answered)
        return answer_again(decide, &request);
    TRY(before_find(decide, &target));
    TRY(before_resolve(decide, &target, &is_answered));
    if (is_answered)
        return PAWL_OK;
    TRY(version_find(decide, &target));
    TRY(run_make(decide, &target, &run));
    TRY(answer_keep(decide, run.id, &target, false));
    TRY(run_name(decide, &target, &run));
    return run_begin(decide, &run);
}
