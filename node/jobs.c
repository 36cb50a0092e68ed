#include "node/jobs.h"

#include <assert.h>
#include <stdlib.h>

#include "node/store/near.h"
#include "node/store/table_place.h"
#include "proto/limits.h"

enum {
    LOAD_ROWS_MAX = 512,
    LOAD_BYTES_MAX = 1 << 20,  /* of one part, unless one row is larger */
    PARTS_BYTES_MAX = 2 << 20, /* after which no further part is begun */
    RUN_VALUES_MAX = 8,        /* that come with the header of a run, the first */
    RUN_BYTES_MAX = 64 << 10,
};

struct job *job_new(enum job_kind kind, uint32_t partition)
{
    struct job *job = calloc(1, sizeof *job);
    if (job != NULL) {
        job->kind = kind;
        job->partition = partition;
    }
    return job;
}

void job_free(struct job *job)
{
    if (job == NULL)
        return;
    arena_done(&job->arena);
    free(job);
}

static enum pawl_error append_all(struct wal *wal, const struct job *job)
{
    for (size_t i = 0; i < job->append.record_count; i++)
        TRY(wal_append(wal, &job->append.records[i]));
    return PAWL_OK;
}

/* The appends jobs[begin..end) as one group. */
static enum pawl_error run_appends(struct wal *wal, struct job *const *jobs, size_t begin,
                                   size_t end)
{
    enum pawl_error error = PAWL_OK;
    for (size_t i = begin; i < end && error == PAWL_OK; i++)
        error = append_all(wal, jobs[i]);
    if (error == PAWL_OK)
        error = wal_sync(wal, &jobs[begin]->diag);
    jobs[begin]->append.sync_count = 1;
    for (size_t i = begin; i < end; i++)
        jobs[i]->error = error;
    return error;
}

static enum pawl_error run_other(struct wal *wal, struct job *job)
{
    if (job->kind == JOB_LOG_READ)
        job->error =
            wal_read(wal, job->partition, job->read.first, job->read.last, job->read.bytes_max,
                     &job->arena, &job->read.entries, &job->read.entry_count);
    else
        job->error = wal_cut(wal, job->partition, job->cut.index, &job->diag);
    return job->error;
}

enum pawl_error jobs_run_log(struct wal *wal, struct job *const *jobs, size_t count,
                             size_t *done_out)
{
    size_t begin = 0;
    while (begin < count) {
        size_t end = begin;
        while (end < count && jobs[end]->kind == JOB_LOG_APPEND)
            end++;
        const bool is_group = end > begin;
        enum pawl_error error =
            is_group ? run_appends(wal, jobs, begin, end) : run_other(wal, jobs[begin]);
        if (is_group && error != PAWL_OK) {
            *done_out = begin;
            return error;
        }
        begin = is_group ? end : begin + 1;
    }
    *done_out = count;
    return PAWL_OK;
}

static enum pawl_error change_add(struct net_change *change, struct bytes payload,
                                  struct arena *scratch)
{
    struct entry entry;
    arena_reset(scratch);
    TRY(entry_decode(payload, scratch, &entry));
    return net_change_add(change, &entry);
}

enum { PAYLOADS_AHEAD = 3, NEAR_BYTES = 1024 }; /* more than most have */

/* The net change of entries; the writes are alive until the next one is made of them. */
static enum pawl_error net_change(struct net_change *change, const struct bytes *payloads,
                                  size_t payload_count, uint64_t hash_seed,
                                  const struct row_write **writes_out, size_t *write_count_out,
                                  struct pawl_diag *diag)
{
    struct arena scratch = {0};
    enum pawl_error error = PAWL_OK;
    net_change_begin(change, hash_seed);
    for (size_t i = 0; i < payload_count && error == PAWL_OK; i++) {
        if (i + PAYLOADS_AHEAD < payload_count)
            bytes_near(payloads[i + PAYLOADS_AHEAD], NEAR_BYTES);
        if (payloads[i].size > 0)
            error = change_add(change, payloads[i], &scratch);
    }
    arena_done(&scratch);
    if (error != PAWL_OK && error != PAWL_E_NO_MEMORY)
        return diag_fail(diag, PAWL_E_CORRUPT, "a committed entry cannot be read");
    TRY(error);
    return net_change_end(change, writes_out, write_count_out);
}

static size_t payload_bytes(const struct bytes *payloads, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += payloads[i].size;
    return bytes;
}

static enum pawl_error flush_window(const struct rows_port *rows, struct job *job)
{
    const struct row_write *writes;
    job->flush.bytes = payload_bytes(job->flush.payloads, job->flush.payload_count);
    TRY(net_change(job->flush.change, job->flush.payloads, job->flush.payload_count,
                   job->flush.hash_seed, &writes, &job->flush.write_count, &job->diag));
    return rows->flush(rows->self, job->partition, &job->flush.mark, writes, job->flush.write_count,
                       &job->diag);
}

