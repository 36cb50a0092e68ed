/* World: an engine over rows in memory, a dispatch and a clock, for tests that decide one command
 * after the other.
 *
 * 1. world_decide decides and adopts: the writes are in the rows and the hand-outs out when it
 * returns.
 * 2. Every decision is made twice, the first time by a view that misses rows at random; the two
 * must be the same.
 * 3. wf_check runs over every run that a decision touched.
 */
#ifndef TESTS_WORKFLOW_WORLD_H
#define TESTS_WORKFLOW_WORLD_H

#include "workflow/engine.h"
#include "workflow/state.h"

struct world_row {
    uint8_t table;
    struct bytes key, value; /* owned */
};

struct world_handout {
    struct id128 session;
    struct msg_handout handout; /* texts in the world's arena */
};

struct world {
    struct engine *engine;
    struct dispatch *dispatch;
    struct world_row *rows; /* ascending by table and key */
    size_t row_count, row_capacity;
    uint64_t now_us, index, random;
    bool misses_rows;               /* see 2; true from the beginning */
    bool is_checked_inside;         /* see 3; true from the beginning */
    uint32_t missed;                /* of 16 reads; while a decision is made with misses */
    struct world_handout *handouts; /* every one ever made */
    size_t handout_count, handout_capacity;
    struct arena lasting; /* the texts of hand-outs */
    struct arena arena;   /* of the last decision */
    struct arena trial;   /* of the decision with misses */
    struct decision decision;
};

void world_init(struct world *world);
void world_done(struct world *world);
struct view world_view(struct world *world);
uint64_t world_random(struct world *world);
/* The value of a row, or no bytes. */
bool world_get(struct world *world, enum row_table table, struct bytes key,
               struct bytes *value_out);
/* The first row of a table; NULL: it is empty. */
const struct world_row *world_first(const struct world *world, enum row_table table);
/* Decide and adopt; the decision lives in world->decision until the next one. */
const struct decision *world_decide(struct world *world, const struct command *command);
struct id128 world_id(uint64_t number);
/* The newest run of a workflow id in a namespace; none: no such workflow. */
struct id128 world_run(struct world *world, const char *namespace_name, const char *workflow_id);

#endif
