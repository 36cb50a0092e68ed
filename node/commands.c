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
    WAITING_BYTES_MAX = 64 << 20,
    TIMERS_PER_TURN = 256,
    DISPATCHES_PER_TURN = 64,
    TIMERS_UNCOMMITTED_BYTES_MAX = 256 << 10,
    DECIDING_US_PER_TURN = 20000,
    BATCH_MAX = 256,
    STUCK_US = 1000 * 1000, /* until what could not be decided is tried again */
};

/* ---- adopting a decision ---- */

static bool batch_add(struct partition *partition, size_t payload_bytes)
{
    if (partition->batch_count == partition->batch_capacity) {
        size_t capacity = partition->batch_capacity == 0 ? 64 : partition->batch_capacity * 2;
        struct raft_entry *batch = realloc(partition->batch, capacity * sizeof *batch);
        if (batch == NULL)
            return false;
        partition->batch = batch;
        partition->batch_capacity = capacity;
    }
    if (!entry_cache_push(&partition->cache, partition->term, RAFT_ENTRY_COMMAND, payload_bytes))
        return false;
    partition->batch[partition->batch_count++] =
        (struct raft_entry){.bytes = (uint32_t)payload_bytes, .kind = RAFT_ENTRY_COMMAND};
    partition->uncommitted_bytes += payload_bytes;
    return true;
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
        dispatch_type_waits(partition->dispatch, decision->readied[i], true);
    dispatch_adopt(partition->dispatch, &decision->draft);
}

/* The decision becomes an entry of this turn's batch; its payload is in the cache's room. */
static void adopt(struct partition *partition, const struct decision *decision,
                  struct outcome *outcome, size_t payload_bytes)
{
    const uint64_t index = outcome->index;
    enum pawl_error error =
        memory_write(partition->memory, index, decision->writes, decision->write_count);
    assert(error == PAWL_OK); /* without memory for its own decisions a node cannot go on */
    bool is_added = batch_add(partition, payload_bytes);
    assert(is_added);
    if (partition->head_first == 0)
        partition->head_first = index;
    adopt_dispatch(partition, decision);
    outcomes_add(&partition->decided, outcome);
    partition->decision_count++;
}

/* The answer changed nothing: it leaves when what it read is committed and this node is known to
 * lead still. False: no memory. */
