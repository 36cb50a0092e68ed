/* The history of a run: its chain of records, walked back and told forwards. */
#include "workflow/query.h"

#include "workflow/time.h"

/* What is older is left out, and the answer says so. */
enum { EVENTS_MAX = 10000 };
#define HISTORY_BYTES_MAX (FRAME_BYTES_MAX / 2)

struct told {
    uint64_t time_us;
    struct journal_event event;
};

struct chain {
    struct told *events; /* newest first */
    size_t count, capacity;
    size_t bytes;
    bool is_truncated;
};

/* A value that the event names, in place of the name. It lasts as long as the journal. */
static enum pawl_error value_fill(struct query *query, const struct query_run *run,
                                  struct journal_event *event)
{
    if (event->value_number == 0)
        return PAWL_OK;
    enum pawl_error error =
        query_value(query, run->id, &run->row.values, event->value_number, &event->value);
    return error == PAWL_E_NOT_FOUND ? PAWL_E_CORRUPT : error;
}

static enum pawl_error chain_add(struct query *query, const struct query_run *run,
                                 struct chain *chain, struct told told)
{
    TRY(value_fill(query, run, &told.event));
    if (chain->count == chain->capacity) {
        size_t capacity = chain->capacity == 0 ? 64 : chain->capacity * 2;
        struct told *grown = arena_array(query->arena, capacity, sizeof *grown);
        if (grown == NULL)
            return PAWL_E_NO_MEMORY;
        if (chain->count > 0)
            memcpy(grown, chain->events, chain->count * sizeof *grown);
        chain->events = grown;
        chain->capacity = capacity;
    }
    chain->events[chain->count++] = told;
    chain->bytes += 256 + told.event.value.size + told.event.detail.size + told.event.task.size;
    return PAWL_OK;
}

/* The events of a record, the newest first, until there is no room. */
static enum pawl_error record_add(struct query *query, const struct query_run *run,
                                  struct chain *chain, const struct journal_record *record)
{
    const struct journal_event *events = record->events.elements;
    for (size_t i = record->events.count; i-- > 0;) {
        chain->is_truncated = chain->count == EVENTS_MAX || chain->bytes > HISTORY_BYTES_MAX;
        if (chain->is_truncated)
            return PAWL_OK;
        TRY(chain_add(query, run, chain,
                      (struct told){.time_us = record->time_us, .event = events[i]}));
    }
    return PAWL_OK;
}

static enum pawl_error chain_walk(struct query *query, const struct query_run *run,
                                  struct chain *chain)
{
    uint64_t index = run->row.last_index;
    uint32_t ordinal = run->row.last_ordinal;
    while (index != 0 && !chain->is_truncated) {
        struct journal_record record;
        struct bytes value;
        enum pawl_error error = changes_get(&query->rows, TABLE_JOURNAL,
                                            key_journal(query->arena, index, ordinal), &value);
        if (error == PAWL_E_NOT_FOUND) { /* retention has cut it off */
            chain->is_truncated = true;
            return PAWL_OK;
        }
        TRY(error);
        TRY(journal_record_read(value, query->arena, &record));
        TRY(record_add(query, run, chain, &record));
        index = record.previous_index;
        ordinal = record.previous_ordinal;
    }
    return PAWL_OK;
}

/* Pairs that every event may have or not; counted by packing them only when they say something. */
static uint32_t optional_pack(struct buffer *out, const struct journal_event *event)
{
    uint32_t pairs = 0;
    const struct {
        const char *key;
        struct bytes text;
    } texts[] = {{"task", event->task}, {"type", event->type}, {"detail", event->detail}};
    for (size_t i = 0; i < 3; i++) {
        if (texts[i].text.size == 0)
            continue;
        query_text_pack(out, texts[i].key, texts[i].text);
        pairs++;
    }
    const struct {
        const char *key;
        uint64_t number;
    } numbers[] = {{"step", event->step},
                   {"attempt", event->attempt},
                   {"term", event->fence.term},
                   {"index", event->fence.index},
                   {"ordinal", event->fence.index != 0 ? event->fence.ordinal + (uint64_t)1 : 0}};
    for (size_t i = 0; i < 5; i++) {
        if (numbers[i].number == 0)
            continue;
        pack_text(out, numbers[i].key);
        pack_unsigned(out, numbers[i].number - (i == 4));
        pairs++;
    }
    return pairs;
}

static uint32_t more_optional_pack(struct buffer *out, const struct journal_event *event)
{
    uint32_t pairs = 0;
    if (!id128_is_none(event->session)) {
        query_id_pack(out, "session", event->session);
        pairs++;
    }
    if (event->due_us != 0) {
        pack_text(out, "due");
        time_pack(event->due_us, out);
        pairs++;
    }
    if (event->value.size > 0) {
        pack_text(out, "value");
        pack_value(out, event->value);
        pairs++;
    }
    return pairs;
}

static enum pawl_error event_pack(struct query *query, const struct told *told)
{
    const struct journal_event *event = &told->event;
    struct buffer *out = query->scratch;
    struct bytes optional;
    size_t begin = out->size;
    uint32_t pairs = optional_pack(out, event) + more_optional_pack(out, event);
    bool has_none = pairs == 0;
    if (!has_none)
        TRY(query_answer_take(query, begin, &optional));
    pack_map(out, pairs + 2);
    pack_text(out, "event");
    pack_text(out, event_name(event->kind));
    pack_text(out, "time");
    time_pack(told->time_us, out);
    if (!has_none)
        buffer_append(out, optional.data, optional.size);
    return PAWL_OK;
}

enum pawl_error query_history(struct query *query, const struct query_run *run,
                              struct bytes *answer_out)
{
    struct chain chain = {.count = 0};
    struct buffer *out = query->scratch;
    TRY(chain_walk(query, run, &chain));
    size_t begin = out->size;
    pack_map(out, 4);
    query_text_pack(out, "workflowId", run->row.workflow_id);
    query_id_pack(out, "run", run->id);
    pack_text(out, "truncated");
    pack_bool(out, chain.is_truncated);
    pack_text(out, "events");
    pack_array(out, (uint32_t)chain.count);
    for (size_t i = chain.count; i-- > 0;)
        TRY(event_pack(query, &chain.events[i]));
    return query_answer_take(query, begin, answer_out);
}
