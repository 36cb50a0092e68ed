/* Promises that show in the log itself: a run's events are followed one by one, as entries are
 * committed, and must be a story that the promises allow. Nothing here asks the engine.
 *
 *   P2  a workflow id has one open run; a request id starts one run
 *   P3  a step that was completed is never handed out again; a run that has ended does nothing more
 *   P4  a hand-out is recorded in the entry that its fence names; fences of a step rise; only the
 * fence that is out can end a step P5  an at-most-once step is never handed out under a second
 * fence P6  a timer fires once, and not before it is due by the entry's stamp; a wait lasts as long
 * as its definition says P8  undos come in reverse order of their captures, one at a time, each
 * once
 */
#ifndef PAWL_SIM_PROMISES_H
#define PAWL_SIM_PROMISES_H

#include "proto/client_messages.h"
#include "proto/peer_messages.h"

struct sim;

struct story_step {
    uint32_t number;
    bool is_out, is_completed, is_undo, is_at_most_once;
    uint32_t handout_count;
    struct msg_fence fence; /* the newest */
};

struct story { /* of one run */
    struct id128 run, request;
    char workflow_id[40];
    bool is_ended;
    struct story_step *steps;
    size_t step_count, step_capacity;
    char (*undos)[48]; /* tasks whose effects can be undone, in the order in which they were
                          captured */
    size_t undo_count, undo_capacity;
    uint64_t wait_began_us, wait_due_us; /* the newest wait */
};

struct promises {
    struct arena arena;
    struct story *stories;
    size_t story_count, story_capacity;
};

void promises_begin(struct promises *promises);
void promises_done(struct promises *promises);
/* An entry was committed; the chain has applied it. */
void promises_entry(struct promises *promises, struct sim *sim, uint64_t index,
                    const struct entry *entry);

#endif
