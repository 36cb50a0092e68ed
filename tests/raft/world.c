#include "world.h"

#include <assert.h>
#include <string.h>

enum { FAULTY_MS = 4000, HEALED_MS = 4000, QUIET_MS = 1000, ACTION_MS_MAX = 24 };

static uint64_t draw(struct world *world, uint64_t first, uint64_t last)
{
    return raft_prng_between(&world->prng, first, last);
}

static bool chance(struct world *world, uint32_t of, uint32_t in)
{
    return draw(world, 1, in) <= of;
}

/* One of the faults is off in half of the worlds: what is rare needs others out of its way. */
static uint32_t strength(struct world *world, uint32_t max)
{
    return chance(world, 1, 2) ? 0 : (uint32_t)draw(world, 1, max);
}

/* ---- Events, earliest first. ---- */

static bool is_earlier(const struct world *world, uint32_t a, uint32_t b)
{
    const struct world_event *x = &world->events[a];
    const struct world_event *y = &world->events[b];
    return x->at_ms < y->at_ms || (x->at_ms == y->at_ms && x->order < y->order);
}

static void sift_up(struct world *world, size_t at)
{
    uint32_t moved = world->heap[at];
    for (; at > 0 && is_earlier(world, moved, world->heap[(at - 1) / 2]); at = (at - 1) / 2)
        world->heap[at] = world->heap[(at - 1) / 2];
    world->heap[at] = moved;
}

static void sift_down(struct world *world, size_t at)
{
    uint32_t moved = world->heap[at];
    for (;;) {
        size_t child = at * 2 + 1;
        if (child + 1 < world->heap_count &&
            is_earlier(world, world->heap[child + 1], world->heap[child]))
            child++;
        if (child >= world->heap_count || !is_earlier(world, world->heap[child], moved))
            break;
        world->heap[at] = world->heap[child];
        at = child;
    }
    world->heap[at] = moved;
}

/* NULL: full, which loses the packet like any other loss. */
static struct world_event *schedule(struct world *world, enum world_event_kind kind, uint32_t to,
                                    uint64_t at_ms)
{
    if (world->free_count == 0)
        return NULL;
    uint32_t slot = world->free_events[--world->free_count];
    struct world_event *event = &world->events[slot];
    event->kind = kind;
    event->to = to;
    event->at_ms = at_ms;
    event->order = world->order++;
    event->life = world->nodes[to].life;
    world->heap[world->heap_count++] = slot;
    sift_up(world, world->heap_count - 1);
    return event;
}

static uint32_t pop(struct world *world)
{
    uint32_t slot = world->heap[0];
    world->heap[0] = world->heap[--world->heap_count];
    if (world->heap_count > 0)
        sift_down(world, 0);
    return slot;
}

/* ---- The network. ---- */

static uint64_t packet_delay(struct world *world)
{
    const struct world_faults *faults = &world->faults;
    if (chance(world, faults->slow_percent, 100))
        return draw(world, 1, faults->slow_ms_max);
    return draw(world, 1, faults->delay_ms_max);
}

static void put_packet(struct world *world, uint32_t from, const struct raft_message *message)
{
    uint32_t to = (uint32_t)message->to - 1;
    struct world_event *event =
        schedule(world, WORLD_PACKET, to, world->now_ms + packet_delay(world));
    if (event == NULL)
        return;
    event->incarnations[0] = world->nodes[from].incarnation;
    event->incarnations[1] = world->nodes[to].incarnation;
    event->message = *message;
    event->message.entries = event->entries;
    assert(message->entry_count <= WORLD_PACKET_ENTRIES_MAX);
    const struct host_log *log = &world->nodes[from].host.memory;
    for (size_t i = 0; i < message->entry_count; i++) {
        const struct host_record *record = &log->records[message->previous_index + 1 + i];
        event->entries[i] = message->entries[i];
        event->payloads[i] = record->payload;
        if (record->entry.term != message->entries[i].term ||
            record->entry.bytes != message->entries[i].bytes)
            world_fail(world, "an append carries what is not in the log", from + 1);
    }
}

