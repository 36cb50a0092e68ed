#include "tests/sim/node.h"

#include <assert.h>
#include <stdlib.h>

#include "tests/sim/lanes.h"
#include "tests/sim/must.h"
#include "tests/sim/sim.h"

enum {
    TURN_US = 30,
    SYNC_US_MIN = 100,
    SYNC_US_MAX = 1500,
    SPARE_SEGMENTS = 1,
};

static const struct id128 cluster_id = {{'s', 'i', 'm'}};

/* ---- ports ---- */

static void entropy_fill(void *self, void *out, size_t size)
{
    struct sim_node *node = self;
    random_fill(&node->random, out, size);
}

static void peer_send(void *self, uint64_t to, uint8_t type, const struct bytes *parts,
                      size_t part_count)
{
    struct sim_node *node = self;
    struct sim *sim = node->sim;
    struct buffer frame = {0};
    for (size_t i = 0; i < part_count; i++)
        buffer_append(&frame, parts[i].data, parts[i].size);
    assert(!frame.is_failed);
    const struct bytes body = buffer_bytes(&frame);
    assert(to >= 1 && to <= sim->plan.node_count && to != node->index + 1);
    events_stir(&sim->events, type ^ body.size << 8);
    chain_peer_sends(&sim->chain, sim, node, body);
    network_peer_send(sim, node->index, (uint32_t)to - 1, type, body);
    buffer_done(&frame);
}

static bool client_send(void *self, uint64_t connection, uint8_t type, struct bytes body)
{
    struct sim_node *node = self;
    return network_send(node->sim, connection, TO_HOST, type, body);
}

static void client_close(void *self, uint64_t connection)
{
    struct sim_node *node = self;
    network_close(node->sim, connection, TO_HOST);
}

/* ---- life ---- */

void sim_node_heal(struct sim_node *node)
{
    node->turn_us = TURN_US;
    node->sync_us_min = SYNC_US_MIN;
    node->sync_us_max = SYNC_US_MAX;
    node->wants_cut_in_append = node->wants_cut_in_flush = false;
    sim_disk_heal(node->disk);
    sim_node_disk_free_up(node);
}

void sim_node_disk_fill(struct sim_node *node)
{
    node->is_disk_full = true;
    sim_disk_set_full(node->disk, true);
}

void sim_node_disk_free_up(struct sim_node *node)
{
    node->is_disk_full = false;
    sim_disk_set_full(node->disk, false);
}

void sim_node_begin(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    *node = (struct sim_node){
        .sim = sim,
        .index = index,
        .random = random_fork(&sim->root, 10 + index),
        .clock = {.events = &sim->events, .monotonic_us = (uint64_t)(index + 1) * 77777777},
        .rows = rows_map_new(&(struct rows_map_options){.partition_count = 1}),
        .engine = engine_new(),
        .turn_at_us = UINT64_MAX,
    };
    node->disk = sim_disk_new(random_u64(&node->random));
    assert(node->disk != NULL && node->rows != NULL && node->engine != NULL);
    sim_node_heal(node);
    lanes_begin(node);
    events_put(&sim->events, (struct event){.kind = EVENT_NODE_BOOT, .target = index});
}

static void inbox_clear(struct sim_node *node)
{
    for (size_t i = 0; i < node->inbox_count; i++) {
        free(node->inbox[i].frame);
        if (node->inbox[i].input.job != NULL)
            replica_abandon(node->replica, node->inbox[i].input.job);
    }
    node->inbox_count = 0;
}

/* The process is gone; disk and store stay. */
static void end_process(struct sim_node *node, uint64_t boot_after_us)
{
    struct sim *sim = node->sim;
    chain_node_ends(&sim->chain, node);
    inbox_clear(node);
    lanes_abandon(node);
    replica_free(node->replica);
    wal_close(node->wal);
    arena_reset(&node->boot_arena);
    node->replica = NULL;
    node->wal = NULL;
    node->is_up = node->is_paused = false;
    node->life++;
    node->turn_at_us = UINT64_MAX;
    events_put(&sim->events, (struct event){.at_us = sim->events.now_us + boot_after_us,
                                            .kind = EVENT_NODE_BOOT,
                                            .life = node->life,
                                            .target = node->index});
}

