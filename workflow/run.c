/* A run while it is being decided: its header, its values, and how it ends. */
#include "workflow/decide.h"
#include "workflow/find.h"

#include <assert.h>

#define VALUE_INLINED_BYTES_MAX 1024 /* of a value in a header */

static enum pawl_error token_open(struct run *run)
{
    if (run->row.tokens.count != 1)
        return PAWL_E_CORRUPT;
    run->token = run->row.tokens.elements;
    if (run->token->frames.count > FRAMES_MAX)
        return PAWL_E_CORRUPT;
    run->frames = run->token->frames.elements;
    run->frame_count = (uint32_t)run->token->frames.count;
    run->frame_capacity = run->frame_count;
    return PAWL_OK;
}

/* Live values are known by number and size; their bytes come when they are asked for. */
static enum pawl_error values_open(struct decide *decide, struct run *run)
{
    const struct live_value *live = run->row.values.elements;
    run->slot_count = run->slot_capacity = run->row.values.count;
    run->slots = arena_room(decide->arena, run->slot_count * sizeof *run->slots);
    if (run->slots == NULL)
        return PAWL_E_NO_MEMORY;
    for (size_t i = 0; i < run->slot_count; i++) {
        bool is_inlined = live[i].inlined.size > 0;
        run->slots[i] = (struct slot){.number = live[i].number,
                                      .value = {live[i].inlined.data, live[i].size},
                                      .is_stored = !is_inlined,
                                      .is_inlined = is_inlined,
                                      .is_lasting = live[i].is_lasting};
    }
    return PAWL_OK;
}

enum pawl_error wf_run_load(struct decide *decide, struct id128 id, struct run *run_out)
{
    struct run run = {.id = id};
    TRY(find_instance(&decide->changes, id, &run.row));
    TRY(values_open(decide, &run));
    run.undos = run.row.undos.elements;
    run.undo_count = run.undo_capacity = run.row.undos.count;
    if (run_status_is_open(run.row.status))
        TRY(token_open(&run));
    *run_out = run;
    return PAWL_OK;
}

enum pawl_error wf_run_define(struct decide *decide, struct run *run)
{
    TRY(wf_definition_get(decide->engine, &decide->changes, &run->row, &run->definition,
                          &decide->decision->diag));
    for (uint32_t i = 0; i < run->frame_count; i++)
        if (run->frames[i].task >= run->definition->task_count)
            return PAWL_E_CORRUPT;
    return PAWL_OK;
}

enum pawl_error wf_run_begin(struct decide *decide, struct run *run)
{
    run->is_new = true;
    run->token = ARENA_NEW(decide->arena, struct token);
    return run->token == NULL ? PAWL_E_NO_MEMORY : PAWL_OK;
}

enum pawl_error wf_value_get(struct decide *decide, struct run *run, uint32_t number,
                             struct bytes *value_out)
{
    *value_out = value_null;
    if (number == 0)
        return PAWL_OK;
    for (size_t i = 0; i < run->slot_count; i++) {
        struct slot *slot = &run->slots[i];
        if (slot->number != number)
            continue;
        if (slot->value.data == NULL)
            TRY(changes_get(&decide->changes, TABLE_VALUE,
                            key_run_number(decide->arena, run->id, number), &slot->value));
        *value_out = slot->value;
        return PAWL_OK;
    }
    return PAWL_E_CORRUPT;
}

enum pawl_error wf_value_add(struct decide *decide, struct run *run, struct bytes value,
                             uint32_t *number_out)
{
    struct slot *slots = wf_array_grow(decide->arena, run->slots, &run->slot_capacity,
                                       run->slot_count, sizeof *slots);
    if (slots == NULL)
        return PAWL_E_NO_MEMORY;
    run->slots = slots;
    *number_out = ++run->row.value_last;
    slots[run->slot_count++] = (struct slot){.number = *number_out, .value = value};
    return PAWL_OK;
}

enum pawl_error wf_value_receive(struct decide *decide, struct run *run, struct bytes value,
                                 uint32_t *number_out)
{
    TRY(wf_value_add(decide, run, value, number_out));
    run->slots[run->slot_count - 1].is_lasting = value.size > VALUE_REPEATED_BYTES_MAX;
    return PAWL_OK;
}

