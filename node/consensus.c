/* Raft's host: carries out what the core returns, and feeds it what happened.
 *
 * The payload of an entry enters the cache before the core hears of the entry, and leaves the cache
 * only when the core has let go of it.
 */
#include <assert.h>

#include "node/mutant.h"
#include "node/partition.h"

static void carry_out(struct partition *partition, const struct raft_outputs *outputs,
                      const struct msg_raft *message);

static enum raft_error step(struct partition *partition, struct raft_input *input,
                            const struct msg_raft *message)
{
    struct raft_outputs outputs;
    input->now_ms = replica_now_ms(partition->replica);
    enum raft_error error = raft_step(partition->raft, input, &outputs);
    carry_out(partition, &outputs, message);
    return error;
}

/* ---- persisting ---- */

/* The payload of an entry that the core appended: from the message it came in, or none (a no-op).
 */
static bool cache_entry(struct partition *partition, uint64_t index, const struct msg_raft *message)
{
    struct bytes payload = {NULL, 0};
    uint8_t kind = RAFT_ENTRY_NOOP;
    if (message != NULL && index > message->previous_index &&
        index - message->previous_index <= message->entries.count) {
        const struct msg_raft_entry *entries = message->entries.elements;
        const struct msg_raft_entry *entry = &entries[index - message->previous_index - 1];
        kind = entry->kind;
        payload = entry->payload;
    }
    if (payload.size > 0) {
        uint8_t *room = entry_cache_room(&partition->cache, payload.size);
        if (room == NULL)
            return false;
        memcpy(room, payload.data, payload.size);
    }
    return entry_cache_push(&partition->cache, raft_term_at(partition->raft, index), kind,
                            payload.size);
}

static void record_entry(struct partition *partition, struct job *job, uint64_t index)
{
    const struct cached_entry *cached = entry_cache_get(&partition->cache, index);
    assert(cached != NULL);
    job->append.records[job->append.record_count++] =
        (struct wal_record){.kind = WAL_ENTRY,
                            .partition = partition->number,
                            .entry = {.index = index,
                                      .term = cached->term,
                                      .kind = cached->kind,
                                      .payload = cached->payload}};
}

static void persist(struct partition *partition, const struct raft_persist *persist,
                    const struct msg_raft *message)
{
    const bool has_entries =
        persist->first_index <= persist->last_index && persist->first_index > 0;
    const size_t entry_count =
        has_entries ? (size_t)(persist->last_index - persist->first_index + 1) : 0;
    struct job *job = job_new(JOB_LOG_APPEND, partition->number);
    assert(job != NULL); /* without memory for its log a node cannot go on */
    job->append.records = arena_array(&job->arena, entry_count + 2, sizeof *job->append.records);
    assert(job->append.records != NULL);
    job->append.token = partition->last_token = persist->token;
    if (persist->has_hard_state)
        job->append.records[job->append.record_count++] =
            (struct wal_record){.kind = WAL_HARD_STATE,
                                .partition = partition->number,
                                .term = persist->term,
                                .vote = persist->vote};
    if (persist->truncate_index > 0) {
        if (persist->truncate_index <= partition->cache.last_index)
            entry_cache_truncate(&partition->cache, persist->truncate_index);
        job->append.records[job->append.record_count++] =
            (struct wal_record){.kind = WAL_TRUNCATE,
                                .partition = partition->number,
                                .entry = {.index = persist->truncate_index}};
    }
    for (size_t i = 0; i < entry_count; i++) {
        const uint64_t index = persist->first_index + i;
        if (index > partition->cache.last_index) {
            bool is_cached = cache_entry(partition, index, message);
            assert(is_cached);
        }
        record_entry(partition, job, index);
    }
    partition_submit(partition, job);
}

/* The vote is back; a restart must not withhold it again. */
static void readmitted(struct partition *partition)
{
    struct job *job = job_new(JOB_LOG_APPEND, partition->number);
    partition->is_vote_withheld = false;
    if (job == NULL || (job->append.records = ARENA_NEW(&job->arena, struct wal_record)) == NULL) {
        job_free(job); /* then it is withheld once more after a restart: safe, only slower */
        return;
    }
    job->append.records[job->append.record_count++] = (struct wal_record){
        .kind = WAL_INCARNATION, .partition = partition->number, .term = partition->incarnation};
    job->append.token = partition->last_token;
    partition_submit(partition, job);
}

