/* World check: what must hold, told by records kept outside of the nodes. */
#include <stdio.h>

#include "world.h"

void world_fail(struct world *world, const char *what, raft_node node)
{
    if (world->violation[0] != '\0')
        return;
    (void)snprintf(world->violation, sizeof world->violation, "%s (node %llu, at %llu ms)", what,
                   (unsigned long long)node, (unsigned long long)world->now_ms);
}

/* ---- Log matching: an entry's index and term name its payload and the entry before it. ---- */

static void check_version(struct world *world, uint32_t at, raft_index index)
{
    const struct host_log *log = &world->nodes[at].host.memory;
    const struct world_version version = {
        .term = log->records[index].entry.term,
        .previous_term = index == 1 ? 0 : log->records[index - 1].entry.term,
        .payload = log->records[index].payload,
    };
    struct world_version *versions = world->versions[index];
    for (uint8_t i = 0; i < world->version_counts[index]; i++) {
        if (versions[i].term != version.term)
            continue;
        if (versions[i].payload != version.payload ||
            versions[i].previous_term != version.previous_term)
            world_fail(world, "log matching: one index and term, two entries", at + 1);
        return;
    }
    if (world->version_counts[index] < WORLD_VERSIONS_MAX)
        versions[world->version_counts[index]++] = version;
}

void world_check_write(struct world *world, uint32_t at, const struct raft_persist *persist)
{
    const struct world_node *node = &world->nodes[at];
    if (persist->truncate_index != 0 && persist->truncate_index <= node->commit_index)
        world_fail(world, "a committed entry was dropped", at + 1);
    for (raft_index index = persist->first_index; index <= persist->last_index; index++)
        check_version(world, at, index);
}

/* ---- Election safety and leader completeness. ---- */

/* A leader of an earlier term may still be elected late, and lacks what a later one committed. */
static void check_completeness(struct world *world, uint32_t at, raft_term term)
{
    const struct host_log *log = &world->nodes[at].host.memory;
    for (raft_index index = log->base_index + 1; index <= world->committed_index; index++) {
        const struct host_record *committed = &world->committed[index];
        if (world->committed_in[index] >= term)
            continue;
        if (index > log->last_index || log->records[index].entry.term != committed->entry.term ||
            log->records[index].payload != committed->payload) {
            world_fail(world, "leader completeness: a leader lacks a committed entry", at + 1);
            return;
        }
    }
}

void world_check_role(struct world *world, uint32_t at, enum raft_role role, raft_term term)
{
    world->nodes[at].read_count = 0;
    if (role != RAFT_LEADER)
        return;
    world->counts.elections++;
    if (term < WORLD_TERMS_MAX) {
        if (world->leader_of_term[term] != 0)
            world_fail(world, "election safety: two leaders in one term", at + 1);
        world->leader_of_term[term] = at + 1;
    }
    check_completeness(world, at, term);
}

/* ---- Commit: state machine safety, own term only, durable on a quorum. ---- */

static bool is_any_withheld(const struct world *world)
{
    for (uint32_t i = 0; i < world->node_count; i++) {
        if (world->nodes[i].host.is_withheld)
            return true;
    }
    return false;
}

/* Do most of these nodes have the entry on their disks? */
static bool has_majority(const struct world *world, const raft_node *nodes, uint32_t count,
                         raft_index index, raft_term term)
{
    uint32_t holders = 0;
    for (uint32_t i = 0; i < count; i++)
        holders += host_log_term(&world->nodes[nodes[i] - 1].host.disk, index) == term;
    return count == 0 || holders > count / 2;
}