static bool answer_quietly(struct partition *partition, struct origin origin,
                           const struct decision *decision)
{
    const bool is_mutant = NODE_MUTANT(REJECT_WITHOUT_READ_ROUND);
    struct outcome *outcome =
        outcome_new(partition, origin, decision, is_mutant ? 0 : next_index(partition) - 1,
                    is_mutant ? 0 : partition->started_round + 1);
    if (outcome == NULL)
        return false;
    partition->wants_round |= !is_mutant;
    outcomes_add(&partition->quiet, outcome);
    partition->rejection_count++;
    return true;
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

/* More waits than this node takes on: refused before it is looked at. */
static bool is_overloaded(const struct partition *partition)
{
    return partition->uncommitted_bytes > UNCOMMITTED_BYTES_MAX ||
           partition->waiting.count > WAITING_MAX || partition->waiting.bytes > WAITING_BYTES_MAX;
}

/* What makes the cluster hold more is refused before what lets it hold less. Only when it is
 * decided: a request that has taken effect gets its answer, whatever room there is now. */
static enum pawl_error admit(const struct partition *partition, const struct command *command)
{
    if (!is_new_work(command))
        return PAWL_OK;
    if (space_is_out(partition))
        return PAWL_E_DISK_FULL;
    return flush_window_bytes(partition) > partition->replica->options.window_bytes_busy
               ? PAWL_E_BUSY
               : PAWL_OK;
}

/* From here on nothing is handed out and due timers wait. */
static bool is_held_back(const struct partition *partition)
{
    return flush_window_bytes(partition) > partition->replica->options.window_bytes_stop ||
           is_overloaded(partition);
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

static enum pawl_error ask_engine(struct partition *partition, const struct command *command,
                                  struct decision *decision, const struct view *view)
{
    struct arena *arena = &partition->replica->decision_arena;
    struct command_context context = {.now_us = partition_clock_us(partition),
                                      .partition = partition->number,
                                      .term = partition->term,
                                      .index = next_index(partition),
                                      .dispatch = is_held_back(partition) ? partition->nobody_free
                                                                          : partition->dispatch,
                                      .arena = arena};
    arena_reset(arena);
    random_seed(partition, context.seed);
    return wf_decide(partition->engine, view, command, &context, decision);
}

/* Nothing of it remains but why. */
static void turn_down(struct decision *decision, enum pawl_error error)
{
    *decision = (struct decision){.rejection = error};
}

/* The decision's entry, in the cache's room: its size; 0: it writes nothing, or was turned down. */
static size_t entry_of(struct partition *partition, const struct command *command,
                       struct decision *decision)
{
    if (decision->write_count == 0)
        return 0;
    const struct entry entry = {.clock_us = partition_clock_us(partition),
                                .writes = decision->writes,
                                .write_count = decision->write_count};
    const size_t bytes = entry_bytes(&entry);
    enum pawl_error refusal = admit(partition, command);
    if (refusal == PAWL_OK &&
        (bytes > ENTRY_BYTES_MAX || decision->write_count > DECISION_WRITES_MAX))
        refusal = PAWL_E_LIMIT; /* no follower could take it */
    if (refusal != PAWL_OK) {
        turn_down(decision, refusal);
        return 0;
    }
    uint8_t *room = entry_cache_room(&partition->cache, bytes);
    assert(room != NULL); /* without memory for its own decisions a node cannot go on */
    entry_put(&entry, room);
    return bytes;
}

/* What the replica itself wanted was not possible. A timer that stays is passed over for a while,
 * so that those behind it fire. */
static void note_refusal(struct partition *partition, const struct command *command)
{
    if (command->kind != CMD_TIMER_FIRE)
        return;
    partition->stuck_count++;
    partition->stuck_until_us = partition->replica->now_us + STUCK_US;
    buffer_reset(&partition->stuck_timer);
    buffer_append(&partition->stuck_timer, command->timer_key.data, command->timer_key.size);
    buffer_append(&partition->stuck_timer, "", 1);
}

/* It could not be decided. Steps that wait to be handed out still do. */
static void give_up(struct partition *partition, const struct command *command,
                    struct origin origin, enum pawl_error error)
{
    respond(partition, origin, error, NULL);
    if (command->kind == CMD_DISPATCH)
        dispatch_type_waits(partition->dispatch, command->type, true);
    else if (origin.connection == 0)
        note_refusal(partition, command);
}

/* False: no memory; nothing happened. */
static bool conclude(struct partition *partition, const struct command *command,
                     struct origin origin, struct decision *decision)
{
    const size_t payload_bytes = entry_of(partition, command, decision);
    if (payload_bytes == 0 && origin.connection != 0)
        return answer_quietly(partition, origin, decision);
    struct outcome *outcome = NULL;
    if (payload_bytes > 0) {
        outcome = outcome_new(partition, origin, decision, next_index(partition), 0);
        if (outcome == NULL)
            return false;
    }
    if (command->kind == CMD_DISPATCH) /* before it is adopted, which may say that more waits */
        dispatch_type_waits(partition->dispatch, command->type, decision->has_more);
    if (payload_bytes > 0)
        adopt(partition, decision, outcome, payload_bytes);
    else if (decision->rejection != PAWL_OK)
        note_refusal(partition, command);
    return true;
}

/* Decide once. NEEDS_ROWS: reader says what is missing; nothing happened. */
static enum decided decide(struct partition *partition, const struct command *command,
                           struct origin origin, struct memory_reader *reader)
{
    struct decision decision;
    *reader = (struct memory_reader){.memory = partition->memory,
                                     .level = MEMORY_HEAD,
                                     .arena = &partition->replica->turn_arena};
    const struct view view = memory_view(reader);
    enum pawl_error error = ask_engine(partition, command, &decision, &view);
    if (error == PAWL_E_NOT_LOADED) {
        assert(reader->missing_count > 0);
        return NEEDS_ROWS;
    }
    if (error == PAWL_OK && !conclude(partition, command, origin, &decision))
        error = PAWL_E_NO_MEMORY;
    if (error != PAWL_OK)
        give_up(partition, command, origin, error);
    return DECIDED;
}

/* ---- loading ---- */

static bool copy_missing(struct job *job, const struct memory_reader *reader)
{
    struct load_part *parts = arena_array(&job->arena, reader->missing_count, sizeof *parts);
    if (parts == NULL)
        return false;
    for (size_t i = 0; i < reader->missing_count; i++) {
        struct memory_missing missing = reader->missing[i];
        missing.begin = arena_copy(&job->arena, missing.begin);
        missing.end = arena_copy(&job->arena, missing.end);
        if (missing.begin.size != reader->missing[i].begin.size ||
            missing.end.size != reader->missing[i].end.size)
            return false;
        parts[i] = (struct load_part){.missing = missing};
    }
    job->load.parts = parts;
    job->load.part_count = job->load.part_capacity = reader->missing_count;
    return true;
}

/* Everything that reader misses. The token of the load; 0: no memory. */
static uint64_t submit_load(struct partition *partition, const struct memory_reader *reader)
{
    struct job *job = job_new(JOB_LOAD, partition->number);
    if (job == NULL || !copy_missing(job, reader)) {
        job_free(job);
        return 0;
    }
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
        *load = submit_load(partition, reader);
}

static struct waiting *wait_add(struct partition *partition, const struct command *command,
                                struct origin origin)
{
    struct waiting *waiting = waiting_add(&partition->waiting, command, origin);
    if (waiting == NULL)
        give_up(partition, command, origin, PAWL_E_NO_MEMORY);
    else if (command->kind == CMD_LEASE_LOST)
        sessions_loss_waits(partition, command->lease.session, true);
    return waiting;
}

static void wait_remove(struct partition *partition, struct waiting *waiting)
{
    if (waiting->command.kind == CMD_LEASE_LOST)
        sessions_loss_waits(partition, waiting->command.lease.session, false);
    waiting_remove(&partition->waiting, waiting);
}

/* A load of what reader misses: one that is under way, when that is the same single row. 0: no
 * memory. */
static uint64_t find_load(struct partition *partition, const struct memory_reader *reader)
{
    const struct memory_missing *row = &reader->missing[0];
    if (reader->missing_count > 1 || row->is_range)
        return submit_load(partition, reader);
    uint64_t token = waiting_row_load(&partition->waiting, row->table, row->begin);
    if (token != 0)
        return token;
    token = submit_load(partition, reader);
    if (token != 0)
        waiting_note_row(&partition->waiting, token, row->table, row->begin);
    return token;
}

/* It waits for the rows that reader misses. */
static void wait_for_rows(struct partition *partition, struct waiting *waiting,
                          const struct memory_reader *reader)
{
    const uint64_t token = find_load(partition, reader);
    if (token != 0 && waiting_set_load(&partition->waiting, waiting, token))
        return;
    give_up(partition, &waiting->command, waiting->origin, PAWL_E_NO_MEMORY);
    wait_remove(partition, waiting);
}

/* This turn has decided for long enough: what is left goes on in the next, behind the heartbeats.
 */
static bool is_turn_over(const struct partition *partition)
{
    const struct replica *replica = partition->replica;
    const struct clock_port *clock = &replica->options.clock;
    return clock->monotonic_us(clock->self) - replica->now_us >= DECIDING_US_PER_TURN;
}

static void postpone(struct partition *partition, const struct command *command,
                     struct origin origin)
{
    struct waiting *waiting = wait_add(partition, command, origin);
    if (waiting != NULL)
        waiting_postpone(&partition->waiting, waiting);
}

void commands_take(struct partition *partition, const struct command *command, struct origin origin)
{
    if (is_overloaded(partition)) {
        respond(partition, origin, PAWL_E_BUSY, NULL);
        return;
    }
    if (waiting_has_run(&partition->waiting, command_run(command))) {
        (void)wait_add(partition, command, origin);
        return;
    }
    if (is_turn_over(partition)) {
        postpone(partition, command, origin);
        return;
    }
    struct memory_reader reader;
    if (decide(partition, command, origin, &reader) == NEEDS_ROWS) {
        struct waiting *waiting = wait_add(partition, command, origin);
        if (waiting != NULL)
            wait_for_rows(partition, waiting, &reader);
    }
    if (partition->batch_count >= BATCH_MAX)
        consensus_propose(partition);
}

/* Decide what waited. What came under an attachment that is not its session's newest any more is
 * never decided: the session has asked again, and counts on the answer to that. */
static void decide_waiting(struct partition *partition)
{
    struct waiting *waiting;
    for (bool is_first = true; (is_first || !is_turn_over(partition)) &&
                               partition->uncommitted_bytes <= UNCOMMITTED_BYTES_MAX &&
                               (waiting = waiting_take_awake(&partition->waiting)) != NULL;
         is_first = false) {
        struct memory_reader reader;
        const struct command *command = &waiting->command;
        if (waiting->origin.connection != 0 &&
            !sessions_is_newest(partition, command->session, waiting->origin.attachment)) {
            respond(partition, waiting->origin, PAWL_E_NOT_ATTACHED, NULL);
            wait_remove(partition, waiting);
        } else if (decide(partition, command, waiting->origin, &reader) == NEEDS_ROWS) {
            wait_for_rows(partition, waiting, &reader);
        } else {
            wait_remove(partition, waiting);
        }
        if (partition->batch_count >= BATCH_MAX)
            consensus_propose(partition);
    }
}

static void wake(struct partition *partition, uint64_t token)
{
    uint64_t *const own[] = {&partition->timer_load, &partition->handout_load,
                             &partition->lost_load};
    if (waiting_wake(&partition->waiting, token))
        return;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (*own[i] == token)
            *own[i] = 0;
    for (struct resend *r = partition->resends; r != NULL; r = r->next)
        if (r->load == token)
            r->load = 0;
}

void commands_loaded(struct partition *partition, struct job *job)
{
    enum pawl_error error = job->error;
    for (size_t i = 0; i < job->load.part_count && error == PAWL_OK; i++) {
        const struct load_part *part = &job->load.parts[i];
        if (partition->role == RAFT_LEADER)
            error = memory_loaded(partition->memory, job->load.label, &part->missing, part->rows,
                                  part->row_count, part->covered_end);
    }
    assert(error == PAWL_OK || error == PAWL_E_STALE || job->error == PAWL_E_NO_MEMORY);
    /* A stale load, or one that found no memory, wakes who waits for it too: it misses the same
     * rows again and loads again. Who lost the role keeps no rows, and nobody waits. */
    wake(partition, job->load.token);
    job_free(job);
}

void commands_fail_all(struct partition *partition, enum pawl_error error)
{
    for (const struct waiting *w = partition->waiting.first; w != NULL; w = w->next)
        respond(partition, w->origin, error, NULL);
    waiting_clear(&partition->waiting);
    partition->stuck_until_us = 0;
}

/* ---- what is due ---- */

static const struct origin nobody = {0};

/* The first timer that is not passed over; false: none, or it is being loaded. */
static bool first_timer(const struct partition *partition, struct memory_reader *reader,
                        struct bytes *key_out)
{
    const bool is_passing = partition->stuck_until_us > partition->replica->now_us;
    const struct bytes none = {NULL, 0};
    const struct bytes begin = is_passing ? buffer_bytes(&partition->stuck_timer) : none;
    const struct view view = memory_view(reader);
    struct row row;
    size_t count;
    if (view.scan(view.self, TABLE_TIMER, begin, none, 1, &row, &count) != PAWL_OK || count == 0)
        return false;
    *key_out = row.key;
    return true;
}

/* A run that goes on and on by itself must not fill the log's queue before everybody else: its
 * timer waits until what was decided is nearly all committed, and a commit is a turn. */
static bool are_timers_held_back(const struct partition *partition)
{
    return is_held_back(partition) || partition->waiting.timer_count > 0 ||
           partition->uncommitted_bytes > TIMERS_UNCOMMITTED_BYTES_MAX;
}

/* How many of the first timers due can fire now: up to the first whose run's header is not here.
 * What is missing is loaded together. */
static int count_loaded_timers(struct partition *partition, struct bytes first, uint64_t clock_us)
{
    struct memory_reader reader = {.memory = partition->memory,
                                   .level = MEMORY_HEAD,
                                   .arena = &partition->replica->turn_arena};
    const struct view view = memory_view(&reader);
    struct row rows[TIMERS_PER_TURN];
    uint8_t end[8];
    size_t count;
    int loaded = 0;
    be64_put(end, clock_us + 1);
    if (view.scan(view.self, TABLE_TIMER, first, bytes_of(end, sizeof end), TIMERS_PER_TURN, rows,
                  &count) != PAWL_OK)
        return 1; /* the last that is here */
    for (size_t i = 0; i < count; i++) {
        struct id128 run;
        struct bytes header;
        if (timer_key_run(rows[i].key, &run))
            (void)view.get(view.self, TABLE_INSTANCE, id128_bytes(&run), &header);
        loaded += reader.missing_count == 0;
    }
    if (reader.missing_count > 0)
        commands_own_load(partition, &partition->timer_load, &reader);
    return loaded;
}

static void fire_timers(struct partition *partition)
{
    const uint64_t clock_us = partition_clock_us(partition);
    int loaded = partition->timer_load == 0 ? 1 : 0;
    for (int i = 0; i < loaded && (i == 0 || !is_turn_over(partition)); i++) {
        struct bytes key;
        struct memory_reader reader = {.memory = partition->memory,
                                       .level = MEMORY_HEAD,
                                       .arena = &partition->replica->turn_arena};
        const bool is_found = first_timer(partition, &reader, &key);
        if (reader.missing_count > 0)
            commands_own_load(partition, &partition->timer_load, &reader);
        /* One that waits for rows is still the first: a finished load goes on from there. */
        if (!is_found || timer_key_due_us(key) > clock_us || are_timers_held_back(partition))
            return;
        const struct bytes first = arena_copy(&partition->replica->turn_arena, key);
        if (i == 0 && (loaded = count_loaded_timers(partition, first, clock_us)) == 0)
            return;
        const struct command command = {.kind = CMD_TIMER_FIRE, .timer_key = first};
        commands_take(partition, &command, nobody);
    }
}

/* Hand out steps of one type. What it needs may be loading then: until that is decided, the type
 * counts as one of which nothing waits. */
static void dispatch_type(struct partition *partition, struct bytes type)
{
    const struct command command = {.kind = CMD_DISPATCH, .type = type};
    struct memory_reader reader;
    if (decide(partition, &command, nobody, &reader) == DECIDED)
        return;
    struct waiting *waiting = wait_add(partition, &command, nobody);
    if (waiting != NULL)
        wait_for_rows(partition, waiting, &reader);
}

/* Steps that waited for a worker meet credit that has come free. */
static void dispatch_ready(struct partition *partition)
{
    struct bytes type;
    for (int i = 0;
         i < DISPATCHES_PER_TURN && !is_held_back(partition) &&
         (i == 0 || !is_turn_over(partition)) && dispatch_offer_take(partition->dispatch, &type);
         i++) {
        dispatch_type(partition, type);
        if (partition->batch_count >= BATCH_MAX)
            consensus_propose(partition);
    }
}

/* A jump of the cluster's clock goes on record before anything that it makes due. */
static void record_jump(struct partition *partition)
{
    if (partition->jump_us == 0 || is_overloaded(partition))
        return;
    const struct command command = {.kind = CMD_CLOCK_JUMP, .jump_us = partition->jump_us};
    partition->jump_us = 0;
    commands_take(partition, &command, nobody);
}

void commands_due(struct partition *partition)
{
    if (!partition->is_active)
        return;
    decide_waiting(partition);
    record_jump(partition);
    fire_timers(partition);
    dispatch_ready(partition);
}

uint64_t commands_deadline_us(const struct partition *partition)
{
    struct arena arena = {0};
    struct memory_reader reader = {
        .memory = partition->memory, .level = MEMORY_HEAD, .arena = &arena};
    const uint64_t now_us = partition->replica->now_us;
    const uint64_t clock_us = partition_clock_us(partition);
    struct bytes key;
    uint64_t deadline_us = UINT64_MAX;
    if (partition->is_active && partition->waiting.awake_first != NULL &&
        partition->uncommitted_bytes <= UNCOMMITTED_BYTES_MAX)
        return now_us;
    if (!partition->is_active || partition->timer_load != 0 || are_timers_held_back(partition))
        return UINT64_MAX;
    if (partition->stuck_until_us > now_us)
        deadline_us = partition->stuck_until_us;
    if (first_timer(partition, &reader, &key)) {
        const uint64_t due_us = timer_key_due_us(key);
        const uint64_t fire_us = now_us + (due_us > clock_us ? due_us - clock_us : 0);
        deadline_us = fire_us < deadline_us ? fire_us : deadline_us;
    }
    arena_done(&arena);
    return deadline_us;
}
