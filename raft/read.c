/* Read: linearizable reads without the log (thesis 6.4).
 *
 * 1. A round begins only when an entry of the leader's own term is committed: only then is its
 *    commit index known to cover everything acknowledged before.
 * 2. Every append carries the newest round. An answer confirms the round that it echoes and all
 *    before it: it was sent to a message that left after they began.
 * 3. Round numbers rise for the life of the core and are never used twice.
 */
#include "raft/mutant.h"
#include "raft/state.h"

enum raft_error raft_read(struct raft *raft)
{
    if (raft->role != RAFT_LEADER)
        return RAFT_NOT_LEADER;
    if (raft_log_term(&raft->log, raft->commit_index) != raft->hard.term &&
        !RAFT_MUTANT(READ_EARLY))
        return RAFT_NOT_READY;
    raft->round++;
    struct raft_output *output = raft_emit(raft, RAFT_OUT_READ_STARTED);
    output->read.round = raft->round;
    output->read.index = raft->commit_index;
    raft_heartbeat_to_all(raft);
    raft_read_confirm(raft);
    return RAFT_OK;
}

void raft_read_confirm(struct raft *raft)
{
    uint64_t rounds[RAFT_SLOTS_MAX] = {0};
    for (uint32_t slot = 0; slot < raft->members.count; slot++)
        rounds[slot] = slot == raft->self ? raft->round : raft->peers[slot].round;
    uint64_t round = raft_quorum_value(&raft->members, rounds);
    if (round <= raft->confirmed_round)
        return;
    raft->confirmed_round = round;
    struct raft_output *output = raft_emit(raft, RAFT_OUT_READ_CONFIRMED);
    output->read.round = round;
    output->read.index = raft->commit_index;
}