static void send(struct world *world, uint32_t from, const struct raft_message *message)
{
    world_check_send(world, from, message);
    if (world->is_cut[from][message->to - 1] || chance(world, world->faults.loss_percent, 100))
        return;
    put_packet(world, from, message);
    if (chance(world, world->faults.double_percent, 100))
        put_packet(world, from, message);
}

/* ---- A node takes a step. ---- */

static void begin_sync(struct world *world, uint32_t at)
{
    struct world_node *node = &world->nodes[at];
    if (node->is_syncing || node->host.write_count == 0)
        return;
    struct world_event *event = schedule(world, WORLD_SYNCED, at,
                                         world->now_ms + draw(world, 0, world->faults.sync_ms_max));
    if (event == NULL)
        return;
    event->write_count = node->host.write_count;
    node->is_syncing = true;
}

static void carry_out(struct world *world, uint32_t at, const struct raft_output *output)
{
    switch (output->kind) {
    case RAFT_OUT_PERSIST:
        world_check_write(world, at, &output->persist);
        return;
    case RAFT_OUT_SEND:
        send(world, at, &output->message);
        return;
    case RAFT_OUT_COMMITTED:
        world_check_commit(world, at, output->index);
        return;
    case RAFT_OUT_ROLE:
        world_check_role(world, at, output->role.role, output->role.term);
        return;
    case RAFT_OUT_READ_STARTED:
        world_note_read(world, at, output->read.round, output->read.index);
        return;
    case RAFT_OUT_READ_CONFIRMED:
        world_check_read(world, at, output->read.round);
        return;
    case RAFT_OUT_READMITTED:
        world->counts.readmissions++;
        return;
    }
    world_fail(world, "an output of no kind", at + 1);
}

static enum raft_error step(struct world *world, uint32_t at, struct raft_input *input,
                            const uint64_t *payloads)
{
    struct world_node *node = &world->nodes[at];
    struct raft_outputs outputs;
    input->now_ms = world->now_ms;
    world->counts.steps++;
    enum raft_error error = host_step(&node->host, input, payloads, &outputs);
    if (error == RAFT_DROPPED)
        world_fail(world, "a message of a correct peer was dropped", at + 1);
    for (size_t i = 0; i < outputs.count; i++)
        carry_out(world, at, &outputs.output[i]);
    if (world->is_checked_inside)
        raft_check(node->host.raft);
    begin_sync(world, at);
    return error;
}

static bool is_running(const struct world *world, uint32_t at)
{
    const struct world_node *node = &world->nodes[at];
    return node->host.raft != NULL && node->paused_until_ms <= world->now_ms;
}

/* ---- Crashes and starts. ---- */

static void start(struct world *world, uint32_t at)
{
    struct world_node *node = &world->nodes[at];
    raft_index known = node->commit_index;
    if (known > node->host.disk.last_index)
        known = node->host.disk.last_index;
    node->host.options.seed = draw(world, 0, UINT64_MAX - 1);
    node->commit_index = draw(world, node->host.disk.base_index, known);
    node->life++;
    node->is_syncing = false;
    node->read_count = 0;
    node->last_report_ms = 0;
    if (!host_start(&node->host, node->commit_index, world->now_ms))
        world_fail(world, "a core refused its own disk", at + 1);
}

/* The connection to a node broke, says the host, and a new one fails. */
static void tell_lost(struct world *world, uint32_t to, uint32_t lost)
{
    struct world_event *event =
        schedule(world, WORLD_LOST, to, world->now_ms + draw(world, 0, world->faults.lost_ms_max));
    if (event != NULL)
        event->lost = lost + 1;
}

