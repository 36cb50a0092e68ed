/* Evaluating expressions and templates for a run: variables, fuel, and failures as faults. */
#include "workflow/decide.h"

#include "proto/json.h"
#include "workflow/duration.h"
#include "workflow/time.h"

enum { SLOTS_MAX = 64 };

static enum pawl_error task_variable(struct decide *decide, struct run *run,
                                     const struct place *place, struct bytes *out)
{
    const struct task *task = wf_run_task(run, place->frame);
    struct bytes input;
    TRY(wf_value_get(decide, run, place->frame->raw_input, &input));
    struct buffer *buffer = decide->scratch;
    size_t begin = buffer->size;
    pack_map(buffer, place->output.size > 0 ? 6 : 5);
    pack_text(buffer, "name");
    pack_string(buffer, task->name);
    pack_text(buffer, "reference");
    pack_string(buffer, task->pointer);
    pack_text(buffer, "definition");
    pack_value(buffer, task->source);
    pack_text(buffer, "input");
    pack_value(buffer, input);
    pack_text(buffer, "startedAt");
    time_descriptor_pack(place->frame->started_us, buffer);
    if (place->output.size > 0) {
        pack_text(buffer, "output");
        pack_value(buffer, place->output);
    }
    return wf_scratch_take(decide, begin, out);
}

static enum pawl_error workflow_variable(struct decide *decide, struct run *run, struct bytes *out)
{
    char id[37];
    struct bytes input;
    *out = run->workflow_variable;
    if (out->size > 0)
        return PAWL_OK;
    id128_format(run->id, id);
    TRY(wf_value_get(decide, run, run->row.input, &input));
    struct buffer *buffer = decide->scratch;
    size_t begin = buffer->size;
    pack_map(buffer, 5);
    pack_text(buffer, "id");
    pack_text(buffer, id);
    pack_text(buffer, "workflowId");
    pack_string(buffer, run->row.workflow_id);
    pack_text(buffer, "definition");
    pack_value(buffer, run->definition->value);
    pack_text(buffer, "input");
    pack_value(buffer, input);
    pack_text(buffer, "startedAt");
    time_descriptor_pack(run->row.started_us, buffer);
    TRY(wf_scratch_take(decide, begin, &run->workflow_variable));
    *out = run->workflow_variable;
    return PAWL_OK;
}

static enum pawl_error runtime_variable(struct decide *decide, struct bytes *out)
{
    struct buffer *buffer = decide->scratch;
    size_t begin = buffer->size;
    pack_map(buffer, 3);
    pack_text(buffer, "name");
    pack_text(buffer, "pawl");
    pack_text(buffer, "version");
    pack_text(buffer, PAWL_VERSION);
    pack_text(buffer, "metadata");
    pack_map(buffer, 0);
    return wf_scratch_take(decide, begin, out);
}

/* The errors of the catches that run now, outermost first, and the one being looked at. */
static enum pawl_error error_variable(struct decide *decide, struct run *run,
                                      const struct place *place, uint32_t slot, struct bytes *out)
{
    if (slot == place->error_slot) {
        *out = place->error;
        return PAWL_OK;
    }
    for (uint32_t i = 0; i < run->frame_count; i++) {
        const struct frame *frame = &run->frames[i];
        const struct catch_spec *spec = wf_run_task(run, frame)->catch_spec;
        if (spec != NULL && spec->error_slot == slot && frame->phase == PHASE_CATCH)
            return wf_value_get(decide, run, frame->error, out);
    }
    *out = value_null;
    return PAWL_OK;
}

static enum pawl_error variable_get(struct decide *decide, struct run *run,
                                    const struct place *place, uint32_t slot, struct bytes *out)
{
    switch ((enum variable_slot)slot) {
    case SLOT_CONTEXT:
        *out = value_empty_map;
        if (run->row.context == 0)
            return PAWL_OK;
        return wf_value_get(decide, run, run->row.context, out);
    case SLOT_INPUT:
        return wf_value_get(decide, run, place->frame->input, out);
    case SLOT_OUTPUT:
        *out = place->output.size > 0 ? place->output : value_null;
        return PAWL_OK;
    case SLOT_TASK:
        return task_variable(decide, run, place, out);
    case SLOT_WORKFLOW:
        return workflow_variable(decide, run, out);
    case SLOT_RUNTIME:
        return runtime_variable(decide, out);
    case SLOT_ERROR_FIRST:
        break;
    }
    return error_variable(decide, run, place, slot, out);
}

