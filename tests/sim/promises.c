#include "tests/sim/promises.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/must.h"
#include "tests/sim/sim.h"
#include "workflow/state.h"

typedef unsigned long long ull;

struct page { /* one entry while it is read */
    struct promises *promises;
    struct sim *sim;
    uint64_t index;
    const struct entry *entry;
};

void promises_begin(struct promises *promises)
{
    *promises = (struct promises){0};
}

void promises_done(struct promises *promises)
{
    for (size_t i = 0; i < promises->story_count; i++) {
        free(promises->stories[i].steps);
        free(promises->stories[i].undos);
    }
    free(promises->stories);
    arena_done(&promises->arena);
}

/* ---- stories ---- */

static struct story *story_find(struct promises *promises, struct id128 run)
{
    for (size_t i = 0; i < promises->story_count; i++)
        if (id128_equal(promises->stories[i].run, run))
            return &promises->stories[i];
    return NULL;
}

static struct story_step *step_find(struct story *story, uint32_t number)
{
    for (size_t i = 0; i < story->step_count; i++)
        if (story->steps[i].number == number)
            return &story->steps[i];
    if (story->step_count == story->step_capacity) {
        story->step_capacity = story->step_capacity * 2 + 8;
        story->steps = must_resize(story->steps, story->step_capacity * sizeof *story->steps);
    }
    struct story_step *step = &story->steps[story->step_count++];
    *step = (struct story_step){.number = number};
    return step;
}

/* The row that this entry writes; false: it writes no such row. */
static bool written(const struct page *page, enum row_table table, struct bytes key,
                    struct bytes *value_out)
{
    for (size_t i = 0; i < page->entry->write_count; i++) {
        const struct row_write *write = &page->entry->writes[i];
        if (write->table != table || write->is_deleted || !bytes_equal(write->key, key))
            continue;
        *value_out = write->value;
        return true;
    }
    return false;
}

static bool header_written(const struct page *page, struct id128 run, struct instance *row_out)
{
    struct arena *arena = &page->promises->arena;
    struct bytes value;
    return written(page, TABLE_INSTANCE, key_run(arena, run), &value) &&
           instance_read(value, arena, row_out) == PAWL_OK;
}

static bool awaited_written(const struct page *page, struct id128 run, uint32_t number,
                            struct step_row *row_out)
{
    struct instance header;
    if (!header_written(page, run, &header))
        return false;
    const struct step_row *awaited = awaited_step(&header, number);
    if (awaited != NULL)
        *row_out = *awaited;
    return awaited != NULL;
}

/* ---- runs ---- */

static void run_started(const struct page *page, struct id128 run)
{
    struct promises *promises = page->promises;
    struct instance row;
    if (!header_written(page, run, &row)) {
        sim_fail(page->sim, "P1", "entry %llu starts a run without a row", (ull)page->index);
        return;
    }
    if (promises->story_count == promises->story_capacity) {
        promises->story_capacity = promises->story_capacity * 2 + 64;
        promises->stories =
            must_resize(promises->stories, promises->story_capacity * sizeof *promises->stories);
    }
    struct story story = {.run = run, .request = row.request};
    snprintf(story.workflow_id, sizeof story.workflow_id, "%.*s", (int)row.workflow_id.size,
             (const char *)row.workflow_id.data);
    for (size_t i = 0; i < promises->story_count; i++) {
        const struct story *other = &promises->stories[i];
        if (id128_equal(other->request, story.request) || id128_equal(other->run, story.run))
            sim_fail(page->sim, "P2", "entry %llu starts %s a second time for one request",
                     (ull)page->index, story.workflow_id);
        if (!other->is_ended && strcmp(other->workflow_id, story.workflow_id) == 0)
            sim_fail(page->sim, "P2", "entry %llu starts %s while it runs", (ull)page->index,
                     story.workflow_id);
    }
    promises->stories[promises->story_count++] = story;
}

static void run_ended(const struct page *page, struct story *story)
{
    story->is_ended = true;
    for (size_t i = 0; i < story->step_count; i++)
        if (story->steps[i].is_out)
            sim_fail(page->sim, "P1", "entry %llu ends %s while its step %u is out",
                     (ull)page->index, story->workflow_id, (unsigned)story->steps[i].number);
}

