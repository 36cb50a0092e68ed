#include "workflow/state.h"

#include <assert.h>

#include "proto/codec_loops.h"

/* A fence among the fields around it, with four keys: most rows of a step have two. */
#define FENCE(structure, member, key)                                                              \
    FIELD(structure, member.partition, (key), FIELD_U32),                                          \
        FIELD(structure, member.term, (key) + 1, FIELD_U64),                                       \
        FIELD(structure, member.index, (key) + 2, FIELD_U64),                                      \
        FIELD(structure, member.ordinal, (key) + 3, FIELD_U32)

static const struct field frame_fields[] = {
    FIELD(struct frame, task, 1, FIELD_U32),
    FIELD(struct frame, phase, 2, FIELD_U8),
    FIELD(struct frame, raw_input, 3, FIELD_U32),
    FIELD(struct frame, input, 4, FIELD_U32),
    FIELD(struct frame, error, 5, FIELD_U32),
    FIELD(struct frame, started_us, 6, FIELD_U64),
    FIELD(struct frame, loops, 7, FIELD_U32),
    FIELD(struct frame, retries, 8, FIELD_U32),
    FIELD(struct frame, retried_step, 9, FIELD_U32),
    FIELD(struct frame, undo_mark, 10, FIELD_U32),
    FIELD(struct frame, timeout_us, 11, FIELD_U64),
    FIELD(struct frame, timeout_timer, 12, FIELD_U32),
    FIELD(struct frame, attempt_us, 13, FIELD_U64),
    FIELD(struct frame, attempt_timer, 14, FIELD_U32),
};
SCHEMA_LOOPS(frame)
static const struct schema schema_frame = SCHEMA_LOOPED("frame", struct frame, frame);

static const struct field undoing_fields[] = {
    FIELD(struct undoing, is_on, 1, FIELD_BOOL),
    FIELD(struct undoing, is_for_fault, 2, FIELD_BOOL),
    FIELD(struct undoing, has_scope, 3, FIELD_BOOL),
    FIELD(struct undoing, scope, 4, FIELD_U32),
    FIELD(struct undoing, mark, 5, FIELD_U32),
    FIELD(struct undoing, undo, 6, FIELD_U32),
    FIELD(struct undoing, retries, 7, FIELD_U32),
    FIELD(struct undoing, began_us, 8, FIELD_U64),
    FIELD(struct undoing, count, 9, FIELD_U32),
};
SCHEMA_LOOPS(undoing)
static const struct schema schema_undoing = SCHEMA_LOOPED("undoing", struct undoing, undoing);

static const struct field step_row_fields[] = {
    FIELD(struct step_row, task, 1, FIELD_U32),
    FIELD(struct step_row, pointer, 2, FIELD_STRING),
    FIELD(struct step_row, visit, 3, FIELD_STRING),
    FIELD(struct step_row, type, 4, FIELD_STRING),
    FIELD(struct step_row, state, 5, FIELD_U8),
    FIELD(struct step_row, is_at_most_once, 6, FIELD_BOOL),
    FIELD(struct step_row, is_undo, 7, FIELD_BOOL),
    FIELD(struct step_row, attempt, 8, FIELD_U32),
    FIELD(struct step_row, losses, 9, FIELD_U32),
    FIELD(struct step_row, ready_us, 10, FIELD_U64),
    FIELD(struct step_row, deadline_us, 11, FIELD_U64),
    FIELD(struct step_row, session, 12, FIELD_ID),
    FENCE(struct step_row, fence, 13),
    FIELD(struct step_row, arguments, 17, FIELD_BINARY),
    FENCE(struct step_row, report_fence, 18),
    FIELD(struct step_row, report_outcome, 22, FIELD_U8),
    FIELD(struct step_row, arguments_value, 23, FIELD_U32),
    FIELD(struct step_row, has_row, 24, FIELD_BOOL),
};
SCHEMA_LOOPS(step_row)
const struct schema schema_step_row = SCHEMA_LOOPED("step-row", struct step_row, step_row);

static const struct field token_fields[] = {
    FIELD(struct token, state, 1, FIELD_U8),
    FIELD(struct token, frames, 2, FIELD_MESSAGE, .is_list = true, .schema = &schema_frame),
    FIELD(struct token, task, 3, FIELD_U32),
    FIELD(struct token, value, 4, FIELD_U32),
    FIELD(struct token, step, 5, FIELD_U32),
    FIELD(struct token, due_us, 6, FIELD_U64),
    FIELD(struct token, timer, 7, FIELD_U32),
    FIELD(struct token, undoing, 8, FIELD_MESSAGE, .schema = &schema_undoing),
    FIELD(struct token, awaited, 9, FIELD_MESSAGE, .schema = &schema_step_row),
};
SCHEMA_LOOPS(token)
static const struct schema schema_token = SCHEMA_LOOPED("token", struct token, token);

