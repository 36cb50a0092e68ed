/* Promises that show in the rows themselves: checked entry by entry, as the chain grows. */
#ifndef PAWL_SIM_PROMISES_H
#define PAWL_SIM_PROMISES_H

#include "proto/peer_messages.h"

struct sim;

struct promises {
    struct arena arena;
};

void promises_begin(struct promises *promises);
void promises_done(struct promises *promises);
/* An entry was committed; the chain has applied it. */
void promises_entry(struct promises *promises, struct sim *sim, uint64_t index,
                    const struct entry *entry);

#endif
