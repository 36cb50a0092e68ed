/* Commands that wait for rows, or behind one of their own run that does.
 *
 * 1. Of each run only the oldest is loading or awake; the others stand behind it, in order.
 * 2. An awake one is to be decided, again or for the first time; they are taken in the order in
 * which they woke.
 * 3. Finding, waking and removing one costs the same however many wait.
 * 4. Many that miss the same row wait for one load of it.
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
    struct waiting *load_next; /* waits for the same load */
    struct waiting *load_last; /* of the first that does: the last */
    struct arena arena;        /* of the command's copy */
    struct origin origin;
    struct command command;
    struct id128 run;
    uint64_t load; /* token of the load it waits for; 0: none */
};

/* A load of one row, remembered while others may miss the same one. */
struct row_load {
    uint64_t token; /* 0: none */
    enum row_table table;
    size_t key_size;
    uint8_t key[ROW_KEY_BYTES_MAX];
};

enum { ROW_LOADS_KEPT = 8 };

struct waiting_list {
    struct waiting *first, *last;
    struct waiting *awake_first, *awake_last;
    struct id_map runs;  /* run -> the youngest that waits of it */
    struct id_map loads; /* token of a load -> the first who waits for it */
    struct row_load row_loads[ROW_LOADS_KEPT];
    size_t row_load_count; /* ever */
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
/* It waits for this load, others may too. False: no memory. */
bool waiting_set_load(struct waiting_list *list, struct waiting *waiting, uint64_t token);
/* The load is of this row only. */
void waiting_note_row(struct waiting_list *list, uint64_t token, enum row_table table,
                      struct bytes key);
/* A load of this row for which somebody waits; 0: none is known. */
uint64_t waiting_row_load(const struct waiting_list *list, enum row_table table, struct bytes key);
/* The load is over: all who waited for it wake. False: nobody did. */
bool waiting_wake(struct waiting_list *list, uint64_t token);
/* The next to be decided again; it is not awake any more. NULL: none. */
struct waiting *waiting_take_awake(struct waiting_list *list);
/* Assert every invariant. */
void waiting_check(const struct waiting_list *list);

#endif
