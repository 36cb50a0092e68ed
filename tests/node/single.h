/* A cluster of one node on sorted maps, for tests of the replica loop: its disk work is done inline
 * or held back, its clients are what the test says. */
#ifndef TESTS_NODE_SINGLE_H
#define TESTS_NODE_SINGLE_H

#include "node/replica.h"
#include "node/store/rows_map.h"

enum { SINGLE_ANSWERS_MAX = 64, SINGLE_HANDOUTS_MAX = 64 };

struct single {
    struct replica *replica;
    struct rows_map *rows;
    struct engine *engine;
    uint64_t now_us, wall_us;
    uint64_t free_bytes;               /* of its disk, as each flush says */
    bool holds_loads;                  /* loads stay undone */
    bool holds_appends;                /* what the log is to write too */
    bool holds_flushes, holds_queries; /* and these */
    uint64_t random;
    struct job *jobs, **jobs_last_next;
    struct single_answer {
        bool is_here;
        enum pawl_error error;
        uint32_t count;
    } answers[SINGLE_ANSWERS_MAX]; /* by correlation */
    struct single_handouts {
        uint64_t connection, attachment; /* of the last */
        uint32_t count;
        struct msg_fence fences[SINGLE_HANDOUTS_MAX]; /* of the first */
    } handouts;
};

/* With an empty store; leads at once. */
void single_begin(struct single *single);
void single_end(struct single *single);
/* Stop and begin again with what was flushed, nothing of it in memory; leads. */
void single_restart(struct single *single);
/* Turns and jobs until nothing is left to do but wait; each takes a millisecond. */
void single_settle(struct single *single);
/* Time passes, then single_settle. */
void single_sleep(struct single *single, uint64_t us);

/* One frame from a client, and a turn that takes it. */
void single_frame(struct single *single, uint64_t connection, uint8_t type,
                  const struct schema *schema, const void *message);
void single_close(struct single *single, uint64_t connection);
/* Hello and attach; connection 0 is nobody's. */
void single_attach(struct single *single, uint64_t connection, uint8_t session,
                   uint64_t attachment);
/* The same of a worker that takes `credit` steps of a type at once, and holds some already. */
void single_attach_holder(struct single *single, uint64_t connection, uint8_t session,
                          uint64_t attachment, const char *type, uint32_t credit,
                          const struct msg_fence *held, size_t held_count);
/* Of one that takes one step and holds none. */
void single_attach_worker(struct single *single, uint64_t connection, uint8_t session,
                          uint64_t attachment, const char *type);
void single_request(struct single *single, uint64_t connection, uint64_t attachment,
                    uint64_t correlation, uint8_t request, enum request_kind kind,
                    const struct schema *schema, const void *body);
/* Each with a number of its own, the later the larger. */
void single_deploy(struct single *single, uint8_t number, const char *text);
/* How many jobs of a kind are held. */
size_t single_held(const struct single *single, enum job_kind kind);

#endif
