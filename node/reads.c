/* Linearizable reads: a round of the leadership confirmed after they arrived, then the committed
 * rows; what memory does not hold, and what scans, goes to a snapshot of the store, with the
 * window's entries over it up to what the round promised.
 */
#include <assert.h>
#include <stdlib.h>

#include "node/mutant.h"
#include "node/partition.h"

/* Answers of one turn; the rest waits for the next, so that heartbeats leave in time. */
enum { ANSWER_BYTES_PER_TURN = 256 << 10, ANSWER_BYTES_MIN = 512 };

static const struct bytes none = {NULL, 0};

static void reading_free(struct partition *partition, struct reading *reading)
{
    partition->reading_count--;
    free(reading);
}

static struct bytes body_of(const struct reading *reading)
{
    return bytes_of(reading->body, reading->body_bytes);
}

static void append_to(struct reading_queue *queue, struct reading *reading)
{
    if (queue->first == NULL)
        queue->last_next = &queue->first;
    reading->next = NULL;
    *queue->last_next = reading;
    queue->last_next = &reading->next;
}

static void put_first(struct reading_queue *queue, struct reading *reading)
{
    if (queue->first == NULL)
        queue->last_next = &reading->next;
    reading->next = queue->first;
    queue->first = reading;
}

/* What stands at a place of the queue leaves it. */
static struct reading *take_at(struct reading_queue *queue, struct reading **at)
{
    struct reading *taken = *at;
    *at = taken->next;
    if (queue->last_next == &taken->next)
        queue->last_next = at;
    return taken;
}

static void respond(struct partition *partition, struct reading *reading, enum pawl_error error,
                    struct bytes detail, struct bytes answer, uint64_t index)
{
    clients_respond(partition->replica, reading->origin, error, detail, answer, index);
    reading_free(partition, reading);
}

static void refuse(struct partition *partition, struct reading *reading, enum pawl_error error)
{
    respond(partition, reading, error, none, none, 0);
}

void reads_take(struct partition *partition, enum request_kind kind, struct bytes body,
                struct origin origin)
{
    const bool is_full = partition->reading_count - partition->watching_count >= READS_WAITING_MAX;
    struct reading *reading = is_full ? NULL : malloc(sizeof *reading + body.size);
    if (reading == NULL) {
        clients_respond(partition->replica, origin, is_full ? PAWL_E_BUSY : PAWL_E_NO_MEMORY, none,
                        none, 0);
        return;
    }
    *reading = (struct reading){.origin = origin,
                                .kind = kind,
                                .round = partition->started_round + 1,
                                .body_bytes = body.size};
    if (body.size > 0)
        memcpy(reading->body, body.data, body.size);
    partition->reading_count++;
    if (NODE_MUTANT(READ_WITHOUT_ROUND))
        reading->round = 0;
    append_to(&partition->readings, reading);
    partition->wants_round = true;
}

/* ---- from a snapshot ---- */

/* More than this is not laid over a snapshot for each query: it waits for a flush. */
enum { WINDOW_BYTES_MAX = 4 << 20 };

static bool is_near_store(const struct partition *partition, const struct reading *reading)
{
    return reading->is_settled || partition->flushed_index >= reading->index ||
           partition->window_bytes <= WINDOW_BYTES_MAX;
}

static bool can_query(const struct partition *partition, const struct reading *reading)
{
    return partition->query_count < QUERIES_AT_ONCE && is_near_store(partition, reading);
}

/* The entries that the store does not have, as far as the query sees: they stay in the cache until
 * the job is back. False: no memory. */
static bool lend_window(const struct partition *partition, struct job *job,
                        const struct reading *reading)
{
    const uint64_t flushed = partition->flushed_index;
    const bool is_enough = reading->is_settled || reading->index <= flushed;
    const size_t count = is_enough ? 0 : (size_t)(reading->index - flushed);
    job->query.index = reading->index;
    job->query.hash_seed = partition->replica->seed[1];
    job->query.payloads = arena_array(&job->arena, count, sizeof *job->query.payloads);
    if (job->query.payloads == NULL && count > 0)
        return false;
    for (size_t i = 0; i < count; i++)
        job->query.payloads[i] = entry_cache_get(&partition->cache, flushed + 1 + i)->payload;
    job->query.payload_count = count;
    return true;
}

