#include "node/replica.h"

#include <assert.h>
#include <stdlib.h>

#include "node/mutant.h"
#include "node/partition.h"

enum {
    WINDOW_MESSAGES_MAX = 64,
    WINDOW_APPENDS = 8, /* full ones; together half of what a connection holds */
    RAFT_UNCOMMITTED_BYTES_MAX = 256 << 20,
    WALL_HEARD_US_MAX = 10 * 1000 * 1000,
    TURN_US_MIN = 50,
};

#ifdef PAWL_MUTANTS
enum node_mutant node_mutant_chosen = NODE_MUTANT_NONE;
void node_mutant_set(enum node_mutant mutant)
{
    node_mutant_chosen = mutant;
}
#endif

uint64_t replica_now_ms(const struct replica *replica)
{
    return replica->now_us / 1000;
}

uint64_t partition_clock_us(const struct partition *partition)
{
    const struct clock_port *clock = &partition->replica->options.clock;
    if (NODE_MUTANT(CLOCK_FOLLOWS_WALL))
        return clock->wall_us(clock->self);
    return cluster_clock_read(&partition->clock, partition->replica->now_us);
}

void partition_submit(struct partition *partition, struct job *job)
{
    struct replica *replica = partition->replica;
    replica->jobs_out++;
    replica->options.jobs.submit(replica->options.jobs.self, job);
}

/* ---- beginning and end ---- */

static void defaults(struct replica_options *options)
{
    const struct replica_options shipped = {.heartbeat_ms = 50,
                                            .election_timeout_ms_min = 300,
                                            .election_timeout_ms_max = 600,
                                            .flush_interval_ms = 200,
                                            .flush_bytes = (size_t)8 << 20,
                                            .clean_bytes_max = (size_t)3 << 20,
                                            .window_bytes_busy = (size_t)32 << 20,
                                            .window_bytes_stop = (size_t)64 << 20,
                                            .remember_bytes = 512 << 10,
                                            .cache_bytes_max = (size_t)2 << 20,
                                            .append_bytes_max = 1 << 20,
                                            .cut_step = 4096,
                                            .cut_keep = 1024,
                                            .free_bytes_low = (uint64_t)128 << 20};
#define DEFAULT(field)                                                                             \
    if (options->field == 0)                                                                       \
    options->field = shipped.field
    DEFAULT(heartbeat_ms);
    DEFAULT(election_timeout_ms_min);
    DEFAULT(election_timeout_ms_max);
    DEFAULT(flush_interval_ms);
    DEFAULT(flush_bytes);
    DEFAULT(clean_bytes_max);
    DEFAULT(window_bytes_busy);
    DEFAULT(window_bytes_stop);
    DEFAULT(cache_bytes_max);
    DEFAULT(remember_bytes);
    DEFAULT(append_bytes_max);
    DEFAULT(cut_step);
    DEFAULT(cut_keep);
    DEFAULT(free_bytes_low);
#undef DEFAULT
    if (options->flush_bytes > options->window_bytes_busy / 2)
        options->flush_bytes = options->window_bytes_busy / 2;
}

static struct raft *raft_of(const struct replica *replica, const struct replica_restored *restored)
{
    const struct replica_options *options = &replica->options;
    struct raft_options raft = {.self = options->node,
                                .seed = replica->seed[0] ^ replica->seed[1],
                                .heartbeat_ms = options->heartbeat_ms,
                                .election_timeout_ms_min = options->election_timeout_ms_min,
                                .election_timeout_ms_max = options->election_timeout_ms_max,
                                .append_bytes_max = options->append_bytes_max,
                                .append_entries_max = APPEND_ENTRIES_MAX,
                                .window_messages_max = WINDOW_MESSAGES_MAX,
                                .window_bytes_max = WINDOW_APPENDS * options->append_bytes_max,
                                .uncommitted_bytes_max = RAFT_UNCOMMITTED_BYTES_MAX};
    for (size_t i = 0; i < options->member_count; i++)
        raft.configuration.voters[raft.configuration.voter_count++] = options->members[i].node;
    const struct raft_restored kept = {
        .term = restored->log.term,
        .vote = restored->log.vote,
        .base_index = restored->log.base_index,
        .base_term = restored->log.base_term,
        .entries = restored->entries,
        .entry_count = (size_t)(restored->log.last_index - restored->log.base_index),
        .commit_index = restored->mark.index < restored->log.last_index ? restored->mark.index
                                                                        : restored->log.last_index,
        .is_vote_withheld = restored->is_vote_withheld};
    return raft_new(&raft, &kept, replica_now_ms(replica));
}