static void check_leader_commit(struct world *world, uint32_t at, raft_index index)
{
    const struct host *host = &world->nodes[at].host;
    raft_term term = host_log_term(&host->memory, index);
    if (term != raft_current_term(host->raft))
        world_fail(world, "a leader committed by counting an earlier term", at + 1);
    const struct raft_configuration *configuration = &host->options.configuration;
    bool is_on_quorum =
        has_majority(world, configuration->voters, configuration->voter_count, index, term) &&
        has_majority(world, configuration->old_voters, configuration->old_voter_count, index, term);
    if (!is_on_quorum && !is_any_withheld(world))
        world_fail(world, "committed without a quorum of disks", at + 1);
    if (index > world->acknowledged_index)
        world->acknowledged_index = index;
}

static void check_committed_entry(struct world *world, uint32_t at, raft_index index)
{
    const struct host_record *record = &world->nodes[at].host.memory.records[index];
    struct host_record *committed = &world->committed[index];
    if (index == world->committed_index + 1) {
        *committed = *record;
        world->committed_in[index] = raft_current_term(world->nodes[at].host.raft);
        world->committed_index = index;
        world->counts.commits++;
        return;
    }
    if (index > world->committed_index || committed->entry.term != record->entry.term ||
        committed->payload != record->payload || committed->entry.kind != record->entry.kind ||
        committed->entry.bytes != record->entry.bytes)
        world_fail(world, "state machine safety: two entries committed at one index", at + 1);
}

void world_check_commit(struct world *world, uint32_t at, raft_index index)
{
    struct world_node *node = &world->nodes[at];
    if (index <= node->commit_index)
        world_fail(world, "the commit index did not rise", at + 1);
    if (raft_role(node->host.raft) == RAFT_LEADER)
        check_leader_commit(world, at, index);
    for (raft_index i = node->commit_index + 1; i <= index; i++)
        check_committed_entry(world, at, i);
    node->commit_index = index;
}

/* ---- Promises: what was said is on the disk, and stays. ---- */

static void check_vote(struct world *world, uint32_t at, const struct raft_message *message)
{
    struct world_node *node = &world->nodes[at];
    if (node->host.disk_term != message->term || node->host.disk_vote != message->to)
        world_fail(world, "a vote left before it was durable", at + 1);
    if ((node->voted_term == message->term && node->voted_for != message->to) ||
        (node->lost_voted_term == message->term && node->lost_voted_for != message->to))
        world_fail(world, "two votes in one term", at + 1);
    node->voted_term = message->term;
    node->voted_for = message->to;
}

static bool is_on_disk_for_good(const struct host *host, raft_index index)
{
    if (index < host->disk.base_index)
        return true;
    if (host_log_term(&host->disk, index) != host_log_term(&host->memory, index))
        return false;
    for (size_t i = 0; i < host->write_count; i++) {
        const struct host_write *write = &host->writes[(host->write_first + i) % HOST_WRITES_MAX];
        if (write->persist.truncate_index != 0 && write->persist.truncate_index <= index)
            return false;
    }
    return true;
}

static void check_ack(struct world *world, uint32_t at, const struct raft_message *message)
{
    struct world_node *node = &world->nodes[at];
    if (message->match_index == 0)
        return;
    if (node->host.is_withheld)
        world_fail(world, "a node whose vote is withheld acknowledged", at + 1);
    if (node->host.disk_term < message->term ||
        !is_on_disk_for_good(&node->host, message->match_index))
        world_fail(world, "an acknowledgement left before its entries were durable", at + 1);
    if (message->term == node->acked_term && message->match_index < node->acked_index)
        return;
    node->acked_term = message->term;
    node->acked_index = message->match_index;
    node->acked_entry_term = host_log_term(&node->host.memory, message->match_index);
}

void world_check_send(struct world *world, uint32_t at, const struct raft_message *message)
{
    struct world_node *node = &world->nodes[at];
    if (message->kind == RAFT_MSG_VOTE_REPLY && !message->is_rejected)
        check_vote(world, at, message);
    if (message->kind == RAFT_MSG_APPEND_REPLY && !message->is_rejected)
        check_ack(world, at, message);
    if (message->kind == RAFT_MSG_VOTE && node->host.is_withheld)
        world_fail(world, "a node whose vote is withheld campaigns", at + 1);
    if (message->kind == RAFT_MSG_VOTE &&
        (node->host.disk_term != message->term || node->host.disk_vote != message->from ||
         host_log_term(&node->host.disk, message->previous_index) != message->previous_term))
        world_fail(world, "a candidate asked before its log and vote were durable", at + 1);
}

