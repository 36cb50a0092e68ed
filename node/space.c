/* The cluster's disks, as heartbeats and their replies tell of them: free space, and what the
 * stores have. */
#include "node/partition.h"

void space_heard(struct partition *partition, const struct msg_raft *message)
{
    size_t i = 0;
    while (i < partition->peer_space_count && partition->peer_spaces[i].node != message->from)
        i++;
    if (i == MEMBERS_MAX)
        return;
    if (i == partition->peer_space_count)
        partition->peer_space_count++;
    partition->peer_spaces[i] = (struct peer_space){.node = message->from,
                                                    .free_bytes = message->free_bytes,
                                                    .flushed_index = message->flushed_index};
}

uint64_t space_cut_index(const struct partition *partition)
{
    uint64_t index = partition->flushed_index;
    if (partition->peer_space_count + 1 < partition->replica->options.member_count)
        return 0;
    for (size_t i = 0; i < partition->peer_space_count; i++)
        if (partition->peer_spaces[i].flushed_index < index)
            index = partition->peer_spaces[i].flushed_index;
    return index;
}

/* Space of the worst node in the best quorum: what a quorum's disks can still take. */
static uint64_t quorum_free_bytes(const struct partition *partition)
{
    const size_t quorum = partition->replica->options.member_count / 2 + 1;
    uint64_t sorted[MEMBERS_MAX + 1]; /* most first */
    size_t count = 0;
    for (size_t i = 0; i <= partition->peer_space_count; i++) {
        const uint64_t free_bytes = i == partition->peer_space_count
                                        ? partition->free_bytes
                                        : partition->peer_spaces[i].free_bytes;
        size_t at = count++;
        for (; at > 0 && sorted[at - 1] < free_bytes; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = free_bytes;
    }
    return count >= quorum ? sorted[quorum - 1] : UINT64_MAX;
}

bool space_is_out(const struct partition *partition)
{
    return partition->is_store_full ||
           quorum_free_bytes(partition) < partition->replica->options.free_bytes_low;
}
