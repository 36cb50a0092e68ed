/* Deciding: commands become decisions, decisions become the batch that this turn proposes.
 *
 * 1. A command is decided against memory's head, at the index its entry will have. What it writes
 * is in the head at once.
 * 2. A command that needs rows waits for a load; later commands of its run wait behind it, in
 * order.
 * 3. A command that is lost with the role is never proposed again; its caller is told
 * UNKNOWN_OUTCOME or NOT_LEADER and asks again.
 */
#include <assert.h>
#include <stdlib.h>

#include "node/mutant.h"
#include "node/partition.h"

enum {
    UNCOMMITTED_BYTES_MAX = 16 << 20,
    WAITING_MAX = 16384,
    TIMERS_PER_TURN = 256,
    BATCH_MAX = 256
};

/* ---- types whose steps may wait for a worker ---- */

static struct ready_type *find_type(struct partition *partition, struct bytes type)
{
    struct ready_type *found = partition->ready_types;
    while (found != NULL && !bytes_equal(found->type, type))
        found = found->next;
    return found;
}

static void set_maybe_ready(struct partition *partition, struct bytes type, bool is_maybe_ready)
{
    struct ready_type *found = find_type(partition, type);
    if (found == NULL && is_maybe_ready && (found = malloc(sizeof *found + type.size)) != NULL) {
        memcpy(found + 1, type.data, type.size);
        *found = (struct ready_type){.next = partition->ready_types,
                                     .type = bytes_of(found + 1, type.size)};
        partition->ready_types = found;
    }
    if (found != NULL) /* else the next attach or hand-out asks again */
        found->is_maybe_ready = is_maybe_ready;
}

void commands_type_ready(struct partition *partition, struct bytes type)
{
    set_maybe_ready(partition, type, true);
}

/* ---- adopting a decision ---- */

static bool batch_add(struct partition *partition, struct payload *payload_take)
{
    if (partition->batch_count == partition->batch_capacity) {
        size_t capacity = partition->batch_capacity == 0 ? 64 : partition->batch_capacity * 2;
        struct raft_entry *batch = realloc(partition->batch, capacity * sizeof *batch);
        if (batch == NULL) {
            payload_release(payload_take);
            return false;
        }
        partition->batch = batch;
        partition->batch_capacity = capacity;
    }
    if (!entry_cache_push(&partition->cache, partition->term, RAFT_ENTRY_COMMAND, payload_take)) {
        payload_release(payload_take);
        return false;
    }
    partition->batch[partition->batch_count++] =
        (struct raft_entry){.bytes = payload_take->size, .kind = RAFT_ENTRY_COMMAND};
    partition->uncommitted_bytes += payload_take->size;
    return true;
}

static struct payload *encode_decision(struct partition *partition, const struct decision *decision,
                                       uint64_t now_us)
{
    struct buffer *buffer = &partition->replica->frame;
    const struct entry entry = {
        .clock_us = now_us, .writes = decision->writes, .write_count = decision->write_count};
    buffer_reset(buffer);
    entry_encode(&entry, buffer);
    return buffer->is_failed ? NULL : payload_new(buffer_bytes(buffer));
}

static uint64_t next_index(const struct partition *partition)
{
    return raft_last_index(partition->raft) + partition->batch_count + 1;
}

static void adopt_dispatch(struct partition *partition, const struct decision *decision)
{
    for (size_t i = 0; i < decision->release_count; i++)
        dispatch_give_back(partition->dispatch, decision->releases[i].session);
    for (size_t i = 0; i < decision->handout_count; i++)
        dispatch_take(partition->dispatch, decision->handouts[i].session);
    for (size_t i = 0; i < decision->readied_count; i++)
        commands_type_ready(partition, decision->readied[i]);
    dispatch_adopt(partition->dispatch, &decision->draft);
}