static void run_faulted(const struct page *page, struct story *story)
{
    struct instance row;
    if (story->undo_count > 0 && header_written(page, story->run, &row) &&
        bytes_equal(row.definition, BYTES_LITERAL("saga")))
        sim_fail(page->sim, "P8", "entry %llu ends %s with %zu effects that were not undone",
                 (ull)page->index, story->workflow_id, story->undo_count);
    run_ended(page, story);
}

/* ---- steps ---- */

static void step_handed_out(const struct page *page, struct story *story,
                            const struct journal_event *event)
{
    struct step_row row;
    struct story_step *step = step_find(story, event->step);
    const struct msg_fence *fence = &event->fence;
    if (!awaited_written(page, story->run, event->step, &row)) {
        sim_fail(page->sim, "P4", "entry %llu hands out a step without writing it",
                 (ull)page->index);
        return;
    }
    step->is_undo = row.is_undo;
    step->is_at_most_once = row.is_at_most_once;
    if (fence->index != page->index || fence->term != page->sim->chain.entries[page->index].term)
        sim_fail(page->sim, "P4", "entry %llu hands out a step under fence (%llu, %llu)",
                 (ull)page->index, (ull)fence->term, (ull)fence->index);
    if (step->is_out)
        sim_fail(page->sim, "P4", "entry %llu hands out step %u of %s, which is out",
                 (ull)page->index, (unsigned)step->number, story->workflow_id);
    if (step->is_completed)
        sim_fail(page->sim, "P3", "entry %llu hands out step %u of %s, which is completed",
                 (ull)page->index, (unsigned)step->number, story->workflow_id);
    if (step->is_at_most_once && step->handout_count > 0)
        sim_fail(page->sim, "P5", "entry %llu hands out step %u of %s again", (ull)page->index,
                 (unsigned)step->number, story->workflow_id);
    for (size_t i = 0; i < story->step_count && step->is_undo; i++)
        if (&story->steps[i] != step && story->steps[i].is_undo && story->steps[i].is_out)
            sim_fail(page->sim, "P8", "entry %llu undoes two steps of %s at a time",
                     (ull)page->index, story->workflow_id);
    step->is_out = true;
    step->handout_count++;
    step->fence = *fence;
}

static void step_reported(const struct page *page, struct story *story,
                          const struct journal_event *event)
{
    struct story_step *step = step_find(story, event->step);
    if (!step->is_out || !fence_equal(&step->fence, &event->fence))
        sim_fail(page->sim, "P4",
                 "entry %llu takes a report on step %u of %s under fence "
                 "(%llu, %llu, %u), which is not out",
                 (ull)page->index, (unsigned)step->number, story->workflow_id,
                 (ull)event->fence.term, (ull)event->fence.index, (unsigned)event->fence.ordinal);
    step->is_out = false;
    step->is_completed = event->kind == EV_STEP_COMPLETED;
}

static void step_taken_back(struct story *story, const struct journal_event *event)
{
    step_find(story, event->step)->is_out = false;
}

/* ---- timers ---- */

static uint64_t wait_us_of(struct bytes task)
{
    if (bytes_equal(task, BYTES_LITERAL("/do/1/doze")))
        return 700000;
    return bytes_equal(task, BYTES_LITERAL("/do/3/sleep")) ? 4000000 : 0;
}

static void wait_started(const struct page *page, struct story *story,
                         const struct journal_event *event)
{
    const uint64_t expected_us = page->entry->clock_us + wait_us_of(event->task);
    if (wait_us_of(event->task) == 0)
        return;
    story->wait_began_us = page->entry->clock_us;
    story->wait_due_us = event->due_us;
    if (event->due_us != expected_us)
        sim_fail(page->sim, "P6", "entry %llu begins a wait of %s until %llu, not %llu",
                 (ull)page->index, story->workflow_id, (ull)event->due_us, (ull)expected_us);
}

