/* Gathering: while many clients say a little each, turns begin at least a millisecond apart. What
 * all of them said meanwhile is then one write to the log and one message to each peer, and not one
 * for each of them.
 *
 * What one connection says comes in one piece anyway, so who is one of few waits for nothing; nor
 * does anyone when turns take as long by themselves.
 */
#ifndef PAWL_NODE_GATHER_H
#define PAWL_NODE_GATHER_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing was heard yet. */
struct gather {
    uint64_t since_us;    /* of heard_count */
    uint64_t heard_count; /* clients with frames in a turn, summed */
    bool is_worthwhile;
};

/* A turn begins, with frames of so many clients. Returns when the next one may begin. */
uint64_t gather_turn(struct gather *gather, uint64_t now_us, uint64_t client_count);

#endif