/* The decision becomes an entry of this turn's batch. */
static void adopt(struct partition *partition, struct outcome *outcome, uint64_t now_us)
{
    const struct decision *decision = &outcome->decision;
    struct payload *payload = encode_decision(partition, decision, now_us);
    const uint64_t index = next_index(partition);
    enum pawl_error error = payload == NULL ? PAWL_E_NO_MEMORY
                                            : memory_write(partition->memory, index,
                                                           decision->writes, decision->write_count);
    assert(error == PAWL_OK); /* without memory for its own decisions a node cannot go on */
    bool is_added = batch_add(partition, payload);
    assert(is_added);
    if (partition->head_first == 0)
        partition->head_first = index;
    adopt_dispatch(partition, decision);
    outcome->index = index;
    outcome->round = 0;
    outcomes_add(&partition->decided, outcome);
    partition->decision_count++;
}

/* The answer changed nothing: it leaves when what it read is committed and this node is known to
 * lead still. */
static void answer_quietly(struct partition *partition, struct outcome *outcome)
{
    outcome->index = next_index(partition) - 1;
    outcome->round = ROUND_UNASSIGNED;
    if (NODE_MUTANT(REJECT_WITHOUT_READ_ROUND)) {
        outcome->index = 0;
        outcome->round = 0;
    } else {
        partition->wants_round = true;
    }
    outcomes_add(&partition->quiet, outcome);
    partition->rejection_count++;
}

/* ---- deciding one command ---- */

static void respond(struct partition *partition, struct origin origin, enum pawl_error error,
                    const char *detail)
{
    clients_respond(partition->replica, origin, error, bytes_string(detail),
                    (struct bytes){NULL, 0}, 0);
}

static bool is_new_work(const struct command *command)
{
    return command->kind == CMD_START || command->kind == CMD_DEPLOY;
}

/* Admission: what makes the cluster hold more is refused before what lets it hold less. */
static enum pawl_error admit(const struct partition *partition, const struct command *command)
{
    const struct replica_options *options = &partition->replica->options;
    const size_t dirty_bytes = memory_figures(partition->memory).dirty_bytes;
    if (is_new_work(command) && space_is_out(partition))
        return PAWL_E_DISK_FULL;
    if (is_new_work(command) && dirty_bytes > options->window_bytes_busy)
        return PAWL_E_BUSY;
    if (partition->uncommitted_bytes > UNCOMMITTED_BYTES_MAX ||
        partition->waiting_count > WAITING_MAX)
        return PAWL_E_BUSY;
    return PAWL_OK;
}

static void random_seed(struct partition *partition, uint64_t seed_out[2])
{
    /* splitmix64 over a seed drawn once from the entropy port */
    for (int i = 0; i < 2; i++) {
        uint64_t z = partition->replica->seed[i] += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        seed_out[i] = z ^ z >> 31;
    }
}

enum decided { DECIDED, NEEDS_ROWS };

/* Decide once. NEEDS_ROWS: reader says what is missing; nothing happened. */
static enum decided decide(struct partition *partition, const struct command *command,
                           struct origin origin, struct memory_reader *reader)
{
    struct outcome *outcome = outcome_new(partition);
    if (outcome == NULL) {
        respond(partition, origin, PAWL_E_NO_MEMORY, NULL);
        return DECIDED;
    }
    *reader = (struct memory_reader){
        .memory = partition->memory, .level = MEMORY_HEAD, .arena = &outcome->arena};
    const struct view view = memory_view(reader);
    struct command_context context = {.now_us = partition_clock_us(partition),
                                      .partition = partition->number,
                                      .term = partition->term,
                                      .index = next_index(partition),
                                      .dispatch = partition->dispatch,
                                      .arena = &outcome->arena};
    random_seed(partition, context.seed);
    outcome->origin = origin;
    enum pawl_error error =
        wf_decide(partition->engine, &view, command, &context, &outcome->decision);
    if (error == PAWL_E_NOT_LOADED) {
        assert(reader->is_missing);
        /* The keys of what is missing live in the outcome's arena. */
        reader->missing.begin = arena_copy(&partition->replica->turn_arena, reader->missing.begin);
        reader->missing.end = arena_copy(&partition->replica->turn_arena, reader->missing.end);
        outcome_free(partition, outcome);
        return NEEDS_ROWS;
    }
    if (error != PAWL_OK) {
        outcome_free(partition, outcome);
        respond(partition, origin, error, NULL);
        return DECIDED;
    }
    if (command->kind == CMD_DISPATCH)
        set_maybe_ready(partition, command->type, outcome->decision.has_more);
    if (outcome->decision.write_count > 0)
        adopt(partition, outcome, context.now_us);
    else if (origin.connection != 0)
        answer_quietly(partition, outcome);
    else
        outcome_free(partition, outcome);
    return DECIDED;
}

