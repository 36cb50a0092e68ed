#include "tests/sim/chain.h"

#include <assert.h>
#include <stdlib.h>

#include "node/store/net_change.h"
#include "raft/raft.h"
#include "tests/sim/must.h"
#include "tests/sim/sim.h"

static uint64_t hash_of(struct bytes bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    return hash;
}

static unsigned number(const struct sim_node *node)
{
    return (unsigned)node->index + 1;
}

typedef unsigned long long ull;

void chain_begin(struct chain *chain)
{
    *chain = (struct chain){.rows = rows_map_new(&(struct rows_map_options){.partition_count = 1})};
    assert(chain->rows != NULL);
    chain->port = rows_map_port(chain->rows);
    chain->capacity = 1024;
    chain->entries = must_alloc(chain->capacity * sizeof *chain->entries);
    chain->count = 1;
    enum pawl_error error =
        chain->port.snapshot_open(chain->port.self, 0, &chain->entries[0].after);
    assert(error == PAWL_OK);
}

void chain_done(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        chain->port.snapshot_close(chain->port.self, chain->entries[i].after);
    rows_map_free(chain->rows);
    arena_done(&chain->arena);
    for (size_t i = 0; i < chain->written_capacity; i++)
        while (chain->written[i] != NULL) {
            struct written *written = chain->written[i];
            chain->written[i] = written->next;
            free(written);
        }
    free(chain->written);
    free(chain->entries);
    free(chain->leaders);
}

struct rows_snapshot *chain_snapshot(const struct chain *chain, uint64_t index)
{
    assert(index < chain->count);
    return chain->entries[index].after;
}

/* ---- what is written ---- */

static const struct written *written_find(const struct chain *chain, uint64_t index, uint64_t term)
{
    const struct written *written = index < chain->written_capacity ? chain->written[index] : NULL;
    while (written != NULL && written->term != term)
        written = written->next;
    return written;
}

static struct bytes written_payload(const struct written *written)
{
    return written == NULL ? (struct bytes){NULL, 0} : bytes_of(written->payload, written->size);
}

static void written_add(struct chain *chain, const struct wal_entry *entry)
{
    if (entry->index >= chain->written_capacity) {
        const size_t capacity = (size_t)entry->index * 2 + 256;
        chain->written = must_resize(chain->written, capacity * sizeof(struct written *));
        for (size_t i = chain->written_capacity; i < capacity; i++)
            chain->written[i] = NULL;
        chain->written_capacity = capacity;
    }
    struct written *written = must_alloc(sizeof *written + entry->payload.size);
    *written = (struct written){
        .next = chain->written[entry->index], .term = entry->term, .size = entry->payload.size};
    if (entry->payload.size > 0)
        memcpy(written->payload, entry->payload.data, entry->payload.size);
    chain->written[entry->index] = written;
}

/* Log matching, in its strongest form: whoever writes an entry of an index and a term writes the
 * same. */
void chain_node_writes(struct chain *chain, struct sim *sim, const struct sim_node *node,
                       const struct job *append)
{
    for (size_t i = 0; i < append->append.record_count; i++) {
        const struct wal_record *record = &append->append.records[i];
        const struct wal_entry *entry = &record->entry;
        if (record->kind != WAL_ENTRY)
            continue;
        const struct written *before = written_find(chain, entry->index, entry->term);
        if (before == NULL)
            written_add(chain, entry);
        else if (!bytes_equal(written_payload(before), entry->payload))
            sim_fail(sim, "log matching", "node %u writes another entry %llu of term %llu",
                     number(node), (ull)entry->index, (ull)entry->term);
    }
}

/* ---- new entries ---- */

static int write_order(const void *a, const void *b)
{
    const struct row_write *left = a, *right = b;
    if (left->table != right->table)
        return left->table < right->table ? -1 : 1;
    return bytes_compare(left->key, right->key);
}

/* A row that is said to be new was not there before. */
static void new_is_new(const struct chain *chain, struct sim *sim, uint64_t index,
                       const struct row_write *write)
{
    struct bytes value;
    if (write->is_new &&
        chain->port.get(chain->port.self, chain->entries[index - 1].after,
                        (enum row_table)write->table, write->key, &value) != PAWL_E_NOT_FOUND)
        sim_fail(sim, "rows", "entry %llu calls a row of table %u new that was there", (ull)index,
                 (unsigned)write->table);
}