static void tell_all_lost(struct world *world, uint32_t lost)
{
    for (uint32_t to = 0; world->faults.lost_ms_max > 0 && to < world->node_count; to++) {
        if (to != lost && !world->is_cut[to][lost] && !world->is_cut[lost][to])
            tell_lost(world, to, lost);
    }
}

static void crash(struct world *world, uint32_t at)
{
    struct world_node *node = &world->nodes[at];
    size_t whole = draw(world, 0, node->host.write_count);
    host_crash(&node->host, whole, (int)draw(world, 0, 4) - 1);
    node->up_at_ms = world->now_ms + draw(world, 1, 800);
    node->paused_until_ms = 0;
    world->counts.crashes++;
    tell_all_lost(world, at);
    if (!node->host.is_withheld)
        world_check_restart(world, at);
}

/* Synced things are lost, perhaps the term and vote with them: a new incarnation. */
static void damage(struct world *world, uint32_t at)
{
    struct world_node *node = &world->nodes[at];
    struct host *host = &node->host;
    raft_index least = 0; /* what the others have cut could only come back as a snapshot */
    for (uint32_t i = 0; i < world->node_count; i++) {
        const struct host *other = &world->nodes[i].host;
        if (other->is_withheld)
            return;
        if (other->disk.base_index > least)
            least = other->disk.base_index;
    }
    crash(world, at);
    host->is_withheld = true;
    host->disk.last_index = draw(world, least, host->disk.last_index);
    host->disk_term = host_log_term(&host->disk, host->disk.last_index);
    host->disk_vote = 0;
    node->incarnation++;
    if (node->voted_term > node->lost_voted_term) {
        node->lost_voted_term = node->voted_term;
        node->lost_voted_for = node->voted_for;
    }
    node->voted_term = node->acked_term = 0;
    node->voted_for = 0;
    node->acked_index = 0;
    world->counts.damages++;
}

/* ---- Actions. ---- */

static void propose(struct world *world, uint32_t at)
{
    enum { BATCH_MAX = 4 };
    struct raft_entry entries[BATCH_MAX];
    uint64_t payloads[BATCH_MAX];
    size_t entry_count = draw(world, 1, BATCH_MAX);
    if (raft_last_index(world->nodes[at].host.raft) + BATCH_MAX + WORLD_NODES_MAX > HOST_LOG_MAX)
        return;
    for (size_t i = 0; i < entry_count; i++) {
        entries[i] =
            (struct raft_entry){.bytes = (uint32_t)draw(world, 0, 200), .kind = RAFT_ENTRY_COMMAND};
        payloads[i] = ++world->next_payload;
    }
    struct raft_input input = {.kind = RAFT_IN_PROPOSE,
                               .propose = {.entries = entries, .entry_count = entry_count}};
    (void)step(world, at, &input, payloads);
}

static void cut_links(struct world *world)
{
    uint64_t sides = draw(world, 1, (UINT64_C(1) << world->node_count) - 2);
    uint64_t direction = draw(world, 0, 3); /* 0: heals, 1: one way, else: both */
    for (uint32_t from = 0; from < world->node_count; from++) {
        for (uint32_t to = 0; to < world->node_count; to++) {
            bool from_side = (sides >> from & 1) != 0;
            bool to_side = (sides >> to & 1) != 0;
            world->is_cut[from][to] =
                from_side != to_side && (direction > 1 || (direction == 1 && from_side));
        }
    }
}

/* Hosts cut behind everyone: what all disks hold and all know to be committed. */
static void cut_logs(struct world *world)
{
    raft_index least = HOST_LOG_MAX;
    for (uint32_t i = 0; i < world->node_count; i++) {
        const struct world_node *node = &world->nodes[i];
        if (node->host.raft == NULL || node->host.is_withheld)
            return;
        raft_index stable = raft_stable_index(node->host.raft);
        raft_index safe = node->commit_index < stable ? node->commit_index : stable;
        if (safe < least)
            least = safe;
    }
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct host *host = &world->nodes[i].host;
        raft_index index = draw(world, 0, least);
        if (index > host->memory.base_index)
            host_cut(host, index, world->now_ms);
    }
}

