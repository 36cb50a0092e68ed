/* The net change of a run of entries: what a store that has everything before them lacks after
 * them. The same on every node, from the entries alone.
 *
 * 1. Of each row the newest write, ascending by (table, key).
 * 2. A row that is born and dies among the entries is left out: its first write says that there was
 *    none before, its last that there is none any more.
 * 3. A write of the result is_new when the row's first write was.
 * 4. Entries are taken one after the other, and no key or value is looked at twice, save keys that
 *    begin alike: what the entries take is far more than a processor keeps near.
 */
#ifndef PAWL_NODE_NET_CHANGE_H
#define PAWL_NODE_NET_CHANGE_H

#include "proto/peer_messages.h"

struct written_row;
struct ranked_row;

/* Zeroed: an empty one. Its memory serves one run after the other. */
struct net_change {
    uint64_t hash_seed;
    struct written_row *rows; /* in the order of their first writes */
    size_t row_count, row_capacity;
    uint32_t *slots; /* twice row_capacity; hash -> place in rows plus 1; 0: free */
    /* The rows of a table whose keys rise: each is written once, in order, and is not searched. */
    struct row_write *rising;
    size_t rising_count, rising_capacity;
    bool is_rising; /* so far */
    struct ranked_row *ranked;
    size_t ranked_capacity;
    struct row_write *writes;
    size_t write_capacity;
};

/* Begin a run. hash_seed decides nothing that can be seen. */
void net_change_begin(struct net_change *change, uint64_t hash_seed);
/* The next entry of the log. Its keys and values are views that must live until the result is used;
 * its write array is not. PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error net_change_add(struct net_change *change, const struct entry *entry);
/* The result, alive until the next run begins. PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error net_change_end(struct net_change *change,
                                        const struct row_write **writes_out,
                                        size_t *write_count_out);
void net_change_done(struct net_change *change);

#endif
