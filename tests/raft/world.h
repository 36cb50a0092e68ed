/* World: a cluster of hosts under one seed, with everything that a network and a power cut may do.
 *
 * 1. The seed draws which faults this world has and how strong they are, then every event.
 * 2. Packets are lost, doubled, delayed and overtaken; links are cut in one direction or both;
 *    nodes pause, crash with a part of what they had not synced, and now and then lose an end of
 *    their log that was synced.
 * 3. After a while everything heals, and the cluster must come to agree.
 * 4. What a checker finds wrong first is in `violation`, and the world stops.
 */
#ifndef TESTS_RAFT_WORLD_H
#define TESTS_RAFT_WORLD_H

#include "host.h"
#include "raft/prng.h"

enum {
    WORLD_NODES_MAX = 5,
    WORLD_PACKET_ENTRIES_MAX = 16,
    WORLD_PACKETS_MAX = 8192,
    WORLD_READS_MAX = 512,
    WORLD_TERMS_MAX = 4096,
    WORLD_VERSIONS_MAX = 16, /* entries of different terms that one index ever had */
};

struct world_faults {
    uint32_t loss_percent;
    uint32_t double_percent;
    uint32_t slow_percent; /* of packets that take up to slow_ms_max */
    uint32_t slow_ms_max;
    uint32_t delay_ms_max;
    uint32_t sync_ms_max;
    uint32_t report_ms_max; /* from the sync to its report */
    uint32_t cut_permille;  /* of actions, each */
    uint32_t pause_permille;
    uint32_t crash_permille;
    uint32_t damage_permille;
    uint32_t late_ms_max;   /* of ticks */
    uint32_t lost_ms_max;   /* from a crash until the others are told of it; 0: they are not */
    uint32_t lost_permille; /* of actions: somebody is told so of a node that runs */
};

enum world_event_kind { WORLD_PACKET, WORLD_SYNCED, WORLD_REPORT, WORLD_LOST };

struct world_event {
    uint64_t at_ms;
    uint64_t order; /* among events of one moment */
    enum world_event_kind kind;
    uint32_t to; /* node, from 0 */
    uint32_t life;
    uint32_t incarnations[2]; /* packet: of the sender and the receiver when it left */
    size_t write_count;       /* synced */
    struct raft_synced token; /* report */
    raft_node lost;
    struct raft_message message;
    struct raft_entry entries[WORLD_PACKET_ENTRIES_MAX];
    uint64_t payloads[WORLD_PACKET_ENTRIES_MAX];
};

struct world_read {
    uint64_t round;
    raft_index index;
    raft_index required; /* the highest index acknowledged anywhere when it began */
};

struct world_node {
    struct host host;
    uint32_t life;        /* rises at every start */
    uint32_t incarnation; /* rises when acknowledged things were lost */
    uint64_t paused_until_ms;
    uint64_t up_at_ms; /* down: when it starts again */
    uint64_t tick_at_ms;
    uint64_t tick_due_ms; /* the deadline that tick_at_ms was drawn for */
    bool is_syncing;
    uint64_t last_report_ms;
    raft_index commit_index; /* as it said last */
    struct world_read reads[WORLD_READS_MAX];
    size_t read_count;
    /* Promises, kept outside of the node. */
    raft_term voted_term;
    raft_node voted_for;
    raft_term lost_voted_term; /* the same, before it lost its log's end */
    raft_node lost_voted_for;
    raft_term acked_term; /* of the leader */
    raft_index acked_index;
    raft_term acked_entry_term;
};

/* One entry that existed at an index, in any log. */
struct world_version {
    raft_term term;
    raft_term previous_term;
    uint64_t payload;
};

struct world {
    uint64_t seed;
    struct raft_prng prng;
    struct world_faults faults;
    uint32_t node_count;
    struct world_node nodes[WORLD_NODES_MAX];
    bool is_cut[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* from, to */
    uint64_t now_ms;
    uint64_t action_at_ms;
    uint64_t order;
    uint64_t next_payload;
    bool is_healed;
    bool is_checked_inside; /* raft_check after every step */

    struct world_event events[WORLD_PACKETS_MAX];
    uint32_t free_events[WORLD_PACKETS_MAX];
    size_t free_count;
    uint32_t heap[WORLD_PACKETS_MAX]; /* of events, earliest first */
    size_t heap_count;

    /* What the checkers remember. */
    struct host_record committed[HOST_LOG_MAX + 1];
    raft_term committed_in[HOST_LOG_MAX + 1]; /* the term of the leader that did it */
    raft_index committed_index;
    raft_index acknowledged_index; /* a leader has said that it is committed */
    raft_node leader_of_term[WORLD_TERMS_MAX];
    struct world_version versions[HOST_LOG_MAX + 1][WORLD_VERSIONS_MAX];
    uint8_t version_counts[HOST_LOG_MAX + 1];
    char violation[256]; /* empty: none */

    struct {
        uint64_t steps, elections, commits, reads, crashes, damages, readmissions;
    } counts;
};

/* world.c */
void world_init(struct world *world, uint64_t seed);
void world_done(struct world *world);
/* Faults for a while, then none for a while; false: there is a violation. */
bool world_run(struct world *world);
/* Of the state of every core, to compare two runs of one seed. */
uint64_t world_digest(const struct world *world);

/* world_check.c */
void world_fail(struct world *world, const char *what, raft_node node);
void world_check_write(struct world *world, uint32_t at, const struct raft_persist *persist);
void world_check_send(struct world *world, uint32_t at, const struct raft_message *message);
void world_check_role(struct world *world, uint32_t at, enum raft_role role, raft_term term);
void world_check_commit(struct world *world, uint32_t at, raft_index index);
void world_note_read(struct world *world, uint32_t at, uint64_t round, raft_index index);
void world_check_read(struct world *world, uint32_t at, uint64_t round);
void world_check_restart(struct world *world, uint32_t at);
void world_check_agreement(struct world *world);

#endif