/* Half of the faults look for a leader: what hurts is a change of leader. */
static uint32_t pick_victim(struct world *world)
{
    uint32_t at = (uint32_t)draw(world, 0, world->node_count - 1);
    for (uint32_t i = 0; i < world->node_count && chance(world, 1, 2); i++) {
        const struct raft *raft = world->nodes[at].host.raft;
        if (raft != NULL && raft_role(raft) == RAFT_LEADER)
            break;
        at = (at + 1) % world->node_count;
    }
    return at;
}

static void do_fault(struct world *world, uint32_t at)
{
    const struct world_faults *faults = &world->faults;
    struct world_node *node = &world->nodes[at];
    if (chance(world, faults->cut_permille, 1000))
        cut_links(world);
    if (node->host.raft == NULL)
        return;
    if (chance(world, faults->lost_permille, 1000))
        tell_lost(world, (uint32_t)draw(world, 0, world->node_count - 1), at);
    if (chance(world, faults->pause_permille, 1000))
        node->paused_until_ms = world->now_ms + draw(world, 1, 1500);
    if (chance(world, faults->crash_permille, 1000))
        crash(world, at);
    else if (chance(world, faults->damage_permille, 1000))
        damage(world, at);
}

static void act(struct world *world)
{
    uint32_t at = (uint32_t)draw(world, 0, world->node_count - 1);
    world->action_at_ms = world->now_ms + draw(world, 1, ACTION_MS_MAX);
    struct raft_input readmit = {.kind = RAFT_IN_READMIT};
    do_fault(world, pick_victim(world));
    for (uint32_t i = 0; i < world->node_count; i++) {
        if (world->nodes[i].host.is_withheld && is_running(world, i))
            (void)step(world, i, &readmit, NULL);
    }
    if (!is_running(world, at))
        return;
    if (chance(world, 1, 20))
        cut_logs(world);
    if (chance(world, 2, 3))
        propose(world, at);
    if (chance(world, 1, 2)) {
        struct raft_input input = {.kind = RAFT_IN_READ};
        (void)step(world, at, &input, NULL);
    }
}

/* ---- Time. ---- */

static void finish_sync(struct world *world, const struct world_event *event)
{
    struct world_node *node = &world->nodes[event->to];
    struct raft_synced token = {0};
    for (size_t i = 0; i < event->write_count; i++)
        token = host_write_next(&node->host);
    node->is_syncing = false;
    uint64_t report_ms = world->now_ms + draw(world, 0, world->faults.report_ms_max);
    if (report_ms < node->last_report_ms)
        report_ms = node->last_report_ms;
    node->last_report_ms = report_ms;
    struct world_event *report = schedule(world, WORLD_REPORT, event->to, report_ms);
    assert(report != NULL);
    report->token = token;
    begin_sync(world, event->to);
}

static void put_off(struct world *world, uint32_t slot, uint64_t until_ms)
{
    world->events[slot].at_ms = until_ms;
    world->events[slot].order = world->order++;
    world->heap[world->heap_count++] = slot;
    sift_up(world, world->heap_count - 1);
}

static void deliver(struct world *world, uint32_t slot)
{
    const struct world_event *event = &world->events[slot];
    struct raft_input input = {.kind = RAFT_IN_MESSAGE, .message = event->message};
    uint32_t from = (uint32_t)event->message.from - 1;
    if (event->incarnations[0] != world->nodes[from].incarnation ||
        event->incarnations[1] != world->nodes[event->to].incarnation)
        return;
    (void)step(world, event->to, &input, event->payloads);
}