/* ---- loading ---- */

/* The token of the load; 0: no memory. */
static uint64_t submit_load(struct partition *partition, const struct memory_missing *missing)
{
    struct job *job = job_new(JOB_LOAD, partition->number);
    if (job == NULL)
        return 0;
    job->load.missing = *missing;
    job->load.missing.begin = arena_copy(&job->arena, missing->begin);
    job->load.missing.end = arena_copy(&job->arena, missing->end);
    job->load.token = ++partition->next_token;
    partition->load_count++;
    const uint64_t token = job->load.token;
    partition_submit(partition, job);
    return token;
}

void commands_own_load(struct partition *partition, uint64_t *load,
                       const struct memory_reader *reader)
{
    if (*load == 0)
        *load = submit_load(partition, &reader->missing);
}

static bool copy_bytes(struct arena *arena, struct bytes *bytes)
{
    const struct bytes copy = arena_copy(arena, *bytes);
    if (copy.size != bytes->size)
        return false;
    *bytes = copy;
    return true;
}

/* A copy of the command that does not borrow from the frame it came in. */
static bool copy_command(struct arena *arena, const struct command *command,
                         struct command *copy_out)
{
    *copy_out = *command;
    struct msg_start *start = &copy_out->start;
    struct msg_report *report = &copy_out->report;
    switch (command->kind) {
    case CMD_START:
        return copy_bytes(arena, &start->namespace_name) && copy_bytes(arena, &start->definition) &&
               copy_bytes(arena, &start->version) && copy_bytes(arena, &start->workflow_id) &&
               copy_bytes(arena, &start->input);
    case CMD_STEP_REPORT:
        return copy_bytes(arena, &report->output) && copy_bytes(arena, &report->fault.type) &&
               copy_bytes(arena, &report->fault.title) && copy_bytes(arena, &report->fault.detail);
    case CMD_DEPLOY:
        return copy_bytes(arena, &copy_out->deploy.source);
    case CMD_TIMER_FIRE:
        return copy_bytes(arena, &copy_out->timer_key);
    case CMD_DISPATCH:
        return copy_bytes(arena, &copy_out->type);
    case CMD_LEASE_LOST:
        return true;
    }
    return false;
}

static struct waiting *wait_new(struct partition *partition, const struct command *command,
                                struct origin origin)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (waiting == NULL || !copy_command(&waiting->arena, command, &waiting->command)) {
        if (waiting != NULL)
            arena_done(&waiting->arena);
        free(waiting);
        respond(partition, origin, PAWL_E_NO_MEMORY, NULL);
        return NULL;
    }
    waiting->origin = origin;
    waiting->run = command_run(command);
    struct waiting **at = &partition->waiting;
    while (*at != NULL)
        at = &(*at)->next;
    *at = waiting;
    partition->waiting_count++;
    return waiting;
}

static void wait_remove(struct partition *partition, struct waiting *waiting)
{
    struct waiting **at = &partition->waiting;
    while (*at != waiting)
        at = &(*at)->next;
    *at = waiting->next;
    partition->waiting_count--;
    arena_done(&waiting->arena);
    free(waiting);
}

static bool is_run_waiting(const struct partition *partition, struct id128 run,
                           const struct waiting *before)
{
    if (id128_is_none(run))
        return false;
    for (const struct waiting *w = partition->waiting; w != before && w != NULL; w = w->next)
        if (id128_equal(w->run, run))
            return true;
    return false;
}