void sim_node_done(struct sim_node *node)
{
    if (node->is_up)
        end_process(node, 0);
    arena_done(&node->boot_arena);
    sim_disk_free(node->disk);
    rows_map_free(node->rows);
    engine_free(node->engine);
    free(node->errands);
    free(node->inbox);
}

void sim_node_kill(struct sim_node *node, uint64_t boot_after_us)
{
    if (!node->is_up)
        return;
    sim_trace(node->sim, "node %u: killed", (unsigned)node->index + 1);
    end_process(node, boot_after_us);
    network_node_gone(node->sim, node->index);
}

void sim_node_power_cut(struct sim_node *node, uint64_t boot_after_us)
{
    if (!node->is_up)
        return;
    sim_trace(node->sim, "node %u: power cut", (unsigned)node->index + 1);
    end_process(node, boot_after_us);
    sim_node_heal(node);
    sim_disk_crash(node->disk);
    network_node_dark(node->sim, node->index);
}

static bool are_all_whole(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->plan.node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (!node->is_up || node->is_damaged || node->flushed_index == 0)
            return false;
    }
    return true;
}

struct file_choice {
    struct random *random;
    char name[64];
    size_t count;
};

static void consider_file(void *user, const char *name)
{
    struct file_choice *choice = user;
    choice->count++;
    if (random_below(choice->random, choice->count) == 0)
        snprintf(choice->name, sizeof choice->name, "%s", name);
}

void sim_node_damage(struct sim_node *node, uint64_t boot_after_us)
{
    struct file_choice choice = {.random = &node->random};
    const struct disk_port disk = sim_disk_port(node->disk);
    if (!are_all_whole(node->sim))
        return;
    sim_node_kill(node, boot_after_us);
    if (disk.list(disk.self, consider_file, &choice) != 0 || choice.count == 0)
        return;
    const struct bytes content = sim_disk_content(node->disk, choice.name);
    const uint64_t used = random_chance(&node->random, 500000) ? content.size : content.size / 8;
    const uint64_t offset = random_below(&node->random, used);
    node->is_damaged =
        sim_disk_flip(node->disk, choice.name, offset, (unsigned)random_below(&node->random, 8));
    node->was_damaged |= node->is_damaged;
    sim_trace(node->sim, "node %u: bit at %llu of %s changed", (unsigned)node->index + 1,
              (unsigned long long)offset, choice.name);
}

/* What no recovery can read an operator takes away: the log is lost, and the store is not. */
static void remove_log(struct sim_node *node)
{
    const struct disk_port disk = sim_disk_port(node->disk);
    struct file_choice choice;
    do {
        choice = (struct file_choice){.random = &node->random};
        if (disk.list(disk.self, consider_file, &choice) != 0 || choice.count == 0)
            return;
    } while (disk.remove(disk.self, choice.name) == 0);
}

static void schedule_turn(struct sim_node *node, uint64_t at_us)
{
    if (at_us < node->busy_until_us)
        at_us = node->busy_until_us;
    if (at_us < node->sim->events.now_us)
        at_us = node->sim->events.now_us;
    if (node->is_paused || node->turn_at_us <= at_us)
        return;
    node->turn_at_us = at_us;
    events_put(&node->sim->events, (struct event){.at_us = at_us,
                                                  .kind = EVENT_NODE_TURN,
                                                  .life = node->life,
                                                  .target = node->index});
}

static enum pawl_error open_log(struct sim_node *node, struct replica_restored *restored,
                                struct pawl_diag *diag)
{
    const struct wal_options options = {
        .disk = sim_disk_port(node->disk),
        .cluster = cluster_id,
        .node = node->index + 1,
        .salt = random_u64(&node->random),
        .segment_bytes = node->sim->plan.segment_bytes,
        .spare_segments = SPARE_SEGMENTS,
    };
    struct wal_recovery recovery;
    TRY(wal_open(&options, &node->boot_arena, &recovery, &node->wal, diag));
    if (recovery.health != WAL_HEALTHY && !node->is_damaged)
        sim_fail(node->sim, "P13", "node %u: the log took a crash for damage: %s",
                 (unsigned)node->index + 1, recovery.diag.text);
    const struct rows_port rows = rows_map_port(node->rows);
    enum pawl_error error =
        replica_restore(node->wal, &recovery, &rows, &node->boot_arena, restored, diag);
    if (error != PAWL_OK) {
        wal_close(node->wal);
        node->wal = NULL;
    }
    return error;
}