void consensus_appended(struct partition *partition, struct job *job)
{
    partition->sync_count += job->append.sync_count;
    struct raft_input input = {.kind = RAFT_IN_SYNCED, .synced = job->append.token};
    job_free(job);
    (void)step(partition, &input, NULL);
}

/* ---- sending ---- */

static struct msg_raft message_of(const struct partition *partition,
                                  const struct raft_message *from)
{
    const struct replica *replica = partition->replica;
    const struct clock_port *clock = &replica->options.clock;
    return (struct msg_raft){.partition = partition->number,
                             .from = from->from,
                             .to = from->to,
                             .kind = from->kind,
                             .term = from->term,
                             .previous_index = from->previous_index,
                             .previous_term = from->previous_term,
                             .commit_index = from->commit_index,
                             .round = from->round,
                             .is_rejected = from->is_rejected,
                             .match_index = from->match_index,
                             .hint_index = from->hint_index,
                             .hint_term = from->hint_term,
                             .is_withheld = from->is_withheld,
                             .clock_us = partition_clock_us(partition),
                             .wall_us = clock->wall_us(clock->self),
                             .free_bytes = partition->free_bytes,
                             .cut_index =
                                 partition->role == RAFT_LEADER ? space_cut_index(partition) : 0,
                             .flushed_index = partition->flushed_index};
}

/* Its entries' payloads are where they are: they go from there to the connection. */
static void send_message(struct partition *partition, const struct msg_raft *message)
{
    struct replica *replica = partition->replica;
    const struct links_port *links = &replica->options.links;
    struct bytes *parts;
    size_t part_count;
    if (raft_message_encode(message, &replica->scratch, &replica->frame, &parts, &part_count) ==
        PAWL_OK) /* else as if the network had lost it */
        links->peer_send(links->self, message->to, FRAME_PEER_RAFT, parts, part_count);
}

/* Some of the entries have left the cache: they are read from the log, and the message leaves when
 * they are here. To the receiver that is a slow network. */
static void send_after_read(struct partition *partition, const struct msg_raft *message,
                            size_t entry_count)
{
    enum { READ_BYTES_MAX = 1 << 20 };
    struct job *job = job_new(JOB_LOG_READ, partition->number);
    if (job == NULL)
        return; /* as if the network had lost it */
    job->read.message = *message;
    job->read.first = message->previous_index + 1;
    job->read.last = message->previous_index + entry_count;
    job->read.bytes_max = READ_BYTES_MAX;
    partition_submit(partition, job);
}

static void send(struct partition *partition, const struct raft_message *from)
{
    struct replica *replica = partition->replica;
    struct msg_raft message = message_of(partition, from);
    arena_reset(&replica->scratch);
    struct msg_raft_entry *entries =
        arena_array(&replica->scratch, from->entry_count, sizeof *entries);
    if (entries == NULL && from->entry_count > 0)
        return; /* as if the network had lost it */
    for (size_t i = 0; i < from->entry_count; i++) {
        const uint64_t index = from->previous_index + 1 + i;
        const struct cached_entry *cached = entry_cache_get(&partition->cache, index);
        if (cached == NULL) {
            send_after_read(partition, &message, from->entry_count);
            return;
        }
        entries[i] = (struct msg_raft_entry){.term = from->entries[i].term,
                                             .kind = from->entries[i].kind,
                                             .payload = cached->payload};
    }
    message.entries = (struct list){.elements = entries, .count = from->entry_count};
    send_message(partition, &message);
}

void consensus_log_read(struct partition *partition, struct job *job)
{
    struct replica *replica = partition->replica;
    struct msg_raft message = job->read.message;
    const bool is_current = partition->role == RAFT_LEADER && partition->term == message.term;
    if (job->error == PAWL_OK && is_current) {
        arena_reset(&replica->scratch);
        struct msg_raft_entry *entries =
            arena_array(&replica->scratch, job->read.entry_count, sizeof *entries);
        for (size_t i = 0; entries != NULL && i < job->read.entry_count; i++)
            entries[i] = (struct msg_raft_entry){.term = job->read.entries[i].term,
                                                 .kind = job->read.entries[i].kind,
                                                 .payload = job->read.entries[i].payload};
        message.entries = (struct list){.elements = entries, .count = job->read.entry_count};
        if (entries != NULL)
            send_message(partition, &message);
    }
    job_free(job);
}