/* What one expression may spend: many of them in one task share what the task may. */
static uint64_t fuel_left(const struct decide *decide)
{
    const uint64_t left =
        decide->fuel_end > decide->fuel_spent ? decide->fuel_end - decide->fuel_spent : 0;
    return left < EXPRESSION_FUEL ? left : EXPRESSION_FUEL;
}

/* The rest of the arena is for what ends the decision: values, rows and the record. */
static enum pawl_error memory_check(struct decide *decide)
{
    if (decide->arena->used - decide->arena_begin <= ARENA_BYTES_MAX / 2)
        return PAWL_OK;
    return wf_fault(decide, PROBLEM_EXPRESSION, "the expressions of a task take too much memory");
}

enum pawl_error wf_evaluate(struct decide *decide, struct run *run, const struct place *place,
                            const struct expression *expression, struct bytes *value_out)
{
    struct bytes variables[SLOTS_MAX]; /* only those that it names */
    uint64_t used = expression_slots_used(expression);
    TRY(memory_check(decide));
    for (uint32_t slot = 0; used >> slot != 0; slot++)
        if ((used >> slot & 1) != 0)
            TRY(variable_get(decide, run, place, slot, &variables[slot]));
    const uint64_t given = fuel_left(decide);
    uint64_t fuel = given;
    struct expression_context context = {
        .input = place->dot,
        .variables = variables,
        .now_us = decide->context->now_us,
        .fuel = &fuel,
        .arena = decide->arena,
    };
    struct pawl_diag diag;
    struct bytes value;
    enum pawl_error error = expression_evaluate(expression, &context, &value, NULL, &diag);
    decide->fuel_spent += given - fuel;
    if (error == PAWL_E_LIMIT && fuel == 0 && given < EXPRESSION_FUEL)
        return wf_fault(decide, PROBLEM_EXPRESSION,
                        "the expressions of the task take more work than those of one task may do");
    if (error == PAWL_E_EXPRESSION || error == PAWL_E_LIMIT)
        return wf_fault(decide, PROBLEM_EXPRESSION, "%s", diag.text);
    TRY(error);
    *value_out = value;
    return PAWL_OK;
}

enum pawl_error wf_evaluate_truth(struct decide *decide, struct run *run, const struct place *place,
                                  const struct expression *expression, bool *truth_out)
{
    struct bytes value;
    struct value_head head;
    TRY(wf_evaluate(decide, run, place, expression, &value));
    struct value_cursor cursor = value_cursor_of(value);
    TRY(value_next(&cursor, &head));
    *truth_out = head.kind != VALUE_NULL && (head.kind != VALUE_BOOL || head.boolean);
    return PAWL_OK;
}

static enum pawl_error render(struct decide *decide, struct run *run, const struct place *place,
                              const struct template *template, struct buffer *out);

/* Strings go into a text as they are, other values as JSON. */
static enum pawl_error text_add(struct buffer *text, struct bytes value)
{
    struct bytes string;
    if (value_string(value, &string))
        buffer_append(text, string.data, string.size);
    else
        json_write(value, JSON_COMPACT, text);
    return text->is_failed ? PAWL_E_NO_MEMORY : PAWL_OK;
}

/* Before the rest is added to it: what is far too large need not be put together. */
static enum pawl_error part_check(struct decide *decide, const struct buffer *out, size_t begin)
{
    if (out->size - begin <= VALUE_BYTES_MAX)
        return PAWL_OK;
    return wf_fault(decide, PROBLEM_EXPRESSION, "a value can have at most %zu bytes",
                    VALUE_BYTES_MAX);
}

static enum pawl_error render_text(struct decide *decide, struct run *run,
                                   const struct place *place, const struct template *template,
                                   struct buffer *out)
{
    size_t begin = out->size;
    struct bytes value, text;
    for (size_t i = 0; i < template->count; i++) {
        const struct template *part = &template->parts[i];
        if (part->kind == TEMPLATE_VALUE) {
            buffer_append(out, part->value.data, part->value.size);
            continue;
        }
        TRY(wf_evaluate(decide, run, place, part->expression, &value));
        TRY(text_add(out, value));
        TRY(part_check(decide, out, begin));
    }
    TRY(wf_scratch_take(decide, begin, &text));
    pack_string(out, text);
    return PAWL_OK;
}

