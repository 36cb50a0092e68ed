/* The journal: what happened, in records that nobody changes afterwards. A run's records are a
 * chain from its header backwards.
 *
 * 1. What a decision tells of a run is one record, written when the decision is done with the run.
 * 2. An event says nothing that the event before it has said (is_same).
 * 3. A value that lives as long as the run is named, any other is in the event.
 * 4. A step that is handed out as soon as it is scheduled has one event for both, with the fence
 * and the session of the hand-out. Whoever reads the record sees two.
 */
#include "workflow/decide.h"

/* What an event takes beside its texts. */
enum { EVENT_BYTES = 64 };

static enum pawl_error record_put(struct decide *decide, const struct journal_record *record)
{
    struct bytes key = key_journal(decide->arena, decide->context->index, decide->record_count++);
    return changes_put_row(&decide->changes, TABLE_JOURNAL, key, &schema_journal_record, record,
                           true);
}

static bool is_same(const struct journal_event *before, const struct journal_event *event)
{
    return event->step != 0 && event->step == before->step && event->attempt == before->attempt &&
           bytes_equal(event->task, before->task) && bytes_equal(event->type, before->type);
}

/* The input never changes, nor does the result of a run that has ended; and what lasts. */
static bool is_lasting(const struct run *run, const struct journal_event *event)
{
    const uint32_t number = event->value_number;
    return number != 0 &&
           (number == run->row.input || event->value.size > VALUE_REPEATED_BYTES_MAX ||
            (number == run->row.result && !run_status_is_open(run->row.status)));
}

/* From the last to the first, since each is compared with the one before it. */
static void events_shorten(const struct run *run)
{
    for (size_t i = run->event_count; i-- > 0;) {
        struct journal_event *event = &run->events[i];
        if (is_lasting(run, event))
            event->value = bytes_of(NULL, 0);
        else
            event->value_number = 0;
        if (i == 0 || !is_same(event - 1, event))
            continue;
        event->is_same = true;
        event->task = event->type = bytes_of(NULL, 0);
        event->step = event->attempt = 0;
    }
}

enum pawl_error wf_journal_write(struct decide *decide, struct run *run)
{
    if (run->event_count == 0)
        return PAWL_OK;
    struct journal_record record = {.run = run->id,
                                    .time_us = decide->context->now_us,
                                    .previous_index = run->row.last_index,
                                    .previous_ordinal = run->row.last_ordinal,
                                    .events = {run->events, run->event_count}};
    run->row.last_index = decide->context->index;
    run->row.last_ordinal = decide->record_count;
    events_shorten(run);
    run->event_count = run->event_bytes = 0;
    return record_put(decide, &record);
}

/* Handed out as soon as it was scheduled. */
static bool is_at_once(const struct run *run, const struct journal_event *event)
{
    if (event->kind != EV_STEP_HANDED_OUT || run->event_count == 0)
        return false;
    const struct journal_event *before = &run->events[run->event_count - 1];
    return before->kind == EV_STEP_SCHEDULED && before->step == event->step &&
           before->fence.index == 0;
}

enum pawl_error wf_journal(struct decide *decide, struct run *run,
                           const struct journal_event *event)
{
    if (is_at_once(run, event)) {
        struct journal_event *scheduled = &run->events[run->event_count - 1];
        scheduled->fence = event->fence;
        scheduled->session = event->session;
        return PAWL_OK;
    }
    struct journal_event *events = wf_array_grow(decide->arena, run->events, &run->event_capacity,
                                                 run->event_count, sizeof *events);
    if (events == NULL)
        return PAWL_E_NO_MEMORY;
    run->events = events;
    events[run->event_count++] = *event;
    run->event_bytes +=
        EVENT_BYTES + event->task.size + event->type.size + event->value.size + event->detail.size;
    return PAWL_OK;
}

enum pawl_error wf_journal_cluster(struct decide *decide, struct journal_event *event)
{
    struct journal_record record = {.time_us = decide->context->now_us, .events = {event, 1}};
    return record_put(decide, &record);
}

enum pawl_error wf_clock_jump(struct decide *decide)
{
    struct journal_event event = {
        .kind = EV_CLOCK_JUMPED,
        .detail = wf_text(decide, "the cluster's clock has jumped forward by %llu ms",
                          (unsigned long long)(decide->command->jump_us / 1000))};
    return wf_journal_cluster(decide, &event);
}

enum pawl_error wf_journal_task(struct decide *decide, struct run *run, enum event_kind kind,
                                const struct task *task, struct bytes detail)
{
    struct journal_event event = {.kind = (uint8_t)kind, .task = task->pointer, .detail = detail};
    return wf_journal(decide, run, &event);
}