/* The reading goes with it. False: no memory; nothing happened. */
static bool submit_query(struct partition *partition, struct reading *reading)
{
    const struct bytes body = body_of(reading);
    struct job *job = job_new(JOB_QUERY, partition->number);
    if (job == NULL)
        return false;
    job->query.body = arena_copy(&job->arena, body);
    if (job->query.body.size != body.size || !lend_window(partition, job, reading)) {
        job_free(job);
        return false;
    }
    job->query.kind = reading->kind;
    job->query.token = ++partition->next_token;
    partition->queries[partition->query_count++] = (struct query_out){
        .token = job->query.token,
        .reading = reading,
        .window_index = job->query.payload_count > 0 ? partition->flushed_index : UINT64_MAX};
    partition_submit(partition, job);
    return true;
}

uint64_t reads_window_index(const struct partition *partition)
{
    uint64_t index = UINT64_MAX;
    for (size_t i = 0; i < partition->query_count; i++)
        if (partition->queries[i].window_index < index)
            index = partition->queries[i].window_index;
    return index;
}

static void go_to_snapshot(struct partition *partition, struct reading *reading, uint64_t index)
{
    reading->index = index;
    if (can_query(partition, reading)) {
        if (!submit_query(partition, reading))
            refuse(partition, reading, PAWL_E_NO_MEMORY);
        return;
    }
    append_to(&partition->snapshots, reading);
    if (!is_near_store(partition, reading))
        flush_want(partition, index);
}

void reads_go_on(struct partition *partition)
{
    struct reading **at = &partition->snapshots.first;
    while (*at != NULL && partition->query_count < QUERIES_AT_ONCE) {
        if (!can_query(partition, *at)) {
            at = &(*at)->next;
            continue;
        }
        struct reading *reading = take_at(&partition->snapshots, at);
        if (!submit_query(partition, reading))
            refuse(partition, reading, PAWL_E_NO_MEMORY);
    }
}

/* The reader has done it. NULL: the role went meanwhile. */
static struct reading *take_query(struct partition *partition, uint64_t token)
{
    size_t i = 0;
    while (i < partition->query_count && partition->queries[i].token != token)
        i++;
    assert(i < partition->query_count);
    struct reading *reading = partition->queries[i].reading;
    partition->queries[i] = partition->queries[--partition->query_count];
    return reading;
}

/* ---- answering ---- */

/* The run that the query is about stands in the store as it stands in memory: its rows change only
 * together with its header, which was got or missed. Behind an id that was missed, a workflow's or
 * that of the request which serves as one, may be any run. */
static bool is_run_settled(const struct partition *partition, const struct memory_reader *reader)
{
    return reader->missing_count > 0 && reader->missing[0].table != TABLE_WORKFLOW &&
           reader->missing[0].table != TABLE_REQUEST &&
           reader->newest_index <= partition->flushed_index;
}

static bool wants_snapshot(enum request_kind kind)
{
    return kind == REQUEST_LIST || kind == REQUEST_HISTORY || kind == REQUEST_DEFINITION_LIST;
}

/* ---- RESULT of a run that still runs waits for its end ---- */

/* Among those of its run and those of its connection. */
static void watch(struct partition *partition, struct reading *reading, struct id128 run)
{
    struct connection *connection = clients_find(partition->replica, reading->origin.connection);
    if (connection == NULL) { /* gone meanwhile */
        reading_free(partition, reading);
        return;
    }
    struct reading *first = id_map_get(&partition->watched_runs, run);
    const bool is_full = partition->watching_count >= RESULTS_WAITING_MAX;
    if (is_full || !id_map_put(&partition->watched_runs, run, reading)) {
        refuse(partition, reading, is_full ? PAWL_E_BUSY : PAWL_E_NO_MEMORY);
        return;
    }
    reading->run = run;
    reading->previous = NULL;
    reading->next = first;
    if (first != NULL)
        first->previous = reading;
    reading->watch_previous = NULL;
    reading->watch_next = connection->watching;
    if (connection->watching != NULL)
        connection->watching->watch_previous = reading;
    connection->watching = reading;
    partition->watching_count++;
}

static void leave_connection(struct connection *connection, const struct reading *reading)
{
    if (reading->watch_previous != NULL)
        reading->watch_previous->watch_next = reading->watch_next;
    else
        connection->watching = reading->watch_next;
    if (reading->watch_next != NULL)
        reading->watch_next->watch_previous = reading->watch_previous;
}

static void leave_run(struct partition *partition, const struct reading *reading)
{
    if (reading->next != NULL)
        reading->next->previous = reading->previous;
    if (reading->previous != NULL) {
        reading->previous->next = reading->next;
    } else if (reading->next == NULL) {
        id_map_remove(&partition->watched_runs, reading->run);
    } else {
        bool is_put = id_map_put(&partition->watched_runs, reading->run, reading->next);
        assert(is_put); /* it replaces */
    }
}