static void apply(struct chain *chain, struct sim *sim, uint64_t index, const struct entry *entry)
{
    for (size_t i = 0; i < entry->write_count; i++)
        new_is_new(chain, sim, index, &entry->writes[i]);
    struct row_write *writes = arena_array(&chain->arena, entry->write_count, sizeof *writes);
    for (size_t i = 0; i < entry->write_count; i++)
        writes[i] = entry->writes[i];
    if (entry->write_count > 0)
        qsort(writes, entry->write_count, sizeof *writes, write_order);
    for (size_t i = 1; i < entry->write_count; i++)
        if (write_order(&writes[i - 1], &writes[i]) == 0)
            sim_fail(sim, "rows", "entry %llu writes one row twice, in table %u", (ull)index,
                     (unsigned)writes[i].table);
    const struct rows_port *port = &chain->port;
    struct rows_snapshot *before = chain_snapshot(chain, index - 1);
    struct bytes value;
    for (size_t i = 0; i < entry->write_count; i++)
        if (writes[i].is_new && port->get(port->self, before, (enum row_table)writes[i].table,
                                          writes[i].key, &value) == PAWL_OK)
            sim_fail(sim, "rows", "entry %llu calls a row of table %u new that is not", (ull)index,
                     (unsigned)writes[i].table);
    if (sim_has_failed(sim))
        return;
    struct rows_mark mark = {.index = index};
    enum pawl_error error =
        chain->port.flush(chain->port.self, 0, &mark, writes, entry->write_count, NULL);
    assert(error == PAWL_OK);
}

static struct chain_entry *entry_add(struct chain *chain)
{
    if (chain->count == chain->capacity) {
        chain->capacity *= 2;
        chain->entries = must_resize(chain->entries, chain->capacity * sizeof *chain->entries);
    }
    return &chain->entries[chain->count++];
}

static void entry_seal(struct chain *chain, struct chain_entry *added)
{
    enum pawl_error error = chain->port.snapshot_open(chain->port.self, 0, &added->after);
    assert(error == PAWL_OK);
    error = chain->port.sums(chain->port.self, 0, added->sums);
    assert(error == PAWL_OK);
}

/* Only a minority's wall clocks are ever far off, so the cluster's clock is not. */
static void clock_is_near(struct sim *sim, uint64_t index, uint64_t clock_us)
{
    const int64_t far_us = 60 * (int64_t)1000000;
    const int64_t apart_us = (int64_t)(clock_us - SIM_WALL_ORIGIN_US - sim->events.now_us);
    if (apart_us > far_us || apart_us < -far_us)
        sim_fail(sim, "P6", "the cluster's clock is %lld s from the true time at entry %llu",
                 (long long)(apart_us / 1000000), (ull)index);
}

static void entry_committed(struct chain *chain, struct sim *sim, const struct sim_node *node,
                            uint64_t index)
{
    const uint64_t term = raft_term_at(replica_raft(node->replica), index);
    const struct bytes payload = written_payload(written_find(chain, index, term));
    const uint64_t clock_us = chain->entries[index - 1].clock_us;
    struct chain_entry *added = entry_add(chain);
    struct entry entry = {.clock_us = clock_us};
    *added = (struct chain_entry){
        .term = term,
        .commit_term = raft_current_term(replica_raft(node->replica)),
        .hash = hash_of(payload),
        .clock_us = clock_us,
        .committed_at_us = sim->events.now_us,
    };
    arena_reset(&chain->arena);
    if (written_find(chain, index, term) == NULL)
        sim_fail(sim, "chain", "node %u has committed entry %llu of term %llu, which nobody wrote",
                 number(node), (ull)index, (ull)term);
    if (payload.size > 0 && entry_decode(payload, &chain->arena, &entry) != PAWL_OK)
        sim_fail(sim, "chain", "entry %llu cannot be read", (ull)index);
    if (entry.clock_us < clock_us)
        sim_fail(sim, "P6", "the cluster's clock ran back by %llu us at entry %llu",
                 (ull)(clock_us - entry.clock_us), (ull)index);
    added->clock_us = entry.clock_us;
    if (payload.size > 0)
        clock_is_near(sim, index, entry.clock_us);
    events_stir(&sim->events, added->hash);
    if (!sim_has_failed(sim) && entry.write_count > 0)
        apply(chain, sim, index, &entry);
    entry_seal(chain, added);
    totals_count(&sim->totals, TOTAL_COMMITS);
    if (!sim_has_failed(sim))
        promises_entry(&sim->promises, sim, index, &entry);
}

