#include "node/wal/index.h"

#include <assert.h>
#include <stdlib.h>

static_assert(sizeof(struct wal_place) == 16, "the index is kept compact");

void wal_index_done(struct wal_index *index)
{
    wal_index_settle(index);
    free(index->places);
    free(index->runs);
    *index = (struct wal_index){0};
}

static enum pawl_error places_reserve(struct wal_index *index)
{
    if (index->begin + index->count < index->capacity)
        return PAWL_OK;
    if (index->begin > index->capacity / 2) {
        memmove(index->places, index->places + index->begin, index->count * sizeof *index->places);
        index->begin = 0;
        return PAWL_OK;
    }
    size_t capacity = index->capacity != 0 ? index->capacity * 2 : 64;
    struct wal_place *places = realloc(index->places, capacity * sizeof *places);
    if (places == NULL)
        return PAWL_E_NO_MEMORY;
    index->places = places;
    index->capacity = capacity;
    return PAWL_OK;
}

enum pawl_error wal_index_reserve(struct wal_index *index)
{
    TRY(places_reserve(index));
    if (index->run_count < index->run_capacity)
        return PAWL_OK;
    size_t capacity = index->run_capacity != 0 ? index->run_capacity * 2 : 8;
    struct wal_term_run *runs = realloc(index->runs, capacity * sizeof *runs);
    if (runs == NULL)
        return PAWL_E_NO_MEMORY;
    index->runs = runs;
    index->run_capacity = capacity;
    return PAWL_OK;
}

void wal_index_add(struct wal_index *index, uint64_t term, const struct wal_place *place)
{
    assert(index->begin + index->count < index->capacity);
    index->places[index->begin + index->count] = *place;
    index->count++;
    if (index->run_count == 0 || index->runs[index->run_count - 1].term != term) {
        assert(index->run_count < index->run_capacity);
        index->runs[index->run_count++] =
            (struct wal_term_run){.first = wal_index_last(index), .term = term};
    }
}

/* Keep what is about to go, places from `from` on, if the mark still needs them. */
static enum pawl_error mark_save(struct wal_index *index, uint64_t from)
{
    struct wal_index_mark *mark = &index->mark;
    if (mark->is_reset || from >= mark->saved_first)
        return PAWL_OK;
    size_t fresh_count = (size_t)(mark->saved_first - from);
    size_t old_count = (size_t)(mark->last + 1 - mark->saved_first);
    struct wal_place *saved = malloc((fresh_count + old_count) * sizeof *saved);
    if (saved == NULL)
        return PAWL_E_NO_MEMORY;
    if (mark->runs == NULL) {
        mark->runs = malloc((index->run_count + 1) * sizeof *mark->runs);
        if (mark->runs == NULL) {
            free(saved);
            return PAWL_E_NO_MEMORY;
        }
        mark->run_count = index->run_count;
        memcpy(mark->runs, index->runs, index->run_count * sizeof *mark->runs);
    }
    memcpy(saved, wal_index_find(index, from), fresh_count * sizeof *saved);
    if (old_count > 0)
        memcpy(saved + fresh_count, mark->saved, old_count * sizeof *saved);
    free(mark->saved);
    mark->saved = saved;
    mark->saved_first = from;
    return PAWL_OK;
}

static void runs_drop_from(struct wal_index *index, uint64_t from)
{
    while (index->run_count > 0 && index->runs[index->run_count - 1].first >= from)
        index->run_count--;
}

static void places_drop_from(struct wal_index *index, uint64_t from)
{
    if (from > wal_index_last(index))
        return;
    index->count = (size_t)(from - index->base_index - 1);
    runs_drop_from(index, from);
}

enum pawl_error wal_index_truncate(struct wal_index *index, uint64_t from)
{
    assert(from > index->base_index);
    TRY(mark_save(index, from));
    places_drop_from(index, from);
    return PAWL_OK;
}

enum pawl_error wal_index_reset(struct wal_index *index, uint64_t base_index, uint64_t base_term)
{
    TRY(mark_save(index, index->base_index + 1));
    index->mark.is_reset = index->mark.saved_first != 0;
    index->base_index = base_index;
    index->base_term = base_term;
    index->begin = index->count = index->run_count = 0;
    return PAWL_OK;
}

void wal_index_cut(struct wal_index *index, uint64_t to)
{
    assert(index->mark.saved_first == 0);
    if (to <= index->base_index)
        return;
    assert(to <= wal_index_last(index));
    size_t dropped = (size_t)(to - index->base_index);
    index->base_term = wal_index_term(index, to);
    index->base_index = to;
    index->begin += dropped;
    index->count -= dropped;
    size_t past = 0;
    while (past + 1 < index->run_count && index->runs[past + 1].first <= to + 1)
        past++;
    if (index->count == 0)
        past = index->run_count;
    if (past > 0) {
        index->run_count -= past;
        memmove(index->runs, index->runs + past, index->run_count * sizeof *index->runs);
    }
}

struct wal_place *wal_index_find(const struct wal_index *index, uint64_t entry)
{
    if (entry <= index->base_index || entry > wal_index_last(index))
        return NULL;
    return &index->places[index->begin + (size_t)(entry - index->base_index - 1)];
}

uint64_t wal_index_term(const struct wal_index *index, uint64_t entry)
{
    if (entry == index->base_index)
        return index->base_term;
    if (wal_index_find(index, entry) == NULL)
        return 0;
    size_t low = 0, high = index->run_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (index->runs[middle].first <= entry)
            low = middle;
        else
            high = middle;
    }
    return index->runs[low].term;
}

void wal_index_mark_set(struct wal_index *index)
{
    uint64_t last = wal_index_last(index);
    index->mark = (struct wal_index_mark){.base_index = index->base_index,
                                          .base_term = index->base_term,
                                          .last = last,
                                          .saved_first = last + 1};
}

void wal_index_settle(struct wal_index *index)
{
    free(index->mark.saved);
    free(index->mark.runs);
    index->mark = (struct wal_index_mark){0};
}

/* Put back what mark_save copied, after the places that never went. */
static void mark_restore(struct wal_index *index)
{
    const struct wal_index_mark *mark = &index->mark;
    size_t kept_count = (size_t)(mark->saved_first - 1 - mark->base_index);
    index->base_index = mark->base_index;
    index->base_term = mark->base_term;
    if (mark->is_reset)
        index->begin = 0;
    index->count = (size_t)(mark->last - mark->base_index);
    index->run_count = mark->run_count;
    if (mark->saved == NULL)
        return;
    assert(index->begin + index->count <= index->capacity);
    memcpy(index->places + index->begin + kept_count, mark->saved,
           (index->count - kept_count) * sizeof *mark->saved);
    memcpy(index->runs, mark->runs, mark->run_count * sizeof *mark->runs);
    runs_drop_from(index, mark->last + 1); /* they were saved with entries newer than the mark */
}

void wal_index_rollback(struct wal_index *index)
{
    if (index->mark.is_reset || index->mark.saved != NULL)
        mark_restore(index);
    else
        places_drop_from(index, index->mark.last + 1);
    wal_index_settle(index);
}