static void fill_members(struct sim_node *node, struct replica_options *options)
{
    static const char *const names[SIM_NODES_MAX] = {"n1", "n2", "n3", "n4", "n5"};
    static const char *const peers[SIM_NODES_MAX] = {"n1:2", "n2:2", "n3:2", "n4:2", "n5:2"};
    static const char *const clients[SIM_NODES_MAX] = {"n1:1", "n2:1", "n3:1", "n4:1", "n5:1"};
    options->name = bytes_string(names[node->index]);
    options->member_count = node->sim->plan.node_count;
    for (size_t i = 0; i < options->member_count; i++)
        options->members[i] = (struct msg_member){.node = i + 1,
                                                  .name = bytes_string(names[i]),
                                                  .peer_address = bytes_string(peers[i]),
                                                  .client_address = bytes_string(clients[i])};
}

static enum pawl_error new_replica(struct sim_node *node, const struct replica_restored *restored)
{
    const struct plan *plan = &node->sim->plan;
    struct replica_options options = {
        .cluster = cluster_id,
        .node = node->index + 1,
        .clock = host_clock_port(&node->clock),
        .entropy = {node, entropy_fill},
        .links = {node, peer_send, client_send, client_close},
        .jobs = lanes_port(node),
        .flush_interval_ms = plan->flush_interval_ms,
        .clean_bytes_max = plan->clean_bytes_max,
        .cache_bytes_max = plan->cache_bytes_max,
        .window_bytes_busy = plan->window_bytes_busy,
        .window_bytes_stop = 2 * plan->window_bytes_busy,
        .append_bytes_max = plan->append_bytes_max,
        .remember_bytes = plan->remember_bytes,
        .cut_step = plan->cut_step,
        .cut_keep = plan->cut_keep,
    };
    fill_members(node, &options);
    return replica_new(&options, restored, &node->replica);
}

/* An error of the disk while it boots ends the attempt; there will be another. */
static void boot_failed(struct sim_node *node, enum pawl_error error, const struct pawl_diag *diag)
{
    enum { AGAIN_AFTER_US = 300000 };
    struct sim *sim = node->sim;
    if (error == PAWL_E_CORRUPT && node->is_damaged) {
        sim_trace(sim, "node %u: %s", (unsigned)node->index + 1, diag->text);
        remove_log(node);
    } else if (error != PAWL_E_IO && error != PAWL_E_DISK_FULL) {
        sim_fail(sim, "P13", "node %u does not boot: %s: %s", (unsigned)node->index + 1,
                 pawl_error_name(error), diag->text);
        return;
    } else {
        totals_count(&sim->totals, TOTAL_ENDS_BY_ERROR);
    }
    arena_reset(&node->boot_arena);
    events_put(&sim->events, (struct event){.at_us = sim->events.now_us + AGAIN_AFTER_US,
                                            .kind = EVENT_NODE_BOOT,
                                            .life = node->life,
                                            .target = node->index});
}

void sim_node_boot(struct sim *sim, const struct event *event)
{
    struct sim_node *node = &sim->nodes[event->target];
    struct replica_restored restored;
    struct pawl_diag diag = {.text = ""};
    if (node->is_up || node->life != event->life)
        return;
    network_node_back(sim, node->index);
    enum pawl_error error = open_log(node, &restored, &diag);
    if (error != PAWL_OK) {
        boot_failed(node, error, &diag);
        return;
    }
    chain_node_boots(&sim->chain, sim, node, &restored);
    error = new_replica(node, &restored);
    assert(error == PAWL_OK);
    node->is_up = true;
    node->is_damaged = restored.is_vote_withheld;
    node->has_begun_again |= restored.is_vote_withheld && restored.mark.index > 0 &&
                             restored.log.last_index == restored.log.base_index;
    node->busy_until_us = 0;
    if (restored.is_vote_withheld)
        totals_count(&sim->totals, TOTAL_VOTES_WITHHELD);
    totals_count(&sim->totals, TOTAL_BOOTS);
    sim_trace(sim, "node %u: up, term %llu, log %llu..%llu, store %llu", (unsigned)node->index + 1,
              (unsigned long long)restored.log.term,
              (unsigned long long)restored.log.base_index + 1,
              (unsigned long long)restored.log.last_index, (unsigned long long)restored.mark.index);
    schedule_turn(node, sim->events.now_us);
}

