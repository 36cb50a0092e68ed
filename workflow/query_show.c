/* One run in full. */
#include "workflow/query.h"

#include "workflow/decide.h"
#include "workflow/time.h"

enum { SHOWN_MAX = 200 }; /* the newest steps, and of what else a run has many */
/* Past this, compensations are shown without what they will be called with. */
#define SHOWN_BYTES_MAX (FRAME_BYTES_MAX / 2)

static const char *step_state_name(uint8_t state)
{
    switch ((enum step_state)state) {
    case STEP_READY:
        return "ready";
    case STEP_OUT:
        return "out";
    case STEP_COMPLETED:
        return "completed";
    case STEP_FAILED:
        return "failed";
    case STEP_ABANDONED:
        return "abandoned";
    }
    return "unknown";
}

static void fence_pack(struct buffer *out, const struct msg_fence *fence)
{
    pack_text(out, "fence");
    pack_map(out, 4);
    pack_text(out, "partition");
    pack_unsigned(out, fence->partition);
    pack_text(out, "term");
    pack_unsigned(out, fence->term);
    pack_text(out, "index");
    pack_unsigned(out, fence->index);
    pack_text(out, "ordinal");
    pack_unsigned(out, fence->ordinal);
}

static void step_pack(struct buffer *out, uint32_t number, const struct step_row *step)
{
    pack_map(out, step_was_out(step) ? 8 : 6);
    pack_text(out, "step");
    pack_unsigned(out, number);
    query_text_pack(out, "type", step->type);
    query_text_pack(out, "task", step->pointer);
    pack_text(out, "state");
    pack_text(out, step_state_name(step->state));
    pack_text(out, "attempt");
    pack_unsigned(out, step->attempt);
    pack_text(out, "undo");
    pack_bool(out, step->is_undo);
    if (!step_was_out(step))
        return;
    query_id_pack(out, "session", step->session);
    fence_pack(out, &step->fence);
}

/* The rows of a run numbered from first on, at most SHOWN_MAX. */
static enum pawl_error rows_of(struct query *query, enum row_table table,
                               const struct query_run *run, uint32_t first, struct row **rows_out,
                               size_t *count_out)
{
    struct row *rows = arena_array(query->arena, SHOWN_MAX, sizeof *rows);
    struct bytes begin = key_run_number(query->arena, run->id, first);
    struct bytes end = key_end(query->arena, key_run(query->arena, run->id));
    if (rows == NULL || begin.data == NULL || end.data == NULL)
        return PAWL_E_NO_MEMORY;
    const struct view *view = query->rows.view;
    TRY(view->scan(view->self, table, begin, end, SHOWN_MAX, rows, count_out));
    *rows_out = rows;
    return PAWL_OK;
}

/* What the row of a step that has ended leaves out. */
static enum pawl_error step_name(const struct definition *definition, struct step_row *step)
{
    if (step->task >= definition->task_count)
        return PAWL_E_CORRUPT;
    const struct task *task = definition->tasks[step->task];
    if (step->is_undo && task->compensation == NULL)
        return PAWL_E_CORRUPT;
    step->pointer = task->pointer;
    step->type = step->is_undo ? task->compensation->type : task->call_type;
    return PAWL_OK;
}

/* Numbered from `first` on: the steps that have ended have rows, the one that is awaited is in the
 * header. */
static enum pawl_error steps_pack(struct query *query, const struct query_run *run,
                                  const struct definition *definition)
{
    struct row *rows;
    size_t count, place = 0;
    const uint32_t last = run->row.step_last;
    const uint32_t first = last > SHOWN_MAX ? last - SHOWN_MAX + 1 : 1;
    TRY(rows_of(query, TABLE_STEP, run, first, &rows, &count));
    pack_text(query->scratch, "steps");
    pack_array(query->scratch, last - first + 1);
    for (uint32_t number = first; number <= last; number++) {
        const struct step_row *awaited = awaited_step(&run->row, number);
        const bool has_row = place < count && be32_get(rows[place].key.data + 16) == number;
        struct step_row step;
        if (!has_row && awaited == NULL)
            return PAWL_E_CORRUPT;
        if (has_row) {
            TRY(codec_decode(&schema_step_row, rows[place++].value, query->arena, &step,
                             query->diag));
            TRY(step_name(definition, &step));
        }
        step_pack(query->scratch, number, awaited != NULL ? awaited : &step);
    }
    return PAWL_OK;
}