static const struct field live_value_fields[] = {
    FIELD(struct live_value, number, 1, FIELD_U32),
    FIELD(struct live_value, size, 2, FIELD_U32),
    FIELD(struct live_value, inlined, 3, FIELD_BINARY),
    FIELD(struct live_value, is_lasting, 4, FIELD_BOOL),
};
SCHEMA_LOOPS(live_value)
static const struct schema schema_live_value =
    SCHEMA_LOOPED("live-value", struct live_value, live_value);

static const struct field pending_undo_fields[] = {
    FIELD(struct pending_undo, number, 1, FIELD_U32),
    FIELD(struct pending_undo, task, 2, FIELD_U32),
    FIELD(struct pending_undo, visit, 3, FIELD_STRING),
};
static const struct schema schema_pending_undo =
    SCHEMA("pending-undo", struct pending_undo, pending_undo_fields);

static const struct field instance_fields[] = {
    FIELD(struct instance, status, 1, FIELD_U8),
    FIELD(struct instance, result, 2, FIELD_U32),
    FIELD(struct instance, values, 3, FIELD_MESSAGE, .is_list = true, .schema = &schema_live_value),
    FIELD(struct instance, namespace_name, 4, FIELD_STRING),
    FIELD(struct instance, workflow_id, 5, FIELD_STRING),
    FIELD(struct instance, definition, 6, FIELD_STRING),
    FIELD(struct instance, version, 7, FIELD_STRING),
    FIELD(struct instance, request, 8, FIELD_ID),
    FIELD(struct instance, started_us, 9, FIELD_U64),
    FIELD(struct instance, ended_us, 10, FIELD_U64),
    FIELD(struct instance, last_index, 11, FIELD_U64),
    FIELD(struct instance, last_ordinal, 12, FIELD_U32),
    FIELD(struct instance, value_last, 13, FIELD_U32),
    FIELD(struct instance, step_last, 14, FIELD_U32),
    FIELD(struct instance, timer_last, 15, FIELD_U32),
    FIELD(struct instance, undo_last, 16, FIELD_U32),
    FIELD(struct instance, incident_last, 17, FIELD_U32),
    FIELD(struct instance, undo_rounds, 18, FIELD_U32),
    FIELD(struct instance, input, 19, FIELD_U32),
    FIELD(struct instance, context, 20, FIELD_U32),
    FIELD(struct instance, undos, 21, FIELD_MESSAGE, .is_list = true,
          .schema = &schema_pending_undo),
    FIELD(struct instance, tokens, 22, FIELD_MESSAGE, .is_list = true, .schema = &schema_token),
};
SCHEMA_LOOPS(instance)
const struct schema schema_instance = SCHEMA_LOOPED("instance", struct instance, instance);

/* The first fields of an instance. */
static const struct field ending_fields[] = {
    FIELD(struct ending, status, 1, FIELD_U8),
    FIELD(struct ending, result, 2, FIELD_U32),
    FIELD(struct ending, values, 3, FIELD_MESSAGE, .is_list = true, .schema = &schema_live_value),
};
const struct schema schema_ending = {.name = "ending",
                                     .fields = ending_fields,
                                     .field_count = 3,
                                     .struct_bytes = sizeof(struct ending),
                                     .is_beginning = true};

struct bytes inlined_value(const struct list *values, uint32_t number)
{
    const struct live_value *live = values->elements;
    for (size_t i = 0; i < values->count; i++)
        if (live[i].number == number)
            return live[i].inlined;
    return bytes_of(NULL, 0);
}

const struct step_row *awaited_step(const struct instance *row, uint32_t number)
{
    const struct token *token = row->tokens.elements;
    bool is_awaited = row->tokens.count > 0 && token->step == number && token->awaited.state != 0;
    return is_awaited ? &token->awaited : NULL;
}

enum pawl_error instance_read(struct bytes value, struct arena *arena, struct instance *row_out)
{
    char text[37];
    struct instance row;
    enum pawl_error error = codec_decode(&schema_instance, value, arena, &row, NULL);
    if (error != PAWL_OK)
        return error == PAWL_E_NO_MEMORY ? error : PAWL_E_CORRUPT;
    row.is_unnamed = row.workflow_id.size == 0;
    if (row.is_unnamed) {
        id128_format(row.request, text);
        row.workflow_id = arena_copy(arena, bytes_of(text, 36));
        if (row.workflow_id.data == NULL)
            return PAWL_E_NO_MEMORY;
    }
    *row_out = row;
    return PAWL_OK;
}

