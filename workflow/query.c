/* Reads over a view: which run is meant, and which answer is wanted. */
#include "workflow/query.h"

#include "workflow/cache.h"
#include "workflow/find.h"
#include "workflow/problem.h"
#include "workflow/time.h"

const char *query_status(const struct instance *row)
{
    switch ((enum run_status)row->status) {
    case RUN_RUNNING:
        break;
    case RUN_COMPLETED:
        return "completed";
    case RUN_FAULTED:
        return "faulted";
    case RUN_TERMINATED:
        return "terminated";
    case RUN_PAUSED:
        return "paused";
    }
    const struct token *token = row->tokens.elements;
    bool is_waiting =
        row->tokens.count > 0 && (token->state == TOKEN_WAIT || token->state == TOKEN_RETRY);
    return is_waiting ? "waiting" : "running";
}

void query_id_pack(struct buffer *out, const char *key, struct id128 id)
{
    char text[37];
    id128_format(id, text);
    pack_text(out, key);
    pack_text(out, text);
}

void query_text_pack(struct buffer *out, const char *key, struct bytes text)
{
    pack_text(out, key);
    pack_string(out, text);
}

void query_head_pack(struct buffer *out, const struct query_run *run)
{
    query_text_pack(out, "namespace", run->row.namespace_name);
    query_text_pack(out, "workflowId", run->row.workflow_id);
    query_id_pack(out, "run", run->id);
    query_text_pack(out, "definition", run->row.definition);
    query_text_pack(out, "version", run->row.version);
    pack_text(out, "status");
    pack_text(out, query_status(&run->row));
    pack_text(out, "startedAt");
    time_pack(run->row.started_us, out);
    pack_text(out, "endedAt");
    if (run->row.ended_us != 0)
        time_pack(run->row.ended_us, out);
    else
        pack_null(out);
}

enum pawl_error query_answer_take(struct query *query, size_t begin, struct bytes *answer_out)
{
    if (query->scratch->is_failed)
        return PAWL_E_NO_MEMORY;
    struct bytes packed = bytes_of(query->scratch->data + begin, query->scratch->size - begin);
    struct bytes answer = arena_copy(query->arena, packed);
    query->scratch->size = begin;
    if (answer.data == NULL)
        return PAWL_E_NO_MEMORY;
    *answer_out = answer;
    return PAWL_OK;
}

static enum pawl_error newest_run(struct query *query, const struct msg_target *target,
                                  struct id128 *id_out)
{
    struct bytes namespace_name = target->namespace_name;
    if (namespace_name.size == 0)
        namespace_name = BYTES_LITERAL("default");
    if (target->workflow_id.size == 0)
        return diag_fail(query->diag, PAWL_E_INVALID, "neither a run nor a workflow id is given");
    if (target->workflow_id.size > NAME_BYTES_MAX || namespace_name.size > NAME_BYTES_MAX)
        return diag_fail(query->diag, PAWL_E_INVALID, "a name has at most %d bytes",
                         NAME_BYTES_MAX);
    return find_workflow(&query->rows, namespace_name, target->workflow_id, id_out);
}

static enum pawl_error run_name(struct query *query, const struct msg_target *target,
                                struct id128 *id_out)
{
    *id_out = target->run;
    return id128_is_none(target->run) ? newest_run(query, target, id_out) : PAWL_OK;
}

enum pawl_error query_value(struct query *query, struct id128 run, const struct list *values,
                            uint32_t number, struct bytes *value_out)
{
    if (number == 0) {
        *value_out = value_null;
        return PAWL_OK;
    }
    struct bytes value = inlined_value(values, number);
    if (value.size == 0)
        TRY(changes_get(&query->rows, TABLE_VALUE, key_run_number(query->arena, run, number),
                        &value));
    *value_out = arena_copy(query->arena, value);
    return value_out->data == NULL ? PAWL_E_NO_MEMORY : PAWL_OK;
}

static enum pawl_error terminated_answer(struct query *query, struct bytes *answer_out)
{
    struct problem problem = {.type = BYTES_LITERAL("https://pawl.dev/errors/terminated"),
                              .status = 499,
                              .title = BYTES_LITERAL("Terminated"),
                              .detail = BYTES_LITERAL("the run was terminated")};
    size_t begin = query->scratch->size;
    problem_pack(&problem, query->scratch);
    TRY(query_answer_take(query, begin, answer_out));
    return diag_fail(query->diag, PAWL_E_WORKFLOW_FAILED, "the run was terminated");
}

