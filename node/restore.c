/* What a node's disk held, as the replica wants it. */
#include "node/replica.h"
#include "proto/limits.h"

static enum pawl_error read_mark(const struct rows_port *rows, struct replica_restored *restored)
{
    struct rows_snapshot *snapshot;
    TRY(rows->snapshot_open(rows->self, restored->log.partition, &snapshot));
    restored->mark = rows->snapshot_mark(rows->self, snapshot);
    rows->snapshot_close(rows->self, snapshot);
    return PAWL_OK;
}

static enum pawl_error read_shapes(struct wal *wal, struct arena *arena,
                                   struct replica_restored *restored)
{
    const struct wal_partition *log = &restored->log;
    const size_t count = (size_t)(log->last_index - log->base_index);
    restored->entries = arena_array(arena, count, sizeof *restored->entries);
    if (restored->entries == NULL && count > 0)
        return PAWL_E_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const uint64_t index = log->base_index + 1 + i;
        struct raft_entry *entry = &restored->entries[i];
        entry->term = wal_term_at(wal, log->partition, index);
        if (!wal_entry_shape(wal, log->partition, index, &entry->bytes, &entry->kind))
            return PAWL_E_CORRUPT;
    }
    return PAWL_OK;
}

/* What every log of a partition is, whoever wrote it: terms never fall, and no entry is of a term
 * that the node has not voted in. */
static enum pawl_error check_entries(const struct replica_restored *restored,
                                     struct pawl_diag *diag)
{
    const struct wal_partition *log = &restored->log;
    uint64_t term = log->base_term;
    for (size_t i = 0; i < (size_t)(log->last_index - log->base_index); i++) {
        const struct raft_entry *entry = &restored->entries[i];
        if (entry->term < term || entry->term > log->term || entry->kind < RAFT_ENTRY_NOOP ||
            entry->kind > RAFT_ENTRY_CONFIGURATION)
            return diag_fail(diag, PAWL_E_CORRUPT,
                             "the log's entry %llu cannot be: its term is %llu after %llu, the "
                             "node's is %llu; this node must be rebuilt from its peers",
                             (unsigned long long)(log->base_index + 1 + i),
                             (unsigned long long)entry->term, (unsigned long long)term,
                             (unsigned long long)log->term);
        term = entry->term;
    }
    return PAWL_OK;
}

static enum pawl_error read_tail(struct wal *wal, struct arena *arena,
                                 struct replica_restored *restored)
{
    const struct wal_partition *log = &restored->log;
    const uint64_t first = restored->mark.index + 1;
    if (first > log->last_index)
        return PAWL_OK;
    const size_t count = (size_t)(log->last_index - restored->mark.index);
    restored->tail = arena_array(arena, count, sizeof *restored->tail);
    if (restored->tail == NULL)
        return PAWL_E_NO_MEMORY;
    while (restored->tail_count < count) {
        struct wal_entry *entries;
        size_t entry_count;
        TRY(wal_read(wal, log->partition, first + restored->tail_count, log->last_index,
                     (size_t)1 << 20, arena, &entries, &entry_count));
        for (size_t i = 0; i < entry_count; i++)
            restored->tail[restored->tail_count++] = entries[i];
    }
    return PAWL_OK;
}

/* The log lost its end, down to below what the store has, or all of this partition. This is a new
 * incarnation, whose vote is withheld also after a restart. Everything in the store is committed,
 * so the log begins again behind it. */
static enum pawl_error begin_again(struct wal *wal, const struct wal_recovery *recovery,
                                   struct replica_restored *restored, struct pawl_diag *diag)
{
    struct wal_partition *log = &restored->log;
    const struct rows_mark *mark = &restored->mark;
    if (!log->is_vote_withheld)
        log->incarnation = recovery->incarnation + 1;
    log->is_vote_withheld = true;
    const struct wal_record incarnation = {
        .kind = WAL_INCARNATION, .partition = log->partition, .term = log->incarnation, .vote = 1};
    TRY(wal_append(wal, &incarnation));
    if (log->term < mark->term) {
        const struct wal_record state = {
            .kind = WAL_HARD_STATE, .partition = log->partition, .term = mark->term};
        TRY(wal_append(wal, &state));
        log->term = mark->term;
        log->vote = 0;
    }
    if (log->last_index < mark->index) {
        const struct wal_record start = {.kind = WAL_START,
                                         .partition = log->partition,
                                         .entry = {.index = mark->index, .term = mark->term}};
        TRY(wal_append(wal, &start));
        log->base_index = log->last_index = mark->index;
        log->base_term = mark->term;
    }
    return wal_sync(wal, diag);
}

enum pawl_error replica_restore(struct wal *wal, const struct wal_recovery *recovery,
                                const struct rows_port *rows, struct arena *arena,
                                struct replica_restored *restored_out, struct pawl_diag *diag)
{
    struct replica_restored restored = {0};
    bool is_known = false;
    for (size_t i = 0; i < recovery->partition_count; i++)
        if (recovery->partitions[i].partition == 0) {
            restored.log = recovery->partitions[i];
            is_known = true;
        }
    TRY(read_mark(rows, &restored));
    if (restored.mark.index < restored.log.base_index)
        return diag_fail(
            diag, PAWL_E_CORRUPT,
            "the store has everything up to entry %llu, but the log begins after entry "
            "%llu; this node must be rebuilt from its peers",
            (unsigned long long)restored.mark.index, (unsigned long long)restored.log.base_index);
    /* A flush never passes what the log has synced, whatever the log says of its own health. */
    restored.has_lost_entries = restored.log.last_index < restored.mark.index;
    const bool has_lost_all =
        !is_known && (recovery->health != WAL_HEALTHY || recovery->incarnation > 0);
    if (restored.has_lost_entries || has_lost_all)
        TRY(begin_again(wal, recovery, &restored, diag));
    restored.is_vote_withheld = restored.log.is_vote_withheld || recovery->health != WAL_HEALTHY;
    TRY(read_shapes(wal, arena, &restored));
    TRY(check_entries(&restored, diag));
    TRY(read_tail(wal, arena, &restored));
    *restored_out = restored;
    return PAWL_OK;
}