static enum pawl_error fill_cache(struct partition *partition,
                                  const struct replica_restored *restored)
{
    entry_cache_init(&partition->cache, restored->mark.index + 1);
    for (size_t i = 0; i < restored->tail_count; i++) {
        const struct wal_entry *entry = &restored->tail[i];
        uint8_t *room = entry_cache_room(&partition->cache, entry->payload.size);
        if (room == NULL)
            return PAWL_E_NO_MEMORY;
        if (entry->payload.size > 0)
            memcpy(room, entry->payload.data, entry->payload.size);
        if (!entry_cache_push(&partition->cache, entry->term, entry->kind, entry->payload.size))
            return PAWL_E_NO_MEMORY;
    }
    return PAWL_OK;
}

static enum pawl_error partition_open(struct replica *replica,
                                      const struct replica_restored *restored)
{
    struct partition *partition = &replica->partition;
    *partition = (struct partition){.replica = replica,
                                    .number = restored->log.partition,
                                    .flushed_index = restored->mark.index,
                                    .applied_index = restored->mark.index,
                                    .cut_index = restored->log.base_index,
                                    .is_vote_withheld = restored->is_vote_withheld,
                                    .incarnation = restored->log.incarnation,
                                    .free_bytes = UINT64_MAX};
    const struct memory_options memory = {.clean_bytes_max = replica->options.clean_bytes_max,
                                          .hash_seed = replica->seed[0]};
    cluster_clock_init(&partition->clock, restored->mark.clock_us, replica->now_us);
    partition->raft = raft_of(replica, restored);
    partition->memory = memory_new(&memory);
    partition->engine = engine_new();
    partition->dispatch = dispatch_new();
    partition->nobody_free = dispatch_new();
    partition->closings = calloc(CLOSINGS_MAX, sizeof *partition->closings);
    if (partition->raft == NULL || partition->memory == NULL || partition->engine == NULL ||
        partition->dispatch == NULL || partition->nobody_free == NULL ||
        partition->closings == NULL)
        return PAWL_E_NO_MEMORY;
    partition->term = raft_current_term(partition->raft);
    partition->session_map.seed = replica->connection_map.seed;
    partition->watched_runs.seed = replica->connection_map.seed;
    waiting_init(&partition->waiting, replica->connection_map.seed);
    return fill_cache(partition, restored);
}

enum pawl_error replica_new(const struct replica_options *options,
                            const struct replica_restored *restored, struct replica **replica_out)
{
    if (options->node == 0 || options->member_count == 0 || options->member_count > MEMBERS_MAX)
        return PAWL_E_INVALID;
    struct replica *replica = calloc(1, sizeof *replica);
    if (replica == NULL)
        return PAWL_E_NO_MEMORY;
    replica->options = *options;
    defaults(&replica->options);
    replica->now_us = options->clock.monotonic_us(options->clock.self);
    replica->last_turn_us = replica->now_us;
    options->entropy.fill(options->entropy.self, replica->seed, sizeof replica->seed);
    options->entropy.fill(options->entropy.self, &replica->connection_map.seed,
                          sizeof replica->connection_map.seed);
    enum pawl_error error = partition_open(replica, restored);
    if (error != PAWL_OK) {
        replica_free(replica);
        return error;
    }
    *replica_out = replica;
    return PAWL_OK;
}

void replica_free(struct replica *replica)
{
    if (replica == NULL)
        return;
    struct partition *partition = &replica->partition;
    assert(replica->jobs_out == 0);
    clients_done(replica); /* nobody hears the answers that follow */
    outcomes_fail_all(partition);
    outcomes_done(partition);
    reads_fail_all(partition, PAWL_E_UNKNOWN_OUTCOME);
    commands_fail_all(partition, PAWL_E_NOT_LEADER);
    if (partition->dispatch != NULL)
        sessions_end(partition);
    id_map_done(&partition->session_map);
    id_map_done(&partition->watched_runs);
    entry_cache_done(&partition->cache);
    net_change_done(&partition->net_change);
    buffer_done(&partition->activation_cursor);
    raft_free(partition->raft);
    memory_free(partition->memory);
    engine_free(partition->engine);
    dispatch_free(partition->dispatch);
    dispatch_free(partition->nobody_free);
    buffer_done(&partition->stuck_timer);
    free(partition->closings);
    free(partition->batch);
    arena_done(&replica->turn_arena);
    arena_done(&replica->decision_arena);
    arena_done(&replica->scratch);
    buffer_done(&replica->frame);
    free(replica);
}

void replica_abandon(struct replica *replica, struct job *job_take)
{
    assert(replica->jobs_out > 0);
    replica->jobs_out--;
    job_free(job_take);
}

/* ---- a turn ---- */