uint32_t wf_value_lasting(const struct run *run, struct bytes value)
{
    for (size_t i = 0; i < run->slot_count; i++) {
        const struct slot *slot = &run->slots[i];
        if (slot->is_lasting && slot->value.data != NULL && bytes_equal(slot->value, value))
            return slot->number;
    }
    return 0;
}

static bool is_named(const struct run *run, uint32_t number)
{
    const struct instance *row = &run->row;
    if (number == row->input || number == row->context || number == row->result)
        return true;
    if (!run_status_is_open(row->status))
        return false;
    if (number == run->token->value || number == run->token->awaited.arguments_value)
        return true;
    for (uint32_t i = 0; i < run->frame_count; i++) {
        const struct frame *frame = &run->frames[i];
        if (number == frame->raw_input || number == frame->input || number == frame->error)
            return true;
    }
    return false;
}

struct run_bytes wf_run_sweep(struct run *run)
{
    struct run_bytes bytes = {0, 0};
    size_t kept = 0;
    for (size_t i = 0; i < run->slot_count; i++) {
        const struct slot slot = run->slots[i];
        bool is_kept = slot.number == run->move.value || is_named(run, slot.number);
        if (is_kept)
            bytes.live += slot.value.size;
        if ((is_kept || slot.is_lasting) && !slot.is_stored)
            bytes.unsaved += slot.value.size;
        if (is_kept || slot.is_stored != slot.is_lasting) /* has a row to delete, or to get */
            run->slots[kept++] = slot;
    }
    run->slot_count = kept;
    return bytes;
}

/* A value may point into the view or into a definition, its row must not. */
static enum pawl_error value_store(struct decide *decide, struct bytes key, struct bytes value)
{
    struct bytes copy = arena_copy(decide->arena, value);
    if (copy.data == NULL)
        return PAWL_E_NO_MEMORY;
    return changes_put_new(&decide->changes, TABLE_VALUE, key, copy);
}

/* A small result needs no row: the header of a run that has ended is hardly written again. */
static bool is_for_header(const struct run *run, const struct slot *slot)
{
    return slot->is_inlined || (!slot->is_stored && !run_status_is_open(run->row.status) &&
                                slot->value.size <= VALUE_INLINED_BYTES_MAX);
}

/* Named values and those that last get rows, the rows of the others go. */
static enum pawl_error values_finish(struct decide *decide, struct run *run)
{
    struct live_value *live = arena_room(decide->arena, run->slot_count * sizeof *live);
    if (live == NULL)
        return PAWL_E_NO_MEMORY;
    size_t kept = 0;
    for (size_t i = 0; i < run->slot_count; i++) {
        struct slot *slot = &run->slots[i];
        struct bytes key = key_run_number(decide->arena, run->id, slot->number);
        bool is_kept = is_named(run, slot->number);
        slot->is_inlined = is_kept && is_for_header(run, slot);
        if ((is_kept || slot->is_lasting) && !slot->is_stored && !slot->is_inlined)
            TRY(value_store(decide, key, slot->value));
        if (!is_kept && slot->is_stored && !slot->is_lasting)
            TRY(changes_delete(&decide->changes, TABLE_VALUE, key));
        slot->is_stored = !slot->is_inlined;
        if (!is_kept)
            continue;
        live[kept] = (struct live_value){.number = slot->number,
                                         .size = (uint32_t)slot->value.size,
                                         .is_lasting = slot->is_lasting};
        if (slot->is_inlined)
            live[kept].inlined = slot->value;
        run->slots[kept++] = *slot;
    }
    run->slot_count = kept;
    run->row.values = (struct list){live, kept};
    return PAWL_OK;
}