static struct reading *take_watching(struct partition *partition, struct connection *connection)
{
    struct reading *reading = connection->watching;
    leave_run(partition, reading);
    leave_connection(connection, reading);
    partition->watching_count--;
    return reading;
}

void reads_connection_closed(struct partition *partition, struct connection *connection)
{
    while (connection->watching != NULL)
        reading_free(partition, take_watching(partition, connection));
}

/* The bytes of the answer, as far as there was one at once. */
static size_t answer_from_memory(struct partition *partition, struct reading *reading,
                                 uint64_t index)
{
    struct replica *replica = partition->replica;
    struct memory_reader reader = {
        .memory = partition->memory, .level = MEMORY_COMMITTED, .arena = &replica->scratch};
    const struct view view = memory_view(&reader);
    struct bytes answer = {NULL, 0};
    struct pawl_diag diag = {0};
    struct id128 run = {0};
    arena_reset(&replica->scratch);
    enum pawl_error error = wf_query(partition->engine, &view, reading->kind, body_of(reading),
                                     &replica->scratch, &answer, &run, &diag);
    reading->is_settled = error == PAWL_E_NOT_LOADED && is_run_settled(partition, &reader);
    if (error == PAWL_E_NOT_LOADED)
        go_to_snapshot(partition, reading, index);
    else if (error == PAWL_E_NOT_READY && reading->kind == REQUEST_RESULT)
        watch(partition, reading, run);
    else
        respond(partition, reading, error, bytes_string(diag.text), answer, index);
    return answer.size;
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
    struct reading *reading = take_query(partition, job->query.token);
    const bool is_open = job->error == PAWL_E_NOT_READY;
    if (reading != NULL && is_open && reading->kind == REQUEST_RESULT) {
        reading->is_settled = false;
        if (may_have_closed(partition, job->query.run, job->query.index))
            go_to_snapshot(partition, reading, partition->applied_index);
        else
            watch(partition, reading, job->query.run);
    } else if (reading != NULL) {
        respond(partition, reading, job->error, bytes_string(job->diag.text), job->query.answer,
                job->query.index);
    }
    job_free(job);
    reads_go_on(partition);
}

bool reads_are_due(const struct partition *partition)
{
    const struct reading *first = partition->readings.first;
    return first != NULL && first->round <= partition->confirmed_round &&
           partition->applied_index >= partition->confirmed_index &&
           !consensus_is_remembering(partition);
}

void reads_confirmed(struct partition *partition)
{
    struct reading_queue *readings = &partition->readings;
    for (size_t bytes = 0; bytes < ANSWER_BYTES_PER_TURN && reads_are_due(partition);
         bytes += ANSWER_BYTES_MIN) {
        struct reading *reading = take_at(readings, &readings->first);
        if (clients_find(partition->replica, reading->origin.connection) == NULL)
            reading_free(partition, reading); /* gone: nobody reads the answer */
        else if (wants_snapshot(reading->kind))
            go_to_snapshot(partition, reading, partition->applied_index);
        else
            bytes += answer_from_memory(partition, reading, partition->applied_index);
    }
}

void reads_run_closed(struct partition *partition, struct id128 run, uint64_t index)
{
    partition->closings[partition->closing_count++ % CLOSINGS_MAX] =
        (struct closing){.run = run, .index = index};
    struct reading *closed = id_map_get(&partition->watched_runs, run);
    id_map_remove(&partition->watched_runs, run);
    for (const struct reading *r = closed; r != NULL; r = r->next) {
        leave_connection(clients_find(partition->replica, r->origin.connection), r);
        partition->watching_count--;
    }
    while (closed != NULL) {
        struct reading *reading = closed;
        closed = reading->next;
        reading->round = 0; /* the end is committed: any round is good enough */
        put_first(&partition->readings, reading);
    }
}

static void fail_queue(struct partition *partition, struct reading_queue *queue,
                       enum pawl_error error)
{
    while (queue->first != NULL)
        refuse(partition, take_at(queue, &queue->first), error);
}

void reads_fail_all(struct partition *partition, enum pawl_error error)
{
    fail_queue(partition, &partition->readings, error);
    fail_queue(partition, &partition->snapshots, error);
    for (size_t i = 0; i < partition->query_count; i++) {
        if (partition->queries[i].reading != NULL)
            refuse(partition, partition->queries[i].reading, error);
        partition->queries[i].reading = NULL;
    }
    for (struct connection *c = partition->replica->connections; c != NULL; c = c->next)
        while (c->watching != NULL)
            refuse(partition, take_watching(partition, c), error);
    partition->wants_round = false;
}
