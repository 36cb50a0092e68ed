#include "raft/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64, RUNS_MIN = 8 };

static size_t entry_count_of(const struct raft_log *log)
{
    return (size_t)(log->last_index - log->base_index);
}

static struct raft_log_slot *slot_at(const struct raft_log *log, raft_index index)
{
    return &log->slots[index & (log->slot_capacity - 1)];
}

bool raft_log_init(struct raft_log *log, raft_index base_index, raft_term base_term)
{
    struct raft_log made = {
        .base_index = base_index,
        .base_term = base_term,
        .last_index = base_index,
        .slots = calloc(SLOTS_MIN, sizeof *made.slots),
        .slot_capacity = SLOTS_MIN,
        .runs = calloc(RUNS_MIN, sizeof *made.runs),
        .run_capacity = RUNS_MIN,
    };
    *log = made;
    if (made.slots != NULL && made.runs != NULL)
        return true;
    raft_log_done(log);
    return false;
}

void raft_log_done(struct raft_log *log)
{
    free(log->slots);
    free(log->runs);
    *log = (struct raft_log){0};
}

bool raft_log_copy(struct raft_log *copy, const struct raft_log *log)
{
    *copy = *log;
    copy->slots = malloc(log->slot_capacity * sizeof *log->slots);
    copy->runs = malloc(log->run_capacity * sizeof *log->runs);
    if (copy->slots == NULL || copy->runs == NULL) {
        raft_log_done(copy);
        return false;
    }
    memcpy(copy->slots, log->slots, log->slot_capacity * sizeof *log->slots);
    memcpy(copy->runs, log->runs, log->run_count * sizeof *log->runs);
    return true;
}

/* The kept entries move to the places that they have in a ring of another size. */
static bool resize_slots(struct raft_log *log, size_t capacity)
{
    struct raft_log_slot *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL)
        return false;
    for (raft_index index = log->base_index + 1; index <= log->last_index; index++)
        slots[index & (capacity - 1)] = *slot_at(log, index);
    free(log->slots);
    log->slots = slots;
    log->slot_capacity = capacity;
    return true;
}

static bool reserve_runs(struct raft_log *log, size_t run_count)
{
    size_t capacity = log->run_capacity;
    while (capacity < log->run_count + run_count)
        capacity *= 2;
    if (capacity == log->run_capacity)
        return true;
    struct raft_log_run *runs = realloc(log->runs, capacity * sizeof *runs);
    if (runs == NULL)
        return false;
    log->runs = runs;
    log->run_capacity = capacity;
    return true;
}

bool raft_log_reserve(struct raft_log *log, size_t entry_count, size_t run_count)
{
    size_t kept = entry_count_of(log);
    if (entry_count > SIZE_MAX / (4 * sizeof *log->slots) - kept)
        return false;
    size_t capacity = log->slot_capacity;
    while (capacity < kept + entry_count)
        capacity *= 2;
    if (capacity != log->slot_capacity && !resize_slots(log, capacity))
        return false;
    return reserve_runs(log, run_count);
}

void raft_log_append(struct raft_log *log, const struct raft_entry *entry)
{
    raft_term last_term = raft_log_last_term(log);
    assert(entry->term >= last_term);
    assert(entry_count_of(log) < log->slot_capacity);
    log->last_index++;
    *slot_at(log, log->last_index) = (struct raft_log_slot){entry->bytes, entry->kind};
    if (log->run_count > 0 && entry->term == last_term)
        return;
    assert(log->run_count < log->run_capacity);
    log->runs[log->run_count++] = (struct raft_log_run){log->last_index, entry->term};
}

void raft_log_truncate(struct raft_log *log, raft_index first_index)
{
    assert(first_index > log->base_index);
    if (first_index > log->last_index)
        return;
    log->last_index = first_index - 1;
    while (log->run_count > 0 && log->runs[log->run_count - 1].first_index >= first_index)
        log->run_count--;
}