static void job_done(struct replica *replica, struct job *job)
{
    struct partition *partition = &replica->partition;
    assert(replica->jobs_out > 0);
    replica->jobs_out--;
    switch (job->kind) {
    case JOB_LOG_APPEND:
        consensus_appended(partition, job);
        return;
    case JOB_LOG_READ:
        consensus_log_read(partition, job);
        return;
    case JOB_LOG_CUT:
        job_free(job);
        return;
    case JOB_FLUSH:
        flush_done(partition, job);
        return;
    case JOB_LOAD:
        commands_loaded(partition, job);
        return;
    case JOB_QUERY:
        reads_queried(partition, job);
        return;
    }
}

/* A clock that has never been set does not jump when it is set first. */
static void lead_time(struct partition *partition)
{
    const struct replica *replica = partition->replica;
    const uint64_t unset_us = (uint64_t)365 * 24 * 3600 * 1000 * 1000;
    const uint64_t before_us = cluster_clock_read(&partition->clock, replica->now_us);
    const bool has_jumped =
        cluster_clock_lead(&partition->clock, replica->now_us,
                           replica->options.member_count / 2 + 1, WALL_HEARD_US_MAX);
    if (has_jumped && before_us > unset_us)
        partition->jump_us += cluster_clock_read(&partition->clock, replica->now_us) - before_us;
}

static void advance_time(struct replica *replica)
{
    struct partition *partition = &replica->partition;
    const struct clock_port *clock = &replica->options.clock;
    replica->now_us = clock->monotonic_us(clock->self);
    const uint64_t gap_us = replica->now_us - replica->last_turn_us;
    if (gap_us > (uint64_t)SESSION_HEARTBEAT_MS * 1000)
        sessions_extend(partition, gap_us); /* this node stood still, not its workers */
    replica->last_turn_us = replica->now_us;
    const uint64_t wall_us = clock->wall_us(clock->self);
    cluster_clock_wall(&partition->clock, replica->options.node, wall_us, replica->now_us);
    if (partition->role == RAFT_LEADER)
        lead_time(partition);
    if (partition->leader != 0) /* else nobody tells the time */
        clock_watch_look(&partition->watch, &partition->clock, wall_us, replica->now_us);
}

/* The role may change in here. */
static void take_from_peers_and_disks(struct replica *replica, const struct replica_input *inputs,
                                      size_t input_count)
{
    for (size_t i = 0; i < input_count; i++) {
        const struct replica_input *input = &inputs[i];
        if (input->kind == REPLICA_PEER_FRAME && input->type == FRAME_PEER_RAFT)
            consensus_message(&replica->partition, input->body, input->source);
        else if (input->kind == REPLICA_PEER_LOST)
            consensus_peer_lost(&replica->partition, input->source);
        else if (input->kind == REPLICA_JOB_DONE)
            job_done(replica, input->job);
    }
    consensus_tick(&replica->partition);
}

static void take_from_clients(struct replica *replica, const struct replica_input *inputs,
                              size_t input_count)
{
    for (size_t i = 0; i < input_count; i++) {
        const struct replica_input *input = &inputs[i];
        if (input->kind == REPLICA_CLIENT_FRAME)
            clients_frame(replica, input->source, input->type, input->body);
        else if (input->kind == REPLICA_CLIENT_CLOSED)
            clients_closed(replica, input->source);
    }
}

static void release_answers(struct partition *partition)
{
    outcomes_release(partition);
    reads_confirmed(partition);
    sessions_resend(partition);
}

/* While rows are loaded, memory keeps more of them: all that one decision may read must fit
 * at once. */
static void bound_memory(struct partition *partition)
{
    const size_t usual = partition->replica->options.clean_bytes_max;
    const size_t largest = 2 * INSTANCE_BYTES_MAX;
    const bool is_loading = partition->waiting.count > 0 || partition->timer_load != 0 ||
                            partition->handout_load != 0 || partition->lost_load != 0;
    memory_clean_bound(partition->memory, is_loading && usual < largest ? largest : usual);
}

void replica_turn(struct replica *replica, const struct replica_input *inputs, size_t input_count)
{
    struct partition *partition = &replica->partition;
    advance_time(replica);
    bound_memory(partition);
    take_from_peers_and_disks(replica, inputs, input_count);
    sessions_activate(partition);
    release_answers(partition);
    take_from_clients(replica, inputs, input_count);
    sessions_due(partition);
    commands_due(partition);
    consensus_propose(partition);
    consensus_read_round(partition);
    release_answers(partition);
    flush_due(partition);
    arena_reset(&replica->turn_arena);
}