static enum pawl_error undos_pack(struct query *query, const struct query_run *run)
{
    struct row *rows;
    size_t count;
    struct buffer *out = query->scratch;
    TRY(rows_of(query, TABLE_COMPENSATION, run, 0, &rows, &count));
    pack_text(out, "compensations");
    pack_array(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        struct undo_row undo;
        TRY(codec_decode(&schema_undo_row, rows[i].value, query->arena, &undo, query->diag));
        const bool has_room = out->size + undo.arguments.size <= SHOWN_BYTES_MAX;
        pack_map(out, has_room ? 4 : 3);
        query_text_pack(out, "task", undo.pointer);
        query_text_pack(out, "type", undo.type);
        if (has_room) {
            pack_text(out, "input");
            pack_value(out, undo.arguments);
        }
        pack_text(out, "capturedAt");
        time_pack(undo.captured_us, out);
    }
    return PAWL_OK;
}

static enum pawl_error incidents_pack(struct query *query, const struct query_run *run)
{
    struct row *rows;
    size_t count;
    struct buffer *out = query->scratch;
    TRY(rows_of(query, TABLE_INCIDENT, run, 0, &rows, &count));
    pack_text(out, "incidents");
    pack_array(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        struct incident_row incident;
        TRY(codec_decode(&schema_incident_row, rows[i].value, query->arena, &incident,
                         query->diag));
        pack_map(out, 4);
        query_text_pack(out, "kind", incident.kind);
        query_text_pack(out, "task", incident.pointer);
        query_text_pack(out, "detail", incident.detail);
        pack_text(out, "raisedAt");
        time_pack(incident.raised_us, out);
    }
    return PAWL_OK;
}

/* The pointer of the innermost task; "" when the run has ended. */
static enum pawl_error position_find(const struct query_run *run,
                                     const struct definition *definition, struct bytes *pointer_out)
{
    *pointer_out = bytes_of(NULL, 0);
    if (run->row.tokens.count == 0)
        return PAWL_OK;
    const struct token *token = run->row.tokens.elements;
    const struct frame *frames = token->frames.elements;
    uint32_t task = token->task;
    if (task == 0 && token->frames.count > 0)
        task = frames[token->frames.count - 1].task;
    if (task >= definition->task_count)
        return PAWL_E_CORRUPT;
    *pointer_out = definition->tasks[task]->pointer;
    return PAWL_OK;
}

static enum pawl_error show_pack(struct query *query, const struct query_run *run)
{
    struct bytes position, input, result;
    struct buffer *out = query->scratch;
    const struct definition *definition;
    TRY(wf_definition_get(query->engine, &query->rows, &run->row, &definition, query->diag));
    TRY(position_find(run, definition, &position));
    TRY(query_value(query, run->id, &run->row.values, run->row.input, &input));
    TRY(query_value(query, run->id, &run->row.values, run->row.result, &result));
    pack_map(out, 14);
    query_head_pack(out, run);
    query_text_pack(out, "position", position);
    pack_text(out, "input");
    pack_value(out, input);
    pack_text(out, run->row.status == RUN_COMPLETED ? "output" : "fault");
    pack_value(out, result);
    TRY(steps_pack(query, run, definition));
    TRY(undos_pack(query, run));
    return incidents_pack(query, run);
}

enum pawl_error query_show(struct query *query, const struct query_run *run,
                           struct bytes *answer_out)
{
    size_t begin = query->scratch->size;
    TRY(show_pack(query, run));
    return query_answer_take(query, begin, answer_out);
}
