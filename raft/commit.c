/* Commit: how entries enter a leader's log, and when they are committed (thesis 3.6.2, 10.2.1).
 *
 * 1. A leader counts replicas only for entries of its own term; earlier ones are committed with
 *    them.
 * 2. It counts itself only up to what its own disk has reported.
 * 3. uncommitted_bytes is the payload of the entries after commit_index.
 */
#include <assert.h>

#include "raft/mutant.h"
#include "raft/state.h"

void raft_append_own(struct raft *raft, const struct raft_entry *entries, size_t entry_count)
{
    for (size_t i = 0; i < entry_count; i++) {
        struct raft_entry entry = entries[i];
        entry.term = raft->hard.term;
        raft_log_append(&raft->log, &entry);
        raft->uncommitted_bytes += entry.bytes;
    }
    raft_persist(raft);
    raft_append_to_all(raft);
}

enum raft_error raft_propose(struct raft *raft, const struct raft_entry *entries,
                             size_t entry_count)
{
    if (raft->role != RAFT_LEADER)
        return RAFT_NOT_LEADER;
    uint64_t bytes = 0;
    for (size_t i = 0; i < entry_count; i++) {
        assert(entries[i].kind >= RAFT_ENTRY_NOOP && entries[i].kind <= RAFT_ENTRY_CONFIGURATION);
        bytes += entries[i].bytes;
    }
    if (raft->uncommitted_bytes > 0 &&
        raft->uncommitted_bytes + bytes > raft->options.uncommitted_bytes_max)
        return RAFT_FULL;
    if (!raft_log_reserve(&raft->log, entry_count, 1))
        return RAFT_NO_MEMORY;
    if (entry_count > 0)
        raft_append_own(raft, entries, entry_count);
    return RAFT_OK;
}

void raft_commit_to(struct raft *raft, raft_index index)
{
    assert(index <= raft->log.last_index);
    if (index <= raft->commit_index)
        return;
    if (raft->role == RAFT_LEADER)
        raft->uncommitted_bytes -= raft_log_bytes(&raft->log, raft->commit_index + 1, index);
    raft->commit_index = index;
    raft_emit(raft, RAFT_OUT_COMMITTED)->index = index;
}

void raft_commit_counted(struct raft *raft)
{
    raft_index held[RAFT_SLOTS_MAX] = {0};
    for (uint32_t slot = 0; slot < raft->members.count; slot++)
        held[slot] = raft->peers[slot].match_index;
    held[raft->self] = RAFT_MUTANT(COUNT_SELF_EARLY) ? raft->log.last_index : raft->stable_index;
    raft_index index = raft_quorum_value(&raft->members, held);
    if (index <= raft->commit_index)
        return;
    if (raft_log_term(&raft->log, index) == raft->hard.term || RAFT_MUTANT(COMMIT_PRIOR_TERM))
        raft_commit_to(raft, index);
}