static void take_event(struct world *world, uint32_t slot)
{
    const struct world_event *event = &world->events[slot];
    const struct world_node *node = &world->nodes[event->to];
    bool is_of_this_life = event->kind == WORLD_PACKET || event->life == node->life;
    if (node->host.raft == NULL || !is_of_this_life) {
        world->free_events[world->free_count++] = slot;
        return;
    }
    if (event->kind != WORLD_SYNCED && node->paused_until_ms > world->now_ms) {
        put_off(world, slot, node->paused_until_ms);
        return;
    }
    struct raft_input report = {.kind = RAFT_IN_SYNCED, .synced = event->token};
    struct raft_input lost = {.kind = RAFT_IN_PEER_LOST, .node = event->lost};
    if (event->kind == WORLD_PACKET)
        deliver(world, slot);
    else if (event->kind == WORLD_SYNCED)
        finish_sync(world, event);
    else
        (void)step(world, event->to, event->kind == WORLD_REPORT ? &report : &lost, NULL);
    world->free_events[world->free_count++] = slot;
}

/* When this node next wants the clock: to start, or to tick, a little late as hosts are. */
static uint64_t node_due_ms(struct world *world, uint32_t at)
{
    struct world_node *node = &world->nodes[at];
    if (node->host.raft == NULL)
        return node->up_at_ms;
    uint64_t due_ms = raft_deadline(node->host.raft);
    if (due_ms != node->tick_due_ms) {
        node->tick_due_ms = due_ms;
        node->tick_at_ms = due_ms + draw(world, 0, world->faults.late_ms_max);
    }
    return node->tick_at_ms > node->paused_until_ms ? node->tick_at_ms : node->paused_until_ms;
}

static void wake_node(struct world *world, uint32_t at)
{
    struct raft_input input = {.kind = RAFT_IN_TICK};
    if (world->nodes[at].host.raft == NULL)
        start(world, at);
    else
        (void)step(world, at, &input, NULL);
}

static void advance(struct world *world, uint64_t until_ms)
{
    while (world->violation[0] == '\0') {
        uint64_t next_ms = world->action_at_ms;
        int next_node = -1;
        for (uint32_t i = 0; i < world->node_count; i++) {
            uint64_t due_ms = node_due_ms(world, i);
            if (due_ms < next_ms) {
                next_ms = due_ms;
                next_node = (int)i;
            }
        }
        bool is_event = world->heap_count > 0 && world->events[world->heap[0]].at_ms <= next_ms;
        if (is_event)
            next_ms = world->events[world->heap[0]].at_ms;
        if (next_ms >= until_ms)
            break;
        if (next_ms > world->now_ms)
            world->now_ms = next_ms;
        if (is_event)
            take_event(world, pop(world));
        else if (next_node >= 0)
            wake_node(world, (uint32_t)next_node);
        else
            act(world);
    }
    world->now_ms = until_ms;
}

static void heal(struct world *world)
{
    world->faults = (struct world_faults){.delay_ms_max = 5, .slow_ms_max = 1, .sync_ms_max = 5};
    memset(world->is_cut, 0, sizeof world->is_cut);
    for (uint32_t i = 0; i < world->node_count; i++) {
        world->nodes[i].up_at_ms = world->now_ms;
        world->nodes[i].paused_until_ms = world->now_ms;
    }
    world->is_healed = true;
}

bool world_run(struct world *world)
{
    uint64_t begin_ms = world->now_ms;
    advance(world, begin_ms + FAULTY_MS);
    if (world->violation[0] == '\0') {
        heal(world);
        advance(world, begin_ms + FAULTY_MS + HEALED_MS);
        raft_index before = world->acknowledged_index;
        world->action_at_ms = UINT64_MAX;
        advance(world, begin_ms + FAULTY_MS + HEALED_MS + QUIET_MS);
        if (before == 0)
            world_fail(world, "liveness: nothing was ever committed", 0);
        world_check_agreement(world);
    }
    return world->violation[0] == '\0';
}

/* ---- Making one. ---- */

