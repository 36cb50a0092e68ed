/* Linearizable reads: a round of the leadership confirmed after they arrived, then the committed
 * rows; what memory does not hold, and what scans, goes to a snapshot of the store that has
 * everything the round promised.
 */
#include <stdlib.h>

#include "node/mutant.h"
#include "node/partition.h"

enum { READINGS_MAX = 16384 };

static void reading_free(struct reading *reading)
{
    buffer_done(&reading->body);
    free(reading);
}

static void append_to(struct reading **list, struct reading *reading)
{
    while (*list != NULL)
        list = &(*list)->next;
    reading->next = NULL;
    *list = reading;
}

static void respond(struct partition *partition, struct reading *reading, enum pawl_error error,
                    struct bytes detail, struct bytes answer, uint64_t index)
{
    clients_respond(partition->replica, reading->origin, error, detail, answer, index);
    reading_free(reading);
}

void reads_take(struct partition *partition, enum request_kind kind, struct bytes body,
                struct origin origin)
{
    const struct bytes none = {NULL, 0};
    struct reading *reading = calloc(1, sizeof *reading);
    if (reading == NULL) {
        clients_respond(partition->replica, origin, PAWL_E_NO_MEMORY, none, none, 0);
        return;
    }
    *reading = (struct reading){.origin = origin, .kind = kind, .round = ROUND_UNASSIGNED};
    buffer_append(&reading->body, body.data, body.size);
    if (reading->body.is_failed) {
        respond(partition, reading, PAWL_E_NO_MEMORY, none, none, 0);
        return;
    }
    if (NODE_MUTANT(READ_WITHOUT_ROUND))
        reading->round = 0;
    append_to(&partition->readings, reading);
    partition->wants_round = true;
}

/* ---- from a snapshot ---- */

static void submit_query(struct partition *partition, struct reading *reading)
{
    struct job *job = job_new(JOB_QUERY, partition->number);
    if (job == NULL)
        return; /* stays in the list; the next flush tries again */
    reading->token = ++partition->next_token;
    job->query.kind = reading->kind;
    job->query.body = arena_copy(&job->arena, buffer_bytes(&reading->body));
    job->query.token = reading->token;
    partition_submit(partition, job);
}

static void go_to_snapshot(struct partition *partition, struct reading *reading, uint64_t index)
{
    reading->index = index;
    reading->token = 0;
    append_to(&partition->snapshots, reading);
    if (memory_flushed_index(partition->memory) >= index)
        submit_query(partition, reading);
    else
        flush_want(partition, index);
}

void reads_flushed(struct partition *partition)
{
    const uint64_t flushed = memory_flushed_index(partition->memory);
    for (struct reading *r = partition->snapshots; r != NULL; r = r->next)
        if (r->token == 0 && r->index <= flushed)
            submit_query(partition, r);
}

static struct reading *take_by_token(struct partition *partition, uint64_t token)
{
    for (struct reading **at = &partition->snapshots; *at != NULL; at = &(*at)->next)
        if ((*at)->token == token) {
            struct reading *found = *at;
            *at = found->next;
            return found;
        }
    return NULL; /* its connection or the role went meanwhile */
}

/* ---- answering ---- */

static bool wants_snapshot(enum request_kind kind)
{
    return kind == REQUEST_LIST || kind == REQUEST_HISTORY || kind == REQUEST_DEFINITION_LIST;
}

/* RESULT of a run that still runs waits for its end. */
static void watch(struct partition *partition, struct reading *reading, struct id128 run)
{
    reading->run = run;
    append_to(&partition->watchers, reading);
}

static void answer_from_memory(struct partition *partition, struct reading *reading, uint64_t index)
{
    struct replica *replica = partition->replica;
    struct memory_reader reader = {
        .memory = partition->memory, .level = MEMORY_COMMITTED, .arena = &replica->scratch};
    const struct view view = memory_view(&reader);
    struct bytes answer = {NULL, 0};
    struct pawl_diag diag = {0};
    struct id128 run = {0};
    arena_reset(&replica->scratch);
    enum pawl_error error =
        wf_query(partition->engine, &view, reading->kind, buffer_bytes(&reading->body),
                 &replica->scratch, &answer, &run, &diag);
    if (error == PAWL_E_NOT_LOADED)
        go_to_snapshot(partition, reading, index);
    else if (error == PAWL_E_NOT_READY && reading->kind == REQUEST_RESULT)
        watch(partition, reading, run);
    else
        respond(partition, reading, error, bytes_string(diag.text), answer, index);
}

/* Whether the run may have ended after `index`: its end was seen since, or more ends than are
 * remembered. */
static bool may_have_closed(const struct partition *partition, struct id128 run, uint64_t index)
{
    const size_t kept =
        partition->closing_count < CLOSINGS_MAX ? partition->closing_count : CLOSINGS_MAX;
    for (size_t i = 1; i <= kept; i++) {
        const struct closing *closing =
            &partition->closings[(partition->closing_count - i) % CLOSINGS_MAX];
        if (closing->index <= index)
            return false;
        if (id128_equal(closing->run, run))
            return true;
    }
    return partition->closing_count > CLOSINGS_MAX;
}

void reads_queried(struct partition *partition, struct job *job)
{
    struct reading *reading = take_by_token(partition, job->query.token);
    const bool is_open = job->error == PAWL_E_NOT_READY;
    if (reading != NULL && is_open && reading->kind == REQUEST_RESULT) {
        if (may_have_closed(partition, job->query.run, job->query.index))
            go_to_snapshot(partition, reading, partition->applied_index);
        else
            watch(partition, reading, job->query.run);
    } else if (reading != NULL) {
        respond(partition, reading, job->error, bytes_string(job->diag.text), job->query.answer,
                job->query.index);
    }
    job_free(job);
}

void reads_confirmed(struct partition *partition)
{
    while (partition->readings != NULL &&
           partition->readings->round <= partition->confirmed_round &&
           partition->applied_index >= partition->confirmed_index) {
        struct reading *reading = partition->readings;
        partition->readings = reading->next;
        if (wants_snapshot(reading->kind))
            go_to_snapshot(partition, reading, partition->applied_index);
        else
            answer_from_memory(partition, reading, partition->applied_index);
    }
}

void reads_run_closed(struct partition *partition, struct id128 run, uint64_t index)
{
    partition->closings[partition->closing_count++ % CLOSINGS_MAX] =
        (struct closing){.run = run, .index = index};
    struct reading **at = &partition->watchers;
    struct reading *closed = NULL;
    while (*at != NULL) {
        struct reading *watcher = *at;
        if (!id128_equal(watcher->run, run)) {
            at = &watcher->next;
            continue;
        }
        *at = watcher->next;
        append_to(&closed, watcher);
    }
    while (closed != NULL) {
        struct reading *reading = closed;
        closed = reading->next;
        answer_from_memory(partition, reading, partition->applied_index);
    }
}

static void fail_list(struct partition *partition, struct reading **list, enum pawl_error error)
{
    while (*list != NULL) {
        struct reading *reading = *list;
        *list = reading->next;
        respond(partition, reading, error, (struct bytes){NULL, 0}, (struct bytes){NULL, 0}, 0);
    }
}

void reads_fail_all(struct partition *partition, enum pawl_error error)
{
    fail_list(partition, &partition->readings, error);
    fail_list(partition, &partition->snapshots, error);
    fail_list(partition, &partition->watchers, error);
    partition->wants_round = false;
}