static void entry_known(struct chain *chain, struct sim *sim, const struct sim_node *node,
                        uint64_t index)
{
    const struct chain_entry *entry = &chain->entries[index];
    const uint64_t term = raft_term_at(replica_raft(node->replica), index);
    const struct bytes payload = replica_entry_payload(node->replica, index);
    if (term != 0 && term != entry->term)
        sim_fail(sim, "state machine safety",
                 "node %u has committed entry %llu of term %llu, but it was of term %llu",
                 number(node), (ull)index, (ull)term, (ull)entry->term);
    if (payload.size > 0 && hash_of(payload) != entry->hash)
        sim_fail(sim, "state machine safety", "node %u has committed another entry %llu",
                 number(node), (ull)index);
}

static void commits(struct chain *chain, struct sim *sim, const struct sim_node *node)
{
    struct shadow *shadow = &chain->shadows[node->index];
    const uint64_t commit = raft_commit_index(replica_raft(node->replica));
    if (commit < shadow->commit_index)
        sim_fail(sim, "commit", "node %u went back from commit index %llu to %llu", number(node),
                 (ull)shadow->commit_index, (ull)commit);
    shadow->commit_index = commit;
    for (; shadow->checked_index < commit && !sim_has_failed(sim); shadow->checked_index++) {
        const uint64_t index = shadow->checked_index + 1;
        if (index < chain->count)
            entry_known(chain, sim, node, index);
        else
            entry_committed(chain, sim, node, index);
    }
}

/* ---- leaders ---- */

static void leader_holds_all(const struct chain *chain, struct sim *sim,
                             const struct sim_node *node)
{
    const struct raft *raft = replica_raft(node->replica);
    /* Later leaders only: one of an earlier term may be elected late, and commits nothing. */
    for (uint64_t index = raft_first_index(raft); index < chain->count; index++)
        if (chain->entries[index].commit_term <= raft_current_term(raft) &&
            raft_term_at(raft, index) != chain->entries[index].term) {
            sim_fail(sim, "leader completeness",
                     "node %u leads term %llu without committed entry %llu", number(node),
                     (ull)raft_current_term(raft), (ull)index);
            return;
        }
}

static void leads(struct chain *chain, struct sim *sim, const struct sim_node *node)
{
    const struct raft *raft = replica_raft(node->replica);
    const uint64_t term = raft_current_term(raft);
    if (raft_role(raft) != RAFT_LEADER)
        return;
    if (term >= chain->leader_capacity) {
        const size_t capacity = (size_t)term * 2 + 64;
        chain->leaders = must_resize(chain->leaders, capacity * sizeof *chain->leaders);
        for (size_t i = chain->leader_capacity; i < capacity; i++)
            chain->leaders[i] = 0;
        chain->leader_capacity = capacity;
    }
    if (chain->leaders[term] == number(node))
        return;
    if (chain->leaders[term] != 0)
        sim_fail(sim, "election safety", "term %llu has two leaders, nodes %u and %u", (ull)term,
                 (unsigned)chain->leaders[term], number(node));
    chain->leaders[term] = number(node);
    totals_count(&sim->totals, TOTAL_ELECTIONS);
    sim_trace(sim, "node %u: leads term %llu", number(node), (ull)term);
    leader_holds_all(chain, sim, node);
}

/* ---- nodes ---- */

void chain_node_turned(struct chain *chain, struct sim *sim, struct sim_node *node)
{
    replica_check_turn(node->replica);
    leads(chain, sim, node);
    commits(chain, sim, node);
    chain_node_flushed(chain, sim, node);
}