static const struct field undo_row_fields[] = {
    FIELD(struct undo_row, task, 1, FIELD_U32),
    FIELD(struct undo_row, pointer, 2, FIELD_STRING),
    FIELD(struct undo_row, visit, 3, FIELD_STRING),
    FIELD(struct undo_row, type, 4, FIELD_STRING),
    FIELD(struct undo_row, arguments, 5, FIELD_BINARY),
    FIELD(struct undo_row, captured_us, 6, FIELD_U64),
};
const struct schema schema_undo_row = SCHEMA("undo-row", struct undo_row, undo_row_fields);

static const struct field timer_row_fields[] = {
    FIELD(struct timer_row, kind, 1, FIELD_U8),
};
const struct schema schema_timer_row = SCHEMA("timer-row", struct timer_row, timer_row_fields);

static const struct field workflow_row_fields[] = {
    FIELD(struct workflow_row, run, 1, FIELD_ID),
};
const struct schema schema_workflow_row =
    SCHEMA("workflow-row", struct workflow_row, workflow_row_fields);

static const struct field definition_row_fields[] = {
    FIELD(struct definition_row, value, 1, FIELD_BINARY),
    FIELD(struct definition_row, deployed_us, 2, FIELD_U64),
};
const struct schema schema_definition_row =
    SCHEMA("definition-row", struct definition_row, definition_row_fields);

static const struct field handout_row_fields[] = {
    FIELD(struct handout_row, run, 1, FIELD_ID),
    FIELD(struct handout_row, step, 2, FIELD_U32),
};
SCHEMA_LOOPS(handout_row)
const struct schema schema_handout_row =
    SCHEMA_LOOPED("handout-row", struct handout_row, handout_row);

static const struct field request_row_fields[] = {
    FIELD(struct request_row, kind, 1, FIELD_U8),
    FIELD(struct request_row, answer, 2, FIELD_BINARY),
    FIELD(struct request_row, run, 3, FIELD_ID),
    FIELD(struct request_row, workflow_id, 4, FIELD_STRING),
    FIELD(struct request_row, is_existing, 5, FIELD_BOOL),
    FIELD(struct request_row, namespace_name, 6, FIELD_STRING),
};
SCHEMA_LOOPS(request_row)
const struct schema schema_request_row =
    SCHEMA_LOOPED("request-row", struct request_row, request_row);

static const struct field incident_row_fields[] = {
    FIELD(struct incident_row, kind, 1, FIELD_STRING),
    FIELD(struct incident_row, pointer, 2, FIELD_STRING),
    FIELD(struct incident_row, detail, 3, FIELD_STRING),
    FIELD(struct incident_row, raised_us, 4, FIELD_U64),
    FIELD(struct incident_row, step, 5, FIELD_U32),
};
const struct schema schema_incident_row =
    SCHEMA("incident-row", struct incident_row, incident_row_fields);

static const struct field journal_event_fields[] = {
    FIELD(struct journal_event, kind, 1, FIELD_U8),
    FIELD(struct journal_event, is_same, 2, FIELD_BOOL),
    FIELD(struct journal_event, task, 3, FIELD_STRING),
    FIELD(struct journal_event, type, 4, FIELD_STRING),
    FIELD(struct journal_event, step, 5, FIELD_U32),
    FIELD(struct journal_event, attempt, 6, FIELD_U32),
    FENCE(struct journal_event, fence, 7),
    FIELD(struct journal_event, session, 11, FIELD_ID),
    FIELD(struct journal_event, value_number, 12, FIELD_U32),
    FIELD(struct journal_event, value, 13, FIELD_BINARY),
    FIELD(struct journal_event, detail, 14, FIELD_STRING),
    FIELD(struct journal_event, due_us, 15, FIELD_U64),
};
SCHEMA_LOOPS(journal_event)
static const struct schema schema_journal_event =
    SCHEMA_LOOPED("journal-event", struct journal_event, journal_event);

static const struct field journal_record_fields[] = {
    FIELD(struct journal_record, run, 1, FIELD_ID),
    FIELD(struct journal_record, time_us, 2, FIELD_U64),
    FIELD(struct journal_record, previous_index, 3, FIELD_U64),
    FIELD(struct journal_record, previous_ordinal, 4, FIELD_U32),
    FIELD(struct journal_record, events, 5, FIELD_MESSAGE, .is_list = true,
          .schema = &schema_journal_event),
};
SCHEMA_LOOPS(journal_record)
const struct schema schema_journal_record =
    SCHEMA_LOOPED("journal-record", struct journal_record, journal_record);