enum pawl_error wf_run_finish(struct decide *decide, struct run *run)
{
    TRY(values_finish(decide, run));
    TRY(wf_journal_write(decide, run));
    run->row.undos = (struct list){run->undos, run->undo_count};
    bool is_open = run_status_is_open(run->row.status);
    if (is_open)
        run->token->frames = (struct list){run->frames, run->frame_count};
    run->row.tokens = (struct list){run->token, is_open ? 1 : 0};
    struct instance row = run->row;
    if (row.is_unnamed)
        row.workflow_id = bytes_of(NULL, 0);
    return changes_put_row(&decide->changes, TABLE_INSTANCE, key_run(decide->arena, run->id),
                           &schema_instance, &row, run->is_new);
}

static enum pawl_error undos_drop(struct decide *decide, struct run *run)
{
    for (size_t i = 0; i < run->undo_count; i++)
        TRY(changes_delete(&decide->changes, TABLE_COMPENSATION,
                           key_run_number(decide->arena, run->id, run->undos[i].number)));
    run->undo_count = 0;
    return PAWL_OK;
}

static enum event_kind closing_event(enum run_status status)
{
    switch (status) {
    case RUN_COMPLETED:
        return EV_WORKFLOW_COMPLETED;
    case RUN_FAULTED:
        return EV_WORKFLOW_FAULTED;
    case RUN_TERMINATED:
        return EV_WORKFLOW_TERMINATED;
    case RUN_RUNNING:
    case RUN_PAUSED:
        break;
    }
    assert(false && "a run does not close as open");
    return EV_WORKFLOW_FAULTED;
}

enum pawl_error wf_run_close(struct decide *decide, struct run *run, enum run_status status,
                             uint32_t result)
{
    enum pawl_error error = wf_token_interrupt(decide, run);
    if (error != WF_FAULTED) /* how to undo a step does not matter any more */
        TRY(error);
    while (run->frame_count > 0)
        TRY(wf_frame_pop(decide, run));
    TRY(undos_drop(decide, run));
    run->move = (struct move){.kind = MOVE_NONE};
    run->row.status = (uint8_t)status;
    run->row.ended_us = decide->context->now_us;
    run->row.result = result;
    run->row.context = 0;
    struct journal_event event = {.kind = (uint8_t)closing_event(status), .value_number = result};
    TRY(wf_value_get(decide, run, result, &event.value));
    TRY(wf_journal(decide, run, &event));
    if (!run->row.is_unnamed)
        TRY(wf_request_expire(decide, run->row.request));
    return wf_decision_closed(decide, run->id);
}

static enum pawl_error incident_put(struct decide *decide, struct run *run,
                                    const struct incident_row *incident)
{
    uint32_t number = ++run->row.incident_last;
    struct journal_event event = {.kind = EV_INCIDENT_RAISED,
                                  .task = incident->pointer,
                                  .step = incident->step,
                                  .detail = incident->detail};
    TRY(wf_journal(decide, run, &event));
    return changes_put_row(&decide->changes, TABLE_INCIDENT,
                           key_run_number(decide->arena, run->id, number), &schema_incident_row,
                           incident, true);
}

/* The timeouts of a run that waits for a person no longer count. */
static enum pawl_error frame_timers_clear(struct decide *decide, struct run *run)
{
    for (uint32_t i = 0; i < run->frame_count; i++) {
        struct frame *frame = &run->frames[i];
        TRY(wf_timer_clear(decide, run, &frame->timeout_us, &frame->timeout_timer));
        TRY(wf_timer_clear(decide, run, &frame->attempt_us, &frame->attempt_timer));
    }
    return PAWL_OK;
}

enum pawl_error wf_run_pause(struct decide *decide, struct run *run, const char *kind,
                             struct bytes pointer, struct bytes detail)
{
    struct incident_row incident = {.kind = bytes_string(kind),
                                    .pointer = pointer,
                                    .detail = detail,
                                    .raised_us = decide->context->now_us,
                                    .step = run->token->step};
    TRY(frame_timers_clear(decide, run));
    TRY(incident_put(decide, run, &incident));
    run->move = (struct move){.kind = MOVE_NONE};
    run->row.status = RUN_PAUSED;
    run->token->state = TOKEN_STOPPED;
    struct journal_event event = {.kind = EV_WORKFLOW_PAUSED, .task = pointer, .detail = detail};
    return wf_journal(decide, run, &event);
}