static void sums_match(const struct chain *chain, struct sim *sim, const struct sim_node *node,
                       uint64_t index)
{
    struct rows_sum sums[TABLE_COUNT];
    const struct rows_port rows = rows_map_port(node->rows);
    enum pawl_error error = rows.sums(rows.self, 0, sums);
    assert(error == PAWL_OK);
    if (index >= chain->count) {
        sim_fail(sim, "rows", "node %u has flushed up to %llu, but only %llu is committed",
                 number(node), (ull)index, (ull)chain_last_index(chain));
        return;
    }
    for (int table = 0; table < TABLE_COUNT; table++)
        if (memcmp(&sums[table], &chain->entries[index].sums[table], sizeof sums[table]) != 0) {
            sim_fail(sim, "rows", "table %d of node %u as of %llu is not what the log says", table,
                     number(node), (ull)index);
            return;
        }
}

static uint64_t store_index(const struct sim_node *node)
{
    struct rows_snapshot *snapshot;
    const struct rows_port rows = rows_map_port(node->rows);
    enum pawl_error error = rows.snapshot_open(rows.self, 0, &snapshot);
    assert(error == PAWL_OK);
    const uint64_t index = rows.snapshot_mark(rows.self, snapshot).index;
    rows.snapshot_close(rows.self, snapshot);
    return index;
}

void chain_node_flushed(struct chain *chain, struct sim *sim, struct sim_node *node)
{
    struct shadow *shadow = &chain->shadows[node->index];
    const uint64_t index = store_index(node);
    if (index < shadow->flushed_index)
        sim_fail(sim, "rows", "the store of node %u went back from %llu to %llu", number(node),
                 (ull)shadow->flushed_index, (ull)index);
    if (index == shadow->flushed_index)
        return;
    shadow->flushed_index = index;
    node->flushed_index = index;
    sums_match(chain, sim, node, index);
}

/* ---- promises ---- */

void chain_peer_sends(struct chain *chain, struct sim *sim, const struct sim_node *node,
                      struct bytes body)
{
    struct shadow *shadow = &chain->shadows[node->index];
    struct msg_raft message;
    arena_reset(&chain->arena);
    if (raft_message_decode(body, &chain->arena, &message) != PAWL_OK) {
        sim_fail(sim, "frames", "node %u sends what nobody can read", number(node));
        return;
    }
    if (message.is_rejected)
        return;
    if (message.kind == RAFT_MSG_VOTE_REPLY) {
        if (shadow->vote_term == message.term && shadow->vote != message.to)
            sim_fail(sim, "promises", "node %u votes for %llu and for %llu in term %llu",
                     number(node), (ull)shadow->vote, (ull)message.to, (ull)message.term);
        shadow->vote_term = message.term;
        shadow->vote = message.to;
    }
    if (message.kind == RAFT_MSG_APPEND_REPLY) {
        shadow->ack_index = message.match_index;
        shadow->ack_term = raft_term_at(replica_raft(node->replica), message.match_index);
    }
}

void chain_node_ends(struct chain *chain, const struct sim_node *node)
{
    struct shadow *shadow = &chain->shadows[node->index];
    const struct raft *raft = replica_raft(node->replica);
    /* A later leader may have overwritten what was acknowledged to an earlier one. */
    if (raft_term_at(raft, shadow->ack_index) != shadow->ack_term)
        shadow->ack_index = 0;
}

static uint64_t restored_term_at(const struct replica_restored *restored, uint64_t index)
{
    const struct wal_partition *log = &restored->log;
    if (index <= log->base_index)
        return index == log->base_index ? log->base_term : 0;
    return index > log->last_index ? 0 : restored->entries[index - log->base_index - 1].term;
}