static size_t run_position(const struct raft_log *log, raft_index index)
{
    assert(log->run_count > 0 && index >= log->runs[0].first_index);
    size_t begin = 0;
    size_t end = log->run_count;
    if (index >= log->runs[end - 1].first_index)
        return end - 1;
    while (end - begin > 1) {
        size_t middle = begin + (end - begin) / 2;
        if (log->runs[middle].first_index <= index)
            begin = middle;
        else
            end = middle;
    }
    return begin;
}

/* Memory follows what is kept, at a distance: a log that is cut and grows in turns keeps its ring.
 * Failing to get the smaller ring leaves the larger one. */
static void shrink(struct raft_log *log)
{
    enum { SLACK = 16 };
    size_t capacity = log->slot_capacity;
    while (capacity > SLOTS_MIN && entry_count_of(log) < capacity / SLACK)
        capacity /= 2;
    if (capacity != log->slot_capacity)
        (void)resize_slots(log, capacity);
}

void raft_log_cut(struct raft_log *log, raft_index index)
{
    assert(index >= log->base_index && index <= log->last_index);
    if (index == log->base_index)
        return;
    size_t position = run_position(log, index);
    log->base_term = log->runs[position].term;
    log->base_index = index;
    bool run_goes_on = index < log->last_index && (position + 1 == log->run_count ||
                                                   log->runs[position + 1].first_index > index + 1);
    size_t dropped = run_goes_on ? position : position + 1;
    log->run_count -= dropped;
    memmove(log->runs, log->runs + dropped, log->run_count * sizeof *log->runs);
    if (run_goes_on)
        log->runs[0].first_index = index + 1;
    shrink(log);
}

raft_term raft_log_term(const struct raft_log *log, raft_index index)
{
    if (index == log->base_index)
        return log->base_term;
    if (index < log->base_index || index > log->last_index)
        return 0;
    return log->runs[run_position(log, index)].term;
}

raft_term raft_log_last_term(const struct raft_log *log)
{
    return log->run_count > 0 ? log->runs[log->run_count - 1].term : log->base_term;
}

void raft_log_read(const struct raft_log *log, raft_index first_index, struct raft_entry *entries,
                   size_t entry_count)
{
    if (entry_count == 0)
        return;
    assert(first_index > log->base_index && first_index + entry_count - 1 <= log->last_index);
    size_t position = run_position(log, first_index);
    for (size_t i = 0; i < entry_count; i++) {
        raft_index index = first_index + i;
        if (position + 1 < log->run_count && log->runs[position + 1].first_index == index)
            position++;
        const struct raft_log_slot *slot = slot_at(log, index);
        entries[i] = (struct raft_entry){log->runs[position].term, slot->bytes, slot->kind};
    }
}

uint32_t raft_log_entry_bytes(const struct raft_log *log, raft_index index)
{
    assert(index > log->base_index && index <= log->last_index);
    return slot_at(log, index)->bytes;
}

uint64_t raft_log_bytes(const struct raft_log *log, raft_index first_index, raft_index last_index)
{
    uint64_t bytes = 0;
    for (raft_index index = first_index; index <= last_index; index++)
        bytes += raft_log_entry_bytes(log, index);
    return bytes;
}

raft_index raft_log_agreement(const struct raft_log *log, raft_index index, raft_term term)
{
    if (index > log->last_index)
        index = log->last_index;
    if (index <= log->base_index)
        return log->base_index;
    for (size_t position = run_position(log, index) + 1; position-- > 0;) {
        if (log->runs[position].term <= term)
            return index;
        index = log->runs[position].first_index - 1;
    }
    return log->base_index;
}

bool raft_log_is_covered(const struct raft_log *log, raft_index index, raft_term term)
{
    raft_term last_term = raft_log_last_term(log);
    return term > last_term || (term == last_term && index >= log->last_index);
}
