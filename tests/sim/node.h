/* A simulated node: one machine with its clocks, disk and store, and on it, while it is up, the
 * real log and the real replica. The log thread, the store thread and the readers are lanes: jobs
 * wait in them for as long as a disk would take, then run with the real functions.
 *
 * 1. A kill keeps what was written, synced or not; a power cut keeps of that only what luck will
 * have.
 * 2. A paused node takes no turn and finishes no job; the world goes on, and its frames wait.
 * 3. An input/output error ends the node's process; it is started again a little later.
 */
#ifndef PAWL_SIM_NODE_H
#define PAWL_SIM_NODE_H

#include "node/replica.h"
#include "node/store/rows_map.h"
#include "tests/sim/disk.h"
#include "tests/sim/events.h"
#include "tests/sim/host_clock.h"
#include "tests/sim/random.h"

struct sim;

enum sim_lane { LANE_LOG, LANE_FLUSH, LANE_COUNT };

struct lane {
    struct job *first, **last_next; /* waiting */
    struct job *running;            /* a list: what the present event will finish */
    uint64_t back_us;               /* when the last of its jobs comes back */
};

struct errand { /* a load or query under way, or any job that is through and on its way back to the
                   loop */
    struct job *job;
    uint64_t ticket;
    bool is_through;
};

struct sim_node {
    struct sim *sim;
    uint32_t index; /* node id minus 1 */
    uint32_t life;
    bool is_up, is_paused;
    bool is_damaged;  /* bits of its log have rotted, and it does not take part fully again yet */
    bool was_damaged; /* ever */
    bool has_begun_again; /* ever: its log ended below its store, and begins behind that now */
    struct random random;
    struct host_clock clock;
    struct sim_disk *disk;
    struct rows_map *rows;
    struct engine *engine; /* of its readers */
    struct wal *wal;
    struct replica *replica;
    struct arena boot_arena;
    struct lane lanes[LANE_COUNT];
    struct errand *errands;
    size_t errand_count, errand_capacity;
    uint64_t next_ticket;
    struct node_input {
        struct replica_input input;
        struct packet *frame;
    } * inbox;
    size_t inbox_count, inbox_capacity;
    uint64_t turn_at_us; /* UINT64_MAX: none put */
    uint64_t busy_until_us;
    uint32_t turn_count; /* since the whole state was checked last */
    /* What faults ask for */
    uint32_t turn_us; /* what a turn costs */
    uint32_t sync_us_min, sync_us_max;
    bool wants_cut_in_append, wants_cut_in_flush;
    bool is_disk_full;
    uint64_t flushed_index; /* of its store when last looked at */
};

void sim_node_begin(struct sim *sim, uint32_t index);
void sim_node_done(struct sim_node *node);

void sim_node_boot(struct sim *sim, const struct event *event);
/* End the process; it boots again after boot_after_us. No effect on a node that is down. */
void sim_node_kill(struct sim_node *node, uint64_t boot_after_us);
/* The same for the whole machine. */
void sim_node_power_cut(struct sim_node *node, uint64_t boot_after_us);
void sim_node_pause(struct sim_node *node);
void sim_node_resume(struct sim_node *node);
/* It goes down, and comes up with a bit of its log changed. No effect unless the cluster can bear
 * it: every node is up and whole. */
void sim_node_damage(struct sim_node *node, uint64_t boot_after_us);
/* Its disk has no space for new segments and new flushes; and has again. */
void sim_node_disk_fill(struct sim_node *node);
void sim_node_disk_free_up(struct sim_node *node);
/* Slow, failing and full no more. */
void sim_node_heal(struct sim_node *node);

/* From the lanes: the replica hears of it in its next turn. */
void sim_node_job_done(struct sim_node *node, struct job *job_take);
/* From the event loop and the network */
void sim_node_turn(struct sim *sim, const struct event *event);
void sim_node_lane_done(struct sim *sim, const struct event *event);
void sim_node_errand(struct sim *sim, const struct event *event);
void sim_node_peer_frame(struct sim *sim, const struct event *event);
void sim_node_peer_lost(struct sim *sim, const struct event *event);
void sim_node_client_frame(struct sim *sim, uint32_t index, uint64_t connection,
                           struct packet *frame_take);
void sim_node_connection_closed(struct sim *sim, uint32_t index, uint64_t connection);

#endif