void sim_node_pause(struct sim_node *node)
{
    if (!node->is_up || node->is_paused)
        return;
    node->is_paused = true;
    node->turn_at_us = UINT64_MAX;
    sim_trace(node->sim, "node %u: paused", (unsigned)node->index + 1);
}

void sim_node_resume(struct sim_node *node)
{
    if (!node->is_up || !node->is_paused)
        return;
    node->is_paused = false;
    schedule_turn(node, node->sim->events.now_us);
    sim_trace(node->sim, "node %u: resumed", (unsigned)node->index + 1);
}

/* ---- turns ---- */

static void inbox_put(struct sim_node *node, const struct replica_input *input,
                      struct packet *frame_take)
{
    if (node->inbox_count == node->inbox_capacity) {
        node->inbox_capacity = node->inbox_capacity * 2 + 16;
        node->inbox = must_resize(node->inbox, node->inbox_capacity * sizeof *node->inbox);
    }
    node->inbox[node->inbox_count++] = (struct node_input){*input, frame_take};
    schedule_turn(node, node->sim->events.now_us);
}

void sim_node_job_done(struct sim_node *node, struct job *job_take)
{
    inbox_put(node, &(struct replica_input){.kind = REPLICA_JOB_DONE, .job = job_take}, NULL);
}

void sim_node_peer_frame(struct sim *sim, const struct event *event)
{
    struct sim_node *node = &sim->nodes[event->target];
    if (!node->is_up || node->life != event->life) {
        free(event->frame);
        return;
    }
    inbox_put(node,
              &(struct replica_input){.kind = REPLICA_PEER_FRAME,
                                      .source = event->detail + 1,
                                      .type = event->frame->type,
                                      .body = packet_body(event->frame)},
              event->frame);
}

void sim_node_peer_lost(struct sim *sim, const struct event *event)
{
    struct sim_node *node = &sim->nodes[event->target];
    if (node->is_up && node->life == event->life)
        inbox_put(node,
                  &(struct replica_input){.kind = REPLICA_PEER_LOST, .source = event->detail + 1},
                  NULL);
}

void sim_node_client_frame(struct sim *sim, uint32_t index, uint64_t connection,
                           struct packet *frame_take)
{
    inbox_put(&sim->nodes[index],
              &(struct replica_input){.kind = REPLICA_CLIENT_FRAME,
                                      .source = connection,
                                      .type = frame_take->type,
                                      .body = packet_body(frame_take)},
              frame_take);
}

void sim_node_connection_closed(struct sim *sim, uint32_t index, uint64_t connection)
{
    inbox_put(&sim->nodes[index],
              &(struct replica_input){.kind = REPLICA_CLIENT_CLOSED, .source = connection}, NULL);
}

void sim_node_turn(struct sim *sim, const struct event *event)
{
    enum { INPUT_US = 2 };
    struct sim_node *node = &sim->nodes[event->target];
    if (!node->is_up || node->life != event->life || node->turn_at_us != event->at_us ||
        node->is_paused)
        return;
    node->turn_at_us = UINT64_MAX;
    node->turn_count++;
    const size_t count = node->inbox_count;
    struct node_input *taken = node->inbox;
    struct replica_input *inputs = must_alloc(count * sizeof *inputs);
    for (size_t i = 0; i < count; i++)
        inputs[i] = taken[i].input;
    node->inbox = NULL;
    node->inbox_count = node->inbox_capacity = 0;
    replica_turn(node->replica, inputs, count);
    for (size_t i = 0; i < count; i++)
        free(taken[i].frame);
    free(taken);
    free(inputs);
    node->is_damaged = node->is_damaged && replica_status(node->replica).is_vote_withheld;
    chain_node_turned(&sim->chain, sim, node);
    node->busy_until_us = sim->events.now_us + node->turn_us + INPUT_US * count;
    schedule_turn(node, host_clock_true_us(&node->clock, replica_deadline_us(node->replica)));
    if (node->inbox_count > 0)
        schedule_turn(node, sim->events.now_us);
}