/* ---- applying ---- */

/* Who does not lead only keeps entries for the next flush. A leader's memory has its own since they
 * were decided, and gets those that it inherited before it decides anything. */
static enum pawl_error apply_entry(struct partition *partition, uint64_t index)
{
    const struct cached_entry *cached = entry_cache_get(&partition->cache, index);
    uint64_t clock_us;
    assert(cached != NULL); /* entries above the flushed index never leave the cache */
    if (cached->kind != RAFT_ENTRY_COMMAND)
        return PAWL_OK;
    const struct bytes payload = cached->payload;
    partition->window_bytes += payload.size;
    if (partition->head_first != 0 && index >= partition->head_first) {
        partition->uncommitted_bytes -= payload.size;
        return PAWL_OK;
    }
    TRY(entry_clock(payload, &clock_us));
    cluster_clock_observe(&partition->clock, clock_us, partition->replica->now_us);
    return PAWL_OK;
}

static bool is_window_full(const struct partition *partition)
{
    return partition->window_bytes > partition->replica->options.window_bytes_stop;
}

/* An entry that cannot be read: the node stops rather than differ from the others. */
static void apply_to(struct partition *partition, uint64_t index)
{
    const bool is_leader = partition->role == RAFT_LEADER;
    while (partition->applied_index < index && !partition->is_failed) {
        if (!is_leader && is_window_full(partition))
            break; /* goes on after the next flush */
        if (apply_entry(partition, partition->applied_index + 1) != PAWL_OK)
            partition->is_failed = true;
        else
            partition->applied_index++;
    }
    if (partition->is_active) { /* then it has decided all that it applies */
        partition->remembered_index = partition->applied_index;
        memory_commit(partition->memory, partition->applied_index);
    }
    const uint64_t read_index = reads_window_index(partition);
    entry_cache_trim(&partition->cache,
                     partition->flushed_index < read_index ? partition->flushed_index : read_index,
                     partition->window_bytes + partition->replica->options.cache_bytes_max);
    flush_applied(partition);
}

void consensus_apply(struct partition *partition)
{
    if (partition->applied_index < raft_commit_index(partition->raft))
        apply_to(partition, raft_commit_index(partition->raft));
}

/* ---- roles ---- */

static void forget_rows(struct partition *partition)
{
    enum pawl_error error = memory_reset(partition->memory, partition->flushed_index);
    assert(error == PAWL_OK); /* a node without memory cannot go on */
}

/* A new leader's memory begins with what the store has. */
static void begin_to_remember(struct partition *partition)
{
    if (!NODE_MUTANT(HEAD_KEPT_ON_STEP_DOWN) || memory_figures(partition->memory).row_count == 0)
        forget_rows(partition);
    partition->remembered_index = partition->flushed_index;
}

/* The rows of a committed entry enter the leader's memory. */
static enum pawl_error remember_entry(struct partition *partition, uint64_t index)
{
    struct arena *scratch = &partition->replica->scratch;
    const struct cached_entry *cached = entry_cache_get(&partition->cache, index);
    struct entry entry;
    if (cached->kind != RAFT_ENTRY_COMMAND || NODE_MUTANT(APPLY_SKIPS_INHERITED))
        return PAWL_OK;
    arena_reset(scratch);
    TRY(entry_decode(cached->payload, scratch, &entry));
    return memory_write(partition->memory, index, entry.writes, entry.write_count);
}

bool consensus_is_remembering(const struct partition *partition)
{
    return partition->role == RAFT_LEADER && partition->remembered_index < partition->applied_index;
}

void consensus_remember(struct partition *partition)
{
    const size_t bytes_max = partition->replica->options.remember_bytes;
    for (size_t bytes = 0; consensus_is_remembering(partition) && bytes < bytes_max;) {
        const uint64_t index = partition->remembered_index + 1;
        bytes += entry_cache_get(&partition->cache, index)->payload.size;
        if (remember_entry(partition, index) != PAWL_OK) {
            partition->is_failed = true;
            return;
        }
        partition->remembered_index = index;
    }
    memory_commit(partition->memory, partition->remembered_index);
}