enum pawl_error job_run_flush(const struct rows_port *rows, struct job *job)
{
    job->error = flush_window(rows, job);
    return job->error;
}

static enum pawl_error copy_rows(struct arena *arena, const struct row *rows, size_t count,
                                 struct row **copy_out)
{
    struct row *copy = arena_array(arena, count, sizeof *copy);
    if (copy == NULL && count > 0)
        return PAWL_E_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        copy[i].key = arena_copy(arena, rows[i].key);
        copy[i].value = arena_copy(arena, rows[i].value);
        if ((copy[i].key.data == NULL && rows[i].key.size > 0) ||
            (copy[i].value.data == NULL && rows[i].value.size > 0))
            return PAWL_E_NO_MEMORY;
    }
    *copy_out = copy;
    return PAWL_OK;
}

/* There is no such row: then there is none from the row before it to the row after it either. So
 * the next new key of an ascending table is known to be absent without another load. */
static enum pawl_error widen_absence(const struct rows_port *rows, struct rows_snapshot *snapshot,
                                     struct arena *arena, struct load_part *part)
{
    const struct bytes none = {NULL, 0};
    const struct bytes key = part->missing.begin;
    const enum row_table table = part->missing.table;
    struct row before, after;
    size_t before_count, after_count;
    TRY(rows->scan(rows->self, snapshot, table, none, key, true, 1, &before, &before_count));
    TRY(rows->scan(rows->self, snapshot, table, key, none, false, 1, &after, &after_count));
    struct bytes begin = none, end = none;
    if (before_count > 0) { /* the smallest key above it */
        uint8_t *next = arena_alloc(arena, before.key.size + 1);
        if (next == NULL)
            return PAWL_E_NO_MEMORY;
        memcpy(next, before.key.data, before.key.size);
        begin = bytes_of(next, before.key.size + 1);
    }
    if (after_count > 0) {
        end = arena_copy(arena, after.key);
        if (end.data == NULL)
            return PAWL_E_NO_MEMORY;
    }
    part->missing =
        (struct memory_missing){.table = table, .is_range = true, .begin = begin, .end = end};
    part->covered_end = end;
    return PAWL_OK;
}

static enum pawl_error load_row(const struct rows_port *rows, struct rows_snapshot *snapshot,
                                struct arena *arena, struct load_part *part)
{
    struct row row = {.key = part->missing.begin};
    enum pawl_error error =
        rows->get(rows->self, snapshot, part->missing.table, row.key, &row.value);
    if (error == PAWL_E_NOT_FOUND)
        return table_place(part->missing.table) == PLACE_IN_ORDER
                   ? widen_absence(rows, snapshot, arena, part)
                   : PAWL_OK;
    TRY(error);
    TRY(copy_rows(arena, &row, 1, &part->rows));
    part->row_count = 1;
    return PAWL_OK;
}

/* How many of the rows one part brings: at least one, and more while they are small. */
static size_t load_count(const struct row *rows, size_t count)
{
    size_t bytes = 0, taken = 0;
    while (taken < count && taken < LOAD_ROWS_MAX && (taken == 0 || bytes < LOAD_BYTES_MAX)) {
        bytes += rows[taken].key.size + rows[taken].value.size;
        taken++;
    }
    return taken;
}

static enum pawl_error load_range(const struct rows_port *rows, struct rows_snapshot *snapshot,
                                  struct arena *arena, struct load_part *part)
{
    const struct memory_missing *missing = &part->missing;
    struct row *found = arena_array(arena, LOAD_ROWS_MAX + 1, sizeof *found);
    size_t count;
    if (found == NULL)
        return PAWL_E_NO_MEMORY;
    TRY(rows->scan(rows->self, snapshot, missing->table, missing->begin, missing->end, false,
                   LOAD_ROWS_MAX + 1, found, &count));
    part->covered_end = missing->end;
    const size_t taken = load_count(found, count);
    if (taken < count) {
        part->covered_end = arena_copy(arena, found[taken].key);
        if (part->covered_end.data == NULL)
            return PAWL_E_NO_MEMORY;
    }
    TRY(copy_rows(arena, found, taken, &part->rows));
    part->row_count = taken;
    return PAWL_OK;
}

/* ---- what comes with the header of a run ---- */

static bool add_value(struct job *job, const struct row *row)
{
    if (job->load.part_count == job->load.part_capacity) {
        const size_t capacity = job->load.part_capacity * 2;
        struct load_part *grown = arena_array(&job->arena, capacity, sizeof *grown);
        if (grown == NULL)
            return false;
        memcpy(grown, job->load.parts, job->load.part_count * sizeof *grown);
        job->load.parts = grown;
        job->load.part_capacity = capacity;
    }
    struct load_part part = {.missing = {.table = TABLE_VALUE}};
    if (copy_rows(&job->arena, row, 1, &part.rows) != PAWL_OK)
        return false;
    part.row_count = 1;
    part.missing.begin = part.rows->key;
    job->load.parts[job->load.part_count++] = part;
    return true;
}