/* What the events share is filled in, and the hand-out of a step that was handed out as soon as it
 * was scheduled is an event again. */
static enum pawl_error events_unfold(struct arena *arena, struct list *list)
{
    const struct journal_event *folded = list->elements;
    struct journal_event *events = arena_array(arena, list->count * 2, sizeof *events);
    size_t count = 0;
    if (events == NULL && list->count > 0)
        return PAWL_E_NO_MEMORY;
    for (size_t i = 0; i < list->count; i++) {
        struct journal_event event = folded[i];
        if (event.is_same && count > 0) {
            event.task = events[count - 1].task;
            event.type = events[count - 1].type;
            event.step = events[count - 1].step;
            event.attempt = events[count - 1].attempt;
        }
        events[count++] = event;
        if (event.kind != EV_STEP_SCHEDULED || event.fence.index == 0)
            continue;
        events[count - 1].fence = (struct msg_fence){.index = 0};
        events[count - 1].session = (struct id128){.byte = {0}};
        event.kind = EV_STEP_HANDED_OUT;
        event.detail = bytes_of(NULL, 0);
        events[count++] = event;
    }
    *list = (struct list){events, count};
    return PAWL_OK;
}

enum pawl_error journal_record_read(struct bytes value, struct arena *arena,
                                    struct journal_record *record_out)
{
    struct journal_record record;
    enum pawl_error error = codec_decode(&schema_journal_record, value, arena, &record, NULL);
    if (error != PAWL_OK)
        return error == PAWL_E_NO_MEMORY ? error : PAWL_E_CORRUPT;
    TRY(events_unfold(arena, &record.events));
    *record_out = record;
    return PAWL_OK;
}

static const char *const event_names[EV_COUNT] = {
    [EV_WORKFLOW_STARTED] = "workflow-started",
    [EV_WORKFLOW_COMPLETED] = "workflow-completed",
    [EV_WORKFLOW_FAULTED] = "workflow-faulted",
    [EV_WORKFLOW_TERMINATED] = "workflow-terminated",
    [EV_WORKFLOW_PAUSED] = "workflow-paused",
    [EV_TASK_COMPLETED] = "task-completed",
    [EV_TASK_SKIPPED] = "task-skipped",
    [EV_TASK_FAULTED] = "task-faulted",
    [EV_FAULT_CAUGHT] = "fault-caught",
    [EV_STEP_SCHEDULED] = "step-scheduled",
    [EV_STEP_HANDED_OUT] = "step-handed-out",
    [EV_STEP_COMPLETED] = "step-completed",
    [EV_STEP_FAILED] = "step-failed",
    [EV_STEP_ABANDONED] = "step-abandoned",
    [EV_LEASE_LOST] = "lease-lost",
    [EV_REPORT_REJECTED] = "report-rejected",
    [EV_WAIT_STARTED] = "wait-started",
    [EV_TIMER_FIRED] = "timer-fired",
    [EV_RETRY_SCHEDULED] = "retry-scheduled",
    [EV_DECISION_CONTINUED] = "decision-continued",
    [EV_COMPENSATION_CAPTURED] = "compensation-captured",
    [EV_COMPENSATION_STARTED] = "compensation-started",
    [EV_COMPENSATION_COMPLETED] = "compensation-completed",
    [EV_UNDO_COMPLETED] = "undo-completed",
    [EV_UNDO_FAILED] = "undo-failed",
    [EV_INCIDENT_RAISED] = "incident-raised",
    [EV_DEFINITION_DEPLOYED] = "definition-deployed",
    [EV_CLOCK_JUMPED] = "clock-jumped",
};

const char *event_name(uint8_t kind)
{
    const char *name = kind < EV_COUNT ? event_names[kind] : NULL;
    return name != NULL ? name : "unknown";
}

/* A key being put together; data NULL: no memory. */
struct key {
    uint8_t *data;
    size_t size;
};

static struct key key_begin(struct arena *arena, size_t room)
{
    return (struct key){arena_room(arena, room), 0};
}

static void key_add(struct key *key, struct bytes part)
{
    if (key->data == NULL || part.size == 0)
        return;
    memcpy(key->data + key->size, part.data, part.size);
    key->size += part.size;
}

static void key_add_text(struct key *key, struct bytes text)
{
    key_add(key, text);
    key_add(key, bytes_of("", 1));
}

static void key_add_u64(struct key *key, uint64_t number)
{
    uint8_t bytes[8];
    be64_put(bytes, number);
    key_add(key, bytes_of(bytes, sizeof bytes));
}