/* What the store has got before memory has, memory need not get: it begins again behind it. */
void consensus_flushed(struct partition *partition)
{
    if (partition->role != RAFT_LEADER)
        return;
    if (partition->remembered_index >= partition->flushed_index)
        memory_flushed(partition->memory, partition->flushed_index);
    else
        begin_to_remember(partition);
}

static void leave_leadership(struct partition *partition)
{
    outcomes_fail_all(partition);
    reads_fail_all(partition, PAWL_E_UNKNOWN_OUTCOME);
    commands_fail_all(partition, PAWL_E_NOT_LEADER);
    sessions_end(partition);
    if (!NODE_MUTANT(HEAD_KEPT_ON_STEP_DOWN))
        forget_rows(partition);
    assert(partition->batch_count == 0); /* a turn proposes before it hears of anything else */
    partition->head_first = 0;
    partition->uncommitted_bytes = 0;
    partition->is_active = false;
    partition->noop_index = 0;
}

static void role_changed(struct partition *partition, enum raft_role role, uint64_t term,
                         uint64_t leader)
{
    const bool was_leader = partition->role == RAFT_LEADER;
    const bool is_news = partition->leader != leader || partition->term != term;
    if (was_leader)
        leave_leadership(partition);
    partition->role = role;
    partition->term = term;
    partition->leader = leader;
    if (role == RAFT_LEADER) {
        partition->noop_index = raft_last_index(partition->raft);
        partition->confirmed_round = partition->confirmed_index = 0;
        begin_to_remember(partition);
        sessions_begin(partition);
    }
    if (is_news && leader != 0)
        clients_announce(partition->replica);
}

/* ---- one step's outputs ---- */

static void carry_out(struct partition *partition, const struct raft_outputs *outputs,
                      const struct msg_raft *message)
{
    for (size_t i = 0; i < outputs->count; i++) {
        const struct raft_output *output = &outputs->output[i];
        switch (output->kind) {
        case RAFT_OUT_PERSIST:
            persist(partition, &output->persist, message);
            break;
        case RAFT_OUT_SEND:
            send(partition, &output->message);
            break;
        case RAFT_OUT_COMMITTED:
            apply_to(partition, output->index);
            break;
        case RAFT_OUT_ROLE:
            role_changed(partition, output->role.role, output->role.term, output->role.leader);
            break;
        case RAFT_OUT_READ_STARTED:
            partition->started_round = output->read.round;
            break;
        case RAFT_OUT_READ_CONFIRMED:
            partition->confirmed_round = output->read.round;
            partition->confirmed_index = output->read.index;
            break;
        case RAFT_OUT_READMITTED:
            readmitted(partition);
            break;
        }
    }
    consensus_apply(partition);
}

/* ---- inputs ---- */

static void observe(struct partition *partition, const struct msg_raft *message)
{
    struct replica *replica = partition->replica;
    space_heard(partition, message);
    cluster_clock_wall(&partition->clock, message->from, message->wall_us, replica->now_us);
    if (message->kind == RAFT_MSG_APPEND && message->term >= raft_current_term(partition->raft)) {
        cluster_clock_observe(&partition->clock, message->clock_us, replica->now_us);
        partition->cut_index_heard = message->cut_index;
    }
}

/* What could not be applied is not taken either: acknowledged, it could be committed, and every
 * node would stop at it. The kinds are those that nodes propose. */
static bool is_entry_sound(struct replica *replica, const struct msg_raft_entry *sent)
{
    struct entry entry;
    arena_reset(&replica->scratch);
    switch (sent->kind) {
    case RAFT_ENTRY_NOOP:
        return sent->payload.size == 0;
    case RAFT_ENTRY_COMMAND:
        return entry_decode(sent->payload, &replica->scratch, &entry) == PAWL_OK;
    default:
        return false;
    }
}

/* Entries stay in memory until the store has them. Who follows with a store that stands still takes
 * no more than twice the window: acknowledging them for its log's sake would fill its memory. */
static bool is_overfull(const struct partition *partition)
{
    const struct replica_options *options = &partition->replica->options;
    return partition->role != RAFT_LEADER &&
           partition->flushed_index < raft_commit_index(partition->raft) &&
           partition->cache.bytes > 2 * options->window_bytes_stop + options->cache_bytes_max;
}