static void promises_kept(const struct shadow *shadow, struct sim *sim, const struct sim_node *node,
                          const struct replica_restored *restored)
{
    const struct wal_partition *log = &restored->log;
    if (log->term < shadow->vote_term ||
        (log->term == shadow->vote_term && log->vote != shadow->vote))
        sim_fail(sim, "promises",
                 "node %u voted for %llu in term %llu; now it has term %llu, vote %llu",
                 number(node), (ull)shadow->vote, (ull)shadow->vote_term, (ull)log->term,
                 (ull)log->vote);
    if (log->term < restored_term_at(restored, log->last_index))
        sim_fail(sim, "promises", "the log of node %u ends in term %llu; now it has term %llu",
                 number(node), (ull)restored_term_at(restored, log->last_index), (ull)log->term);
    if (shadow->ack_index > log->base_index &&
        restored_term_at(restored, shadow->ack_index) != shadow->ack_term)
        sim_fail(sim, "promises", "node %u acknowledged entry %llu of term %llu; now it has %llu",
                 number(node), (ull)shadow->ack_index, (ull)shadow->ack_term,
                 (ull)restored_term_at(restored, shadow->ack_index));
    if (restored->mark.index > log->last_index)
        sim_fail(sim, "promises", "the store of node %u is at %llu, its log ends at %llu",
                 number(node), (ull)restored->mark.index, (ull)log->last_index);
}

void chain_node_boots(struct chain *chain, struct sim *sim, struct sim_node *node,
                      const struct replica_restored *restored)
{
    struct shadow *shadow = &chain->shadows[node->index];
    if (restored->is_vote_withheld) /* a new incarnation: what the old one acknowledged is void */
        *shadow = (struct shadow){.flushed_index = shadow->flushed_index};
    else
        promises_kept(shadow, sim, node, restored);
    /* Its readmission may have been lost with the power; then it asks once more. */
    if (restored->is_vote_withheld && !node->was_damaged)
        sim_fail(sim, "P13", "node %u takes its log for damaged", number(node));
    chain_node_flushed(chain, sim, node);
    shadow->commit_index = shadow->checked_index = restored->mark.index;
}

/* ---- the whole state ---- */

static void logs_match(struct sim *sim, const struct sim_node *a, const struct sim_node *b)
{
    const struct raft *left = replica_raft(a->replica), *right = replica_raft(b->replica);
    uint64_t index = raft_last_index(left) < raft_last_index(right) ? raft_last_index(left)
                                                                    : raft_last_index(right);
    const uint64_t first = raft_first_index(left) > raft_first_index(right)
                               ? raft_first_index(left)
                               : raft_first_index(right);
    while (index >= first && raft_term_at(left, index) != raft_term_at(right, index))
        index--;
    for (; index >= first && index > 0; index--) {
        const struct bytes mine = replica_entry_payload(a->replica, index);
        const struct bytes theirs = replica_entry_payload(b->replica, index);
        const bool is_cached = mine.size > 0 && theirs.size > 0;
        if (raft_term_at(left, index) == raft_term_at(right, index) &&
            (!is_cached || bytes_equal(mine, theirs)))
            continue;
        sim_fail(sim, "log matching", "the logs of nodes %u and %u differ at %llu before agreeing",
                 number(a), number(b), (ull)index);
        return;
    }
}

static bool rows_equal(const struct row *left, size_t left_count, const struct row *right,
                       size_t right_count)
{
    if (left_count != right_count)
        return false;
    for (size_t i = 0; i < left_count; i++)
        if (!bytes_equal(left[i].key, right[i].key) || !bytes_equal(left[i].value, right[i].value))
            return false;
    return true;
}

/* A row that a leader's memory finds by its key must be what the chain says. */
static void rows_match(struct sim *sim, const struct sim_node *node, const struct view *view,
                       enum row_table table, const struct row *told, size_t told_count)
{
    for (size_t i = 0; i < told_count; i++) {
        struct bytes value;
        enum pawl_error error = view->get(view->self, table, told[i].key, &value);
        if (error != PAWL_E_NOT_LOADED &&
            (error != PAWL_OK || !bytes_equal(value, told[i].value))) {
            sim_fail(sim, "rows",
                     "node %u holds another row of table %d in memory than the log says",
                     number(node), (int)table);
            return;
        }
    }
}