static struct world_faults draw_faults(struct world *world)
{
    return (struct world_faults){
        .loss_percent = strength(world, 30),
        .double_percent = strength(world, 20),
        .slow_percent = strength(world, 10),
        .slow_ms_max = 1500,
        .delay_ms_max = (uint32_t)draw(world, 1, 60),
        .sync_ms_max = strength(world, 100),
        .report_ms_max = strength(world, 200),
        .cut_permille = strength(world, 40),
        .pause_permille = strength(world, 60),
        .crash_permille = strength(world, 40),
        .damage_permille = strength(world, 10),
        .late_ms_max = strength(world, 100),
        .lost_ms_max = strength(world, 30),
        .lost_permille = strength(world, 200),
    };
}

/* Three, five, or five in a joint configuration with a learner among them. */
static struct raft_configuration draw_configuration(struct world *world)
{
    static const struct raft_configuration configurations[] = {
        {.voters = {1, 2, 3}, .voter_count = 3},
        {.voters = {1, 2, 3, 4, 5}, .voter_count = 5},
        {.voters = {1, 2, 3},
         .voter_count = 3,
         .old_voters = {2, 3, 4},
         .old_voter_count = 3,
         .learners = {5},
         .learner_count = 1},
    };
    static const uint32_t node_counts[] = {3, 5, 5};
    uint64_t drawn = draw(world, 0, 5); /* three nodes are the common case, and the fastest */
    size_t kind = drawn < 4 ? 0 : drawn - 3;
    world->node_count = node_counts[kind];
    return configurations[kind];
}

static struct raft_options draw_options(struct world *world)
{
    struct raft_options options = {
        .heartbeat_ms = 50,
        .election_timeout_ms_min = 300,
        .election_timeout_ms_max = 600,
        .append_bytes_max = (uint32_t)draw(world, 1, 1000),
        .append_entries_max = (uint32_t)draw(world, 1, WORLD_PACKET_ENTRIES_MAX),
        .window_messages_max = (uint32_t)draw(world, 1, 16),
        .window_bytes_max = (uint32_t)draw(world, 1, 5000),
        .uncommitted_bytes_max = draw(world, 1, 20000),
    };
    options.configuration = draw_configuration(world);
    return options;
}

void world_init(struct world *world, uint64_t seed)
{
    memset(world->version_counts, 0, sizeof world->version_counts);
    memset(world->leader_of_term, 0, sizeof world->leader_of_term);
    memset(world->is_cut, 0, sizeof world->is_cut);
    memset(&world->counts, 0, sizeof world->counts);
    world->seed = seed;
    world->prng.state = seed;
    world->now_ms = 1000;
    world->action_at_ms = world->now_ms;
    world->order = world->next_payload = 0;
    world->is_healed = false;
    world->is_checked_inside = true;
    world->heap_count = 0;
    world->committed_index = world->acknowledged_index = 0;
    world->violation[0] = '\0';
    world->faults = draw_faults(world);
    for (uint32_t i = 0; i < WORLD_PACKETS_MAX; i++)
        world->free_events[i] = i;
    world->free_count = WORLD_PACKETS_MAX;
    struct raft_options options = draw_options(world);
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[i];
        options.self = i + 1;
        host_init(&node->host, &options);
        node->life = node->incarnation = 0;
        node->paused_until_ms = node->tick_due_ms = node->tick_at_ms = 0;
        node->commit_index = 0;
        node->voted_term = node->acked_term = node->lost_voted_term = 0;
        node->voted_for = 0;
        node->acked_index = 0;
        start(world, i);
    }
}

void world_done(struct world *world)
{
    for (uint32_t i = 0; i < world->node_count; i++)
        host_done(&world->nodes[i].host);
}

uint64_t world_digest(const struct world *world)
{
    uint64_t digest = world->counts.steps;
    for (uint32_t i = 0; i < world->node_count; i++) {
        if (world->nodes[i].host.raft != NULL)
            digest = digest * 31 + raft_digest(world->nodes[i].host.raft);
    }
    return digest;
}