void consensus_message(struct partition *partition, struct bytes body, uint64_t from)
{
    struct replica *replica = partition->replica;
    struct msg_raft message;
    if (raft_message_decode(body, &replica->turn_arena, &message) != PAWL_OK ||
        message.from != from || message.to != replica->options.node ||
        message.partition != partition->number)
        return; /* no correct peer sends it */
    if (message.entries.count > 0 && is_overfull(partition))
        return; /* as if the network had lost it; heartbeats, without entries, go on */
    const struct msg_raft_entry *sent = message.entries.elements;
    struct raft_entry *entries =
        arena_array(&replica->turn_arena, message.entries.count, sizeof *entries);
    if (entries == NULL && message.entries.count > 0)
        return; /* as if the network had lost it */
    for (size_t i = 0; i < message.entries.count; i++) {
        if (!is_entry_sound(replica, &sent[i]))
            return;
        entries[i] = (struct raft_entry){
            .term = sent[i].term, .bytes = (uint32_t)sent[i].payload.size, .kind = sent[i].kind};
    }
    struct raft_input input = {.kind = RAFT_IN_MESSAGE,
                               .message = {.kind = message.kind,
                                           .from = message.from,
                                           .to = message.to,
                                           .term = message.term,
                                           .previous_index = message.previous_index,
                                           .previous_term = message.previous_term,
                                           .commit_index = message.commit_index,
                                           .entries = entries,
                                           .entry_count = message.entries.count,
                                           .round = message.round,
                                           .is_rejected = message.is_rejected,
                                           .match_index = message.match_index,
                                           .hint_index = message.hint_index,
                                           .hint_term = message.hint_term,
                                           .is_withheld = message.is_withheld}};
    if (step(partition, &input, &message) == RAFT_DROPPED)
        return;
    observe(partition, &message);
}

void consensus_peer_lost(struct partition *partition, uint64_t node)
{
    struct raft_input input = {.kind = RAFT_IN_PEER_LOST, .node = node};
    (void)step(partition, &input, NULL);
}

uint64_t consensus_deadline_us(const struct partition *partition)
{
    enum { CLOCK_OFF_DELAY_MS = 300 };
    const bool is_shy = partition->watch.is_off && partition->role != RAFT_LEADER;
    return (raft_deadline(partition->raft) + (is_shy ? CLOCK_OFF_DELAY_MS : 0)) * 1000;
}

/* A node whose log lost its end asks to take part again as soon as the core can answer for it: when
 * every other voter has told its term and a leader has filled the log. */
static void ask_for_readmission(struct partition *partition)
{
    partition->is_readmission_asked = true;
    struct raft_input input = {.kind = RAFT_IN_READMIT};
    (void)step(partition, &input, NULL);
}

void consensus_tick(struct partition *partition)
{
    if (partition->is_vote_withheld && !partition->is_readmission_asked)
        ask_for_readmission(partition);
    if (replica_now_ms(partition->replica) * 1000 < consensus_deadline_us(partition))
        return;
    struct raft_input input = {.kind = RAFT_IN_TICK};
    (void)step(partition, &input, NULL);
}

void consensus_propose(struct partition *partition)
{
    if (partition->batch_count == 0)
        return;
    struct raft_input input = {
        .kind = RAFT_IN_PROPOSE,
        .propose = {.entries = partition->batch, .entry_count = partition->batch_count}};
    partition->batch_count = 0;
    /* Nothing between the decisions and here can take the role away, and their size was bounded. */
    enum raft_error error = step(partition, &input, NULL);
    assert(error == RAFT_OK);
}

void consensus_read_round(struct partition *partition)
{
    if (!partition->wants_round || partition->role != RAFT_LEADER)
        return;
    partition->wants_round = false;
    struct raft_input input = {.kind = RAFT_IN_READ};
    enum raft_error error = step(partition, &input, NULL);
    if (error != RAFT_OK && partition->role == RAFT_LEADER)
        partition->wants_round = true; /* not ready: the next turn asks again */
}

void consensus_cut(struct partition *partition, uint64_t index)
{
    struct raft_input input = {.kind = RAFT_IN_CUT, .index = index};
    (void)step(partition, &input, NULL);
    struct job *job = job_new(JOB_LOG_CUT, partition->number);
    if (job == NULL)
        return; /* the next cut covers it */
    job->cut.index = index;
    partition_submit(partition, job);
}