static void key_add_u32(struct key *key, uint32_t number)
{
    uint8_t bytes[4];
    be32_put(bytes, number);
    key_add(key, bytes_of(bytes, sizeof bytes));
}

static struct bytes key_bytes(const struct key *key)
{
    assert(key->size <= ROW_KEY_BYTES_MAX);
    return key->data == NULL ? bytes_of(NULL, 0) : bytes_of(key->data, key->size);
}

struct bytes key_definition(struct arena *arena, struct bytes namespace_name, struct bytes name,
                            struct bytes version)
{
    struct key key = key_begin(arena, namespace_name.size + name.size + version.size + 2);
    key_add_text(&key, namespace_name);
    key_add_text(&key, name);
    key_add(&key, version);
    return key_bytes(&key);
}

struct bytes key_name(struct arena *arena, struct bytes namespace_name, struct bytes name)
{
    struct key key = key_begin(arena, namespace_name.size + name.size + 1);
    key_add_text(&key, namespace_name);
    key_add(&key, name);
    return key_bytes(&key);
}

struct bytes key_run(struct arena *arena, struct id128 run)
{
    struct key key = key_begin(arena, 16);
    key_add(&key, id128_bytes(&run));
    return key_bytes(&key);
}

struct bytes key_run_number(struct arena *arena, struct id128 run, uint32_t number)
{
    struct key key = key_begin(arena, 20);
    key_add(&key, id128_bytes(&run));
    key_add_u32(&key, number);
    return key_bytes(&key);
}

enum {
    READY_PRIORITY = 0x80, /* the only one for now; no limit keys either */
    READY_TAIL_BYTES = 8 + 16 + 4,
};

struct bytes key_ready_prefix(struct arena *arena, struct bytes type)
{
    struct key key = key_begin(arena, type.size + 1);
    key_add_text(&key, type);
    return key_bytes(&key);
}

struct bytes key_ready(struct arena *arena, struct bytes type, uint64_t ready_us, struct id128 run,
                       uint32_t step)
{
    const uint8_t priority = READY_PRIORITY;
    struct key key = key_begin(arena, type.size + 3 + READY_TAIL_BYTES);
    key_add_text(&key, type);
    key_add_text(&key, bytes_of(NULL, 0));
    key_add(&key, bytes_of(&priority, 1));
    key_add_u64(&key, ready_us);
    key_add(&key, id128_bytes(&run));
    key_add_u32(&key, step);
    return key_bytes(&key);
}

bool key_ready_parse(struct bytes key, struct id128 *run_out, uint32_t *step_out)
{
    if (key.size < READY_TAIL_BYTES + 4)
        return false;
    const uint8_t *tail = key.data + key.size - 20;
    memcpy(run_out->byte, tail, 16);
    *step_out = be32_get(tail + 16);
    return true;
}

struct bytes key_handout(struct arena *arena, struct id128 session, const struct msg_fence *fence)
{
    struct key key = key_begin(arena, 40);
    key_add(&key, id128_bytes(&session));
    key_add_u32(&key, fence->partition);
    key_add_u64(&key, fence->term);
    key_add_u64(&key, fence->index);
    key_add_u32(&key, fence->ordinal);
    return key_bytes(&key);
}

struct bytes key_timer(struct arena *arena, uint64_t due_us, struct id128 run, uint32_t number)
{
    struct key key = key_begin(arena, 28);
    key_add_u64(&key, due_us);
    key_add(&key, id128_bytes(&run));
    key_add_u32(&key, number);
    return key_bytes(&key);
}

bool key_timer_parse(struct bytes key, uint64_t *due_out, struct id128 *run_out,
                     uint32_t *number_out)
{
    if (key.size != 28)
        return false;
    *due_out = be64_get(key.data);
    memcpy(run_out->byte, key.data + 8, 16);
    *number_out = be32_get(key.data + 24);
    return true;
}

struct bytes key_journal(struct arena *arena, uint64_t index, uint32_t ordinal)
{
    struct key key = key_begin(arena, 12);
    key_add_u64(&key, index);
    key_add_u32(&key, ordinal);
    return key_bytes(&key);
}

struct bytes key_end(struct arena *arena, struct bytes prefix)
{
    while (prefix.size > 0 && prefix.data[prefix.size - 1] == 0xff)
        prefix.size--;
    struct key key = key_begin(arena, prefix.size + 1);
    key_add(&key, prefix);
    if (key.data != NULL && key.size > 0)
        key.data[key.size - 1]++;
    return key_bytes(&key);
}