/* What a leader knows of a table must be what the chain says. */
static void memory_matches(struct chain *chain, struct sim *sim, struct sim_node *node,
                           enum row_table table)
{
    enum { ROWS_MAX = 256 };
    struct row held[ROWS_MAX], told[ROWS_MAX];
    size_t held_count, told_count;
    struct memory_reader reader = {.arena = &chain->arena};
    arena_reset(&chain->arena);
    const struct view view = replica_committed_view(node->replica, &reader);
    const struct bytes all = {NULL, 0};
    const uint64_t index = replica_status(node->replica).remembered_index;
    enum pawl_error error = chain->port.scan(chain->port.self, chain_snapshot(chain, index), table,
                                             all, all, false, ROWS_MAX, told, &told_count);
    assert(error == PAWL_OK);
    rows_match(sim, node, &view, table, told, told_count);
    if (view.scan(view.self, table, all, all, ROWS_MAX, held, &held_count) != PAWL_OK)
        return;
    if (!rows_equal(held, held_count, told, told_count))
        sim_fail(sim, "rows", "node %u holds other rows of table %d in memory than the log says",
                 number(node), (int)table);
}

static struct entry *window_entries(struct chain *chain, const struct sim_node *node,
                                    size_t *count_out)
{
    size_t count, entry_count = 0;
    const struct bytes *payloads = replica_window(node->replica, &chain->arena, &count);
    struct entry *entries = arena_array(&chain->arena, count, sizeof *entries);
    assert(payloads != NULL && entries != NULL);
    for (size_t i = 0; i < count; i++) {
        enum pawl_error error = PAWL_OK;
        if (payloads[i].size > 0)
            error = entry_decode(payloads[i], &chain->arena, &entries[entry_count++]);
        assert(error == PAWL_OK);
    }
    *count_out = entry_count;
    return entries;
}

/* A replica's store with its window's net change over it must be what the chain says. Not while a
 * flush is done that the loop has not heard of. */
static void window_matches(struct chain *chain, struct sim *sim, struct sim_node *node)
{
    const struct replica_status status = replica_status(node->replica);
    if (store_index(node) != status.flushed_index)
        return;
    struct rows_map *rows = rows_map_clone(node->rows);
    assert(rows != NULL);
    const struct rows_port port = rows_map_port(rows);
    struct rows_sum sums[TABLE_COUNT];
    const struct row_write *writes;
    struct net_change change = {0};
    size_t entry_count, write_count;
    arena_reset(&chain->arena);
    const struct entry *entries = window_entries(chain, node, &entry_count);
    enum pawl_error error = PAWL_OK;
    net_change_begin(&change, 1);
    for (size_t i = 0; i < entry_count && error == PAWL_OK; i++)
        error = net_change_add(&change, &entries[i]);
    assert(error == PAWL_OK);
    error = net_change_end(&change, &writes, &write_count);
    assert(error == PAWL_OK);
    const struct rows_mark mark = {.index = status.applied_index};
    error = port.flush(port.self, 0, &mark, writes, write_count, NULL);
    assert(error == PAWL_OK);
    net_change_done(&change);
    error = port.sums(port.self, 0, sums);
    assert(error == PAWL_OK);
    rows_map_free(rows);
    const struct chain_entry *told = &chain->entries[status.applied_index];
    for (int table = 0; table < TABLE_COUNT; table++)
        if (memcmp(&sums[table], &told->sums[table], sizeof sums[table]) != 0) {
            sim_fail(sim, "rows", "store and window of node %u make another table %d than the log",
                     number(node), table);
            return;
        }
}

void chain_check(struct chain *chain, struct sim *sim)
{
    for (uint32_t a = 0; a < sim->plan.node_count; a++) {
        struct sim_node *node = &sim->nodes[a];
        if (!node->is_up)
            continue;
        replica_check(node->replica);
        window_matches(chain, sim, node);
        const bool leads = raft_role(replica_raft(node->replica)) == RAFT_LEADER;
        for (int table = 0; leads && table < TABLE_COUNT && !sim_has_failed(sim); table++)
            memory_matches(chain, sim, node, (enum row_table)table);
        for (uint32_t b = a + 1; b < sim->plan.node_count; b++)
            if (sim->nodes[b].is_up)
                logs_match(sim, node, &sim->nodes[b]);
    }
}