/* What was acknowledged may only have been replaced for a later leader. */
void world_check_restart(struct world *world, uint32_t at)
{
    const struct world_node *node = &world->nodes[at];
    const struct host *host = &node->host;
    if (host->disk_term < node->voted_term ||
        (host->disk_term == node->voted_term && host->disk_vote != node->voted_for))
        world_fail(world, "a vote was forgotten", at + 1);
    if (host->disk_term < node->acked_term)
        world_fail(world, "an acknowledged term was forgotten", at + 1);
    if (host->disk_term == node->acked_term && node->acked_index > host->disk.base_index &&
        host_log_term(&host->disk, node->acked_index) != node->acked_entry_term)
        world_fail(world, "an acknowledged entry was forgotten", at + 1);
}

/* ---- Reads are linearizable. ---- */

void world_note_read(struct world *world, uint32_t at, uint64_t round, raft_index index)
{
    struct world_node *node = &world->nodes[at];
    if (node->read_count < WORLD_READS_MAX)
        node->reads[node->read_count++] =
            (struct world_read){round, index, world->acknowledged_index};
}

void world_check_read(struct world *world, uint32_t at, uint64_t round)
{
    struct world_node *node = &world->nodes[at];
    size_t kept = 0;
    bool is_open = node->read_count == WORLD_READS_MAX; /* then not all of them are kept */
    for (size_t i = 0; i < node->read_count; i++) {
        const struct world_read *read = &node->reads[i];
        is_open = is_open || read->round == round;
        if (read->round > round) {
            node->reads[kept++] = *read;
            continue;
        }
        world->counts.reads++;
        if (read->index < read->required)
            world_fail(world, "a read missed what had been acknowledged before it", at + 1);
    }
    node->read_count = kept;
    if (!is_open)
        world_fail(world, "a round was confirmed that is not open", at + 1);
}

/* ---- After the faults have ended: one leader, one log, everybody replicating. ---- */

static int find_leader(const struct world *world)
{
    int leader = -1;
    for (uint32_t i = 0; i < world->node_count; i++) {
        if (raft_role(world->nodes[i].host.raft) != RAFT_LEADER)
            continue;
        if (leader >= 0)
            return -1;
        leader = (int)i;
    }
    return leader;
}

static bool is_in_step(const struct raft *follower, const struct raft *leader)
{
    return raft_leader(follower) == raft_leader(leader) &&
           raft_current_term(follower) == raft_current_term(leader) &&
           raft_last_index(follower) == raft_last_index(leader) &&
           raft_commit_index(follower) == raft_last_index(leader) &&
           raft_stable_index(follower) == raft_last_index(leader);
}

void world_check_agreement(struct world *world)
{
    int leader_at = find_leader(world);
    if (leader_at < 0) {
        world_fail(world, "liveness: not one leader after healing", 0);
        return;
    }
    const struct raft *leader = world->nodes[leader_at].host.raft;
    if (world->nodes[leader_at].read_count > 0)
        world_fail(world, "liveness: a read was never confirmed", (raft_node)leader_at + 1);
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct raft_progress progress;
        if (!is_in_step(world->nodes[i].host.raft, leader))
            world_fail(world, "liveness: a node is not in step after healing", i + 1);
        if (world->nodes[i].host.is_withheld)
            world_fail(world, "liveness: a vote is still withheld after healing", i + 1);
        if (!raft_progress_of(leader, i + 1, &progress) || !progress.is_replicating)
            world_fail(world, "liveness: a follower is still probed after healing", i + 1);
    }
}