/* Some of a run's values; without memory for them they are loaded when they are missed. */
static enum pawl_error load_values(const struct rows_port *rows, struct rows_snapshot *snapshot,
                                   struct job *job, struct bytes run)
{
    struct row found[RUN_VALUES_MAX];
    size_t count, bytes = 0;
    uint8_t *after = arena_alloc(&job->arena, run.size);
    if (after == NULL)
        return PAWL_OK;
    memcpy(after, run.data, run.size);
    for (size_t i = run.size; i > 0 && ++after[i - 1] == 0; i--)
        continue;
    TRY(rows->scan(rows->self, snapshot, TABLE_VALUE, run, bytes_of(after, run.size), false,
                   RUN_VALUES_MAX, found, &count));
    for (size_t i = 0; i < count; i++) {
        bytes += found[i].value.size;
        if (bytes > RUN_BYTES_MAX || !add_value(job, &found[i]))
            return PAWL_OK;
    }
    return PAWL_OK;
}

static enum pawl_error load_with_run(const struct rows_port *rows, struct rows_snapshot *snapshot,
                                     struct job *job, const struct load_part *header)
{
    if (header->missing.table != TABLE_INSTANCE || header->missing.is_range ||
        header->row_count == 0)
        return PAWL_OK;
    return load_values(rows, snapshot, job, header->missing.begin);
}

static size_t part_bytes(const struct load_part *part)
{
    size_t bytes = 0;
    for (size_t i = 0; i < part->row_count; i++)
        bytes += part->rows[i].key.size + part->rows[i].value.size;
    return bytes;
}

static enum pawl_error load_parts(const struct rows_port *rows, struct rows_snapshot *snapshot,
                                  struct job *job)
{
    const size_t wanted = job->load.part_count;
    size_t bytes = 0, loaded = 0;
    while (loaded < wanted && bytes < PARTS_BYTES_MAX) {
        struct load_part *part = &job->load.parts[loaded++];
        TRY(part->missing.is_range ? load_range(rows, snapshot, &job->arena, part)
                                   : load_row(rows, snapshot, &job->arena, part));
        bytes += part_bytes(part);
    }
    job->load.part_count = loaded;
    for (size_t i = 0; i < loaded && bytes < PARTS_BYTES_MAX; i++) {
        const struct load_part header = job->load.parts[i]; /* the array may move */
        const size_t before = job->load.part_count;
        TRY(load_with_run(rows, snapshot, job, &header));
        for (size_t k = before; k < job->load.part_count; k++)
            bytes += part_bytes(&job->load.parts[k]);
    }
    return PAWL_OK;
}

/* What the snapshot, which may be newer than the store was when the query was asked for, lacks of
 * the query's entries lies over it. */
static enum pawl_error lay_over(struct job *job, uint64_t snapshot_index, struct net_change *change,
                                struct rows_view *view)
{
    const uint64_t before = job->query.index - job->query.payload_count;
    if (job->query.index <= snapshot_index)
        job->query.index = snapshot_index;
    if (job->query.payload_count == 0 || job->query.index == snapshot_index)
        return PAWL_OK;
    assert(before <= snapshot_index); /* the store only advances */
    const size_t known = (size_t)(snapshot_index - before);
    return net_change(change, job->query.payloads + known, job->query.payload_count - known,
                      job->query.hash_seed, &view->writes, &view->write_count, &job->diag);
}

static enum pawl_error run_query(const struct rows_port *rows, struct rows_snapshot *snapshot,
                                 struct engine *engine, struct net_change *change, struct job *job)
{
    struct rows_view over = {.rows = rows, .snapshot = snapshot, .arena = &job->arena};
    struct bytes answer = {NULL, 0};
    TRY(lay_over(job, rows->snapshot_mark(rows->self, snapshot).index, change, &over));
    const struct view view = rows_view_of(&over);
    enum pawl_error error = wf_query(engine, &view, job->query.kind, job->query.body, &job->arena,
                                     &answer, &job->query.run, &job->diag);
    job->query.answer = arena_copy(&job->arena, answer);
    if (answer.size > 0 && job->query.answer.data == NULL)
        return PAWL_E_NO_MEMORY;
    return error;
}

void job_run_read(const struct rows_port *rows, struct engine *engine, struct job *job)
{
    struct rows_snapshot *snapshot;
    job->error = rows->snapshot_open(rows->self, job->partition, &snapshot);
    if (job->error != PAWL_OK)
        return;
    if (job->kind == JOB_QUERY) {
        struct net_change change = {0};
        job->error = run_query(rows, snapshot, engine, &change, job);
        net_change_done(&change);
    } else {
        job->load.label = rows->snapshot_mark(rows->self, snapshot).index;
        job->error = load_parts(rows, snapshot, job);
    }
    rows->snapshot_close(rows->self, snapshot);
}
