/* Commands that wait for rows, or behind one of their own run that does.
 *
 * 1. Of each run only the oldest is loading or awake; the others stand behind it, in order.
 * 2. An awake one is to be decided, again or for the first time; they are taken in the order in
 * which they woke.
 * 3. Finding, waking and removing one costs the same however many wait.
 */
#ifndef PAWL_NODE_WAITING_H
#define PAWL_NODE_WAITING_H

#include "node/id_map.h"
#include "workflow/engine.h"

/* Who waits for an answer. */
struct origin {
    uint64_t connection; /* 0: nobody, an internal command */
    uint64_t correlation;
    uint64_t attachment; /* under which it came */
};

struct waiting {
    struct waiting *next, *previous; /* of all, oldest first */
    struct waiting *behind;          /* the next one of its run */
    struct waiting *awake_next;
    struct arena arena; /* of the command's copy */
    struct origin origin;
    struct command command;
    struct id128 run;
    uint64_t load; /* token of the load it waits for; 0: none */
};

struct waiting_list {
    struct waiting *first, *last;
    struct waiting *awake_first, *awake_last;
    struct id_map runs;  /* run -> the youngest that waits of it */
    struct id_map loads; /* token of a load -> who waits for it */
    size_t count, bytes;
    size_t timer_count; /* timers among them */
};

/* Both maps' places depend on the seed. */
void waiting_init(struct waiting_list *list, uint64_t seed);
/* Forget all of them. */
void waiting_clear(struct waiting_list *list);
/* A copy of the command, last of its run; it loads nothing yet. NULL: no memory. */
struct waiting *waiting_add(struct waiting_list *list, const struct command *command,
                            struct origin origin);
/* It was decided: it is the oldest of its run, and not awake. The next of its run wakes. */
void waiting_remove(struct waiting_list *list, struct waiting *waiting);
bool waiting_has_run(const struct waiting_list *list, struct id128 run);
/* It needs no rows, only a later turn; it is the oldest of its run. */
void waiting_postpone(struct waiting_list *list, struct waiting *waiting);
/* It waits for this load. False: no memory. */
bool waiting_set_load(struct waiting_list *list, struct waiting *waiting, uint64_t token);
/* The load is over. False: nobody waited for it. */
bool waiting_wake(struct waiting_list *list, uint64_t token);
/* The next to be decided again; it is not awake any more. NULL: none. */
struct waiting *waiting_take_awake(struct waiting_list *list);
/* Assert every invariant. */
void waiting_check(const struct waiting_list *list);

#endif
