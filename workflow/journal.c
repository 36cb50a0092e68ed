/* The journal: what happened, in rows that nobody changes afterwards. A run's events are a chain
 * from its header backwards. */
#include "workflow/decide.h"

enum pawl_error wf_journal(struct decide *decide, struct run *run, struct event_row *event)
{
    uint64_t index = decide->context->index;
    uint32_t ordinal = decide->event_count++;
    event->time_us = decide->context->now_us;
    if (run != NULL) {
        event->run = run->id;
        event->previous_index = run->row.last_index;
        event->previous_ordinal = run->row.last_ordinal;
        run->row.last_index = index;
        run->row.last_ordinal = ordinal;
    }
    return changes_put_row(&decide->changes, TABLE_JOURNAL,
                           key_journal(decide->arena, index, ordinal), &schema_event_row, event,
                           true);
}

enum pawl_error wf_clock_jump(struct decide *decide)
{
    struct event_row event = {
        .kind = EV_CLOCK_JUMPED,
        .detail = wf_text(decide, "the cluster's clock has jumped forward by %llu ms",
                          (unsigned long long)(decide->command->jump_us / 1000))};
    return wf_journal(decide, NULL, &event);
}

enum pawl_error wf_journal_task(struct decide *decide, struct run *run, enum event_kind kind,
                                const struct task *task, struct bytes detail)
{
    struct event_row event = {.kind = (uint8_t)kind, .task = task->pointer, .detail = detail};
    return wf_journal(decide, run, &event);
}