static void wait_for_rows(struct partition *partition, struct waiting *waiting,
                          const struct memory_reader *reader)
{
    waiting->load = submit_load(partition, &reader->missing);
    if (waiting->load == 0) {
        respond(partition, waiting->origin, PAWL_E_NO_MEMORY, NULL);
        wait_remove(partition, waiting);
    }
}

void commands_take(struct partition *partition, const struct command *command, struct origin origin)
{
    const enum pawl_error refusal = admit(partition, command);
    if (refusal != PAWL_OK) {
        respond(partition, origin, refusal, NULL);
        return;
    }
    if (is_run_waiting(partition, command_run(command), NULL)) {
        (void)wait_new(partition, command, origin);
        return;
    }
    struct memory_reader reader;
    if (decide(partition, command, origin, &reader) == NEEDS_ROWS) {
        struct waiting *waiting = wait_new(partition, command, origin);
        if (waiting != NULL)
            wait_for_rows(partition, waiting, &reader);
    }
    if (partition->batch_count >= BATCH_MAX)
        consensus_propose(partition);
}

/* Decide again every waiting command that neither loads nor stands behind one that waits. */
static void decide_waiting(struct partition *partition)
{
    struct waiting *next;
    for (struct waiting *w = partition->waiting; w != NULL; w = next) {
        next = w->next;
        if (w->load != 0 || is_run_waiting(partition, w->run, w))
            continue;
        struct memory_reader reader;
        if (decide(partition, &w->command, w->origin, &reader) == NEEDS_ROWS)
            wait_for_rows(partition, w, &reader);
        else
            wait_remove(partition, w);
    }
}

static void wake(struct partition *partition, uint64_t token)
{
    uint64_t *const own[] = {&partition->timer_load, &partition->handout_load,
                             &partition->lost_load};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (*own[i] == token)
            *own[i] = 0;
    for (struct waiting *w = partition->waiting; w != NULL; w = w->next)
        if (w->load == token)
            w->load = 0;
    for (struct resend *r = partition->resends; r != NULL; r = r->next)
        if (r->load == token)
            r->load = 0;
}

void commands_loaded(struct partition *partition, struct job *job)
{
    enum pawl_error error = job->error;
    if (error == PAWL_OK)
        error = memory_loaded(
            partition->memory, NODE_MUTANT(STALE_LOAD_TAKEN) ? UINT64_MAX / 2 : job->load.label,
            &job->load.missing, job->load.rows, job->load.row_count, job->load.covered_end);
    assert(error == PAWL_OK || error == PAWL_E_STALE || error == PAWL_E_NO_MEMORY ||
           error == PAWL_E_IO || error == PAWL_E_CORRUPT);
    /* A stale or failed load wakes who waits for it too: it misses the same rows again and loads
     * again. */
    wake(partition, job->load.token);
    job_free(job);
}

void commands_fail_all(struct partition *partition, enum pawl_error error)
{
    while (partition->waiting != NULL) {
        respond(partition, partition->waiting->origin, error, NULL);
        wait_remove(partition, partition->waiting);
    }
    while (partition->ready_types != NULL) {
        struct ready_type *type = partition->ready_types;
        partition->ready_types = type->next;
        free(type);
    }
}

/* ---- what is due ---- */

static const struct origin nobody = {0};

/* The first timer; false: none, or it is being loaded. */
static bool first_timer(struct partition *partition, struct bytes *key_out)
{
    struct memory_reader reader = {.memory = partition->memory,
                                   .level = MEMORY_HEAD,
                                   .arena = &partition->replica->turn_arena};
    const struct view view = memory_view(&reader);
    struct row row;
    size_t count;
    const struct bytes all = {NULL, 0};
    enum pawl_error error = view.scan(view.self, TABLE_TIMER, all, all, 1, &row, &count);
    if (error == PAWL_E_NOT_LOADED)
        commands_own_load(partition, &partition->timer_load, &reader);
    if (error != PAWL_OK || count == 0)
        return false;
    *key_out = row.key;
    return true;
}

