/* What a node says of itself: the answer to STATUS. */
#include "node/partition.h"

const char *replica_role_name(enum raft_role role)
{
    switch (role) {
    case RAFT_FOLLOWER:
        return "follower";
    case RAFT_PRE_CANDIDATE:
        return "pre-candidate";
    case RAFT_CANDIDATE:
        return "candidate";
    case RAFT_LEADER:
        return "leader";
    }
    return "unknown";
}

static void put_number(struct buffer *out, const char *key, uint64_t number)
{
    pack_text(out, key);
    pack_unsigned(out, number);
}

static void put_id(struct buffer *out, const char *key, struct id128 id)
{
    char text[37];
    id128_format(id, text);
    pack_text(out, key);
    pack_text(out, text);
}

static void put_members(struct buffer *out, const struct replica *replica)
{
    const struct partition *partition = &replica->partition;
    pack_text(out, "members");
    pack_array(out, (uint32_t)replica->options.member_count);
    for (size_t i = 0; i < replica->options.member_count; i++) {
        const struct msg_member *member = &replica->options.members[i];
        struct raft_progress progress;
        const bool is_known = raft_progress_of(partition->raft, member->node, &progress);
        pack_map(out, is_known ? 6 : 4);
        put_number(out, "node", member->node);
        pack_text(out, "name");
        pack_string(out, member->name);
        pack_text(out, "peerAddress");
        pack_string(out, member->peer_address);
        pack_text(out, "clientAddress");
        pack_string(out, member->client_address);
        if (is_known) {
            put_number(out, "matchIndex", progress.match_index);
            put_number(out, "lastHeardMs", replica_now_ms(replica) - progress.last_heard_ms);
        }
    }
}

struct bytes status_answer(struct replica *replica, struct arena *arena)
{
    const struct partition *partition = &replica->partition;
    const struct replica_status status = replica_status(replica);
    struct buffer out = {0};
    pack_map(&out, 25);
    put_id(&out, "cluster", replica->options.cluster);
    put_number(&out, "node", replica->options.node);
    pack_text(&out, "name");
    pack_string(&out, replica->options.name);
    pack_text(&out, "role");
    pack_text(&out, replica_role_name(status.role));
    put_number(&out, "term", status.term);
    put_number(&out, "leader", status.leader);
    pack_text(&out, "active");
    pack_bool(&out, status.is_active);
    put_number(&out, "lastIndex", status.last_index);
    put_number(&out, "commitIndex", status.commit_index);
    put_number(&out, "syncedIndex", status.stable_index);
    put_number(&out, "flushedIndex", status.flushed_index);
    put_number(&out, "clockUs", status.clock_us);
    pack_text(&out, "clockOffMs");
    pack_integer(&out, status.clock_off_us / 1000);
    pack_text(&out, "clockOff");
    pack_bool(&out, status.is_clock_off);
    put_number(&out, "sessions", status.session_count);
    put_number(&out, "resultsWaiting", status.result_count);
    put_number(&out, "timersStuck", status.stuck_count);
    put_number(&out, "decisions", status.decision_count);
    put_number(&out, "logSyncs", status.sync_count);
    put_number(&out, "flushes", status.flush_count);
    put_number(&out, "loads", status.load_count);
    pack_text(&out, "outOfSpace");
    pack_bool(&out, status.is_out_of_space);
    pack_text(&out, "voteWithheld");
    pack_bool(&out, status.is_vote_withheld);
    put_number(&out, "memoryBytes",
               partition->cache.bytes + status.memory.clean_bytes + status.memory.dirty_bytes);
    put_members(&out, replica);
    const struct bytes answer = arena_copy(arena, buffer_bytes(&out));
    buffer_done(&out);
    return answer;
}