/* The timer of the story's run that this entry takes away. */
static bool timer_removed(const struct page *page, const struct story *story, uint64_t *due_out)
{
    for (size_t i = 0; i < page->entry->write_count; i++) {
        const struct row_write *write = &page->entry->writes[i];
        struct id128 run;
        uint32_t number;
        if (write->table == TABLE_TIMER && write->is_deleted &&
            key_timer_parse(write->key, due_out, &run, &number) && id128_equal(run, story->run) &&
            *due_out <= page->entry->clock_us)
            return true;
    }
    return false;
}

static void timer_fired(const struct page *page, struct story *story,
                        const struct journal_event *event)
{
    uint64_t due_us;
    totals_count(&page->sim->totals, TOTAL_TIMERS);
    if (!timer_removed(page, story, &due_us))
        sim_fail(page->sim, "P6", "entry %llu of %llu us fires a timer of %s that is not due",
                 (ull)page->index, (ull)page->entry->clock_us, story->workflow_id);
    if (bytes_equal(event->detail, BYTES_LITERAL("wait")) && wait_us_of(event->task) > 0 &&
        page->entry->clock_us < story->wait_began_us + wait_us_of(event->task))
        sim_fail(page->sim, "P6", "entry %llu ends a wait of %s early", (ull)page->index,
                 story->workflow_id);
}

/* ---- undoing ---- */

static void undo_forget(struct story *story, struct bytes task)
{
    size_t kept = 0;
    for (size_t i = 0; i < story->undo_count; i++)
        if (!bytes_equal(bytes_string(story->undos[i]), task))
            memmove(story->undos[kept++], story->undos[i], sizeof story->undos[i]);
    story->undo_count = kept;
}

/* The definitions have no loops: a task that is captured again was retried, and replaces its first
 * capture. */
static void undo_captured(struct story *story, const struct journal_event *event)
{
    undo_forget(story, event->task);
    if (story->undo_count == story->undo_capacity) {
        story->undo_capacity = story->undo_capacity * 2 + 4;
        story->undos = must_resize(story->undos, story->undo_capacity * sizeof *story->undos);
    }
    char *name = story->undos[story->undo_count++];
    snprintf(name, sizeof story->undos[0], "%.*s", (int)event->task.size,
             (const char *)event->task.data);
}

static void undo_completed(const struct page *page, struct story *story,
                           const struct journal_event *event)
{
    totals_count(&page->sim->totals, TOTAL_UNDONE);
    if (story->undo_count == 0 ||
        !bytes_equal(bytes_string(story->undos[story->undo_count - 1]), event->task))
        sim_fail(page->sim, "P8", "entry %llu undoes %.*s of %s, but the last effect is that of %s",
                 (ull)page->index, (int)event->task.size, (const char *)event->task.data,
                 story->workflow_id,
                 story->undo_count == 0 ? "nothing" : story->undos[story->undo_count - 1]);
    else
        story->undo_count--;
}

/* ---- events ---- */

static void story_goes_on(const struct page *page, struct story *story,
                          const struct journal_event *event)
{
    if (story->is_ended && event->kind != EV_REPORT_REJECTED) {
        sim_fail(page->sim, "P3", "entry %llu: %s in %s, which has ended", (ull)page->index,
                 event_name(event->kind), story->workflow_id);
        return;
    }
    if (event->kind == EV_WORKFLOW_COMPLETED || event->kind == EV_WORKFLOW_TERMINATED)
        run_ended(page, story);
    else if (event->kind == EV_WORKFLOW_FAULTED)
        run_faulted(page, story);
    else if (event->kind == EV_STEP_HANDED_OUT)
        step_handed_out(page, story, event);
    else if (event->kind == EV_STEP_COMPLETED || event->kind == EV_STEP_FAILED)
        step_reported(page, story, event);
    else if (event->kind == EV_LEASE_LOST || event->kind == EV_STEP_ABANDONED)
        step_taken_back(story, event);
    else if (event->kind == EV_WAIT_STARTED)
        wait_started(page, story, event);
    else if (event->kind == EV_TIMER_FIRED)
        timer_fired(page, story, event);
    else if (event->kind == EV_COMPENSATION_CAPTURED)
        undo_captured(story, event);
    else if (event->kind == EV_UNDO_COMPLETED)
        undo_completed(page, story, event);
}