static enum pawl_error fault_tell(struct query *query, struct bytes fault)
{
    struct bytes detail = value_map_string(fault, BYTES_LITERAL("detail"));
    if (detail.size == 0)
        detail = value_map_string(fault, BYTES_LITERAL("title"));
    if (detail.size == 0)
        detail = value_map_string(fault, BYTES_LITERAL("type"));
    return diag_fail(query->diag, PAWL_E_WORKFLOW_FAILED, "%s: %.*s",
                     pawl_error_text(PAWL_E_WORKFLOW_FAILED), (int)detail.size,
                     detail.size > 0 ? (const char *)detail.data : "");
}

static enum pawl_error query_result(struct query *query, struct id128 run,
                                    const struct ending *ending, struct bytes *answer_out)
{
    switch ((enum run_status)ending->status) {
    case RUN_RUNNING:
    case RUN_PAUSED:
        return diag_fail(query->diag, PAWL_E_NOT_READY, "the run has not ended");
    case RUN_TERMINATED:
        return terminated_answer(query, answer_out);
    case RUN_COMPLETED:
        return query_value(query, run, &ending->values, ending->result, answer_out);
    case RUN_FAULTED:
        break;
    }
    TRY(query_value(query, run, &ending->values, ending->result, answer_out));
    return fault_tell(query, *answer_out);
}

static enum pawl_error run_sought(struct query *query, enum pawl_error error)
{
    if (error == PAWL_E_NOT_FOUND)
        return diag_fail(query->diag, error, "there is no such workflow");
    return error;
}

static enum pawl_error target_query(struct query *query, enum request_kind kind, struct bytes body,
                                    struct bytes *answer_out, struct id128 *run_out)
{
    struct msg_target target;
    struct query_run run;
    struct ending ending;
    TRY(codec_decode(&schema_target, body, query->arena, &target, query->diag));
    TRY(run_sought(query, run_name(query, &target, &run.id)));
    TRY(run_sought(query, kind == REQUEST_RESULT ? find_ending(&query->rows, run.id, &ending)
                                                 : find_instance(&query->rows, run.id, &run.row)));
    if (run_out != NULL)
        *run_out = run.id;
    if (kind == REQUEST_RESULT)
        return query_result(query, run.id, &ending, answer_out);
    if (kind == REQUEST_SHOW)
        return query_show(query, &run, answer_out);
    return query_history(query, &run, answer_out);
}

static enum pawl_error list_query(struct query *query, enum request_kind kind, struct bytes body,
                                  struct bytes *answer_out)
{
    struct msg_list list;
    TRY(codec_decode(&schema_list, body, query->arena, &list, query->diag));
    if (kind == REQUEST_LIST)
        return query_list(query, &list, answer_out);
    return query_definition_list(query, &list, answer_out);
}

enum pawl_error wf_query(struct engine *engine, const struct view *view, enum request_kind kind,
                         struct bytes body, struct arena *arena, struct bytes *answer_out,
                         struct id128 *run_out, struct pawl_diag *diag)
{
    struct buffer *scratch = engine_scratch(engine);
    struct query query = {.engine = engine,
                          .rows = {.view = view, .arena = arena},
                          .arena = arena,
                          .scratch = scratch,
                          .diag = diag};
    struct msg_definition wanted;
    switch (kind) {
    case REQUEST_SHOW:
    case REQUEST_HISTORY:
    case REQUEST_RESULT:
        return target_query(&query, kind, body, answer_out, run_out);
    case REQUEST_LIST:
    case REQUEST_DEFINITION_LIST:
        return list_query(&query, kind, body, answer_out);
    case REQUEST_DEFINITION_SHOW:
        TRY(codec_decode(&schema_definition, body, arena, &wanted, diag));
        return query_definition_show(&query, &wanted, answer_out);
    case REQUEST_START:
    case REQUEST_REPORT:
    case REQUEST_DEPLOY:
    case REQUEST_STATUS:
    case REQUEST_INIT:
        break;
    }
    return diag_fail(diag, PAWL_E_INVALID, "the engine does not answer this kind of request");
}