uint64_t replica_deadline_us(const struct replica *replica)
{
    const struct partition *partition = &replica->partition;
    const uint64_t due_us[] = {consensus_deadline_us(partition), commands_deadline_us(partition),
                               sessions_deadline_us(partition), flush_deadline_us(partition)};
    const bool is_due = reads_are_due(partition) || consensus_is_remembering(partition);
    uint64_t deadline_us = is_due ? 0 : UINT64_MAX;
    for (size_t i = 0; i < sizeof due_us / sizeof due_us[0]; i++)
        if (due_us[i] < deadline_us)
            deadline_us = due_us[i];
    const uint64_t earliest_us = replica->now_us + TURN_US_MIN;
    return deadline_us > earliest_us ? deadline_us : earliest_us;
}

/* ---- looking in ---- */

struct replica_status replica_status(const struct replica *replica)
{
    const struct partition *partition = &replica->partition;
    return (struct replica_status){.role = partition->role,
                                   .term = raft_current_term(partition->raft),
                                   .leader = partition->leader,
                                   .last_index = raft_last_index(partition->raft),
                                   .commit_index = raft_commit_index(partition->raft),
                                   .applied_index = partition->applied_index,
                                   .remembered_index = partition->remembered_index,
                                   .stable_index = raft_stable_index(partition->raft),
                                   .flushed_index = partition->flushed_index,
                                   .clock_us = partition_clock_us(partition),
                                   .clock_off_us = partition->watch.off_us,
                                   .is_clock_off = partition->watch.is_off,
                                   .is_active = partition->is_active,
                                   .is_vote_withheld = partition->is_vote_withheld,
                                   .is_out_of_space = space_is_out(partition),
                                   .is_failed = partition->is_failed,
                                   .session_count = partition->session_count,
                                   .waiting_count = partition->waiting.count,
                                   .result_count = partition->watching_count,
                                   .stuck_count = partition->stuck_count,
                                   .decision_count = partition->decision_count,
                                   .rejection_count = partition->rejection_count,
                                   .load_count = partition->load_count,
                                   .flush_count = partition->flush_count,
                                   .sync_count = partition->sync_count,
                                   .memory = memory_figures(partition->memory)};
}

struct view replica_committed_view(struct replica *replica, struct memory_reader *reader)
{
    reader->memory = replica->partition.memory;
    reader->level = MEMORY_COMMITTED;
    return memory_view(reader);
}

const struct raft *replica_raft(const struct replica *replica)
{
    return replica->partition.raft;
}

struct bytes replica_entry_payload(const struct replica *replica, uint64_t index)
{
    const struct cached_entry *cached = entry_cache_get(&replica->partition.cache, index);
    return cached == NULL ? (struct bytes){NULL, 0} : cached->payload;
}

struct bytes *replica_window(const struct replica *replica, struct arena *arena, size_t *count_out)
{
    const struct partition *partition = &replica->partition;
    const size_t count = (size_t)(partition->applied_index - partition->flushed_index);
    struct bytes *payloads = arena_array(arena, count, sizeof *payloads);
    for (size_t i = 0; payloads != NULL && i < count; i++)
        payloads[i] = replica_entry_payload(replica, partition->flushed_index + 1 + i);
    *count_out = count;
    return payloads;
}

void replica_check_turn(const struct replica *replica)
{
    const struct partition *partition = &replica->partition;
    raft_check(partition->raft);
    assert(partition->applied_index <= raft_commit_index(partition->raft));
    assert(partition->flushed_index <= partition->applied_index);
    assert(partition->batch_count == 0);
    assert(!partition->is_active || partition->role == RAFT_LEADER);
    assert(partition->role == RAFT_LEADER || partition->decided.first == NULL);
    assert(partition->role == RAFT_LEADER || partition->waiting.count == 0);
    assert(partition->role == RAFT_LEADER || partition->reading_count == 0);
    assert(partition->watching_count <= partition->reading_count);
    assert(partition->cache.last_index == raft_last_index(partition->raft) ||
           partition->cache.last_index + 1 == partition->cache.first_index);
    assert(partition->cache.first_index <= partition->flushed_index + 1);
}

static void window_check(const struct partition *partition)
{
    size_t bytes = 0;
    for (uint64_t i = partition->flushed_index + 1; i <= partition->applied_index; i++)
        bytes += entry_cache_get(&partition->cache, i)->payload.size;
    assert(bytes == partition->window_bytes);
}

void replica_check(const struct replica *replica)
{
    const struct partition *partition = &replica->partition;
    replica_check_turn(replica);
    memory_check(partition->memory);
    assert(partition->role == RAFT_LEADER || memory_figures(partition->memory).row_count == 0);
    window_check(partition);
    waiting_check(&replica->partition.waiting);
}