static void record_read(const struct page *page, const struct row_write *write)
{
    struct journal_record record;
    if (write->is_deleted || be64_get(write->key.data) != page->index ||
        journal_record_read(write->value, &page->promises->arena, &record) != PAWL_OK) {
        sim_fail(page->sim, "P13", "entry %llu writes a journal row that is none",
                 (ull)page->index);
        return;
    }
    if (record.time_us != page->entry->clock_us)
        sim_fail(page->sim, "P6", "entry %llu of %llu us tells of %llu us", (ull)page->index,
                 (ull)page->entry->clock_us, (ull)record.time_us);
    const struct journal_event *events = record.events.elements;
    for (size_t i = 0; i < record.events.count && !sim_has_failed(page->sim); i++) {
        if (events[i].kind == EV_WORKFLOW_STARTED)
            run_started(page, record.run);
        struct story *story = story_find(page->promises, record.run);
        if (story != NULL)
            story_goes_on(page, story, &events[i]);
    }
}

/* ---- rows ---- */

static void handout_recorded(const struct page *page, const struct row_write *write)
{
    struct id128 session;
    struct msg_fence fence;
    if (!handout_key_parse(write->key, &session, &fence)) {
        sim_fail(page->sim, "P4", "entry %llu has a hand-out with a key that is none",
                 (ull)page->index);
        return;
    }
    if (!write->is_deleted &&
        (fence.index != page->index || fence.term != page->sim->chain.entries[page->index].term))
        sim_fail(page->sim, "P4", "entry %llu records a hand-out under fence (%llu, %llu)",
                 (ull)page->index, (ull)fence.term, (ull)fence.index);
}

/* A row that is taken away was there: nothing is fired or handed back twice. */
static void was_there(const struct page *page, const struct row_write *write)
{
    const struct chain *chain = &page->sim->chain;
    struct bytes value;
    if (write->is_deleted &&
        chain->port.get(chain->port.self, chain_snapshot(chain, page->index - 1),
                        (enum row_table)write->table, write->key, &value) != PAWL_OK)
        sim_fail(page->sim, write->table == TABLE_TIMER ? "P6" : "P4",
                 "entry %llu takes a row of table %u away that is not there", (ull)page->index,
                 (unsigned)write->table);
}

/* What an entry leaves of a run is sound. */
static void run_checked(const struct page *page, const struct row_write *write)
{
    const struct chain *chain = &page->sim->chain;
    struct rows_view over = {.rows = &chain->port, .snapshot = chain_snapshot(chain, page->index)};
    const struct view view = rows_view_of(&over);
    struct id128 run;
    if (write->is_deleted)
        return;
    memcpy(run.byte, write->key.data, sizeof run.byte);
    wf_check(&view, run);
}

static int key_order(const void *a, const void *b)
{
    const struct row_write *const *left = a, *const *right = b;
    return bytes_compare((*left)->key, (*right)->key);
}

void promises_entry(struct promises *promises, struct sim *sim, uint64_t index,
                    const struct entry *entry)
{
    const struct page page = {promises, sim, index, entry};
    size_t record_count = 0;
    arena_reset(&promises->arena);
    const struct row_write **records =
        arena_array(&promises->arena, entry->write_count, sizeof *records);
    for (size_t i = 0; i < entry->write_count; i++) {
        const struct row_write *write = &entry->writes[i];
        if (write->table == TABLE_JOURNAL)
            records[record_count++] = write;
        if (write->table == TABLE_HANDOUT)
            handout_recorded(&page, write);
        if (write->table == TABLE_HANDOUT || write->table == TABLE_TIMER)
            was_there(&page, write);
        if (write->table == TABLE_INSTANCE)
            run_checked(&page, write);
    }
    if (record_count > 0)
        qsort(records, record_count, sizeof *records, key_order);
    for (size_t i = 0; i < record_count && !sim_has_failed(sim); i++)
        record_read(&page, records[i]);
}