static bool is_window_full(const struct partition *partition)
{
    return memory_figures(partition->memory).dirty_bytes >
               partition->replica->options.window_bytes_stop ||
           partition->uncommitted_bytes > UNCOMMITTED_BYTES_MAX;
}

/* A timer that is being decided already; what wakes it is a finished load. */
static bool is_timer_waiting(const struct partition *partition, struct bytes key)
{
    for (const struct waiting *w = partition->waiting; w != NULL; w = w->next)
        if (w->command.kind == CMD_TIMER_FIRE && bytes_equal(w->command.timer_key, key))
            return true;
    return false;
}

bool commands_is_lease_waiting(const struct partition *partition, const struct msg_fence *fence)
{
    for (const struct waiting *w = partition->waiting; w != NULL; w = w->next)
        if (w->command.kind == CMD_LEASE_LOST && w->command.lease.fence.term == fence->term &&
            w->command.lease.fence.index == fence->index &&
            w->command.lease.fence.ordinal == fence->ordinal)
            return true;
    return false;
}

static void fire_timers(struct partition *partition)
{
    struct bytes key;
    for (int i = 0; i < TIMERS_PER_TURN && first_timer(partition, &key); i++) {
        if (timer_key_due_us(key) > partition_clock_us(partition) || is_window_full(partition) ||
            is_timer_waiting(partition, key))
            return;
        struct command command = {.kind = CMD_TIMER_FIRE,
                                  .timer_key = arena_copy(&partition->replica->turn_arena, key)};
        commands_take(partition, &command, nobody);
    }
}

struct free_types {
    struct partition *partition;
    struct bytes types[SESSION_TYPES_MAX];
    size_t count;
};

static void note_free_type(void *user, struct bytes type)
{
    struct free_types *free_types = user;
    const struct ready_type *found = find_type(free_types->partition, type);
    if (found != NULL && found->is_maybe_ready && free_types->count < SESSION_TYPES_MAX)
        free_types->types[free_types->count++] = found->type;
}

/* Steps that waited for a worker meet credit that has come free. */
static void dispatch_ready(struct partition *partition)
{
    struct free_types free_types = {.partition = partition};
    if (partition->ready_types == NULL || is_window_full(partition))
        return;
    dispatch_each_free_type(partition->dispatch, note_free_type, &free_types);
    for (size_t i = 0; i < free_types.count; i++) {
        const struct command command = {.kind = CMD_DISPATCH, .type = free_types.types[i]};
        struct memory_reader reader;
        if (decide(partition, &command, nobody, &reader) == NEEDS_ROWS) {
            struct waiting *waiting = wait_new(partition, &command, nobody);
            if (waiting != NULL)
                wait_for_rows(partition, waiting, &reader);
            set_maybe_ready(partition, free_types.types[i], false); /* until that is decided */
        }
    }
}

void commands_due(struct partition *partition)
{
    if (!partition->is_active)
        return;
    decide_waiting(partition);
    fire_timers(partition);
    dispatch_ready(partition);
}

uint64_t commands_deadline_us(const struct partition *partition)
{
    struct arena arena = {0};
    struct memory_reader reader = {
        .memory = partition->memory, .level = MEMORY_HEAD, .arena = &arena};
    const struct view view = memory_view(&reader);
    const struct bytes all = {NULL, 0};
    struct row row;
    size_t count;
    uint64_t deadline_us = UINT64_MAX;
    if (!partition->is_active || is_window_full(partition))
        return UINT64_MAX;
    if (view.scan(view.self, TABLE_TIMER, all, all, 1, &row, &count) == PAWL_OK && count > 0 &&
        !is_timer_waiting(partition, row.key)) {
        const uint64_t due_us = timer_key_due_us(row.key);
        const uint64_t clock_us = partition_clock_us(partition);
        const uint64_t wait_us = due_us > clock_us ? due_us - clock_us : 0;
        deadline_us = partition->replica->now_us + wait_us;
    }
    arena_done(&arena);
    return deadline_us;
}