static enum pawl_error render_parts(struct decide *decide, struct run *run,
                                    const struct place *place, const struct template *template,
                                    struct buffer *out)
{
    const size_t begin = out->size;
    for (size_t i = 0; i < template->count; i++) {
        if (template->kind == TEMPLATE_MAP)
            pack_string(out, template->keys[i]);
        TRY(render(decide, run, place, &template->parts[i], out));
        TRY(part_check(decide, out, begin));
    }
    return PAWL_OK;
}

static enum pawl_error render(struct decide *decide, struct run *run, const struct place *place,
                              const struct template *template, struct buffer *out)
{
    struct bytes value;
    switch (template->kind) {
    case TEMPLATE_VALUE:
        pack_value(out, template->value);
        return PAWL_OK;
    case TEMPLATE_EXPRESSION:
        TRY(wf_evaluate(decide, run, place, template->expression, &value));
        pack_value(out, value);
        return PAWL_OK;
    case TEMPLATE_TEXT:
        return render_text(decide, run, place, template, out);
    case TEMPLATE_ARRAY:
        pack_array(out, (uint32_t) template->count);
        return render_parts(decide, run, place, template, out);
    case TEMPLATE_MAP:
        pack_map(out, (uint32_t) template->count);
        return render_parts(decide, run, place, template, out);
    }
    return PAWL_E_INTERNAL;
}

/* Far from every limit of a value: a map or array of a few scalars, put together from values. */
static bool is_small(struct bytes value)
{
    enum { HEADS_FEW = 32 };
    struct value_cursor cursor = value_cursor_of(value);
    struct value_head head;
    for (int count = 0; count < HEADS_FEW && cursor.at != cursor.end; count++)
        if (value_next(&cursor, &head) != PAWL_OK ||
            (count > 0 && (head.kind == VALUE_MAP || head.kind == VALUE_ARRAY)))
            return false;
    return cursor.at == cursor.end && value.size <= VALUE_BYTES_MAX;
}

/* The parts of a value fit, their sum may not. */
static enum pawl_error sum_check(struct decide *decide, struct bytes value)
{
    struct pawl_diag diag;
    enum pawl_error error = value_check(value, NULL, &diag);
    if (error == PAWL_E_LIMIT || error == PAWL_E_INVALID)
        return wf_fault(decide, PROBLEM_EXPRESSION, "%s", diag.text);
    return error;
}

enum pawl_error wf_render(struct decide *decide, struct run *run, const struct place *place,
                          const struct template *template, struct bytes *value_out)
{
    if (template->kind == TEMPLATE_VALUE) {
        *value_out = template->value;
        return PAWL_OK;
    }
    if (template->kind == TEMPLATE_EXPRESSION)
        return wf_evaluate(decide, run, place, template->expression, value_out);
    size_t begin = decide->scratch->size;
    struct bytes value;
    enum pawl_error error = render(decide, run, place, template, decide->scratch);
    if (error != PAWL_OK)
        decide->scratch->size = begin;
    TRY(error);
    TRY(wf_scratch_take(decide, begin, &value));
    decide->fuel_spent += value.size / 64;
    if (!is_small(value))
        TRY(sum_check(decide, value));
    *value_out = value;
    return PAWL_OK;
}

enum pawl_error wf_duration(struct decide *decide, struct run *run, const struct place *place,
                            const struct duration *duration, uint64_t *us_out)
{
    *us_out = duration->us;
    if (duration->text == NULL)
        return PAWL_OK;
    struct bytes value;
    const char *problem = "";
    TRY(wf_render(decide, run, place, duration->text, &value));
    if (!duration_read(value, us_out, &problem))
        return wf_fault(decide, PROBLEM_EXPRESSION, "the expression gave %s", problem);
    return PAWL_OK;
}

enum pawl_error wf_place_of_input(struct decide *decide, struct run *run, const struct frame *frame,
                                  struct place *place_out)
{
    *place_out = (struct place){.frame = frame};
    return wf_value_get(decide, run, frame->input, &place_out->dot);
}
